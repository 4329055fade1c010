// SPDX-License-Identifier: BSD-2-Clause
#include "import/firewall.h"

#include <ctype.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "packet/protocol.h"
#include "policy/policy.h"

/* Room for what nobody said the size of. */
#define DYNAMIC_SIZE 65536

void firewall_free(struct firewall *firewall)
{
	for (size_t i = 0; i < firewall->chain_count; i++)
		free(firewall->chains[i]->rules);
	free(firewall->chains);
	free(firewall->sets);
	free(firewall->others);
	pool_free(&firewall->pool);
	*firewall = (struct firewall){ 0 };
}

struct firewall_chain *firewall_add_chain(struct firewall *firewall, const char *table, const char *name)
{
	struct firewall_chain *chain = pool_alloc(&firewall->pool, sizeof(*chain));

	chain->table = table;
	chain->name = name;
	firewall->chains =
		xgrow(firewall->chains, firewall->chain_count, &firewall->chain_capacity, sizeof(*firewall->chains));
	firewall->chains[firewall->chain_count++] = chain;
	return chain;
}

struct firewall_chain *firewall_chain(const struct firewall *firewall, const char *table, const char *name)
{
	for (size_t i = 0; i < firewall->chain_count; i++) {
		if (!strcmp(firewall->chains[i]->table, table) && !strcmp(firewall->chains[i]->name, name))
			return firewall->chains[i];
	}
	return NULL;
}

struct firewall_rule *firewall_add_rule(struct firewall_chain *chain)
{
	chain->rules = xgrow(chain->rules, chain->rule_count, &chain->rule_capacity, sizeof(*chain->rules));
	chain->rules[chain->rule_count] = (struct firewall_rule){ 0 };
	return &chain->rules[chain->rule_count++];
}

void firewall_add_other(struct firewall *firewall, const char *line)
{
	firewall->others =
		xgrow(firewall->others, firewall->other_count, &firewall->other_capacity, sizeof(*firewall->others));
	firewall->others[firewall->other_count++] = line;
}

struct firewall_set *firewall_set(const struct firewall *firewall, const char *name)
{
	for (size_t i = 0; i < firewall->set_count; i++) {
		if (!strcmp(firewall->sets[i]->name, name))
			return firewall->sets[i];
	}
	return NULL;
}

struct firewall_set *firewall_dynamic_set(struct firewall *firewall, const char *name)
{
	struct firewall_set *set = firewall_set(firewall, name);

	if (set)
		return set;
	set = pool_alloc(&firewall->pool, sizeof(*set));
	set->name = name;
	set->dynamic = true;
	set->size = DYNAMIC_SIZE;
	firewall->sets = xgrow(firewall->sets, firewall->set_count, &firewall->set_capacity, sizeof(*firewall->sets));
	firewall->sets[firewall->set_count++] = set;
	return set;
}

const char *firewall_set_name(struct firewall *firewall, const char *name)
{
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
	char *made = pool_text(&firewall->pool, "%.*s", SET_NAME_MAX, name);

	for (char *at = made; *at; at++) {
		if (!strchr(kept, *at))
			*at = '_';
	}
	return made;
}

void rule_unsayable(struct firewall *firewall, struct firewall_rule *rule, const char *format, ...)
{
	va_list arguments;
	char text[512];

	if (rule->unsayable)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	rule->unsayable = pool_text(&firewall->pool, "%s", text);
}

void rule_note(struct firewall *firewall, struct firewall_rule *rule, const char *note)
{
	rule->note = rule->note ? pool_text(&firewall->pool, "%s; %s", rule->note, note) : note;
}

void rule_and(struct firewall *firewall, struct firewall_rule *rule, struct choice choice)
{
	struct choice both = { 0 };
	const char *why = NULL;

	if (rule->unsayable)
		return;
	if (choice_and(&firewall->pool, &rule->choice, &choice, &both, &why) == TERMS_UNSAYABLE)
		rule_unsayable(firewall, rule, "%s", why);
	else
		rule->choice = both;
}

void rule_and_terms(struct firewall *firewall, struct firewall_rule *rule, struct terms terms)
{
	rule_and(firewall, rule, choice_one(&firewall->pool, terms));
}

struct terms terms_number(unsigned families, enum filter_field field, struct ranges ranges)
{
	struct terms terms = terms_all(families);

	terms.numbers[field] = ranges;
	return terms;
}

struct choice choice_flags(struct pool *pool, uint8_t value, uint8_t mask, bool negated)
{
	struct terms terms = terms_number(FAMILY_IP, FILTER_FIELD_PROTOCOL, ranges_one(pool, 6, 6));
	struct choice choice = { .items = pool_alloc(pool, 8 * sizeof(terms)) };

