/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * What the program says of one packet when it is loaded for replay or explain (config.record). The map `record` has one
 * entry, mapped into user space. A production program does not have it.
 */
#ifndef SLUICE_RECORD_H
#define SLUICE_RECORD_H

#include <linux/types.h>

enum fragment {
	FRAGMENT_NONE,	/* whole, also an IPv6 atomic fragment (RFC 6946) */
	FRAGMENT_FIRST, /* offset 0 and more to come: has the ports */
	FRAGMENT_LATER, /* offset above 0: has no ports */
};

/* Set by parse as it gets there; a field not flagged is not there, whatever it holds. */
enum packet_has {
	HAS_ADDRESSES = 1 << 0, /* version, source, destination, protocol */
	HAS_PORTS = 1 << 1,
	HAS_ICMP = 1 << 2,  /* icmp_type, icmp_code */
	HAS_FLAGS = 1 << 3, /* tcp_flags: the whole TCP header is there */
};

#define VLANS_MAX 2
#define EXTENSIONS_MAX 8 /* RFC 8200, section 4.1 lists seven, destination options twice */

struct record {
	/* In. */
	__u64 time;	   /* nanoseconds, by which limits and timeouts go; 0: the kernel's monotonic clock */
	__u32 wire_length; /* of the frame, 0 when all of it is there: a capture may hold less than the wire did */

	/* Out. */
	__u32 rule; /* slot, PREFIX_NONE when no rule decided */
	__u8 verdict;
	__u8 reason;
	__u8 has;      /* enum packet_has */
	__u8 version;  /* of IP: 4, 6, or 0 for what is not IP */
	__u8 protocol; /* the one above IP and its extension headers; in a later fragment the one its header names */
	__u8 fragment; /* enum fragment */
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 vlans;	       /* tags parsed, at most VLANS_MAX */
	__u8 malformed;	       /* enum reason why parse stopped early, also when the policy lets it pass */
	__u16 ethertype;       /* of what follows the tags, host byte order; below 1536 an IEEE 802.3 length */
	__u16 vlan[VLANS_MAX]; /* VLAN ids, outermost first */
	__u16 source_port;     /* host byte order */
	__u16 destination_port;
	__u8 source[16]; /* network byte order, IPv4 in the first four */
	__u8 destination[16];
	__u8 tcp_flags; /* as in the header: FIN is bit 0 */
	__u8 hop_limit; /* TTL */
	__u8 dscp;
	__u8 reserved;
	__u32 limit; /* 1 + slot of the limit that the packet was within, 0 when it met none; not of events */
	__u32 unused;
};

_Static_assert(sizeof(struct record) == 80, "shared layout");

#endif
