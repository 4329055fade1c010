// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>

#include "cli/change.h"
#include "cli/cli.h"

int cli_apply(int argc, char **argv)
{
	struct change change = { 0 };
	struct policy *policy;
	struct error error;
	int err;

	if (getopt(argc, argv, "") != -1 || argc - optind != 1)
		return cli_usage(argv[0]);
	if (policy_load(argv[optind], &policy, &error))
		return cli_failed(&error);
	cli_warn(policy);
	err = generation_apply(policy, &change, &error);
	policy_free(policy);
	if (err)
		return cli_failed(&error);
	change_print(&change);
	change_free(&change);
	return STATUS_DONE;
}
