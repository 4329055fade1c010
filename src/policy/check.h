/* SPDX-License-Identifier: BSD-2-Clause */
/* What the grammar cannot say: names that have to exist, and things that may be written only once. */
#ifndef SLUICE_POLICY_CHECK_H
#define SLUICE_POLICY_CHECK_H

#include "policy/policy.h"

/* Finds each target's set and refuses what is there twice. Looks at what the policy itself says, not at set files.
 * Returns 0, or -EINVAL with `error` set. */
int policy_check(struct policy *policy, struct error *error);

/* Refuses a written list in which one prefix covers another; `places` tells where each of them stands. Names the first
 * one that need not be there. Returns 0, or -EINVAL with `error` set. */
int check_overlap(const struct prefixes *list, const struct location *places, struct error *error);

#endif
