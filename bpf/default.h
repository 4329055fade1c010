/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * default: the verdict for what no stage decided. A default of drop still lets through what a link cannot live without,
 * or a machine would lose its neighbours and its large packets the moment someone writes `default drop`.
 */
#ifndef SLUICE_DEFAULT_H
#define SLUICE_DEFAULT_H

#include <linux/if_ether.h>

#include "packet.h"
#include "sluice/failsafe.h"

static __always_inline int is_failsafe(const struct packet *pkt)
{
	if (pkt->ethertype == ETH_P_ARP)
		return 1;
	if (!(pkt->has & HAS_ICMP))
		return 0;
	if (pkt->version == 4)
		return pkt->icmp_type == ICMP_UNREACHABLE && pkt->icmp_code == ICMP_FRAGMENTATION_NEEDED;
	if (pkt->icmp_type == ICMPV6_PACKET_TOO_BIG)
		return 1;
	/* A hop limit of 255 proves that no router forwarded it (RFC 4861, section 3.1). */
	return pkt->icmp_type >= NDP_ROUTER_SOLICITATION && pkt->icmp_type <= NDP_REDIRECT && pkt->hop_limit == 255;
}

static __always_inline enum verdict stage_default(struct xdp_md *ctx, struct packet *pkt)
{
	if (config.default_verdict == VERDICT_DROP && !pkt->malformed && is_failsafe(pkt))
		return decide(pkt, VERDICT_PASS, REASON_FAILSAFE);
	return decide(pkt, config.default_verdict, REASON_DEFAULT);
}

#endif
