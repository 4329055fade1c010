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

/* The same for values of a rule of the filter. */
int check_values(const struct filter_values *values, const struct location *places, struct error *error);

/* Refuses the same set, or prefixes that cover each other, in the targets of one `from` or `to`. */
int check_filter_targets(const struct filter_addresses *addresses, struct error *error);

/* Refuses a list that is written empty: { }. */
int check_empty(const struct filter_addresses *addresses, struct error *error);

/* Refuses a rule whose parts contradict each other. */
int check_filter_rule(const struct filter_rule *rule, struct error *error);

/* The same of its limit, if it has one. */
int check_limit(const struct filter_rule *rule, struct error *error);

#endif
