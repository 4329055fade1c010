/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The classifier: the key of a packet in, the lowest number of a rule that matches it out. What the families share
 * stands here; how they hash and compare addresses, in classifier4.h and classifier6.h, in functions that both sides
 * use. Built by src/compile/classifier.c, which says how a policy comes to its groups.
 *
 * An image, read where it lies:
 *
 *   windows  which bits of the key a cut looks at, by number
 *   firsts   the lowest rule of each group
 *   masks    of addresses: IPv4 those in use, by number; IPv6 all, by length
 *   lanes    what boxes want of filter_key.lanes, each combination once: low, high
 *   extras   struct filter_extra, each combination once; number 0 is not used
 *   groups   a hash table of entries each
 *   heap     cuts: 2^k entries, chosen by the bits of a window. Leaves: boxes in the order of their rules
 *   linear   leaves of CLASSIFIER_LEAF_MAX boxes in a row, for what no hash and no cut could part
 *
 * An entry leads to a cut (bit 0 is set) or to a leaf; 0: there is nothing.
 */
#ifndef SLUICE_CLASSIFIER_H
#define SLUICE_CLASSIFIER_H

#include "sluice/filter.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define CLASSIFIER_NONE 0xffffffffU /* no rule matches */
#define CLASSIFIER_GROUPS 20
#define CLASSIFIER_INLINE 12	    /* groups, half as many with extras, up to which it is inline in the program */
#define CLASSIFIER_STRAIGHT 32	    /* boxes up to which a list is compared one by one: then that is faster */
#define CLASSIFIER_CUTS_MAX 6	    /* below one another */
#define CLASSIFIER_LEAF_MAX 48	    /* boxes: the loop that the verifier sees */
#define CLASSIFIER_LINEAR_MAX 16384 /* boxes that every packet may have to be compared with */

#define CLASSIFIER_UNIT 16	     /* bytes: where cuts and leaves may begin */
#define CLASSIFIER_SLACK (1 << 15)   /* bytes after the end, so that a mask of bits is bound enough for the verifier */
#define CLASSIFIER_END_MAX (1 << 27) /* bytes that an entry can reach */

/* Of an entry. */
#define CLASSIFIER_CUT 1U
#define CLASSIFIER_OFFSET_SHIFT 1 /* 23 bits: units of the heap */
#define CLASSIFIER_TOP_SHIFT 24	  /* 8 bits: the window's number of a cut, the Bloom filter of a leaf */
#define CLASSIFIER_BYTES_SHIFT 3  /* from the offset where it lies to bytes */

/* Of a window. */
#define CLASSIFIER_WINDOWS 256
#define CLASSIFIER_WINDOW_WORD 7  /* which word of the key */
#define CLASSIFIER_WINDOW_SHIFT 3 /* 6 bits */
#define CLASSIFIER_WINDOW_MASK 32 /* 10 bits */
#define CLASSIFIER_WINDOW_BITS 10 /* at most, of a cut */

#define CLASSIFIER_FIRSTS (CLASSIFIER_WINDOWS * 8)		     /* where they begin */
#define CLASSIFIER_MASKS (CLASSIFIER_FIRSTS + CLASSIFIER_GROUPS * 4) /* and these */

/* Of the word of a box that is not address. */
#define CLASSIFIER_LAST 1ULL
#define CLASSIFIER_LANES_SHIFT 10 /* from there to bytes; the number has 17 bits */
#define CLASSIFIER_LANES_BIT 14
#define CLASSIFIER_LANES_MAX (1 << 17)
#define CLASSIFIER_RULE_BIT 47
#define CLASSIFIER_EXTRAS_MAX (1 << 16)
#define CLASSIFIER_EXTRA_SHIFT 6 /* bytes of an extra, as a power of two */

_Static_assert(FILTER_RULES_MAX <= 1 << (64 - CLASSIFIER_RULE_BIT), "a box holds the number of its rule");
_Static_assert(sizeof(struct filter_extra) <= 1 << CLASSIFIER_EXTRA_SHIFT, "extras lie in steps of that");

/* Boxes that hash: all that share the masked bits are found in one entry. */
struct classifier_group {
	__u64 addresses[4]; /* masks of filter_key.addresses */
	__u64 lanes;	    /* mask of filter_key.lanes */
	__u64 shift;	    /* from a hash to the place in the table; CLASSIFIER_NO_HASH: it has one entry */
	__u64 table;	    /* byte of the image; 0: there is no such group */
	__u64 first;	    /* lowest rule of the group; groups are in this order. The data path has it in the image */
};

/* A box of so few that all of them are in the program: what they ask for is constant, and nothing is loaded. */
struct classifier_box {
	__u64 addresses[4], masks[4]; /* IPv4 has the first */
	__u64 low, high;	      /* of filter_key.lanes */
	__u64 has_extra;
	struct filter_extra extra;
	__u64 rule;
	__u64 none; /* CLASSIFIER_NONE: there are fewer; 0: it is there */
};

