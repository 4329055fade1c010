/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* The classifier of IPv4, and of what is not IP: boxes of two words, the addresses and the rest. */
#ifndef SLUICE_CLASSIFIER4_H
#define SLUICE_CLASSIFIER4_H

#include "sluice/classifier.h"

#define CLASSIFIER4_BOX 16	      /* bytes */
#define CLASSIFIER4_MASK_BYTES 0x3ff8 /* of the second word: where its mask is */
#define CLASSIFIER4_EXTRA_BIT 31      /* 16 bits */

static __always_inline __u64 classifier4_hash(__u64 addresses, __u64 lanes)
{
	return (addresses + lanes * CLASSIFIER_LANES_MULTIPLIER) * CLASSIFIER_MULTIPLIER;
}

/* What a group does not hash costs nothing: the verifier deletes the branch. */
static __always_inline __u32 classifier4_place(const struct classifier_group *group, const struct filter_key *key)
{
	__u64 addresses = key->addresses[0] & CLASSIFIER_CONSTANT(group, addresses[0]);
	__u64 lanes = CLASSIFIER_CONSTANT(group, lanes), shift = CLASSIFIER_CONSTANT(group, shift);

	if (shift == CLASSIFIER_NO_HASH)
		return 0;
	if (!lanes)
		return addresses * CLASSIFIER_MULTIPLIER >> shift;
	return classifier4_hash(addresses, key->lanes & lanes) >> shift;
}

/* The lowest rule of the leaf at that byte that matches and is below `best`, else `best`. */
static __always_inline __u64 classifier4_scan(const __u8 *image, const struct classifier_layout *layout,
					      const struct filter_key *key, __u64 byte, __u64 best)
{
	const __u8 *box = image + byte;

	for (int i = 0; i < CLASSIFIER_LEAF_MAX; i++, box += CLASSIFIER4_BOX) {
		__u64 meta = classifier_word(box, 8), extra, differs;

		if (meta >> CLASSIFIER_RULE_BIT >= best)
			break;
		differs = (key->addresses[0] ^ classifier_word(box, 0)) &
			  classifier_word(image, CLASSIFIER_MASKS + (meta & CLASSIFIER4_MASK_BYTES));
		differs |= classifier_lanes(image, layout, key, meta);
		if (!differs) {
			extra = meta >> CLASSIFIER4_EXTRA_BIT & (CLASSIFIER_EXTRAS_MAX - 1);
			if (!CLASSIFIER_CONSTANT(layout, extras_mask) || !extra ||
			    !CLASSIFIER_EXTRA4(image, layout, key, extra))
				return meta >> CLASSIFIER_RULE_BIT;
		}
		if (meta & CLASSIFIER_LAST)
			break;
	}
	return best;
}

/* All entries are loaded before the first is followed, so that the waits for memory overlap. */
static __always_inline __u64 classifier4_forest(const __u8 *image, const struct classifier_layout *layout,
						const struct filter_key *key)
{
	CLASSIFIER_ENTRIES(entries);
	__u64 best = CLASSIFIER_NONE;

#pragma GCC unroll 20
	for (int i = 0; i < CLASSIFIER_GROUPS; i++) {
		__u64 table = CLASSIFIER_CONSTANT(layout, groups[i].table);

		if (!table)
			continue;
		entries[i] = classifier_entry(image, table, classifier4_place(&layout->groups[i], key));
	}
	for (__u32 i = 0; i < CLASSIFIER_GROUPS; i++) {
		__u64 leaf;

		if (i >= CLASSIFIER_CONSTANT(layout, group_count) || classifier_first(image, i) >= best)
			break;
		leaf = entries[i] ? classifier_leaf(image, layout, key, entries[i]) : 0;
		if (leaf)
			best = classifier4_scan(image, layout, key, leaf, best);
	}
	return best;
}

static __always_inline int classifier4_straight_matches(const struct classifier_box *box, const struct filter_key *key)
{
	return !((key->addresses[0] ^ CLASSIFIER_CONSTANT(box, addresses[0])) & CLASSIFIER_CONSTANT(box, masks[0]));
}

/* Few boxes, in the order of their rules: the lowest that matches, CLASSIFIER_NONE when none does. Their verdicts
 * differ less than their fields: hence a jump after each kind of test, which is mostly guessed right. */
static __always_inline __u64 classifier4_straight(const struct classifier_layout *layout, const struct filter_key *key)
{
	CLASSIFIER_TRY_ALL(layout, key, classifier4_straight_matches);
}

#endif
