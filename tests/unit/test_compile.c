// SPDX-License-Identifier: BSD-2-Clause
/* From policy to tables: what a longest-prefix match over the result says is what the policy says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "compile/compile.h"
#include "compile/prefixes.h"
#include "sluice/counter.h"

static struct policy *parse(const char *text)
{
	struct policy *policy = NULL;
	struct error error;

	if (policy_parse(text, "test.policy", &policy, &error))
		fail_msg("%s", error.what);
	return policy;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;
	struct error error;

	assert_int_equal(prefix_parse(text, (struct location){ 0 }, &prefix, &error), 0);
	return prefix;
}

/* The way the kernel looks up: the longest entry that covers the address. */
static uint32_t look_up(const struct prefix_table *table, const struct prefix *address)
{
	uint32_t value = PREFIX_NONE;
	int longest = -1;

	for (size_t i = 0; i < table->count; i++) {
		const struct entry *entry = &table->entries[i];

		if (entry->prefix.length > longest && prefix_covers(&entry->prefix, address)) {
			longest = entry->prefix.length;
			value = entry->value;
		}
	}
	return value;
}

/* What the entries mean as they were written: an exception beats everything, else the first rule. */
static uint32_t walk(const struct entry *entries, size_t count, const struct prefix *address)
{
	uint32_t value = PREFIX_NONE;

	for (size_t i = 0; i < count; i++) {
		if (!prefix_covers(&entries[i].prefix, address))
			continue;
		if (entries[i].value == PREFIX_EXCEPT)
			return PREFIX_EXCEPT;
		if (entries[i].value < value)
			value = entries[i].value;
	}
	return value;
}

static uint32_t look_up_text(const struct prefix_table *table, const char *address)
{
	struct prefix prefix = prefix_of(address);

	return look_up(table, &prefix);
}

static void add(struct prefix_table *table, const char *text, uint32_t value)
{
	prefix_table_add(table, prefix_of(text), value);
}

static void exception_beats_block_however_wide(void **state)
{
	struct prefix_table table = { 0 };

	add(&table, "10.1.2.3", 0);
	add(&table, "10.0.0.0/8", PREFIX_EXCEPT);
	add(&table, "10.1.0.0/16", 1);
	prefix_table_settle(&table);
	assert_int_equal(look_up_text(&table, "10.1.2.3"), PREFIX_EXCEPT);
	assert_int_equal(look_up_text(&table, "10.1.9.9"), PREFIX_EXCEPT);
	assert_int_equal(table.count, 1);
	prefix_table_free(&table);
}

static void narrow_exception_opens_only_itself(void **state)
{
	struct prefix_table table = { 0 };

	add(&table, "10.0.0.0/8", 0);
	add(&table, "10.1.0.0/16", PREFIX_EXCEPT);
	prefix_table_settle(&table);
	assert_int_equal(look_up_text(&table, "10.1.2.3"), PREFIX_EXCEPT);
	assert_int_equal(look_up_text(&table, "10.2.0.1"), 0);
	assert_int_equal(look_up_text(&table, "11.0.0.1"), PREFIX_NONE);
	prefix_table_free(&table);
}

static void first_rule_wins_where_rules_overlap(void **state)
{
	struct prefix_table table = { 0 };

	add(&table, "10.1.0.0/16", 3);
	add(&table, "10.0.0.0/8", 2);
	add(&table, "10.1.1.0/24", 1);
	add(&table, "10.1.1.0/24", 5);
	prefix_table_settle(&table);
	assert_int_equal(look_up_text(&table, "10.1.0.1"), 2);
	assert_int_equal(look_up_text(&table, "10.1.1.1"), 1);
	assert_int_equal(table.count, 2); /* the /16 says what the /8 says */
	prefix_table_free(&table);
}

