// SPDX-License-Identifier: BSD-2-Clause
#include "compile/image.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compile/dictionary.h"
#include "sluice/prefixes4.h"

#define ADDRESS_BITS 32
#define RUN_LANES (PREFIXES4_RUN_MAX * PREFIX_LANES)

/* An address at which the value changes, and the number of the value from there on, 0 for none. */
struct change {
	uint32_t address;
	uint32_t number;
};

/* Addresses that share their leading bits, and the changes inside. */
struct span {
	uint32_t first, last;
	uint32_t number;		 /* of the value of `first` */
	const struct change *from, *end; /* changes after `first`, up to `last` */
};

/* Lanes of one kind in a leaf, with the numbers of their values. */
struct run {
	uint16_t lanes[RUN_LANES];
	uint16_t numbers[RUN_LANES];
	size_t count; /* more than fit are counted, not kept */
};

struct builder {
	struct dictionary dictionary;
	struct change *changes;
	size_t change_count, change_capacity;
	uint64_t *heap, *values; /* word by word the same lanes */
	size_t heap_count, heap_capacity;
	bool full; /* the heap has PREFIXES4_HEAP_MAX words, and more were wanted */
};

/* From `address` on the value has that number. Addresses do not descend. */
static void add_change(struct builder *builder, uint64_t address, uint32_t number)
{
	size_t count = builder->change_count;

	if (address >> ADDRESS_BITS)
		return;
	if (count && builder->changes[count - 1].address == address)
		builder->change_count = --count;
	if (count && builder->changes[count - 1].number == number)
		return;
	builder->changes =
		xgrow(builder->changes, builder->change_count, &builder->change_capacity, sizeof(*builder->changes));
	builder->changes[builder->change_count++] = (struct change){ .address = address, .number = number };
}

