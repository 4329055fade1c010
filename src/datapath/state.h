/* SPDX-License-Identifier: BSD-2-Clause */
/* What outlives a generation: the counters of an interface. */
#ifndef SLUICE_DATAPATH_STATE_H
#define SLUICE_DATAPATH_STATE_H

#include "base/error.h"
#include "datapath/pins.h"
#include "datapath/program.h"
#include "sluice/counter.h"

struct state {
	int counters, rules; /* descriptors of the maps in bpf/leave.h; -1: there are none yet */
};

#define STATE_NONE ((struct state){ .counters = -1, .rules = -1 })

/* Opens what is pinned for the interface; STATE_NONE when nothing is. Returns 0, or a negative errno with `error` set:
 * -EPROTO when the maps have another layout than this version's. Release with state_close. */
int state_open(const struct pins *pins, const char *interface, struct state *state, struct error *error);
void state_close(struct state *state);

/* Pins the maps that a freshly loaded program made for itself. */
int state_pin(const struct pins *pins, const char *interface, const struct program *program, struct error *error);

/* Sets a rule's counter to zero before its slot is given to a new rule. */
int state_clear_rule(const struct state *state, uint32_t slot, struct error *error);

/* Adds the counter at `index` of a map of counters, over all CPUs, to `*sum`. Returns 0 or a negative errno. */
int counter_read(int map, uint32_t index, struct counter *sum);

#endif
