/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of prefixes turned round: what is outside of them. */
#ifndef SLUICE_COMPILE_OUTSIDE_H
#define SLUICE_COMPILE_OUTSIDE_H

#include "policy/prefix.h"

/* Sorts and leaves out what another prefix of the list covers. */
void prefixes_settle(struct prefixes *list);

/* Appends to `out`, which may be NULL, the fewest prefixes of family `version` that together are all addresses outside
 * of `list`, which is settled. Returns how many they are. */
size_t prefixes_outside(const struct prefixes *list, int version, struct prefixes *out);

/* The same within `whole`: `items` are those of a settled list that it covers. As deep as an address has bits. */
size_t prefixes_outside_in(const struct prefix *items, size_t count, const struct prefix *whole, struct prefixes *out);

/* Where the prefixes of a family begin in a settled list, and how many they are. */
size_t prefixes_of_family(const struct prefixes *list, int version, size_t *first);

#endif
