// SPDX-License-Identifier: BSD-2-Clause
#include "packets.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "sluice/classifier.h"

/* Of lanes or of ranges. */
struct lane {
	int shift;
	uint64_t bits, last;
};

static const struct lane lanes[] = {
	{ FILTER_SOURCE_PORT_SHIFT, 0x1ffff, FILTER_PORT_ANY },
	{ FILTER_DESTINATION_PORT_SHIFT, 0x1ffff, FILTER_PORT_ANY },
	{ FILTER_PROTOCOL_SHIFT, 0x3ff, FILTER_PROTOCOL_OTHER },
};

static const struct lane ranges[] = {
	{ FILTER_LENGTH_SHIFT, 0xffff, 0xffff },
	{ FILTER_HOP_LIMIT_SHIFT, 0xff, 0xff },
	{ FILTER_DSCP_SHIFT, 0x3f, 0x3f },
	{ FILTER_VLAN_SHIFT, 0x1fff, FILTER_VLAN_NONE },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* SplitMix64, https://prng.di.unimi.it/splitmix64.c */
uint64_t random64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t random_between(uint64_t *state, uint64_t low, uint64_t high)
{
	return low + random64(state) % (high - low + 1);
}

static uint64_t with_lane(uint64_t word, const struct lane *lane, uint64_t value)
{
	return (word & ~(lane->bits << lane->shift)) | value << lane->shift;
}

static uint64_t get_lane(uint64_t word, const struct lane *lane)
{
	return word >> lane->shift & lane->bits;
}

struct match match_any(int version, uint32_t rule)
{
	struct match match = {
		.rule = rule,
		.source = { .version = version },
		.destination = { .version = version },
		.high = FILTER_LANES_GUARDS,
		.extra = { .high = FILTER_RANGES_GUARDS },
	};

	for (size_t i = 0; i < COUNT(lanes); i++)
		match.high = with_lane(match.high, &lanes[i], lanes[i].last);
	for (size_t i = 0; i < COUNT(ranges); i++)
		match.extra.high = with_lane(match.extra.high, &ranges[i], ranges[i].last);
	return match;
}

void match_prefix(struct prefix *prefix, uint64_t high, uint64_t low, int length)
{
	uint64_t words[2] = { htobe64(high), htobe64(low) };

	memset(prefix->address, 0, sizeof(prefix->address));
	memcpy(prefix->address, words, (length + 7) / 8);
	if (length % 8)
		prefix->address[length / 8] &= ~(0xff >> length % 8);
	prefix->length = length;
}

static const struct lane *lane_at(const struct lane *all, size_t count, int shift)
{
	const struct lane *lane = all;

	while (lane < all + count && lane->shift != shift)
		lane++;
	return lane;
}

void match_lane(struct match *match, int shift, uint64_t low, uint64_t high)
{
	const struct lane *lane = lane_at(lanes, COUNT(lanes), shift);

	match->low = with_lane(match->low, lane, low);
	match->high = with_lane(match->high, lane, high);
}

void match_range(struct match *match, int shift, uint64_t low, uint64_t high)
{
	const struct lane *lane = lane_at(ranges, COUNT(ranges), shift);

	match->extra.low = with_lane(match->extra.low, lane, low);
	match->extra.high = with_lane(match->extra.high, lane, high);
}

void matches_add(struct matches *matches, struct match match)
{
	matches->items = xgrow(matches->items, matches->count, &matches->capacity, sizeof(match));
	matches->items[matches->count++] = match;
}

/* As the key has them: the source in the first two words, the destination in the others. */
static void address_of(const struct filter_key *key, int version, bool is_source, uint64_t words[2])
{
	if (version == 4) {
		words[0] = is_source ? key->addresses[0] >> 32 << 32 : key->addresses[0] << 32;
		words[1] = 0;
	} else {
		words[0] = key->addresses[is_source ? 0 : 2];
		words[1] = key->addresses[is_source ? 1 : 3];
	}
}

static void set_address(struct filter_key *key, int version, bool is_source, const uint64_t words[2])
{
	if (version == 6) {
		memcpy(key->addresses + (is_source ? 0 : 2), words, 2 * sizeof(*words));
		return;
	}
	if (is_source)
		key->addresses[0] = (uint32_t)key->addresses[0] | words[0] >> 32 << 32;
	else
		key->addresses[0] = key->addresses[0] >> 32 << 32 | words[0] >> 32;
}

static bool prefix_has(const struct prefix *prefix, const uint64_t words[2])
{
	uint64_t big[2] = { htobe64(words[0]), htobe64(words[1]) };
	const uint8_t *bytes = (const uint8_t *)big;
	int whole = prefix->length / 8, rest = prefix->length % 8;

	return !memcmp(prefix->address, bytes, whole) &&
	       (!rest || ((prefix->address[whole] ^ bytes[whole]) & (uint8_t)~(0xff >> rest)) == 0);
}

static bool lanes_have(uint64_t value, uint64_t low, uint64_t high, const struct lane *all, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t here = get_lane(value, &all[i]);

		if (here < get_lane(low, &all[i]) || here > get_lane(high, &all[i]))
			return false;
	}
	return true;
}

bool match_has(const struct match *match, int version, const struct filter_key *key)
{
	uint64_t source[2], destination[2];

	if (!lanes_have(key->lanes, match->low, match->high, lanes, COUNT(lanes)))
		return false;
	address_of(key, version, true, source);
	address_of(key, version, false, destination);
	return prefix_has(&match->source, source) && prefix_has(&match->destination, destination) &&
	       lanes_have(key->ranges, match->extra.low, match->extra.high, ranges, COUNT(ranges)) &&
	       (key->marks & match->extra.marks_mask) == match->extra.marks &&
	       (key->mac & match->extra.mac_mask) == match->extra.mac;
}

