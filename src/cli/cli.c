// SPDX-License-Identifier: BSD-2-Clause
#include "cli/cli.h"

int cli_failed(const struct error *error)
{
	fflush(stdout);
	error_print(stderr, error);
	return STATUS_FAILED;
}
