// SPDX-License-Identifier: BSD-2-Clause
/* Policies print in one form, and that reads back as the same policy: src/policy/print.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "policy/policy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct policy *parse(const char *text)
{
	struct policy *policy = NULL;
	struct error error;

	if (policy_parse(text, "test.policy", &policy, &error))
		fail_msg("%d:%d: %s\n%s\nin:\n%s", error.line, error.column, error.what, error.hint, text);
	return policy;
}

static char *print(const struct policy *policy)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	policy_print(out, policy);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_same_prefixes(const struct prefixes *a, const struct prefixes *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		assert_memory_equal(&a->items[i], &b->items[i], sizeof(a->items[i]));
}

static void assert_same_text(const char *a, const char *b)
{
	assert_int_equal(!a, !b);
	if (a)
		assert_string_equal(a, b);
}

static void assert_same_set(const struct set *a, const struct set *b)
{
	assert_string_equal(a->name, b->name);
	assert_same_text(a->path, b->path);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->timeout, b->timeout);
	assert_same_prefixes(&a->prefixes, &b->prefixes);
}

static void assert_same_rule(const struct block_rule *a, const struct block_rule *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->target_count, b->target_count);
	for (size_t i = 0; i < a->target_count; i++) {
		const struct target *left = &a->targets[i], *right = &b->targets[i];

		assert_same_text(left->set_name, right->set_name);
		assert_int_equal(!left->set, !right->set);
		assert_same_prefixes(&left->prefixes, &right->prefixes);
		assert_same_prefixes(target_prefixes(left), target_prefixes(right));
	}
}

static void assert_same_interface(const struct interface *a, const struct interface *b)
{
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->fragments, b->fragments);
	assert_int_equal(a->malformed, b->malformed);
	assert_int_equal(a->default_verdict, b->default_verdict);
	assert_int_equal(!a->block.where.line, !b->block.where.line);
	assert_int_equal(!a->filter.where.line, !b->filter.where.line);
	assert_int_equal(a->filter.rule_count, b->filter.rule_count);
	assert_int_equal(a->block.rule_count, b->block.rule_count);
	for (size_t i = 0; i < a->block.rule_count; i++)
		assert_same_rule(&a->block.rules[i], &b->block.rules[i]);
}

/* All but the places where things stand, which printing changes. */
static void assert_same_policy(const struct policy *a, const struct policy *b)
{
	assert_int_equal(a->set_count, b->set_count);
	for (size_t i = 0; i < a->set_count; i++)
		assert_same_set(a->sets[i], b->sets[i]);
	assert_int_equal(a->interface_count, b->interface_count);
	for (size_t i = 0; i < a->interface_count; i++)
		assert_same_interface(&a->interfaces[i], &b->interfaces[i]);
}

static void assert_round_trip(const char *text)
{
	struct policy *first = parse(text), *second;
	CLEANUP_FREE char *printed = print(first);
	CLEANUP_FREE char *again = NULL;

	second = parse(printed);
	again = print(second);
	assert_string_equal(printed, again);
	assert_same_policy(first, second);
	policy_free(first);
	policy_free(second);
}

static void canonical_form_is_one(void **state)
{
	static const char text[] =
		"interface eth0 { default drop block { except @office; from @bogons, { 10.0.0.0/8 }\n"
		"to { 10.0.0.0/8, ::1 } } }\n"
		"set office { 192.0.2.0/24, 2001:DB8:A:0::/48, } set bogons file \"list.txt\"\n"
		"set many { 1.0.0.0/8, 2.0.0.0/8, 3.0.0.0/8, 4.0.0.0/8, 5.0.0.1/32 } set none { }\n"
		"set banned dynamic size 0100 timeout 3600 set trusted dynamic size 16777216 timeout never\n"
		"interface \"mode\" { block { } mode offload fragments drop malformed pass }\n"
		"interface \"br-lan\" { }";
	static const char expected[] = "set office { 192.0.2.0/24, 2001:db8:a::/48 }\n"
				       "\n"
				       "set bogons file \"list.txt\"\n"
				       "\n"
				       "set many {\n"
				       "    1.0.0.0/8,\n"
				       "    2.0.0.0/8,\n"
				       "    3.0.0.0/8,\n"
				       "    4.0.0.0/8,\n"
				       "    5.0.0.1,\n"
				       "}\n"
				       "\n"
				       "set none { }\n"
				       "\n"
				       "set banned dynamic size 100 timeout 1h\n"
				       "\n"
				       "set trusted dynamic size 16777216\n"
				       "\n"
				       "interface eth0 {\n"
				       "    mode native\n"
				       "    fragments pass\n"
				       "    malformed drop\n"
				       "    block {\n"
				       "        except @office\n"
				       "        from @bogons, 10.0.0.0/8\n"
				       "        to { 10.0.0.0/8, ::1 }\n"
				       "    }\n"
				       "    default drop\n"
				       "}\n"
				       "\n"
				       "interface \"mode\" {\n"
				       "    mode offload\n"
				       "    fragments drop\n"
				       "    malformed pass\n"
				       "    block { }\n"
				       "    default pass\n"
				       "}\n"
				       "\n"
				       "interface br-lan {\n"
				       "    mode native\n"
				       "    fragments pass\n"
				       "    malformed drop\n"
				       "    default pass\n"
				       "}\n";
	struct policy *policy = parse(text);
	CLEANUP_FREE char *printed = print(policy);

	assert_string_equal(printed, expected);
	policy_free(policy);
}

