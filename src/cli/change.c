// SPDX-License-Identifier: BSD-2-Clause
#include "cli/change.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "lockout/lockout.h"

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

static void print_part(char sign, const struct part *part)
{
	for (size_t i = 0; i < part->count; i++)
		printf("  %c %s\n", sign, part->line[i]);
}

#define DEPTH_MAX 8 /* of blocks in blocks; the language has two */

/* The lines printed last at each depth, so that a change is printed with what it stands in, but that only once. */
struct shown {
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

static void print_changed(struct shown *shown, char sign, struct walk *walk, size_t at)
{
	const char *line = walk->part->line[at];

	walk_to(walk, at);
	for (size_t depth = 0; depth < depth_of(line); depth++) {
		if (!shown->line[depth] || strcmp(shown->line[depth], walk->above[depth]) != 0)
			print_shown(shown, ' ', walk->above[depth]);
	}
	print_shown(shown, sign, line);
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

static void print_difference(const struct part *old, const struct part *new)
{
	size_t head = common_head(old, new);
	size_t tail = common_tail(old, new, head);
	struct part from = { .line = old->line + head, .count = old->count - head - tail };
	struct part to = { .line = new->line + head, .count = new->count - head - tail };
	CLEANUP_FREE unsigned *table = common_lines(&from, &to);
	size_t width = to.count + 1;
	struct walk was = { .part = old }, is = { .part = new };
	struct shown shown = { 0 };
	size_t a = 0, b = 0;

	while (a < from.count || b < to.count) {
		if (a < from.count && b < to.count && !strcmp(from.line[a], to.line[b])) {
			a++;
			b++;
		} else if (a < from.count &&
			   (b == to.count || !table || table[(a + 1) * width + b] >= table[a * width + b + 1])) {
			print_changed(&shown, '-', &was, head + a++);
		} else {
			print_changed(&shown, '+', &is, head + b++);
		}
	}
}

static void print_policy(const char *before, const char *after)
{
	struct lines old = split(before);
	struct lines new = split(after);

	for (size_t i = 0; i < old.count; i += part_at(&old, i).count) {
		struct part part = part_at(&old, i);

		if (!find_part(&new, part.line[0]).count)
			print_part('-', &part);
	}
	for (size_t i = 0; i < new.count; i += part_at(&new, i).count) {
		struct part part = part_at(&new, i);
		struct part there = find_part(&old, part.line[0]);

		if (there.count)
			print_difference(&there, &part);
		else
			print_part('+', &part);
	}
	lines_free(&old);
	lines_free(&new);
}

/* Returns how many sets have other prefixes than before. */
static size_t print_sets(const struct description *before, const struct description *after)
{
	size_t changed = 0;

	for (size_t i = 0; i < after->set_count; i++) {
		const struct described_set *set = &after->sets[i];

		for (size_t j = 0; j < before->set_count; j++) {
			const struct described_set *was = &before->sets[j];

			/* A dynamic set is the business of `set list`; what became of its size is in the policy. */
			if (set->size || was->size || strcmp(set->name, was->name) || !strcmp(set->digest, was->digest))
				continue;
			printf("  ~ set %s: %zu %s, was %zu\n", set->name, set->prefixes, cli_prefixes(set->prefixes),
			       was->prefixes);
			changed++;
		}
	}
	return changed;
}

/* From nothing, everything is new: the policy says it all. */
static void print_all(const struct description *after)
{
	printf("generation %u\n", after->generation);
	print_policy("", after->policy);
}

void change_print(const struct change *change)
{
	const struct description *before = &change->before;
	const struct description *after = &change->after;
	bool another_program, another_text;

	if (change->unchanged) {
		printf("nothing to change: generation %u runs\n", before->generation);
		return;
	}
	if (!before->generation) {
		print_all(after);
		return;
	}
	if (!after->generation) {
		printf("nothing runs, was generation %u\n", before->generation);
		return;
	}
	printf("generation %u, was %u\n", after->generation, before->generation);
	another_program = strcmp(before->object, after->object) != 0;
	another_text = strcmp(before->policy, after->policy) != 0;
	if (another_program)
		printf("  ~ the program itself: another version of Sluice\n");
	if (change->attached)
		printf("  ~ attached to %zu interface%s that had no program of Sluice\n", change->attached,
		       change->attached == 1 ? "" : "s");
	print_policy(before->policy, after->policy);
	if (!print_sets(before, after) && !another_program && !another_text && !change->attached)
		printf("  ~ only where rules stand: their lines, or the name of the file\n");
}

void settled_print(const struct settled *settled)
{
	char runs[32] = "nothing runs";

	if (settled->runs)
		snprintf(runs, sizeof(runs), "generation %u runs", settled->runs);
	switch (settled->how) {
	case SETTLED_NOTHING:
		return;
	case SETTLED_FINISHED:
		fprintf(stderr, "sluice: a change that was cut off was finished: %s\n", runs);
		return;
	case SETTLED_TAKEN_BACK:
		fprintf(stderr, "sluice: a change that was cut off was taken back: %s\n", runs);
		return;
	case SETTLED_REMAINS:
		if (settled->runs)
			fprintf(stderr, "sluice: an earlier change was cut off; cleaned up what it left: %s\n", runs);
		else
			fprintf(stderr,
				"sluice: an earlier change was cut off, and no generation runs; apply takes up what "
				"is still pinned, down removes it\n");
		return;
	case SETTLED_NOT_CONFIRMED:
		fprintf(stderr, "sluice: generation %u was not confirmed in time: %s again\n", settled->generation,
			runs);
		return;
	}
}

/* A session that cannot be found is no reason not to apply: at boot there is none. */
static void find_session(struct lockout *lockout)
{
	struct error error;

	if (lockout_open(lockout, &error))
		fprintf(stderr, "sluice: warning: not checked whether this policy cuts your session: %s\n", error.what);
}

int change_apply(const struct policy *policy, struct application how, bool force, struct change *change,
		 struct error *error)
{
	struct lockout lockout = { 0 };
	struct examination examination = { lockout_examine, &lockout };
	struct settled settled;
	int err;

	if (!force)
		find_session(&lockout);
	how.examination = &examination;
	err = generation_apply(policy, &how, &settled, change, error);
	lockout_close(&lockout);
	settled_print(&settled);
	return err;
}
