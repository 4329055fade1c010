/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Matches as boxes: a range in each field of the key, so that what cuts and covers need not know the families. The
 * extras are no fields: two boxes that differ only there overlap.
 */
#ifndef SLUICE_COMPILE_BOX_H
#define SLUICE_COMPILE_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compile/combinations.h"
#include "compile/match.h"

#define FIELDS_MAX 7

/* Lanes are the last three fields. */
#define LANES 3

/* Some bits of a word of the key. */
struct field {
	uint8_t word; /* of struct filter_key; 4 is the lanes */
	uint8_t shift, bits;
	uint64_t last; /* highest value that occurs */
};

struct space {
	int count;
	struct field fields[FIELDS_MAX];
};

struct range {
	uint64_t low, high;
};

struct box {
	struct range ranges[FIELDS_MAX];
	uint64_t words[5]; /* as filter_key has them: addresses, lowest lanes */
	uint32_t rule;
	uint32_t mask, lanes, extra; /* numbers of combinations; extra 0: none */
	uint8_t source_length, destination_length;
	uint8_t exact; /* lanes of one value: bits in the order of their fields */
};

struct boxes {
	const struct space *space;
	int version;
	struct box *items;
	size_t count;
	/* IPv4: one word, masks of source and destination. Lanes: low, high. Extras: struct filter_extra, the first is
	 * none. */
	struct combinations masks, lanes, extras;
};

/* Those of the matches that can match, in the same order: without empty ones and without those that are the same as an
 * earlier one. Free with boxes_free. */
void boxes_make(const struct matches *matches, int version, struct boxes *out);
void boxes_free(struct boxes *boxes);

/* The masks of both addresses, placed as filter_key has those; IPv4 sets one word. */
void address_masks(int source_length, int destination_length, int version, uint64_t masks[4]);

/* The mask of `length` leading bits, in two words, the high one first. */
void length_masks(int length, uint64_t masks[2]);

#endif
