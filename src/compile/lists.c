// SPDX-License-Identifier: BSD-2-Clause
#include "compile/lists.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "compile/filter_numbers.h"
#include "compile/filter_sets.h"
#include "sluice/limit.h"
#include "sluice/verdict.h"

static void add_rules(struct compiled *out, const struct filter_list *rules)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	for (size_t i = 0; i < rules->rule_count; i++) {
		const struct filter_rule *rule = &rules->rules[i];

		fseek(stream, 0, SEEK_SET);
		filter_print_rule(stream, rule);
		putc('\0', stream);
		fflush(stream);
		out->rules = xgrow(out->rules, out->rule_count, &out->rule_capacity, sizeof(*out->rules));
		out->rules[out->rule_count++] = (struct rule){
			.text = xstrdup(text),
			.where = rule->where,
			.counter = rule->counter,
		};
	}
	fclose(stream);
	free(text);
}

/* The number of the set among those that the interface bans into. */
static int ban_number(struct compiled *out, const struct target *ban, uint8_t *number, struct error *error)
{
	for (size_t i = 0; i < out->dynamic_count; i++) {
		const struct dynamic_use *use = &out->dynamic[i];

		if (use->set != ban->set || use->index < DYNAMIC_BAN || use->index >= DYNAMIC_BAN + DYNAMIC_MAX)
			continue;
		*number = (uint8_t)(use->index - DYNAMIC_BAN);
		return 0;
	}
	if (out->config.ban_sets == DYNAMIC_MAX) {
		error_at(error, ban->where, "interface %s has more than %d dynamic sets in `ban`", out->interface->name,
			 DYNAMIC_MAX);
		error_hint(error, "let several limits ban into one set, each with a time of its own: ban @%s 10m",
			   ban->set_name);
		return -EINVAL;
	}
	*number = out->config.ban_sets++;
	out->dynamic[out->dynamic_count++] = (struct dynamic_use){ .set = ban->set, .index = DYNAMIC_BAN + *number };
	return 0;
}

static void fill_limit(const struct filter_rule *rule, struct filter_more *more)
{
	const struct filter_limit *limit = &rule->limit;
	uint64_t burst = limit_burst(limit);

	more->interval = limit_interval(limit);
	more->bytes = limit_is_in_bytes(limit);
	more->burst = more->bytes ? (uint64_t)((unsigned __int128)burst * more->interval >> FILTER_BYTE_SHIFT)
				  : (burst - 1) * more->interval;
	more->lines_bits = limit_lines_bits(more->interval, more->bytes);
	more->per = (uint8_t)limit->per;
	more->length4 = limit_length(rule, 4);
	more->length6 = limit_length(rule, 6);
}

/* Rules that only log one of so many share what they do: by `log`, in order. */
struct shared_log {
	uint32_t log;
	uint16_t more;
};

static int compare_logs(const void *left, const void *right)
{
	const struct shared_log *a = left, *b = right;

	return (a->log > b->log) - (a->log < b->log);
}

static bool only_logs(const struct filter_rule *rule)
{
	return rule->log && !rule->limit.where.line;
}

static int add_more(struct compiled *out, struct compiled_list *list, const struct filter_rule *rule, uint16_t *number,
		    struct error *error)
{
	struct filter_more more = { .log = rule->log };
	uint8_t ban;
	int err;

	if (list->more_count > FILTER_MORE_MAX) {
		error_at(error, rule->where, "interface %s has more than %d rules with a limit", out->interface->name,
			 FILTER_MORE_MAX);
		error_hint(error, "a limit of one rule about all of them is kept per source or per destination");
		return -EINVAL;
	}
	if (rule->limit.where.line)
		fill_limit(rule, &more);
	if (rule->limit.ban) {
		err = ban_number(out, rule->limit.ban, &ban, error);
		if (err)
			return err;
		more.ban = (uint8_t)(1 + ban);
		more.ban_timeout = rule->limit.ban_time;
	}
	list->more = xgrow(list->more, list->more_count, &list->more_capacity, sizeof(*list->more));
	list->more[list->more_count] = more;
	*number = (uint16_t)list->more_count++;
	return 0;
}

/* One struct filter_more for each distinct log of rules without a limit. */
static int share_logs(struct compiled *out, struct compiled_list *list, const struct filter_list *rules,
		      struct shared_log *logs, size_t *count, struct error *error)
{
	size_t kept = 0;

