/*
 * binding_args.c -- JavaScript values to C values, each checked.
 */
#include "binding.h"

#include <errno.h>

/* The largest number up to which every integer is a double. */
#define NUMBER_MAX 9007199254740992.0

bool call_read(napi_env env, napi_callback_info info, struct call *call)
{
	size_t argc = PM_ARGS_MAX;

	call->env = env;
	/* Missing arguments read as undefined, which no reader below accepts unless it says so. */
	return napi_get_cb_info(env, info, &argc, call->argv, NULL, &call->data) == napi_ok;
}

bool arg_u64(const struct call *call, size_t index, uint64_t *out)
{
	double value;

	if (napi_get_value_double(call->env, call->argv[index], &value) != napi_ok)
		return false;
	/* Written so that NaN fails. */
	if (!(value >= 0 && value <= NUMBER_MAX))
		return false;
	*out = (uint64_t)value;
	return (double)*out == value;
}

bool arg_int(const struct call *call, size_t index, int *out)
{
	uint64_t value;

	if (!arg_u64(call, index, &value) || value > INT_MAX)
		return false;
	*out = (int)value;
	return true;
}

bool arg_bool(const struct call *call, size_t index, bool *out)
{
	return napi_get_value_bool(call->env, call->argv[index], out) == napi_ok;
}

static bool typed_array(napi_env env, napi_value value, napi_typedarray_type wanted, struct view *out)
{
	napi_typedarray_type type;
	void *bytes = NULL;
	bool is_array = false;

	if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array)
		return false;
	if (napi_get_typedarray_info(env, value, &type, &out->len, &bytes, &out->buffer, NULL) != napi_ok || type != wanted)
		return false;
	out->bytes = bytes;
	/* A detached buffer has no bytes; whatever length is claimed then is not there. */
	if (!bytes)
		out->len = 0;
	return true;
}

bool arg_view(const struct call *call, size_t index, struct view *out)
{
	return typed_array(call->env, call->argv[index], napi_uint8_array, out);
}

/* `len` bytes of the view at `index`, from the offset in the next argument. */
bool arg_part(const struct call *call, size_t index, size_t len, uint8_t **out)
{
	struct view view;
	uint64_t off;

	if (!arg_view(call, index, &view) || !arg_u64(call, index + 1, &off))
		return false;
	if (off > view.len || len > view.len - off)
		return false;
	*out = view.bytes + off;
	return true;
}

bool arg_doubles(const struct call *call, size_t index, double **out, size_t *len)
{
	struct view view;

	if (!typed_array(call->env, call->argv[index], napi_float64_array, &view))
		return false;
	*out = (double *)(void *)view.bytes;
	/* For typed arrays the length is in elements. */
	*len = view.len;
	return true;
}

/*
 * The views of an array as an iovec of at most IOV_MAX pieces: how many, or -EINVAL. `kept`, if wanted, becomes an array of just those
 * views, which the caller can hold on to whatever happens to the original.
 *
 * Reading an element may run JavaScript (a getter), which may detach a buffer; so all elements are read before the first pointer is taken.
 */
int arg_iov(const struct call *call, size_t index, struct iovec *iov, napi_value *kept)
{
	napi_env const env = call->env;
	napi_value copy = NULL;
	uint32_t count = 0;
	bool is_array = false;

	if (napi_is_array(env, call->argv[index], &is_array) != napi_ok || !is_array)
		return -EINVAL;
	if (napi_get_array_length(env, call->argv[index], &count) != napi_ok)
		return -EINVAL;
	if (count > IOV_MAX)
		count = IOV_MAX;
	if (napi_create_array_with_length(env, count, &copy) != napi_ok)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		napi_value element;

		if (napi_get_element(env, call->argv[index], i, &element) != napi_ok || napi_set_element(env, copy, i, element) != napi_ok) {
			/* The getter threw: to the caller it is an element that is not a view. */
			napi_value exception;

			napi_get_and_clear_last_exception(env, &exception);
			return -EINVAL;
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		napi_value element;
		struct view view;

		if (napi_get_element(env, copy, i, &element) != napi_ok || !typed_array(env, element, napi_uint8_array, &view))
			return -EINVAL;
		iov[i] = (struct iovec){ .iov_base = view.bytes, .iov_len = view.len };
	}
	if (kept)
		*kept = copy;
	return (int)count;
}

/* This thread's claim on the mapping whose id is the argument; NULL if it has none. */
struct attachment *arg_attachment(const struct call *call, size_t index)
{
	struct door *door = NULL;
	uint64_t id;

	if (!arg_u64(call, index, &id) || napi_get_instance_data(call->env, (void **)&door) != napi_ok || !door)
		return NULL;
	struct attachment *const at = &door->attachments[id % PM_MAPPINGS_MAX];

	return at->count > 0 && at->mapping->id == (int64_t)id ? at : NULL;
}

/* Offset and length in a mapping from the arguments at `index` and the next. */
int arg_range(const struct call *call, size_t index, const struct pm_mapping *mapping, size_t *off, size_t *len)
{
	uint64_t from, count;

	if (!arg_u64(call, index, &from) || !arg_u64(call, index + 1, &count))
		return -EINVAL;
	if (from > mapping->len || count > mapping->len - from)
		return -ERANGE;
	*off = from;
	*len = count;
	return 0;
}

napi_value as_number(napi_env env, int64_t value)
{
	napi_value result = NULL;

	napi_create_int64(env, value, &result);
	return result;
}
