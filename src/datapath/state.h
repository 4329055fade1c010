/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What outlives a generation: the counters of an interface, and what limits, fragments, events, the synproxy and top
 * need. Each is a map that programs of several generations share.
 *
 * Counters of rules are spread over several maps: when a generation needs more slots than there are, it gets a larger
 * map, and the older ones go on counting for the programs that have them. So nothing is copied, and a rule's counter is
 * the sum over all maps that have its slot.
 */
#ifndef SLUICE_DATAPATH_STATE_H
#define SLUICE_DATAPATH_STATE_H

#include <stdbool.h>

#include "base/error.h"
#include "datapath/pins.h"
#include "datapath/program.h"
#include "sluice/counter.h"

/* One of each; named as in bpf/. The first is there always, and so are those of top; the others where a policy needs
 * them. */
enum state_map {
	STATE_COUNTERS,
	STATE_LIMITS,
	STATE_BANS,
	STATE_FRAGMENTS,
	STATE_EVENTS,
	STATE_EVENTS_LOST,
	STATE_TOP,
	STATE_TALKERS,
	STATE_SYNPROXY,
	STATE_SYNPROXY_COUNTS,
	STATE_SYNPROXY_PROVEN,
	STATE_MAPS,
};

/* Each has more slots than the one before it: a power of two, the last RULE_SLOTS. */
#define STATE_RULES_MAX 9

_Static_assert(RULE_SLOTS_MIN << (STATE_RULES_MAX - 1) >= RULE_SLOTS, "as many as can be needed");

struct state {
	int maps[STATE_MAPS];		 /* descriptors; -1: there is none yet */
	int rules[STATE_RULES_MAX];	 /* the last one counts for new programs */
	uint32_t slots[STATE_RULES_MAX]; /* of each CPU */
	size_t rules_count;
};

#define STATE_NONE ((struct state){ .maps = { [0 ... STATE_MAPS - 1] = -1 } })

struct bpf_map;

/* Opens what is pinned for the interface. Returns 0, also when nothing is, or a negative errno with `error` set:
 * -EPROTO when a map has another layout than this version's. Release with state_close. */
int state_open(const struct pins *pins, const char *interface, struct state *state, struct error *error);
void state_close(struct state *state);

/* Has a program that is not loaded yet go on with the map of `state`, where both have it; `state` may be NULL. Returns
 * 0 or a negative errno. */
int state_reuse(const struct state *state, enum state_map which, struct bpf_map *map);

/* The map that has so many slots, or more as `*slots` then says, and is to count from now on; -1: a larger one is
 * needed, of state_slots. */
int state_rules(const struct state *state, uint32_t needed, uint32_t *slots);
uint32_t state_slots(uint32_t needed);

/* Pins the maps that a freshly loaded program made for itself, beside those of `state`. */
int state_pin(const struct pins *pins, const char *interface, const struct state *state, const struct program *program,
	      struct error *error);

/* Sets the counters of these slots to zero, and what their limits have counted, before they are given to new rules. */
int state_clear_rules(const struct state *state, const uint32_t *slots, size_t count, struct error *error);

/* Adds the counter at `index` of a map of counters, over all CPUs, to `*sum`. Returns 0 or a negative errno. */
int counter_read(int map, uint32_t index, struct counter *sum);

/* The same for the counters of rules in these slots, over all maps: `sums` has one for each. */
int state_read_rules(const struct state *state, const uint32_t *slots, size_t count, struct counter *sums);

/* Whether a program has that map; true also of what the kernel does not tell. */
bool state_is_of(int map, int program);

/* Returns how many pins of the interface no pinned program needs any more, and removes them if asked to: a map of
 * counters only when it has counted nothing. */
size_t state_tidy(const struct pins *pins, const char *interface, bool remove);

#endif
