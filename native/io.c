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
#include <sys/mman.h>
#include <unistd.h>

/* Pages that one mincore call of `resident` asks about. */
#define RESIDENT_STEP 4096

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

int64_t pm_resident(int fd, off_t off, off_t len)
{
	const size_t page = pm_page_size();
	const size_t lead = (size_t)off % page;
	const size_t pages = ((size_t)len + lead + page - 1) / page;

	if (len == 0)
		return 0;
	char *const addr = mmap(NULL, pages * page, PROT_READ, MAP_SHARED, fd, off - (off_t)lead);

	if (addr == MAP_FAILED)
		return -errno;
	const int64_t sum = count_resident(addr, pages);

	munmap(addr, pages * page);
	return sum;
}
