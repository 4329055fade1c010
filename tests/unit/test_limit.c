// SPDX-License-Identifier: BSD-2-Clause
/* Limits as the data path keeps them (include/sluice/limit.h): how exact they are, for one and for a million. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bench/random.h"
#include "sluice/limit.h"

#define SECOND 1000000000ULL
#define START (1000 * SECOND)
#define MILLION 1000000

static struct limits *new_limits(void)
{
	struct limits *limits = calloc(1, sizeof(*limits));

	assert_non_null(limits);
	limits->seed = 0x8f3a5c0e96d7214bULL;
	return limits;
}

/* In packets. */
static struct filter_more packets(uint32_t a_second, uint32_t burst)
{
	uint64_t interval = SECOND / a_second;

	return (struct filter_more){ .interval = interval,
				     .burst = (burst - 1) * interval,
				     .lines_bits = limit_lines_bits(interval, 0) };
}

static struct filter_more bytes(uint64_t a_second, uint64_t burst)
{
	uint64_t interval = (SECOND << FILTER_BYTE_SHIFT) / a_second;

	return (struct filter_more){ .interval = interval,
				     .burst = burst * interval >> FILTER_BYTE_SHIFT,
				     .bytes = 1,
				     .lines_bits = limit_lines_bits(interval, 1) };
}

static struct limit limit_of(uint32_t source, const struct filter_more *more, uint32_t length)
{
	struct limit limit = { .key = { .address = { source }, .version = 4, .length = 32 }, .rule = 7 };

	limit_charge(&limit, more, length);
	return limit;
}

/* As rate_ask of bpf/rate.h has it. */
static int is_within(struct limits *limits, const struct limit *limit)
{
	enum limit_answer answer = LIMIT_LOST;

	for (int i = 0; i < LIMIT_TRIES && answer == LIMIT_LOST; i++)
		answer = limit_take_tagged(limits, limit);
	return answer == LIMIT_WITHIN;
}

static void test_a_key_gets_its_rate_and_its_burst(void **state)
{
	const struct filter_more more = packets(1000, 50);
	struct limit limit = limit_of(1, &more, 60);
	struct limits *limits = new_limits();
	unsigned passed = 0;

	for (limit.now = START; limit.now < START + 10 * SECOND; limit.now += 100000)
		passed += is_within(limits, &limit);
	assert_in_range(passed, 10 * 1000 + 49, 10 * 1000 + 50);
	/* After a pause there is one burst, no more. */
	limit.now += 3600 * SECOND;
	passed = 0;
	for (int i = 0; i < 1000; i++)
		passed += is_within(limits, &limit);
	assert_int_equal(passed, 50);
	free(limits);
}

/* Bytes that pass of a million frames of these lengths, which come at twice the rate. */
static void check_bytes(uint64_t a_second, const uint32_t *lengths, size_t count)
{
	const struct filter_more more = bytes(a_second, 100000);
	struct limits *limits = new_limits();
	uint64_t sent = 0, passed = 0;

	for (size_t i = 0; i < MILLION; i++) {
		struct limit limit = limit_of(1, &more, lengths[i % count]);

		sent += lengths[i % count];
		limit.now = START + sent * SECOND / a_second / 2;
		passed += is_within(limits, &limit) ? lengths[i % count] : 0;
	}
	assert_in_range(passed, sent / 2 * 98 / 100, sent / 2 * 102 / 100);
	free(limits);
}

static void test_bytes_are_as_exact_as_packets(void **state)
{
	static const uint32_t small[] = { 60 }, full[] = { 1514 }, mixed[] = { 60, 1514, 60, 590, 9014, 60, 65535 };

	check_bytes(125000, small, 1); /* 1 Mbit/s */
	check_bytes(1250000000, small, 1);
	check_bytes(125000, full, 1);
	check_bytes(1250000000, full, 1);
	check_bytes(12500000, mixed, 7);
}

