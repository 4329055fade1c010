/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * limit: so many packets or bytes in a time, by the generic cell rate algorithm (ITU-T I.371, virtual scheduling): one
 * word for each key, the time at which the next packet would be due if they came evenly. One that comes earlier by more
 * than the burst allows is over the limit, and leaves no trace.
 *
 * Keys that are addresses have cells in a table of lines of eight, one line of a cache each: a hash with a random seed
 * names the line, the first cell to look at, and a tag by which a key knows its cell again. A cell whose time has come
 * says no more than an empty one does, so it is free for any key: nothing has to be evicted, and who sends from random
 * sources keeps cells busy for the limit's own interval and no longer. Where all eight of a line are, a key that has
 * none of them shares the first that it looks at, and may be held back for the sake of another. If that cell is of a
 * slower limit, and further ahead than its own ever is, it takes the cell, and the other key begins anew.
 */
#ifndef SLUICE_LIMIT_H
#define SLUICE_LIMIT_H

#include <linux/types.h>

#include "sluice/counter.h"
#include "sluice/filter.h"
#include "sluice/set.h"

/* 16 MiB. tests/unit/test_limit.c measures how often a source is held back for the sake of others. */
#define LIMIT_LINES_BITS 18
#define LIMIT_LINES (1U << LIMIT_LINES_BITS)
#define LIMIT_WAYS_BITS 3
#define LIMIT_WAYS (1U << LIMIT_WAYS_BITS)
#define LIMIT_CELLS (LIMIT_LINES * LIMIT_WAYS)

/* A cell is a tag, and below it the time. Times more than 26 days in the past would look like future ones, of which
 * limit_next believes no more than a limit's burst takes, at most 20 days (src/policy/limit_values.c). */
#define LIMIT_TAG_SHIFT 52

/* State of an interface: user space draws the seed, the rest begins at 0. Times are nanoseconds of the clock of
 * packet_time() (bpf/record.h). */
struct limits {
	__u64 seed;
	__u64 reserved[7];
	__u64 cells[LIMIT_LINES][LIMIT_WAYS];
	__u64 rules[RULE_SLOTS]; /* of limits that all packets of a rule share, by its slot */
};

_Static_assert(__builtin_offsetof(struct limits, cells) == 64, "eight cells are one line of a cache");

/* Whose limit, and what a packet takes of it. */
struct limit {
	struct set_key key; /* the prefix that is limited; version 0: the rule as a whole */
	__u64 now;
	__u64 cost;  /* nanoseconds that the packet takes of the limit's time */
	__u64 ahead; /* nanoseconds that the key may be ahead of time when it comes */
	__u64 most;  /* that this limit can have brought a key ahead */
	__u64 lines; /* of the table, that its keys are spread over, less one */
	__u32 rule;  /* its slot, and its salt above: the same key has other cells in each rule */
	__u32 port;  /* part of the key, FILTER_PORT_NONE where there is none; 0 where the key is the address alone */
};

_Static_assert(sizeof(struct limit) == 72, "no padding that the stack would have to be cleared of");

/* Clocks of CPUs, and of the packets of a capture, may be apart by as much. */
#define LIMIT_SLACK 1000000000ULL

/* Longer than a tick of any kernel. A limit whose burst takes longer may have a clock that goes by ticks: it lets no
 * more through in the long run, and holds nothing back that comes evenly. */
#define LIMIT_TICK 20000000ULL

/* Each time one fails, another packet has been counted: whoever loses all of them is among packets that pass by the ten
 * million a second, and counts as over the limit, for to pass uncounted would be a way through. */
#define LIMIT_TRIES 32

/*
 * The faster a limit, the shorter its cells are busy, and the fewer lines hold all that a flood from random sources can
 * keep busy: one cell of each line at 8 million packets or a gigabyte a second. At eight times that all are, and each
 * still has the limit's rate for those that share it. So the table of a fast limit stays in the caches of a CPU
 * whatever comes. The log2 of the number, for an `interval` and `bytes` of struct filter_more.
 */
static inline __u8 limit_lines_bits(__u64 interval, int bytes)
{
	__u64 lines = bytes ? interval >> FILTER_BYTE_SHIFT : interval / 125;
	__u8 bits = 10;

	while (bits < LIMIT_LINES_BITS && lines >> bits)
		bits++;
	return bits;
}

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
	limit->lines = (1ULL << more->lines_bits) - 1;
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

/* How far a cell is ahead of `now`, not above 0 when it is free. The nearest time of those that it may stand for. */
static __always_inline __s64 limit_ahead(__u64 cell, __u64 now)
{
	const int unused = 64 - LIMIT_TAG_SHIFT;

	return cell ? (__s64)((cell - now) << unused) >> unused : 0;
}

/* The place for a key that has none in this line: the one to begin at if it is free, as it mostly is, else another that
 * is free, else it shares that one. */
static __always_inline __u32 limit_new_place(__u64 *line, __u32 first, __u64 now)
{
	for (__u32 i = 0; i < LIMIT_WAYS; i++) {
		__u32 at = (first + i) & (LIMIT_WAYS - 1);

		if (limit_ahead(limit_read(&line[at]), now) <= 0)
			return at;
	}
	return first;
}

/* The place in its line of the cell that is a key's, or that it is to have, or at worst to share. `hash` has the tag
 * above, the place to begin at below. */
static __always_inline __u32 limit_place(__u64 *line, __u64 hash, __u64 now)
{
	__u32 first = hash & (LIMIT_WAYS - 1);

	if (!((limit_read(&line[first]) ^ hash) >> LIMIT_TAG_SHIFT))
		return first;
	for (__u32 at = 0; at < LIMIT_WAYS; at++) {
		if (!((limit_read(&line[at]) ^ hash) >> LIMIT_TAG_SHIFT))
			return at;
	}
	return limit_new_place(line, first, now);
}

enum limit_answer {
	LIMIT_WITHIN, /* and counted */
	LIMIT_OVER,
	LIMIT_SHARED, /* over, but it may be for the sake of another key, whose cell it shares */
	LIMIT_LOST,   /* another packet came in between: to be asked again */
};

/* Of a key that has a tagged cell. */
static __always_inline enum limit_answer limit_take_tagged(struct limits *state, const struct limit *limit)
{
	const __u64 tags = ~0ULL << LIMIT_TAG_SHIFT;
	__u64 hash = limit_hash(limit, state->seed);
	__u64 *line = state->cells[hash >> LIMIT_WAYS_BITS & limit->lines & (LIMIT_LINES - 1)];
	__u64 *cell = &line[limit_place(line, hash, limit->now) & (LIMIT_WAYS - 1)];
	__u64 old = limit_read(cell);
	__s64 ahead = limit_ahead(old, limit->now);
	__u64 next = limit_next(limit->now + ahead, limit);

	if (!next)
		return (old ^ hash) & tags ? LIMIT_SHARED : LIMIT_OVER;
	if (ahead > 0 && ahead <= (__s64)limit->most)
		hash = old; /* its own cell, or one that it shares */
	return limit_replace(cell, old, (hash & tags) | (next & ~tags)) ? LIMIT_WITHIN : LIMIT_LOST;
}

#endif
