/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * filter: what rules see of a packet, and what one that matches does. A value that the packet does not have is one that
 * no rule about that field covers, so "any" and "this value" need no third kind of test.
 *
 * Lanes are several values in one word, each below a guard bit that is 0: whether all of them are in their ranges is
 * one expression (filter_lanes_inside).
 */
#ifndef SLUICE_FILTER_H
#define SLUICE_FILTER_H

#include <linux/types.h>

#include "sluice/verdict.h"

/* Of filter_key.lanes. ICMP and ICMPv6 have their type as source port and their code as destination port, what is not
 * IP has its EtherType as destination port: rules about ports are about protocols that have ports, rules about types
 * about ICMP, rules about EtherTypes about FILTER_PROTOCOL_OTHER. */
#define FILTER_SOURCE_PORT_SHIFT 0 /* 17 bits */
#define FILTER_DESTINATION_PORT_SHIFT 18
#define FILTER_PROTOCOL_SHIFT 36 /* 10 bits */
#define FILTER_LANES_GUARDS (1ULL << 17 | 1ULL << 35 | 1ULL << 46)

#define FILTER_PORT_NONE 0x10000 /* neither ports nor ICMP type: later fragments, other protocols, cut headers */
#define FILTER_PORT_ANY 0x10000	 /* the end of a range that begins at 0: with and without */

/* What the protocol lane holds. The failsafe has values of its own, so that a rule takes such packets in or leaves them
 * out by its range: `drop` never means them unless it names them, `accept` does. */
enum filter_protocol {
	/* 0 to 255: protocol of IP, after extension headers */
	FILTER_PROTOCOL_IP_LAST = 255,
	FILTER_PROTOCOL_FAILSAFE = 256, /* ICMP and ICMPv6 that is_failsafe (bpf/default.h): in place of 1 and 58 */
	FILTER_PROTOCOL_ARP = 257,
	FILTER_PROTOCOL_OTHER = 258, /* neither IP nor ARP, or cut before its addresses: both are 0.0.0.0 */
};

/* Of filter_key.ranges. */
#define FILTER_LENGTH_SHIFT \
	0 /* 16 bits: bytes of the IP packet, its header and all; of the frame if it is not IP; \
	   * 65535 also for more */
#define FILTER_HOP_LIMIT_SHIFT 17 /* 8 bits */
#define FILTER_DSCP_SHIFT 26	  /* 6 bits */
#define FILTER_VLAN_SHIFT 33	  /* 13 bits: id of the outermost tag */
#define FILTER_VLAN_NONE 0x1000	  /* untagged */
#define FILTER_RANGES_GUARDS (1ULL << 16 | 1ULL << 25 | 1ULL << 32 | 1ULL << 46)

/* Of filter_key.marks. */
#define FILTER_TCP_FLAGS 0xffULL /* FIN is bit 0, CWR bit 7: as in the header */
#define FILTER_TCP (1ULL << 8)	 /* there is a whole TCP header: the flags are known */
#define FILTER_FRAGMENT_FIRST (1ULL << 9)
#define FILTER_FRAGMENT_LATER (1ULL << 10)
#define FILTER_IP (1ULL << 11)	    /* there are addresses, hop limit, DSCP */
#define FILTER_EXTENSION_SHIFT 16   /* enum filter_extension, a bit each */
#define FILTER_SOURCE_SETS_SHIFT 32 /* a bit for each set that the source is in */
#define FILTER_DESTINATION_SETS_SHIFT 48

/* Of the 16 bits of each direction, static sets have the lower ones (their prefix table's value is all the bits of an
 * address), dynamic sets, of which number i of their kind has the bit FILTER_DYNAMIC_BIT + i, the upper ones. */
#define FILTER_STATIC_SETS_MAX 12
#define FILTER_DYNAMIC_BIT 12

enum filter_extension {
	FILTER_EXTENSION_HOP_BY_HOP,
	FILTER_EXTENSION_ROUTING,
	FILTER_EXTENSION_FRAGMENT,
	FILTER_EXTENSION_DESTINATION,
	FILTER_EXTENSION_AUTHENTICATION,
	FILTER_EXTENSION_COUNT,
};

/* The packet. Numbers in host byte order. */
struct filter_key {
	__u64 addresses[4]; /* IPv4: [0] is source << 32 | destination. IPv6: source, destination, high word first */
	__u64 lanes;
	__u64 marks; /* the rest is 0 where no rule asks for it (config.filter_needs) */
	__u64 ranges;
	__u64 mac; /* of the source: 48 bits */
};

