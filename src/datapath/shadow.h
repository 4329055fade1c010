/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A candidate beside the generation that runs (bpf/shadow.h). The generation stays the same, by number too: its
 * programs are loaded once more, with its tables and its counters, so that they ask a candidate each. So a shadow
 * begins and ends as any change does, atomically, and whoever changes what runs ends it.
 */
#ifndef SLUICE_DATAPATH_SHADOW_H
#define SLUICE_DATAPATH_SHADOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "datapath/description.h"
#include "datapath/pins.h"
#include "datapath/running.h"
#include "datapath/settle.h"
#include "policy/policy.h"
#include "sluice/counter.h"
#include "sluice/shadow.h"

/* Puts the policy beside the generation that runs, on the interfaces that both are for, in place of a candidate that is
 * there. Returns 0, or a negative errno with `error` set and what ran still running: -ENOENT when nothing runs or the
 * two have no interface in common, -EBUSY while a generation waits to be confirmed. */
int shadow_begin(const struct policy *candidate, struct settled *settled, struct error *error);

/* -ENOENT when there is none. */
int shadow_end(struct settled *settled, struct error *error);

/* True when the candidate of the running generation is pinned. */
bool shadow_exists(const struct pins *pins, const struct generation *generation);

struct shadow_difference {
	struct shadow_pair pair;
	struct counter counter;
};

/* What was seen on one interface. */
struct shadow_interface {
	char *name;
	struct counter totals[SHADOW_TOTALS];
	struct shadow_difference *differences; /* most packets first */
	size_t difference_count, difference_capacity;
};

struct shadow {
	struct description candidate;
	struct shadow_interface *interfaces;
	size_t interface_count;
};

/* Reads the shadow of a generation. Returns 0 and a result to free with shadow_free, or a negative errno with `error`
 * set: -ENOENT when it has none. */
int shadow_read(const struct pins *pins, const struct generation *generation, struct shadow *shadow,
		struct error *error);
void shadow_free(struct shadow *shadow);

#endif
