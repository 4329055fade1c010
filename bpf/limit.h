/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* limit: is this packet one too many? What is counted, and how, stands in include/sluice/limit.h. */
#ifndef SLUICE_BPF_LIMIT_H
#define SLUICE_BPF_LIMIT_H

#include "packet.h"
#include "sluice/limit.h"

/* Each time one fails, another CPU's packet has been counted; after so many in a row this one is over the limit. */
#define LIMIT_TRIES 16

/* Not created where no rule has a limit. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct limits));
} limits SEC(".maps");

static __always_inline __u64 limit_read(__u64 *cell)
{
	return *(volatile __u64 *)cell;
}

static __always_inline int limit_replace(__u64 *cell, __u64 old, __u64 new)
{
	return __sync_val_compare_and_swap(cell, old, new) == old;
}

/* 1: the packet is within the limit, and counted. */
static __always_inline int limit_take(__u64 *cell, __u64 now, __u64 interval, __u64 burst)
{
	for (int i = 0; i < LIMIT_TRIES; i++) {
		__u64 due = limit_read(cell);
		__u64 next = limit_next(due, now, interval, burst);

		if (!next)
			return 0;
		if (limit_replace(cell, due, next))
			return 1;
	}
	/* So many other CPUs came first: within the limit it passes, uncounted. */
	return limit_next(limit_read(cell), now, interval, burst) != 0;
}

/* The smaller cell is the key's, and decides. The larger one is raised before, so that a CPU that comes in between
 * still finds the same one the smaller. */
static __always_inline int limit_take_smaller(__u64 *smaller, __u64 due, __u64 *larger, __u64 above,
					      const struct limit *limit, int *over)
{
	__u64 next = limit_next(due, limit->now, limit->interval, limit->burst);

	*over = !next;
	if (!next || (above < next && !limit_replace(larger, above, next)))
		return 0;
	return limit_replace(smaller, due, next);
}

static __always_inline int limit_take_either(__u64 *first, __u64 *second, const struct limit *limit)
{
	int over = 0;

	for (int i = 0; i < LIMIT_TRIES && !over; i++) {
		__u64 a = limit_read(first), b = limit_read(second);
		int taken = a <= b ? limit_take_smaller(first, a, second, b, limit, &over)
				   : limit_take_smaller(second, b, first, a, limit, &over);

		if (taken)
			return 1;
	}
	return !over;
}

/* Returns 1 when the packet is over the limit. A function of its own: the verifier checks it once, and packets that
 * meet no limit do not pay for it. */
__noinline int limit_is_over(const struct limit *limit)
{
	struct limits *state;
	__u64 hash;

	if (UNUSED(config.filter_needs & FILTER_NEEDS_LIMIT))
		return 1;
	state = bpf_map_lookup_elem(&limits, &(__u32){ 0 });
	if (!limit || !state)
		return 1;
	if (!limit->key.version) {
		__u32 rule = limit->rule;

		if (rule >= RULE_SLOTS)
			return 1;
		return !limit_take(&state->rules[rule], limit->now, limit->interval, limit->burst);
	}
	hash = limit_hash(limit, state->seed);
	return !limit_take_either(&state->first[hash & (LIMIT_CELLS - 1)],
				  &state->second[hash >> 32 & (LIMIT_CELLS - 1)], limit);
}

#endif
