/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* What a gate (bpf/gate.bpf.c) stands before, and until when. */
#ifndef SLUICE_GATE_H
#define SLUICE_GATE_H

#include <linux/types.h>

/* Slots of the map gate_generations. */
enum gate_generation {
	GATE_OLD,
	GATE_NEW,
	GATE_GENERATIONS,
};

/* The map gate_deadline holds nanoseconds of the monotonic clock: before this time the new generation judges, from it
 * on the old one. Two values stand for no time. */
#define GATE_CLOSED 0ULL  /* the old one, always */
#define GATE_OPEN (~0ULL) /* the new one, always */

#endif
