/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules of a filter that nearly matched a packet: all they say holds but one thing. Pure. */
#ifndef SLUICE_COMPILE_NEAR_H
#define SLUICE_COMPILE_NEAR_H

#include <stddef.h>

#include "compile/compile.h"
#include "sluice/record.h"

struct near_miss {
	size_t rule;	   /* of compiled.rules */
	const char *field; /* that did not match: its word in the policy */
};

/* Fills in at most `max` of the rules before the one that the record names, or of all when none of the filter decided;
 * in their order. Returns how many. What a record does not tell (length, extension headers, MAC) is taken to match, and
 * so are dynamic sets. */
size_t near_misses(const struct compiled *compiled, const struct record *record, struct near_miss *misses, size_t max);

#endif
