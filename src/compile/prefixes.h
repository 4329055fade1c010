/* SPDX-License-Identifier: BSD-2-Clause */
/* Prefixes that overlap, settled into a table whose longest match is the answer. */
#ifndef SLUICE_COMPILE_PREFIXES_H
#define SLUICE_COMPILE_PREFIXES_H

#include "compile/compile.h"

void prefix_table_add(struct prefix_table *table, struct prefix prefix, uint32_t value);

/*
 * In: entries in any order, prefixes more than once. Out: sorted, each prefix once, and the value of an entry settled
 * among all entries that cover it: PREFIX_EXCEPT beats everything, however wide; among rules the lowest index wins.
 * Entries that say what the next wider one says already are left out. Works for tables of one address family.
 */
void prefix_table_settle(struct prefix_table *table);

/* The same for values that are bits: an entry gets the bits of all entries that cover it, too. */
void prefix_table_unite(struct prefix_table *table);

void prefix_table_free(struct prefix_table *table);

#endif
