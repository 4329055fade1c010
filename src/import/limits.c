// SPDX-License-Identifier: BSD-2-Clause
/* What Sluice's language puts into one rule and iptables into two: limits and what is over them, logs and verdicts. */
#include <string.h>

#include "base/memory.h"
#include "import/flatten.h"

static bool same_interfaces(const struct firewall_rule *a, const struct firewall_rule *b)
{
	const struct interface_condition *left = a->interfaces, *right = b->interfaces;

	for (; left && right; left = left->next, right = right->next) {
		if (left->negated != right->negated || left->count != 1 || right->count != 1 ||
		    strcmp(left->names[0], right->names[0]) != 0)
			return false;
	}
	return !left && !right;
}

static bool same_choice(const struct choice *a, const struct choice *b)
{
	for (size_t i = 0; i < a->count && a->count == b->count; i++) {
		if (!terms_equal(&a->items[i], &b->items[i]))
			return false;
	}
	return a->count == b->count;
}

static bool logs_for(const struct firewall_rule *log, const struct firewall_rule *next)
{
	return log->verdict == RULE_CONTINUE && log->log && !log->unsayable && log->limit.kind == LIMIT_NONE &&
	       !next->unsayable && next->limit.kind == LIMIT_NONE &&
	       (next->verdict == RULE_ACCEPT || next->verdict == RULE_DROP || next->verdict == RULE_REJECT) &&
	       same_interfaces(log, next) && same_choice(&log->choice, &next->choice);
}

void firewall_merge_logs(struct firewall *firewall)
{
	for (size_t c = 0; c < firewall->chain_count; c++) {
		struct firewall_chain *chain = firewall->chains[c];

		for (size_t i = 0; i + 1 < chain->rule_count; i++) {
			if (!logs_for(&chain->rules[i], &chain->rules[i + 1]))
				continue;
			chain->rules[i + 1].log = true;
			memmove(chain->rules + i, chain->rules + i + 1,
				(--chain->rule_count - i) * sizeof(*chain->rules));
		}
	}
}

/* True when all packets of item `at` have this verdict from the items behind it. */
static bool rest_decides(struct firewall *firewall, const struct flat *flat, size_t at, bool drop)
{
	const struct terms *terms = &flat->items[at].terms;

	for (size_t i = at + 1; i < flat->count; i++) {
		const struct item *item = &flat->items[i];

		if (item->kind == ITEM_LISTED)
			continue;
		if ((item->verdict != RULE_ACCEPT) == drop && !item->limited) {
			if (terms_cover(&firewall->pool, &item->terms, terms))
				return true;
		} else if (!terms_apart(&firewall->pool, &item->terms, terms)) {
			return false;
		}
	}
	if (drop)
		return flat->drop && !(terms->families & flat->passed);
	return !flat->drop || !(terms->families & ~flat->passed);
}

static const char *settle(struct firewall *firewall, struct flat *flat, size_t at)
{
	struct item *item = &flat->items[at];
	enum limit_kind kind = item->rule->limit.kind;

	if (kind == LIMIT_UPTO && item->verdict == RULE_ACCEPT)
		return rest_decides(firewall, flat, at, true)
			       ? NULL
			       : "what is over the limit goes on to rules that accept it; in Sluice it is dropped";
	if (kind == LIMIT_OVER && item->verdict != RULE_ACCEPT) {
		if (!rest_decides(firewall, flat, at, false))
			return "what is under the limit goes on to rules that do not all accept it; in Sluice it is "
			       "accepted";
		item->verdict = RULE_ACCEPT;
		return NULL;
	}
	return "a limit that lets through what is over it";
}

void flat_settle_limits(struct firewall *firewall, struct flat *flat)
{
	/* From behind: what a rule's rest does is known. */
	for (size_t i = flat->count; i-- > 0;) {
		const char *why;

		if (flat->items[i].kind != ITEM_RULE || !flat->items[i].limited)
			continue;
		why = settle(firewall, flat, i);
		if (!why)
			continue;
		flat->items[i].kind = ITEM_LISTED;
		flat->items[i].why = why;
	}
}

struct names {
	const char **items;
	size_t count, capacity;
};

static void add_name(struct names *names, const char *name)
{
	if (!strcmp(name, "lo") || strpbrk(name, "+*"))
		return;
	for (size_t i = 0; i < names->count; i++) {
		if (!strcmp(names->items[i], name))
			return;
	}
	names->items = xgrow(names->items, names->count, &names->capacity, sizeof(*names->items));
	names->items[names->count++] = name;
}

static void add_names(const struct firewall *firewall, struct firewall_chain *chain, struct names *names)
{
	if (!chain || chain->walked)
		return;
	chain->walked = true;
	for (size_t i = 0; i < chain->device_count; i++)
		add_name(names, chain->devices[i]);
	for (size_t i = 0; i < chain->rule_count; i++) {
		const struct firewall_rule *rule = &chain->rules[i];

		for (const struct interface_condition *c = rule->interfaces; c; c = c->next) {
			for (size_t n = 0; n < c->count && !c->negated; n++)
				add_name(names, c->names[n]);
		}
		if (rule->target)
			add_names(firewall, firewall_chain(firewall, chain->table, rule->target), names);
	}
}

size_t firewall_interfaces(const struct firewall *firewall, const char ***out)
{
	struct names names = { 0 };

	for (size_t i = 0; i < firewall->chain_count; i++) {
		enum hook hook = firewall->chains[i]->hook;

		if (hook == HOOK_INGRESS || hook == HOOK_PREROUTING || hook == HOOK_INPUT)
			add_names(firewall, firewall->chains[i], &names);
	}
	for (size_t i = 0; i < firewall->chain_count; i++)
		firewall->chains[i]->walked = false;
	*out = names.items;
	return names.count;
}
