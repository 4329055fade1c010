/* SPDX-License-Identifier: BSD-2-Clause */
/* The packets of a capture as frames for the cost meter. */
#ifndef SLUICE_BENCH_CAPTURE_FRAMES_H
#define SLUICE_BENCH_CAPTURE_FRAMES_H

#include <stdint.h>

#include "base/error.h"
#include "sluice/meter.h"

struct capture_frames {
	struct meter_captured *frames;
	size_t count, capacity;
	/* Packets left out, and why. */
	uint64_t runts;	 /* shorter than an Ethernet header: XDP never sees such */
	uint64_t jumbos; /* longer than METER_LENGTH */
	uint64_t beyond; /* behind the first METER_PACKETS that could be used */
	/* Of those used: the capture has less of them than the program may read; the rest is zeros. */
	uint64_t cut;
};

/* Reads the capture at `path` ("-" is standard input). Returns 0 and at least one frame, which capture_frames_free
 * frees, or a negative errno with `error` set and `*out` untouched. */
int capture_frames_read(const char *path, struct capture_frames *out, struct error *error);
void capture_frames_free(struct capture_frames *frames);

#endif
