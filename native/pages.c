/*
 * pages.c -- the bad-range table: one bit per page of a mapping, read without a lock.
 *
 * What is always true
 *   - A bitmap is never full, so no record is ever lost or widened for want of room.
 *   - Bits are set by anyone at any time, cleared only by `remap` under the fault lock.
 *   - Setting is async-signal-safe.
 */
#include "pm.h"

#include <errno.h>

#define BITS 64

/* Bits first % 64 … of one word, at most `count` of them. */
static uint64_t word_mask(size_t first, size_t count)
{
	const size_t shift = first % BITS;
	const size_t take = count < BITS - shift ? count : BITS - shift;
	const uint64_t ones = take == BITS ? ~UINT64_C(0) : (UINT64_C(1) << take) - 1;

	return ones << shift;
}

static size_t word_take(size_t first, size_t count)
{
	const size_t room = BITS - first % BITS;

	return count < room ? count : room;
}

void pm_pages_set(pm_pages *pages, size_t first, size_t count)
{
	while (count > 0) {
		const size_t take = word_take(first, count);

		atomic_fetch_or(&pages[first / BITS], word_mask(first, count));
		first += take;
		count -= take;
	}
}

void pm_pages_clear(pm_pages *pages, size_t first, size_t count)
{
	while (count > 0) {
		const size_t take = word_take(first, count);

		atomic_fetch_and(&pages[first / BITS], ~word_mask(first, count));
		first += take;
		count -= take;
	}
}

/* First page in [from, end) whose bit is `set`; `end` if there is none. */
size_t pm_pages_find(const pm_pages *pages, size_t from, size_t end, bool set)
{
	while (from < end) {
		const uint64_t word = atomic_load(&pages[from / BITS]);
		const uint64_t hits = (set ? word : ~word) & word_mask(from, end - from);

		if (hits)
			return from / BITS * BITS + (size_t)__builtin_ctzll(hits);
		from += word_take(from, end - from);
	}
	return end;
}

/* The page past the last one that the range touches. */
static size_t page_end(size_t off, size_t len)
{
	return len == 0 ? off / pm_page_size() : (off + len - 1) / pm_page_size() + 1;
}

int64_t pm_bad_test(struct pm_mapping *mapping, size_t off, size_t len)
{
	const size_t page = pm_page_size();
	const size_t end = page_end(off, len);
	const size_t found = pm_pages_find(mapping->bad, off / page, end, true);

	if (found >= end)
		return -ENOENT;
	return found * page > off ? (int64_t)(found * page) : (int64_t)off;
}

int64_t pm_bad_mark(struct pm_mapping *mapping, size_t off, size_t len)
{
	const size_t first = off / pm_page_size();

	if (len == 0)
		return 0;
	pm_pages_set(mapping->bad, first, page_end(off, len) - first);
	/* After the record: who sees the count finds the page. */
	atomic_fetch_add(mapping->faults, 1);
	return 0;
}

int64_t pm_bad_ranges(const struct pm_mapping *mapping, double *pairs, size_t room)
{
	const size_t page = pm_page_size();
	const size_t end = mapping->len / page;
	size_t count = 0;

	for (size_t begin = pm_pages_find(mapping->bad, 0, end, true); begin < end;) {
		const size_t stop = pm_pages_find(mapping->bad, begin, end, false);

		if (count < room) {
			pairs[2 * count] = (double)(begin * page);
			pairs[2 * count + 1] = (double)((stop - begin) * page);
		}
		count++;
		begin = pm_pages_find(mapping->bad, stop, end, true);
	}
	return (int64_t)count;
}
