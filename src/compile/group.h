/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups: which bits of addresses and lanes to hash, so that many boxes are found by few hash tables. */
#ifndef SLUICE_COMPILE_GROUP_H
#define SLUICE_COMPILE_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "compile/box.h"
#include "compile/tree.h"

#define BUCKET_MAX 64 /* boxes of a group that have the same hash */

/* Bits of a key. */
struct mask {
	uint64_t addresses[4], lanes;
	int source_length, destination_length;
	int exact; /* lanes hashed, as in struct box */
};

/* Counts by hash; made anew in one step. */
struct hash_counts {
	struct hash_count {
		uint64_t hash;
		uint32_t count, round;
	} *slots; /* owned */
	size_t mask;
	uint32_t round;
};

void hash_counts_begin(struct hash_counts *counts, size_t most);
void hash_counts_clear(struct hash_counts *counts);
void hash_counts_free(struct hash_counts *counts);

/* The count of that hash, 0 at first. */
uint32_t *hash_counts_at(struct hash_counts *counts, uint64_t hash);

/* All packets inside have the same masked bits, so one look-up finds the box. */
bool mask_fits(const struct mask *mask, const struct box *box);
uint64_t mask_hash(const struct mask *mask, const struct box *box, int version);

/* What mask_fits boxes with the same masked bits share. `box` is any of them. */
void mask_region(const struct mask *mask, const struct boxes *boxes, const struct box *box, struct region *out);
bool mask_same(const struct mask *mask, const struct box *left, const struct box *right);

/*
 * The mask that takes the most weight off the boxes of `numbers` when those it fits are hashed. Returns that weight: at
 * most `count`, which would be all of them alone in their entries; 0 when there is none. `least` is what a box counts
 * in an entry that is as slow to search as no hash at all: 0 to 1.
 */
double mask_choose(const struct boxes *boxes, const uint32_t *numbers, size_t count, struct hash_counts *counts,
		   double least, struct mask *out);

#endif
