/*
 * granularity.c -- what a medium promises: can the file be mapped with MAP_SYNC, and does the platform flush CPU caches by itself?
 *
 * Both answers are no unless the kernel says yes.
 */
#include "pm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int64_t pm_syncable(int fd)
{
	const size_t page = pm_page_size();
	void *const got = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);

	if (got == MAP_FAILED)
		/* EINVAL: a kernel before MAP_SHARED_VALIDATE; EOPNOTSUPP: not on DAX. */
		return errno == EOPNOTSUPP || errno == EINVAL ? 0 : -errno;
	munmap(got, page);
	return 1;
}

/* Does a region's persistence domain include the CPU caches? */
static bool region_has_eadr(const char *devices, const char *region)
{
	char path[PATH_MAX];
	char word[32];
	const int len = snprintf(path, sizeof path, "%s/%s/persistence_domain", devices, region);
	const int fd = len < 0 || (size_t)len >= sizeof path ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	const ssize_t got = read(fd, word, sizeof word - 1);

	close(fd);
	if (got < 0)
		return false;
	word[got] = '\0';
	word[strcspn(word, "\n")] = '\0';
	return strcmp(word, "cpu_cache") == 0;
}

/* True if there is a persistent memory region and every one of them says so: a pool does not know which it lies on. */
bool pm_eadr(const char *sysfs)
{
	char devices[PATH_MAX];
	const int len = snprintf(devices, sizeof devices, "%s/bus/nd/devices", sysfs);
	DIR *const dir = len < 0 || (size_t)len >= sizeof devices ? NULL : opendir(devices);
	size_t regions = 0;
	size_t flushed = 0;

	if (!dir)
		return false;
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		if (strncmp(entry->d_name, "region", 6) != 0)
			continue;
		regions++;
		flushed += region_has_eadr(devices, entry->d_name);
	}
	closedir(dir);
	return regions > 0 && flushed == regions;
}