	*count = 0;
	for (size_t i = 0; i < rules->rule_count; i++) {
		if (only_logs(&rules->rules[i]))
			logs[(*count)++] = (struct shared_log){ .log = rules->rules[i].log };
	}
	qsort(logs, *count, sizeof(*logs), compare_logs);
	for (size_t i = 0; i < *count; i++) {
		struct filter_rule rule = { .where = rules->where, .log = logs[i].log };
		int err;

		if (kept && logs[kept - 1].log == logs[i].log)
			continue;
		logs[kept] = logs[i];
		err = add_more(out, list, &rule, &logs[kept].more, error);
		if (err)
			return err;
		kept++;
	}
	*count = kept;
	return 0;
}

static int add_actions(struct compiled *out, struct compiled_list *list, const struct filter_list *rules,
		       struct error *error)
{
	CLEANUP_FREE struct shared_log *logs = xcalloc(rules->rule_count, sizeof(*logs));
	size_t count;
	int err;

	list->more = xgrow(list->more, 0, &list->more_capacity, sizeof(*list->more));
	list->more[0] = (struct filter_more){ 0 };
	list->more_count = 1;
	err = share_logs(out, list, rules, logs, &count, error);
	list->actions = xcalloc(rules->rule_count, sizeof(*list->actions));
	for (size_t i = 0; i < rules->rule_count && !err; i++) {
		const struct filter_rule *rule = &rules->rules[i];
		struct shared_log key = { .log = rule->log };
		struct filter_action *action = &list->actions[i];

		action->verdict = rule->verb == FILTER_ACCEPT ? VERDICT_PASS : VERDICT_DROP;
		action->reject = (uint8_t)rule->reject;
		if (only_logs(rule))
			action->more =
				((struct shared_log *)bsearch(&key, logs, count, sizeof(*logs), compare_logs))->more;
		else if (rule->limit.where.line)
			err = add_more(out, list, rule, &action->more, error);
	}
	return err;
}

static int too_many_boxes(const struct filter_rule *rule, size_t boxes, int version, struct error *error)
{
	error_at(error, rule->where, "this rule has %zu combinations of its values in IPv%d, more than %d", boxes,
		 version, FILTER_RULE_BOXES_MAX);
	error_hint(
		error,
		"make several rules of it; of its sets, the %d that save most in each of `from` and `to` of all rules "
		"count as one value",
		FILTER_STATIC_SETS_MAX);
	return -EINVAL;
}

static int too_many_in_all(const struct compiled *out, const struct filter_rule *rule, int version, struct error *error)
{
	error_at(error, rule->where, "up to this rule, those of interface %s have more than %d combinations in IPv%d",
		 out->interface->name, FILTER_BOXES_MAX, version);
	error_hint(error, "put prefixes that many rules repeat into one set, and lists of ports into ranges");
	return -EINVAL;
}

static void add_match(struct matches *matches, uint32_t rule, const struct number_box *box,
		      const struct alternative *source, const struct alternative *destination)
{
	struct match *match;

	matches->items = xgrow(matches->items, matches->count, &matches->capacity, sizeof(*matches->items));
	match = &matches->items[matches->count++];
	*match = (struct match){
		.rule = rule,
		.source = source->prefix,
		.destination = destination->prefix,
		.low = box->low,
		.high = box->high,
		.extra = box->extra,
	};
	match->extra.marks_mask |= source->mask | destination->mask;
	match->extra.marks |= source->marks | destination->marks;
}

/* What is used again from rule to rule. */
struct boxing {
	struct filter_sets sets;
	struct number_boxes numbers;
	struct alternatives sources, destinations;
};

/* `number` is the rule's place in its list, `at` the one in boxing->sets.rules. */
static int add_matches(struct compiled *out, struct compiled_list *list, size_t number, size_t at, int version,
		       struct boxing *boxing, struct error *error)
{
	const struct filter_rule *rule = boxing->sets.rules[at];
	struct matches *matches = version == 4 ? &list->matches4 : &list->matches6;
	size_t boxes;

