// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>
#include <stdbool.h>

#include "cli/change.h"
#include "cli/cli.h"

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
		if (option == 'c' && change_read_time(optarg, &confirm))
			return STATUS_USAGE;
		force |= option == 'f';
	}
	if (argc - optind != 1)
		return cli_usage(argv[0]);
	if (policy_load(argv[optind], &policy, &error))
		return cli_failed(&error);
	cli_warn(policy);
	status = change_carry_out(policy, confirm, force);
	policy_free(policy);
	return status;
}
