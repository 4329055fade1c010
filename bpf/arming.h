/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * arming: whether a service is under attack, decided by its packets alone. SYNs of all CPUs are held against the rate
 * as a limit would (include/sluice/limit.h): the first that is over it arms the service. While it is armed they are
 * held against half the rate, and when none was over that for SYNPROXY_HOLD, the next packet has the service stand
 * down.
 */
#ifndef SLUICE_BPF_ARMING_H
#define SLUICE_BPF_ARMING_H

#include "events.h"
#include "packet.h"
#include "record.h"
#include "sluice/limit.h"
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

static __always_inline struct limit limit_of(__u64 interval, __u64 now)
{
	__u64 least = (SYNPROXY_BURST_LEAST - 1) * interval, burst = SECOND / SYNPROXY_BURSTS_A_SECOND;

	if (burst < least)
		burst = least;
	return (struct limit){ .now = now, .cost = interval, .ahead = burst, .most = burst + interval + LIMIT_SLACK };
}

static __always_inline __u64 rate_of(__u64 packets, __u64 nanoseconds)
{
	return packets * SECOND / (nanoseconds ?: 1);
}

/* What a packet has done to its service. */
enum arming_change {
	ARMING_UNCHANGED,
	ARMING_ARMED,
	ARMING_STOOD_DOWN,
};

struct arming {
	__u32 is_armed;
	__u32 change; /* enum arming_change */
	__u64 rate;   /* SYNs a second: when it was armed, or while it was not armed any more */
};

/* A SYN to a service that is not armed. */
static __always_inline void arm(struct arming *arming, struct synproxy_state *state, __u64 interval, __u64 now)
{
	__u64 due = limit_read(&state->due);
	struct limit limit = limit_of(interval, now);

	if (due <= now || due - now > limit.most)
		state->began = now;
	if (limit_take(&state->due, &limit))
		return;
	arming->is_armed = 1;
	state->busy = now; /* before it is armed, or another CPU would find it armed and idle */
	state->quiet = 0;
	if (!limit_replace(&state->armed, 0, now))
		return; /* another CPU was first */
	arming->change = ARMING_ARMED;
	arming->rate = rate_of((due - state->began) / interval, now - state->began);
}

/* A SYN to a service that is armed. */
static __always_inline void keep_armed(struct synproxy_state *state, __u64 interval, __u64 now)
{
	struct limit limit = limit_of(2 * interval, now);

	if (limit_take(&state->half, &limit)) {
		__sync_fetch_and_add(&state->quiet, 1);
	} else if (now - state->busy > BUSY_INTERVAL) {
		state->busy = now;
		state->quiet = 0;
	}
}

/* A segment to a service that is armed since then. */
static __always_inline void watch(struct arming *arming, struct synproxy_state *state, __u64 interval, __u64 now,
				  __u64 since, __u32 is_syn)
{
	__u64 busy = state->busy;

	if (now <= busy || now - busy <= SYNPROXY_HOLD) {
		arming->is_armed = 1;
		if (is_syn)
			keep_armed(state, interval, now);
		return;
	}
	if (!limit_replace(&state->armed, since, 0))
		return;
	arming->change = ARMING_STOOD_DOWN;
	arming->rate = rate_of(state->quiet, now - busy);
}

/* Whether the service is armed for this packet. A function of its own: the verifier checks it once. */
__noinline int arming_ask(const struct synproxy_service *service, __u32 is_syn, struct arming *arming)
{
	struct synproxy_state *state;
	__u64 now, since;

	if (UNUSED(config.synproxy) || !service || !arming)
		return 0;
	*arming = (struct arming){ .is_armed = !service->interval };
	state = bpf_map_lookup_elem(&synproxy_states, &(__u32){ service->state });
	if (!state)
		return 0;
	since = state->armed;
	if (!is_syn && (!since || !service->interval))
		return 0;
	now = packet_time();
	if (is_syn)
		count_syn(service->state, now);
	if (!service->interval)
		return 0;
	if (since)
		watch(arming, state, service->interval, now, since, is_syn);
	else
		arm(arming, state, service->interval, now);
	return 0;
}

#endif
