/*
 * raw.c -- the least that a durable write can cost: one system call or two, timed one by one.
 *
 *   raw FILE SIZE LENGTH STRIDE FIRST COUNT two|dsync
 *
 * Writes LENGTH bytes COUNT times, STRIDE apart from offset FIRST on, round and round within SIZE bytes of an existing file; prints the
 * nanoseconds of each. two: pwrite + fdatasync. dsync: pwritev2 with RWF_DSYNC.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

int main(int argc, char **argv)
{
	if (argc != 8)
		return 2;
	const int fd = open(argv[1], O_RDWR | O_CLOEXEC);
	const off_t size = atoll(argv[2]);
	const size_t length = (size_t)atoll(argv[3]);
	const off_t stride = atoll(argv[4]);
	off_t off = atoll(argv[5]) % (size - stride);
	const long count = atol(argv[6]);
	const int dsync = strcmp(argv[7], "dsync") == 0;
	char *const bytes = malloc(length);
	int64_t *const samples = malloc((size_t)count * sizeof *samples);

	if (fd < 0 || !bytes || !samples)
		return 2;
	memset(bytes, 7, length);
	for (long i = 0; i < count; i++) {
		const struct iovec iov = { bytes, length };
		const int64_t begin = now();

		if (dsync) {
			if (pwritev2(fd, &iov, 1, off, RWF_DSYNC) != (ssize_t)length)
				return 1;
		} else if (pwrite(fd, bytes, length, off) != (ssize_t)length || fdatasync(fd) != 0) {
			return 1;
		}
		samples[i] = now() - begin;
		off = (off + stride) % (size - stride);
	}
	for (long i = 0; i < count; i++)
		printf("%lld\n", (long long)samples[i]);
	return 0;
}
