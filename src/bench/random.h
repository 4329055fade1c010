/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers and addresses, the same on every machine: a measurement can be made again. */
#ifndef SLUICE_BENCH_RANDOM_H
#define SLUICE_BENCH_RANDOM_H

#include <stdint.h>

#include "policy/prefix.h"

/* SplitMix64. Any `*state` will do to begin with; it moves on with each call. */
uint64_t random64(uint64_t *state);

/* Writes an address of the prefix, host bits uniformly random, into `address` (16 bytes, IPv4 in the first four). */
void random_inside(uint64_t *state, const struct prefix *prefix, uint8_t *address);

#endif
