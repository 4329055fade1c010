/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gates: what stands on the interfaces of a change that is not settled yet (bpf/gate.bpf.c), read back from its pins
 * and made. A gate hands packets to the old or to the new generation, by a deadline that all gates share.
 */
#ifndef SLUICE_DATAPATH_GATE_H
#define SLUICE_DATAPATH_GATE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "datapath/pins.h"
#include "sluice/gate.h"

struct gate {
	char interface[IF_NAMESIZE];
	uint32_t program_id;			/* of the gate itself */
	uint32_t generations[GATE_GENERATIONS]; /* ids of the programs behind it; 0: none, packets pass */
};

/* What is pinned of gates. All zero: nothing is. */
struct gates {
	bool exist; /* a change was begun that is not settled */
	struct gate *gates;
	size_t count;
	bool has_deadline;	    /* false: only an empty folder is left */
	uint64_t deadline;	    /* see sluice/gate.h */
	enum gate_generation judge; /* now */
	uint64_t left;		    /* nanoseconds until the deadline; 0: it is over, or none */
};

/* Returns 0 and a result to free with gates_free, or a negative errno with `error` set. Gates that are not wholly
 * pinned stand nowhere yet, or no more, and are left out. */
int gates_read(const struct pins *pins, struct gates *gates, struct error *error);
void gates_free(struct gates *gates);

/* The gate of that interface with this program, or NULL. */
const struct gate *gates_find(const struct gates *gates, const char *interface, uint32_t program_id);

/* The deadline that gates share. The memory is the map's own: a store into it is seen by all gates at once. */
struct deadline {
	int map; /* descriptor */
	uint64_t *memory;
};

/* Makes a new one, GATE_CLOSED, and pins it; or opens the pinned one. Returns 0, or a negative errno with `error` set.
 * Release with deadline_close. */
int deadline_make(const struct pins *pins, struct deadline *deadline, struct error *error);
int deadline_open(const struct pins *pins, struct deadline *deadline, struct error *error);
void deadline_close(struct deadline *deadline);

/* One store. `seconds` from now: 0 for good. */
void deadline_set(const struct deadline *deadline, uint64_t value);
uint64_t deadline_in(uint64_t seconds);

/* Loads and pins a gate before two programs (descriptors, -1: none). Returns its descriptor, or a negative errno with
 * `error` set. */
int gate_make(const struct pins *pins, const char *interface, const struct deadline *deadline,
	      const int programs[GATE_GENERATIONS], struct error *error);

/* Unpins them all. They must not stand on any interface by then, nor run: a gate without pins lets everything pass. */
int gates_remove(const struct pins *pins, struct error *error);

#endif
