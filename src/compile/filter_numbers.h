/* SPDX-License-Identifier: BSD-2-Clause */
/* What a rule says about a packet but for its addresses, as boxes. */
#ifndef SLUICE_COMPILE_FILTER_NUMBERS_H
#define SLUICE_COMPILE_FILTER_NUMBERS_H

#include "policy/filter.h"

struct number_box {
	uint64_t low, high; /* as in struct match */
	struct filter_extra extra;
};

struct number_boxes {
	struct number_box *items;
	size_t count, capacity;
};

/* True when no packet of this family (4, with what is not IP, or 6) can match. */
bool filter_rule_skips(const struct filter_rule *rule, int version);

/* Fills `boxes`, whatever they held, with those of the rule in that family: they share no packet. Stops at the first
 * one past `max`, so that the count tells that there are more. */
void filter_numbers(const struct filter_rule *rule, int version, size_t max, struct number_boxes *boxes);

/* Lanes and ranges that take in everything. */
struct filter_extra filter_extra_any(void);
uint64_t filter_lanes_low(uint32_t protocol, uint32_t sport, uint32_t dport);
uint64_t filter_lanes_high(uint32_t protocol, uint32_t sport, uint32_t dport);

#endif