static void whole_address_space_and_single_hosts(void **state)
{
	struct prefix_table table = { 0 };

	add(&table, "::/0", 0);
	add(&table, "2001:db8::1", PREFIX_EXCEPT);
	prefix_table_settle(&table);
	assert_int_equal(look_up_text(&table, "2001:db8::1"), PREFIX_EXCEPT);
	assert_int_equal(look_up_text(&table, "2001:db8::2"), 0);
	assert_int_equal(look_up_text(&table, "ffff::"), 0);
	prefix_table_free(&table);
}

/* Few address bits vary, so that prefixes nest, repeat and cover one another all the time. */
static struct prefix random_prefix(unsigned *seed, int version, int length)
{
	struct prefix prefix = { .version = version, .length = length };
	int bytes = version == 4 ? 4 : 16;

	for (int i = 0; i < bytes; i++)
		prefix.address[i] = rand_r(seed) & 0x81;
	for (int bit = length; bit < bytes * 8; bit++)
		prefix.address[bit / 8] &= ~(0x80 >> bit % 8);
	return prefix;
}

static void agree(unsigned seed, int version)
{
	int bits = version == 4 ? 32 : 128;
	struct prefix_table table = { 0 };
	size_t count = rand_r(&seed) % 60;
	CLEANUP_FREE struct entry *written = NULL;

	for (size_t i = 0; i < count; i++) {
		uint32_t value = rand_r(&seed) % 5 ? (uint32_t)(rand_r(&seed) % 8) : PREFIX_EXCEPT;

		prefix_table_add(&table, random_prefix(&seed, version, rand_r(&seed) % (bits + 1)), value);
	}
	written = xcalloc(count, sizeof(*written));
	if (count)
		memcpy(written, table.entries, count * sizeof(*written));
	prefix_table_settle(&table);
	for (int i = 0; i < 500; i++) {
		struct prefix address = random_prefix(&seed, version, bits);

		assert_int_equal(look_up(&table, &address), walk(written, count, &address));
	}
	for (size_t i = 1; i < table.count; i++)
		assert_true(prefix_compare(&table.entries[i - 1].prefix, &table.entries[i].prefix) < 0);
	prefix_table_free(&table);
}

static void settled_table_says_what_a_walk_says(void **state)
{
	for (unsigned seed = 1; seed <= 300; seed++) {
		agree(seed, 4);
		agree(seed, 6);
	}
}

static void block_becomes_tables_and_rules(void **state)
{
	struct policy *policy = parse("set office { 192.0.2.0/24, 2001:db8::/48 }\n"
				      "interface eth0 {\n"
				      "  malformed pass; fragments drop; default drop\n"
				      "  block {\n"
				      "    except @office\n"
				      "    from 10.0.0.0/8, { 11.0.0.0/8, 2001:db8:1::/48 }\n"
				      "    to 198.51.100.0/24\n"
				      "  }\n"
				      "}\n");
	struct compiled compiled;
	struct error error;

	assert_int_equal(compile(&policy->interfaces[0], &compiled, &error), 0);
	assert_int_equal(compiled.rule_count, 3);
	assert_string_equal(compiled.rules[0].text, "from 10.0.0.0/8");
	assert_string_equal(compiled.rules[2].text, "to 198.51.100.0/24");
	assert_int_equal(compiled.rules[0].where.line, 6);
	assert_int_equal(compiled.rules[2].where.line, 7);
	assert_null(compiled.rules[0].set);
	assert_int_equal(compiled.config.default_verdict, VERDICT_DROP);
	assert_int_equal(compiled.config.malformed_pass, 1);
	assert_int_equal(compiled.config.fragments_drop, 1);
	assert_int_equal(compiled.config.record, 0);
	assert_true(compiled.config.block_source4.end);
	assert_true(compiled.config.block_source6.end);
	assert_true(compiled.config.block_dest4.end);
	assert_false(compiled.config.block_dest6.end); /* nothing blocks by IPv6 destination */
	assert_int_equal(look_up_text(&compiled.tables[TABLE_BLOCK_SOURCE4], "11.2.3.4"), 1);
	assert_int_equal(look_up_text(&compiled.tables[TABLE_BLOCK_SOURCE4], "192.0.2.9"), PREFIX_EXCEPT);
	assert_int_equal(look_up_text(&compiled.tables[TABLE_BLOCK_SOURCE6], "2001:db8:1::9"), 1);
	assert_int_equal(look_up_text(&compiled.tables[TABLE_BLOCK_DEST4], "198.51.100.9"), 2);
	compiled_free(&compiled);
	policy_free(policy);
}

