/* SPDX-License-Identifier: BSD-2-Clause */
/* What people write who know other firewalls, and what is right here: for the hints of errors. */
#ifndef SLUICE_POLICY_HABITS_H
#define SLUICE_POLICY_HABITS_H

#include <stdbool.h>

#include "base/error.h"

/* What to write in place of a word that stands where a rule, or a limit, begins or goes on, or NULL. */
const char *habit_in_rule(const char *word);
const char *habit_in_limit(const char *word);

/* The name of a type of ICMP (version 4) or ICMPv6 (version 6) in place of `word`, or NULL. */
const char *habit_icmp_type(int version, const char *word);

/* These set the hint of an error about `text`, which is not a port or not an address. False: nothing is known of it. */
bool habit_hint_port(const char *text, struct error *error);
bool habit_hint_address(const char *text, struct error *error);

/* True for a word that means everything elsewhere, and that a policy leaves out. */
bool habit_is_all(const char *text);

#endif