/* What a rule wants beyond addresses and lanes. Most want nothing: all zero but `high`. */
struct filter_extra {
	__u64 marks_mask, marks; /* (key.marks & mask) == marks */
	__u64 low, high;	 /* of the ranges; `high` has FILTER_RANGES_GUARDS set */
	__u64 mac_mask, mac;	 /* (key.mac & mask) == mac */
};

/* Which parts of the key the rules of a policy ask for. */
enum filter_needs {
	FILTER_NEEDS_MARKS = 1 << 0,
	FILTER_NEEDS_RANGES = 1 << 1,
	FILTER_NEEDS_MAC = 1 << 2,
	/* And what the actions ask for. */
	FILTER_NEEDS_REJECT = 1 << 3,
	FILTER_NEEDS_LIMIT = 1 << 4,
	FILTER_NEEDS_LOG = 1 << 5,
	/* More than CLASSIFIER_INLINE groups: the classifier is checked apart from the rest of the program. */
	FILTER_NEEDS_APART = 1 << 6,
};

/* All ones in the guards when every lane is inside; `high` has the guards set. */
static inline __u64 filter_lanes_inside(__u64 lanes, __u64 low, __u64 high, __u64 guards)
{
	return ((lanes | guards) - low) & (high - lanes) & guards;
}

enum filter_reject {
	FILTER_REJECT_NONE,
	FILTER_REJECT_AUTO,	  /* TCP: reset; else port unreachable */
	FILTER_REJECT_RESET,	  /* only of rules about TCP */
	FILTER_REJECT_PORT,	  /* ICMP 3/3, ICMPv6 1/4 */
	FILTER_REJECT_HOST,	  /* ICMP 3/1, ICMPv6 1/3 */
	FILTER_REJECT_NET,	  /* ICMP 3/0, ICMPv6 1/0 */
	FILTER_REJECT_PROHIBITED, /* ICMP 3/13, ICMPv6 1/1 */
};

/* What a rule does, by its number. A rule's number is its place in the filter: the lowest that matches has the word. */
struct filter_action {
	__u32 slot;   /* of the rule's counter */
	__u8 verdict; /* enum verdict: PASS or DROP */
	__u8 reject;  /* enum filter_reject; with DROP */
	__u16 more;   /* number of a struct filter_more; 0: none */
};

_Static_assert(sizeof(struct filter_action) == 8, "shared layout");

/* The same of FILTER_RUN rules at once, as far as they are simple, by the number of the first: accept or drop, and
 * nothing else, counted in slots of which each follows the one before it. That is most of most policies, and of a
 * hundred thousand rules it stays in the cache where actions do not. */
#define FILTER_RUN 32

struct filter_run {
	__u32 simple;  /* a bit for each rule; of others the action has the word */
	__u32 accepts; /* a bit for each: it accepts; added to VERDICT_DROP it is the verdict, without a jump */
	__u32 slot;    /* of the first */
	__u32 reserved;
};

_Static_assert(sizeof(struct filter_run) == 16, "shared layout");
_Static_assert(VERDICT_PASS == VERDICT_DROP + 1, "a bit makes one of the other");

enum filter_per {
	FILTER_PER_RULE,
	FILTER_PER_SOURCE,
	FILTER_PER_DESTINATION,
	FILTER_PER_SOURCE_DPORT, /* the source, and the destination port that it sends to */
};

#define FILTER_BYTE_SHIFT 16 /* from 2^-16 nanoseconds to whole ones */

/* Most rules do not need it. */
struct filter_more {
	__u64 interval;	       /* nanoseconds a packet takes of the limit's time; 0: no limit */
	__u64 burst;	       /* nanoseconds that a key may be ahead: (packets of a burst - 1) * interval */
	__u32 log;	       /* one of so many packets becomes an event; 0: none does */
	__u32 ban_timeout;     /* seconds; 0: the set's own */
	__u8 per;	       /* enum filter_per */
	__u8 length4, length6; /* leading bits of the address that are the key */
	/* 1: a limit in bytes of the frame. Each takes `interval` 2^-16 nanoseconds, and `burst` is what all bytes of a
	 * burst take. */
	__u8 bytes;
	__u8 ban; /* 1 + number of the set, among those of DYNAMIC_BAN, that a source over the limit goes into; 0: none
		   */
	__u8 lines_bits; /* of the table of cells: limit_lines_bits() of limit.h */
	__u16 salt;	 /* of the rule's text: another rule in its slot has other cells */
};

_Static_assert(sizeof(struct filter_more) == 32, "shared layout");

#define FILTER_RULES_MAX (1 << 17)
#define FILTER_MORE_MAX 65535

#endif
