// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/* The packet's way: parse once, then the stages in order, one exit that counts. */
#include "packet.h"

#include "parse.h"

#include "block.h"
#include "default.h"
#include "filter.h"
#include "fragments.h"
#include "leave.h"
#include "limit.h"
#include "synproxy.h"

SEC("xdp.frags")
int sluice(struct xdp_md *ctx)
{
	struct packet packet = { .rule = PREFIX_NONE };
	struct packet *pkt = &packet;
	enum verdict verdict;

	if (config.shadow == SHADOW_ACTIVE)
		shadow_ask(ctx);
	/* Keeps the packet in memory. clang would take it apart, and since its parts need more registers than there
	 * are, write all of them to the stack again on every early way out: as much again as everything else costs. */
	barrier_var(pkt);
	verdict = stage_parse(ctx, pkt);
	if (verdict == NEXT)
		verdict = stage_block(ctx, pkt);
	if (verdict == NEXT)
		verdict = stage_fragments(ctx, pkt);
	if (verdict == NEXT)
		verdict = stage_limit(ctx, pkt);
	if (verdict == NEXT)
		verdict = stage_synproxy(ctx, pkt);
	if (verdict == NEXT)
		verdict = stage_filter(ctx, pkt);
	if (verdict == NEXT)
		verdict = stage_default(ctx, pkt);

	return leave(ctx, pkt, verdict);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
