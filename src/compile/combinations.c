// SPDX-License-Identifier: BSD-2-Clause
#include "compile/combinations.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static size_t hash(const uint64_t *words, size_t width)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < width; i++) {
		sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15;
		sum ^= sum >> 29;
	}
	return sum ^ sum >> 32;
}

/* The slot of the combination, or the free one where it belongs. */
static uint32_t *find(const struct combinations *combinations, const uint64_t *words)
{
	size_t width = combinations->width, mask = combinations->slot_count - 1;

	for (size_t i = hash(words, width) & mask;; i = (i + 1) & mask) {
		uint32_t *slot = &combinations->slots[i];

		if (!*slot || !memcmp(combinations->words + (*slot - 1) * width, words, width * sizeof(*words)))
			return slot;
	}
}

static void grow(struct combinations *combinations)
{
	combinations->slot_count = combinations->slot_count ? combinations->slot_count * 2 : 64;
	free(combinations->slots);
	combinations->slots = xcalloc(combinations->slot_count, sizeof(*combinations->slots));
	for (size_t i = 0; i < combinations->count; i++)
		*find(combinations, combinations->words + i * combinations->width) = i + 1;
}

uint32_t combinations_number(struct combinations *combinations, const uint64_t *words)
{
	size_t width = combinations->width;
	uint32_t *slot;

	if (combinations->count * 2 >= combinations->slot_count)
		grow(combinations);
	slot = find(combinations, words);
	if (*slot)
		return *slot - 1;
	combinations->words =
		xgrow(combinations->words, combinations->count, &combinations->capacity, width * sizeof(*words));
	memcpy(combinations->words + combinations->count * width, words, width * sizeof(*words));
	*slot = ++combinations->count;
	return *slot - 1;
}

void combinations_free(struct combinations *combinations)
{
	free(combinations->words);
	free(combinations->slots);
	*combinations = (struct combinations){ .width = combinations->width };
}
