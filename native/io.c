/*
 * io.c -- bytes and barriers of ordinary files, one system call a function.
 *
 * What is always true
 *   - Counts may be short; nothing here loops over a transfer.
 *   - A call that a signal interrupted before it did anything is made again. No other failure is ever tried again: after a failed barrier
 *     the next one "succeeds" without the bytes.
 */
#include "pm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Pages that one mincore call of `resident` asks about. */
#define RESIDENT_STEP 4096

/* Since Linux 6.5; older C libraries do not name it, and the number is the same on all architectures. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

struct cachestat_range {
	uint64_t off;
	uint64_t len;
};

struct cachestat {
	uint64_t cached;
	uint64_t dirty;
	uint64_t writeback;
	uint64_t evicted;
	uint64_t recently_evicted;
};

int64_t pm_pread(int fd, void *bytes, size_t len, off_t off)
{
	ssize_t got;

	do
		got = pread(fd, bytes, len, off);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

int64_t pm_pwritev(int fd, const struct iovec *iov, int count, off_t off, bool dsync)
{
	ssize_t put;

	do
		put = pwritev2(fd, iov, count, off, dsync ? RWF_DSYNC : 0);
	while (put < 0 && errno == EINTR);
	return put < 0 ? -errno : put;
}

int64_t pm_datasync(int fd)
{
	int rc;

	do
		rc = fdatasync(fd);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

int64_t pm_sync(int fd)
{
	int rc;

	do
		rc = fsync(fd);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

int64_t pm_drop_cache(int fd, off_t off, off_t len)
{
	return -posix_fadvise(fd, off, len, POSIX_FADV_DONTNEED);
}

/* Pages of a mapping that are in the page cache; no touch, no fault. */
static int64_t count_resident(char *addr, size_t pages)
{
	const size_t page = pm_page_size();
	unsigned char present[RESIDENT_STEP];
	int64_t sum = 0;

	for (size_t done = 0; done < pages; done += RESIDENT_STEP) {
		const size_t take = pages - done < RESIDENT_STEP ? pages - done : RESIDENT_STEP;

		if (mincore(addr + done * page, take * page, present) < 0)
			return -errno;
		for (size_t i = 0; i < take; i++)
			sum += present[i] & 1;
	}
	return sum;
}

/* By asking for every page: what kernels without cachestat have, or where it is not allowed. */
static int64_t resident_by_page(int fd, off_t off, off_t len)
{
	const size_t page = pm_page_size();
	const size_t lead = (size_t)off % page;
	const size_t pages = ((size_t)len + lead + page - 1) / page;

	char *const addr = mmap(NULL, pages * page, PROT_READ, MAP_SHARED, fd, off - (off_t)lead);

	if (addr == MAP_FAILED)
		return -errno;
	const int64_t sum = count_resident(addr, pages);

	munmap(addr, pages * page);
	return sum;
}

/* The kernel's own count takes as long as there are pages in the cache, not as the range is long: a sparse pool may have a tebibyte. */
int64_t pm_resident(int fd, off_t off, off_t len)
{
	struct cachestat_range range = { .off = (uint64_t)off, .len = (uint64_t)len };
	struct cachestat found;

	if (len == 0)
		return 0;
	if (syscall(SYS_cachestat, fd, &range, &found, 0) == 0)
		return (int64_t)found.cached;
	return resident_by_page(fd, off, len);
}
