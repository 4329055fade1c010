/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for numbers that iptables and nftables have in common. */
#ifndef SLUICE_IMPORT_UNITS_H
#define SLUICE_IMPORT_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* "10/sec", "3/minute": packets, and s, m, h or d. False when it is something else. */
bool rate_read(const char *text, uint64_t *rate, char *unit);

/* s, m, h, d for "second" and its likes, also shortened; 0 when it is none. */
char rate_unit(const char *name);

/* The number of "cs1", "AF11", "ef"; -1 when it is none. */
int dscp_number(const char *name);

#endif