static void test_a_burst_of_bytes_holds_that_many(void **state)
{
	const struct filter_more more = bytes(125000, 4000);
	struct limit small = limit_of(1, &more, 1000), large = limit_of(1, &more, 9000);
	struct limits *limits = new_limits();
	int passed = 0;

	small.now = large.now = START;
	for (int i = 0; i < 10; i++)
		passed += is_within(limits, &small);
	assert_int_equal(passed, 4);
	assert_false(is_within(limits, &large));
	/* Longer than a burst: it passes when nothing came before, and is paid for. */
	large.now += SECOND;
	assert_true(is_within(limits, &large));
	large.now += 9000 * SECOND / 125000 - 1000000;
	assert_false(is_within(limits, &large));
	large.now += 2000000;
	assert_true(is_within(limits, &large));
	free(limits);
}

static void test_a_port_is_part_of_the_key(void **state)
{
	const struct filter_more more = packets(1, 1);
	struct limit limit = limit_of(1, &more, 60);
	struct limits *limits = new_limits();

	limit.now = START;
	for (limit.port = 0; limit.port <= FILTER_PORT_NONE; limit.port += 0x4000) {
		assert_true(is_within(limits, &limit));
		assert_false(is_within(limits, &limit));
	}
	free(limits);
}

/* Order of sources that is another one in each round. */
struct order {
	uint64_t step, first;
};

static struct order draw_order(uint64_t *random)
{
	return (struct order){ random64(random) % MILLION * 10 + 7, random64(random) % MILLION };
}

/* Share of packets that are held back when a million sources send, each in every round at some time, at this part of
 * the limit; all of them are below it. */
static double held_back(unsigned percent)
{
	const struct filter_more more = packets(10, 5);
	uint64_t round = SECOND * 10 / percent, random = 1;
	struct limits *limits = new_limits();
	unsigned refused = 0, rounds = 10;

	for (unsigned r = 0; r < rounds; r++) {
		struct order order = draw_order(&random);

		for (uint64_t i = 0; i < MILLION; i++) {
			struct limit limit = limit_of((order.first + i * order.step) % MILLION, &more, 60);

			limit.now = START + r * round + i * round / MILLION;
			refused += !is_within(limits, &limit);
		}
	}
	free(limits);
	return (double)refused / MILLION / rounds;
}

static void test_a_million_sources_do_not_hold_one_another_back(void **state)
{
	double half = held_back(50), most = held_back(75);

	print_message("a million sources, packets held back: %.5f %% at half of the limit, %.3f %% at three quarters\n",
		      100 * half, 100 * most);
	assert_true(half < 0.00001);
	assert_true(most < 0.01);
}

/* Share of packets of sources far below the limit that are held back, while so many others are far above it. */
static double held_back_by(unsigned attackers)
{
	const struct filter_more more = packets(10, 5);
	struct limits *limits = new_limits();
	unsigned refused = 0, sent = 0;

	for (unsigned r = 0; r < 12; r++) {
		uint64_t now = START + r * (SECOND / 20);

		for (uint32_t i = 0; i < attackers; i++) {
			struct limit limit = limit_of(MILLION + i, &more, 60);

			limit.now = now;
			is_within(limits, &limit);
		}
		for (uint32_t i = 0; i < 25000 && r >= 8; i++) {
			struct limit limit = limit_of((r - 8) * 25000 + i, &more, 60);

			limit.now = now;
			refused += !is_within(limits, &limit);
			sent++;
		}
	}
	free(limits);
	return (double)refused / sent;
}

static void test_sources_over_the_limit_hold_few_others_back(void **state)
{
	double ten = held_back_by(10000), hundred = held_back_by(100000), million = held_back_by(MILLION);

	print_message(
		"held back by others over the limit: %.4f %% by 10,000, %.3f %% by 100,000, %.1f %% by a million\n",
		100 * ten, 100 * hundred, 100 * million);
	assert_true(ten < 0.0001);
	assert_true(hundred < 0.0005);
	assert_true(million < 0.1);
}

