// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compile/dictionary.h"
#include "compile/image.h"
#include "sluice/prefixes6.h"

#define ADDRESS_BITS 128
#define FILTER_BITS 10 /* for each prefix, at least; at most twice that */
#define NOBODY UINT32_MAX
#define ATTEMPTS_MAX 32
#define WORDS_MAX (1UL << 26) /* 512 MiB: the verifier allows no larger offset */

/* Prefixes of one length, and where each ends up. */
struct length {
	struct prefixes6_length record;
	const struct entry **entries;
	size_t count;
	uint32_t *slots; /* index of the entry in each slot, NOBODY: none */
	size_t capacity;
};

struct builder {
	struct dictionary dictionary;
	struct length lengths[ADDRESS_BITS + 1]; /* by prefix length */
	__u64 *words;
	size_t count;
};

struct key {
	uint64_t high, low;
	uint64_t hash;
};

static struct key key_of(const struct entry *entry, uint64_t seed)
{
	struct key key;

	memcpy(&key.high, entry->prefix.address, sizeof(key.high));
	memcpy(&key.low, entry->prefix.address + sizeof(key.high), sizeof(key.low));
	key.hash = prefixes6_hash(key.high, key.low, seed);
	return key;
}

static void sort_by_length(struct builder *builder, const struct prefix_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		struct length *length = &builder->lengths[table->entries[i].prefix.length];

		length->entries = xgrow(length->entries, length->count, &length->capacity, sizeof(*length->entries));
		length->entries[length->count++] = &table->entries[i];
	}
}

/*
 * Robin Hood hashing: who is farther from home takes the slot, so that nobody ends up far from it. Returns false when
 * somebody would be farther than a look-up goes.
 */
static bool settle_one(struct length *length, const uint64_t *homes, uint32_t entry)
{
	size_t distance = 0;

	while (distance < PREFIXES6_PROBES) {
		uint32_t *slot = &length->slots[homes[entry] + distance];
		uint32_t there = *slot;
		size_t its_distance;

		if (there == NOBODY) {
			*slot = entry;
			return true;
		}
		its_distance = homes[entry] + distance - homes[there];
		if (its_distance < distance) {
			*slot = entry;
			entry = there;
			distance = its_distance;
		}
		distance++;
	}
	return false;
}

static bool settle_all(struct length *length, uint64_t *homes)
{
	size_t slots = length->record.slot_count + PREFIXES6_PROBES - 1;

	length->slots = xrealloc(length->slots, slots, sizeof(*length->slots));
	memset(length->slots, 0xff, slots * sizeof(*length->slots));
	for (size_t i = 0; i < length->count; i++)
		homes[i] =
			prefixes6_home(key_of(length->entries[i], length->record.seed).hash, length->record.slot_count);
	for (size_t i = 0; i < length->count; i++) {
		if (!settle_one(length, homes, i))
			return false;
	}
	return true;
}

