/*
 * persist.c -- stores through a mapping on their way to the medium, by granularity.
 *
 *     granularity   flush                     fence
 *     byte          nothing                   orders the stores; the caches are persistent
 *     cache line    writes lines back         waits for them
 *     page          msync: writes and waits   nothing left to do
 *
 * What is always true
 *   - A flush reports success only for work that was done; a failed msync is never tried again here.
 *   - Ranges lie inside one mapping: the caller has checked.
 */
#include "pm.h"
#include "arch.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* Since Linux 5.14; older C libraries do not name it. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

static int flush_none(uintptr_t addr, size_t len)
{
	(void)addr;
	(void)len;
	return 0;
}

static int flush_lines(uintptr_t addr, size_t len)
{
	pm_arch_flush(addr, len);
	return 0;
}

static int flush_pages(uintptr_t addr, size_t len)
{
	const size_t lead = addr % pm_page_size();

	return len > 0 && msync((void *)(addr - lead), len + lead, MS_SYNC) < 0 ? -errno : 0;
}

static int (*const flushes[PM_GRANULARITY_COUNT])(uintptr_t addr, size_t len) = {
	[PM_GRANULARITY_BYTE] = flush_none,
	[PM_GRANULARITY_CACHE_LINE] = flush_lines,
	[PM_GRANULARITY_PAGE] = flush_pages,
};

int64_t pm_flush(enum pm_granularity granularity, uintptr_t addr, size_t len)
{
	return flushes[granularity](addr, len);
}

int64_t pm_fence(void)
{
	pm_arch_fence();
	return 0;
}

int64_t pm_copy_in(uintptr_t addr, void *src, size_t len)
{
	const uintptr_t from = (uintptr_t)src;

	/* The source may lie in the same linear memory; a copy within itself goes through the cache. */
	if (from < addr + len && addr < from + len) {
		memmove((void *)addr, src, len);
		pm_arch_flush(addr, len);
	} else {
		pm_arch_copy(addr, src, len);
	}
	return 0;
}

int64_t pm_copy_plain(uintptr_t addr, void *src, size_t len)
{
	memmove((void *)addr, src, len);
	return 0;
}

int64_t pm_copy_out(uintptr_t addr, void *dst, size_t len)
{
	memmove(dst, (void *)addr, len);
	return 0;
}

/* Faults a range in. A kernel that cannot (EINVAL) is asked to read ahead instead. */
int64_t pm_prefetch(uintptr_t addr, size_t len)
{
	const size_t lead = addr % pm_page_size();
	void *const begin = (void *)(addr - lead);

	if (len == 0 || madvise(begin, len + lead, MADV_POPULATE_READ) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	return madvise(begin, len + lead, MADV_WILLNEED) < 0 ? -errno : 0;
}
