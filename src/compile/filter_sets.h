/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses of rules: which lists of prefixes are asked for as a whole, by a bit of the key (sluice/filter.h), and
 * which become a box for each prefix.
 */
#ifndef SLUICE_COMPILE_FILTER_SETS_H
#define SLUICE_COMPILE_FILTER_SETS_H

#include "compile/compile.h"

enum direction {
	DIRECTION_SOURCE,
	DIRECTION_DESTINATION,
	DIRECTIONS,
};

/* One list of prefixes, as rules of one direction name it: a set, or what one of them has written. */
struct address_list {
	const struct set *set;	  /* NULL: written in the rule */
	struct prefixes prefixes; /* in order, none within another; capacity 0: borrowed from the policy */
	size_t sizes[2];	  /* of IPv4 and of IPv6 */
	size_t outside[2];	  /* prefixes of what the list leaves out; settled where a rule says `not` */
	bool is_negated;
	bool is_wanted; /* as a bit */
	uint64_t saved; /* boxes that a bit would save */
	int bit;	/* -1: none */
};

struct direction_lists {
	struct address_list *lists;
	size_t count, capacity;
	uint32_t *named; /* by rule: the lists of rule r are named[first[r]] to named[first[r + 1] - 1] */
	size_t named_count, named_capacity;
	size_t *first;
	uint32_t *by_set; /* by number of the set: its list plus 1, or 0 */
	size_t by_set_count;
	size_t dynamic_count;
};

/* Rules are known by their place in `rules`: all of the interface, list by list. */
struct filter_sets {
	const struct filter_rule **rules; /* owned; what they point to is borrowed from the policy */
	size_t rule_count;
	struct direction_lists directions[DIRECTIONS];
};

/* What a packet's address may be: in the prefix, and with these marks. */
struct alternative {
	struct prefix prefix;
	uint64_t mask, marks;
};

struct alternatives {
	struct alternative *items;
	size_t count, capacity;
};

/* Reads `sets->rules`, deals out the bits, and adds tables and dynamic sets to `out`. Returns 0, or -EINVAL with
 * `error` set (more dynamic sets than DYNAMIC_MAX). Free with filter_sets_free, also after an error. */
int filter_sets_plan(struct compiled *out, struct filter_sets *sets, struct error *error);

/* Fills `out`, whatever it held, with what the rule of that number allows in that direction and family. */
void filter_sets_alternatives(const struct filter_sets *sets, size_t number, enum direction direction, int version,
			      struct alternatives *out);

void filter_sets_free(struct filter_sets *sets);

#endif
