// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Stands on an interface while a change is not settled, and hands each packet to the old or to the new generation. All
 * gates of a change share one deadline, so that one store switches all interfaces at the same instant; and what is to
 * be confirmed goes back by itself when the time has come, whether or not a process lives.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "sluice/gate.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE); /* user space writes it in one store, never in parts */
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} gate_deadline SEC(".maps");

/* An empty slot: this generation has no program on this interface. Constant slots become direct jumps. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, GATE_GENERATIONS);
	__type(key, __u32);
	__type(value, __u32);
} gate_generations SEC(".maps");

/* "xdp.frags", because a prog array takes only programs that are all so or all not. */
SEC("xdp.frags")
int gate(struct xdp_md *ctx)
{
	const volatile __u64 *deadline = bpf_map_lookup_elem(&gate_deadline, &(__u32){ 0 });

	/* The coarse clock is the same for all CPUs at any moment, and costs no look at the hardware. */
	if (deadline && bpf_ktime_get_coarse_ns() < *deadline)
		bpf_tail_call_static(ctx, &gate_generations, GATE_NEW);
	else
		bpf_tail_call_static(ctx, &gate_generations, GATE_OLD);
	return XDP_PASS; /* as without a program */
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
