/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The classifiers: maps and entries, one of each for every ordered list of rules. Constants of their groups are
 * placeholders in the code until src/datapath/classifier.c replaces them, before load; where a list has no rules of a
 * family, all of this is deleted by the verifier and its map is not created.
 */
#ifndef SLUICE_BPF_CLASSIFY_H
#define SLUICE_BPF_CLASSIFY_H

#include "key.h"
#include "prefixes.h"
#include "sluice/classifier4.h"
#include "sluice/classifier6.h"

#define CLASSIFIER_LAYOUT(list, version) ((const struct classifier_layout *)CLASSIFIER_PLACEHOLDER(list, version))

/* 0 when the extra of that number holds the key. */
static __always_inline __u64 classify_extra(void *map, const struct classifier_layout *layout,
					    const struct filter_key *key, __u32 number)
{
	const __u8 *image;

	if (!CLASSIFIER_CONSTANT(layout, extras_mask))
		return 1; /* see UNUSED in packet.h */
	image = bpf_map_lookup_elem(map, &(__u32){ 0 });
	return image && key ? classifier_extra(image, layout, key, number) : 1;
}

struct classify_linear {
	const struct filter_key *key;
	__u64 best;
};

typedef long classify_leaf(__u32 number, struct classify_linear *linear);

/* One leaf of the linear rest; 1 ends the loop. */
static __always_inline long classify_linear4(void *map, const struct classifier_layout *layout, __u32 number,
					     struct classify_linear *linear)
{
	const __u8 *image = bpf_map_lookup_elem(map, &(__u32){ 0 });
	__u64 byte = number * (CLASSIFIER_LEAF_MAX * CLASSIFIER4_BOX);
	__u64 best = linear->best;

	byte += CLASSIFIER_CONSTANT(layout, linear);
	byte &= CLASSIFIER_CONSTANT(layout, entry_mask) << CLASSIFIER_BYTES_SHIFT;
	if (!image || classifier_word(image, byte + 8) >> CLASSIFIER_RULE_BIT >= best)
		return 1;
	linear->best = classifier4_scan(image, layout, linear->key, byte, best);
	return linear->best != best;
}

static __always_inline long classify_linear6(void *map, const struct classifier_layout *layout, __u32 number,
					     struct classify_linear *linear)
{
	const __u8 *image = bpf_map_lookup_elem(map, &(__u32){ 0 });
	__u64 byte = number * (CLASSIFIER_LEAF_MAX * CLASSIFIER6_BOX);
	__u64 best = linear->best;

	byte += CLASSIFIER_CONSTANT(layout, linear);
	byte &= CLASSIFIER_CONSTANT(layout, entry_mask) << CLASSIFIER_BYTES_SHIFT;
	if (!image || classifier_word(image, byte + 32) >> CLASSIFIER_RULE_BIT >= best)
		return 1;
	linear->best = classifier6_scan(image, layout, linear->key, byte, best);
	return linear->best != best;
}

/* The lowest number of a rule that matches, but for the linear rest; CLASSIFIER_NONE when none does. */
static __always_inline __u32 classify4(void *map, const struct classifier_layout *layout, const struct filter_key *key)
{
	const __u8 *image;

	if (!CLASSIFIER_CONSTANT(layout, end))
		return CLASSIFIER_NONE;
	image = bpf_map_lookup_elem(map, &(__u32){ 0 });
	return image ? classifier4_forest(image, layout, key) : CLASSIFIER_NONE;
}

static __always_inline __u32 classify6(void *map, const struct classifier_layout *layout, const struct filter_key *key)
{
	const __u8 *image;

	if (!CLASSIFIER_CONSTANT(layout, end))
		return CLASSIFIER_NONE;
	image = bpf_map_lookup_elem(map, &(__u32){ 0 });
	return image ? classifier6_forest(image, layout, key) : CLASSIFIER_NONE;
}

/* Constant. Few rules are constants of the program, all of them. */
static __always_inline int classify_has_rest(const struct classifier_layout *layout)
{
	return CLASSIFIER_CONSTANT(layout, linear_leaves) && !CLASSIFIER_CONSTANT(layout, straight_count);
}

