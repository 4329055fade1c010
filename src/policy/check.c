// SPDX-License-Identifier: BSD-2-Clause
#include "policy/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"

/* A prefix of a list that is sorted, and its place in the list as written. */
struct listed {
	const struct prefix *prefix;
	size_t index;
};

static int compare_listed(const void *left, const void *right)
{
	const struct listed *a = left, *b = right;
	int order = prefix_compare(a->prefix, b->prefix);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

static int refuse_overlap(const struct prefixes *list, size_t outer, size_t inner, const struct location *places,
			  struct error *error)
{
	const struct prefix *wide = &list->items[outer], *narrow = &list->items[inner];
	char wide_text[PREFIX_TEXT_MAX], narrow_text[PREFIX_TEXT_MAX];
	int err;

	prefix_print(wide, wide_text);
	prefix_print(narrow, narrow_text);
	if (prefix_compare(wide, narrow))
		err = error_at(error, places[inner], "%s is covered by %s at line %d", narrow_text, wide_text,
			       places[outer].line);
	else
		err = error_at(error, places[inner], "%s is in this list already, at line %d", narrow_text,
			       places[outer].line);
	error_hint(error, "leave it out");
	return err;
}

int check_overlap(const struct prefixes *list, const struct location *places, struct error *error)
{
	CLEANUP_FREE struct listed *sorted = xcalloc(list->count, sizeof(*sorted));
	size_t inner = list->count, outer = 0, widest = 0;

	for (size_t i = 0; i < list->count; i++)
		sorted[i] = (struct listed){ .prefix = &list->items[i], .index = i };
	qsort(sorted, list->count, sizeof(*sorted), compare_listed);

	/* A prefix comes right before all that it covers: one that its widest predecessor does not cover begins anew.
	 */
	for (size_t i = 1; i < list->count; i++) {
		if (!prefix_covers(sorted[widest].prefix, sorted[i].prefix)) {
			widest = i;
		} else if (sorted[i].index < inner) {
			inner = sorted[i].index;
			outer = sorted[widest].index;
		}
	}
	return inner == list->count ? 0 : refuse_overlap(list, outer, inner, places, error);
}

/* The sets of a policy by name. */
struct set_names {
	struct named_set {
		struct set *set;
		size_t index; /* in the policy */
	} *sorted;
	size_t count;
};

static int compare_names(const void *left, const void *right)
{
	const struct named_set *a = left, *b = right;
	int order = strcmp(a->set->name, b->set->name);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* `sorted` has room for all sets, and stays with the caller. */
static void sort_names(const struct policy *policy, struct named_set *sorted, struct set_names *names)
{
	names->count = policy->set_count;
	names->sorted = sorted;
	for (size_t i = 0; i < names->count; i++)
		names->sorted[i] = (struct named_set){ policy->sets[i], i };
	qsort(names->sorted, names->count, sizeof(*names->sorted), compare_names);
}

static int compare_name(const void *key, const void *member)
{
	const struct named_set *named = member;

	return strcmp(key, named->set->name);
}

static int check_sets(const struct set_names *names, struct error *error)
{
	const struct named_set *again = NULL, *before = NULL;

	for (size_t i = 1; i < names->count; i++) {
		const struct named_set *named = &names->sorted[i];

		if (!strcmp(named[-1].set->name, named->set->name) && (!again || named->index < again->index)) {
			again = named;
			before = named - 1;
		}
	}
	if (!again)
		return 0;
	error_at(error, again->set->where, "set %s is defined twice", again->set->name);
	error_hint(error, "the other one is at line %d", before->set->where.line);
	return -EINVAL;
}

static int check_interfaces(const struct policy *policy, struct error *error)
{
	const struct interface *interfaces = policy->interfaces;

	if (!policy->interface_count) {
		error_at(error, (struct location){ .file = policy->path }, "the policy has no interface");
		error_hint(error, "write what to do on one: interface eth0 { block { from 192.0.2.0/24 } }");
		return -EINVAL;
	}
	for (size_t i = 0; i < policy->interface_count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(interfaces[i].name, interfaces[j].name))
				continue;
			error_at(error, interfaces[i].where, "interface %s is defined twice", interfaces[i].name);
			error_hint(error, "the other one is at line %d", interfaces[j].where.line);
			return -EINVAL;
		}
	}
	return 0;
}

