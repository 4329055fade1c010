// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * The cost meter: what a program costs per packet is the time of `meter` with that program as its target, less the time
 * with `bare`. BPF_PROG_TEST_RUN repeats it and never restores the packet; so each run writes a whole new frame, of the
 * next flow, before the target sees it.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "sluice/meter.h"

/* User space makes the one that it uses as large as it needs it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct meter_flow4);
} flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct meter_flow6);
} flows6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct meter_captured);
} captured SEC(".maps");

/* One constant slot: the kernel turns the tail call into a direct jump, the same for every target. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

__u32 flow_count; /* in use; from the first on */
__u32 next_flow;
__u64 frame[METER_FRAME / 8]; /* what all flows have in common */

static __always_inline __u32 take_flow(void)
{
	__u32 flow = next_flow;

	next_flow = flow + 1 < flow_count ? flow + 1 : 0;
	return flow;
}

static __always_inline void write_words(void *to, const __u64 *words, int count)
{
	for (int i = 0; i < count; i++)
		((__u64 *)to)[i] = words[i];
}

/* "xdp.frags", because a prog array takes only programs that are all so or all not. */
SEC("xdp.frags")
int meter4(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	__u32 index = take_flow();
	struct meter_flow4 *flow = bpf_map_lookup_elem(&flows4, &index);

	if (!flow || data + METER_FRAME > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	write_words(data, frame, METER_FRAME / 8);
	write_words(data + METER_FLOW4_OFFSET, flow->words, sizeof(*flow) / 8);
	bpf_tail_call_static(ctx, &target, 0);
	return XDP_ABORTED; /* no target */
}

SEC("xdp.frags")
int meter6(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	__u32 index = take_flow();
	struct meter_flow6 *flow = bpf_map_lookup_elem(&flows6, &index);

	if (!flow || data + METER_FRAME > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	write_words(data, frame, METER_FRAME / 8);
	write_words(data + METER_FLOW6_OFFSET, flow->words, sizeof(*flow) / 8);
	bpf_tail_call_static(ctx, &target, 0);
	return XDP_ABORTED; /* no target */
}

/* The same with packets of many lengths. A frame that grows is filled up with zeros (bpf_xdp_adjust_tail). */
SEC("xdp.frags")
int meter_capture(struct xdp_md *ctx)
{
	__u32 flow = take_flow();
	struct meter_captured *frame = bpf_map_lookup_elem(&captured, &flow);
	__u32 written;

	if (!frame || bpf_xdp_adjust_tail(ctx, (int)frame->length - (int)bpf_xdp_get_buff_len(ctx)))
		return XDP_ABORTED;
	written = frame->written;
	if (!written || written > METER_CAPTURED || bpf_xdp_store_bytes(ctx, 0, frame->bytes, written))
		return XDP_ABORTED;
	bpf_tail_call_static(ctx, &target, 0);
	return XDP_ABORTED; /* no target */
}

SEC("xdp.frags")
int bare(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
