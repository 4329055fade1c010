// SPDX-License-Identifier: BSD-2-Clause
/* The synproxy's language, and what is compiled of it: each thing that can be wrong with its whole message, the one
 * form in which services are printed, and which services a port and an address belong to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compile/compile.h"
#include "policy/policy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Services stand on the second line of this, from its first column on. */
#define BEFORE "set office { 192.0.2.1 } set d dynamic size 9 interface eth0 { synproxy {\n"
#define AFTER "\n} }"

struct wrong {
	const char *name, *text;
	int column;
	const char *what, *hint;
};

#define RATE_HINT "it is a number of SYNs a second from 1 to 10000000: above 20000/s"

static const struct wrong wrongs[] = {
	{ "no_port", "tcp to 192.0.2.1", 1, "this service has no port", "write: tcp dport 443 above 20000/s" },
	{ "another_protocol", "udp dport 80", 1, "unexpected `udp`", "expected `tcp` or `}`" },
	{ "a_match_of_the_filter", "tcp dport 80 from 192.0.2.1", 14, "unexpected `from`",
	  "expected `to`, `above`, `gateway`, `tcp`, `dport` or `}`" },
	{ "near_miss", "tcp dport 80 gatway", 14, "unknown word `gatway`", "did you mean `gateway`?" },
	{ "rate_of_nothing", "tcp dport 80 above 0/s", 20, "`0/s` is not a rate that a service can be armed above",
	  RATE_HINT },
	{ "rate_in_minutes", "tcp dport 80 above 5/m", 20, "`5/m` is not a rate that a service can be armed above",
	  RATE_HINT },
	{ "rate_without_a_time", "tcp dport 80 above 5", 20, "`5` is not a rate that a service can be armed above",
	  RATE_HINT },
	{ "rate_too_high", "tcp dport 80 above 10000001/s", 20,
	  "`10000001/s` is not a rate that a service can be armed above", RATE_HINT },
	{ "rate_of_letters", "tcp dport 80 above x/s", 20, "`x/s` is not a rate that a service can be armed above",
	  RATE_HINT },
	{ "two_rates", "tcp dport 80 above 5/s above 6/s", 24, "this rule has `above` twice",
	  "the other one is at column 14" },
	{ "two_gateways", "tcp dport 80 gateway gateway", 22, "this rule has `gateway` twice",
	  "the other one is at column 14" },
	{ "two_lists_of_ports", "tcp dport 80\ndport 81", 1, "this rule has `dport` twice",
	  "the other one is at line 2" },
	{ "two_lists_of_addresses", "tcp to 192.0.2.1 to 192.0.2.2 dport 80", 18, "this rule has `to` twice",
	  "the other one is at column 5" },
	{ "dynamic_set", "tcp to @d dport 80", 8, "@d is dynamic: a service has addresses that are known beforehand",
	  "write its addresses, or a set of them: set d { 192.0.2.1 }" },
	{ "unknown_set", "tcp to @offices dport 80", 8, "unknown set @offices", "did you mean @office?" },
	{ "set_twice", "tcp to @office, @office dport 80", 17, "this rule names @office twice", "leave it out" },
	{ "port_twice", "tcp dport { 80, 80 }", 17, "this value is in the list already",
	  "the other one is at line 2, column 13" },
	{ "ports_negated", "tcp dport not 80", 11, "unexpected `not`", "expected a value or `{`" },
	{ "port_too_high", "tcp dport 70000", 11, "`70000` is not a port",
	  "it is a number from 0 to 65535, or two of them: 8000-8080" },
	{ "service_twice", "tcp dport 80 above 5/s\ntcp dport 80 above 6/s", 1, "the synproxy has this service twice",
	  "the other one is at line 2" },
};

static char *around(const char *services)
{
	return xasprintf("%s%s%s", BEFORE, services, AFTER);
}

static void wrong_service_says_what_and_where(void **state)
{
	const struct wrong *wrong = *state;
	CLEANUP_FREE char *text = around(wrong->text);
	struct policy *policy = NULL;
	struct error error = { .hint = "" };

	assert_int_equal(policy_parse(text, "test.policy", &policy, &error), -EINVAL);
	assert_null(policy);
	assert_string_equal(error.what, wrong->what);
	assert_string_equal(error.hint, wrong->hint);
	assert_int_equal(error.column, wrong->column);
	assert_int_equal(error.line, strchr(wrong->text, '\n') ? 3 : 2);
}

