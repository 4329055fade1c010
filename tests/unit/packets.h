/* SPDX-License-Identifier: BSD-2-Clause */
/* For the tests of the classifier: sets of matches, keys of packets, and the walk that is so simple that it is right.
 */
#ifndef SLUICE_TESTS_PACKETS_H
#define SLUICE_TESTS_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "compile/match.h"

uint64_t random64(uint64_t *state);

/* Evenly from low to high. */
uint64_t random_between(uint64_t *state, uint64_t low, uint64_t high);

/* A match of everything, to be narrowed. */
struct match match_any(int version, uint32_t rule);

/* The first `length` bits of `bits`, the highest first. */
void match_prefix(struct prefix *prefix, uint64_t high, uint64_t low, int length);

/* Ranges of filter_key.lanes. */
void match_lane(struct match *match, int shift, uint64_t low, uint64_t high);
void match_range(struct match *match, int shift, uint64_t low, uint64_t high);
void matches_add(struct matches *matches, struct match match);

bool match_has(const struct match *match, int version, const struct filter_key *key);

/* The lowest rule that matches, by comparing each field of each match; CLASSIFIER_NONE. */
uint32_t naive_lookup(const struct matches *matches, int version, const struct filter_key *key);

/* The same for hundred thousands of matches without extras: each in eleven words. */
struct walk {
	int version;
	size_t count;
	struct walk_box {
		uint64_t words[4], masks[4], low, high;
		uint32_t rule;
	} *boxes; /* owned */
};

void walk_make(const struct matches *matches, int version, struct walk *out);
uint32_t walk_lookup(const struct walk *walk, const struct filter_key *key);

/* A packet about a match: a corner of its box, inside of it, one off an edge, with one field of another's, or any. */
struct filter_key packet_about(uint64_t *state, int version, const struct matches *matches, const struct match *match);

#endif
