/**
 * Mutants of the host's barriers: every call site of a flush, drain or durable write, left out, or moved past the statement before or after it.
 *
 * What is always true
 *   - A mutant is one change of one built file; its key names file, function, statement and change, and stays the same when lines move.
 *   - A durable write that is "left out" still writes: what is gone is the barrier.
 *   - A barrier is moved only past statements that call something other than a check; past others it would change nothing.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as acorn from 'acorn';
import { ancestor, full } from 'acorn-walk';

export interface Mutant {
  readonly key: string;
  /** Relative to dist/src. */
  readonly file: string;
  /** The whole file, changed. */
  readonly source: string;
}

type Node = acorn.Node & Record<string, unknown>;

/** Methods and functions that move bytes to the persistence domain, or wait until they are there. */
const BARRIERS = new Set(
  [
    ['drain', 'drainAsync', 'flush', 'persist', 'persistAsync', 'persistRecovered', 'flushMetadata', 'markClean'],
    ['fence', 'datasync', 'datasyncAsync', 'fsyncSync', 'fdatasyncSync', 'fdatasync', 'syncFolder'],
  ].flat(),
);
/** Writes that wait; without their barrier they are the call named here. */
const DURABLE = new Map([['writeDurable', 'write']]);
/** Calls whose last argument says whether to wait. */
const FLAGGED = new Set(['copyFromBio', 'writeAll']);
/** Not the host's own barriers: tools, and the medium that only records. */
const LEFT_OUT = /^(cli|crashtest)\/|^medium\/memory\.js$|^native\.js$/;

const parse = (source: string): Node => acorn.parse(source, { ecmaVersion: 'latest', sourceType: 'module' }) as unknown as Node;

function nameOf(call: Node): string {
  const callee = call['callee'] as Node;
  const property = (callee.type === 'MemberExpression' ? callee['property'] : callee) as Node;
  return String(property['name'] ?? '');
}

/** A call's replacement with its barrier left out; `undefined` for calls that are none. */
function without(call: Node, source: string): string | undefined {
  const name = nameOf(call);
  const text = source.slice(call.start, call.end);
  const last = (call['arguments'] as Node[]).at(-1);
  if (BARRIERS.has(name)) return name.endsWith('Async') ? 'Promise.resolve(0)' : '(0)';
  const plain = DURABLE.get(name);
  if (plain) return text.replace(`${name}(`, `${plain}(`);
  if (FLAGGED.has(name) && last?.['value'] === true) return `${source.slice(call.start, last.start)}false)`;
  return undefined;
}

/** Calls that only look and throw: a barrier moved past one of them is where it was. */
const LOOKS = /^(assert|check|keepGuard|verify)/;

const callsSomething = (node: Node): boolean => {
  if (node.type === 'IfStatement' && (node['consequent'] as Node).type === 'ThrowStatement') return false;
  let found = false;
  full(node as acorn.Node, (inner) => {
    found ||= inner.type === 'CallExpression' && !LOOKS.test(nameOf(inner as unknown as Node));
  });
  return found;
};

const MOVABLE = new Set(['ExpressionStatement', 'IfStatement', 'ForOfStatement', 'ForStatement', 'TryStatement']);

/** The statement around a node, the list it stands in, and the function around it. */
function placeOf(ancestors: readonly Node[]): { statement: Node; siblings: readonly Node[]; where: string } | undefined {
  const names = ancestors.flatMap((node): string[] => {
    if (node.type === 'ClassDeclaration' || node.type === 'FunctionDeclaration') return [String((node['id'] as Node)['name'])];
    if (node.type === 'MethodDefinition' || node.type === 'PropertyDefinition') return [String((node['key'] as Node)['name'])];
    return [];
  });
  for (let i = ancestors.length - 1; i > 0; i--) {
    const [statement, parent] = [ancestors[i] as Node, ancestors[i - 1] as Node];
    if (parent.type === 'BlockStatement' || parent.type === 'Program')
      return { statement, siblings: parent['body'] as Node[], where: names.join('.') };
  }
  return undefined;
}

/** Mutants of one file. */
export function mutantsOf(file: string, source: string): Mutant[] {
  const mutants: Mutant[] = [];
  const seen = new Map<string, number>();
  const add = (where: string, text: string, change: string, mutated: string): void => {
    const base = `${file} ${where}: ${text.replace(/\s+/g, ' ').slice(0, 120)} — ${change}`;
    const count = (seen.get(base) ?? 0) + 1;
    seen.set(base, count);
    mutants.push({ key: count > 1 ? `${base} (${count})` : base, file, source: mutated });
  };
  ancestor(parse(source) as acorn.Node, {
    CallExpression(node, _state, ancestors) {
      const call = node as unknown as Node;
      const replacement = without(call, source);
      const place = placeOf(ancestors as unknown as Node[]);
      if (replacement === undefined || !place) return;
      const { statement, siblings, where } = place;
      const text = source.slice(statement.type === 'ExpressionStatement' ? statement.start : call.start, call.end);
      add(where, text, 'left out', source.slice(0, call.start) + replacement + source.slice(call.end));
      if (!MOVABLE.has(statement.type) || !BARRIERS.has(nameOf(call))) return;
      const at = siblings.indexOf(statement);
      for (const [change, other] of [
        ['moved up', siblings[at - 1]],
        ['moved down', siblings[at + 1]],
      ] as const) {
        if (!other || !MOVABLE.has(other.type) || !callsSomething(other)) continue;
        const [first, second] = other.start < statement.start ? [other, statement] : [statement, other];
        const swapped = [
          source.slice(0, first.start),
          source.slice(second.start, second.end),
          source.slice(first.end, second.start),
          source.slice(first.start, first.end),
          source.slice(second.end),
        ];
        add(where, text, change, swapped.join(''));
      }
    },
  });
  return mutants;
}

/** Mutants of everything below a folder of built sources. */
export function allMutants(folder: string): Mutant[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js') && !LEFT_OUT.test(file))
    .sort()
    .flatMap((file) => mutantsOf(file, readFileSync(join(folder, file), 'utf8')));
}
