/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* record: what replay and explain read back. Without config.record neither the map nor this code is in the kernel. */
#ifndef SLUICE_BPF_RECORD_H
#define SLUICE_BPF_RECORD_H

#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct record);
} record SEC(".maps");

static __always_inline struct record *recording(void)
{
	__u32 only = 0;
	return config.record ? bpf_map_lookup_elem(&record, &only) : NULL;
}

/* Now, as limits and timeouts see it. */
static __always_inline __u64 packet_time(void)
{
	struct record *in = recording();

	return in && in->time ? in->time : bpf_ktime_get_ns();
}

/* Behind by at most a tick, at the cost of a memory read. A capture has its own. */
static __always_inline __u64 packet_time_coarse(void)
{
	return config.record ? packet_time() : bpf_ktime_get_coarse_ns();
}

static __always_inline void fill_record(struct record *out, const struct packet *pkt, enum verdict verdict)
{
	out->rule = pkt->rule;
	out->verdict = verdict;
	out->reason = pkt->reason;
	out->has = pkt->has;
	out->version = pkt->version;
	out->protocol = pkt->protocol;
	out->fragment = pkt->fragment;
	out->icmp_type = pkt->icmp_type;
	out->icmp_code = pkt->icmp_code;
	out->vlans = pkt->vlans;
	out->malformed = pkt->malformed;
	out->ethertype = pkt->ethertype;
	out->vlan[0] = pkt->vlan[0];
	out->vlan[1] = pkt->vlan[1];
	out->source_port = pkt->source_port;
	out->destination_port = pkt->destination_port;
	__builtin_memcpy(out->source, &pkt->source, sizeof(out->source));
	__builtin_memcpy(out->destination, &pkt->destination, sizeof(out->destination));
	out->tcp_flags = pkt->tcp_flags;
	out->hop_limit = pkt->hop_limit;
	out->dscp = pkt->dscp;
	out->reserved = 0;
}

/* The packet is within the limit of that slot. */
static __always_inline void record_limit(__u32 slot)
{
	struct record *out = recording();

	if (out)
		out->limit = slot + 1;
}

static __always_inline void write_record(const struct packet *pkt, enum verdict verdict)
{
	struct record *out = recording();
	if (out)
		fill_record(out, pkt, verdict);
}

#endif
