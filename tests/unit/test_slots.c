// SPDX-License-Identifier: BSD-2-Clause
/* Slots of rules: what keeps its text keeps its slot, and no two rules of what is pinned share one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/memory.h"
#include "datapath/slots.h"
#include "sluice/counter.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Rules of a generation: "a=0 b=1". A word without a number is a rule to be given a slot. */
static size_t read_words(const char *text, char ***texts, uint32_t **slots)
{
	CLEANUP_FREE char *copy = xstrdup(text);
	size_t count = 0;

	*texts = xcalloc(strlen(text) + 1, sizeof(**texts));
	*slots = xcalloc(strlen(text) + 1, sizeof(**slots));
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		char *sign = strchr(word, '=');

		if (sign)
			*sign = '\0';
		(*slots)[count] = sign ? (uint32_t)strtoul(sign + 1, NULL, 10) : 0;
		(*texts)[count++] = xstrdup(word);
	}
	return count;
}

static struct generation generation_of(unsigned number, const char *text)
{
	struct generation generation = { .number = number, .description.interface_count = 1 };
	struct described_interface *interface = xcalloc(1, sizeof(*interface));
	uint32_t *slots;
	char **texts;

	interface->name = xstrdup("eth0");
	interface->rule_count = read_words(text, &texts, &slots);
	interface->rules = xcalloc(interface->rule_count, sizeof(*interface->rules));
	for (size_t i = 0; i < interface->rule_count; i++)
		interface->rules[i] = (struct described_rule){ .text = texts[i], .slot = slots[i] };
	free(texts);
	free(slots);
	generation.description.interfaces = interface;
	return generation;
}

static void free_generation(struct generation *generation)
{
	struct described_interface *interface = generation->description.interfaces;

	for (size_t i = 0; i < interface->rule_count; i++)
		free(interface->rules[i].text);
	free(interface->rules);
	free(interface->name);
	free(interface);
}

/* The last of the pinned generations is the one that runs. "0 3*": the second rule's slot is a fresh one. */
static void expect(const char *const *pinned, size_t count, const char *rules, const char *wanted)
{
	struct generation generations[4];
	struct running running = { .generations = generations, .generation_count = count };
	struct interface interface = { .name = (char *)"eth0" };
	struct compiled compiled = { .interface = &interface };
	char **texts, said[256] = "";
	struct slots slots;
	uint32_t *unused;

	for (size_t i = 0; i < count; i++)
		generations[i] = generation_of((unsigned)i + 1, pinned[i]);
	running.current = count ? &generations[count - 1] : NULL;
	compiled.rule_count = read_words(rules, &texts, &unused);
	compiled.rules = xcalloc(compiled.rule_count, sizeof(*compiled.rules));
	for (size_t i = 0; i < compiled.rule_count; i++)
		compiled.rules[i].text = texts[i];
	slots = slots_assign(&running, &compiled);
	for (size_t i = 0; i < compiled.rule_count; i++) {
		const char *fresh = "";

		for (size_t f = 0; f < slots.fresh_count; f++) {
			if (slots.fresh[f] == slots.items[i])
				fresh = "*";
		}
		assert_true(slots.items[i] < slots.needed);
		snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s%u%s", i ? " " : "", slots.items[i],
			 fresh);
	}
	assert_string_equal(said, wanted);
	slots_free(&slots);
	for (size_t i = 0; i < compiled.rule_count; i++)
		free(texts[i]);
	free(texts);
	free(unused);
	free(compiled.rules);
	for (size_t i = 0; i < count; i++)
		free_generation(&generations[i]);
}
#define EXPECT(rules, wanted, ...) \
	expect((const char *const[]){ __VA_ARGS__ }, COUNT(((const char *const[]){ __VA_ARGS__ })), rules, wanted)

static void first_rules_are_counted_from_slot_0_on(void **state)
{
	expect(NULL, 0, "a b c", "0* 1* 2*");
	EXPECT("", "", "a=0");
}

static void a_rule_keeps_its_slot_wherever_it_stands(void **state)
{
	EXPECT("c b a", "2 1 0", "a=0 b=1 c=2");
	EXPECT("c x a", "2 3* 0", "a=0 b=1 c=2");
}

static void a_slot_is_free_when_no_generation_that_is_kept_has_it(void **state)
{
	EXPECT("c", "2*", "a=0", "b=1");
	EXPECT("d", "0*", "b=1", "c=2");
}

static void rules_of_one_text_keep_their_slots_in_order(void **state)
{
	EXPECT("a a a", "4 2 5*", "a=4 a=2 b=0 c=1 d=3");
	EXPECT("a", "4", "a=4 a=2");
}

/* It was taken out, and is put back: its counter is there still, and nobody else counts in it. */
static void a_rule_that_comes_back_has_the_slot_of_the_generation_before(void **state)
{
	EXPECT("b a", "1 0", "a=0 b=1", "b=1");
}

static void two_generations_that_differ_about_a_rule_do_not_make_two_of_one_slot(void **state)
{
	EXPECT("a b", "0 1", "b=0", "a=0 b=1");
	EXPECT("a b", "0 1*", "b=0", "a=0");
}

/* A description that was tampered with, or is of a larger version. */
static void a_slot_that_no_map_has_is_not_kept(void **state)
{
	CLEANUP_FREE char *beyond = xasprintf("a=%u", (unsigned)RULE_SLOTS);

	EXPECT("a", "0*", beyond);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_rules_are_counted_from_slot_0_on),
		cmocka_unit_test(a_rule_keeps_its_slot_wherever_it_stands),
		cmocka_unit_test(a_slot_is_free_when_no_generation_that_is_kept_has_it),
		cmocka_unit_test(rules_of_one_text_keep_their_slots_in_order),
		cmocka_unit_test(a_rule_that_comes_back_has_the_slot_of_the_generation_before),
		cmocka_unit_test(two_generations_that_differ_about_a_rule_do_not_make_two_of_one_slot),
		cmocka_unit_test(a_slot_that_no_map_has_is_not_kept),
	};

	return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
