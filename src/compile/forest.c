// SPDX-License-Identifier: BSD-2-Clause
#include "compile/forest.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compile/group.h"

/*
 * Memory: cuts up to 1 MB and four times the boxes, leaves up to twice as much; with the power of two that a map is,
 * at most 4 MB and sixteen times the boxes (16 bytes each, IPv6 48). ClassBench sets take one to two times.
 */
#define MEMORY_FIXED (1 << 20)
#define MEMORY_BOXES 4

#define GROUPS_FEW 8	   /* enough for sets that people write; each costs every packet one access to memory */
#define ONE_TREE 40	   /* boxes that one tree holds as well as any group */
#define WORTH_A_GROUP 0.03 /* of the boxes that are left */
#define SMALL_GROUP 400	   /* boxes; of fewer, a group has to take half of them */
#define SMALL_SHARE 0.002  /* of all boxes */
#define LAST_RESORT 8	   /* boxes that are worth a group when the linear rest is what they else come to */
#define LAST_SHARE 0.25	   /* and what of each box then counts at least, however full its entry is */
#define FILL 2.0	   /* entries of a hash table for each hash */
#define BLOOM_ALL 0xffU
#define BLOOM_BITS 3

/* A box on its way into a hash table: entry, Bloom bit, number. */
struct place {
	uint64_t hash;
	uint32_t number;
};

struct builder {
	const struct boxes *boxes;
	struct forest *forest;
	struct hash_counts counts;
	uint8_t *placed; /* owned, as are all of these: one for each box */
	uint8_t *evicted;
	uint32_t *numbers, *taken;
	struct place *places;
	unsigned groups_max;
};

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* The boxes that are in no group yet. */
static size_t list_remaining(struct builder *builder)
{
	size_t count = 0;

	for (size_t i = 0; i < builder->boxes->count; i++) {
		if (!builder->placed[i])
			builder->numbers[count++] = i;
	}
	return count;
}

static void place_taken(struct builder *builder, size_t count)
{
	for (size_t i = 0; i < count; i++)
		builder->placed[builder->taken[i]] = 1;
}

/* Boxes that leaves had no room for have to go elsewhere. */
static void take_back_evicted(struct builder *builder)
{
	for (size_t i = 0; i < builder->boxes->count; i++) {
		if (builder->evicted[i])
			builder->placed[i] = builder->evicted[i] = 0;
	}
}

static struct classifier_group *add_group(struct builder *builder, const struct mask *mask, unsigned bits, size_t table)
{
	struct forest *forest = builder->forest;
	struct classifier_group *group = &forest->layout.groups[forest->group_count++];

	*group = (struct classifier_group){
		.lanes = mask->lanes,
		.shift = bits ? 64 - BLOOM_BITS - bits : CLASSIFIER_NO_HASH,
		.table = table,
		.first = builder->boxes->items[builder->taken[0]].rule,
	};
	for (int i = 0; i < 4; i++)
		group->addresses[i] = mask->addresses[i];
	return group;
}

static uint32_t with_bloom(uint32_t entry, uint32_t bloom)
{
	return !entry || entry & CLASSIFIER_CUT ? entry : entry | bloom << CLASSIFIER_TOP_SHIFT;
}

static void write_entry(struct builder *builder, size_t table, uint64_t index, uint32_t entry)
{
	memcpy(builder->forest->heap.bytes + table + index * sizeof(entry), &entry, sizeof(entry));
}

/* The tree of one entry: of places with the same index. */
static uint32_t build_entry(struct builder *builder, const struct mask *mask, const struct place *places, size_t count)
{
	const struct boxes *boxes = builder->boxes;
	CLEANUP_FREE uint32_t *numbers = xcalloc(count, sizeof(*numbers));
	const struct box *first = &boxes->items[places[0].number];
	bool same = true;
	uint32_t bloom = 0;
	struct region region;

	for (size_t i = 0; i < count; i++) {
		numbers[i] = places[i].number;
		bloom |= 1U << (places[i].hash >> 32);
		same &= mask_same(mask, first, &boxes->items[places[i].number]);
	}
	if (same)
		mask_region(mask, boxes, first, &region);
	else
		region_all(boxes->space, &region);
	return with_bloom(tree_build(&builder->forest->trees, numbers, count, &region), bloom);
}

