/*
 * lock.c -- whole-file locks that belong to the open file description, so that two opens in one process exclude each other.
 *
 * A mapping made through the descriptor keeps the lock alive past close: lock a descriptor of its own, and unlock explicitly.
 */
#include "pm.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int64_t set_lock(int fd, short type)
{
	struct flock whole = { .l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0 };

	return fcntl(fd, F_OFD_SETLK, &whole) < 0 ? -errno : 0;
}

int64_t pm_lock(int fd, bool exclusive)
{
	return set_lock(fd, exclusive ? F_WRLCK : F_RDLCK);
}

int64_t pm_unlock(int fd)
{
	return set_lock(fd, F_UNLCK);
}
