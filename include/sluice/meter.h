/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The frames that the cost meter (bpf/meter.bpf.c) sends through a program: user space writes them into a map that it
 * has mapped.
 */
#ifndef SLUICE_METER_H
#define SLUICE_METER_H

#include <linux/types.h>

/* Holds Ethernet, IPv6 and TCP headers (74 bytes). */
#define METER_FRAME 80

#define METER_FLOWS (1 << 20) /* at most */

/*
 * A flow of our own making is what it has different from the others, addresses, ports and protocol above all: the rest
 * of its frame is the same for all, and would do for UDP and for TCP. So the flows take as little of the caches as can
 * be: they belong to the program that is measured.
 */
#define METER_FLOW4_OFFSET 22 /* time to live, protocol, checksum of the header, addresses, ports */
#define METER_FLOW6_OFFSET 14 /* all of IPv6's header, ports */

struct meter_flow4 {
	__u64 words[2];
};

struct meter_flow6 {
	__u64 words[6];
};

/* A packet of a capture: its beginning, and how long it was. Behind the beginning the program sees zeros. */
#define METER_CAPTURED 256
#define METER_LENGTH 3520	/* at most: a page less 256 bytes headroom and 320 of struct skb_shared_info */
#define METER_PACKETS (1 << 17) /* at most; 34 MB */

struct meter_captured {
	__u32 length;  /* on the wire, from the Ethernet header on */
	__u32 written; /* the smaller of that and METER_CAPTURED */
	__u8 bytes[METER_CAPTURED];
};

_Static_assert(sizeof(struct meter_captured) == 8 + METER_CAPTURED, "shared layout");

#endif
