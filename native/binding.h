/*
 * binding.h -- what the binding*.c files share: arguments of a call, and the mappings that this thread may use.
 *
 * What is always true
 *   - A wrong argument type, count or value is -EINVAL; nothing throws and nothing crashes.
 *   - A number argument is whole and 0 … 2^53.
 *   - A pointer taken from a view is used only before JavaScript can run again, or under a reference to the view.
 */
#ifndef PM_BINDING_H
#define PM_BINDING_H

#include "pm.h"

#include <limits.h>
#include <node_api.h>

#define PM_ARGS_MAX 7

/* One env's claim on a mapping. */
struct attachment {
	struct pm_mapping *mapping;
	/* Strong, on the memory's buffer: a memory collected while it is mapped would leave the table pointing at strangers. */
	napi_ref buffer;
	uint32_t count;
};

/* One per env: thread-local by construction. */
struct door {
	napi_env env;
	/* By slot of the mapping. */
	struct attachment attachments[PM_MAPPINGS_MAX];
};

struct call {
	napi_env env;
	napi_value argv[PM_ARGS_MAX];
	void *data;
};

struct view {
	uint8_t *bytes;
	size_t len;
	napi_value buffer;
};

/* binding_args.c */
bool call_read(napi_env env, napi_callback_info info, struct call *call);
bool arg_u64(const struct call *call, size_t index, uint64_t *out);
bool arg_int(const struct call *call, size_t index, int *out);
bool arg_bool(const struct call *call, size_t index, bool *out);
bool arg_view(const struct call *call, size_t index, struct view *out);
bool arg_part(const struct call *call, size_t index, size_t len, uint8_t **out);
bool arg_doubles(const struct call *call, size_t index, double **out, size_t *len);
int arg_iov(const struct call *call, size_t index, struct iovec *iov, napi_value *kept);
struct attachment *arg_attachment(const struct call *call, size_t index);
int arg_range(const struct call *call, size_t index, const struct pm_mapping *mapping, size_t *off, size_t *len);
napi_value as_number(napi_env env, int64_t value);

/* binding_map.c */
napi_value call_map(napi_env env, napi_callback_info info);
napi_value call_attach(napi_env env, napi_callback_info info);
napi_value call_unmap(napi_env env, napi_callback_info info);
struct door *door_make(napi_env env);

/* binding_async.c */
napi_value call_datasync_async(napi_env env, napi_callback_info info);
napi_value call_pwritev_async(napi_env env, napi_callback_info info);
napi_value call_flush_async(napi_env env, napi_callback_info info);
napi_value call_prefetch_async(napi_env env, napi_callback_info info);

#endif