/* Share of packets of sources at a tenth of the limit that are held back while so many others send a packet each. */
static double held_back_in_flood(unsigned a_second, uint64_t flood)
{
	const struct filter_more more = packets(a_second, 5);
	struct limits *limits = new_limits();
	unsigned refused = 0, sent = 0;

	for (uint32_t i = 0; i < flood / 2; i++) {
		struct limit limit = limit_of(MILLION + i, &more, 60);

		limit.now = START + i * SECOND / flood;
		if (i % 100 == 0) { /* each of some sources has its turn when ten intervals are over */
			limit.key.address[0] = i / 100 % (flood / 10 / a_second + 1);
			refused += !is_within(limits, &limit);
			sent++;
		} else {
			is_within(limits, &limit);
		}
	}
	free(limits);
	return (double)refused / sent;
}

static void test_a_flood_from_random_sources_holds_nobody_back(void **state)
{
	/* Lines of the table for 10/s: all; for 1000/s: one in 32. */
	double slow = held_back_in_flood(10, 4 * MILLION), fast = held_back_in_flood(1000, 16 * MILLION);

	print_message("held back in a flood from random sources: %.4f %%, of a fast limit %.4f %%\n", 100 * slow,
		      100 * fast);
	assert_true(slow < 0.0001);
	assert_true(fast < 0.0001);
}

static void test_lines_are_as_many_as_a_flood_keeps_busy(void **state)
{
	assert_int_equal(limit_lines_bits(SECOND / 1000000, 0), 10);
	assert_int_equal(limit_lines_bits(SECOND / 1000, 0), 13);
	assert_int_equal(limit_lines_bits(SECOND / 10, 0), LIMIT_LINES_BITS);
	assert_int_equal(limit_lines_bits((SECOND << FILTER_BYTE_SHIFT) / 125000, 1), 13); /* 1 Mbit/s */
	assert_int_equal(limit_lines_bits((SECOND << FILTER_BYTE_SHIFT) / 125, 1), LIMIT_LINES_BITS);
}

/* A slow limit's cells stay busy for an hour; keys of a fast one take free ones as long as there are any. */
static void test_a_flood_against_a_fast_limit_does_not_open_a_slow_one(void **state)
{
	const struct filter_more hourly = { .interval = 3600 * SECOND, .lines_bits = LIMIT_LINES_BITS };
	const struct filter_more fast = packets(1000, 5);
	struct limits *limits = new_limits();
	unsigned passed = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		struct limit limit = limit_of(i, &hourly, 60);

		limit.now = START;
		assert_true(is_within(limits, &limit));
	}
	for (uint32_t i = 0; i < 4 * MILLION; i++) {
		struct limit limit = limit_of(MILLION + i, &fast, 60);

		limit.rule = 8;
		limit.now = START + i * 100ULL;
		is_within(limits, &limit);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		struct limit limit = limit_of(i, &hourly, 60);

		limit.now = START + SECOND;
		passed += is_within(limits, &limit);
	}
	assert_true(passed <= 3);
	free(limits);
}

/* And the other way round: what a flood leaves to a slow limit is no limit of a fast one. */
static void test_a_flood_against_a_slow_limit_does_not_close_a_fast_one(void **state)
{
	const struct filter_more hourly = { .interval = 3600 * SECOND, .lines_bits = LIMIT_LINES_BITS };
	const struct filter_more fast = packets(1000, 5);
	struct limits *limits = new_limits();
	unsigned refused = 0, anew = 0;

	for (uint32_t i = 0; i < 8 * MILLION; i++) {
		struct limit limit = limit_of(MILLION + i, &hourly, 60);

		limit.now = START;
		is_within(limits, &limit);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		struct limit limit = limit_of(i, &fast, 60);

		limit.rule = 8;
		limit.now = START + SECOND;
		for (int n = 0; n < 5; n++)
			refused += !is_within(limits, &limit);
		assert_false(is_within(limits, &limit));
	}
	assert_in_range(refused, 0, 100); /* of 5000: of those that share a cell */
	/* What the slow limit had counted in these cells is gone, and nowhere else. */
	for (uint32_t i = 0; i < 1000000; i++) {
		struct limit limit = limit_of(MILLION + i, &hourly, 60);

		limit.now = START + 2 * SECOND;
		anew += is_within(limits, &limit);
	}
	assert_in_range(anew, 1, 1000);
	free(limits);
}

