// SPDX-License-Identifier: BSD-2-Clause
/* As few prefixes as cover the same addresses, and the set file of them. */
#include <stdlib.h>
#include <string.h>

#include "import/blocklist.h"

/* True when the two, of which none covers the other, are the halves of one prefix. */
static bool are_halves(const struct prefix *low, const struct prefix *high)
{
	struct prefix whole = *high;

	if (low->version != high->version || low->length != high->length)
		return false;
	prefix_shorten(&whole, high->length - 1);
	return prefix_covers(&whole, low);
}

void blocklist_merge(struct blocklist *list)
{
	struct prefix *items = list->prefixes.items;
	size_t kept = 0;

	if (list->prefixes.count)
		qsort(items, list->prefixes.count, sizeof(*items), prefix_compare);
	/* In that order, what covers a prefix is the last one that was kept, and so is its other half. */
	for (size_t i = 0; i < list->prefixes.count; i++) {
		struct prefix item = items[i];

		if (kept && prefix_covers(&items[kept - 1], &item)) {
			if (items[kept - 1].length == item.length)
				list->twice++;
			else
				list->inside++;
			continue;
		}
		while (kept && are_halves(&items[kept - 1], &item)) {
			prefix_shorten(&item, item.length - 1);
			kept--;
			list->joined++;
		}
		items[kept++] = item;
	}
	list->prefixes.count = kept;
}

void blocklist_print(const struct blocklist *list, const char *source, FILE *out)
{
	char text[PREFIX_TEXT_MAX];

	fputs("# from ", out);
	error_print_text(out, source);
	fprintf(out, ": %zu prefix%s\n", list->prefixes.count, list->prefixes.count == 1 ? "" : "es");
	for (size_t i = 0; i < list->prefixes.count; i++) {
		fputs(prefix_print(&list->prefixes.items[i], text), out);
		putc('\n', out);
	}
}