static void exceptions_alone_cost_no_table(void **state)
{
	struct policy *policy = parse("interface eth0 { block { except 10.0.0.0/8, ::/0 } }");
	struct compiled compiled;
	struct error error;

	assert_int_equal(compile(&policy->interfaces[0], &compiled, &error), 0);
	for (int t = 0; t < TABLE_COUNT; t++)
		assert_int_equal(compiled.tables[t].count, 0);
	assert_false(compiled.config.block_source4.end);
	compiled_free(&compiled);
	policy_free(policy);
}

static void source_exception_stays_where_only_destinations_block(void **state)
{
	struct policy *policy = parse("interface eth0 { block { except 10.0.0.0/8; to 198.51.100.0/24 } }");
	struct compiled compiled;
	struct error error;

	assert_int_equal(compile(&policy->interfaces[0], &compiled, &error), 0);
	assert_int_equal(look_up_text(&compiled.tables[TABLE_BLOCK_SOURCE4], "10.1.1.1"), PREFIX_EXCEPT);
	compiled_free(&compiled);
	policy_free(policy);
}

static struct compiled compile_text(const char *text, struct policy **policy)
{
	struct compiled compiled;
	struct error error;

	*policy = parse(text);
	assert_int_equal(compile(&(*policy)->interfaces[0], &compiled, &error), 0);
	return compiled;
}

static void dynamic_sets_become_uses_and_rules(void **state)
{
	struct policy *policy;
	struct compiled compiled = compile_text("set a dynamic size 10 set b dynamic size 20 timeout 1m\n"
						"interface eth0 { block {\n"
						"  from 10.0.0.0/8, @b, @a\n"
						"  except @a; to @b, 11.0.0.0/8\n"
						"} }",
						&policy);
	static const struct {
		const char *set;
		uint32_t index;
	} uses[] = { { "b", DYNAMIC_FROM }, { "a", DYNAMIC_FROM + 1 }, { "a", DYNAMIC_EXCEPT }, { "b", DYNAMIC_TO } };

	assert_int_equal(compiled.dynamic_count, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(compiled.dynamic[i].set->name, uses[i].set);
		assert_int_equal(compiled.dynamic[i].index, uses[i].index);
	}
	assert_int_equal(compiled.config.from_sets, 2);
	assert_int_equal(compiled.config.to_sets, 1);
	assert_int_equal(compiled.config.except_sets, 1);
	assert_int_equal(compiled.rule_count, 5);
	assert_string_equal(compiled.rules[compiled.config.from_rules[0]].text, "from @b");
	assert_string_equal(compiled.rules[compiled.config.from_rules[1]].text, "from @a");
	assert_string_equal(compiled.rules[compiled.config.to_rules[0]].text, "to @b");
	assert_string_equal(compiled.rules[compiled.config.to_rules[0]].set, "b");
	assert_int_equal(compiled.rules[compiled.config.to_rules[0]].where.line, 4);
	compiled_free(&compiled);
	policy_free(policy);
}

static void exceptions_stay_where_only_dynamic_sets_block(void **state)
{
	struct policy *policy;
	struct compiled compiled = compile_text("set a dynamic size 10 interface eth0 { block {\n"
						"except 10.0.0.0/8, ::/64; to @a } }",
						&policy);

	assert_true(compiled.config.block_dest4.end);
	assert_true(compiled.config.block_dest6.end);
	assert_true(compiled.config.block_source4.end);
	assert_true(compiled.config.block_source6.end);
	compiled_free(&compiled);
	policy_free(policy);

	compiled = compile_text("set a dynamic size 10 interface eth0 { block { except @a, 10.0.0.0/8 } }", &policy);
	assert_int_equal(compiled.dynamic_count, 0);
	assert_int_equal(compiled.config.except_sets, 0);
	assert_false(compiled.config.block_source4.end);
	compiled_free(&compiled);
	policy_free(policy);
}

