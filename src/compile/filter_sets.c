// SPDX-License-Identifier: BSD-2-Clause
#include "compile/filter_sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compile/lists.h"
#include "compile/filter_numbers.h"
#include "compile/outside.h"
#include "compile/prefixes.h"

static const struct filter_addresses *addresses_of(const struct filter_rule *rule, enum direction direction)
{
	return direction == DIRECTION_SOURCE ? &rule->source : &rule->destination;
}

static bool is_dynamic(const struct address_list *list)
{
	return list->set && list->set->size;
}

static uint32_t add_list(struct direction_lists *lists, const struct set *set, const struct prefixes *prefixes)
{
	struct address_list *list;
	size_t first;

	lists->lists = xgrow(lists->lists, lists->count, &lists->capacity, sizeof(*lists->lists));
	list = &lists->lists[lists->count];
	*list = (struct address_list){ .set = set, .prefixes = *prefixes, .bit = -1 };
	list->sizes[0] = prefixes_of_family(&list->prefixes, 4, &first);
	list->sizes[1] = prefixes_of_family(&list->prefixes, 6, &first);
	return (uint32_t)lists->count++;
}

static void name_list(struct direction_lists *lists, uint32_t list)
{
	lists->named = xgrow(lists->named, lists->named_count, &lists->named_capacity, sizeof(*lists->named));
	lists->named[lists->named_count++] = list;
}

static struct prefixes settled_copy(const struct prefixes *prefixes)
{
	struct prefixes copy = { .capacity = prefixes->count };

	if (!prefixes->count)
		return copy;
	copy.items = xcalloc(prefixes->count, sizeof(*copy.items));
	memcpy(copy.items, prefixes->items, prefixes->count * sizeof(*copy.items));
	copy.count = prefixes->count;
	prefixes_settle(&copy);
	return copy;
}

static uint32_t list_of_set(struct direction_lists *lists, const struct set *set)
{
	struct prefixes prefixes;

	if (set->index >= lists->by_set_count) {
		size_t count = set->index + 1 + lists->by_set_count;

		lists->by_set = xrealloc(lists->by_set, count, sizeof(*lists->by_set));
		memset(lists->by_set + lists->by_set_count, 0, (count - lists->by_set_count) * sizeof(*lists->by_set));
		lists->by_set_count = count;
	}
	if (!lists->by_set[set->index]) {
		prefixes = settled_copy(&set->prefixes);
		lists->by_set[set->index] = add_list(lists, set, &prefixes) + 1;
	}
	return lists->by_set[set->index] - 1;
}

/* All that is written in one `from` or `to` is one list. A single prefix, as most are, is not copied. */
static void name_written(struct direction_lists *lists, const struct filter_addresses *addresses)
{
	struct prefixes all = { 0 };
	const struct prefixes *only = NULL;

	for (size_t t = 0; t < addresses->count; t++) {
		const struct target *target = &addresses->targets[t];

		if (target->set)
			continue;
		if (addresses->count == 1 && target->prefixes.count == 1)
			only = &target->prefixes;
		for (size_t i = 0; i < target->prefixes.count && !only; i++)
			prefixes_add(&all, target->prefixes.items[i]);
	}
	if (only)
		all = (struct prefixes){ .items = only->items, .count = 1 };
	else
		prefixes_settle(&all);
	if (all.count)
		name_list(lists, add_list(lists, NULL, &all));
}

static int too_many_dynamic(const struct compiled *out, const struct target *target, enum direction direction,
			    struct error *error)
{
	error_at(error, target->where, "interface %s has more than %d dynamic sets in `%s` of its limits and filter",
		 out->interface->name, DYNAMIC_MAX, direction == DIRECTION_SOURCE ? "from" : "to");
	error_hint(error, "each is looked up for each packet; put what they hold into fewer sets");
	return -EINVAL;
}

static int add_dynamic(struct compiled *out, struct direction_lists *lists, const struct target *target,
		       enum direction direction, struct address_list *list, struct error *error)
{
	uint32_t first = direction == DIRECTION_SOURCE ? DYNAMIC_FILTER_SOURCE : DYNAMIC_FILTER_DESTINATION;

