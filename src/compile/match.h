/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A match: a box in the space of packets of one family, and the number of the rule that it belongs to. A rule is one or
 * several boxes (lists of ports, several prefixes, both families). What is between text and classifier.
 */
#ifndef SLUICE_COMPILE_MATCH_H
#define SLUICE_COMPILE_MATCH_H

#include <stddef.h>
#include <stdint.h>

#include "policy/prefix.h"
#include "sluice/filter.h"

struct match {
	uint32_t rule;			   /* the lowest that matches has the word */
	struct prefix source, destination; /* of the list's family; length 0: any */
	uint64_t low, high;		   /* of filter_key.lanes; `high` has FILTER_LANES_GUARDS set */
	struct filter_extra extra;
};

/* In order of their rules. IPv4 has what is not IP, too. */
struct matches {
	struct match *items;
	size_t count, capacity;
};

#endif
