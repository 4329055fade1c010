/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The frames that the cost meter (bpf/meter.bpf.c) sends through a program: user space writes them into a map that it
 * has mapped.
 */
#ifndef SLUICE_METER_H
#define SLUICE_METER_H

#include <linux/types.h>

/* A flow of our own making: holds Ethernet, IPv6 and UDP headers (62 bytes), and is one cache line of the map. */
#define METER_FRAME 64

#define METER_FLOWS (1 << 20) /* at most */

struct meter_frame {
	__u64 words[METER_FRAME / 8];
};

_Static_assert(sizeof(struct meter_frame) == METER_FRAME, "shared layout");

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
