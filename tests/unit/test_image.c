// SPDX-License-Identifier: BSD-2-Clause
/* The tables that the data path reads answer as a naive look-up does, for few prefixes and for a million. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "base/memory.h"
#include "compile/compile.h"
#include "compile/image.h"
#include "compile/prefixes.h"
#include "sluice/counter.h"
#include "sluice/prefixes4.h"
#include "sluice/prefixes6.h"

#define MILLION 1000000

/* SplitMix64, https://prng.di.unimi.it/splitmix64.c */
static uint64_t random64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static int bits_of(int version)
{
	return version == 4 ? 32 : 128;
}

/* The first `length` bits of `from`, and the rest of `to`. */
static void copy_bits(uint8_t *to, const uint8_t *from, int length)
{
	uint8_t rest = 0xff >> length % 8;

	memcpy(to, from, length / 8);
	if (length % 8)
		to[length / 8] = (from[length / 8] & ~rest) | (to[length / 8] & rest);
}

static struct prefix random_prefix(uint64_t *state, int version, int length)
{
	struct prefix prefix = { .version = version, .length = length };
	uint64_t words[2] = { random64(state), random64(state) };

	copy_bits(prefix.address, (const uint8_t *)words, length);
	return prefix;
}

static void build(const struct prefix_table *table, int version, struct image *image)
{
	assert_int_equal((version == 4 ? image_build4 : image_build6)(table, image), 0);
}

static uint32_t look_up(const struct image *image, const struct prefix *address)
{
	__u64 words[2];
	uint32_t word;

	if (!image->words)
		return PREFIX_NONE;
	memcpy(words, address->address, sizeof(words));
	memcpy(&word, address->address, sizeof(word));
	return address->version == 4 ? prefixes4_lookup(image->words, &image->layout, ntohl(word))
				     : prefixes6_lookup(image->words, &image->layout, words[0], words[1]);
}

/* Every prefix that could cover the address, the longest first, looked for in the sorted list. */
static uint32_t naive(const struct prefix_table *table, const struct prefix *address)
{
	for (int length = bits_of(address->version); length >= 0 && table->count; length--) {
		struct entry wanted = { .prefix = { .version = address->version, .length = length } };
		const struct entry *found;

		copy_bits(wanted.prefix.address, address->address, length);
		found = bsearch(&wanted, table->entries, table->count, sizeof(wanted), prefix_compare);
		if (found)
			return found->value;
	}
	return PREFIX_NONE;
}

/* One more or one less, as a number of that many bytes. */
static void step(uint8_t *bytes, int count, int by)
{
	for (int i = count - 1; i >= 0; i--) {
		bytes[i] += by;
		if (bytes[i] != (by > 0 ? 0 : 0xff))
			return;
	}
}

/* The edges of a prefix, both sides of each, and an address inside. */
static void agree_around(const struct prefix_table *table, const struct image *image, const struct prefix *prefix,
			 uint64_t *state)
{
	int bits = bits_of(prefix->version);
	struct prefix first = *prefix, last = random_prefix(state, prefix->version, bits);
	struct prefix before, behind, inside = last;

	first.length = bits;
	before = first;
	step(before.address, bits / 8, -1);
	memset(last.address, 0xff, bits / 8);
	copy_bits(last.address, prefix->address, prefix->length);
	behind = last;
	step(behind.address, bits / 8, 1);
	copy_bits(inside.address, prefix->address, prefix->length);
	const struct prefix *all[] = { &first, &before, &last, &behind, &inside };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(look_up(image, all[i]), naive(table, all[i]));
}

static void agree(const struct prefix_table *table, int version, size_t samples, uint64_t *state)
{
	struct image image;

	build(table, version, &image);
	for (size_t i = 0; i < samples; i++) {
		struct prefix anywhere = random_prefix(state, version, bits_of(version));

		assert_int_equal(look_up(&image, &anywhere), naive(table, &anywhere));
		if (table->count)
			agree_around(table, &image, &table->entries[random64(state) % table->count].prefix, state);
	}
	image_free(&image);
}

/* Prefixes crowd below `shared` common bits; every kind of leaf and node comes about. */
static void agree_on_few(uint64_t state, int version)
{
	int bits = bits_of(version);
	size_t count = random64(&state) % 300;
	int shortest = random64(&state) % (bits + 1), shared = random64(&state) % bits;
	unsigned values = 1 + random64(&state) % 5;
	struct prefix common = random_prefix(&state, version, bits);
	struct prefix_table table = { 0 };

	for (size_t i = 0; i < count; i++) {
		int length = shortest + random64(&state) % (bits + 1 - shortest);
		struct prefix prefix = random_prefix(&state, version, length);
		bool except = values > 2 && random64(&state) % 10 == 0;

		copy_bits(prefix.address, common.address, shared < length ? shared : length);
		prefix_table_add(&table, prefix, except ? PREFIX_EXCEPT : random64(&state) % values);
	}
	prefix_table_settle(&table);
	agree(&table, version, 200, &state);
	prefix_table_free(&table);
}

