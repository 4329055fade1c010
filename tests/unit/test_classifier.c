// SPDX-License-Identifier: BSD-2-Clause
/* The classifier names the very rule that a walk over all of them finds first, for rule sets made to be hard. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "compile/classifier.h"
#include "packets.h"

static void agree(const struct classifier *classifier, const struct matches *matches, const struct filter_key *key)
{
	uint32_t wanted = naive_lookup(matches, classifier->version, key), found = classifier_lookup(classifier, key);

	if (wanted != found)
		fail_msg("rule %u instead of %u: addresses %llx %llx %llx %llx lanes %llx", found, wanted,
			 (unsigned long long)key->addresses[0], (unsigned long long)key->addresses[1],
			 (unsigned long long)key->addresses[2], (unsigned long long)key->addresses[3],
			 (unsigned long long)key->lanes);
}

/* Builds it, asks for packets about rules taken at random, and frees both. */
static struct classifier_report hold_sharing(struct matches *matches, int version, size_t packets, unsigned *spare)
{
	struct classifier_report report;
	struct classifier classifier;
	struct error error;
	uint64_t state = matches->count;

	if (classifier_build(matches, version, spare, &classifier, &error))
		fail_msg("%s", error.what);
	for (size_t i = 0; i < packets && matches->count; i++) {
		struct match *match = &matches->items[random64(&state) % matches->count];
		struct filter_key key = packet_about(&state, version, matches, match);

		agree(&classifier, matches, &key);
	}
	report = classifier.report;
	report.linear = NULL;
	classifier_free(&classifier);
	free(matches->items);
	*matches = (struct matches){ 0 };
	return report;
}

static struct classifier_report hold(struct matches *matches, int version, size_t packets)
{
	unsigned spare = CLASSIFIER_SPARE;

	return hold_sharing(matches, version, packets, &spare);
}

static void random_lanes(uint64_t *state, struct match *match)
{
	static const uint64_t ports[][2] = {
		{ 80, 80 }, { 443, 443 }, { 1024, 65535 }, { 0, FILTER_PORT_ANY }, { 0, 1023 }
	};
	const uint64_t *port = ports[random64(state) % 5], *other = ports[random64(state) % 5];

	match_lane(match, FILTER_DESTINATION_PORT_SHIFT, port[0], port[1]);
	if (random64(state) % 4 == 0)
		match_lane(match, FILTER_SOURCE_PORT_SHIFT, other[0], other[1]);
	if (random64(state) % 4)
		match_lane(match, FILTER_PROTOCOL_SHIFT, 6, random64(state) % 4 ? 6 : 17);
}

/* Addresses with few values in each bit, so that boxes overlap in all manners. */
static void random_addresses(uint64_t *state, struct match *match, int version, uint64_t bits)
{
	int last = version == 4 ? 32 : 128;

	match_prefix(&match->source, random64(state) & bits, random64(state) & bits, random_between(state, 0, last));
	match_prefix(&match->destination, random64(state) & bits, random64(state) & bits,
		     random_between(state, 0, last));
}

static void random_extra(uint64_t *state, struct match *match)
{
	switch (random64(state) % 5) {
	case 0:
		match->extra.marks_mask = 0x112;
		match->extra.marks = 0x102;
		break;
	case 1:
		match_range(match, FILTER_VLAN_SHIFT, random64(state) % 8, 8);
		break;
	case 2:
		match_range(match, FILTER_LENGTH_SHIFT, 0, random_between(state, 40, 1500));
		break;
	case 3:
		match->extra.mac_mask = (1ULL << 48) - 1;
		match->extra.mac = random64(state) % 4;
		break;
	default:
		break;
	}
}

static void random_sets(int version, uint64_t bits, bool extras)
{
	static const size_t sizes[] = { 1, 2, 3, 7, 20, 60, 200, 700, 2000 };
	uint64_t state = bits + version;

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct matches matches = { 0 };
		uint32_t rule = 0;

		while (matches.count < sizes[s]) {
			struct match match = match_any(version, rule);

			random_addresses(&state, &match, version, bits);
			random_lanes(&state, &match);
			if (extras)
				random_extra(&state, &match);
			matches_add(&matches, match);
			rule += random64(&state) % 3; /* several boxes of one rule, numbers without a box */
		}
		hold(&matches, version, 20000);
	}
}