static char *policy_of_sets(int sets, const char *kind)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (int i = 0; i < sets; i++)
		fprintf(out, "set s%d dynamic size 1\n", i);
	fprintf(out, "interface eth0 { block { from ::1;\n");
	for (int i = 0; i < sets; i++)
		fprintf(out, "%s @s%d\n", kind, i);
	fprintf(out, "} }\n");
	fclose(out);
	return text;
}

static void more_dynamic_sets_than_the_program_has_are_refused(void **state)
{
	static const char *const kinds[] = { "except", "from", "to" };

	for (size_t i = 0; i < 3; i++) {
		CLEANUP_FREE char *most = policy_of_sets(DYNAMIC_MAX, kinds[i]);
		CLEANUP_FREE char *more = policy_of_sets(DYNAMIC_MAX + 1, kinds[i]);
		struct policy *policy;
		struct compiled compiled = compile_text(most, &policy);
		struct error error;

		assert_int_equal(compiled.dynamic_count, DYNAMIC_MAX);
		compiled_free(&compiled);
		policy_free(policy);

		policy = parse(more);
		assert_int_equal(compile(&policy->interfaces[0], &compiled, &error), -22);
		assert_non_null(strstr(error.what, "interface eth0 has more than 4 dynamic sets in `"));
		assert_non_null(strstr(error.what, kinds[i]));
		assert_int_equal(error.line, DYNAMIC_MAX + 1 + 1 + DYNAMIC_MAX + 1);
		compiled_free(&compiled);
		policy_free(policy);
	}
}

static char *policy_of_rules(int rules)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "interface eth0 {\n block {\n");
	for (int i = 0; i < rules; i++)
		fprintf(out, "from 10.%d.%d.0/24\n", i / 256, i % 256);
	fprintf(out, "}\n}\n");
	fclose(out);
	return text;
}

static void more_rules_than_slots_are_refused(void **state)
{
	CLEANUP_FREE char *most = policy_of_rules(RULES_MAX);
	CLEANUP_FREE char *more = policy_of_rules(RULES_MAX + 1);
	struct compiled compiled;
	struct policy *policy;
	struct error error;

	policy = parse(most);
	assert_int_equal(compile(&policy->interfaces[0], &compiled, &error), 0);
	compiled_free(&compiled);
	policy_free(policy);

	policy = parse(more);
	assert_int_equal(compile(&policy->interfaces[0], &compiled, &error), -22);
	assert_string_equal(error.what, "interface \"eth0\" has 1025 block rules; the limit is 1024");
	assert_int_equal(error.line, 2);
	compiled_free(&compiled);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exception_beats_block_however_wide),
		cmocka_unit_test(narrow_exception_opens_only_itself),
		cmocka_unit_test(first_rule_wins_where_rules_overlap),
		cmocka_unit_test(whole_address_space_and_single_hosts),
		cmocka_unit_test(settled_table_says_what_a_walk_says),
		cmocka_unit_test(block_becomes_tables_and_rules),
		cmocka_unit_test(exceptions_alone_cost_no_table),
		cmocka_unit_test(source_exception_stays_where_only_destinations_block),
		cmocka_unit_test(dynamic_sets_become_uses_and_rules),
		cmocka_unit_test(exceptions_stay_where_only_dynamic_sets_block),
		cmocka_unit_test(more_dynamic_sets_than_the_program_has_are_refused),
		cmocka_unit_test(more_rules_than_slots_are_refused),
	};

	return cmocka_run_group_tests_name("compile", tests, NULL, NULL);
}