static int unknown_set(const struct policy *policy, const struct target *target, struct error *error)
{
	CLEANUP_FREE const char **names = xcalloc(policy->set_count, sizeof(*names));
	const char *meant;
	int err;

	for (size_t i = 0; i < policy->set_count; i++)
		names[i] = policy->sets[i]->name;
	meant = nearest(target->set_name, names, policy->set_count);
	err = error_at(error, target->where, "unknown set @%.80s", target->set_name);
	if (meant)
		error_hint(error, "did you mean @%s?", meant);
	else
		error_hint(error, "define it outside of the interface: set %.80s { 192.0.2.0/24 }", target->set_name);
	return err;
}

static int settle_targets(const struct policy *policy, const struct set_names *names, struct target *targets,
			  size_t count, struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		const struct named_set *named;

		if (!targets[i].set_name)
			continue;
		named = bsearch(targets[i].set_name, names->sorted, names->count, sizeof(*names->sorted), compare_name);
		if (!named)
			return unknown_set(policy, &targets[i], error);
		targets[i].set = named->set;
	}
	return 0;
}

/* A target as it is compared with others: the same prefixes in another order are the same target. */
struct mention {
	enum block_kind kind;
	const struct target *target;
	struct prefix *sorted; /* a copy of its prefixes */
	size_t index;	       /* of the mention in the block */
};

static int compare_targets(const struct mention *a, const struct mention *b)
{
	const struct target *left = a->target, *right = b->target;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (!left->set_name != !right->set_name)
		return left->set_name ? -1 : 1;
	if (left->set_name)
		return strcmp(left->set_name, right->set_name);
	if (left->prefixes.count != right->prefixes.count)
		return left->prefixes.count < right->prefixes.count ? -1 : 1;
	return memcmp(a->sorted, b->sorted, left->prefixes.count * sizeof(*a->sorted));
}