/* Nobody shall be banned for packets of others: whose cell it is, is told. */
static void test_who_shares_a_cell_is_told(void **state)
{
	const struct filter_more more = packets(1000, 1);
	struct limits *limits = new_limits();
	unsigned over = 0, shared = 0;

	for (uint32_t i = 0; i < MILLION; i++) {
		struct limit limit = limit_of(i, &more, 60);

		limit.now = START;
		is_within(limits, &limit);
	}
	for (uint32_t i = 0; i < 10000; i++) {
		struct limit limit = limit_of(2 * MILLION + i, &more, 60);

		limit.now = START;
		shared += limit_take_tagged(limits, &limit) == LIMIT_SHARED;
		limit.key.address[0] = i;
		over += limit_take_tagged(limits, &limit) == LIMIT_OVER;
	}
	assert_in_range(shared, 9950, 10000); /* in one of 4096 a tag is the same */
	assert_in_range(over, 9950, 10000);
	free(limits);
}

/* Times of cells go round every 52 days; whoever comes after any time finds them as they should be. */
static void test_a_key_that_was_away_begins_anew(void **state)
{
	const struct filter_more daily = { .interval = 86400 * SECOND, .lines_bits = LIMIT_LINES_BITS };
	struct limit limit = limit_of(1, &daily, 60);
	struct limits *limits = new_limits();

	limit.now = START;
	for (unsigned day = 0; day < 400; day += 1 + day % 7) {
		limit.now = START + day * 86400 * SECOND;
		assert_true(is_within(limits, &limit));
		limit.now += 86399 * SECOND;
		assert_false(is_within(limits, &limit));
	}
	free(limits);
}

/* Threads that all want more than there is, of a burst of TOGETHER packets. */
#define THREADS 4
#define TOGETHER 400000

struct race {
	struct limits *limits;
	struct limit limit;
	int (*take)(struct limits *limits, const struct limit *limit);
	unsigned passed;
};

static int alone(struct limits *limits, const struct limit *limit)
{
	return limit_take(&limits->rules[0], limit);
}

static void *run(void *context)
{
	struct race *race = context;

	for (unsigned i = 0; i < TOGETHER; i++)
		race->passed += race->take(race->limits, &race->limit);
	return NULL;
}

static void test_no_packet_passes_uncounted_while_others_write(void **state)
{
	static int (*const takes[])(struct limits *, const struct limit *) = { alone, is_within };
	const struct filter_more more = packets(1000, TOGETHER);
	struct limit limit = limit_of(1, &more, 60);

	limit.now = START;
	for (size_t t = 0; t < sizeof(takes) / sizeof(takes[0]); t++) {
		struct limits *limits = new_limits();
		struct race races[THREADS];
		pthread_t threads[THREADS];
		unsigned passed = 0;

		limits->rules[0] = START;
		for (int i = 0; i < THREADS; i++) {
			races[i] = (struct race){ .limits = limits, .limit = limit, .take = takes[t] };
			assert_int_equal(pthread_create(&threads[i], NULL, run, &races[i]), 0);
		}
		for (int i = 0; i < THREADS; i++) {
			pthread_join(threads[i], NULL);
			passed += races[i].passed;
		}
		assert_int_equal(passed, TOGETHER);
		free(limits);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_gets_its_rate_and_its_burst),
		cmocka_unit_test(test_bytes_are_as_exact_as_packets),
		cmocka_unit_test(test_a_burst_of_bytes_holds_that_many),
		cmocka_unit_test(test_a_port_is_part_of_the_key),
		cmocka_unit_test(test_a_million_sources_do_not_hold_one_another_back),
		cmocka_unit_test(test_sources_over_the_limit_hold_few_others_back),
		cmocka_unit_test(test_a_flood_from_random_sources_holds_nobody_back),
		cmocka_unit_test(test_lines_are_as_many_as_a_flood_keeps_busy),
		cmocka_unit_test(test_a_flood_against_a_fast_limit_does_not_open_a_slow_one),
		cmocka_unit_test(test_a_flood_against_a_slow_limit_does_not_close_a_fast_one),
		cmocka_unit_test(test_who_shares_a_cell_is_told),
		cmocka_unit_test(test_a_key_that_was_away_begins_anew),
		cmocka_unit_test(test_no_packet_passes_uncounted_while_others_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
