/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * question: services behind this box. A SYN is answered with a SYN-ACK that acknowledges what was never sent: a number
 * that is our cookie. Who has sent the SYN answers with a reset that has this number (RFC 9293, section 3.10.7.3), and
 * sends the SYN again. Then its source is admitted for a while: only then is there something to keep.
 *
 * Who sends from an address that is not its own never sees the number. But a host that has this address answers with
 * the same reset (section 3.10.7.1), unless a firewall of its own is in the way. So the proof is that the address is
 * one of a host, and it buys SYNPROXY_SOURCE_RATE SYNs a second; what comes beyond that is asked again.
 *
 * The cookie is one of the kernel's (bpf_tcp_raw_gen_syncookie_ipv4), of a SYN with the sequence number 0: the reset
 * does not tell that of the true one. It holds for one to two minutes, and one number in 500 million is one.
 */
#ifndef SLUICE_BPF_QUESTION_H
#define SLUICE_BPF_QUESTION_H

#include "arming.h"
#include "sets.h"
#include "sluice/limit.h"
#include "sluice/synproxy.h"
#include "synack.h"

/* Only the proven get in, and the one that was asked about least recently goes first. Not created without a gateway. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SYNPROXY_SOURCES);
	__uint(key_size, sizeof(struct set_key));
	__uint(value_size, sizeof(struct synproxy_proof));
} synproxy_proven SEC(".maps");

static __always_inline struct set_key source_key(const struct packet *pkt)
{
	__u32 length = pkt->version == 4 ? SYNPROXY_LENGTH4 : SYNPROXY_LENGTH6;

	return set_key_of(pkt->version, &pkt->source, length);
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

/* Whether a SYN is within what the proof buys. A candidate (shadow.h) looks, and takes nothing. */
static __always_inline int question_take(struct synproxy_proof *proof, __u64 now)
{
	const __u64 cost = SECOND / SYNPROXY_SOURCE_RATE;
	const struct limit limit = {
		.now = now,
		.cost = cost,
		.ahead = (SYNPROXY_SOURCE_BURST - 1) * cost,
		.most = SYNPROXY_SOURCE_BURST * cost + LIMIT_SLACK,
	};

	if (config.shadow == SHADOW_CANDIDATE)
		return limit_next(limit_read(&proof->due), &limit) != 0;
	return limit_take(&proof->due, &limit);
}

/* 1: the source of a SYN has proved itself. */
__noinline int question_is_admitted(const struct packet *pkt)
{
	struct synproxy_proof *proof;
	struct set_key key;
	__u64 now;

	if (UNUSED(config.synproxy & SYNPROXY_GATEWAY) || !pkt)
		return 0;
	key = source_key(pkt);
	proof = bpf_map_lookup_elem(&synproxy_proven, &key);
	now = packet_time();
	return proof && proof->expires > now && question_take(proof, now);
}

/* Who is admitted already is so for longer, with the SYNs that it has sent. */
static __always_inline void question_admit(const struct packet *pkt)
{
	const struct synproxy_proof fresh = { .expires = packet_time() + SYNPROXY_ADMITTED };
	struct set_key key = source_key(pkt);
	struct synproxy_proof *proof = bpf_map_lookup_elem(&synproxy_proven, &key);

	if (proof)
		proof->expires = fresh.expires;
	else
		bpf_map_update_elem(&synproxy_proven, &key, &fresh, BPF_NOEXIST);
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
	if (config.shadow != SHADOW_CANDIDATE)
		question_admit(pkt);
	return 1;
}

#endif
