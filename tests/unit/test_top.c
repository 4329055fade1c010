// SPDX-License-Identifier: BSD-2-Clause
/* The sketch of include/sluice/top.h beside exact counts, and what src/top makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bench/random.h"
#include "top/sample.h"
#include "top/talkers.h"

#define KEYS 400000 /* the number of a key is its address */
#define WINDOW 7
#define LENGTH 100
#define SEED 0x5eed5eed5eed5eedULL

static uint32_t below(uint64_t *random, uint32_t limit)
{
	return random64(random) % limit;
}

static struct set_key key_of(uint32_t number)
{
	return (struct set_key){ .address = { number }, .version = 4, .length = 32 };
}

static void count_key(struct top_sketch *sketch, uint32_t number, uint32_t weight, enum top_fate fate)
{
	const struct top_packet packet = { .window = WINDOW, .weight = weight, .length = LENGTH, .fate = fate };
	const struct set_key key = key_of(number);
	uint64_t hash = set_hash(&key, SEED);

	top_count(top_bucket(sketch, TOP_SOURCE, WINDOW, hash), &key, top_tag(hash), &packet);
}

/* As the data path does, sampling and all. */
static void see(struct top_sketch *sketch, uint64_t *random, uint32_t number, enum top_fate fate)
{
	uint32_t weight = top_weight(sketch, WINDOW);

	if (!weight)
		return;
	top_skip(sketch, WINDOW, random64(random));
	count_key(sketch, number, weight, fate);
}

struct traffic {
	struct top_sketch *sketches;
	unsigned cpus;
	uint32_t *exact; /* packets of each key */
	uint64_t packets;
	struct talkers talkers;
};

static struct traffic begin(unsigned cpus)
{
	struct traffic traffic = { .sketches = xcalloc(cpus, sizeof(*traffic.sketches)),
				   .cpus = cpus,
				   .exact = xcalloc(KEYS, sizeof(*traffic.exact)) };

	for (unsigned cpu = 0; cpu < cpus; cpu++)
		traffic.sketches[cpu].totals[WINDOW & 1].window = WINDOW;
	return traffic;
}

/* Every packet is counted: what is to be tested are the bounds, not chance. */
static void send(struct traffic *traffic, unsigned cpu, uint32_t number)
{
	count_key(&traffic->sketches[cpu], number, 1, TOP_PASSED);
	traffic->exact[number]++;
	traffic->packets++;
}

static void end(struct traffic *traffic)
{
	free(traffic->sketches);
	free(traffic->exact);
	talkers_free(&traffic->talkers);
}

static uint64_t packets_of(const struct talker *talker)
{
	return talker->packets[TOP_PASSED] + talker->packets[TOP_DROPPED];
}

static void read_all(struct traffic *traffic)
{
	for (unsigned cpu = 0; cpu < traffic->cpus; cpu++)
		talkers_add(&traffic->talkers, &traffic->sketches[cpu], WINDOW);
	talkers_sort(&traffic->talkers);
}

/* What the header promises of every key, there or not. */
static void bounds_hold(struct traffic *traffic)
{
	CLEANUP_FREE bool *listed = xcalloc(KEYS, sizeof(*listed));
	const struct talkers *talkers = &traffic->talkers;

	read_all(traffic);
	assert_true(talkers->counts[TOP_SOURCE] <= (size_t)traffic->cpus * TOP_WAYS * TOP_BUCKETS);
	for (size_t i = 0; i < talkers->counts[TOP_SOURCE]; i++) {
		const struct talker *talker = &talkers->items[TOP_SOURCE][i];
		uint32_t number = talker->key.address[0];

		assert_false(listed[number]);
		listed[number] = true;
		assert_true(packets_of(talker) <= traffic->exact[number]);
		assert_true(packets_of(talker) + talker->more >= traffic->exact[number]);
		assert_int_equal(talker->bytes[TOP_PASSED], packets_of(talker) * LENGTH);
		assert_true(i == 0 || packets_of(talker - 1) >= packets_of(talker));
	}
	for (uint32_t number = 0; number < KEYS; number++)
		assert_true(listed[number] || traffic->exact[number] <= talkers->hidden[TOP_SOURCE]);
	/* Chance puts more into some buckets than into others, but not twice as much. */
	assert_true(talkers->hidden[TOP_SOURCE] <= 2 * traffic->packets / (TOP_WAYS * TOP_BUCKETS));
}

