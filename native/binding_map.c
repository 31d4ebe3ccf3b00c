/*
 * binding_map.c -- which env may use which mapping, and what it keeps alive.
 *
 * What is always true
 *   - An env holds a strong reference to the memory's buffer from its first map or attach to its last unmap, so the memory outlives the
 *     mapping; the range is mended before the last reference goes.
 *   - An env that ends gives back everything it still has.
 */
#include "binding.h"

#include <errno.h>
#include <stdlib.h>

static struct door *door_of(napi_env env)
{
	struct door *door = NULL;

	return napi_get_instance_data(env, (void **)&door) == napi_ok ? door : NULL;
}

/* A view whose buffer cannot be detached or transferred away under a mapping: one over a shared memory. */
static bool arg_memory(const struct call *call, size_t index, struct view *out)
{
	bool detachable = true;

	return arg_view(call, index, out) && out->bytes && napi_is_arraybuffer(call->env, out->buffer, &detachable) == napi_ok && !detachable;
}

/* Enters a mapping just mapped or attached into this env's table, which keeps one reference to the buffer however often that happens. */
static int64_t claim(struct door *door, struct pm_mapping *mapping, napi_ref buffer)
{
	struct attachment *const at = &door->attachments[mapping->id % PM_MAPPINGS_MAX];

	if (at->count == 0) {
		*at = (struct attachment){ .mapping = mapping, .buffer = buffer, .count = 1 };
	} else {
		at->count++;
		napi_delete_reference(door->env, buffer);
	}
	return mapping->id;
}

napi_value call_map(napi_env env, napi_callback_info info)
{
	struct call call;
	struct view memory;
	uint64_t ptr, len, file_off, faults_ptr;
	int fd, how;
	struct door *const door = door_of(env);
	struct pm_mapping *mapping = NULL;
	napi_ref buffer = NULL;

	if (!call_read(env, info, &call) || !door || !arg_memory(&call, 0, &memory) || !arg_u64(&call, 1, &ptr) || !arg_u64(&call, 2, &len) ||
	    !arg_int(&call, 3, &fd) || !arg_u64(&call, 4, &file_off) || !arg_int(&call, 5, &how) || how >= PM_HOW_COUNT ||
	    !arg_u64(&call, 6, &faults_ptr))
		return as_number(env, -EINVAL);
	if (napi_create_reference(env, memory.buffer, 1, &buffer) != napi_ok)
		return as_number(env, -ENOMEM);

	const struct pm_map_request request = {
		.base = (uintptr_t)memory.bytes,
		.memory_len = memory.len,
		.ptr = ptr,
		.len = len,
		.fd = fd,
		.file_off = (off_t)file_off,
		.how = (enum pm_how)how,
		.faults_ptr = faults_ptr,
	};
	const int err = pm_map(&request, &mapping);

	if (err < 0) {
		napi_delete_reference(env, buffer);
		return as_number(env, err);
	}
	return as_number(env, claim(door, mapping, buffer));
}

napi_value call_attach(napi_env env, napi_callback_info info)
{
	struct call call;
	struct view memory;
	uint64_t id;
	struct door *const door = door_of(env);
	struct pm_mapping *mapping = NULL;
	napi_ref buffer = NULL;

	if (!call_read(env, info, &call) || !door || !arg_memory(&call, 0, &memory) || !arg_u64(&call, 1, &id))
		return as_number(env, -EINVAL);
	if (napi_create_reference(env, memory.buffer, 1, &buffer) != napi_ok)
		return as_number(env, -ENOMEM);

	const int err = pm_attach((int64_t)id, (uintptr_t)memory.bytes, &mapping);

	if (err < 0) {
		napi_delete_reference(env, buffer);
		return as_number(env, err);
	}
	claim(door, mapping, buffer);
	return as_number(env, 0);
}

napi_value call_unmap(napi_env env, napi_callback_info info)
{
	struct call call;

	if (!call_read(env, info, &call))
		return as_number(env, -EINVAL);
	struct attachment *const at = arg_attachment(&call, 0);

	if (!at)
		return as_number(env, -EBADF);
	const int err = pm_detach(at->mapping, false);

	/* Any other failure has ended the mapping all the same. */
	if (err != -EBUSY && --at->count == 0) {
		napi_delete_reference(env, at->buffer);
		*at = (struct attachment){ 0 };
	}
	return as_number(env, err);
}

/* The env ends: a thread that exits, or the process. Work in flight is waited for, because its memory goes with the env. */
static void door_close(void *data)
{
	struct door *const door = data;

	for (size_t i = 0; i < PM_MAPPINGS_MAX; i++) {
		struct attachment *const at = &door->attachments[i];

		if (at->count == 0)
			continue;
		for (; at->count > 0; at->count--)
			pm_detach(at->mapping, true);
		napi_delete_reference(door->env, at->buffer);
	}
}

static void door_free(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	free(data);
}

struct door *door_make(napi_env env)
{
	/* Mostly zero pages that are never touched. */
	struct door *const door = calloc(1, sizeof *door);

	if (!door)
		return NULL;
	door->env = env;
	if (napi_set_instance_data(env, door, door_free, NULL) != napi_ok) {
		free(door);
		return NULL;
	}
	return napi_add_env_cleanup_hook(env, door_close, door) == napi_ok ? door : NULL;
}
