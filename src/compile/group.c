// SPDX-License-Identifier: BSD-2-Clause
#include "compile/group.h"

#include <string.h>

#include "base/memory.h"
#include "sluice/classifier4.h"
#include "sluice/classifier6.h"

/* What looking into an entry with several boxes costs. At FULL it is worth nothing to have them hashed. Of the values
 * tried, these have the fewest boxes, cuts and entries looked at in the ClassBench sets. */
#define COST_BOX 3.0
#define COST_CUT 8.0
#define FULL 24.0
#define LEAF_GOOD 8	   /* as in tree.c */
#define CUT_PARTS 5	   /* bits that one cut takes */
#define SAMPLE_ABOVE 16384 /* boxes: of more, some are looked at */
#define LENGTHS_MAX 130
#define LANE_CHOICES (1 << LANES)

/* Lengths that are tried. What lies between is hashed by the next shorter one. */
static const uint8_t lengths4[] = { 0, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 31, 32 };
static const uint8_t lengths6[] = { 0, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 80, 96, 112, 128 };

static const uint64_t lane_masks[LANES] = {
	0x1ffffULL << FILTER_SOURCE_PORT_SHIFT,
	0x1ffffULL << FILTER_DESTINATION_PORT_SHIFT,
	0x3ffULL << FILTER_PROTOCOL_SHIFT,
};

void hash_counts_begin(struct hash_counts *counts, size_t most)
{
	size_t slots = 64;

	while (slots < most * 2)
		slots *= 2;
	*counts =
		(struct hash_counts){ .slots = xcalloc(slots, sizeof(*counts->slots)), .mask = slots - 1, .round = 1 };
}

void hash_counts_clear(struct hash_counts *counts)
{
	counts->round++;
}

void hash_counts_free(struct hash_counts *counts)
{
	free(counts->slots);
}

uint32_t *hash_counts_at(struct hash_counts *counts, uint64_t hash)
{
	for (size_t i = hash >> 32 & counts->mask;; i = (i + 1) & counts->mask) {
		struct hash_count *slot = &counts->slots[i];

		if (slot->round == counts->round && slot->hash != hash)
			continue;
		if (slot->round != counts->round)
			*slot = (struct hash_count){ hash, 0, counts->round };
		return &slot->count;
	}
}

static void set_mask(struct mask *mask, int version, int source_length, int destination_length, int exact)
{
	uint64_t source[2], destination[2];

	length_masks(source_length, source);
	length_masks(destination_length, destination);
	*mask = (struct mask){
		.source_length = source_length,
		.destination_length = destination_length,
		.exact = exact,
	};
	if (version == 4) {
		mask->addresses[0] = source[0] | destination[0] >> 32;
	} else {
		memcpy(mask->addresses, source, sizeof(source));
		memcpy(mask->addresses + 2, destination, sizeof(destination));
	}
	for (int i = 0; i < LANES; i++)
		mask->lanes |= exact >> i & 1 ? lane_masks[i] : 0;
}

bool mask_fits(const struct mask *mask, const struct box *box)
{
	return box->source_length >= mask->source_length && box->destination_length >= mask->destination_length &&
	       (box->exact & mask->exact) == mask->exact;
}

uint64_t mask_hash(const struct mask *mask, const struct box *box, int version)
{
	uint64_t lanes = box->words[4] & mask->lanes;

	if (version == 4)
		return classifier4_hash(box->words[0] & mask->addresses[0], lanes);
	return classifier6_finish((box->words[0] & mask->addresses[0]) * CLASSIFIER6_MULTIPLIER0 +
				  (box->words[1] & mask->addresses[1]) * CLASSIFIER6_MULTIPLIER1 +
				  (box->words[2] & mask->addresses[2]) * CLASSIFIER6_MULTIPLIER2 +
				  (box->words[3] & mask->addresses[3]) * CLASSIFIER6_MULTIPLIER3 +
				  lanes * CLASSIFIER_LANES_MULTIPLIER);
}

bool mask_same(const struct mask *mask, const struct box *left, const struct box *right)
{
	uint64_t differs = (left->words[4] ^ right->words[4]) & mask->lanes;

	for (int i = 0; i < 4; i++)
		differs |= (left->words[i] ^ right->words[i]) & mask->addresses[i];
	return !differs;
}

