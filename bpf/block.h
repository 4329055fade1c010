/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * block: drop by source or destination address, whatever the protocol. A source that an `except` covers is never
 * blocked; a destination that an `except` covers is not blocked by `to`. Prefix tables have the word before dynamic
 * sets. The sets of an `except` are asked last, only about a packet that would be blocked: most are not.
 */
#ifndef SLUICE_BLOCK_H
#define SLUICE_BLOCK_H

#include "packet.h"
#include "prefixes.h"
#include "sets.h"

PREFIX_TABLE(block_source4);
PREFIX_TABLE(block_source6);
PREFIX_TABLE(block_dest4);
PREFIX_TABLE(block_dest6);

static __always_inline enum verdict stage_block(struct xdp_md *ctx, struct packet *pkt)
{
	__u32 source = PREFIX_NONE;
	__u32 destination = PREFIX_NONE;

	if (!(pkt->has & HAS_ADDRESSES))
		return NEXT;

	if (config.block_source4.end && pkt->version == 4)
		source = prefixes_lookup4(&block_source4, &config.block_source4, &pkt->source);
	if (config.block_source6.end && pkt->version == 6)
		source = prefixes_lookup6(&block_source6, &config.block_source6, &pkt->source);
	if (source == PREFIX_EXCEPT)
		return NEXT;
	if (source == PREFIX_NONE)
		source = sets_find(DYNAMIC_FROM, config.from_sets, config.from_rules, pkt, &pkt->source);
	if (source != PREFIX_NONE) {
		if (sets_except(pkt, &pkt->source))
			return NEXT;
		pkt->rule = source;
		return decide(pkt, VERDICT_DROP, REASON_BLOCK_SOURCE);
	}

	if (config.block_dest4.end && pkt->version == 4)
		destination = prefixes_lookup4(&block_dest4, &config.block_dest4, &pkt->destination);
	if (config.block_dest6.end && pkt->version == 6)
		destination = prefixes_lookup6(&block_dest6, &config.block_dest6, &pkt->destination);
	if (destination == PREFIX_EXCEPT)
		return NEXT;
	if (destination == PREFIX_NONE)
		destination = sets_find(DYNAMIC_TO, config.to_sets, config.to_rules, pkt, &pkt->destination);
	if (destination == PREFIX_NONE || sets_except(pkt, &pkt->source) || sets_except(pkt, &pkt->destination))
		return NEXT;
	pkt->rule = destination;
	return decide(pkt, VERDICT_DROP, REASON_BLOCK_DESTINATION);
}

#endif
