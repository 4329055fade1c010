/* SPDX-License-Identifier: BSD-2-Clause */
/* The limits and the filter of an interface: from rules to boxes, actions and sets in bits. */
#ifndef SLUICE_COMPILE_LISTS_H
#define SLUICE_COMPILE_LISTS_H

#include "compile/compile.h"

/* A rule with lists becomes as many boxes as it has combinations; a set that would make more than this is asked for as
 * a whole, by a bit of the key. A look-up of a set costs every packet about as much as a level of the classifier, and
 * that many boxes more are less than that. */
#define FILTER_SPREAD 64

/* What one rule, and all rules of a list together, can make of boxes in each family, so that what is left without bits
 * ends with an error instead of gigabytes. */
#define FILTER_RULE_BOXES_MAX 16384
#define FILTER_BOXES_MAX (4 * FILTER_RULES_MAX)

/* Adds the lists of out->interface: rules, actions, matches, tables, dynamic sets and their part of the configuration.
 * The rules of the block are there already. All lists share one key, and so the bits of sets. Returns 0, or -EINVAL
 * with `error` set. */
int compile_lists(struct compiled *out, struct error *error);

#endif
