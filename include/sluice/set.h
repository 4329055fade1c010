/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Dynamic sets: filled while the program runs, shared by every program that names them. A set is two maps, which
 * outlive a generation:
 *
 *   entries[struct set_key]   until when each prefix is in the set
 *   head[0]                   which prefix lengths are in use, so that a packet costs one look-up for each of them; a
 *                             filter that answers most look-ups of what is not in the set without the cost of one
 */
#ifndef SLUICE_SET_H
#define SLUICE_SET_H

#include <linux/types.h>

/* Prefix lengths of one family that a set can hold at a time: as many as bytes in a word that is read at once. */
#define SET_LENGTHS 8

/* Dynamic sets that the `except`s of one interface can name, that its `from`s can, and that its `to`s can. Up to
 * DYNAMIC_MAX of a block are looked up inline; more, or beside a filter, in a function that the verifier checks once,
 * or it would not come to an end within its million instructions. */
#define DYNAMIC_MAX 4

/* Where these stand in the maps of bpf/sets.h. */
enum dynamic_first {
	DYNAMIC_EXCEPT = 0,
	DYNAMIC_FROM = DYNAMIC_MAX,
	DYNAMIC_TO = 2 * DYNAMIC_MAX,
	DYNAMIC_FILTER_SOURCE = 3 * DYNAMIC_MAX,
	DYNAMIC_FILTER_DESTINATION = 4 * DYNAMIC_MAX,
	DYNAMIC_BAN = 5 * DYNAMIC_MAX, /* that limits put sources into */
	DYNAMIC_COUNT = 6 * DYNAMIC_MAX,
};

struct set_key {
	__u64 address[2]; /* network byte order, IPv4 in the first four bytes; bits past the length are 0 */
	__u8 version;	  /* 4 or 6 */
	__u8 length;
	__u8 reserved[6];
};

_Static_assert(sizeof(struct set_key) == 24, "no hidden padding: the kernel hashes and compares the bytes");

#define SET_NEVER (~0ULL)

struct set_value {
	__u64 expires; /* nanoseconds of CLOCK_MONOTONIC, or SET_NEVER; from then on the entry counts as gone */
};

_Static_assert(sizeof(struct set_value) == 8, "shared layout");

/* 2 MiB: 16 bits for each of a million entries, and it stays in the second level of a CPU's caches. */
#define SET_FILTER_WORDS (1U << 18)

struct set_head {
	/* Of IPv4 and IPv6: each byte is a prefix length plus 1, lowest byte first, 0 ends them. */
	__u64 lengths[2];
	__u64 timeout; /* seconds that an entry stays unless it is added with another time; 0: for ever */
	/* A Bloom filter: an entry has some bits of one word, and where one of them is 0 it is not in the set. */
	__u64 filter_mask; /* words in use, less one; 0: there is no filter */
	__u64 seed;	   /* of set_hash: random, and the same as long as the set is there */
	__u64 filter[SET_FILTER_WORDS];
};

_Static_assert(sizeof(struct set_head) == 40 + 8 * SET_FILTER_WORDS, "shared layout");

/* The finalizer of MurmurHash3, once for each half of an address. The seed comes before the first: who does not know it
 * cannot tell which addresses share their bits with an entry, nor choose a second half that undoes the first. */
static inline __u64 set_hash(const struct set_key *key, __u64 seed)
{
	__u64 hash = key->address[0] ^ seed;

	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdULL;
	hash ^= hash >> 33;
	hash += (key->address[1] ^ (seed << 32 | seed >> 32)) * 0xc4ceb9fe1a85ec53ULL;
	hash ^= (__u64)key->length << 56 ^ (__u64)key->version << 48;
	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdULL;
	return hash ^ hash >> 33;
}

/* The word that a hash belongs to, and its bits of it. */
static inline __u32 set_filter_word(__u64 hash, __u64 mask)
{
	return hash & mask & (SET_FILTER_WORDS - 1);
}

static inline __u64 set_filter_bits(__u64 hash)
{
	return 1ULL << (hash >> 46 & 63) | 1ULL << (hash >> 52 & 63) | 1ULL << (hash >> 58);
}

/* The first `length` bits (0 to 128) of an address, as its two words in host byte order. */
static inline __u64 set_mask_high(__u32 length)
{
	return length >= 64 ? ~0ULL : ~(~0ULL >> length);
}

static inline __u64 set_mask_low(__u32 length)
{
	if (length <= 64)
		return 0;
	return length >= 128 ? ~0ULL : ~(~0ULL >> (length - 64));
}

#endif
