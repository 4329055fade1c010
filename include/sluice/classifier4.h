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

/* The lowest rule of the leaf at that byte that matches and is below `best`, else `best`. */
static __always_inline __u64 classifier4_scan(const __u8 *image, const struct classifier_layout *layout,
					      const struct filter_key *key, __u64 byte, __u64 best)
{
	const __u8 *box = image + byte;

	for (int i = 0; i < CLASSIFIER_LEAF_MAX; i++, box += CLASSIFIER4_BOX) {
		__u64 meta = classifier_word(box, 8),
		      extra = meta >> CLASSIFIER4_EXTRA_BIT & (CLASSIFIER_EXTRAS_MAX - 1);
		__u64 differs;

		if (meta >> CLASSIFIER_RULE_BIT >= best)
			break;
		differs = (key->addresses[0] ^ classifier_word(box, 0)) &
			  classifier_word(image, CLASSIFIER_MASKS + (meta & CLASSIFIER4_MASK_BYTES));
		differs |= classifier_lanes(image, layout, key, meta);
		if (CLASSIFIER_CONSTANT(layout, extras_mask) && !differs && extra)
			differs = classifier_extra(image, layout, key, extra);
		if (!differs)
			return meta >> CLASSIFIER_RULE_BIT;
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
		__u64 hash, table = CLASSIFIER_CONSTANT(layout, groups[i].table);

		if (!table)
			break;
		hash = classifier4_hash(key->addresses[0] & CLASSIFIER_CONSTANT(layout, groups[i].addresses[0]),
					key->lanes & CLASSIFIER_CONSTANT(layout, groups[i].lanes));
		entries[i] = classifier_entry(image, table, hash >> CLASSIFIER_CONSTANT(layout, groups[i].shift));
	}
#pragma GCC unroll 20
	for (int i = 0; i < CLASSIFIER_GROUPS; i++) {
		__u64 leaf;

		if (!CLASSIFIER_CONSTANT(layout, groups[i].table) ||
		    CLASSIFIER_CONSTANT(layout, groups[i].first) >= best)
			break;
		leaf = entries[i] ? classifier_leaf(image, layout, key, entries[i]) : 0;
		if (leaf)
			best = classifier4_scan(image, layout, key, leaf, best);
	}
	return best;
}

#endif