	if (list->bit >= 0)
		return 0;
	if (lists->dynamic_count == DYNAMIC_MAX)
		return too_many_dynamic(out, target, direction, error);
	out->dynamic[out->dynamic_count++] = (struct dynamic_use){
		.set = list->set,
		.index = first + (uint32_t)lists->dynamic_count,
	};
	list->bit = FILTER_DYNAMIC_BIT + (int)lists->dynamic_count++;
	return 0;
}

/* Lists and dynamic sets of one direction. */
static int name_lists(struct compiled *out, struct filter_sets *sets, enum direction direction, struct error *error)
{
	struct direction_lists *lists = &sets->directions[direction];

	lists->first = xcalloc(sets->rule_count + 1, sizeof(*lists->first));
	for (size_t r = 0; r < sets->rule_count; r++) {
		const struct filter_addresses *addresses = addresses_of(sets->rules[r], direction);

		for (size_t t = 0; t < addresses->count; t++) {
			const struct target *target = &addresses->targets[t];
			uint32_t list;
			int err = 0;

			if (!target->set)
				continue;
			list = list_of_set(lists, target->set);
			name_list(lists, list);
			if (target->set->size)
				err = add_dynamic(out, lists, target, direction, &lists->lists[list], error);
			if (err)
				return err;
		}
		name_written(lists, addresses);
		for (size_t n = lists->first[r]; n < lists->named_count && addresses->negated; n++)
			lists->lists[lists->named[n]].is_negated = true;
		lists->first[r + 1] = lists->named_count;
	}
	for (size_t i = 0; i < lists->count; i++) {
		struct address_list *list = &lists->lists[i];

		if (!list->is_negated || is_dynamic(list))
			continue;
		list->outside[0] = prefixes_outside(&list->prefixes, 4, NULL);
		list->outside[1] = prefixes_outside(&list->prefixes, 6, NULL);
	}
	return 0;
}

/* Boxes of one list where a rule names it. */
static size_t list_size(const struct address_list *list, bool negated, int version)
{
	if (is_dynamic(list))
		return 1;
	return negated ? list->outside[version == 6] : list->sizes[version == 6];
}

/* Alternatives of a direction when nothing has a bit. */
static size_t spread(const struct direction_lists *lists, const struct filter_addresses *addresses, size_t rule,
		     int version)
{
	size_t total = 0;

	if (!addresses->where.line)
		return 1;
	for (size_t n = lists->first[rule]; n < lists->first[rule + 1]; n++)
		total += list_size(&lists->lists[lists->named[n]], addresses->negated, version);
	return total;
}

static void want(struct direction_lists *lists, bool negated, size_t rule, int version, uint64_t times)
{
	for (size_t n = lists->first[rule]; n < lists->first[rule + 1]; n++) {
		struct address_list *list = &lists->lists[lists->named[n]];
		size_t size = list_size(list, negated, version);

		if (size < 2)
			continue;
		list->is_wanted = true;
		list->saved += times * (size - 1);
	}
}

/* Whether lists of a rule should be bits: what is left out of a list always, since its prefixes are of as many lengths
 * as there are; others where the rule would make too many boxes, the longer direction first. */
static void want_bits(struct filter_sets *sets, size_t number, int version, struct number_boxes *boxes)
{
	const struct filter_rule *rule = sets->rules[number];
	enum direction order[DIRECTIONS] = { DIRECTION_SOURCE, DIRECTION_DESTINATION };
	size_t sizes[DIRECTIONS];

	if (filter_rule_skips(rule, version))
		return;
	for (int d = 0; d < DIRECTIONS; d++)
		sizes[d] = spread(&sets->directions[d], addresses_of(rule, d), number, version);
	if (sizes[0] < 2 && sizes[1] < 2)
		return;
	filter_numbers(rule, version, FILTER_RULE_BOXES_MAX, boxes);
	if (sizes[DIRECTION_DESTINATION] > sizes[DIRECTION_SOURCE]) {
		order[0] = DIRECTION_DESTINATION;
		order[1] = DIRECTION_SOURCE;
	}
	for (int i = 0; i < DIRECTIONS; i++) {
		bool negated = addresses_of(rule, order[i])->negated;
		size_t others = boxes->count * sizes[order[!i]];

		if (sizes[order[i]] < 2 || (!negated && others * sizes[order[i]] <= FILTER_SPREAD))
			continue;
		want(&sets->directions[order[i]], negated, number, version, others);
		sizes[order[i]] = 1;
	}
}

