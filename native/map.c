/*
 * map.c -- files mapped over parts of a linear memory that somebody else owns.
 *
 *     linear memory   |....... anonymous .......|ffffffff file ffffffff|.... anonymous ....|
 *                     base                      addr                   addr + len
 *
 * What is always true
 *   - The range of a linear memory is never unmapped: whatever ends a mapping, also a failed MAP_FIXED, puts zero pages there ("mend"),
 *     so that no later mmap of this process can move in.
 *   - A mapping is in the fault table before its first page can fault, and leaves it before the range is mended.
 *   - No two live mappings overlap.
 *   - A mapping lives while a thread is attached to it or asynchronous work holds it; the last attach mends.
 */
#include "pm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const int how_flags[PM_HOW_COUNT] = {
	[PM_HOW_SHARED] = MAP_SHARED,
	[PM_HOW_PRIVATE] = MAP_PRIVATE | MAP_NORESERVE,
	[PM_HOW_SYNC] = MAP_SHARED_VALIDATE | MAP_SYNC,
};

/* Guards the slots, attaches and holds. Never taken by the SIGBUS handler. */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hold_released = PTHREAD_COND_INITIALIZER;
static struct pm_mapping *slots[PM_MAPPINGS_MAX];
static int64_t generation;

static _Atomic uint32_t remap_epoch;

size_t pm_page_size(void)
{
	static _Atomic size_t size;

	if (size == 0)
		size = (size_t)sysconf(_SC_PAGESIZE);
	return size;
}

/* Zero pages over a range; async-signal-safe. */
int pm_mend(uintptr_t addr, size_t len)
{
	void *const got = mmap((void *)addr, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	return got == MAP_FAILED ? -errno : 0;
}

/* File pages over a range; a failed MAP_FIXED may already have unmapped part of it, so it is mended. */
static int lay(const struct pm_mapping *mapping, size_t off, size_t len)
{
	void *const got = mmap((void *)(mapping->addr + off), len, PROT_READ | PROT_WRITE, how_flags[mapping->how] | MAP_FIXED, mapping->fd,
			       mapping->file_off + (off_t)off);

	if (got == MAP_FAILED) {
		const int err = -errno;
		const int mended = pm_mend(mapping->addr + off, len);

		return mended < 0 ? mended : err;
	}
	return 0;
}

/* Only what the file has: a page past its end would fault at the first touch. */
static int check_extent(int fd, off_t off, size_t len)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (off > st.st_size || (off_t)len > st.st_size - off)
		return -ERANGE;
	return 0;
}

static int check_request(const struct pm_map_request *r)
{
	const size_t mask = pm_page_size() - 1;

	if (r->len == 0 || ((r->base + r->ptr) | r->len | (size_t)r->file_off) & mask)
		return -EINVAL;
	if (r->ptr > r->memory_len || r->len > r->memory_len - r->ptr)
		return -ERANGE;
	if (r->faults_ptr > r->memory_len || sizeof(uint32_t) > r->memory_len - r->faults_ptr)
		return -ERANGE;
	/* The counter must not vanish with the pages that it counts. */
	if ((r->base + r->faults_ptr) % sizeof(uint32_t) != 0 || (r->faults_ptr >= r->ptr && r->faults_ptr - r->ptr < r->len))
		return -EINVAL;
	return check_extent(r->fd, r->file_off, r->len);
}

/* A free slot for the range, or why there is none. */
static int find_slot(uintptr_t addr, size_t len)
{
	int free_slot = -EMFILE;

	for (int i = 0; i < PM_MAPPINGS_MAX; i++) {
		const struct pm_mapping *const other = slots[i];

		if (!other) {
			if (free_slot < 0)
				free_slot = i;
			continue;
		}
		if (addr < other->addr + other->len && other->addr < addr + len)
			return -EEXIST;
	}
	return free_slot;
}

static void mapping_free(struct pm_mapping *mapping)
{
	if (mapping->fd >= 0)
		close(mapping->fd);
	free(mapping->bad);
	free(mapping->mended);
	free(mapping);
}

/* A mapping's record, with everything that the handler needs allocated beforehand. */
static int mapping_make(const struct pm_map_request *r, struct pm_mapping **out)
{
	const size_t words = r->len / pm_page_size() / 64 + 1;
	struct pm_mapping *const mapping = calloc(1, sizeof *mapping);

	if (!mapping)
		return -ENOMEM;
	mapping->base = r->base;
	mapping->addr = r->base + r->ptr;
	mapping->len = r->len;
	mapping->file_off = r->file_off;
	mapping->how = r->how;
	mapping->faults = (_Atomic uint32_t *)(r->base + r->faults_ptr);
	mapping->attaches = 1;
	mapping->bad = calloc(words, sizeof *mapping->bad);
	mapping->mended = calloc(words, sizeof *mapping->mended);
	mapping->fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
	if (mapping->fd < 0 || !mapping->bad || !mapping->mended) {
		const int err = mapping->fd < 0 ? -errno : -ENOMEM;

		mapping_free(mapping);
		return err;
	}
	*out = mapping;
	return 0;
}

