/* SPDX-License-Identifier: BSD-2-Clause */
/* Says what a change changed. */
#ifndef SLUICE_CLI_CHANGE_H
#define SLUICE_CLI_CHANGE_H

#include "datapath/generation.h"

/* As generation_apply, unless the change would cut the session of the caller (lockout.h) and is not forced. Says on
 * stderr what was found of a change before. */
int change_apply(const struct policy *policy, struct application how, bool force, struct change *change,
		 struct error *error);

/* A line on the generations, then the policy's lines that went ("-") and came ("+"), then sets whose file changed. */
void change_print(const struct change *change);

/* On stderr, one line: what was found of a change that was cut off, or that was not confirmed; nothing if nothing was.
 */
void settled_print(const struct settled *settled);

#endif
