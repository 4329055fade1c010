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
	struct meter_frame *frames; /* METER_FLOWS of them: the map itself */
	double call_ns;		    /* CPU time of a call apart from its runs */
	cpu_set_t allowed_before;   /* CPUs of this thread before the meter kept it on one */
	bool pinned;
};

/* Keeps this thread on the CPU it is on until the meter is closed, which is by the same thread. Returns 0 and a meter
 * to close, or a negative errno with `error` set. */
int meter_open(struct meter *meter, struct error *error);
void meter_close(struct meter *meter);

/* The empty program, to compare with. */
int meter_bare_fd(const struct meter *meter);

/* Makes the XDP program `fd` (one that knows frags) the target of the next runs. Returns 0, or a negative errno with
 * `error` set. */
int meter_aim(struct meter *meter, int fd, struct error *error);

/* Runs the target `runs` times, at least twice, on the frames of the first `flows` flows in turn: a power of two, up to
 * METER_FLOWS. Returns 0 with the nanoseconds of CPU time per run, or a negative errno with `error` set. */
int meter_run(struct meter *meter, uint32_t flows, uint32_t runs, double *nanoseconds, struct error *error);

#endif