/* What is constant while an image is in use. In BPF these are immediates of the program (CLASSIFIER_CONSTANT). */
struct classifier_layout {
	__u64 end;	   /* bytes of the image; 0: there is none */
	__u64 entry_mask;  /* bits of an entry that are its offset */
	__u64 lanes;	   /* byte where they begin */
	__u64 lanes_mask;  /* bytes from there, by mask */
	__u64 extras;	   /* byte where they begin */
	__u64 extras_mask; /* 0: there are none */
	__u64 linear;	   /* byte where they begin */
	__u64 linear_leaves;
	__u64 linear_first; /* lowest rule of them */
	__u64 group_count;
	struct classifier_group groups[CLASSIFIER_GROUPS];
	__u64 straight_count; /* 0: more boxes than CLASSIFIER_STRAIGHT; the groups have them all */
	struct classifier_box straight[CLASSIFIER_STRAIGHT];
};

/*
 * Reading a constant. The data path has it as an immediate: the address of a member, from a base that is no address, is
 * the placeholder that user space replaces before load (src/datapath/classifier.c). The verifier then knows it, and
 * deletes groups that are not there; from memory, twenty groups would be as many loads more for each packet.
 */
#ifdef __bpf__
#define CLASSIFIER_CONSTANT(layout, member) \
	({ \
		__u64 constant; \
		__asm__("%0 = %1 ll" : "=r"(constant) : "i"(&(layout)->member)); \
		constant; \
	})
/* The same once more, where it stands: so a way out stays apart from others like it. The verifier deletes a jump that
 * is never taken only if nothing else leads where it does. */
#define CLASSIFIER_CONSTANT_AGAIN(layout, member) \
	({ \
		__u64 constant; \
		__asm__ volatile("%0 = %1 ll" : "=r"(constant) : "i"(&(layout)->member)); \
		constant; \
	})
/* The entry of each group. What the verifier has not deleted is never read before it is written. */
#define CLASSIFIER_ENTRIES(entries) __u32 entries[CLASSIFIER_GROUPS]
/* In BPF a function that is checked by itself: inlined twenty times, it is more than the verifier takes. */
#define CLASSIFIER_EXTRA4(image, layout, key, number) classify_extra4(layout, key, number)
#define CLASSIFIER_EXTRA6(image, layout, key, number) classify_extra6(layout, key, number)
static __u64 classify_extra4(const struct classifier_layout *layout, const struct filter_key *key, __u32 number);
static __u64 classify_extra6(const struct classifier_layout *layout, const struct filter_key *key, __u32 number);
#else
#define CLASSIFIER_EXTRA4 classifier_extra
#define CLASSIFIER_EXTRA6 classifier_extra
#define CLASSIFIER_CONSTANT(layout, member) ((layout)->member)
#define CLASSIFIER_CONSTANT_AGAIN CLASSIFIER_CONSTANT
#define CLASSIFIER_ENTRIES(entries) __u32 entries[CLASSIFIER_GROUPS] = { 0 }
#endif

/* Ordered lists of rules, each with a classifier of its own for either version of IP. */
enum classifier_list {
	CLASSIFIER_FILTER,
	CLASSIFIER_LIMIT,
	CLASSIFIER_LISTS,
};

#define CLASSIFIER_PLACEHOLDER(list, version) (0x5c1a551f00000000ULL | (version) << 28 | (list) << 24)

#define CLASSIFIER_NO_HASH 64

#define CLASSIFIER_MULTIPLIER 0x9e3779b97f4a7c15ULL
#define CLASSIFIER_LANES_MULTIPLIER 0xc2b2ae3d27d4eb4fULL

static __always_inline __u64 classifier_word(const __u8 *image, __u64 byte)
{
	return *(const __u64 *)(image + byte);
}

static __always_inline __u32 classifier_first(const __u8 *image, __u64 group)
{
	return ((const __u32 *)(image + CLASSIFIER_FIRSTS))[group];
}

/* The entry of a group, or 0 when its Bloom filter says that the leaf cannot match. `place` is the number of the entry
 * and three bits for the filter; of 32 bits, because larger masks are no immediates. */
static __always_inline __u32 classifier_entry(const __u8 *image, __u64 table, __u32 place)
{
	__u32 entry = *(const __u32 *)(image + table + (place >> 1 & ~3U));
	__s32 wanted = (__s32)(entry << (7 - (place & 7)) | entry << 31);

	return wanted < 0 ? entry : 0;
}

/* From the entry of a group through its cuts to a leaf: the byte where it begins, 0 when there is none. */
static __always_inline __u64 classifier_leaf(const __u8 *image, const struct classifier_layout *layout,
					     const struct filter_key *key, __u32 entry)
{
	__u64 mask = CLASSIFIER_CONSTANT(layout, entry_mask);

#pragma GCC unroll 6
	for (int cut = 0; cut < CLASSIFIER_CUTS_MAX; cut++) {
		__u64 window, bits;

		if (!(entry & CLASSIFIER_CUT))
			break;
		window = classifier_word(image, (__u64)(entry >> CLASSIFIER_TOP_SHIFT) * 8);
		bits = ((const __u64 *)key)[window & CLASSIFIER_WINDOW_WORD];
		bits >>= window >> CLASSIFIER_WINDOW_SHIFT & 63;
		bits &= window >> CLASSIFIER_WINDOW_MASK & ((1 << CLASSIFIER_WINDOW_BITS) - 1);
		entry = *(const __u32 *)(image + ((entry & mask) << CLASSIFIER_BYTES_SHIFT) + bits * 4);
	}
	return entry & CLASSIFIER_CUT ? 0 : (entry & mask) << CLASSIFIER_BYTES_SHIFT;
}

