/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* fragments track: the verdict of a datagram's first fragment, for those that come after it. */
#ifndef SLUICE_FRAGMENTS_H
#define SLUICE_FRAGMENTS_H

#include <linux/types.h>

#include "sluice/record.h"

/* Datagrams at a time; one more takes the place of the one that was asked about least recently. */
#define FRAGMENTS_TRACKED 16384

/* As long as Linux waits for the rest of a datagram (net/ipv4/ip_fragment.c); RFC 8200, section 4.5, says 60 seconds,
 * RFC 791 leaves it open. */
#define FRAGMENTS_TIMEOUT 30000000000ULL

/* RFC 791, section 2.3: source, destination, protocol, identification; RFC 8200, section 4.5: without the protocol,
 * because later fragments need not name the same one. */
struct fragments_key {
	__u64 source[2]; /* as in struct packet, IPv4 in the first four bytes */
	__u64 destination[2];
	__u32 identification;
	__u16 vlan[VLANS_MAX];
	__u8 version;
	__u8 protocol; /* 0 for IPv6 */
	__u8 vlans;
	__u8 reserved[5];
};

_Static_assert(sizeof(struct fragments_key) == 48, "no hidden padding: the kernel hashes and compares the bytes");

struct fragments_value {
	__u64 expires; /* of the clock of packet_time() */
	__u32 rule;    /* slot, or PREFIX_NONE */
	__u8 verdict;  /* PASS or DROP */
	__u8 reason;
	__u16 reserved;
};

_Static_assert(sizeof(struct fragments_value) == 16, "shared layout");

#endif
