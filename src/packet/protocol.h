/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of what a packet carries. An IP protocol and an EtherType are different numbers with different names; what has
 * no name is written as the field writes it: decimal for a protocol, hex for an EtherType.
 */
#ifndef SLUICE_PACKET_PROTOCOL_H
#define SLUICE_PACKET_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_TEXT_MAX 24 /* the longest name and some */

/* What Linux takes for an EtherType and not for a length (linux/if_ether.h, ETH_P_802_3_MIN). */
#define ETHERTYPE_MIN 1536

/* What <net/ethernet.h> lacks: the outer of two tags, by IEEE 802.1ad and before it. */
#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_QINQ_OLD 0x9100

/* The name, or the number written into `text`, which has PROTOCOL_TEXT_MAX bytes. */
const char *protocol_name(uint8_t protocol, char *text);
const char *ethertype_name(uint16_t ethertype, char *text);

/* The number of a name in lower case, or -1. Not for numbers written as digits. */
int protocol_number(const char *name);
int ethertype_number(const char *name);

/* Types of ICMP (version 4) and ICMPv6 (version 6): the name or NULL, the number or -1. */
const char *icmp_type_name(int version, uint8_t type);
int icmp_type_number(int version, const char *name);

/* "fin" for bit 0 to "cwr" for bit 7: RFC 9293, section 3.1. */
const char *tcp_flag_name(unsigned bit);

/* What hosts send: IANA's recommended default (IP parameters), but 255 for neighbour discovery, where others are
 * ignored (RFC 4861, section 7.1). `icmp_type` is -1 for what is not ICMP. */
int usual_ttl(int version, int icmp_type);

/* The name most like `word`, or NULL when none is near. */
const char *protocol_nearest(const char *word);
const char *ethertype_nearest(const char *word);
const char *icmp_type_nearest(int version, const char *word);

#endif