static void few_prefixes_in_every_constellation(void **state)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		agree_on_few(seed, 4);
		agree_on_few(seed, 6);
	}
}

static void no_prefix_makes_no_table(void **state)
{
	struct prefix_table table = { 0 };
	struct image image;

	for (int version = 4; version <= 6; version += 2) {
		build(&table, version, &image);
		assert_null(image.words);
		assert_int_equal(image.layout.end, 0);
		image_free(&image);
	}
}

static void every_length_alone(void **state)
{
	uint64_t random = 1;

	for (int version = 4; version <= 6; version += 2) {
		for (int length = 0; length <= bits_of(version); length++) {
			struct prefix_table table = { 0 };

			prefix_table_add(&table, random_prefix(&random, version, length), 7);
			agree(&table, version, 20, &random);
			prefix_table_free(&table);
		}
	}
}

static void as_many_rules_as_there_may_be(void **state)
{
	uint64_t random = 1;

	for (int version = 4; version <= 6; version += 2) {
		struct prefix_table table = { 0 };

		for (uint32_t rule = 0; rule < RULES_MAX; rule++)
			prefix_table_add(&table, random_prefix(&random, version, 12 + random64(&random) % 21), rule);
		prefix_table_add(&table, random_prefix(&random, version, 30), PREFIX_EXCEPT);
		prefix_table_settle(&table);
		agree(&table, version, 2000, &random);
		prefix_table_free(&table);
	}
}

/* All of 10.0.0.0/8, one address after the other, beside a picture painted by the prefixes, the wide ones first. */
static void every_address_of_a_dense_network(void **state)
{
	const uint32_t size = 1 << 24;
	CLEANUP_FREE uint8_t *picture = xcalloc(size, 1);
	struct prefix_table table = { 0 };
	struct image image;
	uint64_t random = 1;

	for (int i = 0; i < 200000; i++) {
		int length = i < 1000 ? 9 + i % 24 : 24 + i % 9;
		struct prefix prefix = random_prefix(&random, 4, length);

		prefix.address[0] = 10;
		/* Half of them in one sixteenth of the network, as addresses in a row: nodes below nodes. */
		if (i % 2)
			prefix.address[1] &= 0x0f;
		prefix_table_add(&table, prefix, random64(&random) % 3);
	}
	prefix_table_settle(&table);
	for (size_t i = 0; i < table.count; i++) { /* sorted: what is inside comes later */
		const struct prefix *prefix = &table.entries[i].prefix;
		uint32_t first = (uint32_t)prefix->address[1] << 16 | prefix->address[2] << 8 | prefix->address[3];

		memset(picture + first, 1 + table.entries[i].value, 1U << (32 - prefix->length));
	}
	build(&table, 4, &image);
	for (uint32_t i = 0; i < size; i++) {
		uint32_t value = prefixes4_lookup(image.words, &image.layout, 10U << 24 | i);

		if (value + 1 != picture[i]) /* PREFIX_NONE + 1 is 0 */
			fail_msg("10.%u.%u.%u: %u instead of %d", i >> 16, i >> 8 & 255, i & 255, value,
				 picture[i] - 1);
	}
	image_free(&image);
	prefix_table_free(&table);
}

static void agree_on_a_million(int version, const int *lengths, int count)
{
	struct prefix_table table = { 0 };
	uint64_t random = version;

	for (int i = 0; i < MILLION; i++)
		prefix_table_add(&table, random_prefix(&random, version, lengths[random64(&random) % count]), 0);
	prefix_table_settle(&table);
	assert_true(table.count > MILLION / 2);
	agree(&table, version, 20000, &random);
	prefix_table_free(&table);
}

static void a_million_prefixes(void **state)
{
	const int lengths4[] = { 32, 32, 32, 32, 32, 32, 32, 32, 31, 30, 29, 28, 27, 26, 25, 24, 24 };
	const int lengths6[] = { 32, 40, 44, 48, 48, 52, 56, 60, 64, 64, 80, 96, 127, 128 };

	agree_on_a_million(4, lengths4, sizeof(lengths4) / sizeof(lengths4[0]));
	agree_on_a_million(6, lengths6, sizeof(lengths6) / sizeof(lengths6[0]));
}

/* A million prefixes of one value in less than 4 MiB: what a cache holds in part. */
static void a_million_prefixes_are_small(void **state)
{
	struct prefix_table table = { 0 };
	uint64_t random = 1;
	struct image image;

	for (int i = 0; i < MILLION; i++)
		prefix_table_add(&table, random_prefix(&random, 4, i % 8 ? 32 : 24), 0);
	prefix_table_settle(&table);
	build(&table, 4, &image);
	assert_true(image.count * sizeof(*image.words) < 4 << 20);
	image_free(&image);
	prefix_table_free(&table);
}

