/* SPDX-License-Identifier: BSD-2-Clause */
/* Random filters as text, of few values, so that their rules and random packets meet. */
#ifndef SLUICE_TESTS_FILTER_TEXT_H
#define SLUICE_TESTS_FILTER_TEXT_H

#include <stdint.h>
#include <stdlib.h>

#include "policy/prefix.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PICK(array) ((array)[draw(COUNT(array))])

static const uint32_t ports[] = { 0, 1, 22, 80, 443, 1023, 1024, 65535 };
static const uint32_t types[] = { 0, 2, 3, 8, 128, 133, 135, 137, 255 };
static const uint32_t codes[] = { 0, 3, 4, 255 };
static const uint32_t protocols[] = { 0, 1, 6, 17, 47, 58, 132, 255 };
static const uint32_t vlans[] = { 0, 5, 4095 };
static const uint32_t dscps[] = { 0, 10, 46, 63 };
static const uint32_t ttls[] = { 0, 1, 64, 255 };
static const uint32_t ethertypes[] = { 0, 46, 1535, 0x600, 0x8809, 0x88cc, 0xffff };
static const uint32_t lengths[] = { 0, 20, 1500, 65535 };

static inline unsigned draw(unsigned limit)
{
	return (unsigned)random() % limit;
}

/* A host. */
void random_address(struct prefix *address, int version);

/* A policy of one interface with a filter, and the files many4.txt, many6.txt and both.txt of its sets in the working
 * directory. Its dynamic sets are d0 to d3. Owned by the caller. */
char *random_policy(void);

#endif
