/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* An event: what `log` of a rule tells of a packet, through the ring buffer `events` of an interface. */
#ifndef SLUICE_EVENT_H
#define SLUICE_EVENT_H

#include "sluice/record.h"

/* Some 13,000 events that nobody has read yet; one more is lost, and counted in `events_lost`. */
#define EVENTS_SIZE (1U << 20)

/* record.time and record.wire_length are the packet's: nanoseconds of CLOCK_MONOTONIC, and bytes of the frame. */
struct event {
	struct record record;
};

#endif
