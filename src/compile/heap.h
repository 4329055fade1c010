/* SPDX-License-Identifier: BSD-2-Clause */
/* The image of a classifier while it is built: grows, never moves what has an offset. */
#ifndef SLUICE_COMPILE_HEAP_H
#define SLUICE_COMPILE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compile/box.h"
#include "sluice/classifier.h"

struct heap {
	uint8_t *bytes; /* owned; those that nobody wrote are 0 */
	size_t size, capacity;
	bool full; /* something did not fit below CLASSIFIER_END_MAX: what was built is no image */
	/* Bytes where they begin, of the combinations that boxes name. */
	size_t lanes, lanes_size, extras, extras_size;
};

/* Writes masks, lanes and extras, in front of everything. */
void heap_begin(struct heap *heap, const struct boxes *boxes);
void heap_free(struct heap *heap);

/* Room for `size` bytes at a multiple of `alignment`, a power of two; 0, and `full`, when there is none. */
size_t heap_take(struct heap *heap, size_t size, size_t alignment);

/* Bytes of a box in a leaf. */
size_t heap_box_size(int version);

/* Writes boxes in a row, the last marked. */
void heap_write_leaf(struct heap *heap, size_t byte, const struct boxes *boxes, const uint32_t *numbers, size_t count);

/* The layout but for groups and linear rest, and the size that the map has to have, in bytes. */
size_t heap_layout(const struct heap *heap, struct classifier_layout *layout);

#endif