	filter_numbers(rule, version, FILTER_RULE_BOXES_MAX, &boxing->numbers);
	if (!boxing->numbers.count)
		return 0;
	filter_sets_alternatives(&boxing->sets, at, DIRECTION_SOURCE, version, &boxing->sources);
	filter_sets_alternatives(&boxing->sets, at, DIRECTION_DESTINATION, version, &boxing->destinations);
	boxes = boxing->numbers.count * boxing->sources.count * boxing->destinations.count;
	if (boxes > FILTER_RULE_BOXES_MAX)
		return too_many_boxes(rule, boxes, version, error);
	if (matches->count + boxes > FILTER_BOXES_MAX)
		return too_many_in_all(out, rule, version, error);
	for (size_t s = 0; s < boxing->sources.count; s++) {
		for (size_t d = 0; d < boxing->destinations.count; d++) {
			for (size_t n = 0; n < boxing->numbers.count; n++)
				add_match(matches, (uint32_t)number, &boxing->numbers.items[n],
					  &boxing->sources.items[s], &boxing->destinations.items[d]);
		}
	}
	return 0;
}

static uint8_t needs_of(const struct matches *matches)
{
	const struct filter_extra any = filter_extra_any();
	uint8_t needs = 0;

	for (size_t i = 0; i < matches->count; i++) {
		const struct filter_extra *extra = &matches->items[i].extra;

		needs |= extra->marks_mask ? FILTER_NEEDS_MARKS : 0;
		needs |= extra->low || extra->high != any.high ? FILTER_NEEDS_RANGES : 0;
		needs |= extra->mac_mask ? FILTER_NEEDS_MAC : 0;
	}
	return needs;
}

/* The lists of an interface, in the order of their stages. */
#define LISTS 2

struct lists {
	const struct filter_list *rules[LISTS];
	struct compiled_list *compiled[LISTS];
};

static int box_rules(struct compiled *out, const struct lists *lists, struct boxing *boxing, struct error *error)
{
	int err = filter_sets_plan(out, &boxing->sets, error);
	size_t at = 0;

	for (int l = 0; l < LISTS; l++) {
		struct compiled_list *list = lists->compiled[l];

		for (size_t i = 0; i < list->count && !err; i++, at++) {
			err = add_matches(out, list, i, at, 4, boxing, error);
			if (!err)
				err = add_matches(out, list, i, at, 6, boxing, error);
		}
	}
	return err;
}

static int add_list(struct compiled *out, struct compiled_list *list, const struct filter_list *rules,
		    struct filter_sets *sets, struct error *error)
{
	list->first = out->rule_count;
	if (!rules->rule_count)
		return 0;
	if (sets->rule_count + rules->rule_count > FILTER_RULES_MAX) {
		error_at(error, rules->where, "interface %s has more than %d rules in its limits and filter together",
			 out->interface->name, FILTER_RULES_MAX);
		error_hint(error, "rules that differ in an address alone are one rule with a set");
		return -EINVAL;
	}
	list->count = rules->rule_count;
	sets->rules = xrealloc(sets->rules, sets->rule_count + rules->rule_count, sizeof(*sets->rules));
	for (size_t i = 0; i < rules->rule_count; i++)
		sets->rules[sets->rule_count++] = &rules->rules[i];
	add_rules(out, rules);
	return add_actions(out, list, rules, error);
}

static uint8_t needs_of_list(const struct compiled_list *list)
{
	return needs_of(&list->matches4) | needs_of(&list->matches6);
}

int compile_lists(struct compiled *out, struct error *error)
{
	const struct lists lists = {
		.rules = { &out->interface->limit, &out->interface->filter },
		.compiled = { &out->limit, &out->filter },
	};
	struct boxing boxing = { 0 };
	int err = 0;

	for (int l = 0; l < LISTS && !err; l++)
		err = add_list(out, lists.compiled[l], lists.rules[l], &boxing.sets, error);
	if (!err && boxing.sets.rule_count)
		err = box_rules(out, &lists, &boxing, error);
	filter_sets_free(&boxing.sets);
	free(boxing.numbers.items);
	free(boxing.sources.items);
	free(boxing.destinations.items);
	if (err)
		return err;
	out->config.limit = out->limit.count > 0;
	out->config.filter = out->filter.count > 0;
	out->config.filter_needs = needs_of_list(&out->limit) | needs_of_list(&out->filter);
	return 0;
}