	if (!negated && value & ~mask)
		return choice; /* no packet */
	if (!negated || value & ~mask) {
		terms.flags = negated ? 0 : value;
		terms.flags_mask = negated ? 0 : mask;
		choice.items[choice.count++] = terms;
		return choice;
	}
	/* Other than that: in one flag at least. */
	for (int bit = 0; bit < 8; bit++) {
		if (!(mask & 1 << bit))
			continue;
		terms.flags_mask = (uint8_t)(1 << bit);
		terms.flags = (uint8_t)(~value & terms.flags_mask);
		choice.items[choice.count++] = terms;
	}
	return choice;
}

int flags_number(const char *names)
{
	static const char *const flags[] = { "fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr" };
	CLEANUP_FREE char *list = xstrdup(names);
	char *rest = list, *name;
	int value = 0;

	while ((name = strsep(&rest, ","))) {
		int bit = 0;

		if (!strcasecmp(name, "none"))
			continue;
		if (!strcasecmp(name, "all")) {
			value |= 0x3f; /* iptables knows six of them */
			continue;
		}
		if (!strcasecmp(name, "ece"))
			name = "ecn";
		while (bit < 8 && strcasecmp(name, flags[bit]) != 0)
			bit++;
		if (bit == 8)
			return -1;
		value |= 1 << bit;
	}
	return value;
}

static bool read_number(const char *text, enum filter_field field, uint32_t *number)
{
	const struct servent *service;
	char *end;
	unsigned long value;

	if (isdigit((unsigned char)*text)) {
		value = strtoul(text, &end, 0);
		*number = (uint32_t)value;
		return !*end && value <= filter_field_max(field);
	}
	if (field == FILTER_FIELD_PROTOCOL) {
		int protocol = protocol_number(text);

		*number = (uint32_t)protocol;
		return protocol >= 0;
	}
	if (field != FILTER_FIELD_SPORT && field != FILTER_FIELD_DPORT)
		return false;
	service = getservbyname(text, NULL);
	if (service)
		*number = ntohs((uint16_t)service->s_port);
	return service != NULL;
}

bool read_range(const char *text, char separator, enum filter_field field, struct range *range)
{
	CLEANUP_FREE char *copy = xstrdup(text);
	char *high = strchr(copy, separator);

	if (!high)
		return read_number(copy, field, &range->low) && read_number(copy, field, &range->high);
	*high++ = '\0';
	range->low = 0;
	range->high = filter_field_max(field);
	return (!*copy || read_number(copy, field, &range->low)) &&
	       (!*high || read_number(high, field, &range->high)) && range->low <= range->high;
}

unsigned state_number(const char *name)
{
	static const char *const names[] = { "new", "established", "related", "invalid", "untracked" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcasecmp(name, names[i]))
			return 1U << i;
	}
	return 0;
}

static bool only_tcp(const struct firewall_rule *rule)
{
	for (size_t i = 0; i < rule->choice.count; i++) {
		const struct ranges *protocol = &rule->choice.items[i].numbers[FILTER_FIELD_PROTOCOL];

		if (protocol->count != 1 || protocol->items[0].low != 6 || protocol->items[0].high != 6)
			return false;
	}
	return true;
}

/* Every packet that such a rule is about, and some more, or as good as all of it: see the notes. */
static void approximate(struct firewall *firewall, struct firewall_rule *rule, unsigned states)
{
	const uint8_t syn = 2, ack = 16;

	if (rule->verdict == RULE_CONTINUE)
		return;
	if (states & STATE_NEW &&
	    (rule->verdict == RULE_ACCEPT || rule->verdict == RULE_JUMP || rule->verdict == RULE_GOTO)) {
		rule_note(firewall, rule, "stateless: for packets of every connection, not of new ones only");
	} else if (states == STATE_NEW && (rule->verdict == RULE_DROP || rule->verdict == RULE_REJECT) &&
		   only_tcp(rule)) {
		rule_and(firewall, rule, choice_flags(&firewall->pool, syn, syn | ack, false));
		rule_note(firewall, rule, "stateless: a SYN stands for a new connection");
	} else if (states & STATE_ESTABLISHED && !(states & (STATE_NEW | STATE_INVALID)) &&
		   rule->verdict == RULE_ACCEPT) {
		rule_and(firewall, rule, choice_flags(&firewall->pool, ack, ack, false));
		rule_note(firewall, rule,
			  "stateless: any TCP segment with ACK, whether there is such a connection or not; no UDP, no "
			  "ICMP");
		if (!rule->unsayable && !rule->choice.count)
			rule_unsayable(firewall, rule,
				       "without connection tracking, only for TCP something can stand for this");
	} else {
		rule_unsayable(firewall, rule,
			       "there is no connection tracking in Sluice, and nothing to stand for this state");
	}
}

void rule_and_states(struct firewall *firewall, struct firewall_rule *rule, unsigned families, unsigned states)
{
	if (states == STATE_ALL)
		return;
	firewall->states = true;
	firewall->tracked |= families;
	if (firewall->stateless)
		approximate(firewall, rule, states);
	else
		rule_unsayable(
			firewall, rule,
			"there is no connection tracking in Sluice; --stateless puts what comes near in its place");
}
