// SPDX-License-Identifier: BSD-2-Clause
#include "compile/tree.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/*
 * What a look-up costs, in units of comparing one box; measured on ClassBench sets, where neither a change by half of
 * one of them mattered more than 5 %.
 */
#define LEAF_GOOD 8	   /* boxes that are not worth a cut */
#define COST_CUT 0.6	   /* following it */
#define COST_MEMORY 0.25   /* a box stored once more, as a share of the boxes of the tree */
#define REPLICATION_MAX 12 /* times the boxes */
#define SMALL_TREE 64	   /* boxes: replication of less does not matter */
#define SHARE_OF_ALL 40	   /* or of a fortieth of all boxes */
#define WORTH_IT 0.95	   /* of the cost without the cut */

struct node {
	const uint32_t *numbers;
	size_t count;
	const struct region *region;
	int depth;
};

struct cut {
	int field, shift, bits;
};

static uint64_t low_bits(int bits)
{
	return bits < 64 ? (1ULL << bits) - 1 : UINT64_MAX;
}

void region_all(const struct space *space, struct region *region)
{
	*region = (struct region){ 0 };
	for (int f = 0; f < space->count; f++)
		region->ranges[f].high = space->fields[f].last;
}

static uint32_t entry_at(size_t byte)
{
	return byte / CLASSIFIER_UNIT << CLASSIFIER_OFFSET_SHIFT;
}

static void evict(struct trees *trees, const uint32_t *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		trees->evicted[numbers[i]] = 1;
}

static uint32_t make_leaf(struct trees *trees, const uint32_t *numbers, size_t count)
{
	size_t kept = count < CLASSIFIER_LEAF_MAX ? count : CLASSIFIER_LEAF_MAX;
	size_t size = kept * heap_box_size(trees->boxes->version), byte = 0;

	if (trees->heap->size + size <= trees->hard)
		byte = heap_take(trees->heap, size, CLASSIFIER_UNIT);
	if (!byte) {
		evict(trees, numbers, count);
		return 0;
	}
	evict(trees, numbers + kept, count - kept);
	heap_write_leaf(trees->heap, byte, trees->boxes, numbers, kept);
	trees->stored += kept;
	if (kept > trees->longest_leaf)
		trees->longest_leaf = kept;
	return entry_at(byte);
}

static bool covers(const struct box *box, const struct region *region, int fields)
{
	if (box->extra)
		return false;
	for (int f = 0; f < fields; f++) {
		if (box->ranges[f].low > region->ranges[f].low || box->ranges[f].high < region->ranges[f].high)
			return false;
	}
	return true;
}

/* What comes after a box that has everything here is never asked. */
static size_t count_reachable(const struct trees *trees, const struct node *node)
{
	for (size_t i = 0; i < node->count; i++) {
		if (covers(&trees->boxes->items[node->numbers[i]], node->region, trees->boxes->space->count))
			return i + 1;
	}
	return node->count;
}

/* The part of the box that is in the region; false when there is none. */
static bool clip(const struct box *box, const struct region *region, int field, struct range *out)
{
	*out = box->ranges[field];
	if (out->low < region->ranges[field].low)
		out->low = region->ranges[field].low;
	if (out->high > region->ranges[field].high)
		out->high = region->ranges[field].high;
	return out->low <= out->high;
}

static uint64_t window_of(const struct trees *trees, const struct cut *cut)
{
	const struct field *field = &trees->boxes->space->fields[cut->field];

	return field->word | (uint64_t)(field->shift + cut->shift) << CLASSIFIER_WINDOW_SHIFT |
	       low_bits(cut->bits) << CLASSIFIER_WINDOW_MASK;
}

/* Its number, a new one where there is room; CLASSIFIER_WINDOWS when there is none. */
static unsigned window_number(struct trees *trees, const struct cut *cut, bool may_add)
{
	uint64_t window = window_of(trees, cut);
	unsigned number = 0;

	while (number < trees->window_count && trees->windows[number] != window)
		number++;
	if (number == trees->window_count && may_add && number < CLASSIFIER_WINDOWS)
		trees->windows[trees->window_count++] = window;
	return number == trees->window_count ? CLASSIFIER_WINDOWS : number;
}

/* How many boxes go through each entry of a cut; those that go through all of them are counted apart. */
struct spread {
	int32_t steps[(1 << CLASSIFIER_WINDOW_BITS) + 1];
	size_t through_all, total;
};

