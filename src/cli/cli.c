// SPDX-License-Identifier: BSD-2-Clause
#include "cli/cli.h"
#include "policy/warnings.h"

static void print_warning(const struct location *where, const char *text, void *context)
{
	fprintf(stderr, "%s:%d:%d: warning: %s\n", where->file, where->line, where->column, text);
}

void cli_warn(const struct policy *policy)
{
	policy_warn(policy, print_warning, NULL);
	settings_warn(policy);
}

void cli_warn_slow(const struct interface *interface)
{
	policy_warn_slow(interface, print_warning, NULL);
}

void cli_print_line(const json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
}

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
