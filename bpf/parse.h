/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * parse: the headers, once, into struct packet. Each layer takes the cursor, steps over its header and returns the next
 * protocol (an EtherType after Ethernet, an IP protocol after IP) or the negative reason why it cannot.
 */
#ifndef SLUICE_PARSE_H
#define SLUICE_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "extensions.h"
#include "fragments.h"
#include "length.h"
#include "packet.h"
#include "record.h"

#define ETH_P_QINQ_OLD 0x9100 /* 802.1ad before it had a number of its own; linux/if_ether.h calls it ETH_P_QINQ1 */

struct vlan_header {
	__be16 tci;
	__be16 ethertype;
};

struct arp_header {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 operation;
};

/* RFC 792 and RFC 4443, section 2.1, begin alike. (linux/icmp.h needs the C library.) */
struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 rest;
};

/* RFC 9260, section 3.1. */
struct sctp_header {
	__be16 source;
	__be16 destination;
	__be32 tag;
	__be32 checksum;
};

#define VLAN_ID_MASK 0x0fff
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_OFFSET_MASK 0x1fff

/* The upper 6 bits of the second byte of IPv4, and of the traffic class, which begins in the fifth bit of IPv6. */
#define DSCP_SHIFT 2
#define IPV6_DSCP_SHIFT 6
#define DSCP_MASK 0x3f

#define TCP_FLAGS_OFFSET 13

struct cursor {
	void *at;     /* next byte to read */
	void *end;    /* of the frame's first buffer; headers have to be in it */
	__u32 offset; /* of `at`, from the Ethernet header on */
	__u32 limit;  /* offset where the packet ends: the frame's length, from the IP header on what that says */
};

/* The next bytes, stepped over; NULL when the packet ends before. */
static __always_inline void *take(struct cursor *cur, __u32 size)
{
	void *header = cur->at;

	if (cur->at + size > cur->end || cur->offset + size > cur->limit)
		return NULL;
	cur->at += size;
	cur->offset += size;
	return header;
}

/* Steps over bytes that nobody reads; whoever takes the next ones finds out whether the buffer has them. */
static __always_inline int skip(struct cursor *cur, __u32 size)
{
	if (cur->offset + size > cur->limit)
		return -1;
	cur->at += size;
	cur->offset += size;
	return 0;
}

static __always_inline int is_vlan(__u16 ethertype)
{
	return ethertype == ETH_P_8021Q || ethertype == ETH_P_8021AD || ethertype == ETH_P_QINQ_OLD;
}

static __always_inline int parse_ethernet(struct cursor *cur, struct packet *pkt)
{
	struct ethhdr *eth = take(cur, sizeof(*eth));
	__u16 ethertype;

	if (!eth)
		return -REASON_MALFORMED_ETHERNET;
	ethertype = bpf_ntohs(eth->h_proto);

#pragma unroll
	for (int i = 0; i < VLANS_MAX; i++) {
		if (!is_vlan(ethertype))
			break;
		struct vlan_header *tag = take(cur, sizeof(*tag));
		if (!tag)
			return -REASON_MALFORMED_VLAN;
		pkt->vlan[i] = bpf_ntohs(tag->tci) & VLAN_ID_MASK;
		pkt->vlans = i + 1;
		ethertype = bpf_ntohs(tag->ethertype);
	}
	pkt->ethertype = ethertype;
	return is_vlan(ethertype) ? -REASON_VLAN_DEPTH : ethertype;
}

static __always_inline int parse_arp(struct cursor *cur)
{
	struct arp_header *arp = take(cur, sizeof(*arp));

	if (!arp || skip(cur, 2 * (arp->hardware_length + arp->protocol_length)))
		return -REASON_MALFORMED_ARP;
	return 0;
}

