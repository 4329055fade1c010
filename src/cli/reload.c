// SPDX-License-Identifier: BSD-2-Clause
#include "cli/reload.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "cli/change.h"
#include "cli/cli.h"
#include "datapath/running.h"

/* The path of the policy that runs, to be freed. */
static int running_policy(char **path, struct error *error)
{
	struct running running;
	struct pins pins;
	int err = pins_open(READ, &pins, error);

	if (err)
		return err;
	err = running_read(&pins, &running, error);
	pins_close(&pins);
	if (err)
		return err;
	if (running.current)
		*path = xstrdup(running.current->description.path);
	else
		err = error_set(error, ENOENT, "nothing of Sluice runs here");
	running_free(&running);
	return err;
}

static const struct described_set *set_before(const struct change *change, const char *name)
{
	for (size_t i = 0; i < change->before.set_count; i++) {
		if (!strcmp(change->before.sets[i].name, name))
			return &change->before.sets[i];
	}
	return NULL;
}

static void print_reloaded(const struct change *change)
{
	size_t changed = 0;

	for (size_t i = 0; i < change->after.set_count; i++) {
		const struct described_set *after = &change->after.sets[i];
		const struct described_set *before = set_before(change, after->name);

		if (!before || !strcmp(before->digest, after->digest))
			continue;
		printf("set %s: %zu %s, %zu before\n", after->name, after->prefixes, cli_prefixes(after->prefixes),
		       before->prefixes);
		changed++;
	}
	if (!changed)
		printf("unchanged\n");
}

int reload(int argc, char **argv, bool lines, struct error *error)
{
	const struct reload sets = { .sets = argv, .count = argc };
	const struct application how = { .reload = &sets };
	CLEANUP_FREE char *path = NULL;
	struct policy *policy;
	struct change change;
	int err = running_policy(&path, error);

	if (!err)
		err = policy_load(path, &policy, error);
	if (err)
		return err;
	cli_warn(policy);
	err = change_apply(policy, how, false, &change, error);
	policy_free(policy);
	if (err)
		return err;
	print_reloaded(&change);
	change_free(&change);
	return 0;
}
