/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes to what runs: make before break, the old program judges every packet until the new one is whole, and a step
 * that fails leaves everything as it was. One interface changes by one system call, several by one store; a change that
 * is cut off is settled by the next one (settle.h). Each function here says in `settled` what it found of that kind,
 * also when it fails afterwards.
 */
#ifndef SLUICE_DATAPATH_GENERATION_H
#define SLUICE_DATAPATH_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "compile/compile.h"
#include "datapath/description.h"
#include "datapath/reload.h"
#include "datapath/settle.h"
#include "policy/policy.h"

/* What a change changed. Both descriptions are to be freed with change_free; generation 0 stands for nothing. */
struct change {
	bool unchanged;	 /* what runs matched already */
	size_t attached; /* interfaces that had no program of ours before */
	struct description before, after;
};

void change_free(struct change *change);

#define CONFIRM_MIN 1
#define CONFIRM_MAX (24 * 60 * 60)

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

/* How a policy is to be applied, beyond what it says. */
struct application {
	uint64_t confirm;		       /* seconds to wait for it, CONFIRM_MIN to CONFIRM_MAX; 0: for good */
	const struct examination *examination; /* NULL: none */
	const struct reload *reload;	       /* into the generation that runs; NULL: a new one is made */
};

/* Makes what runs match the policy: interfaces it names get its program, interfaces it does not name are let go. With
 * `how->confirm` only for that time, unless it is confirmed. Returns 0 with `change` set, or a negative errno with
 * `error` set and what ran still running: -EBUSY while one waits to be confirmed.
 */
int generation_apply(const struct policy *policy, const struct application *how, struct settled *settled,
		     struct change *change, struct error *error);

/* The generation that waits to be confirmed stays: `*number`. -ENOENT when none waits, -ETIME when its time is over. */
int generation_confirm(struct settled *settled, unsigned *number, struct error *error);

/* Goes to the previous generation, on those of its interfaces that are there (-ENODEV when none is); the one that ran
 * becomes the previous. -ENOENT when there is none. One that waits to
 * be confirmed is taken back instead and forgotten, also when nothing ran before it; one whose time was over already
 * has gone back by itself, and nothing further changes: `change->unchanged`. */
int generation_rollback(struct settled *settled, struct change *change, struct error *error);

/* Detaches one interface, or all with `interface` NULL. When nothing is attached any more, nothing stays pinned, and
 * the counters are gone. -ENOENT when the named interface is not attached, or nothing is attached or pinned at all.
 * `*detached` counts. */
int generation_down(const char *interface, struct settled *settled, size_t *detached, struct error *error);

#endif
