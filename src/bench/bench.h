/* SPDX-License-Identifier: BSD-2-Clause */
/* What a policy costs per packet: its real program beside an empty one, the same frames, in one run. */
#ifndef SLUICE_BENCH_BENCH_H
#define SLUICE_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "bench/meter.h"
#include "compile/compile.h"
#include "datapath/program.h"

struct bench {
	const struct compiled *compiled;
	struct program program; /* counts into maps of its own, and is attached nowhere */
	struct meter meter;
	uint8_t family;	     /* of the frames that the meter holds; 0: none yet */
	double fastest_bare; /* nanoseconds, of all measured so far; 0: none yet */
};

struct bench_row {
	uint8_t family;
	uint32_t flows;
	uint32_t rounds; /* of which the times are the medians */
	bool noisy;	 /* the machine did something else in too many rounds to leave those out */
	double bare_ns, policy_ns;
	double passed, dropped; /* by the policy's program; shares of its packets */
};

/* Loads both programs; `compiled` has to stay. Returns 0 and a bench to close, or a negative errno with `error` set. */
int bench_open(const struct compiled *compiled, struct bench *bench, struct error *error);
void bench_close(struct bench *bench);

/* Measures with `flows` flows of one address family, for about a second. `flows` as in meter_run. Quick when the family
 * is that of the call before. Returns 0, or a negative errno with `error` set. */
int bench_measure(struct bench *bench, uint8_t family, uint32_t flows, struct bench_row *row, struct error *error);

#endif
