/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of limits. */
#ifndef SLUICE_POLICY_LIMIT_UNITS_H
#define SLUICE_POLICY_LIMIT_UNITS_H

#include "policy/limit.h"

/* One of both is 0. */
struct limit_unit_row {
	const char *name;
	uint32_t seconds; /* of packets */
	uint32_t bytes;	  /* in one of it */
};

extern const struct limit_unit_row limit_units[LIMIT_UNITS];

/* What a limit is kept per, by enum filter_per. */
#define LIMIT_PER_WORDS 4
extern const char *const limit_per_words[LIMIT_PER_WORDS];

/* All that comes at a rate, in packets or bytes, takes this time: nanoseconds, or 2^-16 of them. */
uint64_t limit_time(enum limit_unit unit);
uint64_t limit_amount(const struct filter_limit *limit);

#endif