static void test_nothing_matches_without_rules(void **unused)
{
	struct matches none = { 0 };
	struct filter_key key = { 0 };
	unsigned spare = CLASSIFIER_SPARE;
	struct classifier classifier;
	struct error error;

	for (int version = 4; version <= 6; version += 2) {
		assert_int_equal(classifier_build(&none, version, &spare, &classifier, &error), 0);
		assert_int_equal(classifier.count, 0);
		assert_int_equal(classifier_lookup(&classifier, &key), CLASSIFIER_NONE);
		classifier_free(&classifier);
	}
}

static void test_random_sets_answer_as_the_walk_does(void **unused)
{
	for (int version = 4; version <= 6; version += 2) {
		random_sets(version, ~0ULL, false);
		random_sets(version, 0x0101010101010101ULL, false);
		random_sets(version, 0xc0000003c0000003ULL, false);
	}
}

static void test_extras_are_asked_last_and_hold(void **unused)
{
	for (int version = 4; version <= 6; version += 2) {
		random_sets(version, ~0ULL, true);
		random_sets(version, 0x0101010101010101ULL, true);
	}
}

static void test_nested_prefixes_in_a_small_space(void **unused)
{
	for (int version = 4; version <= 6; version += 2) {
		struct matches matches = { 0 };
		uint64_t state = version;
		int last = version == 4 ? 32 : 128;

		for (uint32_t rule = 0; rule < 3000; rule++) {
			struct match match = match_any(version, rule);
			uint64_t port = random64(&state) % 65000;

			match_prefix(&match.source, 0x0a00000000000000ULL | (random64(&state) & 0xfffULL << 32), 0,
				     random_between(&state, 8, last));
			match_prefix(&match.destination, 0xc0a8000000000000ULL | (random64(&state) & 0xfffULL << 32), 0,
				     random_between(&state, 16, last));
			match_lane(&match, FILTER_DESTINATION_PORT_SHIFT, port, port + random64(&state) % 500);
			matches_add(&matches, match);
		}
		hold(&matches, version, 30000);
	}
}

static void test_port_rectangles_without_addresses(void **unused)
{
	for (int version = 4; version <= 6; version += 2) {
		struct matches matches = { 0 };
		uint64_t state = version;

		for (uint32_t rule = 0; rule < 1000; rule++) {
			struct match match = match_any(version, rule);
			uint64_t from = random64(&state) % 65536, to = random64(&state) % 65536;

			match_lane(&match, FILTER_SOURCE_PORT_SHIFT, from, random_between(&state, from, 65535));
			match_lane(&match, FILTER_DESTINATION_PORT_SHIFT, to, random_between(&state, to, 65535));
			match_lane(&match, FILTER_PROTOCOL_SHIFT, 6, 6);
			matches_add(&matches, match);
		}
		hold(&matches, version, 30000);
	}
}

static void test_equal_boxes_count_once(void **unused)
{
	for (int version = 4; version <= 6; version += 2) {
		struct matches matches = { 0 };
		struct classifier_report report;

		for (uint32_t rule = 0; rule < 24000; rule++) {
			struct match match = match_any(version, rule);

			match_prefix(&match.source, (uint64_t)(rule % 3) << 60, 0, 4);
			matches_add(&matches, match);
		}
		report = hold(&matches, version, 1000);
		assert_int_equal(report.boxes, 3);
		assert_int_equal(report.linear_count, 0);
	}
}

/* The same box again and again, with another extra each: nothing can part them. */
static struct matches macs(int version, uint32_t rules)
{
	struct matches matches = { 0 };

	for (uint32_t rule = 0; rule < rules; rule++) {
		struct match match = match_any(version, rule);

		match_prefix(&match.source, 0x0a00000000000000ULL, 0, 8);
		match.extra.mac_mask = (1ULL << 48) - 1;
		match.extra.mac = rule * 7;
		matches_add(&matches, match);
	}
	return matches;
}

static void test_one_huge_leaf_is_no_leaf(void **unused)
{
	for (int version = 4; version <= 6; version += 2) {
		struct matches matches = macs(version, 3000);
		struct classifier_report report = hold(&matches, version, 5000);

		assert_true(report.longest_leaf <= CLASSIFIER_LEAF_MAX);
		assert_true(report.linear_count > 0);
	}
}

