/*
 * arch.h -- what differs between processors: writing cache lines back, ordering, and copies that bypass the cache.
 *
 * One folder per architecture implements it; the best instructions are chosen once, by `pm_arch_init`.
 */
#ifndef PM_ARCH_H
#define PM_ARCH_H

#include <stddef.h>
#include <stdint.h>

/* Idempotent and safe from several threads; before anything else here. */
void pm_arch_init(void);

/* Name of the flush instruction in use. */
const char *pm_arch_flush_name(void);

/* Starts writing back every line that the range touches. */
void pm_arch_flush(uintptr_t addr, size_t len);

/* Orders flushes and cache-bypassing stores before everything that follows. */
void pm_arch_fence(void);

/* Copies so that all of the destination is on its way to the medium; durable after a fence. The ranges do not overlap. */
void pm_arch_copy(uintptr_t dst, const void *src, size_t len);

#endif
