/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* events: what is told of packets, with the verdict they left with (include/sluice/event.h). */
#ifndef SLUICE_BPF_EVENTS_H
#define SLUICE_BPF_EVENTS_H

#include "packet.h"
#include "record.h"
#include "sluice/event.h"

/* Neither is created where nothing becomes an event. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENTS_SIZE);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} events_lost SEC(".maps");

/* One of so many. */
static __always_inline int is_sampled(__u32 of)
{
	return (__u64)bpf_get_prandom_u32() * of >> 32 == 0;
}

static __always_inline void event_lost(void)
{
	__u64 *lost = bpf_map_lookup_elem(&events_lost, &(__u32){ 0 });

	if (lost)
		__sync_fetch_and_add(lost, 1);
}

/* A function of its own: packets that nothing is told of do not pay for it. */
__noinline int write_event(const struct packet *pkt, __u32 verdict, __u32 kind, __u32 number, __u64 value)
{
	struct event *event;

	if (UNUSED(config.events) || !pkt)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		event_lost();
		return 0;
	}
	event->record.time = packet_time();
	event->record.wire_length = pkt->length;
	event->kind = kind;
	event->number = number;
	event->value = value;
	event->record.limit = 0;
	event->record.unused = 0;
	fill_record(&event->record, pkt, verdict);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

#endif
