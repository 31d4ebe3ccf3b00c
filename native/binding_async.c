/*
 * binding_async.c -- calls that may take milliseconds, on libuv's threads, as promises of numbers.
 *
 * What is always true
 *   - The promise resolves; a failure is a negated errno.
 *   - The work owns what it uses: a duplicate of the descriptor, a hold on the mapping, a reference to the views.
 *   - A hold is released by the thread that did the work, so an ending env can wait for it without running JavaScript.
 */
#include "binding.h"

#include <errno.h>
#include <stdlib.h>

struct work {
	int64_t (*run)(const struct work *work);
	napi_async_work handle;
	napi_deferred deferred;
	/* -1, NULL, NULL where not used. */
	int fd;
	struct pm_mapping *mapping;
	napi_ref views;
	enum pm_granularity granularity;
	uintptr_t addr;
	size_t len;
	off_t file_off;
	bool dsync;
	int64_t result;
	int count;
	struct iovec iov[];
};

static int64_t run_datasync(const struct work *work)
{
	return pm_datasync(work->fd);
}

static int64_t run_pwritev(const struct work *work)
{
	return pm_pwritev(work->fd, work->iov, work->count, work->file_off, work->dsync);
}

static int64_t run_flush(const struct work *work)
{
	const int64_t err = pm_flush(work->granularity, work->addr, work->len);

	/* A fence in the thread that flushed: one elsewhere would not wait for these lines. */
	pm_fence();
	return err;
}

static int64_t run_prefetch(const struct work *work)
{
	return pm_prefetch(work->addr, work->len);
}

static void let_go(struct work *work)
{
	if (work->mapping)
		pm_release(work->mapping);
	if (work->fd >= 0)
		pm_close(work->fd);
	work->mapping = NULL;
	work->fd = -1;
}

/* On a thread of the pool: no JavaScript here. */
static void execute(napi_env env, void *data)
{
	struct work *const work = data;

	(void)env;
	work->result = work->run(work);
	let_go(work);
}

static void work_free(napi_env env, struct work *work)
{
	let_go(work);
	if (work->views)
		napi_delete_reference(env, work->views);
	if (work->handle)
		napi_delete_async_work(env, work->handle);
	free(work);
}

static void complete(napi_env env, napi_status status, void *data)
{
	struct work *const work = data;

	napi_resolve_deferred(env, work->deferred, as_number(env, status == napi_ok ? work->result : -ECANCELED));
	work_free(env, work);
}

static struct work *work_make(int64_t (*run)(const struct work *work), size_t iov_count)
{
	struct work *const work = calloc(1, sizeof *work + iov_count * sizeof(struct iovec));

	if (work) {
		work->run = run;
		work->fd = -1;
	}
	return work;
}

/* A promise that has already resolved. */
static napi_value settled(napi_env env, int64_t result)
{
	napi_deferred deferred;
	napi_value promise = NULL;

	if (napi_create_promise(env, &deferred, &promise) == napi_ok)
		napi_resolve_deferred(env, deferred, as_number(env, result));
	return promise;
}

/* Queues the work; it is freed whatever happens. */
static napi_value start(napi_env env, struct work *work)
{
	napi_value name, promise = NULL;

	if (napi_create_string_utf8(env, "pmseg", NAPI_AUTO_LENGTH, &name) != napi_ok ||
	    napi_create_async_work(env, NULL, name, execute, complete, work, &work->handle) != napi_ok ||
	    napi_create_promise(env, &work->deferred, &promise) != napi_ok) {
		work_free(env, work);
		return settled(env, -ENOMEM);
	}
	if (napi_queue_async_work(env, work->handle) != napi_ok) {
		napi_resolve_deferred(env, work->deferred, as_number(env, -ENOMEM));
		work_free(env, work);
	}
	return promise;
}

napi_value call_datasync_async(napi_env env, napi_callback_info info)
{
	struct call call;
	int fd;

	if (!call_read(env, info, &call) || !arg_int(&call, 0, &fd))
		return settled(env, -EINVAL);
	const int64_t copy = pm_dup(fd);

	if (copy < 0)
		return settled(env, copy);
	struct work *const work = work_make(run_datasync, 0);

	if (!work) {
		pm_close((int)copy);
		return settled(env, -ENOMEM);
	}
	work->fd = (int)copy;
	return start(env, work);
}

/* Fills a work of pwritev from its arguments: 0 or -errno. */
static int read_pwritev(const struct call *call, struct work *work)
{
	uint64_t file_off;
	napi_value views = NULL;
	int fd;

	if (!arg_int(call, 0, &fd) || !arg_u64(call, 2, &file_off) || !arg_bool(call, 3, &work->dsync))
		return -EINVAL;
	work->file_off = (off_t)file_off;
	work->count = arg_iov(call, 1, work->iov, &views);
	if (work->count < 0)
		return work->count;
	if (napi_create_reference(call->env, views, 1, &work->views) != napi_ok)
		return -ENOMEM;
	/* The caller's descriptor may be closed, and its number given away, before a thread gets to the work. */
	const int64_t copy = pm_dup(fd);

	if (copy < 0)
		return (int)copy;
	work->fd = (int)copy;
	return 0;
}

napi_value call_pwritev_async(napi_env env, napi_callback_info info)
{
	struct call call;
	struct work *const work = work_make(run_pwritev, IOV_MAX);

	if (!work)
		return settled(env, -ENOMEM);
	const int err = call_read(env, info, &call) ? read_pwritev(&call, work) : -EINVAL;

	if (err < 0) {
		work_free(env, work);
		return settled(env, err);
	}
	return start(env, work);
}

/* Work on a range of a mapping, from the arguments `id` and, from `index` on, offset and length. */
static napi_value start_ranged(const struct call *call, size_t index, int64_t (*run)(const struct work *work), enum pm_granularity granularity)
{
	napi_env const env = call->env;
	const struct attachment *const at = arg_attachment(call, 0);
	size_t off, len;

	if (!at)
		return settled(env, -EBADF);
	const int err = arg_range(call, index, at->mapping, &off, &len);

	if (err < 0)
		return settled(env, err);
	struct work *const work = work_make(run, 0);

	if (!work)
		return settled(env, -ENOMEM);
	work->granularity = granularity;
	work->addr = at->mapping->addr + off;
	work->len = len;
	work->mapping = at->mapping;
	pm_hold(work->mapping);
	return start(env, work);
}

napi_value call_flush_async(napi_env env, napi_callback_info info)
{
	struct call call;
	int granularity;

	if (!call_read(env, info, &call) || !arg_int(&call, 1, &granularity) || granularity >= PM_GRANULARITY_COUNT)
		return settled(env, -EINVAL);
	return start_ranged(&call, 2, run_flush, (enum pm_granularity)granularity);
}

napi_value call_prefetch_async(napi_env env, napi_callback_info info)
{
	struct call call;

	if (!call_read(env, info, &call))
		return settled(env, -EINVAL);
	return start_ranged(&call, 1, run_prefetch, PM_GRANULARITY_BYTE);
}
