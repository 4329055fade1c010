/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * filter: ordered rules over many fields; the first that matches has the word. The key says what a rule may ask for
 * (key.h), the classifier gives the number of the rule, and actions say what it does.
 */
#ifndef SLUICE_BPF_FILTER_H
#define SLUICE_BPF_FILTER_H

#include "ban.h"
#include "classify.h"
#include "key.h"
#include "rate.h"
#include "reject.h"
#include "sluice/filter.h"
#include "sluice/shadow.h"

/* By the number of a rule, in runs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u32);
	__type(value, struct filter_run);
} filter_runs SEC(".maps");

/* By the number of a rule. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u32);
	__type(value, struct filter_action);
} filter_actions SEC(".maps");

/* By filter_action.more; the first is not used. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct filter_more);
} filter_more SEC(".maps");

/* Whether the filter fills the key itself, or the limit stage has done so before: a constant. */
static __always_inline int filter_fills4(void)
{
	return CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT(CLASSIFIER_FILTER, 4), straight_count) || !config.limit ||
	       CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT(CLASSIFIER_LIMIT, 4), straight_count);
}

static __always_inline int filter_fills6(void)
{
	return CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT(CLASSIFIER_FILTER, 6), straight_count) || !config.limit ||
	       CLASSIFIER_CONSTANT(CLASSIFIER_LAYOUT(CLASSIFIER_LIMIT, 6), straight_count);
}

/* The number of the rule, CLASSIFIER_NONE when none matches. `sets` is of key_sets. */
static __always_inline __u32 filter_number4(struct xdp_md *ctx, const struct packet *pkt, __u64 sets)
{
	return classifier_number4(ctx, pkt, sets, !filter_fills4());
}

static __always_inline __u32 filter_number6(struct xdp_md *ctx, const struct packet *pkt, __u64 sets)
{
	return classifier_number6(ctx, pkt, sets, !filter_fills6());
}

/* The same as functions of their own, which the verifier checks once: inline it does so for each way that a packet can
 * come here, which is 7 to 10 ns faster, but with many groups more than it takes. */
__noinline __u32 filter_number4_apart(struct xdp_md *ctx, const struct packet *pkt, __u64 sets)
{
	if (UNUSED(config.filter_needs & FILTER_NEEDS_APART) || !pkt)
		return CLASSIFIER_NONE;
	return filter_number4(ctx, pkt, sets);
}

__noinline __u32 filter_number6_apart(struct xdp_md *ctx, const struct packet *pkt, __u64 sets)
{
	if (UNUSED(config.filter_needs & FILTER_NEEDS_APART) || !pkt)
		return CLASSIFIER_NONE;
	return filter_number6(ctx, pkt, sets);
}

static __always_inline __u32 filter_number(struct xdp_md *ctx, const struct packet *pkt, __u64 sets)
{
	if (pkt->version == 6 && config.filter_needs & FILTER_NEEDS_APART)
		return classifier_rest6(filter_number6_apart(ctx, pkt, sets));
	if (pkt->version == 6)
		return classifier_rest6(filter_number6(ctx, pkt, sets));
	if (config.filter_needs & FILTER_NEEDS_APART)
		return classifier_rest4(filter_number4_apart(ctx, pkt, sets));
	return classifier_rest4(filter_number4(ctx, pkt, sets));
}

/* What a rule does beyond its verdict. Returns the reason why its limit refuses the packet, REASON_NONE when it does
 * not. */
static __always_inline enum reason do_more(struct packet *pkt, __u32 number)
{
	const struct filter_more *more = bpf_map_lookup_elem(&filter_more, &number);
	enum limit_answer answer;

	if (!more)
		return REASON_NONE;
	if (config.filter_needs & FILTER_NEEDS_LOG && more->log)
		pkt->logged = is_sampled(more->log);
	if (!(config.filter_needs & FILTER_NEEDS_LIMIT) || !more->interval)
		return REASON_NONE;
	answer = rate_ask(pkt, more);
	if (answer == LIMIT_WITHIN)
		return REASON_NONE;
	return ban(pkt, more, answer, REASON_FILTER_LIMIT, REASON_FILTER_LIMIT_BAN, REASON_FILTER_LIMIT_FULL);
}

/* A candidate (shadow.h) only says that it would answer. */
static __always_inline enum verdict reject(struct xdp_md *ctx, const struct packet *pkt, __u32 how)
{
	return config.shadow == SHADOW_CANDIDATE ? VERDICT_TX : reject_packet(ctx, pkt, how);
}

static __always_inline enum verdict do_action(struct xdp_md *ctx, struct packet *pkt, __u32 number)
{
	const struct filter_action *action = bpf_map_lookup_elem(&filter_actions, &number);
	enum reason reason;

	if (!action)
		return NEXT; /* no rule matches */
	pkt->rule = action->slot;
	if (config.filter_needs & (FILTER_NEEDS_LIMIT | FILTER_NEEDS_LOG) && action->more) {
		reason = do_more(pkt, action->more);
		if (reason)
			return decide(pkt, VERDICT_DROP, reason);
	}
	if (config.filter_needs & FILTER_NEEDS_REJECT && action->reject)
		return decide(pkt, reject(ctx, pkt, action->reject), REASON_FILTER_REJECT);
	return decide(pkt, action->verdict, REASON_FILTER_RULE);
}

static __always_inline enum verdict stage_filter(struct xdp_md *ctx, struct packet *pkt)
{
	const struct filter_run *run;
	__u32 number, place;
	__u64 sets = 0;

	if (!config.filter)
		return NEXT;
	if (has_sets() && (pkt->version == 6 ? filter_fills6() : filter_fills4()) && pkt->has & HAS_ADDRESSES)
		sets = key_sets(pkt);
	number = filter_number(ctx, pkt, sets);
	place = number / FILTER_RUN;
	run = bpf_map_lookup_elem(&filter_runs, &place);
	place = number % FILTER_RUN;
	if (!run || !(run->simple >> place & 1))
		return do_action(ctx, pkt, number);
	pkt->rule = run->slot + place;
	return decide(pkt, VERDICT_DROP + (run->accepts >> place & 1), REASON_FILTER_RULE);
}

#endif