/* 0 when the lanes of a box hold the key. */
static __always_inline __u64 classifier_lanes(const __u8 *image, const struct classifier_layout *layout,
					      const struct filter_key *key, __u64 meta)
{
	__u64 byte = CLASSIFIER_CONSTANT(layout, lanes);

	byte += meta >> CLASSIFIER_LANES_SHIFT & CLASSIFIER_CONSTANT(layout, lanes_mask);
	return filter_lanes_inside(key->lanes, classifier_word(image, byte), classifier_word(image, byte + 8),
				   FILTER_LANES_GUARDS) ^
	       FILTER_LANES_GUARDS;
}

/* True when the lanes of a box of the program hold the key, and its extra does. */
static __always_inline int classifier_straight_rest(const struct classifier_box *box, const struct filter_key *key)
{
	if (filter_lanes_inside(key->lanes, CLASSIFIER_CONSTANT(box, low), CLASSIFIER_CONSTANT(box, high),
				FILTER_LANES_GUARDS) != FILTER_LANES_GUARDS)
		return 0;
	if (!CLASSIFIER_CONSTANT(box, has_extra))
		return 1;
	return !(((key->marks & CLASSIFIER_CONSTANT(box, extra.marks_mask)) ^ CLASSIFIER_CONSTANT(box, extra.marks)) |
		 ((key->mac & CLASSIFIER_CONSTANT(box, extra.mac_mask)) ^ CLASSIFIER_CONSTANT(box, extra.mac)) |
		 (filter_lanes_inside(key->ranges, CLASSIFIER_CONSTANT(box, extra.low),
				      CLASSIFIER_CONSTANT(box, extra.high), FILTER_RANGES_GUARDS) ^
		  FILTER_RANGES_GUARDS));
}

/* One box after the other, all written out: what a loop jumps to at its end would not be unrolled with it, and have
 * constants that are none. */
#define CLASSIFIER_TRY_STRAIGHT(layout, key, matches, i) \
	if (CLASSIFIER_CONSTANT(&(layout)->straight[i], none)) \
		return CLASSIFIER_CONSTANT_AGAIN(&(layout)->straight[i], none); \
	if (matches(&(layout)->straight[i], key) && classifier_straight_rest(&(layout)->straight[i], key)) \
		return CLASSIFIER_CONSTANT(&(layout)->straight[i], rule);
#define CLASSIFIER_TRY_FOUR(layout, key, matches, i) \
	CLASSIFIER_TRY_STRAIGHT(layout, key, matches, (i)) \
	CLASSIFIER_TRY_STRAIGHT(layout, key, matches, (i) + 1) \
	CLASSIFIER_TRY_STRAIGHT(layout, key, matches, (i) + 2) \
	CLASSIFIER_TRY_STRAIGHT(layout, key, matches, (i) + 3)
#define CLASSIFIER_TRY_ALL(layout, key, matches) \
	CLASSIFIER_TRY_FOUR(layout, key, matches, 0) \
	CLASSIFIER_TRY_FOUR(layout, key, matches, 4) \
	CLASSIFIER_TRY_FOUR(layout, key, matches, 8) \
	CLASSIFIER_TRY_FOUR(layout, key, matches, 12) \
	CLASSIFIER_TRY_FOUR(layout, key, matches, 16) \
	CLASSIFIER_TRY_FOUR(layout, key, matches, 20) \
	CLASSIFIER_TRY_FOUR(layout, key, matches, 24) \
	CLASSIFIER_TRY_FOUR(layout, key, matches, 28) \
	return CLASSIFIER_NONE

_Static_assert(CLASSIFIER_STRAIGHT == 32, "CLASSIFIER_TRY_ALL has them all");

/* 0 when the extra of that number holds the key. */
static __always_inline __u64 classifier_extra(const __u8 *image, const struct classifier_layout *layout,
					      const struct filter_key *key, __u64 number)
{
	__u64 byte = CLASSIFIER_CONSTANT(layout, extras);
	const struct filter_extra *extra;

	byte += number << CLASSIFIER_EXTRA_SHIFT & CLASSIFIER_CONSTANT(layout, extras_mask);
	extra = (const struct filter_extra *)(image + byte);
	return ((key->marks & extra->marks_mask) ^ extra->marks) | ((key->mac & extra->mac_mask) ^ extra->mac) |
	       (filter_lanes_inside(key->ranges, extra->low, extra->high, FILTER_RANGES_GUARDS) ^ FILTER_RANGES_GUARDS);
}

#endif
