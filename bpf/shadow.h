/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * shadow: a candidate judges the packet before the active program does. A packet's way, on one CPU:
 *
 *   active: shadow_ask → candidate: all stages, shadow_answer → active: shadow_ask, all stages, shadow_compare
 *
 * A tail call that fails leads on: the active program judges, whatever becomes of the candidate.
 */
#ifndef SLUICE_BPF_SHADOW_H
#define SLUICE_BPF_SHADOW_H

#include "packet.h"
#include "sluice/counter.h"
#include "sluice/shadow.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SHADOW_PROGRAMS);
	__type(key, __u32);
	__type(value, __u32);
} shadow_programs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct shadow_note);
} shadow_note SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SHADOW_PAIRS_MAX);
	__type(key, struct shadow_pair);
	__type(value, struct counter);
} shadow_pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SHADOW_TOTALS);
	__type(key, __u32);
	__type(value, struct counter);
} shadow_totals SEC(".maps");

static __always_inline struct shadow_note *shadow_noted(void)
{
	return bpf_map_lookup_elem(&shadow_note, &(__u32){ 0 });
}

/* The active program, before anything else: does not come back when the candidate has to be asked first. */
static __always_inline void shadow_ask(struct xdp_md *ctx)
{
	struct shadow_note *note = shadow_noted();

	if (note && !note->noted)
		bpf_tail_call_static(ctx, &shadow_programs, SHADOW_CANDIDATE);
}

/* The candidate, at its end: does not come back. */
static __always_inline int shadow_answer(struct xdp_md *ctx, const struct packet *pkt, enum verdict verdict)
{
	struct shadow_note *note = shadow_noted();

	if (note) {
		note->rule = pkt->rule;
		note->verdict = verdict;
		note->reason = pkt->reason;
		note->noted = 1;
	}
	bpf_tail_call_static(ctx, &shadow_programs, SHADOW_ACTIVE);
	if (note)
		note->noted = 0;
	return XDP_ABORTED; /* whoever empties the slot waits for the packets that are on their way here */
}

static __always_inline void shadow_total(__u32 total, const struct packet *pkt)
{
	struct counter *counter = bpf_map_lookup_elem(&shadow_totals, &total);

	if (counter) {
		counter->packets++;
		counter->bytes += pkt->length;
	}
}

static __always_inline void shadow_count(const struct shadow_pair *pair, const struct packet *pkt)
{
	const struct counter first = {};
	struct counter *counter = bpf_map_lookup_elem(&shadow_pairs, pair);

	if (!counter) {
		bpf_map_update_elem(&shadow_pairs, pair, &first, BPF_NOEXIST);
		counter = bpf_map_lookup_elem(&shadow_pairs, pair);
	}
	if (!counter) {
		shadow_total(SHADOW_UNTOLD, pkt);
		return;
	}
	__sync_fetch_and_add(&counter->packets, 1);
	__sync_fetch_and_add(&counter->bytes, pkt->length);
}

/* The active program, at its end. A function of its own: the entry has no room left on its stack. */
__noinline int shadow_compare(const struct packet *pkt, __u32 verdict)
{
	struct shadow_pair pair = {};
	struct shadow_note *note;

	if (UNUSED(config.shadow == SHADOW_ACTIVE))
		return 0;
	note = shadow_noted();
	if (!pkt || !note || !note->noted)
		return 0;
	note->noted = 0;
	shadow_total(SHADOW_COMPARED, pkt);
	/* A reject is one whether it is answered or not: that depends on more than rules. */
	if (pkt->reason == REASON_FILTER_REJECT)
		verdict = VERDICT_TX;
	if (note->verdict == verdict)
		return 0;
	shadow_total(SHADOW_DIFFERENT, pkt);
	pair.active_rule = pkt->rule;
	pair.candidate_rule = note->rule;
	pair.active_verdict = verdict;
	pair.candidate_verdict = note->verdict;
	pair.active_reason = pkt->reason;
	pair.candidate_reason = note->reason;
	shadow_count(&pair, pkt);
	return 0;
}

#endif
