/* SPDX-License-Identifier: BSD-2-Clause */
/* The flows that a policy is measured with. */
#ifndef SLUICE_BENCH_FLOWS_H
#define SLUICE_BENCH_FLOWS_H

#include <stdint.h>

#include "base/error.h"
#include "compile/compile.h"
#include "sluice/meter.h"

/*
 * Writes the frames of `count` UDP flows of one address family (4 or 6), the same for the same policy. By the toss of a
 * coin, a flow has both addresses uniformly random, or has them inside the policy's tables: the source in an entry of
 * the source table and the destination in one of the destination table, where the table has any, entry and host bits
 * uniformly random. Ports are always random. Returns 0, or a negative errno with `error` set.
 */
int flows_write(const struct compiled *compiled, uint8_t family, struct meter_frame *frames, uint32_t count,
		struct error *error);

#endif
