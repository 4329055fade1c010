/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* top: counts packets by addresses and ports, while somebody looks. How, and how well, stands in include/sluice/top.h.
 */
#ifndef SLUICE_BPF_TOP_H
#define SLUICE_BPF_TOP_H

#include "packet.h"
#include "sluice/shadow.h"
#include "sluice/top.h"

/* In a section of its own, and so a map of its own, whose memory the program reads as directly as user space does. */
__u64 top_switch[TOP_SWITCH_WORDS] SEC(".data.top");

/* One for each CPU. Not per-CPU memory, because that cannot be mapped. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u32);
	__type(value, struct top_sketch);
} talkers SEC(".maps");

/* A candidate (shadow.h) counts nothing, and neither replay nor explain are traffic. */
static __always_inline int has_top(void)
{
	return config.shadow != SHADOW_CANDIDATE && !config.record;
}

static __always_inline __u64 top_until(void)
{
	return *(volatile __u64 *)&top_switch[TOP_UNTIL];
}

/* A function of its own: for what it does eight times over the verifier would else take ten times as long. */
__noinline int count_talker(struct top_bucket *bucket, const struct set_key *key, __u32 tag,
			    const struct top_packet *packet)
{
	if (UNUSED(has_top()) || !bucket || !key || !packet)
		return 0;
	top_count(bucket, key, tag, packet);
	return 0;
}

static __always_inline void note_key(struct top_sketch *sketch, enum top_kind kind, const struct set_key *key,
				     const struct top_packet *packet)
{
	__u64 hash = set_hash(key, top_switch[TOP_SEED]);

	count_talker(top_bucket(sketch, kind, packet->window, hash), key, top_tag(hash), packet);
}

static __always_inline void note_address(struct top_sketch *sketch, enum top_kind kind, __u32 version,
					 const union address *address, const struct top_packet *packet)
{
	struct set_key key = {
		.address = { address->words[0], address->words[1] },
		.version = version,
		.length = version == 4 ? 32 : 128,
	};

	note_key(sketch, kind, &key, packet);
}

static __always_inline void note_port(struct top_sketch *sketch, enum top_kind kind, __u32 protocol, __u32 port,
				      const struct top_packet *packet)
{
	struct set_key key = { .address = { port }, .length = protocol };

	note_key(sketch, kind, &key, packet);
}

/* A function of its own: the verifier checks it once, and nobody pays for it while nobody looks. */
__noinline int note_talkers(const struct packet *pkt, __u32 verdict)
{
	struct top_packet packet = {};
	struct top_sketch *sketch;
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 now, until;

	if (UNUSED(has_top()) || !pkt)
		return 0;
	now = bpf_ktime_get_coarse_ns();
	until = top_until();
	if (now >= until) {
		/* Whoever looked has gone. One who comes at this very moment wins. */
		__sync_val_compare_and_swap(&top_switch[TOP_UNTIL], until, 0);
		return 0;
	}
	sketch = bpf_map_lookup_elem(&talkers, &cpu);
	if (!sketch)
		return 0;
	packet.window = now >> TOP_WINDOW_SHIFT;
	packet.weight = top_weight(sketch, packet.window);
	if (!packet.weight)
		return 0;
	top_skip(sketch, packet.window, bpf_get_prandom_u32());
	packet.length = pkt->length;
	packet.fate = verdict == VERDICT_DROP || verdict == VERDICT_ABORTED ? TOP_DROPPED : TOP_PASSED;
	if (pkt->has & HAS_ADDRESSES) {
		note_address(sketch, TOP_SOURCE, pkt->version, &pkt->source, &packet);
		note_address(sketch, TOP_DESTINATION, pkt->version, &pkt->destination, &packet);
	}
	if (pkt->has & HAS_PORTS) {
		note_port(sketch, TOP_SOURCE_PORT, pkt->protocol, pkt->source_port, &packet);
		note_port(sketch, TOP_DESTINATION_PORT, pkt->protocol, pkt->destination_port, &packet);
	}
	return 0;
}

#endif
