/*
 * file.c -- descriptors that belong to the shim: always close-on-exec, closed by nobody else.
 */
#include "pm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
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

int pm_stat(int fd, struct pm_stat *out)
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
