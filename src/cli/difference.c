// SPDX-License-Identifier: BSD-2-Clause
#include "cli/difference.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/cli.h"

/* A policy in canonical form, line by line. Its definitions (a set, an interface) begin in the first column. */
struct lines {
	char *text;
	char **line;
	size_t count, capacity;
};

static struct lines split(const char *text)
{
	struct lines lines = { .text = xstrdup(text ? text : "") };
	char *rest = lines.text;
	char *line;

	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue; /* blank lines only divide */
		lines.line = xgrow(lines.line, lines.count, &lines.capacity, sizeof(*lines.line));
		lines.line[lines.count++] = line;
	}
	return lines;
}

static void lines_free(struct lines *lines)
{
	free(lines->line);
	free(lines->text);
}

/* Lines of one definition, the first of which names it. */
struct part {
	char **line;
	size_t count;
};

static bool begins_definition(const char *line)
{
	return *line != ' ' && *line != '}';
}

/* The definition that begins at line `at`. */
static struct part part_at(const struct lines *lines, size_t at)
{
	struct part part = { .line = lines->line + at, .count = 1 };

	while (at + part.count < lines->count && !begins_definition(lines->line[at + part.count]))
		part.count++;
	return part;
}

/* "set office", "interface eth0": what comes before the definition's content. */
static size_t name_length(const char *line)
{
	size_t word = strcspn(line, " ");

	return line[word] ? word + 1 + strcspn(line + word + 1, " ") : word;
}

/* The definition of the same kind and name; of no lines when there is none. */
static struct part find_part(const struct lines *lines, const char *line)
{
	size_t length = name_length(line);

	for (size_t i = 0; i < lines->count; i++) {
		if (begins_definition(lines->line[i]) && name_length(lines->line[i]) == length &&
		    !strncmp(lines->line[i], line, length))
			return part_at(lines, i);
	}
	return (struct part){ 0 };
}

/* How differences are told. */
struct style {
	bool moves; /* a line that stands elsewhere is one that moved, not one that went and one that came */
	bool json;
};

#define DEPTH_MAX 8 /* of blocks in blocks; the language has two */

/* The lines printed last at each depth, so that a change is printed with what it stands in, but that only once. */
struct shown {
	const struct style *style;
	const char *line[DEPTH_MAX];
};

static size_t depth_of(const char *line)
{
	return strspn(line, " ") / 4;
}

static void print_shown(struct shown *shown, char sign, const char *line)
{
	printf("  %c %s\n", sign, line);
	shown->line[depth_of(line)] = line;
	for (size_t depth = depth_of(line) + 1; depth < DEPTH_MAX; depth++)
		shown->line[depth] = NULL;
}

/* A definition that is walked through: the lines that line `at` stands in, by their depth. */
struct walk {
	const struct part *part;
	size_t at;
	const char *above[DEPTH_MAX];
};

static void walk_to(struct walk *walk, size_t at)
{
	for (; walk->at < at; walk->at++) {
		const char *line = walk->part->line[walk->at];

		walk->above[depth_of(line)] = line;
	}
}

static void add_within(json_t *within, const char *line)
{
	const char *text = line + strspn(line, " ");
	size_t length = strlen(text);

	json_array_append_new(within, json_stringn(text, length > 2 ? length - 2 : length)); /* without " {" */
}

static void print_json(char sign, struct walk *walk, size_t at)
{
	const char *line = walk->part->line[at] + strspn(walk->part->line[at], " ");
	const char *change = sign == '-' ? "gone" : sign == '+' ? "new" : "moved";
	json_t *within, *json;

	if (*line == '}')
		return;
	walk_to(walk, at);
	within = json_array();
	for (size_t depth = 0; depth < depth_of(walk->part->line[at]) && walk->above[depth]; depth++)
		add_within(within, walk->above[depth]);
	json = json_pack("{s:s, s:s, s:o}", "change", change, "line", line, "within", within);
	cli_print_line(json);
	json_decref(json);
}

static void print_changed(struct shown *shown, char sign, struct walk *walk, size_t at)
{
	const char *line = walk->part->line[at];

	if (shown->style->json) {
		print_json(sign, walk, at);
		return;
	}
	walk_to(walk, at);
	for (size_t depth = 0; depth < depth_of(line) && walk->above[depth]; depth++) {
		if (!shown->line[depth] || strcmp(shown->line[depth], walk->above[depth]) != 0)
			print_shown(shown, ' ', walk->above[depth]);
	}
	print_shown(shown, sign, line);
}

static void print_part(const struct style *style, char sign, const struct part *part)
{
	struct walk walk = { .part = part };

	for (size_t i = 0; i < part->count; i++) {
		if (style->json)
			print_json(sign, &walk, i);
		else
			printf("  %c %s\n", sign, part->line[i]);
	}
}

#define TABLE_MAX (1UL << 24) /* elements; a larger difference is printed without looking for what it has in common */

/* The longest common subsequence of two definitions' lines: table[a][b] is its length from lines a and b on. NULL when
 * the table would be too large. */
