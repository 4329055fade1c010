/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * question: services behind this box. A SYN is answered with a SYN-ACK that acknowledges what was never sent: a number
 * that is our cookie. Whoever gets it answers with a reset that has this number (RFC 9293, section 3.10.7.3), and sends
 * the SYN again. So who sends from an address that is not its own never sends the right reset. A source that has is
 * admitted for a while: only then is there something to keep.
 *
 * The cookie is one of the kernel's (bpf_tcp_raw_gen_syncookie_ipv4), of a SYN with the sequence number 0: the reset
 * does not tell that of the true one. It holds for one to two minutes, and one number in 500 million is one.
 */
#ifndef SLUICE_BPF_QUESTION_H
#define SLUICE_BPF_QUESTION_H

#include "sets.h"
#include "sluice/synproxy.h"
#include "synack.h"

/* Only the proven get in, and the one that was asked about least recently goes first. Not created without a gateway. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SYNPROXY_SOURCES);
	__uint(key_size, sizeof(struct set_key));
	__uint(value_size, sizeof(struct set_value));
} synproxy_proven SEC(".maps");

static __always_inline struct set_key source_key(const struct packet *pkt)
{
	__u32 length = pkt->version == 4 ? SYNPROXY_LENGTH4 : SYNPROXY_LENGTH6;

	return (struct set_key){
		.address = { pkt->source.words[0] & bpf_cpu_to_be64(set_mask_high(length)),
			     pkt->source.words[1] & bpf_cpu_to_be64(set_mask_low(length)) },
		.version = pkt->version,
		.length = length,
	};
}

static __always_inline void made_up_segment(const struct packet *pkt, struct synack_work *work, __u32 acknowledgement)
{
	synack_addresses(pkt, work);
	work->tcp = (struct tcphdr){
		.source = bpf_htons(pkt->source_port),
		.dest = bpf_htons(pkt->destination_port),
		.doff = sizeof(struct tcphdr) / 4,
		.ack_seq = bpf_htonl(acknowledgement),
	};
}

/* 1: the source has proved itself. */
__noinline int question_is_admitted(const struct packet *pkt)
{
	const struct set_value *value;
	struct set_key key;

	if (UNUSED(config.synproxy & SYNPROXY_GATEWAY) || !pkt)
		return 0;
	key = source_key(pkt);
	value = bpf_map_lookup_elem(&synproxy_proven, &key);
	return value && value->expires > packet_time();
}

/* Returns 1 with the answer to the SYN in the space of this CPU. */
__noinline int question_make(const struct packet *pkt)
{
	struct synack_work *work;
	__s64 cookie;

	if (UNUSED(config.synproxy & SYNPROXY_GATEWAY) || !pkt)
		return 0;
	work = synack_space();
	if (!work)
		return 0;
	made_up_segment(pkt, work, 0);
	if (pkt->version == 4)
		cookie = bpf_tcp_raw_gen_syncookie_ipv4(&work->ip.v4, &work->tcp, sizeof(work->tcp));
	else
		cookie = bpf_tcp_raw_gen_syncookie_ipv6(&work->ip.v6, &work->tcp, sizeof(work->tcp));
	if (cookie < 0)
		return 0;
	__builtin_memset(&work->synack, 0, sizeof(work->synack));
	work->synack.acknowledgement = bpf_htonl((__u32)cookie);
	return 1;
}

/* Returns 1 when the reset has the number of our question: its source is admitted then. */
__noinline int question_check(struct xdp_md *ctx, const struct packet *pkt)
{
	struct synack_work *work;
	struct set_value value;
	struct set_key key;
	__s64 wrong;

	if (UNUSED(config.synproxy & SYNPROXY_GATEWAY) || !pkt)
		return 0;
	work = synack_space();
	if (!work || !synack_load(ctx, pkt, work))
		return 0;
	/* The kernel compares the number before the one acknowledged with the one before the sequence number. */
	made_up_segment(pkt, work, bpf_ntohl(work->tcp.seq) + 1);
	work->tcp.seq = bpf_htonl(1);
	if (pkt->version == 4)
		wrong = bpf_tcp_raw_check_syncookie_ipv4(&work->ip.v4, &work->tcp);
	else
		wrong = bpf_tcp_raw_check_syncookie_ipv6(&work->ip.v6, &work->tcp);
	if (wrong || !synack_is_sound(ctx, pkt))
		return 0;
	if (config.shadow == SHADOW_CANDIDATE)
		return 1;
	key = source_key(pkt);
	value.expires = packet_time() + SYNPROXY_ADMITTED;
	bpf_map_update_elem(&synproxy_proven, &key, &value, BPF_ANY);
	return 1;
}

#endif
