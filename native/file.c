/*
 * file.c -- descriptors that belong to the shim: always close-on-exec, closed by nobody else.
 */
#include "pm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int64_t pm_open(const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = open(path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

int64_t pm_dup(int fd)
{
	const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

int64_t pm_close(int fd)
{
	/* Linux has closed the descriptor even when a signal interrupted it. */
	return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

/* The same from fstat, where statx is missing or a sandbox forbids it. */
static int stat_plainly(int fd, struct pm_stat *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*out = (struct pm_stat){
		.size = (double)st.st_size,
		.ino = (double)st.st_ino,
		.dev = (double)st.st_dev,
		.nlink = (double)st.st_nlink,
		.blocks = (double)st.st_blocks,
		.mode = (double)st.st_mode,
	};
	return 0;
}

/*
 * Asks for no time. Since Linux 6.13, a file whose times were looked at gets a new, fine-grained time with its next write, which is a change of
 * its inode, and the drain after it takes half as long again: fstat around every drain would cost more than all else that we do.
 */
int pm_stat(int fd, struct pm_stat *out)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_INO | STATX_SIZE | STATX_BLOCKS, &st) < 0)
		return errno == ENOSYS || errno == EPERM ? stat_plainly(fd, out) : -errno;
	*out = (struct pm_stat){
		.size = (double)st.stx_size,
		.ino = (double)st.stx_ino,
		.dev = (double)makedev(st.stx_dev_major, st.stx_dev_minor),
		.nlink = (double)st.stx_nlink,
		.blocks = (double)st.stx_blocks,
		.mode = (double)st.stx_mode,
	};
	return 0;
}