static struct policy *parse(const char *services)
{
	CLEANUP_FREE char *text = around(services);
	struct policy *policy = NULL;
	struct error error;

	if (policy_parse(text, "test.policy", &policy, &error))
		fail_msg("%s", error.what);
	return policy;
}

static char *print(const struct policy *policy)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	policy_print(out, policy);
	fclose(out);
	return text;
}

/* As written, and as printed (NULL: the same). */
static const struct {
	const char *written, *printed;
} forms[] = {
	{ "tcp dport 80", NULL },
	{ "tcp above 20000/s gateway dport { 80, 443, 8000-8080 } to @office, 2001:db8::1",
	  "tcp to @office, 2001:db8::1 dport { 80, 443, 8000-8080 } gateway above 20000/s" },
	{ "tcp to { 192.0.2.1, 192.0.2.2 } dport { 22 }", "tcp to { 192.0.2.1, 192.0.2.2 } dport 22" },
	{ "tcp dport 1-65535; tcp dport 80 gateway;", "tcp dport 1-65535\n        tcp dport 80 gateway" },
	{ "", NULL },
};

static void services_print_in_one_form(void **state)
{
	for (size_t i = 0; i < COUNT(forms); i++) {
		const char *form = forms[i].printed ?: forms[i].written;
		CLEANUP_FREE char *block =
			*form ? xasprintf("    synproxy {\n        %s\n    }\n", form) : xstrdup("    synproxy { }\n");
		struct policy *first = parse(forms[i].written), *second = NULL;
		CLEANUP_FREE char *printed = print(first);
		CLEANUP_FREE char *again = NULL;
		struct error error;

		assert_non_null(strstr(printed, block));
		assert_int_equal(policy_parse(printed, "test.policy", &second, &error), 0);
		again = print(second);
		assert_string_equal(again, printed);
		policy_free(first);
		policy_free(second);
	}
}

static void a_name_may_be_a_word_of_it(void **state)
{
	struct policy *policy = NULL;
	CLEANUP_FREE char *printed = NULL;
	struct error error;

	assert_int_equal(policy_parse("interface gateway { } interface above { }", "test.policy", &policy, &error), 0);
	printed = print(policy);
	assert_non_null(strstr(printed, "interface \"gateway\" {"));
	assert_non_null(strstr(printed, "interface \"above\" {"));
	policy_free(policy);
}

/* More than there can be: the first one too many is refused. */
static void the_number_of_services_is_bounded(void **state)
{
	char services[SYNPROXY_SERVICES_MAX * 16 + 32] = "";
	CLEANUP_FREE char *text = NULL;
	struct policy *policy = NULL;
	struct error error;

	for (int i = 1; i <= SYNPROXY_SERVICES_MAX; i++)
		sprintf(services + strlen(services), "tcp dport %d\n", i);
	policy_free(parse(services));
	strcat(services, "tcp dport 1000");
	text = around(services);
	assert_int_equal(policy_parse(text, "test.policy", &policy, &error), -EINVAL);
	assert_string_equal(error.what, "interface eth0 has more than 64 services in `synproxy`");
	assert_int_equal(error.line, 2 + SYNPROXY_SERVICES_MAX);
}

static void compile_first(const struct policy *policy, struct compiled *compiled)
{
	struct error error;

	if (compile(&policy->interfaces[0], compiled, &error))
		fail_msg("%s", error.what);
}

/* The way the data path looks up. */
static uint64_t services_of(const struct compiled *compiled, const char *address, uint16_t port)
{
	const struct prefix_table *table;
	struct prefix prefix;
	struct error error;
	uint64_t services = compiled->config.synproxy_any;
	int longest = -1;

	assert_int_equal(prefix_parse(address, (struct location){ 0 }, &prefix, &error), 0);
	table = &compiled->tables[prefix.version == 4 ? TABLE_SYNPROXY_DEST4 : TABLE_SYNPROXY_DEST6];
	for (size_t i = 0; i < table->count; i++) {
		const struct entry *entry = &table->entries[i];

		if (entry->prefix.length <= longest || !prefix_covers(&entry->prefix, &prefix))
			continue;
		longest = entry->prefix.length;
		services = compiled->config.synproxy_any | compiled->synproxy.masks[entry->value];
	}
	return services & compiled->synproxy.services->ports[port];
}