static uint32_t first_of(const struct prefix *prefix)
{
	const uint8_t *bytes = prefix->address;

	return (uint32_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

static uint64_t after(const struct prefix *prefix)
{
	return first_of(prefix) + (1ULL << (ADDRESS_BITS - prefix->length));
}

/* Prefixes that nest become ranges that do not. */
static void list_changes(struct builder *builder, const struct prefix_table *table)
{
	const struct entry *covering[ADDRESS_BITS + 2];
	uint32_t numbers[ADDRESS_BITS + 2] = { 0 };
	size_t depth = 0;

	add_change(builder, 0, 0);
	for (size_t i = 0; i <= table->count; i++) {
		const struct entry *entry = i < table->count ? &table->entries[i] : NULL;

		while (depth && !(entry && prefix_covers(&covering[depth]->prefix, &entry->prefix))) {
			add_change(builder, after(&covering[depth]->prefix), numbers[depth - 1]);
			depth--;
		}
		if (!entry)
			break;
		depth++;
		covering[depth] = entry;
		numbers[depth] = dictionary_number(&builder->dictionary, entry->value);
		add_change(builder, first_of(&entry->prefix), numbers[depth]);
	}
}

static void add_lane(struct run *run, uint16_t lane, uint32_t number)
{
	if (run->count < RUN_LANES) {
		run->lanes[run->count] = lane;
		run->numbers[run->count] = number;
	}
	run->count++;
}

/* An address that differs from both its neighbours, and they not from one another, is a single: one lane instead of
 * two. What is left of the rest is one range. */
static void split_span(const struct span *span, struct run *bounds, struct run *singles)
{
	size_t count = span->end - span->from;
	uint32_t bound_number = 0;

	bounds->count = singles->count = 0;
	for (size_t i = 0; i <= count; i++) {
		uint32_t first = i ? span->from[i - 1].address : span->first;
		uint32_t last = i < count ? span->from[i].address - 1 : span->last;
		uint32_t number = i ? span->from[i - 1].number : span->number;
		uint32_t before = i > 1 ? span->from[i - 2].number : span->number;
		uint32_t behind = i < count ? span->from[i].number : before;
		uint16_t lane = first & PREFIXES4_LANE;

		if (!i)
			before = behind;
		if (first == last && number && before == behind) {
			add_lane(singles, lane, number);
		} else if (number != bound_number) {
			add_lane(bounds, lane | (number ? PREFIXES4_HIGH : 0), number);
			bound_number = number;
		}
	}
}

/* Room for `words` on the heap, with their values; returns the first. When the heap is full, that is its beginning:
 * nobody will read what is written there. */
static size_t allocate(struct builder *builder, size_t words)
{
	size_t at = builder->heap_count;

	if (at + words > PREFIXES4_HEAP_MAX) {
		builder->full = true;
		return 0;
	}
	while (builder->heap_count + words > builder->heap_capacity) {
		builder->heap_capacity = builder->heap_capacity ? builder->heap_capacity * 2 : 4096;
		builder->heap = xrealloc(builder->heap, builder->heap_capacity, sizeof(*builder->heap));
		builder->values = xrealloc(builder->values, builder->heap_capacity, sizeof(*builder->values));
	}
	memset(builder->heap + at, 0, words * sizeof(*builder->heap));
	memset(builder->values + at, 0, words * sizeof(*builder->values));
	builder->heap_count += words;
	return at;
}

static size_t run_words(const struct run *run)
{
	return (run->count + PREFIX_LANES - 1) / PREFIX_LANES;
}

/* The last lane is repeated to the end of its word: it is found where it would have been. */
static void write_run(struct builder *builder, size_t word, const struct run *run)
{
	uint16_t *lanes = (uint16_t *)(builder->heap + word);
	uint16_t *numbers = (uint16_t *)(builder->values + word);

	for (size_t i = 0; i < run_words(run) * PREFIX_LANES; i++) {
		size_t from = i < run->count ? i : run->count - 1;

		lanes[i] = run->lanes[from];
		numbers[i] = run->numbers[from];
	}
}

static uint32_t write_leaf(struct builder *builder, const struct run *bounds, const struct run *singles)
{
	size_t word = allocate(builder, run_words(bounds) + run_words(singles));

	write_run(builder, word, bounds);
	write_run(builder, word + run_words(bounds), singles);
	return (uint32_t)PREFIXES4_LEAF << PREFIXES4_KIND_SHIFT | run_words(bounds) << PREFIXES4_BOUNDS_SHIFT |
	       run_words(singles) << PREFIXES4_SINGLES_SHIFT | word;
}

/* Cuts the part from `first` to `last` off the front of the span. */
static struct span cut(struct span *rest, uint32_t first, uint32_t last)
{
	struct span part = { .first = first, .last = last, .number = rest->number, .from = rest->from };

	while (rest->from < rest->end && rest->from->address <= last)
		rest->number = rest->from++->number;
	part.end = rest->from;
	if (part.from < part.end && part.from->address == first)
		part.number = part.from++->number;
	return part;
}

static uint32_t write_span(struct builder *builder, const struct span *span, int bits);

static uint32_t write_node(struct builder *builder, const struct span *span, int bits)
{
	size_t word = allocate(builder, PREFIXES4_NODE_WORDS);
	uint32_t size = 1U << (ADDRESS_BITS - bits - PREFIXES4_NODE_BITS);
	struct span rest = *span;

	for (uint32_t i = 0; i < 1 << PREFIXES4_NODE_BITS; i++) {
		struct span part = cut(&rest, span->first + i * size, span->first + i * size + size - 1);
		uint32_t entry = write_span(builder, &part, bits + PREFIXES4_NODE_BITS);

		((uint32_t *)(builder->heap + word))[i] = entry;
	}
	return (uint32_t)PREFIXES4_NODE << PREFIXES4_KIND_SHIFT | word;
}

/* Returns the entry for the span, whose addresses share `bits` leading bits. The smallest spans have eight addresses:
 * these always fit into a leaf. */
static uint32_t write_span(struct builder *builder, const struct span *span, int bits)
{
	struct run bounds, singles;

	if (span->from == span->end)
		return span->number;
	split_span(span, &bounds, &singles);
	if (bounds.count > RUN_LANES || singles.count > RUN_LANES)
		return write_node(builder, span, bits);
	return write_leaf(builder, &bounds, &singles);
}

static void write_root(struct builder *builder, uint32_t *root)
{
	struct span rest = { .from = builder->changes, .end = builder->changes + builder->change_count };

	for (uint32_t i = 0; i < 1 << PREFIXES4_ROOT_BITS && !builder->full; i++) {
		uint32_t first = i << PREFIXES4_LANE_BITS;
		struct span part = cut(&rest, first, first | (uint32_t)PREFIXES4_LANE);

		root[i] = write_span(builder, &part, PREFIXES4_ROOT_BITS);
	}
}

/* Root, heap, and the numbers of the values where there are several. */
static void join(const struct builder *builder, const uint64_t *root, struct image *out)
{
	size_t heap = builder->heap_count;
	bool has_values = !dictionary_is_single(&builder->dictionary);
	size_t count = PREFIXES4_ROOT_WORDS + heap + (has_values ? heap : 0);
	__u64 *words = xcalloc(count, sizeof(*words));

	memcpy(words, root, PREFIXES4_ROOT_WORDS * sizeof(*words));
	if (heap) /* none where one prefix covers whole entries of the root */
		memcpy(words + PREFIXES4_ROOT_WORDS, builder->heap, heap * sizeof(*words));
	if (heap && has_values)
		memcpy(words + PREFIXES4_ROOT_WORDS + heap, builder->values, heap * sizeof(*words));
	image_finish(words, count, &builder->dictionary, out);
	out->layout.values = has_values ? PREFIXES4_ROOT_WORDS + heap : 0;
}

int image_build4(const struct prefix_table *table, struct image *out)
{
	CLEANUP_FREE uint64_t *root = xcalloc(PREFIXES4_ROOT_WORDS, sizeof(*root));
	struct builder builder = { 0 };
	int err = 0;

	if (!table->count) {
		*out = (struct image){ 0 };
		return 0;
	}
	dictionary_fill(&builder.dictionary, table);
	list_changes(&builder, table);
	write_root(&builder, (uint32_t *)root);
	if (builder.full)
		err = -E2BIG;
	else
		join(&builder, root, out);
	free(builder.changes);
	free(builder.heap);
	free(builder.values);
	return err;
}
