// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/* The packet's way: parse once, then the stages in order, one exit that counts. */
#include "packet.h"

#include "parse.h"

#include "block.h"
#include "default.h"
#include "fragments.h"
#include "leave.h"

SEC("xdp.frags")
int sluice(struct xdp_md *ctx)
{
	struct packet pkt = { .rule = PREFIX_NONE };
	enum verdict verdict;

	keep_in_memory(pkt);
	verdict = stage_parse(ctx, &pkt);
	if (verdict == NEXT)
		verdict = stage_block(ctx, &pkt);
	if (verdict == NEXT)
		verdict = stage_fragments(ctx, &pkt);
	if (verdict == NEXT)
		verdict = stage_default(ctx, &pkt);

	return leave(ctx, &pkt, verdict);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
