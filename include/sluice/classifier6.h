/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* The classifier of IPv6: boxes of six words, four of them addresses. */
#ifndef SLUICE_CLASSIFIER6_H
#define SLUICE_CLASSIFIER6_H

#include "sluice/classifier.h"

#define CLASSIFIER6_BOX 48 /* bytes: addresses, the word with the rule, number of the extra */
/* Of the fifth word: prefix lengths, and by them the masks, two words each. */
#define CLASSIFIER6_SOURCE_BIT 4
#define CLASSIFIER6_DESTINATION_BIT 31
#define CLASSIFIER6_LENGTH_BYTES 0xff0

#define CLASSIFIER6_MULTIPLIER0 0xd6e8feb86659fd93ULL
#define CLASSIFIER6_MULTIPLIER1 0xe7037ed1a0b428dbULL
#define CLASSIFIER6_MULTIPLIER2 0xa0761d6478bd642fULL
#define CLASSIFIER6_MULTIPLIER3 0x8ebc6af09c88c6e3ULL

/* A sum of products keeps differences of high bits high: they are folded down before the last product. */
static __always_inline __u64 classifier6_finish(__u64 sum)
{
	return (sum ^ sum >> 32) * CLASSIFIER_MULTIPLIER;
}

static __always_inline __u64 classifier6_masks(const __u8 *image, const struct filter_key *key, const __u8 *box,
					       __u64 meta)
{
	const __u8 *masks = image + CLASSIFIER_MASKS;
	const __u8 *source = masks + (meta & CLASSIFIER6_LENGTH_BYTES);
	const __u8 *destination =
		masks + (meta >> (CLASSIFIER6_DESTINATION_BIT - CLASSIFIER6_SOURCE_BIT) & CLASSIFIER6_LENGTH_BYTES);

	return ((key->addresses[0] ^ classifier_word(box, 0)) & classifier_word(source, 0)) |
	       ((key->addresses[1] ^ classifier_word(box, 8)) & classifier_word(source, 8)) |
	       ((key->addresses[2] ^ classifier_word(box, 16)) & classifier_word(destination, 0)) |
	       ((key->addresses[3] ^ classifier_word(box, 24)) & classifier_word(destination, 8));
}

/* The lowest rule of the leaf at that byte that matches and is below `best`, else `best`. */
static __always_inline __u64 classifier6_scan(const __u8 *image, const struct classifier_layout *layout,
					      const struct filter_key *key, __u64 byte, __u64 best)
{
	const __u8 *box = image + byte;

	for (int i = 0; i < CLASSIFIER_LEAF_MAX; i++, box += CLASSIFIER6_BOX) {
		__u64 meta = classifier_word(box, 32), differs;

		if (meta >> CLASSIFIER_RULE_BIT >= best)
			break;
		differs = classifier6_masks(image, key, box, meta) | classifier_lanes(image, layout, key, meta);
		if (!differs && (!CLASSIFIER_CONSTANT(layout, extras_mask) || !classifier_word(box, 40) ||
				 !CLASSIFIER_EXTRA6(image, layout, key, classifier_word(box, 40))))
			return meta >> CLASSIFIER_RULE_BIT;
		if (meta & CLASSIFIER_LAST)
			break;
	}
	return best;
}

static __always_inline __u64 classifier6_product(__u64 word, __u64 mask, __u64 multiplier)
{
	return mask ? (word & mask) * multiplier : 0;
}

/* What a group does not hash costs nothing: the verifier deletes the branch. */
static __always_inline __u32 classifier6_place(const struct classifier_group *group, const struct filter_key *key)
{
	__u64 shift = CLASSIFIER_CONSTANT(group, shift), sum;

	if (shift == CLASSIFIER_NO_HASH)
		return 0;
	sum = classifier6_product(key->addresses[0], CLASSIFIER_CONSTANT(group, addresses[0]), CLASSIFIER6_MULTIPLIER0);
	sum += classifier6_product(key->addresses[1], CLASSIFIER_CONSTANT(group, addresses[1]),
				   CLASSIFIER6_MULTIPLIER1);
	sum += classifier6_product(key->addresses[2], CLASSIFIER_CONSTANT(group, addresses[2]),
				   CLASSIFIER6_MULTIPLIER2);
	sum += classifier6_product(key->addresses[3], CLASSIFIER_CONSTANT(group, addresses[3]),
				   CLASSIFIER6_MULTIPLIER3);
	sum += classifier6_product(key->lanes, CLASSIFIER_CONSTANT(group, lanes), CLASSIFIER_LANES_MULTIPLIER);
	return classifier6_finish(sum) >> shift;
}

static __always_inline __u64 classifier6_forest(const __u8 *image, const struct classifier_layout *layout,
						const struct filter_key *key)
{
	CLASSIFIER_ENTRIES(entries);
	__u64 best = CLASSIFIER_NONE;

#pragma GCC unroll 20
	for (int i = 0; i < CLASSIFIER_GROUPS; i++) {
		__u64 table = CLASSIFIER_CONSTANT(layout, groups[i].table);

		if (!table)
			continue;
		entries[i] = classifier_entry(image, table, classifier6_place(&layout->groups[i], key));
	}
	for (__u32 i = 0; i < CLASSIFIER_GROUPS; i++) {
		__u64 leaf;

		if (i >= CLASSIFIER_CONSTANT(layout, group_count) || classifier_first(image, i) >= best)
			break;
		leaf = entries[i] ? classifier_leaf(image, layout, key, entries[i]) : 0;
		if (leaf)
			best = classifier6_scan(image, layout, key, leaf, best);
	}
	return best;
}

static __always_inline int classifier6_straight_matches(const struct classifier_box *box, const struct filter_key *key)
{
	return !(((key->addresses[0] ^ CLASSIFIER_CONSTANT(box, addresses[0])) & CLASSIFIER_CONSTANT(box, masks[0])) |
		 ((key->addresses[1] ^ CLASSIFIER_CONSTANT(box, addresses[1])) & CLASSIFIER_CONSTANT(box, masks[1])) |
		 ((key->addresses[2] ^ CLASSIFIER_CONSTANT(box, addresses[2])) & CLASSIFIER_CONSTANT(box, masks[2])) |
		 ((key->addresses[3] ^ CLASSIFIER_CONSTANT(box, addresses[3])) & CLASSIFIER_CONSTANT(box, masks[3])));
}

/* Few boxes, in the order of their rules: the lowest that matches, CLASSIFIER_NONE when none does. Their verdicts
 * differ less than their fields: hence a jump after each kind of test, which is mostly guessed right. */
static __always_inline __u64 classifier6_straight(const struct classifier_layout *layout, const struct filter_key *key)
{
	CLASSIFIER_TRY_ALL(layout, key, classifier6_straight_matches);
}

#endif
