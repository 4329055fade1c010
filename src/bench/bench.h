/* SPDX-License-Identifier: BSD-2-Clause */
/* What a policy costs per packet: its real program beside an empty one, the same frames, in one run. */
#ifndef SLUICE_BENCH_BENCH_H
#define SLUICE_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "bench/capture_frames.h"
#include "bench/flows.h"
#include "bench/meter.h"
#include "compile/compile.h"
#include "datapath/program.h"

#define BENCH_FLOWS_MAX 8 /* different numbers of flows in one run */

struct bench {
	const struct compiled *compiled;
	struct program program; /* counts into maps of its own, and is attached nowhere */
	int peer;		/* a program to measure in the same rounds; -1: none */
	uint32_t peer_runs;	/* of the peer in one call, at most, where it is slow; 0: as many as of the others */
	struct meter meter;
	/* Nanoseconds of the bare program, the fastest so far with that number of flows; 0: none yet. */
	struct fastest {
		uint32_t flows;
		double bare;
	} fastest[BENCH_FLOWS_MAX];
};

struct bench_row {
	uint32_t flows;
	uint32_t rounds; /* of which the times are the medians */
	bool noisy;	 /* the machine did something else, in too many rounds to leave those out or unseen */
	double bare_ns, policy_ns;
	double peer_ns; /* 0 without a peer */
	/* Beyond the bare program: the median of the differences in each round, not the difference of the medians. */
	double cost_ns, peer_cost_ns;
	double spread_ns;	/* between the quartiles of these differences, of the policy */
	double passed, dropped; /* by the policy's program; shares of its packets */
};

/* Loads both programs; `compiled` has to stay. `capture` has the packets to measure with; NULL: flows are, see
 * bench_write. The caller may set `peer` to an XDP program that knows frags. Returns 0 and a bench to close, or a
 * negative errno with `error` set. */
int bench_open(const struct compiled *compiled, const struct capture_frames *capture, struct bench *bench,
	       struct error *error);
void bench_close(struct bench *bench);

/* Writes METER_FLOWS flows to measure with from now on. Returns 0, or a negative errno with `error` set. */
int bench_write(struct bench *bench, const struct flows *flows, struct error *error);

/* Measures with the first `flows` of the flows, or of the packets of the capture, for one to about three seconds.
 * Returns 0, or a negative errno with `error` set and `*row` untouched. At most BENCH_FLOWS_MAX different numbers in
 * one run. */
int bench_measure(struct bench *bench, uint32_t flows, struct bench_row *row, struct error *error);

#endif