static const struct talker *find(const struct traffic *traffic, uint32_t number, size_t *place)
{
	for (size_t i = 0; i < traffic->talkers.counts[TOP_SOURCE]; i++) {
		*place = i;
		if (traffic->talkers.items[TOP_SOURCE][i].key.address[0] == number)
			return &traffic->talkers.items[TOP_SOURCE][i];
	}
	return NULL;
}

static void few_are_counted_exactly(void **state)
{
	struct traffic traffic = begin(1);

	for (uint32_t number = 0; number < 40; number++) {
		for (uint32_t i = 0; i <= number; i++)
			send(&traffic, 0, number);
	}
	bounds_hold(&traffic);
	assert_int_equal(traffic.talkers.counts[TOP_SOURCE], 40);
	for (size_t i = 0; i < 40; i++) {
		assert_int_equal(traffic.talkers.items[TOP_SOURCE][i].key.address[0], 39 - i);
		assert_int_equal(packets_of(&traffic.talkers.items[TOP_SOURCE][i]), 40 - i);
		assert_int_equal(traffic.talkers.items[TOP_SOURCE][i].more, 0);
	}
	end(&traffic);
}

static void a_flood_of_random_sources_hides_nobody(void **state)
{
	uint64_t random = 1;
	struct traffic traffic = begin(1);

	for (int i = 0; i < 1000000; i++)
		send(&traffic, 0, i % 100 == 50 ? 3 : i % 200 == 60 ? 4 : 10 + below(&random, KEYS - 10));
	bounds_hold(&traffic);
	assert_int_equal(traffic.talkers.items[TOP_SOURCE][0].key.address[0], 3);
	assert_int_equal(traffic.talkers.items[TOP_SOURCE][1].key.address[0], 4);
	assert_true(packets_of(&traffic.talkers.items[TOP_SOURCE][0]) >= 9900);
	assert_true(packets_of(&traffic.talkers.items[TOP_SOURCE][1]) >= 4900);
	/* The flood itself stands far behind. */
	assert_true(packets_of(&traffic.talkers.items[TOP_SOURCE][2]) < 100);
	end(&traffic);
}

/* The number of a key falls off as 1/rank, as real traffic does about. */
static void skewed_traffic_keeps_its_order(void **state)
{
	uint64_t random = 2;
	struct traffic traffic = begin(1);
	CLEANUP_FREE double *sums = xcalloc(20000, sizeof(*sums));
	double sum = 0;

	for (int rank = 0; rank < 20000; rank++)
		sums[rank] = sum += 1.0 / (rank + 1);
	for (int i = 0; i < 500000; i++) {
		double at = (random64(&random) >> 34) / (double)(1U << 30) * sum;
		int low = 0, high = 19999;

		while (low < high) {
			int middle = (low + high) / 2;

			if (sums[middle] < at)
				low = middle + 1;
			else
				high = middle;
		}
		send(&traffic, 0, low);
	}
	bounds_hold(&traffic);
	for (uint32_t rank = 0; rank < 10; rank++) {
		size_t place;
		const struct talker *talker = find(&traffic, rank, &place);

		assert_non_null(talker);
		assert_int_equal(place, rank);
		assert_true(packets_of(talker) * 100 >= traffic.exact[rank] * 97ULL);
	}
	end(&traffic);
}

/* The worst order there is for Space-Saving: more keys than places, one after the other, and over again. */
static void keys_in_turn_push_nobody_out_who_is_heavy(void **state)
{
	struct traffic traffic = begin(1);

	for (int i = 0; i < 600000; i++)
		send(&traffic, 0, i % 60 == 0 ? 1 : 10 + i % 5000);
	bounds_hold(&traffic);
	assert_int_equal(traffic.talkers.items[TOP_SOURCE][0].key.address[0], 1);
	assert_true(packets_of(&traffic.talkers.items[TOP_SOURCE][0]) >= 9900);
	end(&traffic);
}

/* First the flood fills every place, then all of the heavy one's packets come at once. */
static void who_comes_late_is_there(void **state)
{
	uint64_t random = 3;
	struct traffic traffic = begin(1);

	for (int i = 0; i < 900000; i++)
		send(&traffic, 0, 10 + below(&random, KEYS - 10));
	for (int i = 0; i < 10000; i++)
		send(&traffic, 0, 1);
	bounds_hold(&traffic);
	assert_int_equal(traffic.talkers.items[TOP_SOURCE][0].key.address[0], 1);
	assert_int_equal(packets_of(&traffic.talkers.items[TOP_SOURCE][0]), 10000);
	end(&traffic);
}

