// SPDX-License-Identifier: BSD-2-Clause
#include "compile/filter.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "compile/filter_numbers.h"
#include "compile/filter_sets.h"
#include "sluice/verdict.h"

#define NANOSECONDS 1000000000ULL

/* Without `burst`: what a tenth of a second brings, and a few. */
#define BURST_LEAST 5
#define BURSTS_A_SECOND 10

/* Leading bits of an address for which a limit is kept. Who has one address of IPv6 has its /64. */
#define PER_LENGTH4 32
#define PER_LENGTH6 64

static void add_rules(struct compiled *out, const struct filter *filter)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	for (size_t i = 0; i < filter->rule_count; i++) {
		const struct filter_rule *rule = &filter->rules[i];

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

static struct filter_more more_of(const struct filter_rule *rule)
{
	const struct filter_limit *limit = &rule->limit;
	struct filter_more more = { .log = rule->log };
	uint64_t seconds, burst;

	if (!limit->where.line)
		return more;
	seconds = filter_unit_seconds(limit->unit);
	burst = limit->burst;
	if (!burst) {
		burst = limit->packets / seconds / BURSTS_A_SECOND;
		burst = burst < BURST_LEAST ? BURST_LEAST : burst;
	}
	more.interval = seconds * NANOSECONDS / limit->packets;
	more.burst = (burst - 1) * more.interval;
	more.per = (uint8_t)limit->per;
	more.length4 = PER_LENGTH4;
	more.length6 = PER_LENGTH6;
	if (!limit->length)
		return more;
	/* A length that both families can have is IPv4's, unless the rule is about IPv6 alone. */
	if (limit->length <= 32 && rule->family != FILTER_FAMILY_IPV6)
		more.length4 = limit->length;
	else
		more.length6 = limit->length;
	return more;
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

static int add_more(struct compiled *out, const struct filter_rule *rule, uint16_t *number, struct error *error)
{
	if (out->filter.more_count > FILTER_MORE_MAX) {
		error_at(error, rule->where, "interface %s has more than %d rules with a limit", out->interface->name,
			 FILTER_MORE_MAX);
		error_hint(error, "a limit of one rule about all of them is kept per source or per destination");
		return -EINVAL;
	}
	out->filter.more =
		xgrow(out->filter.more, out->filter.more_count, &out->filter.more_capacity, sizeof(*out->filter.more));
	out->filter.more[out->filter.more_count] = more_of(rule);
	*number = (uint16_t)out->filter.more_count++;
	return 0;
}

/* One struct filter_more for each distinct log of rules without a limit. */
static int share_logs(struct compiled *out, const struct filter *filter, struct shared_log *logs, size_t *count,
		      struct error *error)
{
	size_t kept = 0;

	*count = 0;
	for (size_t i = 0; i < filter->rule_count; i++) {
		if (only_logs(&filter->rules[i]))
			logs[(*count)++] = (struct shared_log){ .log = filter->rules[i].log };
	}
	qsort(logs, *count, sizeof(*logs), compare_logs);
	for (size_t i = 0; i < *count; i++) {
		struct filter_rule rule = { .where = filter->where, .log = logs[i].log };
		int err;

		if (kept && logs[kept - 1].log == logs[i].log)
			continue;
		logs[kept] = logs[i];
		err = add_more(out, &rule, &logs[kept].more, error);
		if (err)
			return err;
		kept++;
	}
	*count = kept;
	return 0;
}

static int add_actions(struct compiled *out, const struct filter *filter, struct error *error)
{
	CLEANUP_FREE struct shared_log *logs = xcalloc(filter->rule_count, sizeof(*logs));
	size_t count;
	int err;

	out->filter.more = xgrow(out->filter.more, 0, &out->filter.more_capacity, sizeof(*out->filter.more));
	out->filter.more[0] = (struct filter_more){ 0 };
	out->filter.more_count = 1;
	err = share_logs(out, filter, logs, &count, error);
	out->filter.actions = xcalloc(filter->rule_count, sizeof(*out->filter.actions));
	for (size_t i = 0; i < filter->rule_count && !err; i++) {
		const struct filter_rule *rule = &filter->rules[i];
		struct shared_log key = { .log = rule->log };
		struct filter_action *action = &out->filter.actions[i];

		action->verdict = rule->verb == FILTER_ACCEPT ? VERDICT_PASS : VERDICT_DROP;
		action->reject = (uint8_t)rule->reject;
		if (only_logs(rule))
			action->more =
				((struct shared_log *)bsearch(&key, logs, count, sizeof(*logs), compare_logs))->more;
		else if (rule->limit.where.line)
			err = add_more(out, rule, &action->more, error);
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

static int add_matches(struct compiled *out, size_t number, int version, struct boxing *boxing, struct error *error)
{
	const struct filter_rule *rule = &out->interface->filter.rules[number];
	struct matches *matches = version == 4 ? &out->filter.matches4 : &out->filter.matches6;
	size_t boxes;

	filter_numbers(rule, version, FILTER_RULE_BOXES_MAX, &boxing->numbers);
	if (!boxing->numbers.count)
		return 0;
	filter_sets_alternatives(&boxing->sets, rule, number, DIRECTION_SOURCE, version, &boxing->sources);
	filter_sets_alternatives(&boxing->sets, rule, number, DIRECTION_DESTINATION, version, &boxing->destinations);
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

static int box_rules(struct compiled *out, struct boxing *boxing, struct error *error)
{
	int err = filter_sets_plan(out, &boxing->sets, error);

	for (size_t i = 0; i < out->filter.count && !err; i++) {
		err = add_matches(out, i, 4, boxing, error);
		if (!err)
			err = add_matches(out, i, 6, boxing, error);
	}
	return err;
}

int compile_filter(struct compiled *out, struct error *error)
{
	const struct filter *filter = &out->interface->filter;
	struct boxing boxing = { 0 };
	int err;

	out->filter.first = out->rule_count;
	if (!filter->rule_count)
		return 0;
	out->filter.count = filter->rule_count;
	add_rules(out, filter);
	err = add_actions(out, filter, error);
	if (!err)
		err = box_rules(out, &boxing, error);
	filter_sets_free(&boxing.sets);
	free(boxing.numbers.items);
	free(boxing.sources.items);
	free(boxing.destinations.items);
	if (err)
		return err;
	out->config.filter = 1;
	out->config.filter_needs = needs_of(&out->filter.matches4) | needs_of(&out->filter.matches6);
	return 0;
}
