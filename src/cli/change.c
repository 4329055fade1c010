// SPDX-License-Identifier: BSD-2-Clause
#include "cli/change.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/memory.h"
#include "base/plural.h"
#include "cli/cli.h"
#include "cli/difference.h"
#include "lockout/lockout.h"

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
	difference_print("", after->policy);
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
		       plural(change->attached));
	difference_print(before->policy, after->policy);
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

int change_read_time(const char *text, uint64_t *seconds)
{
	if (!duration_parse(text, seconds) && *seconds >= CONFIRM_MIN && *seconds <= CONFIRM_MAX)
		return 0;
	fprintf(stderr, "sluice: --confirm takes 1s to 24h (as 90, 90s, 5m, 1h), not \"%s\"\n", text);
	return STATUS_USAGE;
}

/* Says how long it waits for `sluice confirm`, and what then. */
static void print_waiting(const struct change *change, uint64_t confirm)
{
	char text[DURATION_TEXT_MAX];

	if (change->unchanged) {
		printf("nothing to confirm\n");
		return;
	}
	printf("waits %s for `sluice confirm`, then ", duration_text(confirm, text));
	if (change->before.generation)
		printf("generation %u comes back\n", change->before.generation);
	else
		printf("nothing runs again\n");
}

int change_carry_out(const struct policy *policy, uint64_t confirm, bool force)
{
	struct application how = { .confirm = confirm };
	struct change change;
	struct error error;

	if (change_apply(policy, how, force, &change, &error))
		return cli_failed(&error);
	change_print(&change);
	if (confirm)
		print_waiting(&change, confirm);
	change_free(&change);
	return STATUS_DONE;
}
