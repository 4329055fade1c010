/* SPDX-License-Identifier: BSD-2-Clause */
/* Combinations of a fixed number of words, each kept once and known by its number. */
#ifndef SLUICE_COMPILE_COMBINATIONS_H
#define SLUICE_COMPILE_COMBINATIONS_H

#include <stddef.h>
#include <stdint.h>

struct combinations {
	size_t width;	 /* words of each; set by whoever begins */
	uint64_t *words; /* owned; `width` for each, in the order of their numbers */
	size_t count, capacity;
	uint32_t *slots; /* owned; number + 1 by hash, 0: free */
	size_t slot_count;
};

/* The number of the combination, which is a new one when *count grows. */
uint32_t combinations_number(struct combinations *combinations, const uint64_t *words);
void combinations_free(struct combinations *combinations);

#endif
