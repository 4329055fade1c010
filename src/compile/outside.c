// SPDX-License-Identifier: BSD-2-Clause
#include "compile/outside.h"

#include <stdlib.h>

void prefixes_settle(struct prefixes *list)
{
	size_t kept = 0;

	if (list->count < 2)
		return;
	qsort(list->items, list->count, sizeof(*list->items), prefix_compare);
	/* A prefix comes right before all that it covers. */
	for (size_t i = 1; i < list->count; i++) {
		if (!prefix_covers(&list->items[kept], &list->items[i]))
			list->items[++kept] = list->items[i];
	}
	list->count = kept + 1;
}

size_t prefixes_of_family(const struct prefixes *list, int version, size_t *first)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (list->items[middle].version == 4)
			low = middle + 1;
		else
			high = middle;
	}
	*first = version == 4 ? 0 : low;
	return version == 4 ? low : list->count - low;
}

/* The half of a prefix in which the next bit is 0, or 1. */
static struct prefix half(const struct prefix *whole, int bit)
{
	struct prefix result = *whole;

	if (bit)
		result.address[whole->length / 8] |= (uint8_t)(0x80 >> whole->length % 8);
	result.length++;
	return result;
}

size_t prefixes_outside_in(const struct prefix *items, size_t count, const struct prefix *whole, struct prefixes *out)
{
	struct prefix halves[2];
	size_t first = 0;

	if (!count) {
		if (out)
			prefixes_add(out, *whole);
		return 1;
	}
	if (items[0].length == whole->length)
		return 0;
	halves[0] = half(whole, 0);
	halves[1] = half(whole, 1);
	while (first < count && prefix_covers(&halves[0], &items[first]))
		first++;
	return prefixes_outside_in(items, first, &halves[0], out) +
	       prefixes_outside_in(items + first, count - first, &halves[1], out);
}

size_t prefixes_outside(const struct prefixes *list, int version, struct prefixes *out)
{
	struct prefix all = { .version = (uint8_t)version };
	size_t first;
	size_t count = prefixes_of_family(list, version, &first);

	return prefixes_outside_in(list->items + first, count, &all, out);
}
