/* SPDX-License-Identifier: BSD-2-Clause */
/* Talkers of one window, added up over the sketches of CPUs and interfaces. */
#ifndef SLUICE_TOP_TALKERS_H
#define SLUICE_TOP_TALKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/top.h"

struct talker {
	struct set_key key;
	uint64_t packets[TOP_FATES]; /* at least so many */
	uint64_t bytes[TOP_FATES];
	uint64_t more; /* packets that may be its own too: inherited, or from CPUs on which it has no place */
};

struct talkers {
	struct talker *items[TOP_KINDS]; /* most packets first, once sorted */
	size_t counts[TOP_KINDS], capacities[TOP_KINDS];
	uint64_t hidden[TOP_KINDS]; /* who is not there has at most so many packets */
	uint64_t seen, taken;	    /* packets, and those of them that were counted by addresses and ports */
	bool estimated;		    /* one of TOP_SAMPLE was, somewhere */
};

/* Adds what a sketch counted in a window. */
void talkers_add(struct talkers *talkers, const struct top_sketch *sketch, uint32_t window);

/* Adds up what belongs to the same key, and sorts. Once, when all are added. */
void talkers_sort(struct talkers *talkers);

void talkers_free(struct talkers *talkers);

#endif
