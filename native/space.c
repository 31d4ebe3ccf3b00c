/*
 * space.c -- blocks of a file: reserving them, giving them back, finding holes, and the no-copy-on-write flag.
 *
 * The file position moves with the seeks; nothing in the shim uses it.
 */
#include "pm.h"

#include <errno.h>
#include <fcntl.h>
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

int64_t pm_set_no_cow(int fd)
{
	/* The ioctl is declared with long, and every file system moves an int. */
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return -errno;
	flags |= FS_NOCOW_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 ? -errno : 0;
}
