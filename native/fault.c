/*
 * fault.c -- the SIGBUS guard: a lost page becomes a zero page that is on record.
 *
 * Poison, truncation, I/O errors and full disks arrive as SIGBUS at a load or store of a mapping. The handler lets the instruction run on
 * over zeros; whoever copied looks at the counter, then at the bad-range table, and reports an error.
 *
 * What is always true
 *   - Record, then count, then zero page: nobody can read zeros while both the table and the counter look clean.
 *   - One thread at a time mends; the others wait, find the page mended and retry. So no store to a fresh zero page is wiped by a second
 *     mend, and no handler mends a range that is being unmapped or mapped again.
 *   - Who holds the fault lock has all signals blocked and touches no mapping, so it cannot be interrupted by someone who wants the lock.
 *   - Only BUS_ADRERR and BUS_MCEERR_AR at an address in the table are ours; every other SIGBUS goes to whoever had it before.
 *   - The handler calls nothing but system calls and atomics.
 */
#include "pm.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* Each mend may split a mapping in three, and a process has 65,530 of them: after this many pages the pieces become larger. */
#define MENDS_PER_STEP 4096
/* Pages, then 512 of them, then 512² of them, then whole mappings. */
#define STEPS 3
#define STEP_SHIFT 9

/* Handlers that had SIGBUS before us and before whoever replaced us. */
#define PREVIOUS_MAX 8

/* The handler may run in a thread that never touched this variable; glibc would then allocate it, unless it is placed at load time. */
#ifdef __GLIBC__
#define PM_THREAD_LOCAL __attribute__((tls_model("initial-exec"))) _Thread_local
#else
#define PM_THREAD_LOCAL _Thread_local
#endif

struct range {
	size_t off;
	size_t len;
};

static atomic_flag fault_lock = ATOMIC_FLAG_INIT;
/* Guarded by the fault lock. */
static struct pm_mapping *table[PM_MAPPINGS_MAX];
static size_t table_end;
static uint32_t mends;

/* Newest last. Written under the install lock, and only while SIGBUS is not ours to hand on. */
static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction previous[PREVIOUS_MAX];
static _Atomic int previous_count;

static void spin(void)
{
	while (atomic_flag_test_and_set_explicit(&fault_lock, memory_order_acquire))
		sched_yield();
}

void pm_fault_lock(sigset_t *saved)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, saved);
	spin();
}

void pm_fault_unlock(const sigset_t *saved)
{
	atomic_flag_clear_explicit(&fault_lock, memory_order_release);
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

void pm_fault_add(struct pm_mapping *mapping, size_t slot)
{
	sigset_t saved;

	pm_fault_lock(&saved);
	table[slot] = mapping;
	if (slot >= table_end)
		table_end = slot + 1;
	pm_fault_unlock(&saved);
}

/* When this returns, no handler is at work on the mapping, and none will be. */
void pm_fault_remove(struct pm_mapping *mapping, size_t slot)
{
	sigset_t saved;

	pm_fault_lock(&saved);
	table[slot] = NULL;
	mends -= mapping->mends;
	mapping->mends = 0;
	pm_fault_unlock(&saved);
}

/* The range shows the file again; under the fault lock. */
void pm_fault_forget(struct pm_mapping *mapping, size_t off, size_t len)
{
	const size_t page = pm_page_size();
	const size_t pages = mapping->len / page;

	pm_pages_clear(mapping->mended, off / page, len / page);
	pm_pages_clear(mapping->bad, off / page, len / page);
	if (pm_pages_find(mapping->mended, 0, pages, true) < pages)
		return;
	mends -= mapping->mends;
	mapping->mends = 0;
}

static struct pm_mapping *find(uintptr_t addr)
{
	for (size_t i = 0; i < table_end; i++) {
		struct pm_mapping *const mapping = table[i];

		if (mapping && addr >= mapping->addr && addr - mapping->addr < mapping->len)
			return mapping;
	}
	return NULL;
}

/* Everything of the mapping from the first page past the end of the file; empty if the file covers it all, or cannot be asked. */
static struct range tail_of(const struct pm_mapping *mapping)
{
	const size_t page = pm_page_size();
	struct stat st;

	if (fstat(mapping->fd, &st) < 0 || st.st_size - mapping->file_off >= (off_t)mapping->len)
		return (struct range){ mapping->len, 0 };

	const size_t left = st.st_size > mapping->file_off ? (size_t)(st.st_size - mapping->file_off) : 0;
	const size_t begin = (left + page - 1) / page * page;

	return (struct range){ begin, mapping->len - begin };
}

/* Size of the piece to mend: what the hardware lost, or more once there are many pieces. */
static size_t mend_unit(const siginfo_t *info)
{
	const uint32_t steps = mends / MENDS_PER_STEP;
	const size_t lost = info->si_code == BUS_MCEERR_AR && info->si_addr_lsb > 0 && info->si_addr_lsb < 48 ? (size_t)1 << info->si_addr_lsb : 0;
	const size_t unit = steps < STEPS ? pm_page_size() << (steps * STEP_SHIFT) : (size_t)1 << 48;

	return lost > unit ? lost : unit;
}

/* The aligned piece around a fault, as far as the mapping goes. */
static struct range piece_of(const struct pm_mapping *mapping, uintptr_t addr, size_t unit)
{
	const uintptr_t mask = ~(uintptr_t)(unit - 1);
	const uintptr_t begin = (addr & mask) > mapping->addr ? addr & mask : mapping->addr;
	const size_t off = begin - mapping->addr;
	const size_t len = unit - (begin & ~mask);

	return (struct range){ off, len < mapping->len - off ? len : mapping->len - off };
}

static int mend_range(struct pm_mapping *mapping, struct range range)
{
	const size_t page = pm_page_size();

	pm_bad_mark(mapping, range.off, range.len);

	const int err = pm_mend(mapping->addr + range.off, range.len);

	if (err < 0)
		return err;
	pm_pages_set(mapping->mended, range.off / page, range.len / page);
	mapping->mends++;
	mends++;
	return 0;
}

/* Under the fault lock. */
static bool mend_fault(struct pm_mapping *mapping, uintptr_t addr, const siginfo_t *info)
{
	const size_t at = (addr - mapping->addr) / pm_page_size();

	/* Somebody mended it while this thread waited: retry. Memory that fails under a zero page is not that case, it needs another one. */
	if (info->si_code == BUS_ADRERR && pm_pages_find(mapping->mended, at, at + 1, true) == at)
		return true;

	const struct range tail = tail_of(mapping);
	const struct range range = addr - mapping->addr >= tail.off ? tail : piece_of(mapping, addr, mend_unit(info));

	if (mend_range(mapping, range) == 0)
		return true;
	/* Too many mappings, perhaps: one over everything needs none more. */
	return mend_range(mapping, (struct range){ 0, mapping->len }) == 0;
}

static bool absorb(const siginfo_t *info)
{
	const uintptr_t addr = (uintptr_t)info->si_addr;

	if (info->si_code != BUS_ADRERR && info->si_code != BUS_MCEERR_AR)
		return false;
	spin();
	struct pm_mapping *const mapping = find(addr);
	const bool mended = mapping && mend_fault(mapping, addr, info);

	atomic_flag_clear_explicit(&fault_lock, memory_order_release);
	return mended;
}

/* Ends the process as if nobody had ever handled the signal, with the siginfo it came with. */
static void die(siginfo_t *info)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigaction(SIGBUS, &action, NULL);
	/* Blocked until the handler returns: the core dump then shows the faulting instruction. */
	syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGBUS, info);
}

