/*
 * pm.h -- what the files of the shim share: mappings over linear memory, and one function per deed.
 *
 * What is always true
 *   - Functions return ≥ 0 or a negated errno; none logs, none decides policy.
 *   - Nothing here knows Node; only binding*.c does.
 *   - Linear memory is borrowed: it is mapped over and mended, never unmapped.
 */
#ifndef PM_H
#define PM_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* A bank of 4 GiB each: 16 TiB of windows in one process. */
#define PM_MAPPINGS_MAX 4096

enum pm_how { PM_HOW_SHARED, PM_HOW_PRIVATE, PM_HOW_SYNC, PM_HOW_COUNT };

enum pm_granularity { PM_GRANULARITY_BYTE, PM_GRANULARITY_CACHE_LINE, PM_GRANULARITY_PAGE, PM_GRANULARITY_COUNT };

/* One bit a page. Set before it is visible that a page was replaced; read without a lock. */
typedef _Atomic uint64_t pm_pages;

struct pm_mapping {
	/* slot + PM_MAPPINGS_MAX · generation: never used twice */
	int64_t id;
	/* where the linear memory begins, and the mapped part of it */
	uintptr_t base;
	uintptr_t addr;
	size_t len;
	/* the shim's own descriptor: for fstat in the handler and for mapping a repaired range again */
	int fd;
	off_t file_off;
	enum pm_how how;
	/* fault counter inside the linear memory, outside the mapping */
	_Atomic uint32_t *faults;
	/* pages whose content is lost, and those of them that are zero pages now */
	pm_pages *bad;
	pm_pages *mended;
	/* zero mappings laid over this one; guarded by the fault lock */
	uint32_t mends;
	/* guarded by the table lock of map.c */
	uint32_t attaches;
	uint32_t holds;
};

struct pm_map_request {
	uintptr_t base;
	size_t memory_len;
	size_t ptr;
	size_t len;
	int fd;
	off_t file_off;
	enum pm_how how;
	size_t faults_ptr;
};

/* map.c */
size_t pm_page_size(void);
int pm_map(const struct pm_map_request *request, struct pm_mapping **out);
int pm_attach(int64_t id, uintptr_t base, struct pm_mapping **out);
int pm_detach(struct pm_mapping *mapping, bool wait);
void pm_hold(struct pm_mapping *mapping);
void pm_release(struct pm_mapping *mapping);
int64_t pm_remap(struct pm_mapping *mapping, size_t off, size_t len);
int64_t pm_remap_epoch(void);
int pm_mend(uintptr_t addr, size_t len);

/* fault.c */
int64_t pm_guard(void);
int64_t pm_guard_install(void);
void pm_fault_lock(sigset_t *saved);
void pm_fault_unlock(const sigset_t *saved);
void pm_fault_add(struct pm_mapping *mapping, size_t slot);
void pm_fault_remove(struct pm_mapping *mapping, size_t slot);
void pm_fault_forget(struct pm_mapping *mapping, size_t off, size_t len);

/* pages.c */
void pm_pages_set(pm_pages *pages, size_t first, size_t count);
void pm_pages_clear(pm_pages *pages, size_t first, size_t count);
size_t pm_pages_find(const pm_pages *pages, size_t from, size_t end, bool set);
int64_t pm_bad_test(struct pm_mapping *mapping, size_t off, size_t len);
int64_t pm_bad_mark(struct pm_mapping *mapping, size_t off, size_t len);
int64_t pm_bad_ranges(const struct pm_mapping *mapping, double *pairs, size_t room);

/* granularity.c */
int64_t pm_syncable(int fd);
bool pm_eadr(const char *sysfs);

/* persist.c */
int64_t pm_flush(enum pm_granularity granularity, uintptr_t addr, size_t len);
int64_t pm_fence(void);
int64_t pm_copy_in(uintptr_t addr, void *src, size_t len);
int64_t pm_copy_plain(uintptr_t addr, void *src, size_t len);
int64_t pm_copy_out(uintptr_t addr, void *dst, size_t len);
int64_t pm_prefetch(uintptr_t addr, size_t len);

/* io.c */
int64_t pm_pread(int fd, void *bytes, size_t len, off_t off);
int64_t pm_pwritev(int fd, const struct iovec *iov, int count, off_t off, bool dsync);
int64_t pm_datasync(int fd);
int64_t pm_sync(int fd);
int64_t pm_drop_cache(int fd, off_t off, off_t len);
int64_t pm_resident(int fd, off_t off, off_t len);

/* space.c */
int64_t pm_allocate(int fd, off_t off, off_t len);
int64_t pm_punch(int fd, off_t off, off_t len);
int64_t pm_truncate(int fd, off_t len);
int64_t pm_seek_data(int fd, off_t off);
int64_t pm_seek_hole(int fd, off_t off);
int64_t pm_unwritten(int fd, off_t off, off_t len);
int64_t pm_set_no_cow(int fd);

/* lock.c */
int64_t pm_lock(int fd, bool exclusive);
int64_t pm_unlock(int fd);

/* file.c */
struct pm_stat {
	double size, ino, dev, nlink, blocks, mode;
};
int64_t pm_open(const char *path, int flags, mode_t mode);
int64_t pm_dup(int fd);
int64_t pm_close(int fd);
int pm_stat(int fd, struct pm_stat *out);

#endif
