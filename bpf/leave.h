/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* leave: the one exit. Counts every packet once, under its verdict and reason, and under the rule that decided. A
 * candidate (shadow.h) decides nothing, and counts nothing. */
#ifndef SLUICE_LEAVE_H
#define SLUICE_LEAVE_H

#include "events.h"
#include "packet.h"
#include "record.h"
#include "shadow.h"
#include "sluice/counter.h"
#include "top.h"
#include "track.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

/* config.rule_slots of each CPU. In an array of the kernel's for each CPU every counter lies behind a pointer, which
 * with many rules is one more place that is not in the cache. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u32);
	__type(value, struct counter);
} rules SEC(".maps");

static __always_inline void count(void *map, __u32 index, const struct packet *pkt)
{
	struct counter *counter = bpf_map_lookup_elem(map, &index);
	if (counter) {
		counter->packets++;
		counter->bytes += pkt->length;
	}
}

static __always_inline int leave(struct xdp_md *ctx, const struct packet *pkt, enum verdict verdict)
{
	if (config.fragments_track && pkt->fragment == FRAGMENT_FIRST)
		track_first(pkt, verdict);
	if (config.shadow == SHADOW_CANDIDATE)
		return shadow_answer(ctx, pkt, verdict);
	count(&counters, counter_index(pkt->reason, verdict), pkt);
	if (pkt->rule != PREFIX_NONE)
		count(&rules, bpf_get_smp_processor_id() * config.rule_slots + pkt->rule, pkt);
	if (config.shadow == SHADOW_ACTIVE)
		shadow_compare(pkt, verdict);
	if (config.events && pkt->logged)
		write_event(pkt, verdict, EVENT_LOG, 0, 0);
	else if (config.log_drops && verdict == VERDICT_DROP && is_sampled(config.log_drops))
		write_event(pkt, verdict, EVENT_DROP, 0, 0);
	/* Each look at config is a load that stays: has_top() would be two more. */
	if (config.record)
		write_record(pkt, verdict);
	else if (top_until())
		note_talkers(pkt, verdict);
	return verdict;
}

#endif
