/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Terms: which packets a rule is about, in what Sluice's language can say. All fields together have to hold. Lists are
 * in normal form (sorted, nothing covers or touches anything else), so that equal terms have equal lists. Values are
 * shared and never changed: what is made lives in a pool.
 */
#ifndef SLUICE_IMPORT_TERMS_H
#define SLUICE_IMPORT_TERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "import/pool.h"
#include "policy/filter.h"
#include "policy/prefix.h"

enum terms_family {
	FAMILY_IPV4 = 1 << 0,
	FAMILY_IPV6 = 1 << 1,
	FAMILY_ARP = 1 << 2,
	FAMILY_OTHER = 1 << 3, /* neither IP nor ARP */
	FAMILY_IP = FAMILY_IPV4 | FAMILY_IPV6,
	FAMILY_ALL = FAMILY_IP | FAMILY_ARP | FAMILY_OTHER,
};

/* A range of fewer values that have names is written as a list of them. */
#define NAMES_MAX 4

struct range {
	uint32_t low, high;
};

struct ranges {
	const struct range *items;
	size_t count;
	bool given; /* false: any value, or none at all; true with count 0: no packet */
};

/* Addresses of one direction. */
struct addresses {
	const struct prefix *items;
	size_t count;
	bool given;	 /* false: any */
	bool negated;	 /* those that are not in `items` */
	const char *set; /* the name that the list goes by, or NULL */
	bool unknown;	 /* of a set: what is in it is not known here; `items` is empty */
};

enum fragment_kind {
	FRAGMENT_KIND_NONE = 1 << 0,
	FRAGMENT_KIND_FIRST = 1 << 1,
	FRAGMENT_KIND_LATER = 1 << 2,
	FRAGMENT_KIND_ALL = 7,
};

struct terms {
	unsigned families;
	struct ranges numbers[FILTER_FIELD_COUNT]; /* an EtherType is of FAMILY_OTHER */
	struct addresses source, destination;
	uint8_t flags, flags_mask; /* of TCP: (flags of the packet & mask) == flags */
	unsigned fragments;	   /* enum fragment_kind */
	unsigned extensions;	   /* a bit for each enum filter_extension that has to be there */
	bool has_mac;
	uint8_t mac[6];
};

/* One or another of them. None: no packet. */
struct choice {
	struct terms *items;
	size_t count;
};

enum terms_result {
	TERMS_OK,
	TERMS_NEVER,	 /* no packet is in both */
	TERMS_UNSAYABLE, /* the language has no words for it */
};

/* Every packet of these families. */
struct terms terms_all(unsigned families);

/* Those packets that are in both. `*why` says what cannot be said, `*both` is set when the result is TERMS_OK. */
enum terms_result terms_and(struct pool *pool, const struct terms *a, const struct terms *b, struct terms *both,
			    const char **why);

/* Why there are no words for these terms, although there are for each of their fields; NULL when there are. */
const char *terms_unsayable(const struct terms *terms);

bool terms_equal(const struct terms *a, const struct terms *b);

/* Every packet of `inner` is surely in `outer`; no packet is in both, surely. */
bool terms_cover(struct pool *pool, const struct terms *outer, const struct terms *inner);
bool terms_apart(struct pool *pool, const struct terms *a, const struct terms *b);

/* The same as terms_apart when it is true; it takes no memory, and does not see all of them. */
bool terms_plainly_apart(const struct terms *a, const struct terms *b);

/* Ranges in normal form from any: the items are copied. */
struct ranges ranges_make(struct pool *pool, const struct range *items, size_t count);
struct ranges ranges_one(struct pool *pool, uint32_t low, uint32_t high);
struct ranges ranges_not(struct pool *pool, const struct ranges *ranges, uint32_t last);
struct ranges ranges_and(struct pool *pool, const struct ranges *a, const struct ranges *b);
bool ranges_apart(const struct ranges *a, const struct ranges *b);

/* Prefixes in normal form from any: the items are copied. */
struct addresses addresses_make(struct pool *pool, const struct prefix *items, size_t count, bool negated);

/* One choice out of both: each of `a` and each of `b`. */
enum terms_result choice_and(struct pool *pool, const struct choice *a, const struct choice *b, struct choice *both,
			     const char **why);
struct choice choice_one(struct pool *pool, struct terms terms);

#endif