static void count_spread(const struct range *parts, size_t count, const struct cut *cut, size_t most,
			 struct spread *spread)
{
	uint64_t mask = low_bits(cut->bits);

	memset(spread->steps, 0, (mask + 2) * sizeof(*spread->steps));
	spread->through_all = spread->total = 0;
	for (size_t i = 0; i < count && spread->total <= most; i++) {
		uint64_t from = parts[i].low >> cut->shift, to = parts[i].high >> cut->shift;

		if (to - from >= mask) {
			spread->through_all++;
			spread->total += mask + 1;
			continue;
		}
		spread->total += to - from + 1;
		if ((from & mask) > (to & mask)) {
			spread->steps[0]++;
			spread->steps[mask + 1]--;
		}
		spread->steps[from & mask]++;
		spread->steps[(to & mask) + 1]--;
	}
}

/* What a look-up in the node would cost with that cut, in boxes; at least `count` when it is of no use. */
static double cost(const struct spread *spread, const struct cut *cut, size_t count, double weight, size_t box_size)
{
	size_t entries = 1 << cut->bits, without = 0;
	double squares = 0, stored = spread->total, here = 0, bytes;

	for (size_t i = 0; i < entries; i++) {
		double all;

		here += spread->steps[i];
		without += here == 0;
		all = here + spread->through_all;
		squares += all * all;
	}
	if (without == entries || !spread->total)
		return count;
	/* Entries that have nothing of their own share one leaf. */
	if (without > 1)
		stored -= (double)(without - 1) * spread->through_all;
	bytes = 4.0 * entries + box_size * stored;
	return squares / spread->total + COST_CUT +
	       COST_MEMORY * count * (bytes / (box_size * weight) - count / weight);
}

static int bits_between(double value)
{
	int bits = 0;

	while (value > 1) {
		value /= 2;
		bits++;
	}
	return bits;
}

/* Parts of the boxes in that field, and the bits in which they are not all alike. */
static size_t gather(const struct trees *trees, const struct node *node, int field, struct range *parts,
		     uint64_t *differ)
{
	size_t count = 0;

	*differ = 0;
	for (size_t i = 0; i < node->count; i++) {
		if (!clip(&trees->boxes->items[node->numbers[i]], node->region, field, &parts[count]))
			continue;
		*differ |= (parts[0].low ^ parts[count].low) | (parts[0].high ^ parts[count].high);
		count++;
	}
	return count;
}

static bool choose_in_field(struct trees *trees, const struct node *node, int field, struct range *parts, double weight,
			    struct cut *best, double *least)
{
	int width = trees->boxes->space->fields[field].bits, most = bits_between((double)node->count / LEAF_GOOD) + 3;
	size_t box_size = heap_box_size(trees->boxes->version), total = weight * REPLICATION_MAX + SMALL_TREE;
	struct spread spread;
	bool found = false;
	uint64_t differ;
	size_t count = gather(trees, node, field, parts, &differ);

	if (most > CLASSIFIER_WINDOW_BITS)
		most = CLASSIFIER_WINDOW_BITS;
	for (int bits = node->count > 2000 ? 4 : 2; bits <= most && bits <= width; bits++) {
		for (int shift = width - bits; shift >= 0; shift -= node->count > 4000 ? 2 : 1) {
			struct cut cut = { field, shift, bits };
			double here;

			if (node->region->used[field] >> shift & low_bits(bits) || !(differ >> shift & low_bits(bits)))
				continue;
			if (trees->window_count == CLASSIFIER_WINDOWS &&
			    window_number(trees, &cut, false) == CLASSIFIER_WINDOWS)
				continue;
			count_spread(parts, count, &cut, total, &spread);
			if (spread.total > total)
				continue;
			here = cost(&spread, &cut, node->count, weight, box_size);
			if (here < *least - 1e-9) {
				*least = here;
				*best = cut;
				found = true;
			}
		}
	}
	return found;
}

static bool choose(struct trees *trees, const struct node *node, struct cut *best)
{
	CLEANUP_FREE struct range *parts = xcalloc(node->count, sizeof(*parts));
	double weight = (double)trees->boxes->count / SHARE_OF_ALL, least = node->count;
	bool found = false;

	if (weight < node->count)
		weight = node->count;
	if (weight < SMALL_TREE)
		weight = SMALL_TREE;
	for (int f = 0; f < trees->boxes->space->count; f++)
		found |= choose_in_field(trees, node, f, parts, weight, best, &least);
	return found && least <= WORTH_IT * node->count;
}

