/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of several interfaces, and changes that wait to be confirmed: gates take the place of the programs, one store
 * into their deadline switches them all, and when the change is over programs take the place of the gates. What is
 * pinned says at any moment which way a change that was cut off has to be settled.
 */
#ifndef SLUICE_DATAPATH_SETTLE_H
#define SLUICE_DATAPATH_SETTLE_H

#include "datapath/pins.h"
#include "datapath/running.h"
#include "datapath/swap.h"

/* What a changing command found before it began. */
struct settled {
	enum settled_how {
		SETTLED_NOTHING,
		SETTLED_FINISHED,      /* a change that was cut off when its generation ran already */
		SETTLED_TAKEN_BACK,    /* one that was cut off before */
		SETTLED_NOT_CONFIRMED, /* one whose time to be confirmed is over */
		SETTLED_REMAINS,       /* things that nobody needed were still pinned */
	} how;
	unsigned generation; /* that the change was to; 0: nobody knows any more */
	unsigned runs;	     /* the one that runs now; 0: none */
};

/* True when the change has to go through gates: it is to be confirmed, or touches several interfaces. Gates cannot
 * stand on a network card, so where one is touched interfaces change one after the other. */
bool needs_gates(const struct running *running, const struct placement *placements, size_t count, uint64_t confirm);

/* Refuses to confirm what cannot be: -EOPNOTSUPP with `error` set. 0: it can be. */
int check_gates(const struct running *running, const struct placement *placements, size_t count, struct error *error);

/* As `swap`, but all interfaces change at the same instant; and with `confirm`, in seconds and not 0, only until that
 * time has passed: then the gates stay. */
int swap_through_gates(const struct pins *pins, const struct running *running, struct placement *placements,
		       size_t count, uint64_t confirm, struct error *error);

/* Finishes or takes back a change that was cut off, or was not confirmed in time; one that waits goes on waiting.
 * `running` is what is pinned, before and afterwards. Returns 0 with what was found in `settled`, or a negative errno
 * with `error` set: then packets are judged as they were. */
int settle(const struct pins *pins, struct running *running, struct settled *settled, struct error *error);

/* Ends the waiting: for the generation that waits (GATE_NEW) or against it. Returns 0, or a negative errno with `error`
 * set and nothing changed. */
int settle_for(const struct pins *pins, enum gate_generation winner, struct error *error);

#endif
