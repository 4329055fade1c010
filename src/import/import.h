/* SPDX-License-Identifier: BSD-2-Clause */
/* A policy from what another firewall's tools print: text in, text out. */
#ifndef SLUICE_IMPORT_IMPORT_H
#define SLUICE_IMPORT_IMPORT_H

#include <stdio.h>

#include "import/firewall.h"
#include "import/flatten.h"

/* Rules as lines of a filter block, and how many lines one takes. */
void item_print(FILE *out, const struct item *item);
size_t item_lines(const struct item *item);

/* Writes a policy with a block for each of `count` interfaces, and on `messages` a line for each thing that is not
 * carried over. `source` says where it comes from: "iptables, rules.v4". Returns 0, or a negative errno with `error`
 * set and nothing written. */
int import_print(struct firewall *firewall, const char *source, const char *const *interfaces, size_t count, FILE *out,
		 FILE *messages, struct error *error);

/* Gives rules the sets that an interface has room for: more static ones are written out in the rule, rules about more
 * dynamic ones are listed. */
void flat_settle_sets(struct firewall *firewall, struct flat *flat);

#endif
