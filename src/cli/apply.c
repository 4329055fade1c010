// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>
#include <stdbool.h>

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

static int apply(const struct policy *policy, uint64_t confirm, bool force)
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

int cli_apply(int argc, char **argv)
{
	static const struct option options[] = {
		{ "confirm", required_argument, NULL, 'c' },
		{ "force", no_argument, NULL, 'f' },
		{ 0 },
	};
	uint64_t confirm = 0;
	struct policy *policy;
	struct error error;
	bool force = false;
	int option, status;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'c' && option != 'f')
			return cli_usage(argv[0]);
		if (option == 'c' && read_time(optarg, &confirm))
			return STATUS_USAGE;
		force |= option == 'f';
	}
	if (argc - optind != 1)
		return cli_usage(argv[0]);
	if (policy_load(argv[optind], &policy, &error))
		return cli_failed(&error);
	cli_warn(policy);
	status = apply(policy, confirm, force);
	policy_free(policy);
	return status;
}
