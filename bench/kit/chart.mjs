/**
 * Charts of bench/out/*.json as SVG, in docs/bench: horizontal bars, or lines over axes that may be logarithmic. Plain text, no script, no font of its own;
 * readable on white and on black.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OUT, ROOT } from './places.mjs';

const WIDTH = 720;
const COLOURS = ['#2a7de1', '#d1495b', '#3a9d5d', '#b58900', '#8250df', '#6e7781'];
const INK = '#6e7781';

const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const text = (x, y, words, { anchor = 'start', size = 12, colour = INK } = {}) =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="${size}" fill="${colour}">${escaped(words)}</text>`;
const line = (x1, y1, x2, y2) =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${INK}" stroke-opacity="0.35"/>`;

function figure(value) {
  if (value === 0) return '0';
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
}

function document(title, subtitle, height, body) {
  const box = `viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif"`;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" ${box} role="img" aria-label="${escaped(title)}">`;
  return `${[head, text(0, 18, title, { size: 15 }), text(0, 36, subtitle, { size: 11 }), ...body, '</svg>'].join('\n')}\n`;
}

function barChart({ title, unit, bars }, subtitle) {
  const top = 52;
  const step = 26;
  const left = 300;
  const most = Math.max(...bars.map(({ value }) => value));
  const body = bars.flatMap(({ name, value, ours }, i) => {
    const y = top + i * step;
    const width = Math.max(1, ((WIDTH - left - 90) * value) / most);
    return [
      text(left - 8, y + 14, name, { anchor: 'end' }),
      `<rect x="${left}" y="${y + 2}" width="${width.toFixed(1)}" height="16" rx="2" fill="${ours ? COLOURS[0] : INK}"/>`,
      text(left + width + 6, y + 14, `${figure(value)} ${unit}`),
    ];
  });
  return document(title, subtitle, top + bars.length * step + 8, body);
}

/** Values to mark on an axis: powers of ten, or of two to the tenth, or five even steps. */
function ticks(least, most, log, bytes) {
  if (!log) return Array.from({ length: 6 }, (_, i) => (most * i) / 5);
  const base = bytes ? 4 : 10;
  const found = [];
  for (let power = Math.floor(Math.log(least) / Math.log(base) + 1e-9); base ** power <= most * 1.0001; power++)
    if (base ** power >= least * 0.9999) found.push(base ** power);
  return found;
}

function binary(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const index = Math.min(4, Math.floor(Math.log2(value) / 10 + 1e-9));
  return `${Math.round(value / 1024 ** index)} ${units[index]}`;
}

function lineChart({ title, x, y, logX, logY, bytesX, series }, subtitle) {
  const [left, right, top, bottom] = [80, 20, 64, 50];
  const height = 380;
  const points = series.flatMap((one) => one.points);
  const range = (values, log) => [log ? Math.min(...values) : 0, Math.max(...values) * (log ? 1 : 1.05)];
  const [xLeast, xMost] = range(
    points.map(([value]) => value),
    logX,
  );
  let [yLeast, yMost] = range(
    points.map(([, value]) => value),
    logY,
  );
  if (logY) [yLeast, yMost] = [10 ** Math.floor(Math.log10(yLeast)), 10 ** Math.ceil(Math.log10(yMost * 1.0001))];
  const scale = (value, least, most, log) => (log ? Math.log(value / least) / Math.log(most / least) : (value - least) / (most - least));
  const px = (value) => left + (WIDTH - left - right) * scale(value, xLeast, xMost, logX);
  const py = (value) => height - bottom - (height - top - bottom) * scale(value, yLeast, yMost, logY);
  const body = [
    ...ticks(xLeast, xMost, logX, bytesX).flatMap((value) => [
      line(px(value), top, px(value), height - bottom),
      text(px(value), height - bottom + 16, bytesX ? binary(value) : figure(value), { anchor: 'middle', size: 11 }),
    ]),
    ...ticks(yLeast, yMost, logY).flatMap((value) => [
      line(left, py(value), WIDTH - right, py(value)),
      text(left - 6, py(value) + 4, figure(value), { anchor: 'end', size: 11 }),
    ]),
    text((left + WIDTH) / 2, height - 10, x, { anchor: 'middle' }),
    text(0, top - 10, y),
    ...series.flatMap(({ name, points: own }, i) => {
      const colour = COLOURS[i % COLOURS.length];
      const path = own.map(([a, b]) => `${px(a).toFixed(1)},${py(b).toFixed(1)}`).join(' ');
      return [
        `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...own.map(([a, b]) => `<circle cx="${px(a).toFixed(1)}" cy="${py(b).toFixed(1)}" r="3" fill="${colour}"/>`),
        text(left + 12, top + 16 + 16 * i, `● ${name}`, { colour }),
      ];
    }),
  ];
  return document(title, subtitle, height, body);
}

/** One chart as SVG. `subtitle` says where and when it was measured. */
export function drawChart(chart, subtitle) {
  return chart.bars ? barChart(chart, subtitle) : lineChart(chart, subtitle);
}

/** Draws the charts of all results that there are to docs/bench. A quick run shows nothing and is left out. */
export function drawCharts() {
  const folder = join(ROOT, 'docs', 'bench');
  mkdirSync(folder, { recursive: true });
  const names = existsSync(OUT) ? readdirSync(OUT).filter((name) => name.endsWith('.json')) : [];
  for (const name of names) {
    const { charts, date, machine, quick, command } = JSON.parse(readFileSync(join(OUT, name), 'utf8'));
    if (quick) continue;
    const subtitle = `${command}, ${date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, node ${machine.node}`;
    for (const chart of charts) {
      writeFileSync(join(folder, chart.file), drawChart(chart, subtitle));
      console.log(`docs/bench/${chart.file}`);
    }
  }
}
