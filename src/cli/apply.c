// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>
#include <stdbool.h>

#include "cli/change.h"
#include "cli/cli.h"
#include "lockout/lockout.h"

/* A session that cannot be found is no reason not to apply: at boot there is none. */
static void find_session(struct lockout *lockout)
{
	struct error error;

	if (lockout_open(lockout, &error))
		fprintf(stderr, "sluice: warning: not checked whether this policy cuts your session: %s\n", error.what);
}

static int apply(const struct policy *policy, bool force)
{
	struct lockout lockout = { 0 };
	struct examination examination = { lockout_examine, &lockout };
	struct change change = { 0 };
	struct error error;
	int err;

	if (!force)
		find_session(&lockout);
	err = generation_apply(policy, &examination, &change, &error);
	lockout_close(&lockout);
	if (err)
		return cli_failed(&error);
	change_print(&change);
	change_free(&change);
	return STATUS_DONE;
}

int cli_apply(int argc, char **argv)
{
	static const struct option options[] = { { "force", no_argument, NULL, 'f' }, { 0 } };
	struct policy *policy;
	struct error error;
	bool force = false;
	int option, status;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'f')
			return cli_usage(argv[0]);
		force = true;
	}
	if (argc - optind != 1)
		return cli_usage(argv[0]);
	if (policy_load(argv[optind], &policy, &error))
		return cli_failed(&error);
	cli_warn(policy);
	status = apply(policy, force);
	policy_free(policy);
	return status;
}
