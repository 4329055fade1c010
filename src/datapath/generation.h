/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes to what runs: make before break, the old program judges every packet until the new one is whole, and a step
 * that fails leaves everything as it was. On each interface the change is one system call; a change of several that is
 * cut off between two of them is finished by the next one.
 */
#ifndef SLUICE_DATAPATH_GENERATION_H
#define SLUICE_DATAPATH_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "compile/compile.h"
#include "datapath/description.h"
#include "policy/policy.h"

/* What a change changed. Both descriptions are to be freed with change_free; generation 0 stands for nothing. */
struct change {
	bool unchanged;	 /* what runs matched already */
	size_t attached; /* interfaces that had no program of ours before */
	struct description before, after;
};

void change_free(struct change *change);

/* One program of a new generation, loaded, attached nowhere. */
struct made {
	const struct compiled *compiled;
	const uint32_t *slots; /* of compiled->rules */
	int program;	       /* descriptor */
};

/* Looks at each program of a new generation before anything has changed: a negative errno, with `error` set, and
 * nothing does. */
struct examination {
	int (*examine)(const struct made *made, void *context, struct error *error);
	void *context;
};

/* Makes what runs match the policy: interfaces it names get its program, interfaces it does not name are let go.
 * `examination` may be NULL. Returns 0 with `change` set, or a negative errno with `error` set and what ran still
 * running. */
int generation_apply(const struct policy *policy, const struct examination *examination, struct change *change,
		     struct error *error);

/* Goes to the previous generation; the one that ran becomes the previous. -ENOENT when there is none. */
int generation_rollback(struct change *change, struct error *error);

/* Detaches one interface, or all with `interface` NULL. When nothing is attached any more, nothing stays pinned, and
 * the counters are gone. -ENOENT when the named interface, or any, is not attached. `*detached` counts. */
int generation_down(const char *interface, size_t *detached, struct error *error);

#endif
