/* SPDX-License-Identifier: BSD-2-Clause */
/* The moment of a change: programs that are ready take the place of those that run, all or none. */
#ifndef SLUICE_DATAPATH_SWAP_H
#define SLUICE_DATAPATH_SWAP_H

#include "datapath/pins.h"
#include "datapath/running.h"
#include "policy/policy.h"

/* What is to run on one interface. */
struct placement {
	const char *interface;
	struct location where; /* in the policy, for errors; line 0: none */
	enum mode mode;
	int program; /* descriptor */
	/* Filled in by swap_check and swap; old and created begin as -1. */
	unsigned ifindex;
	const struct attachment *attachment; /* what we hold already, NULL: the interface is new to us */
	int old;			     /* its program, held to be able to go back; -1: none */
	int created;			     /* link made by swap, -1: none */
	bool done;
};

/* Finds the interfaces and whether they can be had: they exist, nobody else is on them, the mode is the one we hold.
 * Changes nothing. Returns 0, or a negative errno with `error` set. */
int swap_check(const struct running *running, struct placement *placements, size_t count, struct error *error);

/* Attaches every placement, or none; then lets go of attachments that no placement names. Needs swap_check before. */
int swap(const struct pins *pins, const struct running *running, struct placement *placements, size_t count,
	 struct error *error);

/* True when one of the placements names the interface of the attachment. */
bool is_placed(const struct attachment *attachment, const struct placement *placements, size_t count);

/* Detaches and unpins. Returns 0, or a negative errno with `error` set. */
int swap_release(const struct pins *pins, const struct attachment *attachment, struct error *error);

/* Closes what swap_check opened; after swap, or instead of it. */
void swap_close(struct placement *placements, size_t count);

#endif
