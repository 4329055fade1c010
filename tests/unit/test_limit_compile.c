// SPDX-License-Identifier: BSD-2-Clause
/* What limits are compiled into: intervals, bursts, keys, bans, and a list beside that of the filter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "compile/compile.h"
#include "policy/policy.h"
#include "sluice/verdict.h"

#define SETS \
	"set a dynamic size 9 set b dynamic size 9 set c dynamic size 9 set d dynamic size 9 set e dynamic size 9 " \
	"set list { 10.0.0.0/8, 2001:db8::/32 } "

static struct policy *read_interface(const char *body, struct compiled *compiled, int expected, struct error *error)
{
	CLEANUP_FREE char *text = xasprintf("%s interface eth0 {\n%s\n}", SETS, body);
	struct policy *policy = NULL;

	if (policy_parse(text, "test.policy", &policy, error))
		fail_msg("%d:%d: %s\nin:\n%s", error->line, error->column, error->what, text);
	assert_int_equal(compile(&policy->interfaces[0], compiled, error), expected);
	return policy;
}

static struct policy *read_limits(const char *limits, struct compiled *compiled)
{
	CLEANUP_FREE char *body = xasprintf("limit {\n%s\n}", limits);
	struct error error = { .what = "" };

	return read_interface(body, compiled, 0, &error);
}

static void rates_are_intervals_and_bursts_are_times(void **state)
{
	struct compiled compiled;
	struct policy *policy = read_limits("udp 2000/s per source\n"
					    "tcp 3/s burst 7 per destination/24/48 log 1/9\n"
					    "icmp 1/d\n"
					    "sctp 8kbit/s burst 2kbyte per source+dport\n"
					    "arp 100gbit/s\n"
					    "all 1mbyte/s burst 1514 per source/20",
					    &compiled);
	const struct filter_more *more = compiled.limit.more;

	assert_int_equal(compiled.config.limit, 1);
	assert_int_equal(compiled.config.filter, 0);
	assert_int_equal(compiled.limit.first, 0);
	assert_int_equal(compiled.limit.count, 6);
	assert_int_equal(compiled.limit.more_count, 7);
	for (size_t i = 0; i < compiled.limit.count; i++) {
		assert_int_equal(compiled.limit.actions[i].verdict, VERDICT_DROP);
		assert_int_equal(compiled.limit.actions[i].reject, 0);
		assert_int_equal(compiled.limit.actions[i].more, i + 1);
	}
	assert_int_equal(more[1].interval, 500000);
	assert_int_equal(more[1].burst, 199 * 500000);
	assert_int_equal(more[1].bytes, 0);
	assert_int_equal(more[1].per, FILTER_PER_SOURCE);
	assert_int_equal(more[1].length4, 32);
	assert_int_equal(more[1].length6, 64);
	assert_int_equal(more[2].interval, 333333333);
	assert_int_equal(more[2].burst, 6 * 333333333ULL);
	assert_int_equal(more[2].per, FILTER_PER_DESTINATION);
	assert_int_equal(more[2].length4, 24);
	assert_int_equal(more[2].length6, 48);
	assert_int_equal(more[2].log, 9);
	assert_int_equal(more[3].interval, 86400000000000);
	assert_int_equal(more[3].burst, 4 * 86400000000000);
	assert_int_equal(more[3].per, FILTER_PER_RULE);
	/* A byte in a millisecond; a burst of 2000 takes two seconds. */
	assert_int_equal(more[4].bytes, 1);
	assert_int_equal(more[4].interval, 1000000ULL << FILTER_BYTE_SHIFT);
	assert_int_equal(more[4].burst, 2000000000);
	assert_int_equal(more[4].per, FILTER_PER_SOURCE_DPORT);
	assert_int_equal(more[4].length4, 32);
	assert_int_equal(more[4].length6, 64);
	/* 0.08 nanoseconds a byte; a tenth of a second. */
	assert_int_equal(more[5].interval, 5243);
	assert_in_range(more[5].burst, 99990000, 100010000);
	assert_int_equal(more[6].interval, 1000ULL << FILTER_BYTE_SHIFT);
	assert_int_equal(more[6].burst, 1514000);
	assert_int_equal(more[6].length4, 20);
	assert_int_equal(more[6].length6, 64);
	compiled_free(&compiled);
	policy_free(policy);
}

