/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * reject: the packet becomes its own answer, a TCP reset or an ICMP error, and leaves through the interface that it
 * came in by. It has the addresses of the packet, the other way round, and its VLAN tags. What must not be answered
 * (RFC 1122, section 3.2.2; RFC 4443, section 2.4 (e)) and what comes too often is dropped.
 */
#ifndef SLUICE_BPF_REJECT_H
#define SLUICE_BPF_REJECT_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include "answer.h"
#include "checksum.h"
#include "rate.h"
#include "packet.h"
#include "parse.h"
#include "record.h"

/* Answers of an interface: as many as Linux sends ICMP messages (net.ipv4.icmp_msgs_per_sec, icmp_msgs_burst). */
#define REJECT_INTERVAL 1000000ULL /* 1000 a second */
#define REJECT_BURST (49 * REJECT_INTERVAL)

/* All of an ICMP error: RFC 1812, section 4.3.2.3; RFC 4443, section 3.1. */
#define REJECT_ICMP_MAX 576
#define REJECT_ICMPV6_MAX 1280

#define REJECT_HEADERS4 (sizeof(struct iphdr) + sizeof(struct icmp_header))
#define REJECT_HEADERS6 (sizeof(struct ipv6hdr) + sizeof(struct icmp_header))

/* Ethernet and its tags, at most. */
#define REJECT_LINK_MAX (ETH_HLEN + VLANS_MAX * 4)

/* Not created where no rule rejects. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} reject_due SEC(".maps");

/* Errors, and what nobody knows (linux/icmp.h: NR_ICMP_TYPES): RFC 1122, section 3.2.2. */
static __always_inline int is_icmp_error(const struct packet *pkt)
{
	if (pkt->version == 6)
		return pkt->icmp_type < 128 || pkt->icmp_type == NDP_REDIRECT;
	return pkt->icmp_type > 18 || (1U << pkt->icmp_type & (1 << 3 | 1 << 4 | 1 << 5 | 1 << 11 | 1 << 12));
}

static __always_inline int may_answer(const struct packet *pkt, const struct ethhdr *eth)
{
	if (pkt->malformed || !(pkt->has & HAS_ADDRESSES) || pkt->fragment == FRAGMENT_LATER)
		return 0;
	if (is_group(eth))
		return 0;
	if (pkt->protocol == (pkt->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
	    (!(pkt->has & HAS_ICMP) || is_icmp_error(pkt)))
		return 0;
	if (pkt->protocol == IPPROTO_TCP && pkt->tcp_flags & TCP_RST)
		return 0;
	if (pkt->version == 4)
		return !is_odd4(pkt->source.v4) && !is_odd4(pkt->destination.v4);
	return !is_odd6(&pkt->source) && !is_odd6(&pkt->destination);
}

/* How long the whole segment is, its first fragment does not say. */
static __always_inline int may_reset(const struct packet *pkt)
{
	return pkt->protocol == IPPROTO_TCP && pkt->has & HAS_FLAGS && pkt->fragment == FRAGMENT_NONE;
}

static __always_inline int is_in_time(void)
{
	__u64 *due = bpf_map_lookup_elem(&reject_due, &(__u32){ 0 });
	const struct limit limit = {
		.now = packet_time(),
		.cost = REJECT_INTERVAL,
		.ahead = REJECT_BURST,
		.most = REJECT_BURST + REJECT_INTERVAL + LIMIT_SLACK,
	};

	return due && limit_take(due, &limit);
}

/* RFC 9293, section 3.5.2, group 1: its sequence number is what the segment acknowledges, or else it acknowledges all
 * that the segment has. */
static __always_inline struct tcphdr reset_of(const struct packet *pkt, const struct tcphdr *segment, __u32 payload)
{
	struct tcphdr reset = {
		.source = segment->dest,
		.dest = segment->source,
		.doff = sizeof(reset) / 4,
		.rst = 1,
	};

	if (pkt->tcp_flags & TCP_ACK) {
		reset.seq = segment->ack_seq;
	} else {
		reset.ack = 1;
		reset.ack_seq = bpf_htonl(bpf_ntohl(segment->seq) + payload + !!(pkt->tcp_flags & TCP_SYN) +
					  !!(pkt->tcp_flags & TCP_FIN));
	}
	reset.check =
		checksum(add_words(pseudo_header(pkt, IPPROTO_TCP, sizeof(reset)), (__u32 *)&reset, sizeof(reset) / 4));
	return reset;
}

static __always_inline int answer_reset(struct xdp_md *ctx, const struct packet *pkt)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 network = network_offset(pkt);
	__u32 transport = pkt->transport;
	struct tcphdr *segment, reset;
	void *out = data + network;
	__u32 before;

	if (transport > EXTENSIONS_END)
		return -1;
	segment = data + transport;
	if ((void *)(segment + 1) > end)
		return -1;
	before = transport - network + segment->doff * 4;
	reset = reset_of(pkt, segment, pkt->ip_length - before);
	if (pkt->version == 4) {
		if (out + sizeof(struct iphdr) + sizeof(reset) > end)
			return -1;
		write_ipv4(out, pkt, IPPROTO_TCP, sizeof(struct iphdr) + sizeof(reset));
		out += sizeof(struct iphdr);
	} else {
		if (out + sizeof(struct ipv6hdr) + sizeof(reset) > end)
			return -1;
		write_ipv6(out, pkt, IPPROTO_TCP, sizeof(reset));
		out += sizeof(struct ipv6hdr);
	}
	*(struct tcphdr *)out = reset;
	return set_frame_length(ctx, network + sizeof(reset) +
					     (pkt->version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)));
}

