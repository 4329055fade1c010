// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "base/memory.h"
#include "import/terms.h"

static int compare(const void *left, const void *right)
{
	const struct range *a = left, *b = right;

	return a->low < b->low ? -1 : a->low > b->low;
}

struct ranges ranges_make(struct pool *pool, const struct range *items, size_t count)
{
	struct range *made = pool_copy(pool, items, count * sizeof(*items));
	size_t kept = 0;

	if (count)
		qsort(made, count, sizeof(*made), compare);
	for (size_t i = 0; i < count; i++) {
		if (kept && made[i].low <= made[kept - 1].high + 1) {
			if (made[i].high > made[kept - 1].high)
				made[kept - 1].high = made[i].high;
		} else {
			made[kept++] = made[i];
		}
	}
	return (struct ranges){ .items = made, .count = kept, .given = true };
}

struct ranges ranges_one(struct pool *pool, uint32_t low, uint32_t high)
{
	struct range range = { low, high };

	return ranges_make(pool, &range, 1);
}

struct ranges ranges_not(struct pool *pool, const struct ranges *ranges, uint32_t last)
{
	struct range *made = pool_alloc(pool, (ranges->count + 1) * sizeof(*made));
	uint32_t next = 0;
	size_t count = 0;

	for (size_t i = 0; i < ranges->count; i++) {
		if (ranges->items[i].low > next)
			made[count++] = (struct range){ next, ranges->items[i].low - 1 };
		next = ranges->items[i].high + 1;
	}
	if (next <= last)
		made[count++] = (struct range){ next, last };
	return (struct ranges){ .items = made, .count = count, .given = true };
}

bool ranges_apart(const struct ranges *a, const struct ranges *b)
{
	if (!a->given || !b->given)
		return false;
	for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
		if (a->items[i].high < b->items[j].low)
			i++;
		else if (b->items[j].high < a->items[i].low)
			j++;
		else
			return false;
	}
	return true;
}

struct ranges ranges_and(struct pool *pool, const struct ranges *a, const struct ranges *b)
{
	struct range *made;
	size_t count = 0;

	if (!a->given)
		return *b;
	if (!b->given)
		return *a;
	made = pool_alloc(pool, (a->count + b->count) * sizeof(*made));
	for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
		uint32_t low = a->items[i].low > b->items[j].low ? a->items[i].low : b->items[j].low;
		uint32_t high = a->items[i].high < b->items[j].high ? a->items[i].high : b->items[j].high;

		if (low <= high)
			made[count++] = (struct range){ low, high };
		if (a->items[i].high < b->items[j].high)
			i++;
		else
			j++;
	}
	return (struct ranges){ .items = made, .count = count, .given = true };
}
