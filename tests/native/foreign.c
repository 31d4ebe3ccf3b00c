/*
 * foreign.c -- a stranger in the process, for the tests of the SIGBUS guard: a handler of its own, faults of its own, and poisoned pages.
 *
 * What is always true
 *   - Its handler mends only its own page; whatever else reaches it is counted and, being unmendable here, ends the process.
 */
#include <fcntl.h>
#include <node_api.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *volatile page;
static volatile sig_atomic_t seen, seen_info, blocked_usr1, blocked_usr2, blocked_bus, saved_code;
static struct sigaction before;

static void mend(void)
{
	sigset_t now;

	sigprocmask(SIG_SETMASK, NULL, &now);
	blocked_usr1 = sigismember(&now, SIGUSR1);
	blocked_usr2 = sigismember(&now, SIGUSR2);
	blocked_bus = sigismember(&now, SIGBUS);
	seen++;
	if (seen > 100 || !page)
		_exit(3);
	mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void plain(int sig)
{
	(void)sig;
	mend();
}

static void informed(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	seen_info += info->si_addr == page;
	saved_code = info->si_code;
	mend();
}

/* Hands everything on to whom it replaced, as a well-behaved library does. */
static void polite(int sig, siginfo_t *info, void *context)
{
	seen++;
	if (seen > 100)
		_exit(4);
	before.sa_sigaction(sig, info, context);
}

static int32_t argument(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1];
	int32_t value = 0;

	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	napi_get_value_int32(env, argv[0], &value);
	return value;
}

static napi_value number(napi_env env, int64_t value)
{
	napi_value result;

	napi_create_int64(env, value, &result);
	return result;
}

/* install(0 plain | 1 with siginfo | 2 with siginfo and SA_NODEFER | 3 SIG_IGN | 4 polite) */
static napi_value install(napi_env env, napi_callback_info info)
{
	const int32_t kind = argument(env, info);
	struct sigaction action = { .sa_handler = plain };

	if (kind == 1 || kind == 2) {
		action.sa_sigaction = informed;
		action.sa_flags = SA_SIGINFO | (kind == 2 ? SA_NODEFER : 0);
	} else if (kind == 3) {
		action.sa_handler = SIG_IGN;
	} else if (kind == 4) {
		action.sa_sigaction = polite;
		action.sa_flags = SA_SIGINFO;
	}
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	sigaction(SIGBUS, &action, &before);
	return number(env, 0);
}

/* A fault at a page past the end of a file that the shim does not know: the value read. */
static napi_value fault(napi_env env, napi_callback_info info)
{
	char name[] = "/tmp/pmseg-foreign-XXXXXX";
	const int fd = mkstemp(name);

	(void)info;
	unlink(name);
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return number(env, *page);
}

static napi_value counts(napi_env env, napi_callback_info info)
{
	const int values[] = { seen, seen_info, blocked_usr1, blocked_usr2, blocked_bus, saved_code };
	napi_value array, value;

	(void)info;
	napi_create_array(env, &array);
	for (uint32_t i = 0; i < sizeof values / sizeof *values; i++) {
		napi_create_int32(env, values[i], &value);
		napi_set_element(env, array, i, value);
	}
	return array;
}

/* The kernel's interface for simulated poison (Linux 6.6); spelled out because headers are often older. */
struct uffdio_api_args {
	uint64_t api, features, ioctls;
};
struct uffdio_register_args {
	uint64_t start, len, mode, ioctls;
};
struct uffdio_poison_args {
	uint64_t start, len, mode;
	int64_t updated;
};
#define UFFD_USER_MODE_ONLY 1
#define UFFD_FEATURE_POISON (1 << 14)
#define IOC_API _IOWR(0xAA, 0x3F, struct uffdio_api_args)
#define IOC_REGISTER _IOWR(0xAA, 0x00, struct uffdio_register_args)
#define IOC_POISON _IOWR(0xAA, 0x08, struct uffdio_poison_args)

/* hwpoison(address): tells the kernel that the page there has failed; 0, or -1 where it cannot be told. */
static napi_value hwpoison(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1];
	int64_t start = 0;

	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	napi_get_value_int64(env, argv[0], &start);
	return number(env, madvise((void *)start, 4096, MADV_HWPOISON));
}

static int uffd = -1;

/* watch(address, len): prepares a mapping of a tmpfs file for poison; 0, or the step that this kernel refuses. */
static napi_value watch(napi_env env, napi_callback_info info)
{
	size_t argc = 2;
	napi_value argv[2];
	int64_t start = 0, len = 0;

	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	napi_get_value_int64(env, argv[0], &start);
	napi_get_value_int64(env, argv[1], &len);
	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	struct uffdio_api_args api = { .api = 0xAA, .features = UFFD_FEATURE_POISON };
	struct uffdio_register_args range = { .start = (uint64_t)start, .len = (uint64_t)len, .mode = 1 };

	if (uffd < 0)
		return number(env, 1);
	if (ioctl(uffd, IOC_API, &api) < 0)
		return number(env, 2);
	return number(env, ioctl(uffd, IOC_REGISTER, &range) < 0 ? 3 : 0);
}

/* poison(address): makes one page fail with BUS_MCEERR_AR. */
static napi_value poison(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1];
	int64_t start = 0;

	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	napi_get_value_int64(env, argv[0], &start);

	struct uffdio_poison_args args = { .start = (uint64_t)start, .len = 4096 };

	return number(env, ioctl(uffd, IOC_POISON, &args));
}

/* Ends the watch: pages that are not poisoned behave as ever again. */
static napi_value unwatch(napi_env env, napi_callback_info info)
{
	(void)info;
	return number(env, close(uffd));
}

static const struct {
	const char *name;
	napi_callback call;
} calls[] = {
	{ "install", install }, { "fault", fault },   { "counts", counts },	{ "watch", watch },
	{ "poison", poison },	{ "unwatch", unwatch }, { "hwpoison", hwpoison },
};

NAPI_MODULE_INIT()
{
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		napi_value function;

		napi_create_function(env, calls[i].name, NAPI_AUTO_LENGTH, calls[i].call, NULL, &function);
		napi_set_named_property(env, exports, calls[i].name, function);
	}
	return exports;
}