static void ports_and_addresses_lead_to_services(void **state)
{
	struct policy *policy = parse("tcp to 198.51.100.7, @office dport 80 above 20000/s\n"
				      "tcp to 198.51.100.0/24 dport { 80, 100-102 } gateway\n"
				      "tcp to 198.51.0.0/16, 2001:db8::/32 dport 80\n"
				      "tcp dport { 0, 65535 }");
	struct compiled compiled;

	compile_first(policy, &compiled);
	assert_int_equal(services_of(&compiled, "198.51.100.7", 80), 7);
	assert_int_equal(services_of(&compiled, "192.0.2.1", 80), 1);
	assert_int_equal(services_of(&compiled, "192.0.2.2", 80), 0);
	assert_int_equal(services_of(&compiled, "198.51.100.8", 80), 6);
	assert_int_equal(services_of(&compiled, "198.51.101.8", 80), 4);
	assert_int_equal(services_of(&compiled, "198.51.100.7", 101), 2);
	assert_int_equal(services_of(&compiled, "198.51.100.7", 103), 0);
	assert_int_equal(services_of(&compiled, "2001:db8::1", 80), 4);
	assert_int_equal(services_of(&compiled, "2001:db9::1", 80), 0);
	assert_int_equal(services_of(&compiled, "2001:db9::1", 0), 8);
	assert_int_equal(services_of(&compiled, "198.51.100.7", 65535), 8);
	assert_int_equal(compiled.config.synproxy, SYNPROXY_HOST | SYNPROXY_GATEWAY);
	assert_int_equal(compiled.synproxy.services->items[0].interval, 50000);
	assert_int_equal(compiled.synproxy.services->items[1].interval, 0);
	assert_int_equal(compiled.synproxy.services->items[1].gateway, 1);
	assert_true(compiled.synproxy.is_ever_disarmed);
	assert_string_equal(compiled.rules[1].text, "tcp to 198.51.100.0/24 dport { 80, 100-102 } gateway");
	compiled_free(&compiled);
	policy_free(policy);
}

/* So that a change of the rate that arms it does not disarm it in the middle of an attack. */
static void what_a_service_is_does_not_depend_on_what_arms_it(void **state)
{
	struct policy *policies[] = { parse("tcp dport 80 above 5/s"), parse("tcp dport 80"),
				      parse("tcp dport 80 gateway"), parse("tcp dport 81") };
	uint64_t keys[COUNT(policies)];

	for (size_t i = 0; i < COUNT(policies); i++) {
		struct compiled compiled;

		compile_first(policies[i], &compiled);
		keys[i] = compiled.rules[0].service;
		assert_int_not_equal(keys[i], 0);
		compiled_free(&compiled);
		policy_free(policies[i]);
	}
	assert_int_equal(keys[0], keys[1]);
	assert_int_not_equal(keys[0], keys[2]);
	assert_int_not_equal(keys[0], keys[3]);
}

static void damaged_services_never_crash(void **state)
{
	static const char likely[] = "{}@,;/- \n09azF";

	srandom(1);
	for (int round = 0; round < 20000; round++) {
		CLEANUP_FREE char *text = around(forms[random() % (long)(COUNT(forms) - 1)].written);
		struct policy *policy = NULL;
		struct error error = { .what = "" };

		for (long flips = 1 + random() % 3; flips > 0; flips--)
			text[strlen(BEFORE) + (size_t)random() % (strlen(text) - strlen(BEFORE))] =
				likely[random() % (long)(sizeof(likely) - 1)];
		if (policy_parse(text, "test.policy", &policy, &error))
			assert_int_not_equal(error.what[0], '\0');
		policy_free(policy);
	}
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(services_print_in_one_form),
	cmocka_unit_test(a_name_may_be_a_word_of_it),
	cmocka_unit_test(the_number_of_services_is_bounded),
	cmocka_unit_test(ports_and_addresses_lead_to_services),
	cmocka_unit_test(what_a_service_is_does_not_depend_on_what_arms_it),
	cmocka_unit_test(damaged_services_never_crash),
};

/* Each row of the table is a test of its own name. */
int main(void)
{
	struct CMUnitTest tests[COUNT(others) + COUNT(wrongs)];

	memcpy(tests, others, sizeof(others));
	for (size_t i = 0; i < COUNT(wrongs); i++)
		tests[COUNT(others) + i] = (struct CMUnitTest){
			.name = wrongs[i].name,
			.test_func = wrong_service_says_what_and_where,
			.initial_state = (void *)&wrongs[i],
		};
	return cmocka_run_group_tests_name("synproxy", tests, NULL, NULL);
}
