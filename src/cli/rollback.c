// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>

#include "cli/change.h"
#include "cli/cli.h"

int cli_rollback(int argc, char **argv)
{
	struct settled settled;
	struct change change;
	struct error error;
	int err;

	if (getopt(argc, argv, "") != -1 || argc != optind)
		return cli_usage(argv[0]);
	err = generation_rollback(&settled, &change, &error);
	settled_print(&settled);
	if (err)
		return cli_failed(&error);
	if (change.unchanged)
		printf("gone back already; `sluice rollback` once more goes further\n");
	else
		change_print(&change);
	change_free(&change);
	return STATUS_DONE;
}
