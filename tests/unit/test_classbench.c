// SPDX-License-Identifier: BSD-2-Clause
/*
 * The classifier against a walk over ClassBench rule sets of 1,000 to 100,000 rules, where they are beside the sources:
 * SLUICE_RULES, or ../shared/data/rules. A million packets are looked up for each; SLUICE_WHOLE=1 walks for all of
 * them, else for as many as a second or two allow.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "compile/classifier.h"
#include "packets.h"

#define PACKETS 1000000
#define FIRST 50	   /* packets that the walk itself is checked with */
#define STEPS 100000000ULL /* of the walk, when it is not to be whole */

static void read_address(struct prefix *prefix, const unsigned *bytes, int length, int version)
{
	uint64_t word = (uint64_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];

	/* IPv6 with the same nesting: the prefix behind 32 bits that are all alike. */
	if (version == 4 || !length)
		match_prefix(prefix, word << 32, 0, length);
	else if (length == 32 && word & 1)
		match_prefix(prefix, 0x20010db800000000ULL | word, word * 0x9e3779b97f4a7c15ULL, 128);
	else
		match_prefix(prefix, 0x20010db800000000ULL | word, 0, 32 + length);
}

static void add_line(struct matches *matches, const char *line, int version)
{
	struct match match = match_any(version, matches->count);
	unsigned bytes[8], protocol, mask;
	unsigned from[2], to[2];
	int source, destination;

	if (sscanf(line, "@%u.%u.%u.%u/%d %u.%u.%u.%u/%d %u : %u %u : %u 0x%x/0x%x", bytes, bytes + 1, bytes + 2,
		   bytes + 3, &source, bytes + 4, bytes + 5, bytes + 6, bytes + 7, &destination, &from[0], &from[1],
		   &to[0], &to[1], &protocol, &mask) != 16)
		fail_msg("not a rule: %s", line);
	read_address(&match.source, bytes, source, version);
	read_address(&match.destination, bytes + 4, destination, version);
	match_lane(&match, FILTER_SOURCE_PORT_SHIFT, from[0], from[0] || from[1] != 65535 ? from[1] : FILTER_PORT_ANY);
	match_lane(&match, FILTER_DESTINATION_PORT_SHIFT, to[0], to[0] || to[1] != 65535 ? to[1] : FILTER_PORT_ANY);
	if (mask)
		match_lane(&match, FILTER_PROTOCOL_SHIFT, protocol, protocol);
	matches_add(matches, match);
}

/* False when the set is not there. */
static bool read_set(const char *name, int version, struct matches *matches)
{
	const char *folder = getenv("SLUICE_RULES");
	CLEANUP_FREE char *command = xasprintf("xz -dcq '%s/%s.xz' 2>/dev/null", folder ? folder : RULES, name);
	FILE *set = popen(command, "r");
	char line[512];

	while (set && fgets(line, sizeof(line), set))
		add_line(matches, line, version);
	if (set)
		pclose(set);
	return matches->count > 0;
}

static void agree(const char *name, const struct matches *matches, int version)
{
	unsigned spare = CLASSIFIER_SPARE;
	struct classifier classifier;
	struct walk walk;
	struct error error;
	uint64_t state = matches->count;
	size_t walked = getenv("SLUICE_WHOLE") ? PACKETS : STEPS / matches->count;

	if (classifier_build(matches, version, &spare, &classifier, &error))
		fail_msg("%s: %s", name, error.what);
	walk_make(matches, version, &walk);
	assert_true(classifier.report.longest_leaf <= CLASSIFIER_LEAF_MAX);
	for (size_t i = 0; i < PACKETS; i++) {
		const struct match *match = &matches->items[random64(&state) % matches->count];
		struct filter_key key = packet_about(&state, version, matches, match);
		uint32_t found = classifier_lookup(&classifier, &key), wanted;

		if (found != CLASSIFIER_NONE)
			assert_true(match_has(&matches->items[found], version, &key));
		if (i >= walked)
			continue;
		wanted = walk_lookup(&walk, &key);
		if (i < FIRST)
			assert_int_equal(wanted, naive_lookup(matches, version, &key));
		if (found != wanted)
			fail_msg("%s, IPv%d: rule %u instead of %u", name, version, found, wanted);
	}
	classifier_free(&classifier);
	free(walk.boxes);
}

static void hold(const char *family)
{
	static const unsigned sizes[] = { 1000, 10000, 100000 };
	bool any = false;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		CLEANUP_FREE char *name = xasprintf("%s_%u", family, sizes[i]);

		for (int version = 4; version <= 6; version += 2) {
			struct matches matches = { 0 };

			if (!read_set(name, version, &matches))
				continue;
			any = true;
			agree(name, &matches, version);
			free(matches.items);
		}
	}
	if (!any)
		skip();
}

static void test_access_lists(void **unused)
{
	hold("acl1");
}

static void test_firewalls(void **unused)
{
	hold("fw1");
}

static void test_ip_chains(void **unused)
{
	hold("ipc1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_access_lists),
		cmocka_unit_test(test_firewalls),
		cmocka_unit_test(test_ip_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
