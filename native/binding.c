/*
 * binding.c -- the table of what the addon exports. Most calls differ only in their arguments, so one caller per argument list serves them.
 */
#include "binding.h"
#include "arch.h"

#include <errno.h>
#include <stdlib.h>

/* Raised together with NATIVE_ABI of src/native.ts. */
#define PM_ABI 3

/* What a generic caller calls; which member is valid follows from the caller. */
struct op {
	const char *name;
	napi_callback caller;
	union {
		int64_t (*none)(void);
		int64_t (*fd)(int fd);
		int64_t (*fd_off)(int fd, off_t off);
		int64_t (*fd_range)(int fd, off_t off, off_t len);
		int64_t (*range)(struct pm_mapping *mapping, size_t off, size_t len);
		int64_t (*copy)(uintptr_t addr, void *bytes, size_t len);
	} as;
};

static int64_t abi(void)
{
	return PM_ABI;
}

static const struct op *op_of(const struct call *call)
{
	return call->data;
}

static napi_value call_none(napi_env env, napi_callback_info info)
{
	struct call call;

	return as_number(env, call_read(env, info, &call) ? op_of(&call)->as.none() : -EINVAL);
}

static napi_value call_fd(napi_env env, napi_callback_info info)
{
	struct call call;
	int fd;

	if (!call_read(env, info, &call) || !arg_int(&call, 0, &fd))
		return as_number(env, -EINVAL);
	return as_number(env, op_of(&call)->as.fd(fd));
}

static napi_value call_fd_off(napi_env env, napi_callback_info info)
{
	struct call call;
	uint64_t off;
	int fd;

	if (!call_read(env, info, &call) || !arg_int(&call, 0, &fd) || !arg_u64(&call, 1, &off))
		return as_number(env, -EINVAL);
	return as_number(env, op_of(&call)->as.fd_off(fd, (off_t)off));
}

static napi_value call_fd_range(napi_env env, napi_callback_info info)
{
	struct call call;
	uint64_t off, len;
	int fd;

	if (!call_read(env, info, &call) || !arg_int(&call, 0, &fd) || !arg_u64(&call, 1, &off) || !arg_u64(&call, 2, &len))
		return as_number(env, -EINVAL);
	return as_number(env, op_of(&call)->as.fd_range(fd, (off_t)off, (off_t)len));
}

/* (id, off, len) */
static napi_value call_range(napi_env env, napi_callback_info info)
{
	struct call call;
	size_t off, len;

	if (!call_read(env, info, &call))
		return as_number(env, -EINVAL);
	const struct attachment *const at = arg_attachment(&call, 0);

	if (!at)
		return as_number(env, -EBADF);
	const int err = arg_range(&call, 1, at->mapping, &off, &len);

	return as_number(env, err < 0 ? err : op_of(&call)->as.range(at->mapping, off, len));
}

/* (id, off, view, viewOff, len) */
static napi_value call_copy(napi_env env, napi_callback_info info)
{
	struct call call;
	uint64_t off, len;
	uint8_t *bytes;

	if (!call_read(env, info, &call) || !arg_u64(&call, 1, &off) || !arg_u64(&call, 4, &len))
		return as_number(env, -EINVAL);
	const struct attachment *const at = arg_attachment(&call, 0);

	if (!at)
		return as_number(env, -EBADF);
	if (off > at->mapping->len || len > at->mapping->len - off)
		return as_number(env, -ERANGE);
	if (!arg_part(&call, 2, len, &bytes))
		return as_number(env, -EINVAL);
	return as_number(env, len == 0 ? 0 : op_of(&call)->as.copy(at->mapping->addr + off, bytes, len));
}

static napi_value call_lock(napi_env env, napi_callback_info info)
{
	struct call call;
	bool exclusive;
	int fd;

	if (!call_read(env, info, &call) || !arg_int(&call, 0, &fd) || !arg_bool(&call, 1, &exclusive))
		return as_number(env, -EINVAL);
	return as_number(env, pm_lock(fd, exclusive));
}

static napi_value call_flush(napi_env env, napi_callback_info info)
{
	struct call call;
	size_t off, len;
	int granularity;

	if (!call_read(env, info, &call) || !arg_int(&call, 1, &granularity) || granularity >= PM_GRANULARITY_COUNT)
		return as_number(env, -EINVAL);
	const struct attachment *const at = arg_attachment(&call, 0);

	if (!at)
		return as_number(env, -EBADF);
	const int err = arg_range(&call, 2, at->mapping, &off, &len);

	return as_number(env, err < 0 ? err : pm_flush((enum pm_granularity)granularity, at->mapping->addr + off, len));
}

