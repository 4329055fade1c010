// SPDX-License-Identifier: BSD-2-Clause
#include "compile/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compile/dictionary.h"

static size_t place(uint32_t value)
{
	return value == PREFIX_EXCEPT ? DICTIONARY_VALUES : value;
}

void dictionary_fill(struct dictionary *dictionary, const struct prefix_table *table)
{
	*dictionary = (struct dictionary){ .values = { PREFIX_NONE }, .count = 1 };
	for (size_t i = 0; i < table->count; i++) {
		uint32_t value = table->entries[i].value;

		if (dictionary->numbers[place(value)])
			continue;
		dictionary->numbers[place(value)] = dictionary->count;
		dictionary->values[dictionary->count++] = value;
	}
}

uint16_t dictionary_number(const struct dictionary *dictionary, uint32_t value)
{
	return dictionary->numbers[place(value)];
}

bool dictionary_is_single(const struct dictionary *dictionary)
{
	return dictionary->count == 2;
}

void image_finish(__u64 *words, size_t count, const struct dictionary *dictionary, struct image *out)
{
	size_t end = count + (dictionary->count + 1) / 2;

	words = xrealloc(words, end + PREFIX_SLACK, sizeof(*words));
	memset(words + count, 0, (end + PREFIX_SLACK - count) * sizeof(*words));
	memcpy(words + count, dictionary->values, dictionary->count * sizeof(*dictionary->values));
	*out = (struct image){
		.words = words,
		.count = end + PREFIX_SLACK,
		.values = dictionary->count,
		.layout = { .end = end, .dictionary = count },
	};
}

uint32_t *image_dictionary(const struct image *image)
{
	return (uint32_t *)(image->words + image->layout.dictionary);
}

void image_free(struct image *image)
{
	free(image->words);
	*image = (struct image){ 0 };
}
