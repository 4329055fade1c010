/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a checked policy to what the kernel gets for one interface: configuration, tables, rules. Pure: no system call,
 * the same input always gives the same output.
 */
#ifndef SLUICE_COMPILE_COMPILE_H
#define SLUICE_COMPILE_COMPILE_H

#include <stdint.h>

#include "compile/classifier.h"
#include "compile/image.h"
#include "compile/match.h"
#include "policy/policy.h"
#include "sluice/config.h"
#include "sluice/prefix.h"
#include "sluice/set.h"
#include "sluice/synproxy.h"

/* One entry of a prefix table. `value` is an index into compiled.rules, or PREFIX_EXCEPT. */
struct entry {
	struct prefix prefix;
	uint32_t value;
};

/* Sorted by prefix_compare, each prefix once. The longest entry that covers an address has the answer for it. */
struct prefix_table {
	struct entry *entries;
	size_t count, capacity;
};

/* The tables of bpf/block.h, bpf/filter.h and bpf/synproxy.h. Values of the block's are rules, of the filter's bits of
 * sets (sluice/filter.h), in place, of the synproxy's numbers of masks (compiled_synproxy). */
enum table {
	TABLE_BLOCK_SOURCE4,
	TABLE_BLOCK_SOURCE6,
	TABLE_BLOCK_DEST4,
	TABLE_BLOCK_DEST6,
	TABLE_FILTER_SOURCE4,
	TABLE_FILTER_SOURCE6,
	TABLE_FILTER_DEST4,
	TABLE_FILTER_DEST6,
	TABLE_SYNPROXY_DEST4,
	TABLE_SYNPROXY_DEST6,
	TABLE_COUNT,
};

/* What can decide a packet and is counted on its own: one target of a statement of the block, or one rule of the
 * filter. */
struct rule {
	char *text;	       /* canonical: "from @bogons"; the same text keeps its counters over a change */
	struct location where; /* of the statement; borrowed from the policy */
	const char *set; /* of a block: name of its set, NULL for prefixes written there; borrowed from the policy */
	const char *counter; /* of a filter: `count NAME`, NULL: none; borrowed from the policy */
	uint64_t service;    /* of a synproxy: what tells it from others, whatever arms it; else 0 */
};

/* A dynamic set that the interface names: number `index` of the maps of bpf/sets.h. */
struct dynamic_use {
	const struct set *set; /* borrowed from the policy */
	uint32_t index;
};

/* An ordered list of rules, of which the first that matches has the word: rule number n is compiled.rules[first + n]
 * and does actions[n], whose slot is filled in when its program is loaded. */
struct compiled_list {
	size_t first, count;
	struct filter_action *actions;
	struct filter_more *more; /* the first is not used */
	size_t more_count, more_capacity;
	struct matches matches4, matches6;
	struct classifier classifier4, classifier6; /* of the matches; their layouts are in compiled.config, too */
};

/* The services of a synproxy: number n is compiled.rules[first + n]. */
struct compiled_synproxy {
	size_t first, count;
	struct synproxy_services *services; /* slots and states are filled in when its program is loaded; NULL: none */
	uint64_t *masks;		    /* by the values of its tables */
	size_t mask_count, mask_capacity;
	bool is_ever_disarmed; /* one of them has a rate that arms it */
};

struct compiled {
	const struct interface *interface;
	struct config config;
	struct prefix_table tables[TABLE_COUNT];
	struct image images[TABLE_COUNT]; /* of the tables */
	struct rule *rules;
	size_t rule_count, rule_capacity;
	struct dynamic_use dynamic[DYNAMIC_COUNT];
	size_t dynamic_count;
	struct compiled_synproxy synproxy;
	struct compiled_list limit, filter; /* `count` 0: there is no such stage, or it has no rules */
};

/* Name of the map, as in bpf/block.h. */
const char *table_name(enum table table);

/* The policy has to stay while the result is used. Returns 0, -EINVAL with `error` set (more rules than RULES_MAX, more
 * dynamic sets than DYNAMIC_MAX), or -E2BIG with `error` set (more prefixes than a table can hold). Free with
 * compiled_free, also after an error. */
int compile(const struct interface *interface, struct compiled *out, struct error *error);
void compiled_free(struct compiled *compiled);

#endif