void mask_region(const struct mask *mask, const struct boxes *boxes, const struct box *box, struct region *out)
{
	region_all(boxes->space, out);
	for (int f = 0; f < boxes->space->count; f++) {
		const struct field *field = &boxes->space->fields[f];
		uint64_t all = field->bits < 64 ? (1ULL << field->bits) - 1 : UINT64_MAX;
		uint64_t kept = (field->word < 4 ? mask->addresses[field->word] : mask->lanes) >> field->shift & all;
		struct range *range = &out->ranges[f];

		if (!kept)
			continue;
		range->low = box->ranges[f].low & kept;
		range->high = range->low | (all & ~kept);
		out->fixed[f] = out->used[f] = kept;
	}
}

/* What it takes off the search to have `count` boxes in one entry of a hash table. */
static double worth(uint32_t count, double least)
{
	double expense = COST_BOX * ((count < LEAF_GOOD ? count : LEAF_GOOD) - 1.0), share;

	for (uint32_t parts = (count - 1) / LEAF_GOOD; parts; parts >>= CUT_PARTS)
		expense += COST_CUT;
	share = 1 - expense / FULL;
	return count * (share > least ? share : least);
}

/* How many boxes are at least so long: the most that a mask can be worth, known without hashing any. */
struct fitting {
	uint32_t counts[LANE_CHOICES][LENGTHS_MAX][LENGTHS_MAX];
};

static void count_fitting(const struct boxes *boxes, const uint32_t *numbers, size_t count, size_t step,
			  struct fitting *fitting)
{
	memset(fitting, 0, sizeof(*fitting));
	for (size_t i = 0; i < count; i += step) {
		const struct box *box = &boxes->items[numbers[i]];

		for (int lanes = 0; lanes < LANE_CHOICES; lanes++)
			fitting->counts[lanes][box->source_length][box->destination_length] +=
				(box->exact & lanes) == lanes;
	}
	for (int lanes = 0; lanes < LANE_CHOICES; lanes++) {
		for (int s = LENGTHS_MAX - 2; s >= 0; s--) {
			for (int d = LENGTHS_MAX - 2; d >= 0; d--)
				fitting->counts[lanes][s][d] += fitting->counts[lanes][s + 1][d] +
								fitting->counts[lanes][s][d + 1] -
								fitting->counts[lanes][s + 1][d + 1];
		}
	}
}

/* Of every step-th box. */
static double weigh(const struct boxes *boxes, const uint32_t *numbers, size_t count, size_t step,
		    const struct mask *mask, const double *worths, struct hash_counts *counts)
{
	double sum = 0;

	hash_counts_clear(counts);
	for (size_t i = 0; i < count; i += step) {
		const struct box *box = &boxes->items[numbers[i]];
		uint32_t *here;

		if (!mask_fits(mask, box))
			continue;
		here = hash_counts_at(counts, mask_hash(mask, box, boxes->version));
		if ((*here + 1) * step > BUCKET_MAX)
			continue;
		(*here)++;
		sum += worths[*here * step] - worths[(*here - 1) * step];
	}
	return sum;
}

double mask_choose(const struct boxes *boxes, const uint32_t *numbers, size_t count, struct hash_counts *counts,
		   double least, struct mask *out)
{
	CLEANUP_FREE struct fitting *fitting = xcalloc(1, sizeof(*fitting));
	const uint8_t *lengths = boxes->version == 4 ? lengths4 : lengths6;
	size_t length_count = boxes->version == 4 ? sizeof(lengths4) : sizeof(lengths6);
	size_t step = 1 + count / SAMPLE_ABOVE;
	double best = 0, worths[BUCKET_MAX + 1];

	for (uint32_t i = 0; i <= BUCKET_MAX; i++)
		worths[i] = i ? worth(i, least) : 0;
	count_fitting(boxes, numbers, count, step, fitting);
	for (int lanes = 0; lanes < LANE_CHOICES; lanes++) {
		for (size_t i = 0; i < length_count * length_count; i++) {
			int source = lengths[i / length_count], destination = lengths[i % length_count];
			struct mask mask;
			double here;

			if ((!source && !destination && !lanes) ||
			    (double)fitting->counts[lanes][source][destination] * step <= best)
				continue;
			set_mask(&mask, boxes->version, source, destination, lanes);
			here = weigh(boxes, numbers, count, step, &mask, worths, counts);
			if (here > best) {
				best = here;
				*out = mask;
			}
		}
	}
	return best;
}
