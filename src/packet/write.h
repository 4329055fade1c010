/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet as a person writes it:
 *
 *   tcp 192.0.2.1:1234 > 198.51.100.7:443 syn          icmpv6 2001:db8::1 > 2001:db8::2 type packet-too-big
 *   udp [2001:db8::1]:53 to [2001:db8::2]:40000        gre 192.0.2.1 > 198.51.100.7 vlan 7 fragment later
 *   arp 192.0.2.1 > 192.0.2.2                          hex 0200 0000 0002 …
 *
 * PROTOCOL SOURCE[:PORT] > DESTINATION[:PORT] [WORD…], in upper or lower case. A protocol is a name or a number; `to`
 * stands for `>` where a shell would take that for itself. What is no IP is the EtherType's name or hex number without
 * addresses; ARP may have them. Words:
 *
 *   syn ack fin rst psh urg ece cwr   TCP flags, also joined by commas; without any: syn
 *   type N|NAME  code N               ICMP and ICMPv6; without: echo-request
 *   vlan N                            a tag; twice: the outer one first
 *   fragment first|later              the beginning of a datagram, or its end, which has no ports
 *   length N                          bytes of payload
 *   ttl N  dscp N                     without: 64 (255 for neighbour discovery) and 0
 *
 * A TCP, UDP or SCTP packet without a source port has 40000.
 */
#ifndef SLUICE_PACKET_WRITE_H
#define SLUICE_PACKET_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Reads the words, joined by blanks: a packet may come as one string or as many. Returns 0 and its Ethernet frame,
 * which the caller frees, or -EINVAL, outputs untouched and `error` set (no place in a file). */
int packet_write(const char *const *words, size_t count, uint8_t **bytes, size_t *length, struct error *error);

#endif
