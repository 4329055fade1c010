/* SPDX-License-Identifier: BSD-2-Clause */
/* The distinct values of a prefix table, numbered, so that its image can say each in 16 bits. */
#ifndef SLUICE_COMPILE_DICTIONARY_H
#define SLUICE_COMPILE_DICTIONARY_H

#include "compile/compile.h"
#include "compile/image.h"
#include "sluice/counter.h"
#include "sluice/filter.h"

/* Values below this: indices of the block's rules, and all bits of the filter's static sets. */
#define DICTIONARY_VALUES (1 << FILTER_STATIC_SETS_MAX)
_Static_assert(RULES_MAX <= DICTIONARY_VALUES, "any rule of a block can be a value");

struct dictionary {
	uint32_t values[DICTIONARY_VALUES + 2];	 /* by number; 0 is PREFIX_NONE */
	uint16_t numbers[DICTIONARY_VALUES + 1]; /* by value, PREFIX_EXCEPT last; 0: not in use */
	size_t count;
};

/* Numbers the values of a settled table. */
void dictionary_fill(struct dictionary *dictionary, const struct prefix_table *table);

uint16_t dictionary_number(const struct dictionary *dictionary, uint32_t value);

/* With a single value an image needs no numbers. */
bool dictionary_is_single(const struct dictionary *dictionary);

/* Makes the image of `words`, which it takes over: the first `count` are written. Appends the dictionary, and sets all
 * of the layout but `values` and `lengths`. */
void image_finish(__u64 *words, size_t count, const struct dictionary *dictionary, struct image *out);

#endif