static int compare_prefixes(const struct prefixes *a, const struct prefixes *b)
{
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	return a->count ? memcmp(a->items, b->items, a->count * sizeof(*a->items)) : 0;
}

/* Lists that want a bit: the same prefixes next to each other. */
static int compare_wanted(const void *left, const void *right)
{
	const struct address_list *const *a = left, *const *b = right;
	int order = compare_prefixes(&(*a)->prefixes, &(*b)->prefixes);

	return order ? order : (*a > *b) - (*a < *b);
}

static int compare_saved(const void *left, const void *right)
{
	const struct address_list *const *a = left, *const *b = right;

	if ((*a)->saved != (*b)->saved)
		return (*a)->saved > (*b)->saved ? -1 : 1;
	return (*a > *b) - (*a < *b);
}

/* Those that would save most boxes get the bits; lists of the same prefixes share one. */
static void deal_bits(struct direction_lists *lists)
{
	CLEANUP_FREE struct address_list **wanted = xcalloc(lists->count, sizeof(*wanted));
	CLEANUP_FREE struct address_list **distinct = xcalloc(lists->count, sizeof(*distinct));
	size_t count = 0, distinct_count = 0;

	for (size_t i = 0; i < lists->count; i++) {
		if (lists->lists[i].is_wanted && !is_dynamic(&lists->lists[i]))
			wanted[count++] = &lists->lists[i];
	}
	qsort(wanted, count, sizeof(*wanted), compare_wanted);
	for (size_t i = 0; i < count; i++) {
		if (i && !compare_prefixes(&wanted[i - 1]->prefixes, &wanted[i]->prefixes))
			distinct[distinct_count - 1]->saved += wanted[i]->saved;
		else
			distinct[distinct_count++] = wanted[i];
	}
	qsort(distinct, distinct_count, sizeof(*distinct), compare_saved);
	for (size_t i = 0; i < distinct_count && i < FILTER_STATIC_SETS_MAX; i++)
		distinct[i]->bit = (int)i;
	for (size_t i = 1; i < count; i++) {
		if (!compare_prefixes(&wanted[i - 1]->prefixes, &wanted[i]->prefixes))
			wanted[i]->bit = wanted[i - 1]->bit;
	}
}

static void fill_tables(struct compiled *out, const struct direction_lists *lists, enum direction direction)
{
	enum table first = direction == DIRECTION_SOURCE ? TABLE_FILTER_SOURCE4 : TABLE_FILTER_DEST4;
	uint32_t done = 0;

	for (size_t i = 0; i < lists->count; i++) {
		const struct address_list *list = &lists->lists[i];

		if (list->bit < 0 || is_dynamic(list) || done & 1U << list->bit)
			continue;
		done |= 1U << list->bit;
		for (size_t p = 0; p < list->prefixes.count; p++) {
			const struct prefix *prefix = &list->prefixes.items[p];

			prefix_table_add(&out->tables[first + (prefix->version == 6)], *prefix, 1U << list->bit);
		}
	}
	prefix_table_unite(&out->tables[first]);
	prefix_table_unite(&out->tables[first + 1]);
}

