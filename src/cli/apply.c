// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>

#include "base/duration.h"
#include "cli/change.h"
#include "cli/cli.h"

/* Returns 0 or STATUS_USAGE, said. */
static int read_time(const char *text, uint64_t *seconds)
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

static int apply(const char *path, uint64_t confirm)
{
	struct settled settled;
	struct change change;
	struct policy *policy;
	struct error error;
	int err;

	if (policy_load(path, &policy, &error))
		return cli_failed(&error);
	cli_warn(policy);
	err = generation_apply(policy, confirm, &settled, &change, &error);
	policy_free(policy);
	settled_print(&settled);
	if (err)
		return cli_failed(&error);
	change_print(&change);
	if (confirm)
		print_waiting(&change, confirm);
	change_free(&change);
	return STATUS_DONE;
}

int cli_apply(int argc, char **argv)
{
	static const struct option options[] = { { "confirm", required_argument, NULL, 'c' }, { 0 } };
	uint64_t confirm = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'c')
			return cli_usage(argv[0]);
		if (read_time(optarg, &confirm))
			return STATUS_USAGE;
	}
	if (argc - optind != 1)
		return cli_usage(argv[0]);
	return apply(argv[optind], confirm);
}
