// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>
#include <net/if.h>

#include "cli/change.h"
#include "cli/cli.h"

/* The way out does not wait for an interface that has gone: but whoever takes it has to know. */
static void warn_of_missing(const struct description *runs)
{
	for (size_t i = 0; i < runs->interface_count; i++) {
		if (!if_nametoindex(runs->interfaces[i].name))
			fprintf(stderr, "sluice: warning: there is no interface \"%s\" here, and nothing guards it\n",
				runs->interfaces[i].name);
	}
}

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
	warn_of_missing(&change.after);
	change_free(&change);
	return STATUS_DONE;
}