static void test_groups_beyond_what_the_verifier_looks_at(void **unused)
{
	static const struct {
		int version;
		bool has_room;
	} lists[] = { { 4, true }, { 6, false }, { 4, true }, { 4, false } };
	unsigned spare = CLASSIFIER_SPARE;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct matches matches = macs(lists[i].version, 19 * CLASSIFIER_LEAF_MAX);
		struct classifier_report report = hold_sharing(&matches, lists[i].version, 5000, &spare);

		assert_int_equal(report.linear_count == 0, lists[i].has_room);
		assert_int_equal(report.groups > 8, lists[i].has_room);
	}
}

static void test_more_than_can_be_parted_is_an_error(void **unused)
{
	struct matches matches = { 0 };
	unsigned spare = CLASSIFIER_SPARE;
	struct classifier classifier;
	struct error error = { 0 };

	for (uint32_t rule = 0; rule < 2 * CLASSIFIER_LINEAR_MAX; rule++) {
		struct match match = match_any(4, rule);

		match.extra.mac_mask = (1ULL << 48) - 1;
		match.extra.mac = rule;
		matches_add(&matches, match);
	}
	assert_int_equal(classifier_build(&matches, 4, &spare, &classifier, &error), -E2BIG);
	assert_non_null(strstr(error.what, "16384"));
	free(matches.items);
}

static void error_says(struct matches *matches, int version, const char *what)
{
	unsigned spare = CLASSIFIER_SPARE;
	struct classifier classifier;
	struct error error = { 0 };

	assert_int_equal(classifier_build(matches, version, &spare, &classifier, &error), -E2BIG);
	assert_string_equal(error.what, what);
	free(matches->items);
}

static void test_more_combinations_of_ports_than_have_numbers(void **unused)
{
	struct matches matches = { 0 };

	for (uint32_t i = 0; i <= CLASSIFIER_LANES_MAX; i++) {
		struct match match = match_any(4, i / 2);

		match_lane(&match, FILTER_SOURCE_PORT_SHIFT, i >> 16, i >> 16);
		match_lane(&match, FILTER_DESTINATION_PORT_SHIFT, i & 0xffff, i & 0xffff);
		matches_add(&matches, match);
	}
	error_says(&matches, 4, "the filter has 131073 combinations of ports and protocols; the limit is 131072");
}

static void test_more_combinations_of_extras_than_have_numbers(void **unused)
{
	struct matches matches = { 0 };

	for (uint32_t i = 0; i < CLASSIFIER_EXTRAS_MAX; i++) {
		struct match match = match_any(6, i);

		match.extra.mac_mask = (1ULL << 48) - 1;
		match.extra.mac = i;
		matches_add(&matches, match);
	}
	error_says(&matches, 6,
		   "the filter has 65536 combinations of MAC, VLAN, flags, length and the like; the limit is 65535");
}

/* As many as have numbers are shared by all trees; what is cut from then on is cut with those. */
static void test_all_windows_are_in_use(void **unused)
{
	static const uint64_t bits[] = { 0x3ff, 0xff00, 0xf, 0xf0 };
	struct matches matches = { 0 };
	struct classifier_report report;
	uint64_t state = 1;

	for (uint32_t rule = 0; rule < 5000; rule++) {
		struct match match = match_any(6, rule);

		random_addresses(&state, &match, 6, bits[rule % 4]);
		random_lanes(&state, &match);
		matches_add(&matches, match);
	}
	report = hold(&matches, 6, 5000);
	assert_int_equal(report.windows, CLASSIFIER_WINDOWS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_matches_without_rules),
		cmocka_unit_test(test_random_sets_answer_as_the_walk_does),
		cmocka_unit_test(test_extras_are_asked_last_and_hold),
		cmocka_unit_test(test_nested_prefixes_in_a_small_space),
		cmocka_unit_test(test_port_rectangles_without_addresses),
		cmocka_unit_test(test_equal_boxes_count_once),
		cmocka_unit_test(test_one_huge_leaf_is_no_leaf),
		cmocka_unit_test(test_groups_beyond_what_the_verifier_looks_at),
		cmocka_unit_test(test_more_than_can_be_parted_is_an_error),
		cmocka_unit_test(test_more_combinations_of_ports_than_have_numbers),
		cmocka_unit_test(test_more_combinations_of_extras_than_have_numbers),
		cmocka_unit_test(test_all_windows_are_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
