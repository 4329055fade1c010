// SPDX-License-Identifier: BSD-2-Clause
#include "compile/heap.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sluice/classifier4.h"
#include "sluice/classifier6.h"

#define PAGE 4096

size_t heap_take(struct heap *heap, size_t size, size_t alignment)
{
	size_t byte = (heap->size + alignment - 1) & ~(alignment - 1), end = byte + size, capacity = heap->capacity;

	if (heap->full || end > CLASSIFIER_END_MAX) {
		heap->full = true;
		return 0;
	}
	while (capacity < end)
		capacity = capacity ? capacity * 2 : 1 << 16;
	if (capacity > heap->capacity) {
		heap->bytes = xrealloc(heap->bytes, capacity, 1);
		memset(heap->bytes + heap->capacity, 0, capacity - heap->capacity);
		heap->capacity = capacity;
	}
	heap->size = end;
	return byte;
}

static size_t power_of_two(size_t least)
{
	size_t power = PAGE;

	while (power < least)
		power *= 2;
	return power;
}

/* Dictionaries have a power of two as their size, so that a mask keeps a number inside. */
static size_t write_combinations(struct heap *heap, const struct combinations *from, size_t step, size_t *size)
{
	size_t byte;

	*size = step;
	while (*size < from->count * step)
		*size *= 2;
	byte = heap_take(heap, *size, 64);
	for (size_t i = 0; i < from->count && !heap->full; i++)
		memcpy(heap->bytes + byte + i * step, from->words + i * from->width, from->width * sizeof(uint64_t));
	return byte;
}

static void write_masks(struct heap *heap, const struct boxes *boxes)
{
	size_t byte;

	if (boxes->version == 4) {
		byte = heap_take(heap, boxes->masks.count * sizeof(uint64_t), 8);
		memcpy(heap->bytes + byte, boxes->masks.words, boxes->masks.count * sizeof(uint64_t));
		return;
	}
	byte = heap_take(heap, 129 * 2 * sizeof(uint64_t), 8);
	for (int length = 0; length <= 128; length++) {
		uint64_t masks[2];

		length_masks(length, masks);
		memcpy(heap->bytes + byte + length * sizeof(masks), masks, sizeof(masks));
	}
}

void heap_begin(struct heap *heap, const struct boxes *boxes)
{
	*heap = (struct heap){ 0 };
	heap_take(heap, CLASSIFIER_MASKS, 1);
	write_masks(heap, boxes);
	heap->lanes = write_combinations(heap, &boxes->lanes, 2 * sizeof(uint64_t), &heap->lanes_size);
	if (boxes->extras.count > 1)
		heap->extras =
			write_combinations(heap, &boxes->extras, 1 << CLASSIFIER_EXTRA_SHIFT, &heap->extras_size);
}

void heap_free(struct heap *heap)
{
	free(heap->bytes);
	*heap = (struct heap){ 0 };
}

size_t heap_box_size(int version)
{
	return version == 4 ? CLASSIFIER4_BOX : CLASSIFIER6_BOX;
}

static void write_box4(uint8_t *at, const struct box *box, uint64_t meta)
{
	uint64_t words[2] = { box->words[0] };

	words[1] = meta | (uint64_t)box->mask << 3 | (uint64_t)box->extra << CLASSIFIER4_EXTRA_BIT;
	memcpy(at, words, sizeof(words));
}

static void write_box6(uint8_t *at, const struct box *box, uint64_t meta)
{
	uint64_t words[6];

	memcpy(words, box->words, 4 * sizeof(*words));
	words[4] = meta | (uint64_t)box->source_length << CLASSIFIER6_SOURCE_BIT |
		   (uint64_t)box->destination_length << CLASSIFIER6_DESTINATION_BIT;
	words[5] = box->extra;
	memcpy(at, words, sizeof(words));
}

void heap_write_leaf(struct heap *heap, size_t byte, const struct boxes *boxes, const uint32_t *numbers, size_t count)
{
	size_t size = heap_box_size(boxes->version);

	for (size_t i = 0; i < count; i++) {
		const struct box *box = &boxes->items[numbers[i]];
		uint64_t meta = (uint64_t)box->rule << CLASSIFIER_RULE_BIT |
				(uint64_t)box->lanes << CLASSIFIER_LANES_BIT | (i + 1 == count ? CLASSIFIER_LAST : 0);

		(boxes->version == 4 ? write_box4 : write_box6)(heap->bytes + byte + i * size, box, meta);
	}
}

size_t heap_layout(const struct heap *heap, struct classifier_layout *layout)
{
	size_t size = power_of_two(heap->size);

	layout->end = heap->size;
	layout->entry_mask = (size - 1) / CLASSIFIER_UNIT << CLASSIFIER_OFFSET_SHIFT;
	layout->lanes = heap->lanes;
	layout->lanes_mask = heap->lanes_size - 2 * sizeof(uint64_t);
	layout->extras = heap->extras;
	layout->extras_mask = heap->extras_size ? heap->extras_size - (1 << CLASSIFIER_EXTRA_SHIFT) : 0;
	return size + CLASSIFIER_SLACK;
}