/* The finalizer of SplitMix64, https://prng.di.unimi.it/splitmix64.c */
static uint64_t mix64(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t fold_keys(const struct length *length)
{
	uint64_t fold = 0;

	for (size_t i = 0; i < length->count; i++) {
		struct key key = key_of(length->entries[i], 0);

		fold = mix64(mix64(fold + key.high) + key.low);
	}
	return fold;
}

/*
 * As few slots as will do, because a cache holds few: each attempt has a few more. Each has a seed of its own, too,
 * that depends on every prefix. Who makes prefixes that crowd changes the seeds with them, while the same list gets the
 * same image each time.
 */
static int find_slots(struct length *length)
{
	CLEANUP_FREE uint64_t *homes = xcalloc(length->count, sizeof(*homes));
	size_t slots = length->count + length->count / 4 + 1, most = 4 * length->count + 64;
	uint64_t fold = fold_keys(length);

	for (uint64_t attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		length->record.seed = mix64(fold + attempt * 0x9e3779b97f4a7c15);
		length->record.slot_count = slots;
		if (settle_all(length, homes))
			return 0;
		slots += slots / 8 + 1;
		slots = slots < most ? slots : most;
	}
	return -ENOSPC;
}

/* Appends zeroed words to the image; returns the first. */
static size_t append(struct builder *builder, size_t count)
{
	size_t at = builder->count;

	builder->words = xrealloc(builder->words, at + count, sizeof(*builder->words));
	memset(builder->words + at, 0, count * sizeof(*builder->words));
	builder->count += count;
	return at;
}

static void write_mask(struct prefixes6_length *record, size_t bits)
{
	uint8_t mask[sizeof(record->mask)] = { 0 };

	for (size_t i = 0; i < bits; i++)
		mask[i / 8] |= 0x80 >> i % 8;
	memcpy(record->mask, mask, sizeof(mask));
}

static void write_filter(struct builder *builder, struct length *length)
{
	uint32_t log2 = 1; /* a shift by all 64 bits means another thing */

	while ((64UL << log2) < length->count * FILTER_BITS)
		log2++;
	length->record.filter = append(builder, 1UL << log2);
	length->record.filter_shift = 64 - log2;
	for (size_t i = 0; i < length->count; i++) {
		uint64_t hash = key_of(length->entries[i], length->record.seed).hash;

		builder->words[length->record.filter + (hash >> length->record.filter_shift)] |= prefixes6_bits(hash);
	}
}

/* A slot that nobody took gets the first prefix once more. */
static const struct entry *entry_in(const struct length *length, size_t slot)
{
	return length->entries[length->slots[slot] == NOBODY ? 0 : length->slots[slot]];
}

static size_t slots_of(const struct length *length)
{
	return length->record.slot_count + PREFIXES6_PROBES - 1;
}

static void write_slots(struct builder *builder, struct length *length, size_t bits)
{
	struct prefixes6_length *record = &length->record;

	record->slot_words = bits > 64 ? 2 : 1;
	record->slots = append(builder, slots_of(length) * record->slot_words);
	for (size_t i = 0; i < slots_of(length); i++) {
		struct key key = key_of(entry_in(length, i), record->seed);
		__u64 *slot = builder->words + record->slots + i * record->slot_words;

		slot[0] = key.high;
		if (record->slot_words == 2)
			slot[1] = key.low;
	}
}

/* Numbers of values for all slots of all lengths, one after the other. */
static size_t write_values(struct builder *builder)
{
	size_t lanes = 0, values;
	uint16_t *numbers;

	for (int bits = ADDRESS_BITS; bits >= 0; bits--) {
		struct length *length = &builder->lengths[bits];

		length->record.lanes = lanes;
		lanes += length->count ? slots_of(length) : 0;
	}
	values = append(builder, (lanes + PREFIX_LANES - 1) / PREFIX_LANES);
	numbers = (uint16_t *)(builder->words + values);
	for (int bits = ADDRESS_BITS; bits >= 0; bits--) {
		const struct length *length = &builder->lengths[bits];

		for (size_t i = 0; length->count && i < slots_of(length); i++)
			numbers[length->record.lanes + i] =
				dictionary_number(&builder->dictionary, entry_in(length, i)->value);
	}
	return values;
}

static int build(struct builder *builder, struct image *out)
{
	bool has_values = !dictionary_is_single(&builder->dictionary);
	struct prefixes6_length *records;
	size_t count = 0, values;
	int err;

	for (int bits = 0; bits <= ADDRESS_BITS; bits++)
		count += builder->lengths[bits].count > 0;
	append(builder, count * PREFIXES6_RECORD_WORDS);
	for (int bits = ADDRESS_BITS; bits >= 0; bits--) {
		struct length *length = &builder->lengths[bits];

		if (!length->count)
			continue;
		err = find_slots(length);
		if (err)
			return err;
		write_mask(&length->record, bits);
		write_filter(builder, length);
	}
	for (int bits = ADDRESS_BITS; bits >= 0; bits--) {
		if (builder->lengths[bits].count)
			write_slots(builder, &builder->lengths[bits], bits);
	}
	values = has_values ? write_values(builder) : 0;
	if (builder->count > WORDS_MAX)
		return -E2BIG;
	records = (struct prefixes6_length *)builder->words;
	for (int bits = ADDRESS_BITS; bits >= 0; bits--) {
		if (builder->lengths[bits].count)
			*records++ = builder->lengths[bits].record;
	}
	image_finish(builder->words, builder->count, &builder->dictionary, out);
	out->layout.values = values;
	out->layout.lengths = count;
	builder->words = NULL;
	return 0;
}

int image_build6(const struct prefix_table *table, struct image *out)
{
	struct builder builder = { 0 };
	int err = 0;

	if (!table->count) {
		*out = (struct image){ 0 };
		return 0;
	}
	dictionary_fill(&builder.dictionary, table);
	sort_by_length(&builder, table);
	err = build(&builder, out);
	for (int bits = 0; bits <= ADDRESS_BITS; bits++) {
		free(builder.lengths[bits].entries);
		free(builder.lengths[bits].slots);
	}
	free(builder.words);
	return err;
}
