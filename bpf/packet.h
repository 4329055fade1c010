/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* What parse learned of a packet. Every stage reads it; none reads the headers again. */
#ifndef SLUICE_PACKET_H
#define SLUICE_PACKET_H

#include <linux/bpf.h>
#include <linux/in6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "sluice/config.h"
#include "sluice/filter.h"
#include "sluice/prefix.h"
#include "sluice/reason.h"
#include "sluice/record.h"
#include "sluice/verdict.h"

union address {
	__be32 v4;
	struct in6_addr v6;
	__u64 words[2];
};

struct packet {
	__u32 length;	/* bytes from the Ethernet header on, all buffers of the frame */
	__u32 rule;	/* slot of the rule that decided, PREFIX_NONE when none did */
	__u8 reason;	/* enum reason of the verdict */
	__u8 malformed; /* enum reason why parse stopped early, REASON_NONE when it did not */
	__u8 has;	/* enum packet_has */
	__u8 version;	/* 4, 6, 0 for what is not IP */
	__u8 protocol;
	__u8 hop_limit;
	__u8 fragment; /* enum fragment */
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 vlans;
	__u16 ethertype; /* host byte order */
	__u16 vlan[VLANS_MAX];
	__u16 source_port; /* host byte order */
	__u16 destination_port;
	/* What only some policies ask for: wants(). */
	__u16 ip_length; /* the IP packet, header and all; 65535 also for more */
	__u8 tcp_flags;	 /* with HAS_FLAGS */
	__u8 dscp;
	__u8 extensions;      /* a bit for each enum filter_extension */
	__u8 logged;	      /* 1: it is to become an event */
	__u16 transport;      /* offset of the header above IP */
	__u32 identification; /* of a fragment; network byte order for IPv6, the lower 16 bits for IPv4 */
	union address source;
	union address destination;
};

/* Constant once loaded; the verifier deletes what it turns off. */
const volatile struct config config = {};

/* Whether something is to be read for any of these (enum filter_needs), or to be told. */
static __always_inline int wants(__u8 needs)
{
	return config.record || (config.filter_needs & needs);
}

/* A stage decides: one line where it does. */
static __always_inline enum verdict decide(struct packet *pkt, enum verdict verdict, enum reason reason)
{
	pkt->reason = reason;
	return verdict;
}

#endif