/* The whole of a mapping, under the table lock. */
static int map_locked(struct pm_mapping *mapping)
{
	const int slot = find_slot(mapping->addr, mapping->len);

	if (slot < 0)
		return slot;
	mapping->id = (int64_t)slot + generation * PM_MAPPINGS_MAX;
	pm_fault_add(mapping, (size_t)slot);

	const int err = lay(mapping, 0, mapping->len);

	if (err < 0) {
		pm_fault_remove(mapping, (size_t)slot);
		return err;
	}
	generation++;
	slots[slot] = mapping;
	return 0;
}

int pm_map(const struct pm_map_request *request, struct pm_mapping **out)
{
	struct pm_mapping *mapping = NULL;
	int err = check_request(request);

	if (err < 0)
		return err;
	err = (int)pm_guard_install();
	if (err < 0)
		return err;
	err = mapping_make(request, &mapping);
	if (err < 0)
		return err;
	pthread_mutex_lock(&table_lock);
	err = map_locked(mapping);
	pthread_mutex_unlock(&table_lock);
	if (err < 0) {
		mapping_free(mapping);
		return err;
	}
	*out = mapping;
	return 0;
}

int pm_attach(int64_t id, uintptr_t base, struct pm_mapping **out)
{
	int err = -EBADF;

	pthread_mutex_lock(&table_lock);
	struct pm_mapping *const mapping = slots[id % PM_MAPPINGS_MAX];

	if (mapping && mapping->id == id)
		err = mapping->base == base ? 0 : -EINVAL;
	if (err == 0) {
		mapping->attaches++;
		*out = mapping;
	}
	pthread_mutex_unlock(&table_lock);
	return err;
}

/* Ends a mapping, under the table lock; nobody is attached and nothing holds it any more. */
static int unmap_locked(struct pm_mapping *mapping)
{
	const size_t slot = (size_t)(mapping->id % PM_MAPPINGS_MAX);

	pm_fault_remove(mapping, slot);
	slots[slot] = NULL;

	const int err = pm_mend(mapping->addr, mapping->len);

	/* Without memory for zero pages, at least no stray store may reach the file. */
	if (err < 0)
		mprotect((void *)mapping->addr, mapping->len, PROT_NONE);
	mapping_free(mapping);
	return err;
}

/* Undoes one map or attach. With asynchronous work under way the last one waits for it, or refuses. */
int pm_detach(struct pm_mapping *mapping, bool wait)
{
	int err = 0;

	pthread_mutex_lock(&table_lock);
	while (wait && mapping->attaches == 1 && mapping->holds > 0)
		pthread_cond_wait(&hold_released, &table_lock);
	if (mapping->attaches == 1 && mapping->holds > 0)
		err = -EBUSY;
	else if (--mapping->attaches == 0)
		err = unmap_locked(mapping);
	pthread_mutex_unlock(&table_lock);
	return err;
}

void pm_hold(struct pm_mapping *mapping)
{
	pthread_mutex_lock(&table_lock);
	mapping->holds++;
	pthread_mutex_unlock(&table_lock);
}

void pm_release(struct pm_mapping *mapping)
{
	pthread_mutex_lock(&table_lock);
	mapping->holds--;
	pthread_cond_broadcast(&hold_released);
	pthread_mutex_unlock(&table_lock);
}

int64_t pm_remap(struct pm_mapping *mapping, size_t off, size_t len)
{
	sigset_t saved;
	int err;

	if ((off | len) & (pm_page_size() - 1) || len == 0)
		return -EINVAL;
	err = check_extent(mapping->fd, mapping->file_off + (off_t)off, len);
	if (err < 0)
		return err;
	/* Under the lock no handler can take a page for mended that is a file page again, or the other way round. */
	pm_fault_lock(&saved);
	/* First: a persist that finds the table clean after this must also find the epoch changed. */
	atomic_fetch_add(&remap_epoch, 1);
	/* A failure mends, and zero pages must be on record before they can be read. */
	pm_bad_mark(mapping, off, len);
	err = lay(mapping, off, len);
	if (err < 0)
		pm_pages_set(mapping->mended, off / pm_page_size(), len / pm_page_size());
	else
		pm_fault_forget(mapping, off, len);
	pm_fault_unlock(&saved);
	return err;
}

int64_t pm_remap_epoch(void)
{
	return (int64_t)atomic_load(&remap_epoch);
}