static void the_longest_burst_does_not_overflow(void **state)
{
	const uint64_t longest = 20 * 86400 * 1000000000ULL;
	struct compiled compiled;
	struct policy *policy = read_limits("udp 1/d burst 20\n"
					    "tcp 1kbit/s burst 216mbyte\n"
					    "icmp 100gbit/s burst 4294967295mbyte",
					    &compiled);
	const struct filter_more *more = compiled.limit.more;

	assert_int_equal(more[1].burst, longest / 20 * 19);
	assert_int_equal(more[2].burst, longest);
	assert_in_range(more[3].burst, 343400ULL * 1000000000, 343800ULL * 1000000000);
	compiled_free(&compiled);
	policy_free(policy);
}

static void bans_are_numbers_of_sets(void **state)
{
	struct compiled compiled;
	struct error error = { .what = "" };
	struct policy *policy = read_interface("block { from @b }\n"
					       "limit {\n"
					       "udp 10/s ban @b\n"
					       "tcp 10/s ban @a 10m\n"
					       "icmp 10/s ban @b 1s\n"
					       "all 10/s\n"
					       "}\n"
					       "filter { accept udp limit 5/s ban @c reject limit 5/s ban @a }",
					       &compiled, 0, &error);
	const struct filter_more *more = compiled.limit.more;

	assert_int_equal(compiled.config.ban_sets, 3);
	assert_int_equal(more[1].ban, 1);
	assert_int_equal(more[1].ban_timeout, 0);
	assert_int_equal(more[2].ban, 2);
	assert_int_equal(more[2].ban_timeout, 600);
	assert_int_equal(more[3].ban, 1);
	assert_int_equal(more[3].ban_timeout, 1);
	assert_int_equal(more[4].ban, 0);
	assert_int_equal(compiled.filter.more[1].ban, 3);
	assert_int_equal(compiled.filter.more[2].ban, 2);
	assert_int_equal(compiled.dynamic_count, 4);
	assert_int_equal(compiled.dynamic[0].index, DYNAMIC_FROM);
	assert_string_equal(compiled.dynamic[1].set->name, "b");
	assert_int_equal(compiled.dynamic[1].index, DYNAMIC_BAN);
	assert_string_equal(compiled.dynamic[2].set->name, "a");
	assert_int_equal(compiled.dynamic[2].index, DYNAMIC_BAN + 1);
	assert_string_equal(compiled.dynamic[3].set->name, "c");
	assert_int_equal(compiled.dynamic[3].index, DYNAMIC_BAN + 2);
	compiled_free(&compiled);
	policy_free(policy);
}

static void bans_into_too_many_sets_are_refused(void **state)
{
	struct compiled compiled;
	struct error error = { .what = "" };
	struct policy *policy = read_interface("limit {\n"
					       "udp dport 1 10/s ban @a\n"
					       "udp dport 2 10/s ban @b\n"
					       "udp dport 3 10/s ban @c\n"
					       "udp dport 4 10/s ban @d\n"
					       "udp dport 5 10/s ban @a\n"
					       "} filter {\n"
					       "accept limit 10/s ban @e }",
					       &compiled, -EINVAL, &error);

	assert_string_equal(error.what, "interface eth0 has more than 4 dynamic sets in `ban`");
	assert_string_equal(error.hint, "let several limits ban into one set, each with a time of its own: ban @e 10m");
	assert_int_equal(error.line, 9);
	assert_int_equal(error.column, 23);
	compiled_free(&compiled);
	policy_free(policy);
}

