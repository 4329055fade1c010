/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * fragments track: later fragments, which have no ports, get the verdict of their first, and are counted under its
 * rule. Where the first is not known (it came later, it was lost, too many others came after it), they are dropped: a
 * table that is full never lets more through.
 */
#ifndef SLUICE_BPF_TRACK_H
#define SLUICE_BPF_TRACK_H

#include "packet.h"
#include "record.h"
#include "sluice/fragments.h"

/* Not created where the policy does not say `fragments track`. The kernel hashes with a seed of its own. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FRAGMENTS_TRACKED);
	__type(key, struct fragments_key);
	__type(value, struct fragments_value);
} fragments SEC(".maps");

static __always_inline struct fragments_key track_key(const struct packet *pkt)
{
	return (struct fragments_key){
		.source = { pkt->source.words[0], pkt->source.words[1] },
		.destination = { pkt->destination.words[0], pkt->destination.words[1] },
		.identification = pkt->identification,
		.vlan = { pkt->vlan[0], pkt->vlan[1] },
		.vlans = pkt->vlans,
		.version = pkt->version,
		.protocol = pkt->version == 4 ? pkt->protocol : 0,
	};
}

/* Returns enum verdict of a later fragment. Both are functions of their own, because keys take much of the stack. */
__noinline int track_later(struct packet *pkt)
{
	struct fragments_value *first;
	struct fragments_key key;

	if (UNUSED(config.fragments_track) || !pkt)
		return VERDICT_DROP;
	key = track_key(pkt);
	first = bpf_map_lookup_elem(&fragments, &key);
	if (!first || first->expires <= packet_time())
		return decide(pkt, VERDICT_DROP, REASON_FRAGMENT_UNKNOWN);
	pkt->rule = first->rule;
	return decide(pkt, first->verdict == VERDICT_PASS ? VERDICT_PASS : VERDICT_DROP, first->reason);
}

/* A first fragment, judged. What is answered or sent elsewhere is dropped for the rest of it. Where there is no memory,
 * nothing is remembered, and the later ones are dropped. */
__noinline int track_first(const struct packet *pkt, __u32 verdict)
{
	struct fragments_value value = {};
	struct fragments_key key;

	if (UNUSED(config.fragments_track) || !pkt)
		return 0;
	key = track_key(pkt);
	value.expires = packet_time() + FRAGMENTS_TIMEOUT;
	value.rule = pkt->rule;
	value.verdict = verdict == VERDICT_PASS ? VERDICT_PASS : VERDICT_DROP;
	value.reason = pkt->reason;
	return bpf_map_update_elem(&fragments, &key, &value, BPF_ANY);
}

#endif