static napi_value call_bad_ranges(napi_env env, napi_callback_info info)
{
	struct call call;
	double *pairs;
	size_t len;

	if (!call_read(env, info, &call) || !arg_doubles(&call, 1, &pairs, &len))
		return as_number(env, -EINVAL);
	const struct attachment *const at = arg_attachment(&call, 0);

	return as_number(env, at ? pm_bad_ranges(at->mapping, pairs, len / 2) : -EBADF);
}

static napi_value call_address(napi_env env, napi_callback_info info)
{
	struct call call;
	struct view view;

	if (!call_read(env, info, &call) || !arg_view(&call, 0, &view))
		return as_number(env, -EINVAL);
	return as_number(env, (int64_t)(uintptr_t)view.bytes);
}

/* A string without NUL into `out`, which has room for `size` bytes. */
static int arg_path(const struct call *call, size_t index, char *out, size_t size)
{
	size_t whole = 0;
	size_t got = 0;

	if (napi_get_value_string_utf8(call->env, call->argv[index], NULL, 0, &whole) != napi_ok)
		return -EINVAL;
	if (whole >= size)
		return -ENAMETOOLONG;
	if (napi_get_value_string_utf8(call->env, call->argv[index], out, size, &got) != napi_ok || got != whole)
		return -EINVAL;
	for (size_t i = 0; i < got; i++)
		if (out[i] == '\0')
			return -EINVAL;
	return 0;
}

static napi_value call_open(napi_env env, napi_callback_info info)
{
	struct call call;
	char path[PATH_MAX];
	int flags, mode;

	if (!call_read(env, info, &call) || !arg_int(&call, 1, &flags) || !arg_int(&call, 2, &mode))
		return as_number(env, -EINVAL);
	const int err = arg_path(&call, 0, path, sizeof path);

	return as_number(env, err < 0 ? err : pm_open(path, flags, (mode_t)mode));
}

static napi_value call_stat(napi_env env, napi_callback_info info)
{
	struct call call;
	struct pm_stat st;
	double *out;
	size_t room;
	int fd;

	if (!call_read(env, info, &call) || !arg_int(&call, 0, &fd) || !arg_doubles(&call, 1, &out, &room) || room < sizeof st / sizeof(double))
		return as_number(env, -EINVAL);
	const int err = pm_stat(fd, &st);

	if (err == 0)
		*(struct pm_stat *)(void *)out = st;
	return as_number(env, err);
}

/* (fd, view, viewOff, len, fileOff) of pread, and of pwrite before its last argument. */
struct transfer {
	int fd;
	uint8_t *bytes;
	uint64_t len;
	uint64_t file_off;
};

static bool arg_transfer(const struct call *call, struct transfer *out)
{
	return arg_int(call, 0, &out->fd) && arg_u64(call, 3, &out->len) && arg_u64(call, 4, &out->file_off) && arg_part(call, 1, out->len, &out->bytes);
}

static napi_value call_pread(napi_env env, napi_callback_info info)
{
	struct call call;
	struct transfer t;

	if (!call_read(env, info, &call) || !arg_transfer(&call, &t))
		return as_number(env, -EINVAL);
	return as_number(env, pm_pread(t.fd, t.bytes, t.len, (off_t)t.file_off));
}

static napi_value call_pwrite(napi_env env, napi_callback_info info)
{
	struct call call;
	struct transfer t;
	bool dsync;

	if (!call_read(env, info, &call) || !arg_transfer(&call, &t) || !arg_bool(&call, 5, &dsync))
		return as_number(env, -EINVAL);
	const struct iovec iov = { .iov_base = t.bytes, .iov_len = t.len };

	return as_number(env, pm_pwritev(t.fd, &iov, 1, (off_t)t.file_off, dsync));
}

static napi_value call_pwritev(napi_env env, napi_callback_info info)
{
	struct call call;
	struct iovec iov[IOV_MAX];
	uint64_t file_off;
	bool dsync;
	int fd;

	if (!call_read(env, info, &call) || !arg_int(&call, 0, &fd) || !arg_u64(&call, 2, &file_off) || !arg_bool(&call, 3, &dsync))
		return as_number(env, -EINVAL);
	const int count = arg_iov(&call, 1, iov, NULL);

	return as_number(env, count < 0 ? count : pm_pwritev(fd, iov, count, (off_t)file_off, dsync));
}