static unsigned table_bits(struct builder *builder, const struct mask *mask, size_t count)
{
	size_t hashes = 0;
	unsigned bits = 2;

	hash_counts_clear(&builder->counts);
	for (size_t i = 0; i < count; i++) {
		const struct box *box = &builder->boxes->items[builder->taken[i]];

		hashes += !(*hash_counts_at(&builder->counts, mask_hash(mask, box, builder->boxes->version)))++;
	}
	while ((1ULL << bits) < hashes * FILL)
		bits++;
	return bits;
}

/* By index, then number; the Bloom bit is kept apart, in the upper half. */
static void sort_places(struct builder *builder, const struct mask *mask, size_t count, unsigned bits)
{
	for (size_t i = 0; i < count; i++) {
		const struct box *box = &builder->boxes->items[builder->taken[i]];
		uint64_t hash = mask_hash(mask, box, builder->boxes->version) >> (64 - BLOOM_BITS - bits);

		builder->places[i] = (struct place){ hash >> BLOOM_BITS, builder->taken[i] };
	}
	qsort(builder->places, count, sizeof(*builder->places), compare_places);
	for (size_t i = 0; i < count; i++) {
		const struct box *box = &builder->boxes->items[builder->places[i].number];
		uint64_t hash = mask_hash(mask, box, builder->boxes->version) >> (64 - BLOOM_BITS - bits);

		builder->places[i].hash |= (hash & ((1 << BLOOM_BITS) - 1)) << 32;
	}
}

static void build_group(struct builder *builder, const struct mask *mask, size_t count)
{
	unsigned bits = table_bits(builder, mask, count);
	size_t table = heap_take(&builder->forest->heap, sizeof(uint32_t) << bits, 64);

	place_taken(builder, count);
	if (!table)
		return;
	add_group(builder, mask, bits, table);
	sort_places(builder, mask, count, bits);
	for (size_t i = 0, end; i < count; i = end) {
		uint32_t index = builder->places[i].hash;

		end = i + 1;
		while (end < count && (uint32_t)builder->places[end].hash == index)
			end++;
		write_entry(builder, table, index, build_entry(builder, mask, builder->places + i, end - i));
	}
	take_back_evicted(builder);
}

/* Of the boxes that fit, as many as an entry may hold. */
static size_t take_fitting(struct builder *builder, const struct mask *mask, size_t remaining)
{
	size_t count = 0;

	hash_counts_clear(&builder->counts);
	for (size_t i = 0; i < remaining; i++) {
		const struct box *box = &builder->boxes->items[builder->numbers[i]];
		uint32_t *here;

		if (!mask_fits(mask, box))
			continue;
		here = hash_counts_at(&builder->counts, mask_hash(mask, box, builder->boxes->version));
		if (*here == BUCKET_MAX)
			continue;
		(*here)++;
		builder->taken[count++] = builder->numbers[i];
	}
	return count;
}

/* What no group is worth it for is one tree, without a hash. */
static void build_rest(struct builder *builder, size_t count)
{
	static const struct mask nothing;
	size_t table = heap_take(&builder->forest->heap, sizeof(uint32_t), 64);
	struct region region;
	uint32_t entry;

	memcpy(builder->taken, builder->numbers, count * sizeof(*builder->taken));
	place_taken(builder, count);
	if (!table)
		return;
	add_group(builder, &nothing, 0, table);
	region_all(builder->boxes->space, &region);
	entry = tree_build(&builder->forest->trees, builder->taken, count, &region);
	write_entry(builder, table, 0, with_bloom(entry, BLOOM_ALL));
	take_back_evicted(builder);
}

static bool is_worth_it(const struct builder *builder, double weight, size_t remaining)
{
	if (builder->groups_max > GROUPS_FEW)
		return weight >= LAST_RESORT;
	if (remaining < SMALL_GROUP && weight < remaining * 0.5 && weight < builder->boxes->count * SMALL_SHARE)
		return false;
	return weight >= remaining * WORTH_A_GROUP;
}

static int compare_groups(const void *left, const void *right)
{
	const struct classifier_group *a = left, *b = right;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->table < b->table ? -1 : a->table > b->table;
}

