/*
 * space.c -- blocks of a file: reserving them, giving them back, finding those that hold nothing, and the no-copy-on-write flag.
 *
 * The file position moves with the seeks; nothing in the shim uses it.
 */
#include "pm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

int64_t pm_allocate(int fd, off_t off, off_t len)
{
	int rc;

	do
		rc = fallocate(fd, 0, off, len);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

/* Gives the blocks of a range back: what is there next comes from new ones. */
int64_t pm_punch(int fd, off_t off, off_t len)
{
	int rc;

	do
		rc = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

int64_t pm_truncate(int fd, off_t len)
{
	int rc;

	do
		rc = ftruncate(fd, len);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

int64_t pm_seek_data(int fd, off_t off)
{
	const off_t found = lseek(fd, off, SEEK_DATA);

	return found < 0 ? -errno : found;
}

int64_t pm_seek_hole(int fd, off_t off)
{
	const off_t found = lseek(fd, off, SEEK_HOLE);

	return found < 0 ? -errno : found;
}

/*
 * Bytes from `off` on that no write has reached: holes, and blocks that were taken but not written. Unlike SEEK_DATA this does not take a page
 * that somebody has looked at for data.
 */
int64_t pm_unwritten(int fd, off_t off, off_t len)
{
	_Alignas(struct fiemap) unsigned char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)] = { 0 };
	struct fiemap *const map = (struct fiemap *)room;
	const struct fiemap_extent *const first = map->fm_extents;
	int64_t end = off + len;

	map->fm_start = (uint64_t)off;
	map->fm_length = (uint64_t)len;
	map->fm_extent_count = 1;
	if (ioctl(fd, FS_IOC_FIEMAP, map) < 0)
		return -errno;
	if (map->fm_mapped_extents > 0) {
		const int64_t from = (int64_t)first->fe_logical;
		const int64_t until = (first->fe_flags & FIEMAP_EXTENT_UNWRITTEN) != 0 ? from + (int64_t)first->fe_length : from;

		end = until < end ? until : end;
	}
	return end > off ? end - off : 0;
}

int64_t pm_set_no_cow(int fd)
{
	/* The ioctl is declared with long, and every file system moves an int. */
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return -errno;
	flags |= FS_NOCOW_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 ? -errno : 0;
}