/* The one call that answers with an object. */
static napi_value call_cpu(napi_env env, napi_callback_info info)
{
	struct call call;
	char sysfs[PATH_MAX] = "/sys";
	napi_valuetype type = napi_undefined;
	napi_value result, page_size, flush, eadr;

	if (!call_read(env, info, &call) || napi_typeof(env, call.argv[0], &type) != napi_ok)
		return as_number(env, -EINVAL);
	const int err = type == napi_undefined ? 0 : arg_path(&call, 0, sysfs, sizeof sysfs);

	if (err < 0)
		return as_number(env, err);
	if (napi_create_object(env, &result) != napi_ok || napi_create_int64(env, (int64_t)pm_page_size(), &page_size) != napi_ok ||
	    napi_create_string_utf8(env, pm_arch_flush_name(), NAPI_AUTO_LENGTH, &flush) != napi_ok ||
	    napi_get_boolean(env, pm_eadr(sysfs), &eadr) != napi_ok)
		return as_number(env, -ENOMEM);

	const napi_property_descriptor fields[] = {
		{ .utf8name = "pageSize", .value = page_size, .attributes = napi_enumerable },
		{ .utf8name = "flush", .value = flush, .attributes = napi_enumerable },
		{ .utf8name = "eadr", .value = eadr, .attributes = napi_enumerable },
	};

	return napi_define_properties(env, result, sizeof fields / sizeof *fields, fields) == napi_ok ? result : as_number(env, -ENOMEM);
}

static const struct op ops[] = {
	{ "abi", call_none, { .none = abi } },
	{ "cpu", call_cpu, { NULL } },
	{ "open", call_open, { NULL } },
	{ "dup", call_fd, { .fd = pm_dup } },
	{ "close", call_fd, { .fd = pm_close } },
	{ "stat", call_stat, { NULL } },
	{ "address", call_address, { NULL } },
	{ "map", call_map, { NULL } },
	{ "attach", call_attach, { NULL } },
	{ "unmap", call_unmap, { NULL } },
	{ "guard", call_none, { .none = pm_guard } },
	{ "guardInstall", call_none, { .none = pm_guard_install } },
	{ "badRanges", call_bad_ranges, { NULL } },
	{ "badTest", call_range, { .range = pm_bad_test } },
	{ "badMark", call_range, { .range = pm_bad_mark } },
	{ "badEpoch", call_none, { .none = pm_remap_epoch } },
	{ "remap", call_range, { .range = pm_remap } },
	{ "flush", call_flush, { NULL } },
	{ "fence", call_none, { .none = pm_fence } },
	{ "copyIn", call_copy, { .copy = pm_copy_in } },
	{ "copyPlain", call_copy, { .copy = pm_copy_plain } },
	{ "copyOut", call_copy, { .copy = pm_copy_out } },
	{ "pread", call_pread, { NULL } },
	{ "pwrite", call_pwrite, { NULL } },
	{ "pwritev", call_pwritev, { NULL } },
	{ "datasync", call_fd, { .fd = pm_datasync } },
	{ "sync", call_fd, { .fd = pm_sync } },
	{ "dropCache", call_fd_range, { .fd_range = pm_drop_cache } },
	{ "resident", call_fd_range, { .fd_range = pm_resident } },
	{ "allocate", call_fd_range, { .fd_range = pm_allocate } },
	{ "punch", call_fd_range, { .fd_range = pm_punch } },
	{ "truncate", call_fd_off, { .fd_off = pm_truncate } },
	{ "seekData", call_fd_off, { .fd_off = pm_seek_data } },
	{ "seekHole", call_fd_off, { .fd_off = pm_seek_hole } },
	{ "unwritten", call_fd_range, { .fd_range = pm_unwritten } },
	{ "setNoCow", call_fd, { .fd = pm_set_no_cow } },
	{ "syncable", call_fd, { .fd = pm_syncable } },
	{ "lock", call_lock, { NULL } },
	{ "unlock", call_fd, { .fd = pm_unlock } },
	{ "datasyncAsync", call_datasync_async, { NULL } },
	{ "pwritevAsync", call_pwritev_async, { NULL } },
	{ "flushAsync", call_flush_async, { NULL } },
	{ "prefetchAsync", call_prefetch_async, { NULL } },
};

/* Once per env. Throws into `require` when there is no memory for it. */
NAPI_MODULE_INIT()
{
	pm_arch_init();
	/* Asked here, because sysconf is not for signal handlers. */
	pm_page_size();
	if (!door_make(env)) {
		napi_throw_error(env, "ENOMEM", "pmseg: out of memory");
		return NULL;
	}
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		const napi_property_descriptor property = {
			.utf8name = ops[i].name,
			.method = ops[i].caller,
			.attributes = napi_enumerable,
			/* Never written: `data` has no const in the interface. */
			.data = (void *)(uintptr_t)&ops[i],
		};

		if (napi_define_properties(env, exports, 1, &property) != napi_ok) {
			napi_throw_error(env, NULL, "pmseg: cannot define the addon's functions");
			return NULL;
		}
	}
	return exports;
}