/* The boxes that go through entry `index` of a cut; `*own` when any of them does not go through all. */
static size_t select_boxes(const struct trees *trees, const struct node *node, const struct cut *cut, uint64_t index,
			   uint32_t *out, bool *own)
{
	uint64_t mask = low_bits(cut->bits);
	size_t count = 0;

	*own = false;
	for (size_t i = 0; i < node->count; i++) {
		struct range part;
		uint64_t from, span;

		if (!clip(&trees->boxes->items[node->numbers[i]], node->region, cut->field, &part))
			continue;
		from = part.low >> cut->shift;
		span = (part.high >> cut->shift) - from;
		if (span < mask && ((index - from) & mask) > span)
			continue;
		*own |= span < mask;
		out[count++] = node->numbers[i];
	}
	return count;
}

/*
 * Below an entry, its bits are known. That is a narrower range where all bits above are fixed, or where a value with
 * others there would be beyond the range: a port of 17 bits, of which only "none" has the highest.
 */
static void narrow(const struct space *space, const struct cut *cut, uint64_t index, struct region *region)
{
	const struct field *field = &space->fields[cut->field];
	uint64_t above = low_bits(field->bits) & ~low_bits(cut->shift + cut->bits);
	uint64_t window = low_bits(cut->bits) << cut->shift;
	struct range *range = &region->ranges[cut->field];
	uint64_t low = (range->low & above) | index << cut->shift, high = low | low_bits(cut->shift);
	bool fixed = (region->fixed[cut->field] & above) == above;

	if (fixed || low + window + (1ULL << cut->shift) > range->high) {
		range->low = low;
		range->high = high < field->last ? high : field->last;
		region->fixed[cut->field] |= window | above;
	}
	region->used[cut->field] |= window;
}

static uint32_t build(struct trees *trees, struct node node);

/* Entries without boxes of their own are equal, and their tree is made once, from the region of all. */
static uint32_t make_cut(struct trees *trees, const struct node *node, const struct cut *cut, unsigned window)
{
	CLEANUP_FREE uint32_t *selected = xcalloc(node->count, sizeof(*selected));
	size_t entries = 1ULL << cut->bits, byte = heap_take(trees->heap, entries * sizeof(uint32_t), CLASSIFIER_UNIT);
	uint32_t shared = 0;
	bool has_shared = false;

	for (size_t i = 0; i < entries && byte; i++) {
		struct region region = *node->region;
		struct node child = { selected, 0, &region, node->depth + 1 };
		uint32_t entry;
		bool own;

		child.count = select_boxes(trees, node, cut, i, selected, &own);
		if (own)
			narrow(trees->boxes->space, cut, i, &region);
		else
			region.used[cut->field] |= low_bits(cut->bits) << cut->shift;
		entry = !own && has_shared ? shared : build(trees, child);
		if (!own) {
			shared = entry;
			has_shared = true;
		}
		memcpy(trees->heap->bytes + byte + i * sizeof(entry), &entry, sizeof(entry));
	}
	if (!byte) {
		evict(trees, node->numbers, node->count);
		return 0;
	}
	return entry_at(byte) | CLASSIFIER_CUT | window << CLASSIFIER_TOP_SHIFT;
}

static uint32_t build(struct trees *trees, struct node node)
{
	unsigned window;
	struct cut cut;

	if (!node.count)
		return 0;
	node.count = count_reachable(trees, &node);
	if (node.count <= LEAF_GOOD || node.depth == CLASSIFIER_CUTS_MAX || trees->heap->size > trees->soft ||
	    !choose(trees, &node, &cut))
		return make_leaf(trees, node.numbers, node.count);
	window = window_number(trees, &cut, true);
	if (window == CLASSIFIER_WINDOWS)
		return make_leaf(trees, node.numbers, node.count);
	return make_cut(trees, &node, &cut, window);
}

uint32_t tree_build(struct trees *trees, const uint32_t *numbers, size_t count, const struct region *region)
{
	return build(trees, (struct node){ numbers, count, region, 0 });
}
