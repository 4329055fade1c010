/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The IPv4 prefix table: two memory accesses that may miss the cache, three to five where prefixes crowd, at any size.
 *
 *   root    2^17 entries of 32 bits, indexed by the leading 17 bits of the address
 *   heap    nodes: 16 entries each, indexed by the next 4 bits; at most three below one another
 *           leaves: the last 15 bits of addresses, four to a word; first the `bounds`, each the first address of a
 *           range that ends before the next bound, then the `singles`, which stand for themselves alone and go first
 *   values  a number for each lane of the heap
 *
 * A leaf is searched four lanes at a time: they have 15 bits each, so that a carry never leaves a lane. The sixteenth
 * bit of a bound says that its range has a value. No jump depends on an address until the answer is there: a wrong
 * guess costs more than all the arithmetic.
 */
#ifndef SLUICE_PREFIXES4_H
#define SLUICE_PREFIXES4_H

#include "sluice/prefix.h"

#define PREFIXES4_ROOT_BITS 17
#define PREFIXES4_NODE_BITS 4
#define PREFIXES4_LANE_BITS 15
#define PREFIXES4_ROOT_WORDS (1 << PREFIXES4_ROOT_BITS >> 1)
#define PREFIXES4_NODE_WORDS (1 << PREFIXES4_NODE_BITS >> 1)
#define PREFIXES4_HEAP_MAX (1 << 24) /* words */
#define PREFIXES4_RUN_MAX 7	     /* words of bounds, and of singles, in a leaf */

/* The kind of an entry is in its two highest bits. */
enum {
	PREFIXES4_UNIFORM, /* bits 0 to 15: number of the value */
	PREFIXES4_LEAF,	   /* bits 0 to 23: word of the heap, 24 to 26: words of bounds, 27 to 29: words of singles */
	PREFIXES4_NODE,	   /* bits 0 to 23: word of the heap */
};
#define PREFIXES4_KIND_SHIFT 30
#define PREFIXES4_BOUNDS_SHIFT 24
#define PREFIXES4_SINGLES_SHIFT 27

#define PREFIXES4_EACH 0x0001000100010001ULL /* times a lane: that lane four times */
#define PREFIXES4_LANE 0x7fffULL
#define PREFIXES4_HIGH 0x8000ULL
#define PREFIXES4_HIGHS (PREFIXES4_HIGH * PREFIXES4_EACH)

/* The high bit of each lane of `word` that equals the lane of `wanted`. */
static __always_inline __u64 prefixes4_equal(__u64 word, __u64 wanted)
{
	return ~((word ^ wanted) + PREFIXES4_LANE * PREFIXES4_EACH) & PREFIXES4_HIGHS;
}

/* The low bit of each lane of `word` that is not above the lane of `wanted`. */
static __always_inline __u64 prefixes4_not_above(__u64 word, __u64 wanted)
{
	return (((wanted | PREFIXES4_HIGHS) - (word & ~PREFIXES4_HIGHS)) & PREFIXES4_HIGHS) >> PREFIXES4_LANE_BITS;
}

/* Which lane holds the single. Only for tables of several values. */
static __always_inline __u64 prefixes4_single(const __u64 *singles, __u64 wanted)
{
	__u64 found = 0;

	for (__u64 lane = 0; lane < PREFIXES4_RUN_MAX * PREFIX_LANES; lane++) {
		if ((((const __u16 *)singles)[lane] ^ wanted) & PREFIXES4_LANE)
			continue;
		found = lane;
		break;
	}
	return found;
}

static __always_inline __u32 prefixes4_leaf(const __u64 *image, const volatile struct prefix_layout *layout,
					    __u32 entry, __u32 address)
{
	__u64 wanted = (address & PREFIXES4_LANE) * PREFIXES4_EACH;
	__u64 bounds = entry >> PREFIXES4_BOUNDS_SHIFT & PREFIXES4_RUN_MAX;
	__u64 singles = entry >> PREFIXES4_SINGLES_SHIFT & PREFIXES4_RUN_MAX;
	__u64 heap = entry % PREFIXES4_HEAP_MAX;
	__u64 word = PREFIXES4_ROOT_WORDS + heap;
	__u64 rank = 0, equal = 0, bound;
	const __u64 *at;

	if (!prefix_inside(layout, &word))
		return PREFIX_NONE;
	at = image + word;
	for (int i = 0; i < 2; i++)
		rank += prefixes4_not_above(at[i], wanted) & prefix_below(i, bounds);
	for (int i = 2; bounds > 2 && i < PREFIXES4_RUN_MAX; i++)
		rank += prefixes4_not_above(at[i], wanted) & prefix_below(i, bounds);
	rank = rank * PREFIXES4_EACH >> 48 & 31;
	bound = ((const __u16 *)at)[rank - (rank > 0)] & prefix_below(0, rank) & PREFIXES4_HIGH;

	word += bounds;
	if (!prefix_inside(layout, &word))
		return PREFIX_NONE;
	at = image + word;
	for (int i = 0; i < 3; i++)
		equal |= prefixes4_equal(at[i], wanted) & prefix_below(i, singles);
	for (int i = 3; singles > 3 && i < PREFIXES4_RUN_MAX; i++)
		equal |= prefixes4_equal(at[i], wanted) & prefix_below(i, singles);

	if (!(equal | bound))
		return PREFIX_NONE;
	if (layout->values && equal)
		return prefix_lane_value(image, layout, (heap + bounds) * PREFIX_LANES + prefixes4_single(at, wanted));
	return prefix_lane_value(image, layout, heap * PREFIX_LANES + rank - 1);
}

/* `address` in host byte order. Returns the value, PREFIX_NONE where no prefix covers it. */
static __always_inline __u32 prefixes4_lookup(const __u64 *image, const volatile struct prefix_layout *layout,
					      __u32 address)
{
	__u32 entry = ((const __u32 *)image)[address >> PREFIXES4_LANE_BITS];

	for (int shift = PREFIXES4_LANE_BITS - PREFIXES4_NODE_BITS; shift > 0; shift -= PREFIXES4_NODE_BITS) {
		__u64 word = PREFIXES4_ROOT_WORDS + entry % PREFIXES4_HEAP_MAX;

		if (entry >> PREFIXES4_KIND_SHIFT != PREFIXES4_NODE)
			break;
		if (!prefix_inside(layout, &word))
			return PREFIX_NONE;
		entry = ((const __u32 *)(image + word))[address >> shift & ((1 << PREFIXES4_NODE_BITS) - 1)];
	}
	if (entry >> PREFIXES4_KIND_SHIFT == PREFIXES4_UNIFORM)
		return prefix_value(image, layout, entry & 0xffff);
	return prefixes4_leaf(image, layout, entry, address);
}

#endif
