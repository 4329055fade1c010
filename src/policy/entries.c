// SPDX-License-Identifier: BSD-2-Clause
#include "policy/entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/memory.h"
#include "policy/policy.h"
#include "policy/set_file.h"

int timeout_parse(const char *text, struct location where, uint64_t *seconds, struct error *error)
{
	uint64_t parsed = 0;
	int err;

	if (!strcmp(text, "never")) {
		*seconds = TIMEOUT_NEVER;
		return 0;
	}
	err = duration_parse(text, &parsed);
	if (!err && parsed >= 1 && parsed <= SET_TIMEOUT_MAX) {
		*seconds = parsed;
		return 0;
	}
	if (err == -EINVAL)
		error_at(error, where, "`%.80s` is not a time", text);
	else
		error_at(error, where, "%.80s is %s", text,
			 !err && !parsed ? "no time at all" : "longer than a timeout can be");
	error_hint(error, "write it as 90s, 10m, 1h or 7d, from 1s to %llud, or never",
		   (unsigned long long)SET_TIMEOUT_MAX / 86400);
	return -EINVAL;
}

void entries_add(struct set_entries *list, struct prefix prefix, uint64_t timeout)
{
	list->items = xgrow(list->items, list->count, &list->capacity, sizeof(*list->items));
	list->items[list->count++] = (struct set_entry){ .prefix = prefix, .timeout = timeout };
}

void entries_free(struct set_entries *list)
{
	free(list->items);
	*list = (struct set_entries){ 0 };
}

struct reading {
	struct set_entries *list;
	uint64_t timeout;
};

/* What follows the prefix: nothing, or "timeout TIME". */
static int read_timeout(const struct set_line *line, uint64_t *timeout, struct error *error)
{
	static const char word[] = "timeout";
	struct location where = line->rest_where;
	size_t length = strcspn(line->rest, BLANKS);
	char *time = line->rest + length;
	int err;

	time += strspn(time, BLANKS);
	if (length != strlen(word) || strncmp(line->rest, word, length) != 0 || !*time) {
		err = error_at(error, where, "a line has one prefix, and may say how long it stays");
		error_hint(error, "as in: 192.0.2.7 timeout 10m");
		return err;
	}
	for (char *end = time + strlen(time); strchr(BLANKS, end[-1]); end--)
		end[-1] = '\0';
	where.column += (int)(time - line->rest);
	return timeout_parse(time, where, timeout, error);
}

static int take_entry(const struct set_line *line, void *context, struct error *error)
{
	struct reading *reading = context;
	uint64_t timeout = reading->timeout;
	struct prefix prefix;
	int err;

	err = prefix_parse(line->word, line->where, &prefix, error);
	if (!err && *line->rest)
		err = read_timeout(line, &timeout, error);
	if (!err)
		entries_add(reading->list, prefix, timeout);
	return err;
}

int entries_read(struct set_entries *list, char *text, size_t length, const char *file, uint64_t timeout,
		 struct error *error)
{
	struct reading reading = { .list = list, .timeout = timeout };
	size_t before = list->count;
	int err = set_lines_read(text, length, file, take_entry, &reading, error);

	if (err)
		list->count = before;
	return err;
}

/* While sorting, `index` is the place in the list. */
struct placed {
	struct set_entry entry;
	size_t index;
};

static int compare(const void *left, const void *right)
{
	const struct placed *a = left, *b = right;
	int order = prefix_compare(&a->entry.prefix, &b->entry.prefix);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

void entries_settle(struct set_entries *list)
{
	CLEANUP_FREE struct placed *placed = xcalloc(list->count, sizeof(*placed));
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		placed[i] = (struct placed){ .entry = list->items[i], .index = i };
	if (list->count)
		qsort(placed, list->count, sizeof(*placed), compare);
	for (size_t i = 0; i < list->count; i++) {
		if (kept && !prefix_compare(&list->items[kept - 1].prefix, &placed[i].entry.prefix))
			kept--;
		list->items[kept++] = placed[i].entry;
	}
	list->count = kept;
}