/* The masks of addresses, by number, or by length; the heap follows. */
static void set_budget(struct builder *builder)
{
	struct forest *forest = builder->forest;
	size_t share = builder->boxes->count * heap_box_size(builder->boxes->version) * MEMORY_BOXES;

	forest->trees.soft = forest->heap.size + MEMORY_FIXED + share;
	forest->trees.hard = forest->heap.size + 2 * (MEMORY_FIXED + share);
	if (forest->trees.hard > CLASSIFIER_END_MAX / 2)
		forest->trees.hard = CLASSIFIER_END_MAX / 2;
	if (forest->trees.soft > forest->trees.hard / 2)
		forest->trees.soft = forest->trees.hard / 2;
}

static void build_groups(struct builder *builder)
{
	struct forest *forest = builder->forest;
	double least = builder->groups_max > GROUPS_FEW ? LAST_SHARE : 0;
	bool has_rest = false;
	size_t remaining;

	while (!has_rest && (remaining = list_remaining(builder))) {
		struct mask mask = { 0 };
		double weight = 0;

		if (remaining > ONE_TREE && forest->group_count + 1 < builder->groups_max)
			weight = mask_choose(builder->boxes, builder->numbers, remaining, &builder->counts, least,
					     &mask);
		if (weight && is_worth_it(builder, weight, remaining)) {
			build_group(builder, &mask, take_fitting(builder, &mask, remaining));
		} else {
			build_rest(builder, remaining);
			has_rest = true;
		}
	}
	forest->linear_count = list_remaining(builder);
	memcpy(forest->linear, builder->numbers, forest->linear_count * sizeof(*forest->linear));
	qsort(forest->layout.groups, forest->group_count, sizeof(*forest->layout.groups), compare_groups);
	forest->layout.group_count = forest->group_count;
	if (forest->heap.full)
		return;
	memcpy(forest->heap.bytes, forest->trees.windows, sizeof(forest->trees.windows));
	for (unsigned i = 0; i < forest->group_count; i++) {
		uint32_t first = forest->layout.groups[i].first;

		memcpy(forest->heap.bytes + CLASSIFIER_FIRSTS + i * sizeof(first), &first, sizeof(first));
	}
}

static void make(const struct boxes *boxes, unsigned groups_max, struct forest *out)
{
	struct builder builder = {
		.boxes = boxes,
		.forest = out,
		.placed = xcalloc(boxes->count, 1),
		.evicted = xcalloc(boxes->count, 1),
		.numbers = xcalloc(boxes->count, sizeof(*builder.numbers)),
		.taken = xcalloc(boxes->count, sizeof(*builder.taken)),
		.places = xcalloc(boxes->count, sizeof(*builder.places)),
		.groups_max = groups_max,
	};

	*out = (struct forest){ .linear = xcalloc(boxes->count, sizeof(*out->linear)) };
	heap_begin(&out->heap, boxes);
	out->trees = (struct trees){ .boxes = boxes, .heap = &out->heap, .evicted = builder.evicted };
	set_budget(&builder);
	hash_counts_begin(&builder.counts, boxes->count);
	build_groups(&builder);
	out->trees.evicted = NULL;
	hash_counts_free(&builder.counts);
	free(builder.placed);
	free(builder.evicted);
	free(builder.numbers);
	free(builder.taken);
	free(builder.places);
}

/* What the verifier takes for a group: much where boxes have extras, and most with long addresses. */
static unsigned group_price(const struct boxes *boxes)
{
	if (boxes->extras.count == 1)
		return 0;
	return boxes->version == 4 ? 2 : 3;
}

/* More groups where few leave something for the linear rest, when they leave nothing: what leaves something after
 * twenty is boxes that differ only in their extras, and more groups of such are but a slower linear rest. */
void forest_make(const struct boxes *boxes, unsigned *spare, struct forest *out)
{
	unsigned price = group_price(boxes);
	unsigned most = CLASSIFIER_GROUPS;
	struct forest more;

	make(boxes, GROUPS_FEW, out);
	if (price && *spare / price < CLASSIFIER_GROUPS - GROUPS_FEW)
		most = GROUPS_FEW + *spare / price;
	if (!out->linear_count || most == GROUPS_FEW)
		return;
	make(boxes, most, &more);
	if (more.linear_count) {
		forest_free(&more);
	} else {
		forest_free(out);
		*out = more;
		*spare -= (more.group_count - GROUPS_FEW) * price;
	}
}

void forest_free(struct forest *forest)
{
	heap_free(&forest->heap);
	free(forest->linear);
	*forest = (struct forest){ 0 };
}
