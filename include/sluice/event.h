/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* An event: what the data path tells of a packet, through the ring buffer `events` of an interface. */
#ifndef SLUICE_EVENT_H
#define SLUICE_EVENT_H

#include "sluice/record.h"

/* Some 10,000 events that nobody has read yet; one more is lost, and counted in `events_lost`. */
#define EVENTS_SIZE (1U << 20)

enum event_kind {
	EVENT_LOG,	  /* a rule with `log` picked the packet */
	EVENT_DROP,	  /* a sample of what is dropped, by whatever stage */
	EVENT_BAN,	  /* the packet had its source put into a dynamic set */
	EVENT_ARMED,	  /* from this packet on, a synproxy answers for its service */
	EVENT_STOOD_DOWN, /* from this packet on, it no longer does */
	EVENT_KINDS,
};

/* Of `value`: the source is in no set, because there was no room for it. */
#define EVENT_BAN_REFUSED 0

/* record.time and record.wire_length are the packet's: nanoseconds of CLOCK_MONOTONIC, and bytes of the frame. */
struct event {
	struct record record;
	__u32 kind;   /* enum event_kind */
	__u32 number; /* EVENT_BAN: of the set, among those of DYNAMIC_BAN; EVENT_ARMED, EVENT_STOOD_DOWN: of the
			 service */
	__u64 value;  /* EVENT_BAN: until when, as in struct set_value; EVENT_ARMED, EVENT_STOOD_DOWN: packets a second
		       */
};

_Static_assert(sizeof(struct event) == sizeof(struct record) + 16, "shared layout");

#endif
