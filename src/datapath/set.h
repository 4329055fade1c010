/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One dynamic set as it is pinned: opened, made, given another size. Its folder is its lock, apart from the lock of
 * pins.h: who adds an entry does not wait for an apply.
 */
#ifndef SLUICE_DATAPATH_SET_H
#define SLUICE_DATAPATH_SET_H

#include <stdint.h>

#include "base/error.h"
#include "datapath/pins.h"
#include "policy/policy.h"
#include "sluice/set.h"

struct dynamic_set {
	char name[SET_NAME_MAX + 1];
	uint32_t size;
	int folder;		 /* descriptor that holds the lock; -1: opened for READ */
	int entries, head;	 /* descriptors of the maps; see sluice/set.h */
	struct set_head *shared; /* the one value of `head`, mapped */
};

#define SET_CLOSED ((struct dynamic_set){ .folder = -1, .entries = -1, .head = -1 })

/* Opens the set of that name; for WRITE waits for whoever writes and finishes a change of its size that was cut off.
 * Returns 0 and a set to close, or a negative errno with `error` set: -ENOENT when there is none, -EPROTO when its maps
 * have another layout than this version's. */
int set_open(const struct pins *pins, const char *name, enum access access, struct dynamic_set *set,
	     struct error *error);
void set_close(struct dynamic_set *set);

/* Gives the lock of a set that is open for WRITE away, and takes it again: 0, or a negative errno with `error` set.
 * Meanwhile entries come and go; the maps stay the same for whoever holds the lock of pins.h for WRITE. */
void set_unlock(struct dynamic_set *set);
int set_lock(const struct pins *pins, struct dynamic_set *set, struct error *error);

/* Opens for WRITE as set_open does, and makes what is not there, empty. Needs the lock of pins.h for WRITE. */
int set_open_or_make(const struct pins *pins, const char *name, uint32_t size, struct dynamic_set *set,
		     struct error *error);

/* Makes the maps of an empty set that nothing else can reach. */
int set_make_private(uint32_t size, struct dynamic_set *set, struct error *error);

/* Gives a set that is open for WRITE another map of entries with what is in its own, and has every pinned generation
 * use that one instead. `*old` is the map it had, for set_undo_resize, to be closed. Returns 0, or a negative errno
 * with `error` set and the set as it was: -ENOSPC when it holds more than `size` entries. */
int set_resize(const struct pins *pins, struct dynamic_set *set, uint32_t size, int *old, struct error *error);

/* Back to that map. Nobody may have added anything since, so the lock has been held. */
void set_undo_resize(const struct pins *pins, struct dynamic_set *set, int old);

/* True when a change of its size was cut off, for the next who opens it for WRITE to finish. */
bool set_is_between_sizes(const struct pins *pins, const char *name);

/* The names of the sets that are pinned, as pins_names. */
char **set_names(const struct pins *pins);

/* About how much memory the kernel takes for a set of that size, in bytes. */
uint64_t set_memory(uint32_t size);

#endif
