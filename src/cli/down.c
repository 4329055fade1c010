// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>

#include "base/plural.h"
#include "cli/change.h"
#include "cli/cli.h"

int cli_down(int argc, char **argv)
{
	struct settled settled;
	struct error error;
	size_t detached;
	int err;

	if (getopt(argc, argv, "") != -1 || argc - optind > 1)
		return cli_usage(argv[0]);
	err = generation_down(argv[optind], &settled, &detached, &error);
	settled_print(&settled);
	if (err)
		return cli_failed(&error);
	if (!detached)
		printf("nothing was attached any more; removed what was pinned\n");
	else
		printf("detached from %zu interface%s\n", detached, plural(detached));
	return STATUS_DONE;
}