static unsigned *common_lines(const struct part *old, const struct part *new)
{
	size_t width = new->count + 1;
	unsigned *table;

	if (old->count + 1 > TABLE_MAX / width)
		return NULL;
	table = xcalloc((old->count + 1) * width, sizeof(*table));
	for (size_t a = old->count; a-- > 0;) {
		for (size_t b = new->count; b-- > 0;) {
			unsigned down = table[(a + 1) * width + b];
			unsigned right = table[a * width + b + 1];

			if (!strcmp(old->line[a], new->line[b]))
				table[a * width + b] = table[(a + 1) * width + b + 1] + 1;
			else
				table[a * width + b] = down > right ? down : right;
		}
	}
	return table;
}

/* The same lines at the beginning, so that a small change of a long list needs a small table only. */
static size_t common_head(const struct part *old, const struct part *new)
{
	size_t head = 0;

	while (head < old->count && head < new->count && !strcmp(old->line[head], new->line[head]))
		head++;
	return head;
}

/* And at the end, behind the head. */
static size_t common_tail(const struct part *old, const struct part *new, size_t head)
{
	size_t tail = 0;

	while (tail < old->count - head && tail < new->count - head &&
	       !strcmp(old->line[old->count - tail - 1], new->line[new->count - tail - 1]))
		tail++;
	return tail;
}

/* A line that went or came; in the order in which they are told. */
struct edit {
	char sign; /* '-', '+', '>'; 0: told where it stands now */
	size_t at;
	const char *line;
};

struct edits {
	struct edit *items;
	size_t count, capacity;
};

static void add_edit(struct edits *edits, char sign, const struct part *part, size_t at)
{
	edits->items = xgrow(edits->items, edits->count, &edits->capacity, sizeof(*edits->items));
	edits->items[edits->count++] = (struct edit){ sign, at, part->line[at] };
}

static void find_edits(const struct part *old, const struct part *new, struct edits *edits)
{
	size_t head = common_head(old, new);
	size_t tail = common_tail(old, new, head);
	struct part from = { .line = old->line + head, .count = old->count - head - tail };
	struct part to = { .line = new->line + head, .count = new->count - head - tail };
	CLEANUP_FREE unsigned *table = common_lines(&from, &to);
	size_t width = to.count + 1;
	size_t a = 0, b = 0;

	while (a < from.count || b < to.count) {
		if (a < from.count && b < to.count && !strcmp(from.line[a], to.line[b])) {
			a++;
			b++;
		} else if (a < from.count &&
			   (b == to.count || !table || table[(a + 1) * width + b] >= table[a * width + b + 1])) {
			add_edit(edits, '-', old, head + a++);
		} else {
			add_edit(edits, '+', new, head + b++);
		}
	}
}

static int compare_edits(const void *left, const void *right)
{
	const struct edit *a = *(struct edit *const *)left, *b = *(struct edit *const *)right;
	int order = strcmp(a->line, b->line);

	return order ? order : a->at < b->at ? -1 : a->at > b->at;
}

static struct edit **sorted_edits(struct edits *edits, char sign, size_t *count)
{
	struct edit **sorted = xcalloc(edits->count + 1, sizeof(struct edit *));

	*count = 0;
	for (size_t i = 0; i < edits->count; i++) {
		if (edits->items[i].sign == sign && edits->items[i].line[strspn(edits->items[i].line, " ")] != '}')
			sorted[(*count)++] = &edits->items[i];
	}
	qsort(sorted, *count, sizeof(*sorted), compare_edits);
	return sorted;
}

/* Pairs of the same line, one that went and one that came. */
static void find_moves(struct edits *edits)
{
	size_t gone_count, came_count;
	CLEANUP_FREE struct edit **gone = sorted_edits(edits, '-', &gone_count);
	CLEANUP_FREE struct edit **came = sorted_edits(edits, '+', &came_count);

	for (size_t a = 0, b = 0; a < gone_count && b < came_count;) {
		int order = strcmp(gone[a]->line, came[b]->line);

		if (!order) {
			gone[a++]->sign = 0;
			came[b++]->sign = '>';
		} else if (order < 0) {
			a++;
		} else {
			b++;
		}
	}
}

static void print_difference(const struct style *style, const struct part *old, const struct part *new)
{
	struct walk was = { .part = old }, is = { .part = new };
	struct shown shown = { .style = style };
	struct edits edits = { 0 };

	find_edits(old, new, &edits);
	if (style->moves)
		find_moves(&edits);
	for (size_t i = 0; i < edits.count; i++) {
		const struct edit *edit = &edits.items[i];

		if (edit->sign)
			print_changed(&shown, edit->sign, edit->sign == '-' ? &was : &is, edit->at);
	}
	free(edits.items);
}

static void print_all(const struct style *style, const char *before, const char *after)
{
	struct lines old = split(before);
	struct lines new = split(after);

	for (size_t i = 0; i < old.count; i += part_at(&old, i).count) {
		struct part part = part_at(&old, i);

		if (!find_part(&new, part.line[0]).count)
			print_part(style, '-', &part);
	}
	for (size_t i = 0; i < new.count; i += part_at(&new, i).count) {
		struct part part = part_at(&new, i);
		struct part there = find_part(&old, part.line[0]);

		if (there.count)
			print_difference(style, &there, &part);
		else
			print_part(style, '+', &part);
	}
	lines_free(&old);
	lines_free(&new);
}

void difference_print(const char *before, const char *after)
{
	print_all(&(struct style){ 0 }, before, after);
}

void difference_print_moves(const char *before, const char *after, bool lines)
{
	print_all(&(struct style){ .moves = true, .json = lines }, before, after);
}
