/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * arming: whether a service is under attack, decided by its packets alone. SYNs of all CPUs are held against the rate as a
 * limit would (include/sluice/limit.h): the first that is over it arms the service. While it is armed they are held
 * against half the rate, and when none was over that for SYNPROXY_HOLD, the next packet has the service stand down.
 */
#ifndef SLUICE_BPF_ARMING_H
#define SLUICE_BPF_ARMING_H

#include "events.h"
#include "limit.h"
#include "packet.h"
#include "record.h"
#include "sluice/synproxy.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SYNPROXY_STATES);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct synproxy_state));
} synproxy_states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SYNPROXY_STATES);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct synproxy_counts));
} synproxy_counts SEC(".maps");

#define SECOND 1000000000ULL

/* Who is busy need not say so more often: a store of each CPU for each SYN costs all of them. */
#define BUSY_INTERVAL (SECOND / 10)

static __always_inline void count_service(__u32 number, enum synproxy_count what)
{
	struct synproxy_counts *counts = bpf_map_lookup_elem(&synproxy_counts, &number);

	if (counts)
		counts->packets[what]++;
}

static __always_inline void count_syn(__u32 number, __u64 now)
{
	struct synproxy_counts *counts = bpf_map_lookup_elem(&synproxy_counts, &number);
	__u64 second = now / SECOND;

	if (!counts)
		return;
	counts->packets[SYNPROXY_SYNS]++;
	if (counts->second != second) {
		counts->before = counts->second + 1 == second ? counts->now : 0;
		counts->now = 0;
		counts->second = second;
	}
	counts->now++;
}

static __always_inline __u64 burst_of(__u64 interval)
{
	__u64 least = (SYNPROXY_BURST_LEAST - 1) * interval;

	return least > SECOND / SYNPROXY_BURSTS_A_SECOND ? least : SECOND / SYNPROXY_BURSTS_A_SECOND;
}

static __always_inline __u64 rate_of(__u64 packets, __u64 nanoseconds)
{
	return packets * SECOND / (nanoseconds ?: 1);
}

/* A SYN to a service that is not armed. */
static __always_inline int arm(const struct packet *pkt, struct synproxy_state *state, __u64 interval, __u64 now,
			       __u32 service)
{
	__u64 due = limit_read(&state->due), ahead;

	if (due <= now || due - now > burst_of(interval) + interval + LIMIT_SLACK)
		state->began = now;
	if (limit_take(&state->due, now, interval, burst_of(interval)))
		return 0;
	ahead = (due - state->began) / interval;
	if (limit_replace(&state->armed, 0, now)) {
		state->busy = now;
		state->quiet = 0;
		write_event(pkt, NEXT, EVENT_ARMED, service, rate_of(ahead, now - state->began));
	}
	return 1;
}

/* A SYN to a service that is armed. */
static __always_inline void keep_armed(struct synproxy_state *state, __u64 interval, __u64 now)
{
	if (limit_take(&state->half, now, 2 * interval, burst_of(2 * interval))) {
		__sync_fetch_and_add(&state->quiet, 1);
	} else if (now - state->busy > BUSY_INTERVAL) {
		state->busy = now;
		state->quiet = 0;
	}
}

/* Returns 1 while the service, number `service` of the policy, is armed. */
__noinline int arming_is_armed(const struct packet *pkt, const struct synproxy_service *service, __u32 number,
			       __u32 is_syn)
{
	struct synproxy_state *state;
	__u64 now, since, busy;

	if (UNUSED(config.synproxy) || !pkt || !service)
		return 0;
	state = bpf_map_lookup_elem(&synproxy_states, &(__u32){ service->state });
	if (!state)
		return 0;
	since = state->armed;
	if (!is_syn && (!since || !service->interval))
		return !service->interval;
	now = packet_time();
	if (is_syn)
		count_syn(service->state, now);
	if (!service->interval)
		return 1;
	if (!since)
		return arm(pkt, state, service->interval, now, number);
	busy = state->busy;
	if (now > busy && now - busy > SYNPROXY_HOLD) {
		if (limit_replace(&state->armed, since, 0))
			write_event(pkt, NEXT, EVENT_STOOD_DOWN, number, rate_of(state->quiet, now - busy));
		return is_syn && arm(pkt, state, service->interval, now, number);
	}
	if (is_syn)
		keep_armed(state, service->interval, now);
	return 1;
}

#endif