static void targets_print_alone(void **state)
{
	static const char *const expected[] = { "except @none", "from ::1", "to { ::1, 10.0.0.0/8 }", "to { }" };
	struct policy *policy = parse("set none { } interface eth0 { block {\n"
				      "except @none; from { ::1 }; to { ::1, 10.0.0.0/8 }; to { } } }");
	const struct block *block = &policy->interfaces[0].block;

	assert_int_equal(block->rule_count, COUNT(expected));
	for (size_t i = 0; i < COUNT(expected); i++) {
		CLEANUP_FREE char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		policy_print_target(out, block->rules[i].kind, &block->rules[i].targets[0]);
		assert_int_equal(fclose(out), 0);
		assert_string_equal(text, expected[i]);
	}
	policy_free(policy);
}

static void words_print_as_they_are_written(void **state)
{
	assert_string_equal(mode_name(MODE_NATIVE), "native");
	assert_string_equal(mode_name(MODE_GENERIC), "generic");
	assert_string_equal(mode_name(MODE_OFFLOAD), "offload");
	assert_string_equal(verdict_name(VERDICT_ABORTED), "aborted");
	assert_string_equal(verdict_name(VERDICT_DROP), "drop");
	assert_string_equal(verdict_name(VERDICT_PASS), "pass");
	assert_string_equal(verdict_name(VERDICT_TX), "tx");
	assert_string_equal(verdict_name(VERDICT_REDIRECT), "redirect");
	assert_string_equal(verdict_name(NEXT), "next");
	assert_string_equal(block_kind_name(BLOCK_EXCEPT), "except");
	assert_string_equal(block_kind_name(BLOCK_FROM), "from");
	assert_string_equal(block_kind_name(BLOCK_TO), "to");
}

static void printed_policies_read_back_the_same(void **state)
{
	static const char *const texts[] = {
		"interface eth0 { }",
		"interface eth0 { block { } }",
		"interface eth0 { block { from { } } }",
		"interface \"a\\\"b\\\\\" { }",
		"interface 0 { } interface \"-\" { } interface \"drop\" { } interface \"service\" { }",
		"interface \"\xc3\xa4\" { } interface \"#\" { } interface \"{\" { } interface \"a@b\" { }",
		"set size dynamic size 1 timeout 90s set timeout dynamic size 2 timeout 3650d set dynamic dynamic size "
		"3\n"
		"interface eth0 { block { from @size; to @timeout; except @dynamic } } interface \"size\" { }",
		"set file { } set set { ::1 } interface eth0 { block { from @file, @set } }",
		"set a file \"list.txt\" set b file \"./list.txt\" interface eth0 { block { to @b, @a; from @a } }",
		"set a { ::/0, 0.0.0.0/0 } interface eth0 { block { to @a } default drop mode generic }",
		"interface eth0 { filter { } fragments track }",
		"set a { } interface eth0 { filter { accept tcp from @a dport 22 log; drop default drop } block { } }",
		"interface eth0 { filter { default pass; } } interface \"log\" { } interface \"tcp\" { }",
		"set a { ::ffff:0:0/96, 64:ff9b::/96, ::1.2.3.4, fe80::/10 } interface eth0 { }",
	};

	for (size_t i = 0; i < COUNT(texts); i++)
		assert_round_trip(texts[i]);
}

/* Random policies. Lists hold prefixes of distinct networks, so that nothing overlaps; every target is another one. */

static unsigned draw(unsigned limit)
{
	return (unsigned)random() % limit;
}

