/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The classifier's maps and entries. Constants of its groups are placeholders in the code until
 * src/datapath/classifier.c replaces them, before load; where a family has no rules, all of this is deleted by the
 * verifier and its map is not created.
 */
#ifndef SLUICE_BPF_CLASSIFY_H
#define SLUICE_BPF_CLASSIFY_H

#include "prefixes.h"
#include "sluice/classifier4.h"
#include "sluice/classifier6.h"

PREFIX_TABLE(classifier4); /* one value, the whole image */
PREFIX_TABLE(classifier6);

#define CLASSIFIER_LAYOUT4 ((const struct classifier_layout *)CLASSIFIER_PLACEHOLDER4)
#define CLASSIFIER_LAYOUT6 ((const struct classifier_layout *)CLASSIFIER_PLACEHOLDER6)

/* 0 when the extra of that number holds the key. */
__noinline __u64 classify_extra4(const struct filter_key *key, __u32 number)
{
	const __u8 *image;

	if (!CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT4, extras_mask))
		return 1; /* see UNUSED in packet.h */
	image = bpf_map_lookup_elem(&classifier4, &(__u32){ 0 });
	return image && key ? classifier_extra(image, CLASSIFIER_LAYOUT4, key, number) : 1;
}

__noinline __u64 classify_extra6(const struct filter_key *key, __u32 number)
{
	const __u8 *image;

	if (!CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT6, extras_mask))
		return 1; /* see UNUSED in packet.h */
	image = bpf_map_lookup_elem(&classifier6, &(__u32){ 0 });
	return image && key ? classifier_extra(image, CLASSIFIER_LAYOUT6, key, number) : 1;
}

struct classify_linear {
	const struct filter_key *key;
	__u64 best;
};

/* One leaf of the linear rest; 1 ends the loop. A function of its own, so that the verifier checks it once. */
static long classify_linear4(__u32 number, struct classify_linear *linear)
{
	const __u8 *image = bpf_map_lookup_elem(&classifier4, &(__u32){ 0 });
	__u64 byte = number * (CLASSIFIER_LEAF_MAX * CLASSIFIER4_BOX);
	__u64 best = linear->best;

	byte += CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT4, linear);
	byte &= CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT4, entry_mask) << CLASSIFIER_BYTES_SHIFT;
	if (!image || classifier_word(image, byte + 8) >> CLASSIFIER_RULE_BIT >= best)
		return 1;
	linear->best = classifier4_scan(image, CLASSIFIER_LAYOUT4, linear->key, byte, best);
	return linear->best != best;
}

static long classify_linear6(__u32 number, struct classify_linear *linear)
{
	const __u8 *image = bpf_map_lookup_elem(&classifier6, &(__u32){ 0 });
	__u64 byte = number * (CLASSIFIER_LEAF_MAX * CLASSIFIER6_BOX);
	__u64 best = linear->best;

	byte += CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT6, linear);
	byte &= CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT6, entry_mask) << CLASSIFIER_BYTES_SHIFT;
	if (!image || classifier_word(image, byte + 32) >> CLASSIFIER_RULE_BIT >= best)
		return 1;
	linear->best = classifier6_scan(image, CLASSIFIER_LAYOUT6, linear->key, byte, best);
	return linear->best != best;
}

/* The lowest number of a rule that matches, CLASSIFIER_NONE when none does. */
static __always_inline __u32 classify4(const struct filter_key *key)
{
	struct classify_linear linear = { .key = key, .best = CLASSIFIER_NONE };
	const __u8 *image;

	if (!CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT4, end))
		return CLASSIFIER_NONE;
	image = bpf_map_lookup_elem(&classifier4, &(__u32){ 0 });
	if (!image)
		return CLASSIFIER_NONE;
	linear.best = classifier4_forest(image, CLASSIFIER_LAYOUT4, key);
	if (CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT4, linear_leaves) &&
	    CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT4, linear_first) < linear.best)
		bpf_loop(CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT4, linear_leaves), classify_linear4, &linear, 0);
	return linear.best;
}

static __always_inline __u32 classify6(const struct filter_key *key)
{
	struct classify_linear linear = { .key = key, .best = CLASSIFIER_NONE };
	const __u8 *image;

	if (!CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT6, end))
		return CLASSIFIER_NONE;
	image = bpf_map_lookup_elem(&classifier6, &(__u32){ 0 });
	if (!image)
		return CLASSIFIER_NONE;
	linear.best = classifier6_forest(image, CLASSIFIER_LAYOUT6, key);
	if (CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT6, linear_leaves) &&
	    CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT6, linear_first) < linear.best)
		bpf_loop(CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT6, linear_leaves), classify_linear6, &linear, 0);
	return linear.best;
}

#endif
