// SPDX-License-Identifier: BSD-2-Clause
#include "cli/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/cli.h"

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

/* The longest common subsequence of the lines between the common head and the common tail, the usual table. Policies
 * with so many changed lines that the table would be large are printed as all out, all in. */
#define TABLE_MAX (4000L * 4000L)

static void print_difference(char **old, size_t olds, char **new, size_t news)
{
	CLEANUP_FREE unsigned *table = NULL;
	size_t width = news + 1;
	size_t i = 0, j = 0;

	if ((long)olds * (long)news <= TABLE_MAX) {
		table = xcalloc((olds + 1) * width, sizeof(*table));
		for (size_t a = olds; a-- > 0;) {
			for (size_t b = news; b-- > 0;) {
				unsigned down = table[(a + 1) * width + b];
				unsigned right = table[a * width + b + 1];

				table[a * width + b] = !strcmp(old[a], new[b]) ? table[(a + 1) * width + b + 1] + 1
									       : (down > right ? down : right);
			}
		}
	}
	while (i < olds || j < news) {
		if (table && i < olds && j < news && !strcmp(old[i], new[j])) {
			i++;
			j++;
		} else if (i < olds &&
			   (j == news || !table || table[(i + 1) * width + j] >= table[i * width + j + 1])) {
			printf("  - %s\n", old[i++]);
		} else {
			printf("  + %s\n", new[j++]);
		}
	}
}

static void print_policy(const char *before, const char *after)
{
	struct lines old = split(before);
	struct lines new = split(after);
	size_t head = 0, tail = 0;

	while (head < old.count && head < new.count && !strcmp(old.line[head], new.line[head]))
		head++;
	while (tail < old.count - head && tail < new.count - head &&
	       !strcmp(old.line[old.count - 1 - tail], new.line[new.count - 1 - tail]))
		tail++;
	print_difference(old.line + head, old.count - head - tail, new.line + head, new.count - head - tail);
	lines_free(&old);
	lines_free(&new);
}

static void print_sets(const struct description *before, const struct description *after)
{
	for (size_t i = 0; i < after->set_count; i++) {
		for (size_t j = 0; j < before->set_count; j++) {
			if (strcmp(after->sets[i].name, before->sets[j].name) ||
			    !strcmp(after->sets[i].digest, before->sets[j].digest))
				continue;
			printf("  ~ set %s: %zu %s, was %zu\n", after->sets[i].name, after->sets[i].prefixes,
			       cli_prefixes(after->sets[i].prefixes), before->sets[j].prefixes);
		}
	}
}

void change_print(const struct change *change)
{
	const struct description *before = &change->before;
	const struct description *after = &change->after;

	if (change->unchanged) {
		printf("nothing to change: generation %u runs\n", before->generation);
		return;
	}
	if (before->generation)
		printf("generation %u, was %u\n", after->generation, before->generation);
	else
		printf("generation %u\n", after->generation);
	if (strcmp(before->object, after->object) && before->generation)
		printf("  ~ the program itself: another version of Sluice\n");
	print_policy(before->policy, after->policy);
	print_sets(before, after);
}