static const char *space(void)
{
	static const char *const spaces[] = { " ", "\n", "\t ", " # comment }\n", "\r\n  " };

	return spaces[draw(COUNT(spaces))];
}

static const char *separator(void)
{
	return draw(2) ? ";" : space();
}

/* `network` is below 200 and makes the prefix another one than all others of the list. */
static void write_prefix(FILE *out, unsigned network)
{
	switch (draw(5)) {
	case 0:
		fprintf(out, "%u.0.0.0/8", network + 1);
		break;
	case 1:
		fprintf(out, "%u.%u.0.0/%u", network + 1, draw(256), 16 + draw(17));
		break;
	case 2:
		fprintf(out, "%u.%u.%u.%u", network + 1, draw(256), draw(256), draw(256));
		break;
	case 3:
		fprintf(out, "2001:%x::/%u", network + 1, 32 + draw(97));
		break;
	default:
		fprintf(out, "2001:%X:0::%x:%x", network + 1, draw(65536), draw(65536));
	}
}

static void write_list(FILE *out, unsigned first)
{
	unsigned count = draw(8);

	fprintf(out, "{%s", space());
	for (unsigned i = 0; i < count; i++) {
		write_prefix(out, first + i);
		if (i + 1 < count || draw(2))
			fprintf(out, ",%s", space());
	}
	fprintf(out, "%s}", space());
}

static void write_block(FILE *out, unsigned sets)
{
	static const char *const kinds[] = { "except", "from", "to" };
	unsigned set = draw(2), network = 0;

	fprintf(out, "block {%s", space());
	for (unsigned rules = draw(5); rules > 0; rules--) {
		fprintf(out, "%s%s", kinds[draw(3)], space());
		for (unsigned targets = draw(4); targets > 0; targets--, network += 8) {
			if (draw(2) && set < sets)
				fprintf(out, "@set-%u,%s", set++, space());
			else if (draw(2))
				fprintf(out, "{ 192.0.2.%u, ::%x },", network, network + 1);
			else
				fprintf(out, "{ 198.51.100.%u },%s", network, space());
		}
		write_prefix(out, network++);
		fputs(separator(), out);
	}
	fprintf(out, "}%s", separator());
}

static void write_interface(FILE *out, unsigned number, unsigned sets)
{
	static const char *const modes[] = { "native", "generic", "offload" };
	static const char *const verdicts[] = { "pass", "drop" };

	fprintf(out, draw(2) ? "interface veth%u.%u {%s" : "interface \"%u\\\\\\\"%u\" {%s", number, draw(100),
		space());
	if (draw(2))
		fprintf(out, "default %s%s ", verdicts[draw(2)], separator());
	if (draw(2))
		fprintf(out, "mode%s%s%s ", space(), modes[draw(3)], separator());
	if (draw(4))
		write_block(out, sets);
	if (draw(2))
		fprintf(out, "malformed %s%s ", verdicts[draw(2)], separator());
	if (draw(2))
		fprintf(out, "fragments %s%s ", verdicts[draw(2)], separator());
	fprintf(out, "}%s", separator());
}

static char *random_policy(void)
{
	unsigned sets = draw(6);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (unsigned i = 0; i < sets; i++) {
		fprintf(out, "set set-%u%s", i, space());
		if (draw(4))
			write_list(out, draw(100));
		else
			fputs("file \"list.txt\"", out);
		fputs(separator(), out);
	}
	for (unsigned i = 0, last = draw(3); i <= last; i++)
		write_interface(out, i, sets);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void random_policies_read_back_the_same(void **state)
{
	srandom(1);
	for (int i = 0; i < 2000; i++) {
		CLEANUP_FREE char *text = random_policy();
		assert_round_trip(text);
	}
}

/* The group's folder of its own; it is the working directory while the tests run. */
static char folder[] = "/tmp/sluice-test-print-XXXXXX";

static int enter_folder(void **state)
{
	FILE *file;

	if (!mkdtemp(folder) || chdir(folder))
		return -1;
	file = fopen("list.txt", "we");
	if (!file)
		return -1;
	fputs("203.0.113.0/24\n", file);
	return fclose(file);
}

static int leave_folder(void **state)
{
	unlink("list.txt");
	return chdir("/") || rmdir(folder) ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_form_is_one),
		cmocka_unit_test(targets_print_alone),
		cmocka_unit_test(words_print_as_they_are_written),
		cmocka_unit_test(printed_policies_read_back_the_same),
		cmocka_unit_test(random_policies_read_back_the_same),
	};

	return cmocka_run_group_tests_name("print", tests, enter_folder, leave_folder);
}
