/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* rate: is this packet one too many? What is counted, and how, stands in include/sluice/limit.h. */
#ifndef SLUICE_BPF_RATE_H
#define SLUICE_BPF_RATE_H

#include "packet.h"
#include "record.h"
#include "sets.h"
#include "sluice/limit.h"

/* Not created where no rule has a limit. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct limits));
} limits SEC(".maps");

/* What is not IP has no address: all of it is one key, the rule's. */
static __always_inline void rate_key(struct limit *limit, const struct packet *pkt, const struct filter_more *more)
{
	const union address *address = more->per == FILTER_PER_DESTINATION ? &pkt->destination : &pkt->source;
	__u32 length = pkt->version == 4 ? more->length4 : more->length6;

	if (more->per == FILTER_PER_RULE || !pkt->version)
		return;
	limit->rule ^= (__u32)more->salt << 16;
	limit->key = set_key_of(pkt->version, address, length);
	if (more->per == FILTER_PER_SOURCE_DPORT)
		limit->port = pkt->has & HAS_PORTS ? pkt->destination_port : FILTER_PORT_NONE;
}

/* An answer of limit_take_tagged. A function of its own, or the verifier would go through it for each of its tries. */
__noinline int rate_take_tagged(const struct limit *limit)
{
	struct limits *state;

	if (UNUSED(config.limit || config.filter_needs & FILTER_NEEDS_LIMIT) || !limit)
		return LIMIT_OVER;
	state = bpf_map_lookup_elem(&limits, &(__u32){ 0 });
	return state ? (int)limit_take_tagged(state, limit) : LIMIT_OVER;
}

static __always_inline int rate_take_rule(const struct limit *limit)
{
	struct limits *state = bpf_map_lookup_elem(&limits, &(__u32){ 0 });

	return state && limit->rule < RULE_SLOTS && limit_take(&state->rules[limit->rule], limit) ? LIMIT_WITHIN
												  : LIMIT_OVER;
}

/* Returns enum limit_answer for the limit of the packet's rule. A function of its own: the verifier checks it once, and
 * packets that meet no limit do not pay for it. */
__noinline int rate_ask(const struct packet *pkt, const struct filter_more *more)
{
	struct limit limit = {};
	int answer = LIMIT_LOST;

	if (UNUSED(config.limit || config.filter_needs & FILTER_NEEDS_LIMIT))
		return LIMIT_OVER;
	if (!pkt || !more)
		return LIMIT_OVER;
	limit.rule = pkt->rule;
	limit_charge(&limit, more, pkt->length);
	/* Reading the exact clock is a third of the whole cost: it waits for all that was begun before it. */
	limit.now = limit.ahead < LIMIT_TICK ? packet_time() : packet_time_coarse();
	rate_key(&limit, pkt, more);
	if (!limit.key.version)
		return rate_take_rule(&limit);
	for (int i = 0; i < LIMIT_TRIES && answer == LIMIT_LOST; i++)
		answer = rate_take_tagged(&limit);
	return answer;
}

#endif