/* And one who came early and is silent while the flood lasts. */
static void who_came_early_stays(void **state)
{
	uint64_t random = 4;
	struct traffic traffic = begin(1);

	for (int i = 0; i < 10000; i++)
		send(&traffic, 0, 1);
	for (int i = 0; i < 900000; i++)
		send(&traffic, 0, 10 + below(&random, KEYS - 10));
	bounds_hold(&traffic);
	assert_int_equal(traffic.talkers.items[TOP_SOURCE][0].key.address[0], 1);
	assert_int_equal(packets_of(&traffic.talkers.items[TOP_SOURCE][0]), 10000);
	end(&traffic);
}

static void cpus_are_added_up(void **state)
{
	uint64_t random = 5;
	struct traffic traffic = begin(3);

	/* Key 2 is never on the third CPU: there it may hide. */
	for (int i = 0; i < 600000; i++)
		send(&traffic, i % 3, i % 50 < 3 ? 1 : i % 60 == 1 ? 2 : 10 + below(&random, KEYS - 10));
	bounds_hold(&traffic);
	assert_int_equal(traffic.talkers.items[TOP_SOURCE][0].key.address[0], 1);
	assert_true(packets_of(&traffic.talkers.items[TOP_SOURCE][0]) >= traffic.exact[1] * 99 / 100);
	assert_int_equal(traffic.talkers.items[TOP_SOURCE][1].key.address[0], 2);
	end(&traffic);
}

static void samples_stand_for_all_packets(void **state)
{
	uint64_t random = 6;
	struct traffic traffic = begin(1);
	uint64_t heavy, steady;
	size_t place;

	/* Key 2 comes at an even distance, as one would who wanted to slip through. */
	for (int i = 0; i < 2000000; i++)
		see(traffic.sketches, &random,
		    below(&random, 20) == 0 ? 1
		    : i % 32 == 0	    ? 2
					    : 10 + i % 300000,
		    TOP_PASSED);
	read_all(&traffic);
	assert_true(traffic.talkers.estimated);
	assert_int_equal(traffic.talkers.seen, 2000000);
	assert_in_range(traffic.talkers.taken, TOP_ALL + (2000000 - TOP_ALL) / TOP_SAMPLE * 98 / 100,
			TOP_ALL + (2000000 - TOP_ALL) / TOP_SAMPLE * 102 / 100);
	heavy = packets_of(find(&traffic, 1, &place));
	assert_int_equal(place, 0);
	steady = packets_of(find(&traffic, 2, &place));
	assert_int_equal(place, 1);
	/* Some 6,000 and 3,700 samples: three standard deviations are 4 and 5 percent. */
	assert_in_range(heavy, 96000, 104000);
	assert_in_range(steady, 59375 * 95 / 100, 59375 * 105 / 100);
	end(&traffic);
}

static void so_many_packets_are_no_estimates(void **state)
{
	uint64_t random = 7;
	struct traffic traffic = begin(1);
	size_t place;

	for (unsigned i = 0; i < TOP_ALL; i++)
		see(traffic.sketches, &random, i % 4, TOP_PASSED);
	read_all(&traffic);
	assert_false(traffic.talkers.estimated);
	assert_int_equal(traffic.talkers.taken, TOP_ALL);
	for (uint32_t number = 0; number < 4; number++)
		assert_int_equal(packets_of(find(&traffic, number, &place)), TOP_ALL / 4);
	end(&traffic);
}

static void what_was_dropped_is_told_apart(void **state)
{
	uint64_t random = 8;
	struct traffic traffic = begin(1);
	const struct talker *talker;
	size_t place;

	for (int i = 0; i < 30; i++)
		see(traffic.sketches, &random, 5, i % 3 ? TOP_DROPPED : TOP_PASSED);
	read_all(&traffic);
	talker = find(&traffic, 5, &place);
	assert_int_equal(talker->packets[TOP_DROPPED], 20);
	assert_int_equal(talker->packets[TOP_PASSED], 10);
	assert_int_equal(talker->bytes[TOP_DROPPED], 20 * LENGTH);
	assert_int_equal(talker->bytes[TOP_PASSED], 10 * LENGTH);
	end(&traffic);
}

