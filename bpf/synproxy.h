/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * synproxy: while a service is flooded with SYNs, this stage answers them, and only who shows that its address is its
 * own costs the service anything. Services of this host: syncookie.h; services behind it: question.h.
 */
#ifndef SLUICE_BPF_SYNPROXY_H
#define SLUICE_BPF_SYNPROXY_H

#include "arming.h"
#include "prefixes.h"
#include "question.h"
#include "synack.h"
#include "syncookie.h"

/* None of these is created without a synproxy. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct synproxy_services));
} synproxy_list SEC(".maps");

/* Their values are numbers of masks. */
PREFIX_TABLE(synproxy_dest4);
PREFIX_TABLE(synproxy_dest6);

/* Services, a bit each. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u32);
	__type(value, __u64);
} synproxy_masks SEC(".maps");

/* The services that the destination is an address of. A function of its own, as key_sets in key.h. */
__noinline __u64 synproxy_of_address(const struct packet *pkt)
{
	__u32 number = PREFIX_NONE;
	const __u64 *mask;

	if (UNUSED(config.synproxy_dest4.end || config.synproxy_dest6.end) || !pkt)
		return 0;
	if (config.synproxy_dest4.end && pkt->version == 4)
		number = prefixes_lookup4(&synproxy_dest4, &config.synproxy_dest4, &pkt->destination);
	if (config.synproxy_dest6.end && pkt->version == 6)
		number = prefixes_lookup6(&synproxy_dest6, &config.synproxy_dest6, &pkt->destination);
	mask = bpf_map_lookup_elem(&synproxy_masks, &number);
	return mask ? *mask : 0;
}

/* The number of the lowest bit of a mask that has one. */
static __always_inline __u32 lowest(__u64 mask)
{
	__u32 number = 0;

	for (__u32 step = SYNPROXY_SERVICES_MAX / 2; step; step /= 2) {
		if (mask & ((1ULL << step) - 1))
			continue;
		mask >>= step;
		number += step;
	}
	return number;
}

static __always_inline int is_syn(const struct packet *pkt)
{
	return (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

/* Unspecified, loopback, multicast, broadcast. Fewer than is_odd4 has: from reserved addresses Linux makes connections.
 */
static __always_inline int is_nobody4(__be32 address)
{
	__u32 host = bpf_ntohl(address);

	return !host || host >> 24 == 127 || host >> 28 == 14 || !~host;
}

/* The kernel, or who forwards it, drops that anyway. */
static __always_inline int is_odd(struct xdp_md *ctx, const struct packet *pkt)
{
	const struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end || is_group(eth))
		return 1;
	if (pkt->version == 4)
		return is_nobody4(pkt->source.v4) || is_nobody4(pkt->destination.v4);
	return is_odd6(&pkt->source) || is_odd6(&pkt->destination);
}

/* A SYN to a service that is armed. */
static __always_inline enum verdict answer_syn(struct xdp_md *ctx, struct packet *pkt,
					       const struct synproxy_service *service)
{
	enum verdict verdict;

	if (is_odd(ctx, pkt) || (service->gateway && question_is_admitted(pkt)))
		return NEXT;
	if (!synack_is_sound(ctx, pkt))
		return decide(pkt, VERDICT_DROP, REASON_SYNPROXY_CHECKSUM);
	if (service->gateway ? !question_make(pkt) : !syncookie_make(ctx, pkt))
		return NEXT;
	verdict = synack_answer(ctx, pkt);
	if (verdict == NEXT)
		return NEXT;
	count_service(service->state, SYNPROXY_ANSWERED);
	return decide(pkt, verdict, service->gateway ? REASON_SYNPROXY_QUESTION : REASON_SYNPROXY_COOKIE);
}

/* Any other segment. */
static __always_inline enum verdict check_segment(struct xdp_md *ctx, struct packet *pkt,
						  const struct synproxy_service *service)
{
	if (service->gateway) {
		if ((pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_RST || !question_check(ctx, pkt))
			return NEXT;
		count_service(service->state, SYNPROXY_VALID);
		return decide(pkt, VERDICT_DROP, REASON_SYNPROXY_ADMITTED);
	}
	if ((pkt->tcp_flags & (TCP_ACK | TCP_RST)) != TCP_ACK)
		return NEXT;
	switch (syncookie_check(ctx, pkt)) {
	case SYNCOOKIE_VALID:
		count_service(service->state, SYNPROXY_VALID);
		return NEXT;
	case SYNCOOKIE_INVALID:
		count_service(service->state, SYNPROXY_INVALID);
		return decide(pkt, VERDICT_DROP, REASON_SYNPROXY_INVALID);
	default:
		return NEXT;
	}
}

/* A segment to a port of these services. Returns enum verdict. A function of its own: all other packets do not pay for
 * it, and the verifier checks it once. */
__noinline int synproxy_judge(struct xdp_md *ctx, struct packet *pkt, __u64 services)
{
	const struct synproxy_services *all;
	const struct synproxy_service *service;
	struct arming arming = {};
	enum verdict verdict = NEXT;
	__u32 number;

	if (UNUSED(config.synproxy) || !pkt)
		return NEXT;
	services &= config.synproxy_any |
		    (config.synproxy_dest4.end || config.synproxy_dest6.end ? synproxy_of_address(pkt) : 0);
	all = bpf_map_lookup_elem(&synproxy_list, &(__u32){ 0 });
	if (!services || !all)
		return NEXT;
	number = lowest(services) & (SYNPROXY_SERVICES_MAX - 1);
	service = &all->items[number];
	arming_ask(service, is_syn(pkt), &arming);
	if (arming.is_armed)
		verdict = is_syn(pkt) ? answer_syn(ctx, pkt, service) : check_segment(ctx, pkt, service);
	pkt->rule = service->slot;
	if (config.events && arming.change)
		write_event(pkt, verdict, arming.change == ARMING_ARMED ? EVENT_ARMED : EVENT_STOOD_DOWN, number,
			    arming.rate);
	if (verdict == NEXT)
		pkt->rule = PREFIX_NONE;
	return verdict;
}

/* Most packets: of a connection to a port that has one service, which is not armed, or is behind this box. A call would
 * cost them more than all that is looked at here. */
static __always_inline int is_idle(const struct packet *pkt, const struct synproxy_services *all, __u64 services)
{
	const struct synproxy_service *service;
	const struct synproxy_state *state;

	if (is_syn(pkt) || services & (services - 1))
		return 0;
	service = &all->items[lowest(services) & (SYNPROXY_SERVICES_MAX - 1)];
	if (service->gateway)
		return !(pkt->tcp_flags & TCP_RST);
	state = bpf_map_lookup_elem(&synproxy_states, &(__u32){ service->state });
	return service->interval && state && !state->armed;
}

static __always_inline enum verdict stage_synproxy(struct xdp_md *ctx, struct packet *pkt)
{
	const struct synproxy_services *all;
	__u64 services;

	if (!config.synproxy)
		return NEXT;
	if (pkt->protocol != IPPROTO_TCP || !(pkt->has & HAS_FLAGS) || pkt->malformed || pkt->fragment != FRAGMENT_NONE)
		return NEXT;
	all = bpf_map_lookup_elem(&synproxy_list, &(__u32){ 0 });
	if (!all)
		return NEXT;
	services = all->ports[pkt->destination_port];
	if (!services || is_idle(pkt, all, services))
		return NEXT;
	return synproxy_judge(ctx, pkt, services);
}

#endif
