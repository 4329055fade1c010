/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The frames that the cost meter (bpf/meter.bpf.c) sends through a program: one of each flow, written by user space
 * into the map `frames`, which it has mapped.
 */
#ifndef SLUICE_METER_H
#define SLUICE_METER_H

#include <linux/types.h>

/* Holds Ethernet, IPv6 and UDP headers (62 bytes), and one frame is one cache line of the map. */
#define METER_FRAME 64

#define METER_FLOWS (1 << 20) /* at most; a power of two, as every number of flows in use */

struct meter_frame {
	__u64 words[METER_FRAME / 8];
};

_Static_assert(sizeof(struct meter_frame) == METER_FRAME, "shared layout");

#endif
