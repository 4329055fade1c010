/* SPDX-License-Identifier: BSD-2-Clause */
/* What terms.c needs of addresses beyond terms.h. */
#ifndef SLUICE_IMPORT_ADDRESSES_H
#define SLUICE_IMPORT_ADDRESSES_H

#include "import/terms.h"

/* addresses_apart: no address is in both, as far as lists that are not negated say. */
enum terms_result addresses_and(struct pool *pool, const struct addresses *a, const struct addresses *b,
				struct addresses *both, const char **why);
bool addresses_apart(const struct addresses *a, const struct addresses *b);
bool addresses_equal(const struct addresses *a, const struct addresses *b);

/* The families of those that are listed; all of IP when nothing is. */
unsigned addresses_families(const struct addresses *addresses);

/* Only those of some families; what is not listed by prefix stays as it is. */
struct addresses addresses_of_families(struct pool *pool, const struct addresses *addresses, unsigned families);

#endif
