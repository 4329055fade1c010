/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* answer: what packets that become their own answers have in common (reject.h, synproxy.h). */
#ifndef SLUICE_BPF_ANSWER_H
#define SLUICE_BPF_ANSWER_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "checksum.h"
#include "length.h"
#include "packet.h"

#define ANSWER_HOP_LIMIT 64

/* RFC 1812, section 4.3.2.5: precedence of an ICMP error is INTERNETWORK CONTROL. */
#define ANSWER_ICMP_TOS 0xc0

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* Not of one host: unspecified, loopback, multicast, reserved. */
static __always_inline int is_odd4(__be32 address)
{
	__u8 first = bpf_ntohl(address) >> 24;

	return first == 0 || first == 127 || first >= 224;
}

static __always_inline int is_odd6(const union address *address)
{
	if (address->v6.s6_addr[0] == 0xff)
		return 1;
	return !address->words[0] && bpf_be64_to_cpu(address->words[1]) <= 1;
}

/* Multicast or broadcast of the link. */
static __always_inline int is_group(const struct ethhdr *eth)
{
	return (eth->h_dest[0] | eth->h_source[0]) & 1;
}

/* Back to the station that the frame came from. */
static __always_inline int turn_around(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u8 source[ETH_ALEN];

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return -1;
	__builtin_memcpy(source, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, source, ETH_ALEN);
	return 0;
}

/* Don't fragment, and so no identification (RFC 6864, section 4.1). */
static __always_inline void write_ipv4(struct iphdr *ip, const struct packet *pkt, __u8 protocol, __u32 length)
{
	*ip = (struct iphdr){
		.version = 4,
		.ihl = sizeof(*ip) / 4,
		.tos = protocol == IPPROTO_ICMP ? ANSWER_ICMP_TOS : 0,
		.tot_len = bpf_htons(length),
		.frag_off = bpf_htons(0x4000),
		.ttl = ANSWER_HOP_LIMIT,
		.protocol = protocol,
		.saddr = pkt->destination.v4,
		.daddr = pkt->source.v4,
	};
	ip->check = checksum(add_words(0, (__u32 *)ip, sizeof(*ip) / 4));
}

static __always_inline void write_ipv6(struct ipv6hdr *ip, const struct packet *pkt, __u8 protocol, __u32 length)
{
	*ip = (struct ipv6hdr){
		.version = 6,
		.payload_len = bpf_htons(length),
		.nexthdr = protocol,
		.hop_limit = ANSWER_HOP_LIMIT,
		.saddr = pkt->destination.v6,
		.daddr = pkt->source.v6,
	};
}

/* Where IP begins. */
static __always_inline __u32 network_offset(const struct packet *pkt)
{
	return ETH_HLEN + (pkt->vlans & 3) * 4;
}

/* Makes the frame so long. Where that cannot be, which may only happen when it is longer than before, the frame stays
 * as it is. */
static __always_inline int set_frame_length(struct xdp_md *ctx, __u32 length)
{
	return bpf_xdp_adjust_tail(ctx, (int)length - (int)frame_length(ctx));
}

#endif
