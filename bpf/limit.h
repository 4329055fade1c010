/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * limit: ordered limits, with matches as rules of the filter have them; the first that matches applies. What is within
 * it goes on to the next stage, what is over it is dropped, and its source may be banned (ban.h).
 */
#ifndef SLUICE_BPF_LIMIT_H
#define SLUICE_BPF_LIMIT_H

#include "ban.h"
#include "classify.h"
#include "key.h"
#include "rate.h"
#include "record.h"
#include "sluice/filter.h"

/* By the number of a limit. Verdict and reject are not used. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u32);
	__type(value, struct filter_action);
} limit_actions SEC(".maps");

/* By filter_action.more; the first is not used. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct filter_more);
} limit_more SEC(".maps");

/* The number of the limit, CLASSIFIER_NONE when none matches. `sets` is of key_sets. */
__noinline __u32 limit_find4(struct xdp_md *ctx, const struct packet *pkt, __u64 sets)
{
	if (UNUSED(config.limit) || !pkt)
		return CLASSIFIER_NONE;
	return limit_number4(ctx, pkt, sets, 0);
}

__noinline __u32 limit_find6(struct xdp_md *ctx, const struct packet *pkt, __u64 sets)
{
	if (UNUSED(config.limit) || !pkt)
		return CLASSIFIER_NONE;
	return limit_number6(ctx, pkt, sets, 0);
}

/* Inline where the limits are so few that all are constants of the program. */
static __always_inline __u32 limit_number(struct xdp_md *ctx, const struct packet *pkt, __u64 sets)
{
	if (pkt->version == 6 && CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT(CLASSIFIER_LIMIT, 6), straight_count))
		return limit_number6(ctx, pkt, sets, 0);
	if (pkt->version == 6)
		return limit_rest6(limit_find6(ctx, pkt, sets));
	if (CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT(CLASSIFIER_LIMIT, 4), straight_count))
		return limit_number4(ctx, pkt, sets, 0);
	return limit_rest4(limit_find4(ctx, pkt, sets));
}

static __always_inline enum verdict stage_limit(struct xdp_md *ctx, struct packet *pkt)
{
	const struct filter_action *action;
	const struct filter_more *more;
	enum limit_answer answer;
	__u64 sets = 0;
	__u32 number;

	if (!config.limit)
		return NEXT;
	if (has_sets() && pkt->has & HAS_ADDRESSES)
		sets = key_sets(pkt);
	number = limit_number(ctx, pkt, sets);
	action = bpf_map_lookup_elem(&limit_actions, &number);
	if (!action)
		return NEXT; /* no limit matches */
	number = action->more;
	more = bpf_map_lookup_elem(&limit_more, &number);
	if (!more)
		return NEXT;
	pkt->rule = action->slot;
	answer = rate_ask(pkt, more);
	if (answer == LIMIT_WITHIN) {
		record_limit(pkt->rule);
		pkt->rule = PREFIX_NONE;
		return NEXT;
	}
	if (config.events && more->log)
		pkt->logged = is_sampled(more->log);
	return decide(pkt, VERDICT_DROP, ban(pkt, more, answer, REASON_LIMIT, REASON_LIMIT_BAN, REASON_LIMIT_FULL));
}

#endif
