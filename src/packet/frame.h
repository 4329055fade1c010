/* SPDX-License-Identifier: BSD-2-Clause */
/* From a description of a packet to the bytes of its Ethernet frame. */
#ifndef SLUICE_PACKET_FRAME_H
#define SLUICE_PACKET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sluice/record.h"

#define ABSENT (-1)

struct endpoint {
	uint8_t version;     /* 4 or 6; 0: no address */
	uint8_t address[16]; /* network byte order, IPv4 in the first four */
	int port;	     /* or ABSENT */
};

/* Every int is in the range of its field, or ABSENT where the packet has no such field. */
struct draft {
	uint16_t ethertype; /* below ETHERTYPE_MIN: an IEEE 802.3 frame, which has its length there */
	uint8_t version;    /* of IP, or 0 */
	uint8_t protocol;
	struct endpoint source, destination; /* of IP or ARP */
	enum fragment fragment;
	unsigned tcp_flags;
	int icmp_type, icmp_code;
	unsigned vlans;
	uint16_t vlan[VLANS_MAX]; /* outermost first */
	int ttl, dscp;
	int length; /* payload bytes, all zero; ABSENT: as many as it takes */
};

/* TCP, UDP and SCTP, where the packet has their header. */
bool draft_has_ports(const struct draft *draft);

/* ICMP over IPv4, ICMPv6 over IPv6, where the packet has their header. */
bool draft_has_icmp(const struct draft *draft);

/* Returns 0 and the frame, which the caller frees: exact length, right checksums. Or -EINVAL, outputs untouched and
 * `error` set, when the packet would be too long or no fragment could be so. */
int frame_build(const struct draft *draft, uint8_t **bytes, size_t *length, struct error *error);

#endif