/* What the linear rest has below `best`, which is what the other rules said. */
static __always_inline __u32 classify_walk(const struct classifier_layout *layout, classify_leaf *leaf, __u32 best)
{
	struct classify_linear linear = { .best = best };

	if (!classify_has_rest(layout))
		return best; /* see UNUSED in packet.h */
	linear.key = bpf_map_lookup_elem(&filter_keys, &(__u32){ 0 });
	if (linear.key)
		bpf_loop(CLASSIFIER_CONSTANT(layout, linear_leaves), leaf, &linear, 0);
	return linear.best;
}

/* The classifier of one list (enum classifier_list) and version of IP: its map, named `name` with the version, and
 * name_number: the number of the rule, CLASSIFIER_NONE when none matches, which name_rest then has to settle: not in
 * one function, because of the stack that calls within calls take. `sets` is of key_sets; `filled` is a constant, and
 * says that an earlier stage has filled the key. Where the rules are so few that all are constants of the program, the
 * key is too fleeting to be put anywhere. The linear rest, its leaves and extras are functions of their own, so that the
 * verifier checks them once. */
#define CLASSIFIER(name, list, version) \
	PREFIX_TABLE(name##version); /* one value, the whole image */ \
\
	__noinline __u64 name##_extra##version(const struct filter_key *key, __u32 number) \
	{ \
		return classify_extra(&name##version, CLASSIFIER_LAYOUT(list, version), key, number); \
	} \
\
	static long name##_linear##version(__u32 number, struct classify_linear *linear) \
	{ \
		return classify_linear##version(&name##version, CLASSIFIER_LAYOUT(list, version), number, linear); \
	} \
\
	static __always_inline __u32 name##_number##version(struct xdp_md *ctx, const struct packet *pkt, __u64 sets, \
							    int filled) \
	{ \
		const struct classifier_layout *layout = CLASSIFIER_LAYOUT(list, version); \
		const struct filter_key *key; \
\
		if (CLASSIFIER_CONSTANT(layout, straight_count)) { \
			struct filter_key here = {}; \
\
			fill_key##version(ctx, pkt, sets, &here); \
			return classifier##version##_straight(layout, &here); \
		} \
		key = key##version(ctx, pkt, sets, filled); \
		return key ? classify##version(&name##version, layout, key) : CLASSIFIER_NONE; \
	} \
\
	__noinline __u32 name##_walk##version(__u32 best) \
	{ \
		return classify_walk(CLASSIFIER_LAYOUT(list, version), name##_linear##version, best); \
	} \
\
	static __always_inline __u32 name##_rest##version(__u32 best) \
	{ \
		const struct classifier_layout *layout = CLASSIFIER_LAYOUT(list, version); \
\
		if (!classify_has_rest(layout) || CLASSIFIER_CONSTANT(layout, linear_first) >= best) \
			return best; \
		return name##_walk##version(best); \
	}

CLASSIFIER(classifier, CLASSIFIER_FILTER, 4)
CLASSIFIER(classifier, CLASSIFIER_FILTER, 6)
CLASSIFIER(limit, CLASSIFIER_LIMIT, 4)
CLASSIFIER(limit, CLASSIFIER_LIMIT, 6)

/* By its layout, which is constant where this is inlined. */
static __always_inline __u64 classify_extra4(const struct classifier_layout *layout, const struct filter_key *key,
					     __u32 number)
{
	if (layout == CLASSIFIER_LAYOUT(CLASSIFIER_LIMIT, 4))
		return limit_extra4(key, number);
	return classifier_extra4(key, number);
}

static __always_inline __u64 classify_extra6(const struct classifier_layout *layout, const struct filter_key *key,
					     __u32 number)
{
	if (layout == CLASSIFIER_LAYOUT(CLASSIFIER_LIMIT, 6))
		return limit_extra6(key, number);
	return classifier_extra6(key, number);
}

#endif
