/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dynamic sets of a policy while it is applied. They are state: a set whose name stays keeps what is in it, also
 * when its timeout or its size changes, and every kept generation has the same one. A set has one size and one timeout,
 * those of the last apply; `rollback` brings back the timeout but leaves the size, because a smaller one might lose
 * entries.
 */
#ifndef SLUICE_DATAPATH_SETS_H
#define SLUICE_DATAPATH_SETS_H

#include "base/error.h"
#include "datapath/description.h"
#include "datapath/pins.h"
#include "datapath/set.h"
#include "policy/policy.h"

struct sets {
	const struct policy *policy;
	struct dynamic_set *items; /* of policy->sets, one each; closed where the set is static */
	int *old;		   /* the map of entries before sets_resize, -1: it is the same */
};

/* Opens the sets of the policy, which has to stay, and makes those that are not there. Returns 0 and a result for
 * sets_close, or a negative errno with `error` set; what it made is for tidy to remove then. */
int sets_open(const struct pins *pins, const struct policy *policy, struct sets *sets, struct error *error);
void sets_close(struct sets *sets);

/* The same, to look in only: a set that is not there is an empty one, of nobody else's. */
int sets_look(const struct pins *pins, const struct policy *policy, struct sets *sets, struct error *error);

/* Gives the sets the sizes of the policy. When it or a later step of the change fails, sets_undo takes it back; until
 * sets_close they are locked. Returns 0, or a negative errno with `error` set and some of the sets changed. */
int sets_resize(const struct pins *pins, struct sets *sets, struct error *error);
void sets_undo(const struct pins *pins, struct sets *sets);

/* The maps of one set of the policy. */
const struct dynamic_set *sets_find(const struct sets *sets, const struct set *set);

/* True when all dynamic sets of the description are pinned, and have its size. */
bool sets_match(const struct pins *pins, const struct description *description);

/* Gives the pinned sets the timeouts of a generation that has come to run. */
void sets_follow(const struct pins *pins, const struct description *description);

/* Returns how many pinned sets no generation of these names, and removes them if asked to. NULL: there is no such
 * generation. */
size_t sets_tidy(const struct pins *pins, const struct description *const *kept, size_t count, bool remove);

#endif