/* Modulo 2^64, of an odd number: Newton's method, each step doubles the bits that are right, three at first. */
static uint64_t inverse(uint64_t odd)
{
	uint64_t x = odd;

	for (int i = 0; i < 5; i++)
		x *= 2 - odd * x;
	return x;
}

/* The factors of prefixes6_hash, and of SplitMix64. */
#define HIGH_FACTOR 0xbf58476d1ce4e5b9ULL
#define LOW_FACTOR 0x94d049bb133111ebULL
#define LAST_FACTOR 0x9e3779b97f4a7c15ULL

static uint64_t mix64(uint64_t z)
{
	z = (z ^ z >> 30) * HIGH_FACTOR;
	z = (z ^ z >> 27) * LOW_FACTOR;
	return z ^ z >> 31;
}

static uint64_t unmix64(uint64_t z)
{
	z = (z ^ z >> 31 ^ z >> 62) * inverse(LOW_FACTOR);
	z = (z ^ z >> 27 ^ z >> 54) * inverse(HIGH_FACTOR);
	return z ^ z >> 30 ^ z >> 60;
}

#define CROWD (PREFIXES6_PROBES + 1) /* one more than can be near one home */

/* 2001:db8:1:`number` and 64 bits of one's own, in words as they lie in memory. */
static struct prefix host6(uint8_t number, uint64_t low)
{
	struct prefix prefix = { .version = 6, .length = 128, .address = { 0x20, 1, 0xd, 0xb8, 0, 1, 0, number } };

	memcpy(prefix.address + 8, &low, sizeof(low));
	return prefix;
}

static uint64_t high_of(const struct prefix *prefix)
{
	uint64_t high;

	memcpy(&high, prefix->address, sizeof(high));
	return high;
}

/* The sum of two products is the same for all, and stayed so when a seed changed the lowest bits of `high`. */
static void a_list_made_to_crowd_by_its_sums(void **state)
{
	struct prefix_table table = { 0 };
	uint64_t random = 1;

	for (int i = 0; i < CROWD; i++) {
		struct prefix prefix = host6(i, 0);
		uint64_t low = (random - high_of(&prefix) * HIGH_FACTOR) * inverse(LOW_FACTOR);

		prefix_table_add(&table, host6(i, low), 0);
	}
	prefix_table_settle(&table);
	assert_int_equal(table.count, CROWD);
	agree(&table, 6, 1000, &random);
	prefix_table_free(&table);
}

/* The `low` that hashes to 64 bits with that `high` under that seed. */
static uint64_t low_for(uint64_t hash, uint64_t high, uint64_t seed)
{
	uint64_t mixed = (high ^ seed) * HIGH_FACTOR;
	uint64_t sum = hash * inverse(LAST_FACTOR);

	return (sum ^ sum >> 32) * inverse(LOW_FACTOR) - (mixed ^ mixed >> 32);
}

/* Prefixes with one hash under the seed 7, and behind them one that makes 7 the first seed of that list. */
static void a_list_that_crowds_gets_another_seed(void **state)
{
	const uint64_t seed = 7, hash = 0x123456789abcdef;
	struct prefix_table table = { 0 };
	uint64_t fold = 0, random = 1;
	struct prefix last = host6(0xff, 0);
	struct image image;

	for (int i = 0; i < CROWD; i++) {
		struct prefix prefix = host6(i, 0);
		uint64_t low = low_for(hash, high_of(&prefix), seed);

		assert_true(prefixes6_hash(high_of(&prefix), low, seed) == hash);
		prefix_table_add(&table, host6(i, low), 0);
		fold = mix64(mix64(fold + high_of(&prefix)) + low);
	}
	build(&table, 6, &image);
	assert_true(((const struct prefixes6_length *)image.words)->seed == mix64(fold));
	image_free(&image);
	prefix_table_add(&table, host6(0xff, unmix64(unmix64(seed)) - mix64(fold + high_of(&last))), 0);
	prefix_table_settle(&table);
	assert_int_equal(table.count, CROWD + 1);
	build(&table, 6, &image);
	assert_true(((const struct prefixes6_length *)image.words)->seed == mix64(unmix64(seed) + LAST_FACTOR));
	image_free(&image);
	agree(&table, 6, 1000, &random);
	prefix_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_prefixes_in_every_constellation),
		cmocka_unit_test(no_prefix_makes_no_table),
		cmocka_unit_test(every_length_alone),
		cmocka_unit_test(as_many_rules_as_there_may_be),
		cmocka_unit_test(every_address_of_a_dense_network),
		cmocka_unit_test(a_million_prefixes),
		cmocka_unit_test(a_million_prefixes_are_small),
		cmocka_unit_test(a_list_made_to_crowd_by_its_sums),
		cmocka_unit_test(a_list_that_crowds_gets_another_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
