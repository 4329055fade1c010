/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * top: who sends and receives most, while somebody looks. A reader stores a time into `top_switch`, and until then
 * packets are counted by their addresses and ports, in windows of a little over a second of the coarse monotonic clock.
 * While one window is counted the one before it can be read, by as many readers as there are: none of them writes
 * anything but the time, and none has to say that it goes.
 *
 * What is counted is a sketch of fixed size, one for each CPU: Space-Saving (Metwally, Agrawal, El Abbadi: Efficient
 * Computation of Frequent and Top-k Elements in Data Streams, 2005) in buckets. A hash with a random seed says which
 * bucket a key belongs to. A key that has no place in a full bucket takes that of the key with fewest packets, and
 * inherits its count. So for each key that is there
 *
 *     packets counted since it came <= its packets in the window <= those + inherited
 *
 * and a key that is not there has no more than the smallest count of its bucket: at most the packets that fell into the
 * bucket divided by TOP_WAYS. Whatever the order of packets: a flood of random sources adds to every bucket alike, and
 * who has more than 1 / (TOP_WAYS * TOP_BUCKETS) of the packets of a CPU, and what chance puts into its bucket beyond
 * the others', is there. Those of a flood come and go with counts of one or two of their own, and stand behind it.
 */
#ifndef SLUICE_TOP_H
#define SLUICE_TOP_H

#include <linux/types.h>

#include "sluice/set.h"

#define TOP_WAYS 8U
#define TOP_BUCKETS 64U

/* Of a CPU, in a window: so many packets are all counted; of those that follow one in TOP_SAMPLE on average, with the
 * weight of as many. At random distances, so that nobody can send in between. */
#define TOP_ALL 16384U
#define TOP_SAMPLE 16U

#define TOP_WINDOW_SHIFT 30 /* 1.07 seconds: a shift is cheaper than a division */
#define TOP_WINDOW (1ULL << TOP_WINDOW_SHIFT)

/* What is counted by. */
enum top_kind {
	TOP_SOURCE,
	TOP_DESTINATION,
	TOP_SOURCE_PORT,
	TOP_DESTINATION_PORT,
	TOP_KINDS,
};

/* Whether the packet was dropped, or aborted; the rest passes, is answered or goes elsewhere. */
enum top_fate {
	TOP_PASSED,
	TOP_DROPPED,
	TOP_FATES,
};

/* A key and its packets since it came. An address: version 4 or 6, the length of one. A port: version 0, `length` is
 * its protocol, address[0] the number. */
struct top_talker {
	struct set_key key;
	__u32 inherited; /* packets that may be its own or not */
	__u32 reserved;
	__u32 packets[TOP_FATES];
	__u64 bytes[TOP_FATES];
};

_Static_assert(sizeof(struct top_talker) == 56, "shared layout");

struct top_bucket {
	__u32 window; /* that its counts are of */
	__u32 reserved;
	__u32 tags[TOP_WAYS];	/* of the hash, so that most keys that differ are not looked at */
	__u32 counts[TOP_WAYS]; /* packets and inherited; 0: nobody is here */
	struct top_talker talkers[TOP_WAYS];
};

/* How many packets there were in a window, with addresses or not. */
struct top_total {
	__u32 window;
	__u32 taken; /* that were counted by their addresses and ports */
	__u64 seen;
};

/* Of one CPU. A window is in the half of its lowest bit. */
struct top_sketch {
	struct top_total totals[2];
	__u32 skip; /* packets until the next one that is counted */
	__u32 reserved;
	struct top_bucket buckets[2][TOP_KINDS][TOP_BUCKETS];
};

_Static_assert(sizeof(struct top_sketch) == 40 + 2 * TOP_KINDS * TOP_BUCKETS * (8 + TOP_WAYS * 64), "shared layout");

/* What stands in the words of `top_switch`. */
enum top_switch {
	TOP_UNTIL, /* nanoseconds of the coarse monotonic clock; 0: nobody looks */
	TOP_SEED,  /* of the hash, drawn once */
	TOP_SWITCH_WORDS,
};

/* One packet, and how many it stands for. */
struct top_packet {
	__u32 window;
	__u32 weight;
	__u32 length; /* bytes */
	__u32 fate;   /* enum top_fate */
};

static inline int top_same_key(const struct set_key *a, const struct set_key *b)
{
	return a->address[0] == b->address[0] && a->address[1] == b->address[1] && a->version == b->version &&
	       a->length == b->length;
}

/* The place of the key; where it has none, that of the smallest count. */
static inline __u32 top_find(const struct top_bucket *bucket, const struct set_key *key, __u32 tag, __u32 *smallest)
{
	__u32 least = ~0U;

	*smallest = 0;
	for (__u32 i = 0; i < TOP_WAYS; i++) {
		__u32 count = bucket->counts[i];

		if (count && bucket->tags[i] == tag && top_same_key(&bucket->talkers[i].key, key))
			return i;
		if (count < least) {
			least = count;
			*smallest = i;
		}
	}
	return TOP_WAYS;
}

/* Counts the packet under a key whose hash led to this bucket. */
static inline void top_count(struct top_bucket *bucket, const struct set_key *key, __u32 tag,
			     const struct top_packet *packet)
{
	struct top_talker *talker;
	__u32 way, smallest;

	if (bucket->window != packet->window) {
		for (__u32 i = 0; i < TOP_WAYS; i++)
			bucket->counts[i] = 0;
		bucket->window = packet->window;
	}
	way = top_find(bucket, key, tag, &smallest);
	if (way >= TOP_WAYS) {
		way = smallest & (TOP_WAYS - 1);
		talker = &bucket->talkers[way];
		talker->key = *key;
		talker->inherited = bucket->counts[way];
		for (int fate = 0; fate < TOP_FATES; fate++) {
			talker->packets[fate] = 0;
			talker->bytes[fate] = 0;
		}
		bucket->tags[way] = tag;
	}
	talker = &bucket->talkers[way];
	bucket->counts[way] += packet->weight;
	talker->packets[packet->fate & 1] += packet->weight;
	talker->bytes[packet->fate & 1] += (__u64)packet->weight * packet->length;
}

/* Where keys with that hash belong in a window. */
static inline struct top_bucket *top_bucket(struct top_sketch *sketch, enum top_kind kind, __u32 window, __u64 hash)
{
	return &sketch->buckets[window & 1][kind][hash & (TOP_BUCKETS - 1)];
}

static inline __u32 top_tag(__u64 hash)
{
	return hash >> 32;
}

/* How many packets this one stands for: 0, it is not counted; else top_skip has to follow. */
static inline __u32 top_weight(struct top_sketch *sketch, __u32 window)
{
	struct top_total *total = &sketch->totals[window & 1];

	if (total->window != window) {
		total->window = window;
		total->taken = 0;
		total->seen = 0;
		sketch->skip = 0;
	}
	total->seen++;
	if (sketch->skip) {
		sketch->skip--;
		return 0;
	}
	total->taken++;
	return total->seen <= TOP_ALL ? 1 : TOP_SAMPLE;
}

/* Once all packets are not counted any more, 0 to 2 * TOP_SAMPLE - 2 are passed over, TOP_SAMPLE - 1 on average. */
static inline void top_skip(struct top_sketch *sketch, __u32 window, __u32 random)
{
	if (sketch->totals[window & 1].seen >= TOP_ALL)
		sketch->skip = random % (2 * TOP_SAMPLE - 1);
}

#endif
