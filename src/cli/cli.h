/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs. Each has a file of its own and returns the exit status: 0 done, 1 failed, 2 wrong usage. */
#ifndef SLUICE_CLI_CLI_H
#define SLUICE_CLI_CLI_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"
#include "policy/policy.h"

enum status {
	STATUS_DONE = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
};

/* argv[0] is the verb. getopt_long starts afresh for each verb. */
int cli_apply(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_confirm(int argc, char **argv);
int cli_defences(int argc, char **argv);
int cli_diff(int argc, char **argv);
int cli_down(int argc, char **argv);
int cli_events(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_hello(int argc, char **argv);
int cli_import(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_rollback(int argc, char **argv);
int cli_set(int argc, char **argv);
int cli_shadow(int argc, char **argv);
int cli_show(int argc, char **argv);
int cli_stats(int argc, char **argv);
int cli_top(int argc, char **argv);

/* "prefix" or "prefixes". */
const char *cli_prefixes(size_t count);

/* One JSON object, one line, on stdout. */
void cli_print_line(const json_t *object);

/* Warns on stderr of sets that are empty (a list that failed to arrive, mostly), of sets and macros that nothing uses,
 * and of bans that nothing drops by. */
void cli_warn(const struct policy *policy);

/* Warns on stderr of limits that a flood of made-up sources uses up. */
void cli_warn_slow(const struct interface *interface);
/* Warns of settings of the kernel that take from the policy what it says. */
void settings_warn(const struct policy *policy);

/* Prints the error and returns STATUS_FAILED. */
int cli_failed(const struct error *error);

/* Prints how the verb is used, from its row in the table of main.c, on stderr; returns STATUS_USAGE. */
int cli_usage(const char *verb);

#endif
