/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Failsafe: what a link cannot live without. Beside ARP, ICMP's fragmentation needed, ICMPv6's packet too big, and
 * neighbour discovery whose hop limit of 255 proves that no router forwarded it (RFC 4861, section 3.1).
 */
#ifndef SLUICE_FAILSAFE_H
#define SLUICE_FAILSAFE_H

/* RFC 792 and RFC 1191; RFC 4443, section 3.2; RFC 4861, section 4. */
#define ICMP_UNREACHABLE 3
#define ICMP_FRAGMENTATION_NEEDED 4
#define ICMPV6_PACKET_TOO_BIG 2
#define NDP_ROUTER_SOLICITATION 133
#define NDP_REDIRECT 137

#endif