static int compare_mentions(const void *left, const void *right)
{
	const struct mention *a = left, *b = right;
	int order = compare_targets(a, b);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

static struct mention make_mention(enum block_kind kind, const struct target *target, size_t index)
{
	const struct prefixes *prefixes = &target->prefixes;
	struct mention mention = { .kind = kind, .target = target, .index = index };

	mention.sorted = xcalloc(prefixes->count, sizeof(*mention.sorted));
	if (prefixes->count)
		memcpy(mention.sorted, prefixes->items, prefixes->count * sizeof(*mention.sorted));
	qsort(mention.sorted, prefixes->count, sizeof(*mention.sorted), prefix_compare);
	return mention;
}

/* The first mention of what has been mentioned before, and that earlier one; false when there is none. */
static bool find_twice(const struct mention *mentions, size_t count, const struct mention **again,
		       const struct mention **before)
{
	*again = NULL;
	for (size_t i = 1; i < count; i++) {
		if (!compare_targets(&mentions[i - 1], &mentions[i]) &&
		    (!*again || mentions[i].index < (*again)->index)) {
			*again = &mentions[i];
			*before = &mentions[i - 1];
		}
	}
	return *again;
}

static int check_targets(const struct block *block, struct error *error)
{
	CLEANUP_FREE struct mention *mentions = NULL;
	CLEANUP_FREE char *other = NULL;
	const struct mention *again, *before;
	size_t count = 0, capacity = 0;
	int err = 0;

	for (size_t i = 0; i < block->rule_count; i++) {
		const struct block_rule *rule = &block->rules[i];
		for (size_t j = 0; j < rule->target_count; j++) {
			mentions = xgrow(mentions, count, &capacity, sizeof(*mentions));
			mentions[count] = make_mention(rule->kind, &rule->targets[j], count);
			count++;
		}
	}
	if (count)
		qsort(mentions, count, sizeof(*mentions), compare_mentions);
	if (find_twice(mentions, count, &again, &before)) {
		err = error_at(error, again->target->where, "the block has the same `%s` target twice",
			       block_kind_name(again->kind));
		other = location_text(before->target->where, again->target->where);
		error_hint(error, "the other one is at %s", other);
	}
	for (size_t i = 0; i < count; i++)
		free(mentions[i].sorted);
	return err;
}

static int check_block(const struct policy *policy, const struct set_names *names, struct block *block,
		       struct error *error)
{
	for (size_t i = 0; i < block->rule_count; i++) {
		struct block_rule *rule = &block->rules[i];
		int err = settle_targets(policy, names, rule->targets, rule->target_count, error);

		if (err)
			return err;
	}
	return check_targets(block, error);
}

static int check_ban(const struct policy *policy, const struct set_names *names, struct target *ban,
		     struct error *error)
{
	int err = settle_targets(policy, names, ban, 1, error);

	if (err || ban->set->size)
		return err;
	err = error_at(error, ban->where, "ban into set @%s, which is not dynamic", ban->set_name);
	error_hint(error, "only a dynamic set can be added to: set %s dynamic size 100000 timeout 10m", ban->set_name);
	return err;
}

static int check_rules(const struct policy *policy, const struct set_names *names, struct filter_list *list,
		       struct error *error)
{
	for (size_t i = 0; i < list->rule_count; i++) {
		struct filter_addresses *both[] = { &list->rules[i].source, &list->rules[i].destination };
		struct target *ban = list->rules[i].limit.ban;

		for (int a = 0; a < 2; a++) {
			int err = settle_targets(policy, names, both[a]->targets, both[a]->count, error);

			if (!err)
				err = check_filter_targets(both[a], error);
			if (err)
				return err;
		}
		if (ban) {
			int err = check_ban(policy, names, ban, error);

			if (err)
				return err;
		}
	}
	return 0;
}

/* Which addresses a service has is settled when the policy is compiled. */
static int refuse_dynamic(const struct target *target, struct error *error)
{
	error_at(error, target->where, "@%s is dynamic: a service has addresses that are known beforehand",
		 target->set_name);
	error_hint(error, "write its addresses, or a set of them: set %s { 192.0.2.1 }", target->set_name);
	return -EINVAL;
}

static int check_synproxy(const struct policy *policy, const struct set_names *names, struct synproxy *synproxy,
			  struct error *error)
{
	for (size_t i = 0; i < synproxy->rule_count; i++) {
		struct filter_addresses *to = &synproxy->rules[i].destination;
		int err = settle_targets(policy, names, to->targets, to->count, error);

		if (!err)
			err = check_filter_targets(to, error);
		if (!err)
			err = check_empty(to, error);
		for (size_t t = 0; t < to->count && !err; t++) {
			if (to->targets[t].set && to->targets[t].set->size)
				err = refuse_dynamic(&to->targets[t], error);
		}
		if (err)
			return err;
	}
	return synproxy_check(synproxy, error);
}

int policy_check(struct policy *policy, struct error *error)
{
	CLEANUP_FREE struct named_set *sorted = xcalloc(policy->set_count, sizeof(*sorted));
	struct set_names names;
	int err;

	sort_names(policy, sorted, &names);
	err = check_sets(&names, error);
	if (err)
		return err;
	err = check_interfaces(policy, error);
	if (err)
		return err;
	for (size_t i = 0; i < policy->interface_count; i++) {
		err = check_block(policy, &names, &policy->interfaces[i].block, error);
		if (!err)
			err = check_rules(policy, &names, &policy->interfaces[i].limit, error);
		if (!err)
			err = check_synproxy(policy, &names, &policy->interfaces[i].synproxy, error);
		if (!err)
			err = check_rules(policy, &names, &policy->interfaces[i].filter, error);
		if (err)
			return err;
	}
	return 0;
}
