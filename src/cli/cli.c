// SPDX-License-Identifier: BSD-2-Clause
#include "cli/cli.h"

int cli_failed(const struct error *error)
{
	fflush(stdout);
	error_print(stderr, error);
	return STATUS_FAILED;
}

const char *cli_prefixes(size_t count)
{
	return count == 1 ? "prefix" : "prefixes";
}