static __always_inline int parse_ipv4(struct cursor *cur, struct packet *pkt)
{
	__u32 start = cur->offset;
	struct iphdr *ip = take(cur, sizeof(*ip));
	__u32 header_length, total_length;
	__u16 fragment;
	int err;

	if (!ip || ip->version != 4)
		return -REASON_MALFORMED_IPV4;
	pkt->version = 4;
	pkt->has |= HAS_ADDRESSES;
	pkt->source.v4 = ip->saddr;
	pkt->destination.v4 = ip->daddr;
	pkt->protocol = ip->protocol;
	pkt->hop_limit = ip->ttl;

	header_length = ip->ihl * 4;
	total_length = bpf_ntohs(ip->tot_len);
	if (wants(FILTER_NEEDS_RANGES | FILTER_NEEDS_LOG))
		pkt->dscp = ip->tos >> DSCP_SHIFT;
	if (wants(FILTER_NEEDS_RANGES | FILTER_NEEDS_REJECT) || config.synproxy)
		pkt->ip_length = total_length;
	if (config.fragments_track)
		pkt->identification = ip->id;
	if (header_length < sizeof(*ip) || total_length < header_length || start + total_length > cur->limit)
		return -REASON_MALFORMED_IPV4;
	cur->limit = start + total_length; /* what follows is padding of the link */
	if (skip(cur, header_length - sizeof(*ip)))
		return -REASON_MALFORMED_IPV4;

	fragment = bpf_ntohs(ip->frag_off);
	err = parse_fragment(&pkt->fragment, ip->protocol, (fragment & IPV4_OFFSET_MASK) * 8,
			     fragment & IPV4_MORE_FRAGMENTS, total_length - header_length, header_length);
	return err ?: ip->protocol;
}

static __always_inline int parse_ipv6(struct xdp_md *ctx, struct cursor *cur, struct packet *pkt)
{
	struct ipv6hdr *ip = take(cur, sizeof(*ip));
	struct extensions ext = {};
	__u32 payload_length;
	int protocol;

	if (!ip || ip->version != 6)
		return -REASON_MALFORMED_IPV6;
	pkt->version = 6;
	pkt->has |= HAS_ADDRESSES;
	pkt->source.v6 = ip->saddr;
	pkt->destination.v6 = ip->daddr;
	pkt->protocol = ip->nexthdr;
	pkt->hop_limit = ip->hop_limit;

	payload_length = bpf_ntohs(ip->payload_len);
	if (wants(FILTER_NEEDS_RANGES | FILTER_NEEDS_LOG))
		pkt->dscp = bpf_ntohs(*(__be16 *)ip) >> IPV6_DSCP_SHIFT & DSCP_MASK;
	if (wants(FILTER_NEEDS_RANGES | FILTER_NEEDS_REJECT) || config.synproxy) {
		__u32 length = sizeof(*ip) + payload_length;

		pkt->ip_length = length < 65535 ? length : 65535;
	}
	if (cur->offset + payload_length > cur->limit)
		return -REASON_MALFORMED_IPV6;
	cur->limit = cur->offset + payload_length;

	if (!is_extension(ip->nexthdr))
		return ip->nexthdr;
	ext.protocol = ip->nexthdr;
	ext.start = ext.offset = cur->offset;
	ext.limit = cur->limit;
	protocol = parse_extensions(ctx, &ext);
	pkt->protocol = ext.protocol;
	pkt->fragment = ext.fragment;
	if (config.filter_needs & FILTER_NEEDS_MARKS)
		pkt->extensions = ext.seen;
	if (config.fragments_track)
		pkt->identification = ext.identification;
	if (protocol < 0)
		return protocol;
	if (ext.offset > EXTENSIONS_END)
		return -REASON_MALFORMED_EXTENSION;
	cur->offset = ext.offset;
	cur->at = (void *)(long)ctx->data + ext.offset;
	return protocol;
}

static __always_inline void set_ports(struct packet *pkt, __be16 source, __be16 destination)
{
	pkt->source_port = bpf_ntohs(source);
	pkt->destination_port = bpf_ntohs(destination);
	pkt->has |= HAS_PORTS;
}

