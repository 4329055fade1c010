/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trees of cuts: boxes in, the entry of a tree out whose leaves are short. A cut looks at a window of bits of one
 * field; a box that goes through several of its entries is stored in each, within bounds.
 */
#ifndef SLUICE_COMPILE_TREE_H
#define SLUICE_COMPILE_TREE_H

#include <stdint.h>

#include "compile/box.h"
#include "compile/heap.h"

/* Where the boxes of a tree are known to lie. */
struct region {
	struct range ranges[FIELDS_MAX];
	uint64_t fixed[FIELDS_MAX]; /* bits that are the same in all of the range */
	uint64_t used[FIELDS_MAX];  /* those, and bits that have been cut: to cut them again parts nothing */
};

struct trees {
	const struct boxes *boxes;
	struct heap *heap;
	size_t soft, hard; /* bytes of the heap: beyond the first there are no more cuts, beyond the second no leaves */
	uint64_t windows[CLASSIFIER_WINDOWS];
	unsigned window_count;
	/* Boxes that a leaf had no room for, by number: they have to be found in another way. */
	uint8_t *evicted; /* borrowed */
	size_t stored;
	unsigned longest_leaf;
};

/* The whole space. */
void region_all(const struct space *space, struct region *region);

/* `numbers` are of boxes, ascending, `count` at least 1. Returns an entry, without Bloom filter where it is a leaf. */
uint32_t tree_build(struct trees *trees, const uint32_t *numbers, size_t count, const struct region *region);

#endif