static void windows_do_not_mix(void **state)
{
	CLEANUP_FREE struct top_sketch *sketch = xcalloc(1, sizeof(*sketch));
	const struct set_key key = key_of(9);
	uint64_t hash = set_hash(&key, SEED);

	for (uint32_t window = 1; window <= 5; window++) {
		for (uint32_t i = 0; i < window * 10; i++) {
			const struct top_packet packet = { .window = window, .weight = top_weight(sketch, window) };

			top_count(top_bucket(sketch, TOP_SOURCE, window, hash), &key, top_tag(hash), &packet);
		}
	}
	for (uint32_t window = 1; window <= 6; window++) {
		struct talkers talkers = { 0 };

		talkers_add(&talkers, sketch, window);
		talkers_sort(&talkers);
		/* The last two are there, those before them and the next are not. */
		assert_int_equal(talkers.counts[TOP_SOURCE], window == 4 || window == 5);
		assert_int_equal(talkers.seen, window == 4 || window == 5 ? window * 10 : 0);
		if (talkers.counts[TOP_SOURCE])
			assert_int_equal(packets_of(&talkers.items[TOP_SOURCE][0]), window * 10);
		talkers_free(&talkers);
	}
}

/* A key differs by its version and its protocol, too; and a tag that is the same is not yet the same key. */
static void keys_that_are_alike_are_told_apart(void **state)
{
	CLEANUP_FREE struct top_bucket *bucket = xcalloc(1, sizeof(*bucket));
	const struct top_packet packet = { .window = 1, .weight = 1 };
	const struct set_key keys[] = {
		{ .address = { 53 }, .length = 17 },
		{ .address = { 53 }, .length = 6 },
		{ .address = { 53 }, .version = 4, .length = 32 },
		{ .address = { 53 }, .version = 6, .length = 128 },
		{ .address = { 53, 1 }, .version = 6, .length = 128 },
	};

	for (int turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < 5; i++)
			top_count(bucket, &keys[i], 77, &packet);
	}
	for (size_t i = 0; i < TOP_WAYS; i++)
		assert_int_equal(bucket->counts[i], i < 5 ? 3 : 0);
}

static struct sample sample_of(json_t *earlier, json_t *later, double seconds)
{
	struct sample sample;

	sample_counters(&sample, earlier, later, seconds);
	json_decref(earlier);
	json_decref(later);
	return sample;
}

static void rates_are_what_was_added_by_seconds(void **state)
{
	struct sample sample =
		sample_of(json_pack("{s:{s:{s:i,s:i}}, s:{}, s:{s:{s:i,s:i,s:s}, s:{s:i,s:i,s:s}}}", "verdicts", "drop",
				    "packets", 100, "bytes", 6000, "reasons", "rules", "p:3", "packets", 50, "bytes",
				    50, "text", "drop udp", "p:4", "packets", 50, "bytes", 50, "text", "drop tcp"),
			  json_pack("{s:{s:{s:i,s:i}}, s:{}, s:{s:{s:i,s:i,s:s}, s:{s:i,s:i,s:s}}}", "verdicts", "drop",
				    "packets", 300, "bytes", 18000, "reasons", "rules", "p:3", "packets", 20, "bytes",
				    20, "text", "drop udp", "p:9", "packets", 500, "bytes", 50, "text", "drop tcp"),
			  2);
	json_t *json = sample_json(&sample);

	assert_int_equal(sample.counts[SAMPLE_VERDICTS], 1);
	assert_true(sample.rows[SAMPLE_VERDICTS][0].packets == 100 && sample.rows[SAMPLE_VERDICTS][0].bytes == 6000);
	/* A counter that was reset, and a rule that was not there: neither has a rate yet. */
	assert_true(sample.rows[SAMPLE_RULES][0].packets == 0 && sample.rows[SAMPLE_RULES][1].packets == 0);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json_object_get(json, "rules"), "p:9"), "text")),
		"drop tcp");
	assert_null(json_object_get(json, "talkers"));
	json_decref(json);
	sample_free(&sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_are_counted_exactly),
		cmocka_unit_test(a_flood_of_random_sources_hides_nobody),
		cmocka_unit_test(skewed_traffic_keeps_its_order),
		cmocka_unit_test(keys_in_turn_push_nobody_out_who_is_heavy),
		cmocka_unit_test(who_comes_late_is_there),
		cmocka_unit_test(who_came_early_stays),
		cmocka_unit_test(cpus_are_added_up),
		cmocka_unit_test(samples_stand_for_all_packets),
		cmocka_unit_test(so_many_packets_are_no_estimates),
		cmocka_unit_test(what_was_dropped_is_told_apart),
		cmocka_unit_test(windows_do_not_mix),
		cmocka_unit_test(keys_that_are_alike_are_told_apart),
		cmocka_unit_test(rates_are_what_was_added_by_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