struct icmp_answer {
	__u8 type, code;
};

static __always_inline struct icmp_answer icmp_answer(const struct packet *pkt, __u32 reject)
{
	int v4 = pkt->version == 4;

	switch (reject) {
	case FILTER_REJECT_HOST:
		return (struct icmp_answer){ v4 ? 3 : 1, v4 ? 1 : 3 };
	case FILTER_REJECT_NET:
		return (struct icmp_answer){ v4 ? 3 : 1, 0 };
	case FILTER_REJECT_PROHIBITED:
		return (struct icmp_answer){ v4 ? 3 : 1, v4 ? 13 : 1 };
	default:
		return (struct icmp_answer){ v4 ? 3 : 1, v4 ? 3 : 4 };
	}
}

/* Quotes what the first buffer has of the packet, as far as an ICMP error may: takes off what is behind it, and makes
 * room for the headers in front of it. Returns how much is quoted, or -1. */
static __always_inline int quote(struct xdp_md *ctx, const struct packet *pkt, __u32 network, __u32 headers)
{
	__u32 there = ctx->data_end - ctx->data;
	__u32 most = (pkt->version == 4 ? REJECT_ICMP_MAX : REJECT_ICMPV6_MAX) - headers;

	if (most > pkt->ip_length)
		most = pkt->ip_length;
	barrier_var(there); /* or clang subtracts from a pointer what the verifier wants as a number */
	if (most > there - network)
		most = there - network;
	if (set_frame_length(ctx, network + most) || bpf_xdp_adjust_head(ctx, -(int)headers))
		return -1;
	return most;
}

/* The headers of the answer, in front of `quoted` bytes. Returns where the ICMP header begins, -1 where there is no
 * room. */
static __always_inline int write_headers(struct xdp_md *ctx, const struct packet *pkt, __u32 network, __u32 quoted)
{
	void *out = (void *)(long)ctx->data + network;
	void *end = (void *)(long)ctx->data_end;

	if (pkt->version == 4) {
		if (out + sizeof(struct iphdr) > end)
			return -1;
		write_ipv4(out, pkt, IPPROTO_ICMP, REJECT_HEADERS4 + quoted);
		return network + sizeof(struct iphdr);
	}
	if (out + sizeof(struct ipv6hdr) > end)
		return -1;
	write_ipv6(out, pkt, IPPROTO_ICMPV6, sizeof(struct icmp_header) + quoted);
	return network + sizeof(struct ipv6hdr);
}

static __always_inline int answer_icmp(struct xdp_md *ctx, const struct packet *pkt, __u32 reject)
{
	__u32 headers = pkt->version == 4 ? REJECT_HEADERS4 : REJECT_HEADERS6;
	__u32 network = network_offset(pkt);
	struct icmp_answer answer = icmp_answer(pkt, reject);
	struct icmp_header icmp = { .type = answer.type, .code = answer.code };
	int quoted = quote(ctx, pkt, network, headers);
	void *data = (void *)(long)ctx->data;
	__u64 sum = 0;
	int at;

	if (quoted < 0 || data + headers + REJECT_LINK_MAX > (void *)(long)ctx->data_end)
		return -1;
	__builtin_memcpy(data, data + headers, REJECT_LINK_MAX);
	at = write_headers(ctx, pkt, network, quoted);
	if (at < 0)
		return -1;
	if (pkt->version == 6)
		sum = pseudo_header(pkt, IPPROTO_ICMPV6, sizeof(icmp) + quoted);
	sum = add_words(sum, (__u32 *)&icmp, sizeof(icmp) / 4) + sum_bytes(ctx, at + sizeof(icmp), quoted);
	icmp.checksum = checksum(sum);
	return bpf_xdp_store_bytes(ctx, at, &icmp, sizeof(icmp));
}

/* Returns enum verdict: TX with the answer in the frame, or DROP. A function of its own: the verifier checks it once.
 * `reject` is enum filter_reject. */
__noinline int reject_packet(struct xdp_md *ctx, const struct packet *pkt, __u32 reject)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	int resets, err;

	if (UNUSED(config.filter_needs & FILTER_NEEDS_REJECT) || !pkt ||
	    (void *)(eth + 1) > (void *)(long)ctx->data_end)
		return VERDICT_DROP;
	resets = reject == FILTER_REJECT_RESET || (reject == FILTER_REJECT_AUTO && pkt->protocol == IPPROTO_TCP);
	if (!may_answer(pkt, eth) || (resets && !may_reset(pkt)) || !is_in_time())
		return VERDICT_DROP;
	if (resets)
		err = answer_reset(ctx, pkt);
	else
		err = answer_icmp(ctx, pkt, reject);
	return err || turn_around(ctx) ? VERDICT_DROP : VERDICT_TX;
}

#endif