/* One key for all lists: a set has the same bit in each, and is looked up once. */
static void lists_share_the_bits_of_sets(void **state)
{
	struct compiled compiled;
	struct error error = { .what = "" };
	struct policy *policy = read_interface("block { from @d }\n"
					       "limit { udp from @a 10/s\n"
					       "tcp from @b length 0-99 10/s }\n"
					       "filter { accept from not @list accept from @b accept from @c accept "
					       "from @a mac 02:00:00:00:00:01 }",
					       &compiled, 0, &error);
	const struct match *limits = compiled.limit.matches4.items, *rules = compiled.filter.matches4.items;

	assert_int_equal(compiled.config.filter_source_sets, 3);
	assert_int_equal(compiled.config.filter_needs, FILTER_NEEDS_MARKS | FILTER_NEEDS_RANGES | FILTER_NEEDS_MAC);
	assert_int_equal(compiled.limit.first, 1);
	assert_int_equal(compiled.filter.first, 3);
	assert_int_equal(compiled.limit.matches4.count, 2);
	assert_int_equal(compiled.filter.matches4.items[0].rule, 0);
	assert_int_equal(limits[0].rule, 0);
	assert_int_equal(limits[1].rule, 1);
	assert_int_equal(limits[0].extra.marks, 1ULL << (FILTER_SOURCE_SETS_SHIFT + FILTER_DYNAMIC_BIT));
	assert_int_equal(limits[1].extra.marks, limits[0].extra.marks << 1);
	for (size_t i = 0; i < compiled.filter.matches4.count; i++) {
		if (rules[i].rule == 1)
			assert_int_equal(rules[i].extra.marks, limits[1].extra.marks);
		if (rules[i].rule == 2)
			assert_int_equal(rules[i].extra.marks, limits[0].extra.marks << 2);
		if (rules[i].rule == 3)
			assert_int_equal(rules[i].extra.marks, limits[0].extra.marks);
	}
	assert_string_equal(compiled.rules[1].text, "udp from @a 10/s");
	assert_string_equal(compiled.rules[3].text, "accept from not @list");
	assert_true(compiled.config.limit4.end && compiled.config.limit6.end);
	assert_true(compiled.config.classifier4.end && compiled.config.classifier6.end);
	compiled_free(&compiled);
	policy_free(policy);
}

/* Dropping what is over it, a limit leaves alone what `drop` does: ARP, neighbour discovery, path-MTU errors. */
static void limits_spare_the_failsafe(void **state)
{
	struct compiled compiled;
	struct policy *policy = read_limits("icmp type destination-unreachable 5/s\nall 10/s", &compiled);
	const struct match *named = &compiled.limit.matches4.items[0];
	const struct filter_key arp = { .lanes = (uint64_t)FILTER_PROTOCOL_ARP << FILTER_PROTOCOL_SHIFT };
	const struct filter_key udp = { .lanes = 17ULL << FILTER_PROTOCOL_SHIFT };
	const struct filter_key other = { .lanes = (uint64_t)FILTER_PROTOCOL_OTHER << FILTER_PROTOCOL_SHIFT };
	const struct filter_key failsafe = { .lanes = (uint64_t)FILTER_PROTOCOL_FAILSAFE << FILTER_PROTOCOL_SHIFT |
						      3 << FILTER_SOURCE_PORT_SHIFT };

	assert_int_equal(named->rule, 0);
	assert_int_equal(classifier_lookup(&compiled.limit.classifier4, &arp), CLASSIFIER_NONE);
	assert_int_equal(classifier_lookup(&compiled.limit.classifier4, &udp), 1);
	assert_int_equal(classifier_lookup(&compiled.limit.classifier4, &other), 1);
	assert_int_equal(classifier_lookup(&compiled.limit.classifier4, &failsafe), 0);
	assert_int_equal(classifier_lookup(&compiled.limit.classifier6, &failsafe), CLASSIFIER_NONE);
	compiled_free(&compiled);
	policy_free(policy);
}

static void sampled_drops_are_of_the_interface(void **state)
{
	struct compiled compiled;
	struct error error = { .what = "" };
	struct policy *policy = read_interface("log drops 1/77", &compiled, 0, &error);

	assert_int_equal(compiled.config.log_drops, 77);
	assert_int_equal(compiled.config.limit, 0);
	compiled_free(&compiled);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_intervals_and_bursts_are_times),
		cmocka_unit_test(the_longest_burst_does_not_overflow),
		cmocka_unit_test(bans_are_numbers_of_sets),
		cmocka_unit_test(bans_into_too_many_sets_are_refused),
		cmocka_unit_test(lists_share_the_bits_of_sets),
		cmocka_unit_test(limits_spare_the_failsafe),
		cmocka_unit_test(sampled_drops_are_of_the_interface),
	};

	return cmocka_run_group_tests_name("limit_compile", tests, NULL, NULL);
}