uint32_t naive_lookup(const struct matches *matches, int version, const struct filter_key *key)
{
	for (size_t i = 0; i < matches->count; i++) {
		if (match_has(&matches->items[i], version, key))
			return matches->items[i].rule;
	}
	return CLASSIFIER_NONE;
}

static void set_words(const struct match *match, int version, uint64_t *words, uint64_t *masks)
{
	const struct prefix *prefixes[] = { &match->source, &match->destination };

	for (int i = 0; i < 2; i++) {
		int length = prefixes[i]->length;
		uint64_t both[2] = { length >= 64 ? ~0ULL : ~(~0ULL >> length), length >= 128 ? ~0ULL
										: length > 64
											? ~(~0ULL >> (length - 64))
											: 0 };
		uint64_t bytes[2];

		memcpy(bytes, prefixes[i]->address, sizeof(bytes));
		for (int word = 0; word < 2; word++) {
			if (version == 6) {
				words[2 * i + word] = be64toh(bytes[word]);
				masks[2 * i + word] = both[word];
			} else if (!word) {
				words[0] |= i ? be64toh(bytes[0]) >> 32 : be64toh(bytes[0]);
				masks[0] |= i ? both[0] >> 32 : both[0];
			}
		}
	}
}

void walk_make(const struct matches *matches, int version, struct walk *out)
{
	*out = (struct walk){ version, matches->count, xcalloc(matches->count, sizeof(*out->boxes)) };
	for (size_t i = 0; i < matches->count; i++) {
		struct walk_box *box = &out->boxes[i];

		box->low = matches->items[i].low;
		box->high = matches->items[i].high;
		box->rule = matches->items[i].rule;
		set_words(&matches->items[i], version, box->words, box->masks);
	}
}

uint32_t walk_lookup(const struct walk *walk, const struct filter_key *key)
{
	for (const struct walk_box *box = walk->boxes; box < walk->boxes + walk->count; box++) {
		uint64_t differs = (key->addresses[0] ^ box->words[0]) & box->masks[0];

		if (differs)
			continue;
		for (int i = 1; i < 4; i++)
			differs |= (key->addresses[i] ^ box->words[i]) & box->masks[i];
		if (!differs && lanes_have(key->lanes, box->low, box->high, lanes, COUNT(lanes)))
			return box->rule;
	}
	return CLASSIFIER_NONE;
}

enum where {
	INSIDE,
	CORNER,
	BEYOND, /* one off an edge */
};

static void address_about(uint64_t *state, const struct prefix *prefix, enum where where, uint64_t words[2])
{
	uint64_t first[2], mask[2], host[2] = { random64(state), random64(state) };
	int length = prefix->length;

	memcpy(first, prefix->address, sizeof(first));
	mask[0] = length >= 64 ? 0 : ~0ULL >> length;
	mask[1] = length >= 128 ? 0 : length > 64 ? ~0ULL >> (length - 64) : ~0ULL;
	if (where != INSIDE)
		host[0] = host[1] = random64(state) & 1 ? ~0ULL : 0;
	for (int i = 0; i < 2; i++)
		words[i] = be64toh(first[i]) | (host[i] & mask[i]);
	if (where == BEYOND && length)
		words[length > 64] ^= 1ULL << (63 - (length - 1) % 64);
}

static uint64_t lanes_about(uint64_t *state, uint64_t low, uint64_t high, enum where where, const struct lane *all,
			    size_t count)
{
	uint64_t word = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t from = get_lane(low, &all[i]), to = get_lane(high, &all[i]);
		uint64_t value = from <= to ? random_between(state, from, to) : from;

		if (where != INSIDE)
			value = random64(state) & 1 ? from : to;
		if (where == BEYOND && value == to && to < all[i].last)
			value++;
		else if (where == BEYOND && from)
			value = from - 1;
		word = with_lane(word, &all[i], value);
	}
	return word;
}

static enum where any_where(uint64_t *state, bool may_be_beyond)
{
	return random64(state) % (may_be_beyond ? 3 : 2);
}

struct filter_key packet_about(uint64_t *state, int version, const struct matches *matches, const struct match *match)
{
	const struct match *other = &matches->items[random64(state) % matches->count];
	uint64_t kind = random64(state) % 100, words[2];
	struct filter_key key = { 0 };
	/* Mostly exactly one part is off: more would match nothing near. */
	int beyond = kind < 70 ? -1 : (int)(random64(state) % 4);

	address_about(state, kind < 10 ? &other->source : &match->source, any_where(state, beyond == 0), words);
	set_address(&key, version, true, words);
	address_about(state, kind >= 5 && kind < 15 ? &other->destination : &match->destination,
		      any_where(state, beyond == 1), words);
	set_address(&key, version, false, words);
	key.lanes = lanes_about(state, match->low, match->high, any_where(state, beyond == 2), lanes, COUNT(lanes));
	key.ranges = lanes_about(state, match->extra.low, match->extra.high, any_where(state, beyond == 3), ranges,
				 COUNT(ranges));
	key.marks = match->extra.marks | (random64(state) & ~match->extra.marks_mask);
	key.mac = (match->extra.mac | (random64(state) & ~match->extra.mac_mask)) & ((1ULL << 48) - 1);
	if (beyond == 3)
		key.marks ^= 1ULL << random64(state) % 64;
	return key;
}
