/* SPDX-License-Identifier: BSD-2-Clause */
/* What is allowed in a policy, and most likely not meant. */
#ifndef SLUICE_POLICY_WARNINGS_H
#define SLUICE_POLICY_WARNINGS_H

#include "policy/policy.h"

/* Is told where, and what is odd there. */
typedef void policy_warning(const struct location *where, const char *text, void *context);

/* Sets that are empty or that nothing uses, in the order of the sets; macros that nothing uses; then bans that nothing
 * drops by, in the order of the rules. */
void policy_warn(const struct policy *policy, policy_warning *warning, void *context);

/* Limits per address so slow that a flood of random sources, such as a gigabit of smallest frames is, marks them used
 * up for everybody. */
void policy_warn_slow(const struct interface *interface, policy_warning *warning, void *context);

#endif
