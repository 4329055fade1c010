// SPDX-License-Identifier: BSD-2-Clause
/* What Sluice's language puts into one rule and iptables into two: limits and what is over them, logs and verdicts. */
#include <string.h>

#include "base/memory.h"
#include "import/flatten.h"
#include "policy/limit.h"

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
		size_t kept = 0;

		for (size_t i = 0; i < chain->rule_count; i++) {
			if (i + 1 < chain->rule_count && logs_for(&chain->rules[i], &chain->rules[i + 1]))
				chain->rules[i + 1].log = true;
			else
				chain->rules[kept++] = chain->rules[i];
		}
		chain->rule_count = kept;
	}
}

/* Items compared for all limits of a list together: some seconds. A comparison of terms that overlap counts as many. */
#define COMPARED_MAX (1UL << 26)
#define OVERLAP_COST 16

enum rest {
	REST_SAME,    /* all packets have the verdict in question from the items behind */
	REST_OTHER,   /* some may have another one */
	REST_UNKNOWN, /* it would take too long to tell */
};

static enum rest rest_of(const struct flat *flat, size_t at, bool drop, struct pool *scratch, size_t *compared)
{
	const struct terms *terms = &flat->items[at].terms;

	for (size_t i = at + 1; i < flat->count; i++) {
		const struct item *item = &flat->items[i];
		bool same = (item->verdict != RULE_ACCEPT) == drop && !item->limited, done;

		if (++*compared > COMPARED_MAX)
			return REST_UNKNOWN;
		if (item->kind == ITEM_LISTED || terms_plainly_apart(&item->terms, terms))
			continue;
		*compared += OVERLAP_COST;
		done = same ? terms_cover(scratch, &item->terms, terms) : !terms_apart(scratch, &item->terms, terms);
		pool_reset(scratch);
		if (done)
			return same ? REST_SAME : REST_OTHER;
	}
	if (drop)
		return flat->drop && !(terms->families & flat->passed) ? REST_SAME : REST_OTHER;
	return !flat->drop || !(terms->families & ~flat->passed) ? REST_SAME : REST_OTHER;
}

static const char *settle(struct flat *flat, size_t at, struct pool *scratch, size_t *compared)
{
	struct item *item = &flat->items[at];
	enum limit_kind kind = item->rule->limit.kind;
	bool drops = kind == LIMIT_OVER && item->verdict != RULE_ACCEPT;
	enum rest rest;

	if (!drops && (kind != LIMIT_UPTO || item->verdict != RULE_ACCEPT))
		return "a limit that lets through what is over it";
	rest = rest_of(flat, at, !drops, scratch, compared);
	if (rest == REST_UNKNOWN)
		return "it would take too long to tell what becomes of what its limit is not for: too many rules have "
		       "limits";
	if (!drops)
		return rest == REST_SAME
			       ? NULL
			       : "what is over the limit goes on to rules that accept it; in Sluice it is dropped";
	if (rest != REST_SAME)
		return "what is under the limit goes on to rules that do not all accept it; in Sluice it is "
		       "accepted";
	item->verdict = RULE_ACCEPT;
	return NULL;
}

void flat_settle_limits(struct flat *flat)
{
	struct pool scratch = { 0 };
	size_t compared = 0;

	/* From behind: what a rule's rest does is known. */
	for (size_t i = flat->count; i-- > 0;) {
		const char *why;

		if (flat->items[i].kind != ITEM_RULE || !flat->items[i].limited)
			continue;
		why = settle(flat, i, &scratch, &compared);
		if (!why)
			continue;
		flat->items[i].kind = ITEM_LISTED;
		flat->items[i].why = why;
	}
	pool_free(&scratch);
}

const char *limit_unsayable(struct firewall *firewall, const struct rule_limit *limit)
{
	CLEANUP_FREE char *rate = xasprintf("%llu/%c", (unsigned long long)limit->rate, limit->unit);
	CLEANUP_FREE char *burst = xasprintf("%llu", (unsigned long long)limit->burst);
	const struct location where = { 0 };
	struct filter_limit parsed = { 0 };
	struct error error;

	if (limit_rate_parse(rate, where, &parsed, &error) ||
	    (limit->burst && limit_burst_parse(burst, where, &parsed, &error)))
		return pool_text(&firewall->pool, "%s", error.what);
	return NULL;
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