static __always_inline int parse_tcp(struct cursor *cur, struct packet *pkt)
{
	__u32 left = cur->limit - cur->offset;
	struct tcphdr *tcp = take(cur, sizeof(*tcp));

	if (!tcp)
		return -REASON_MALFORMED_TCP;
	set_ports(pkt, tcp->source, tcp->dest);
	if (wants(FILTER_NEEDS_MARKS | FILTER_NEEDS_REJECT | FILTER_NEEDS_LOG) || config.synproxy) {
		pkt->tcp_flags = ((__u8 *)tcp)[TCP_FLAGS_OFFSET];
		pkt->has |= HAS_FLAGS;
	}
	if (tcp->doff * 4 < sizeof(*tcp) || tcp->doff * 4 > left)
		return -REASON_MALFORMED_TCP;
	return 0;
}

static __always_inline int parse_udp(struct cursor *cur, struct packet *pkt)
{
	__u32 left = cur->limit - cur->offset;
	struct udphdr *udp = take(cur, sizeof(*udp));
	__u32 length;

	if (!udp)
		return -REASON_MALFORMED_UDP;
	set_ports(pkt, udp->source, udp->dest);
	length = bpf_ntohs(udp->len);
	/* A first fragment carries the length of the whole datagram. */
	if (length < sizeof(*udp) || (length > left && pkt->fragment == FRAGMENT_NONE))
		return -REASON_MALFORMED_UDP;
	return 0;
}

static __always_inline int parse_icmp(struct cursor *cur, struct packet *pkt)
{
	struct icmp_header *icmp = take(cur, sizeof(*icmp));

	if (!icmp)
		return -REASON_MALFORMED_ICMP;
	pkt->icmp_type = icmp->type;
	pkt->icmp_code = icmp->code;
	pkt->has |= HAS_ICMP;
	return 0;
}

static __always_inline int parse_sctp(struct cursor *cur, struct packet *pkt)
{
	struct sctp_header *sctp = take(cur, sizeof(*sctp));

	if (!sctp)
		return -REASON_MALFORMED_SCTP;
	set_ports(pkt, sctp->source, sctp->destination);
	return 0;
}

static __always_inline int parse_transport(struct cursor *cur, struct packet *pkt, int protocol)
{
	if (pkt->fragment == FRAGMENT_LATER)
		return 0;
	switch (protocol) {
	case IPPROTO_TCP:
		return parse_tcp(cur, pkt);
	case IPPROTO_UDP:
		return parse_udp(cur, pkt);
	case IPPROTO_ICMP:
		return pkt->version == 4 ? parse_icmp(cur, pkt) : 0;
	case IPPROTO_ICMPV6:
		return pkt->version == 6 ? parse_icmp(cur, pkt) : 0;
	case IPPROTO_SCTP:
		return parse_sctp(cur, pkt);
	default:
		return 0; /* no ports */
	}
}

/* Returns 0, or the negative reason why what follows cannot be trusted. */
static __always_inline int parse(struct xdp_md *ctx, struct cursor *cur, struct packet *pkt)
{
	int ethertype, protocol;

	ethertype = parse_ethernet(cur, pkt);
	switch (ethertype) {
	case ETH_P_ARP:
		return parse_arp(cur);
	case ETH_P_IP:
		protocol = parse_ipv4(cur, pkt);
		break;
	case ETH_P_IPV6:
		protocol = parse_ipv6(ctx, cur, pkt);
		break;
	default:
		return ethertype < 0 ? ethertype : 0; /* not IP: nothing more to know */
	}
	if (protocol < 0)
		return protocol;
	if (config.filter_needs & FILTER_NEEDS_REJECT || config.synproxy)
		pkt->transport = cur->offset;
	return parse_transport(cur, pkt, protocol);
}

static __always_inline enum verdict stage_parse(struct xdp_md *ctx, struct packet *pkt)
{
	struct record *record = recording();
	struct cursor cur = {
		.at = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
	int err;

	pkt->length = record && record->wire_length ? record->wire_length : frame_length(ctx);
	cur.limit = pkt->length;

	err = parse(ctx, &cur, pkt);
	if (!err)
		return NEXT;
	pkt->malformed = -err;
	if (config.malformed_pass)
		return NEXT; /* the other stages judge by what could be read */
	return decide(pkt, VERDICT_DROP, -err);
}

#endif
