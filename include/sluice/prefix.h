/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Prefix tables: an address in, the value of the longest prefix that covers it out. A table is an image of 64-bit
 * words, built by user space (src/compile/) and read by the data path where it lies. What the families share stands
 * here; how they look up, in prefixes4.h and prefixes6.h, in functions that both sides use.
 */
#ifndef SLUICE_PREFIX_H
#define SLUICE_PREFIX_H

#include <linux/types.h>

/* What a prefix table answers: the slot of the rule that matched, or one of these. */
#define PREFIX_NONE 0xffffffffU	  /* no prefix covers the address */
#define PREFIX_EXCEPT 0xfffffffeU /* an `except` covers it */

/* Values of 16 bits are four to a word. */
#define PREFIX_LANES 4

/* Words after the end, so that one comparison guards the reading of a few words in a row. */
#define PREFIX_SLACK 16

/* Where the parts of an image are, in words. Constant once loaded, and the verifier knows it; volatile, where it is
 * read, because the compiler knows less. */
struct prefix_layout {
	__u32 end;	  /* of the dictionary, the last part; 0: there is no table */
	__u32 values;	  /* numbers of values, in the order of the keys; 0: all have the value number 1 */
	__u32 dictionary; /* of 32-bit values, by number; number 0 is PREFIX_NONE */
	__u32 lengths;	  /* IPv6: how many records of a length the image begins with */
};

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#ifdef __bpf__
/* Hides from the compiler what a variable may be: it must not move arithmetic across a comparison that the verifier has
 * to see, nor make a jump of arithmetic. */
#define PREFIX_OPAQUE(variable) __asm__ volatile("" : "+r"(variable))
#else
#define PREFIX_OPAQUE(variable) (void)(variable)
#endif

static __always_inline int prefix_inside(const volatile struct prefix_layout *layout, __u64 *word)
{
	PREFIX_OPAQUE(*word);
	return *word < layout->end;
}

/* All ones when `i` is below `count`, else 0: arithmetic, where a jump would be guessed wrong half of the time. */
static __always_inline __u64 prefix_below(__u64 i, __u64 count)
{
	__s64 difference = (__s64)(i - count);

	PREFIX_OPAQUE(difference);
	return (__u64)(difference >> 63);
}

/* The value of that number. */
static __always_inline __u32 prefix_value(const __u64 *image, const volatile struct prefix_layout *layout, __u64 number)
{
	__u64 word = layout->dictionary + number / 2;

	if (!number || !prefix_inside(layout, &word))
		return PREFIX_NONE;
	return ((const __u32 *)(image + word))[number & 1];
}

/* The value of the key in that lane, counted from the beginning of the values. */
static __always_inline __u32 prefix_lane_value(const __u64 *image, const volatile struct prefix_layout *layout,
					       __u64 lane)
{
	__u64 word = layout->values + lane / PREFIX_LANES;

	if (!layout->values)
		return prefix_value(image, layout, 1);
	if (!prefix_inside(layout, &word))
		return PREFIX_NONE;
	return prefix_value(image, layout, ((const __u16 *)(image + word))[lane % PREFIX_LANES]);
}

#endif
