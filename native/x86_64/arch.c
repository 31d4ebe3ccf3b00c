/*
 * x86_64/arch.c -- CLWB, CLFLUSHOPT or CLFLUSH, SFENCE, and copies with MOVNTDQ.
 *
 * What is always true
 *   - The strongest instruction that CPUID reports is used: CLWB keeps the line in the cache, CLFLUSHOPT evicts it, CLFLUSH also waits
 *     for its predecessors. None needs more than SFENCE afterwards.
 *   - A non-temporal copy writes whole lines only; what a range shares with other lines' bytes goes through the cache and is flushed.
 */
#include "../arch.h"

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

/* Architectural for every x86-64 processor with these instructions (CPUID.1:EBX[15:8] = 8). */
#define LINE 64

#define CPUID7_EBX_CLFLUSHOPT (1u << 23)
#define CPUID7_EBX_CLWB (1u << 24)

static uintptr_t line_of(uintptr_t addr)
{
	return addr & ~(uintptr_t)(LINE - 1);
}

/* Lines that the range touches; 0 for an empty one. */
static size_t lines_in(uintptr_t addr, size_t len)
{
	return len == 0 ? 0 : (line_of(addr + len - 1) - line_of(addr)) / LINE + 1;
}

__attribute__((target("clwb"))) static void flush_clwb(uintptr_t line, size_t count)
{
	for (size_t i = 0; i < count; i++)
		_mm_clwb((void *)(line + i * LINE));
}

__attribute__((target("clflushopt"))) static void flush_clflushopt(uintptr_t line, size_t count)
{
	for (size_t i = 0; i < count; i++)
		_mm_clflushopt((void *)(line + i * LINE));
}

static void flush_clflush(uintptr_t line, size_t count)
{
	for (size_t i = 0; i < count; i++)
		_mm_clflush((void *)(line + i * LINE));
}

struct flavour {
	const char *name;
	void (*flush)(uintptr_t line, size_t count);
};

static const struct flavour clwb = { "clwb", flush_clwb };
static const struct flavour clflushopt = { "clflushopt", flush_clflushopt };
static const struct flavour clflush = { "clflush", flush_clflush };

/* Written once per loading thread, always with the same value. */
static const struct flavour *_Atomic chosen = &clflush;

void pm_arch_init(void)
{
	unsigned int eax = 0, ebx = 0, ecx = 0, edx = 0;

	if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
		return;
	if (ebx & CPUID7_EBX_CLWB)
		chosen = &clwb;
	else if (ebx & CPUID7_EBX_CLFLUSHOPT)
		chosen = &clflushopt;
}

const char *pm_arch_flush_name(void)
{
	return chosen->name;
}

void pm_arch_flush(uintptr_t addr, size_t len)
{
	chosen->flush(line_of(addr), lines_in(addr, len));
}

void pm_arch_fence(void)
{
	_mm_sfence();
}

/* A piece that does not fill its lines: through the cache, then written back. */
static void copy_cached(uintptr_t dst, const char *src, size_t len)
{
	memcpy((void *)dst, src, len);
	pm_arch_flush(dst, len);
}

/* Whole lines to an aligned destination; the source may lie anywhere. */
static void copy_lines(uintptr_t dst, const char *src, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		__m128i *const to = (__m128i *)(dst + i * LINE);
		const __m128i *const from = (const __m128i *)(const void *)(src + i * LINE);
		const __m128i a = _mm_loadu_si128(from);
		const __m128i b = _mm_loadu_si128(from + 1);
		const __m128i c = _mm_loadu_si128(from + 2);
		const __m128i d = _mm_loadu_si128(from + 3);

		_mm_stream_si128(to, a);
		_mm_stream_si128(to + 1, b);
		_mm_stream_si128(to + 2, c);
		_mm_stream_si128(to + 3, d);
	}
}

void pm_arch_copy(uintptr_t dst, const void *src, size_t len)
{
	const size_t to_line = (LINE - dst % LINE) % LINE;
	const size_t head = len < to_line ? len : to_line;
	const size_t body = (len - head) / LINE * LINE;
	const size_t tail = len - head - body;
	const char *const from = src;

	copy_cached(dst, from, head);
	copy_lines(dst + head, from + head, body / LINE);
	copy_cached(dst + head + body, from + head + body, tail);
}
