/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The IPv6 prefix table: for each prefix length in use, the longest first, a filter that says in one access that no
 * such prefix is there, and slots that hold the prefixes.
 *
 *   records  one for each length
 *   filters  words of which a prefix sets two bits
 *   slots    prefixes of that length, one word each, two beyond 64 bits; each at its hash or less than
 *            PREFIXES6_PROBES after it. A slot that no prefix took holds another of the table once more, which is true
 *            wherever it is found.
 *   values   a number for each slot, in lanes
 */
#ifndef SLUICE_PREFIXES6_H
#define SLUICE_PREFIXES6_H

#include "sluice/prefix.h"

#define PREFIXES6_PROBES 8
#define PREFIXES6_LENGTHS_MAX 129

struct prefixes6_length {
	__u64 mask[2];	    /* as the address lies in memory */
	__u64 seed;	    /* of the hash, drawn from the prefixes of that length */
	__u32 filter;	    /* its first word */
	__u32 filter_shift; /* of the hash, down to a word of the filter */
	__u32 slots;	    /* their first word */
	__u32 slot_count;   /* homes; PREFIXES6_PROBES - 1 slots follow them */
	__u32 slot_words;   /* 1 or 2 */
	__u32 lanes;	    /* of the first slot's number */
};

#define PREFIXES6_RECORD_WORDS (sizeof(struct prefixes6_length) / sizeof(__u64))
_Static_assert(sizeof(struct prefixes6_length) == 48, "whole words, no padding");

/* Three rounds of multiply and fold. `high` is mixed before `low` is added: were both only multiplied, a difference in
 * one could make up for one in the other whatever the seed. The odd factors are those of SplitMix64; the high half of
 * the result is used. */
static __always_inline __u64 prefixes6_hash(__u64 high, __u64 low, __u64 seed)
{
	__u64 hash = (high ^ seed) * 0xbf58476d1ce4e5b9ULL;

	hash = ((hash ^ hash >> 32) + low) * 0x94d049bb133111ebULL;
	return (hash ^ hash >> 32) * 0x9e3779b97f4a7c15ULL;
}

/* The bits of a prefix in its word of the filter. */
static __always_inline __u64 prefixes6_bits(__u64 hash)
{
	return 1ULL << (hash >> 32 & 63) | 1ULL << (hash >> 38 & 63);
}

static __always_inline __u64 prefixes6_home(__u64 hash, __u32 slot_count)
{
	return (hash >> 32) * slot_count >> 32;
}

static __always_inline __u64 prefixes6_slot_word(const struct prefixes6_length *length, __u64 slot)
{
	return length->slots + slot * length->slot_words;
}

/* Returns the value of the prefix, which hashes to `hash`, or PREFIX_NONE. */
static __always_inline __u32 prefixes6_probe(const __u64 *image, const volatile struct prefix_layout *layout,
					     const struct prefixes6_length *length, __u64 high, __u64 low, __u64 hash)
{
	__u64 home = prefixes6_home(hash, length->slot_count);
	__u64 word = prefixes6_slot_word(length, home);
	const __u64 *slots;

	if (!prefix_inside(layout, &word))
		return PREFIX_NONE;
	slots = image + word;
	if (length->slot_words == 1) {
		for (int i = 0; i < PREFIXES6_PROBES; i++) {
			if (slots[i] == high)
				return prefix_lane_value(image, layout, length->lanes + home + i);
		}
		return PREFIX_NONE;
	}
	for (int i = 0; i < PREFIXES6_PROBES; i++) {
		if (slots[2 * i] == high && slots[2 * i + 1] == low)
			return prefix_lane_value(image, layout, length->lanes + home + i);
	}
	return PREFIX_NONE;
}

/* The address in two words as it lies in memory. Returns the value, PREFIX_NONE where no prefix covers it. */
static __always_inline __u32 prefixes6_lookup(const __u64 *image, const volatile struct prefix_layout *layout,
					      __u64 high, __u64 low)
{
	const struct prefixes6_length *lengths = (const struct prefixes6_length *)image;

	for (__u32 i = 0; i < PREFIXES6_LENGTHS_MAX; i++) {
		const struct prefixes6_length *length = &lengths[i];
		__u64 masked_high, masked_low, hash, word, bits;
		__u32 value;

		if (i >= layout->lengths)
			break;
		masked_high = high & length->mask[0];
		masked_low = low & length->mask[1];
		hash = prefixes6_hash(masked_high, masked_low, length->seed);
		word = length->filter + (hash >> (length->filter_shift & 63));
		if (!prefix_inside(layout, &word))
			return PREFIX_NONE;
		bits = prefixes6_bits(hash);
		if ((image[word] & bits) != bits)
			continue;
		value = prefixes6_probe(image, layout, length, masked_high, masked_low, hash);
		if (value != PREFIX_NONE)
			return value;
	}
	return PREFIX_NONE;
}

#endif