/* The mask that the kernel would have given this handler. */
static void set_mask(const struct sigaction *action, const ucontext_t *context)
{
	sigset_t mask = action->sa_mask;

	/* The kernel fills only the first 64 signals of the context's set. */
	for (int sig = 1; sig <= 64; sig++)
		if (sigismember(&context->uc_sigmask, sig) == 1)
			sigaddset(&mask, sig);
	if (!(action->sa_flags & SA_NODEFER))
		sigaddset(&mask, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* Hands a foreign signal to whoever was there before. */
static void hand_on(int sig, siginfo_t *info, void *context)
{
	/* Who replaced us may hand on to us in turn; the same siginfo then means: the one before it. */
	static PM_THREAD_LOCAL const siginfo_t *handing;
	static PM_THREAD_LOCAL int depth;

	depth = info == handing ? depth + 1 : 0;
	handing = info;

	const int at = atomic_load(&previous_count) - 1 - depth;
	const struct sigaction *const action = at < 0 ? NULL : &previous[at];
	const bool by_fault = info->si_code > 0 && info->si_code != BUS_MCEERR_AO;

	if (action && (action->sa_flags & SA_SIGINFO)) {
		set_mask(action, context);
		action->sa_sigaction(sig, info, context);
	} else if (action && action->sa_handler == SIG_IGN && !by_fault) {
		/* Ignored, as it would have been; a fault cannot be. */
	} else if (action && action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN) {
		set_mask(action, context);
		action->sa_handler(sig);
	} else {
		die(info);
	}
	handing = NULL;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	const int saved = errno;

	if (!absorb(info))
		hand_on(sig, info, context);
	errno = saved;
}

static bool is_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_sigbus;
}

static bool same_handler(const struct sigaction *a, const struct sigaction *b)
{
	if ((a->sa_flags & SA_SIGINFO) != (b->sa_flags & SA_SIGINFO))
		return false;
	return a->sa_flags & SA_SIGINFO ? a->sa_sigaction == b->sa_sigaction : a->sa_handler == b->sa_handler;
}

/* Whom to hand on to from now. One that comes back after others left the scene stands where it stood. */
static void remember(const struct sigaction *action)
{
	const int count = atomic_load(&previous_count);
	int at = 0;

	while (at < count && !same_handler(&previous[at], action))
		at++;
	if (at == PREVIOUS_MAX)
		at--;
	previous[at] = *action;
	atomic_store(&previous_count, at + 1);
}

int64_t pm_guard(void)
{
	struct sigaction now;

	if (sigaction(SIGBUS, NULL, &now) < 0)
		return -errno;
	return is_ours(&now);
}

static int install_locked(void)
{
	/*
	 * SA_ONSTACK: a thread of another runtime may have too small a stack for us. No SA_NODEFER and a full mask: nothing may interrupt
	 * the holder of the fault lock, and a fault inside the handler should end the process, not recurse.
	 */
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK, .sa_sigaction = on_sigbus };
	struct sigaction now;

	sigfillset(&action.sa_mask);
	if (sigaction(SIGBUS, NULL, &now) < 0)
		return -errno;
	if (is_ours(&now))
		return 0;
	/* Before ours is in place: a foreign signal may come at once. */
	remember(&now);
	return sigaction(SIGBUS, &action, NULL) < 0 ? -errno : 0;
}

int64_t pm_guard_install(void)
{
	pthread_mutex_lock(&install_lock);
	const int err = install_locked();

	pthread_mutex_unlock(&install_lock);
	return err;
}
