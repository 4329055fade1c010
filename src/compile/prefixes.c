// SPDX-License-Identifier: BSD-2-Clause
#include "compile/prefixes.h"

#include <stdlib.h>

#include "base/memory.h"

/* Prefixes that cover one another, the widest first; at most one of each length. */
#define NESTING_MAX (128 + 1)

void prefix_table_add(struct prefix_table *table, struct prefix prefix, uint32_t value)
{
	table->entries = xgrow(table->entries, table->count, &table->capacity, sizeof(*table->entries));
	table->entries[table->count++] = (struct entry){ .prefix = prefix, .value = value };
}

void prefix_table_free(struct prefix_table *table)
{
	free(table->entries);
	*table = (struct prefix_table){ 0 };
}

static int compare(const void *left, const void *right)
{
	const struct entry *a = left;
	const struct entry *b = right;

	return prefix_compare(&a->prefix, &b->prefix);
}

/* The value of an address that entries of both values cover. */
static uint32_t stronger(uint32_t a, uint32_t b)
{
	if (a == PREFIX_EXCEPT || b == PREFIX_EXCEPT)
		return PREFIX_EXCEPT;
	return a < b ? a : b; /* PREFIX_NONE is above every rule */
}

/* Values are bits: the address has those of all entries that cover it. */
static uint32_t united(uint32_t a, uint32_t b)
{
	if (a == PREFIX_NONE || b == PREFIX_NONE)
		return a == PREFIX_NONE ? b : a;
	return a | b;
}

static void settle(struct prefix_table *table, uint32_t (*combine)(uint32_t a, uint32_t b))
{
	struct entry covering[NESTING_MAX];
	size_t depth = 0;
	size_t kept = 0;

	if (table->count)
		qsort(table->entries, table->count, sizeof(*table->entries), compare);

	for (size_t i = 0; i < table->count;) {
		struct entry entry = table->entries[i++];
		uint32_t outside;

		while (i < table->count && !prefix_compare(&table->entries[i].prefix, &entry.prefix))
			entry.value = combine(entry.value, table->entries[i++].value);

		while (depth && !prefix_covers(&covering[depth - 1].prefix, &entry.prefix))
			depth--;
		outside = depth ? covering[depth - 1].value : PREFIX_NONE;
		entry.value = combine(entry.value, outside);
		if (entry.value == outside)
			continue;
		covering[depth++] = entry;
		table->entries[kept++] = entry;
	}
	table->count = kept;
}

void prefix_table_settle(struct prefix_table *table)
{
	settle(table, stronger);
}

void prefix_table_unite(struct prefix_table *table)
{
	settle(table, united);
}
