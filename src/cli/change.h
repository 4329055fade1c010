/* SPDX-License-Identifier: BSD-2-Clause */
/* Applies a policy, and says what that changed. */
#ifndef SLUICE_CLI_CHANGE_H
#define SLUICE_CLI_CHANGE_H

#include "datapath/generation.h"

/* As generation_apply, unless the change would cut the session of the caller (lockout.h) and is not forced. Says on
 * stderr what was found of a change before. */
int change_apply(const struct policy *policy, struct application how, bool force, struct change *change,
		 struct error *error);

/* Reads the time of --confirm. Returns 0 or STATUS_USAGE, said. */
int change_read_time(const char *text, uint64_t *seconds);

/* Applies and prints what changed, and with `confirm` (seconds, 0: for good) what it waits for. Returns an exit status.
 */
int change_carry_out(const struct policy *policy, uint64_t confirm, bool force);

/* A line on the generations, then the policy's lines that went ("-") and came ("+"), then sets whose file changed. */
void change_print(const struct change *change);

/* On stderr, one line: what was found of a change that was cut off, or that was not confirmed; nothing if nothing was.
 */
void settled_print(const struct settled *settled);

#endif
