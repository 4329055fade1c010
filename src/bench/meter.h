/* SPDX-License-Identifier: BSD-2-Clause */
/* The cost meter (bpf/meter.bpf.c): frames of many flows, sent through a program again and again, and timed. */
#ifndef SLUICE_BENCH_METER_H
#define SLUICE_BENCH_METER_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "sluice/meter.h"

struct meter_bpf;

struct meter {
	struct meter_bpf *skeleton;
	int driver; /* the program that writes frames; of a family, until another is chosen IPv4 */
	/* The maps themselves: METER_FLOWS flows of our own making of each family, or the packets of a capture. */
	struct meter_map {
		void *memory;
		size_t size; /* bytes */
	} flows4, flows6, captured;
	double call_ns;		  /* CPU time of a call apart from its runs */
	cpu_set_t allowed_before; /* CPUs of this thread before the meter kept it on one */
	bool pinned;
};

/* Makes room for the `packets` packets of a capture, or, when that is 0, for METER_FLOWS flows of each family; the
 * caller writes them. Keeps this thread on the CPU it is on until the meter is closed, which is by the same thread.
 * Returns 0 and a meter to close, or a negative errno with `error` set. */
int meter_open(uint32_t packets, struct meter *meter, struct error *error);
void meter_close(struct meter *meter);

/* Where flows of that family are to be written (flows_write), which the next runs will use. */
void meter_choose(struct meter *meter, uint8_t family, void **frame, void **each);

/* The empty program, to compare with. */
int meter_bare_fd(const struct meter *meter);

/* Makes the XDP program `fd` (one that knows frags) the target of the next runs. Returns 0, or a negative errno with
 * `error` set. */
int meter_aim(struct meter *meter, int fd, struct error *error);

/* Runs the target `runs` times, at least twice, on the first `flows` frames, or packets of the capture, in turn.
 * Returns 0 with the nanoseconds of CPU time per run, or a negative errno with `error` set. */
int meter_run(struct meter *meter, uint32_t flows, uint32_t runs, double *nanoseconds, struct error *error);

#endif
