/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * limit: so many packets or bytes in a time, by the generic cell rate algorithm (ITU-T I.371, virtual scheduling): one
 * word for each key, the time at which the next packet would be due if they came evenly. One that comes earlier by more
 * than the burst allows is over the limit, and leaves no trace.
 *
 * Keys that are addresses have no entries of their own: who sends from random sources could fill a table of those, or
 * have them evict one another. They share cells, one in each of two rows, found by a hash with a random seed; the
 * smaller of the two is the key's, since others can only have made it larger, and the larger is raised no further than
 * what the smaller becomes (conservative update: Estan and Varghese, "New Directions in Traffic Measurement and
 * Accounting", 2002). So a packet is over the limit only when both cells say so.
 */
#ifndef SLUICE_LIMIT_H
#define SLUICE_LIMIT_H

#include <linux/types.h>

#include "sluice/counter.h"
#include "sluice/filter.h"
#include "sluice/set.h"

/* 8 MiB a row. tests/unit/test_limit.c measures how often a source is held back for the sake of others. */
#define LIMIT_CELLS (1U << 20)

/* State of an interface: user space draws the seed, the rest begins at 0. Times are nanoseconds of the clock of
 * packet_time() (bpf/record.h). */
struct limits {
	__u64 seed;
	__u64 first[LIMIT_CELLS], second[LIMIT_CELLS];
	__u64 rules[RULE_SLOTS]; /* of limits that all packets of a rule share, by its slot */
};

/* Whose limit, and what a packet takes of it. */
struct limit {
	struct set_key key; /* the prefix that is limited; version 0: the rule as a whole */
	__u64 now;
	__u64 cost;  /* nanoseconds that the packet takes of the limit's time */
	__u64 ahead; /* nanoseconds that the key may be ahead of time when it comes */
	__u64 most;  /* that this limit can have brought a key ahead */
	__u32 rule;  /* its slot: the same key has other cells in each rule */
	__u32 port;  /* part of the key, FILTER_PORT_NONE where there is none; 0 where the key is the address alone */
};

_Static_assert(sizeof(struct limit) == 64, "no padding that the stack would have to be cleared of");

/* Clocks of CPUs, and of the packets of a capture, may be apart by as much. */
#define LIMIT_SLACK 1000000000ULL

/* Each time one fails, another packet has been counted: whoever loses all of them is among packets that pass by the ten
 * million a second, and counts as over the limit, for to pass uncounted would be a way through. */
#define LIMIT_TRIES 32

/* What a packet of that many bytes takes. One longer than the whole burst passes when nothing came before. */
static inline void limit_charge(struct limit *limit, const struct filter_more *more, __u32 length)
{
	limit->cost = more->interval;
	limit->ahead = more->burst;
	if (more->bytes) {
		limit->cost = (length * more->interval + (1 << (FILTER_BYTE_SHIFT - 1))) >> FILTER_BYTE_SHIFT;
		limit->ahead = more->burst > limit->cost ? more->burst - limit->cost : 0;
	}
	/* In bytes, the interval is also what 65536 of them take; no frame has twice as many. */
	limit->most = more->burst + 2 * more->interval + LIMIT_SLACK;
}

/*
 * When the next packet would be due after one at `now`; 0 when that is over the limit. `due` is when this one was. A
 * time that this limit could not have written is another one's, of a slower rule that shares the cell or had the slot
 * before: it counts as none. Else a flood against a limit of few packets an hour would close all others for that hour.
 */
static __always_inline __u64 limit_next(__u64 due, const struct limit *limit)
{
	if (due < limit->now || due - limit->now > limit->most)
		due = limit->now;
	return due - limit->now > limit->ahead ? 0 : due + limit->cost;
}

static inline __u64 limit_hash(const struct limit *limit, __u64 seed)
{
	return set_hash(&limit->key, seed ^ ((__u64)limit->port << 32 | (limit->rule + 1ULL)) * 0x9e3779b97f4a7c15ULL);
}

static __always_inline __u64 limit_read(__u64 *cell)
{
	return *(volatile __u64 *)cell;
}

static __always_inline int limit_replace(__u64 *cell, __u64 old, __u64 new)
{
	return __sync_val_compare_and_swap(cell, old, new) == old;
}

/* Of a cell that is one key's alone. 1: the packet is within the limit, and counted. */
static __always_inline int limit_take(__u64 *cell, const struct limit *limit)
{
	for (int i = 0; i < LIMIT_TRIES; i++) {
		__u64 due = limit_read(cell);
		__u64 next = limit_next(due, limit);

		if (!next)
			return 0;
		if (limit_replace(cell, due, next))
			return 1;
	}
	return 0;
}

/* The smaller cell is the key's, and decides. The larger one is raised before, so that a CPU that comes in between
 * still finds the same one the smaller. */
static __always_inline int limit_take_smaller(__u64 *smaller, __u64 due, __u64 *larger, __u64 above,
					      const struct limit *limit, int *over)
{
	__u64 next = limit_next(due, limit);

	*over = !next;
	if (!next || (above < next && !limit_replace(larger, above, next)))
		return 0;
	return limit_replace(smaller, due, next);
}

/* Of a key that shares both of its cells. 1: the packet is within the limit, and counted. */
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
	return 0;
}

/* 1: the packet is within its limit, and counted. */
static __always_inline int limit_is_within(struct limits *state, const struct limit *limit)
{
	__u64 hash;

	if (!limit->key.version)
		return limit->rule < RULE_SLOTS && limit_take(&state->rules[limit->rule], limit);
	hash = limit_hash(limit, state->seed);
	return limit_take_either(&state->first[hash & (LIMIT_CELLS - 1)],
				 &state->second[hash >> 32 & (LIMIT_CELLS - 1)], limit);
}

#endif
