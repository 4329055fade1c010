/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * limit: so many packets in a time, by the generic cell rate algorithm (ITU-T I.371, virtual scheduling): one word for
 * each key, the time at which the next packet would arrive if they came evenly. One that comes earlier by more than the
 * burst allows is over the limit, and leaves no trace.
 *
 * Keys that are addresses have no entries of their own: who sends from random sources could fill a table of those, or
 * have them evict one another. They share cells, one in each of two rows, found by a hash with a random seed; the
 * smaller of the two is the key's, since others can only have made it larger. So a packet is over the limit only when
 * both cells say so.
 */
#ifndef SLUICE_LIMIT_H
#define SLUICE_LIMIT_H

#include <linux/types.h>

#include "sluice/counter.h"
#include "sluice/set.h"

/* 4 MiB a row. Packets of random sources, all below their limits, come to as many a second in each cell as packets a
 * second divided by this: 20 for ten million. */
#define LIMIT_CELLS (1U << 19)

/* State of an interface: user space draws the seed, the rest begins at 0. Times are nanoseconds of the clock of
 * packet_time() (bpf/record.h). */
struct limits {
	__u64 seed;
	__u64 first[LIMIT_CELLS], second[LIMIT_CELLS];
	__u64 rules[RULE_SLOTS]; /* of limits that all packets of a rule share, by its slot */
};

/* Whose limit, and how much. */
struct limit {
	struct set_key key; /* the prefix that is limited; version 0: the rule as a whole */
	__u64 now;
	__u64 interval; /* nanoseconds a packet takes of the limit's time */
	__u64 burst;	/* nanoseconds that the key may be ahead of time */
	__u32 rule;	/* its slot: the same key has other cells in each rule */
	__u32 reserved;
};

/* Clocks of CPUs, and of the packets of a capture, may be apart by as much. */
#define LIMIT_SLACK 1000000000ULL

/*
 * When the next packet would be due after one at `now`; 0 when that is over the limit. `due` is when this one was. A
 * time that this limit could not have written is another one's, of a slower rule that shares the cell or had the slot
 * before: it counts as none. Else a flood against a limit of few packets an hour would close all others for that hour.
 */
static inline __u64 limit_next(__u64 due, __u64 now, __u64 interval, __u64 burst)
{
	if (due < now || due - now > burst + interval + LIMIT_SLACK)
		due = now;
	return due - now > burst ? 0 : due + interval;
}

static inline __u64 limit_hash(const struct limit *limit, __u64 seed)
{
	return set_hash(&limit->key, seed ^ (limit->rule + 1ULL) * 0x9e3779b97f4a7c15ULL);
}

#endif
