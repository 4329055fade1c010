// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>

#include "cli/change.h"
#include "cli/cli.h"

int cli_confirm(int argc, char **argv)
{
	struct settled settled;
	struct error error;
	unsigned number;
	int err;

	if (getopt(argc, argv, "") != -1 || argc != optind)
		return cli_usage(argv[0]);
	err = generation_confirm(&settled, &number, &error);
	settled_print(&settled);
	if (err)
		return cli_failed(&error);
	printf("confirmed: generation %u stays\n", number);
	return STATUS_DONE;
}
