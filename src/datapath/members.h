/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in a dynamic set: put in, taken out, walked over. Everything that writes wants the set opened for WRITE. */
#ifndef SLUICE_DATAPATH_MEMBERS_H
#define SLUICE_DATAPATH_MEMBERS_H

#include <stdbool.h>

#include "datapath/set.h"
#include "policy/entries.h"

struct member {
	struct prefix prefix;
	uint64_t seconds; /* that it still stays, rounded up, or TIMEOUT_NEVER */
};

struct members {
	struct member *items; /* sorted by prefix */
	size_t count;
};

/* Those that have not expired. Returns 0 and a list to free with members_free, or a negative errno with `error` set. */
int members_read(const struct dynamic_set *set, struct members *members, struct error *error);
void members_free(struct members *members);

/* How a set stands. */
struct set_usage {
	uint32_t size;
	size_t used; /* entries that have not expired */
	uint64_t timeout;
};

int members_usage(const struct pins *pins, const char *name, struct set_usage *usage, struct error *error);

/* Adds entries, sorted and each prefix once (entries_settle): all of them, or none when they do not fit. One that is in
 * the set gets the new timeout. Returns 0, or a negative errno with `error` set: -ENOSPC when the set has no room for
 * all, -E2BIG when the set would have more prefix lengths than SET_LENGTHS. */
int members_add(struct dynamic_set *set, const struct set_entries *entries, size_t *added, size_t *renewed,
		struct error *error);

/* Takes entries out. One that is not in the set is -ENOENT with `error` set and nothing changed; with `missing` it is
 * counted there instead. */
int members_remove(struct dynamic_set *set, const struct set_entries *entries, size_t *removed, size_t *missing,
		   struct error *error);

int members_flush(struct dynamic_set *set, size_t *removed, struct error *error);

/* Copies what has not expired into another map of entries with room for `size`. -ENOSPC when that is too little. */
int members_copy(const struct dynamic_set *set, int map, uint32_t size, struct error *error);

#endif