int filter_sets_plan(struct compiled *out, struct filter_sets *sets, struct error *error)
{
	struct number_boxes boxes = { 0 };

	for (int d = 0; d < DIRECTIONS; d++) {
		int err = name_lists(out, sets, d, error);

		if (err)
			return err;
	}
	for (size_t r = 0; r < sets->rule_count; r++) {
		want_bits(sets, r, 4, &boxes);
		want_bits(sets, r, 6, &boxes);
	}
	free(boxes.items);
	for (int d = 0; d < DIRECTIONS; d++) {
		deal_bits(&sets->directions[d]);
		fill_tables(out, &sets->directions[d], d);
	}
	out->config.filter_source_sets = (uint8_t)sets->directions[DIRECTION_SOURCE].dynamic_count;
	out->config.filter_destination_sets = (uint8_t)sets->directions[DIRECTION_DESTINATION].dynamic_count;
	return 0;
}

static void add_alternative(struct alternatives *out, const struct prefix *prefix, uint64_t mask, uint64_t marks)
{
	out->items = xgrow(out->items, out->count, &out->capacity, sizeof(*out->items));
	out->items[out->count++] = (struct alternative){ *prefix, mask, marks };
}

static uint64_t mark_of(const struct address_list *list, enum direction direction)
{
	int shift = direction == DIRECTION_SOURCE ? FILTER_SOURCE_SETS_SHIFT : FILTER_DESTINATION_SETS_SHIFT;

	return 1ULL << (shift + list->bit);
}

/* In one of the lists. */
static void add_inside(const struct address_list *list, enum direction direction, int version, struct alternatives *out)
{
	const struct prefix any = { .version = (uint8_t)version };
	size_t first, count;

	count = prefixes_of_family(&list->prefixes, version, &first);
	if (is_dynamic(list) || (list->bit >= 0 && count)) {
		add_alternative(out, &any, mark_of(list, direction), mark_of(list, direction));
		return;
	}
	for (size_t i = 0; i < count; i++)
		add_alternative(out, &list->prefixes.items[first + i], 0, 0);
}

/* In none of the lists: without the marks of those that have one, and outside of all others. */
static void add_outside(const struct direction_lists *lists, size_t number, enum direction direction, int version,
			struct alternatives *out)
{
	struct prefixes spread_out = { 0 }, rest = { 0 };
	uint64_t mask = 0;

	for (size_t n = lists->first[number]; n < lists->first[number + 1]; n++) {
		const struct address_list *list = &lists->lists[lists->named[n]];
		size_t first, count = prefixes_of_family(&list->prefixes, version, &first);

		if (is_dynamic(list) || (list->bit >= 0 && count)) {
			mask |= mark_of(list, direction);
			continue;
		}
		for (size_t i = 0; i < count; i++)
			prefixes_add(&spread_out, list->prefixes.items[first + i]);
	}
	prefixes_settle(&spread_out);
	prefixes_outside(&spread_out, version, &rest);
	for (size_t i = 0; i < rest.count; i++)
		add_alternative(out, &rest.items[i], mask, 0);
	prefixes_free(&spread_out);
	prefixes_free(&rest);
}

void filter_sets_alternatives(const struct filter_sets *sets, size_t number, enum direction direction, int version,
			      struct alternatives *out)
{
	const struct direction_lists *lists = &sets->directions[direction];
	const struct filter_addresses *addresses = addresses_of(sets->rules[number], direction);
	const struct prefix any = { .version = (uint8_t)version };

	out->count = 0;
	if (!addresses->where.line) {
		add_alternative(out, &any, 0, 0);
		return;
	}
	if (addresses->negated) {
		add_outside(lists, number, direction, version, out);
		return;
	}
	for (size_t n = lists->first[number]; n < lists->first[number + 1]; n++)
		add_inside(&lists->lists[lists->named[n]], direction, version, out);
}

void filter_sets_free(struct filter_sets *sets)
{
	for (int d = 0; d < DIRECTIONS; d++) {
		struct direction_lists *lists = &sets->directions[d];

		for (size_t i = 0; i < lists->count; i++) {
			if (lists->lists[i].prefixes.capacity)
				prefixes_free(&lists->lists[i].prefixes);
		}
		free(lists->lists);
		free(lists->named);
		free(lists->first);
		free(lists->by_set);
	}
	free(sets->rules);
	*sets = (struct filter_sets){ 0 };
}
