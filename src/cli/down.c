// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>

#include "cli/cli.h"
#include "datapath/generation.h"

int cli_down(int argc, char **argv)
{
	struct error error;
	size_t detached;

	if (getopt(argc, argv, "") != -1 || argc - optind > 1)
		return cli_usage(argv[0]);
	if (generation_down(argv[optind], &detached, &error))
		return cli_failed(&error);
	printf("detached from %zu interface%s\n", detached, detached == 1 ? "" : "s");
	return STATUS_DONE;
}
