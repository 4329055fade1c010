// SPDX-License-Identifier: BSD-2-Clause
/* What `nft -j list ruleset` prints, libnftables-json(5): chains, rules, and the statements of a rule. */
#include "import/nft.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"

static const struct {
	const char *name;
	unsigned families;
} families[] = {
	{ "ip", FAMILY_IPV4 },
	{ "ip6", FAMILY_IPV6 },
	{ "inet", FAMILY_IP },
	{ "netdev", FAMILY_ALL },
};

static const struct {
	const char *name;
	enum hook hook;
} hooks[] = {
	{ "ingress", HOOK_INGRESS },
	{ "prerouting", HOOK_PREROUTING },
	{ "input", HOOK_INPUT },
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* 0 for those that are not about IP on an interface: arp, bridge. */
static unsigned families_of(const char *name)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (!strcmp(families[i].name, name))
			return families[i].families;
	}
	return 0;
}

static enum hook hook_of(const json_t *chain)
{
	const char *name = text_of(chain, "hook");

	if (!*name)
		return HOOK_NONE;
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		if (!strcmp(hooks[i].name, name) && !strcmp(text_of(chain, "type"), "filter"))
			return hooks[i].hook;
	}
	return HOOK_ELSEWHERE;
}

static const char *table_of(struct nft *nft, const json_t *object)
{
	return pool_text(&nft->firewall->pool, "%s %s", text_of(object, "family"), text_of(object, "table"));
}

static void read_devices(struct nft *nft, const json_t *json, struct firewall_chain *chain)
{
	struct pool *pool = &nft->firewall->pool;
	const json_t *device;
	size_t i;

	if (json_is_string(json)) {
		chain->devices = pool_alloc(pool, sizeof(*chain->devices));
		chain->devices[chain->device_count++] = pool_text(pool, "%s", json_string_value(json));
		return;
	}
	chain->devices = pool_alloc(pool, json_array_size(json) * sizeof(*chain->devices));
	json_array_foreach((json_t *)json, i, device)
	{
		if (json_is_string(device))
			chain->devices[chain->device_count++] = pool_text(pool, "%s", json_string_value(device));
	}
}

static void read_chain(struct nft *nft, const json_t *json)
{
	struct pool *pool = &nft->firewall->pool;
	struct firewall_chain *chain =
		firewall_add_chain(nft->firewall, table_of(nft, json), pool_text(pool, "%s", text_of(json, "name")));

	chain->families = families_of(text_of(json, "family"));
	chain->hook = chain->families ? hook_of(json) : HOOK_ELSEWHERE;
	chain->hook_name = pool_text(pool, "%s at %s", text_of(json, "type"), text_of(json, "hook"));
	chain->priority = (int)json_integer_value(json_object_get(json, "prio"));
	chain->drop = !strcmp(text_of(json, "policy"), "drop");
	chain->origin = (struct origin){ .where = { .file = nft->file }, .text = chain->name };
	if (!strcmp(text_of(json, "type"), "nat"))
		nft->firewall->tracked |= chain->families;
	if (json_object_get(json, "dev"))
		read_devices(nft, json_object_get(json, "dev"), chain);
	if (chain->hook != HOOK_NONE && chain->hook != HOOK_ELSEWHERE)
		nft->firewall->families |= chain->families;
}

static const struct {
	const char *type, *name;
	enum filter_reject reject;
	const char *note; /* when Sluice's answer is another one */
} rejects[] = {
	{ "icmp", "port-unreachable", FILTER_REJECT_PORT, NULL },
	{ "icmp", "host-unreachable", FILTER_REJECT_HOST, NULL },
	{ "icmp", "net-unreachable", FILTER_REJECT_NET, NULL },
	{ "icmp", "admin-prohibited", FILTER_REJECT_PROHIBITED, NULL },
	{ "icmp", "prot-unreachable", FILTER_REJECT_PORT, "answers port unreachable, not protocol unreachable" },
	{ "icmp", "net-prohibited", FILTER_REJECT_PROHIBITED, "answers admin prohibited, not net prohibited" },
	{ "icmp", "host-prohibited", FILTER_REJECT_PROHIBITED, "answers admin prohibited, not host prohibited" },
	{ "icmpv6", "port-unreachable", FILTER_REJECT_PORT, NULL },
	{ "icmpv6", "addr-unreachable", FILTER_REJECT_HOST, NULL },
	{ "icmpv6", "no-route", FILTER_REJECT_NET, NULL },
	{ "icmpv6", "admin-prohibited", FILTER_REJECT_PROHIBITED, NULL },
	{ "icmpv6", "policy-fail", FILTER_REJECT_PROHIBITED, "answers admin prohibited, not policy failed" },
	{ "icmpv6", "reject-route", FILTER_REJECT_PROHIBITED, "answers admin prohibited, not reject route" },
	{ "icmpx", "port-unreachable", FILTER_REJECT_PORT, NULL },
	{ "icmpx", "host-unreachable", FILTER_REJECT_HOST, NULL },
	{ "icmpx", "no-route", FILTER_REJECT_NET, NULL },
	{ "icmpx", "admin-prohibited", FILTER_REJECT_PROHIBITED, NULL },
};

static void read_reject(struct nft_rule *reading, const json_t *json)
{
	const char *type = text_of(json, "type"), *name = text_of(json, "expr");
	struct terms all = terms_all(!strcmp(type, "icmp")     ? FAMILY_IPV4
				     : !strcmp(type, "icmpv6") ? FAMILY_IPV6
							       : FAMILY_IP);
	struct pool *pool = &reading->nft->firewall->pool;

	reading->rule.verdict = RULE_REJECT;
	reading->rule.reject = FILTER_REJECT_PORT;
	if (!strcmp(type, "tcp reset")) {
		all.numbers[FILTER_FIELD_PROTOCOL] = ranges_one(pool, 6, 6);
		reading->rule.reject = FILTER_REJECT_RESET;
	}
	rule_and_terms(reading->nft->firewall, &reading->rule, all);
	for (size_t i = 0; *name && i < sizeof(rejects) / sizeof(rejects[0]); i++) {
		if (strcmp(rejects[i].type, type) != 0 || strcmp(rejects[i].name, name) != 0)
			continue;
		reading->rule.reject = rejects[i].reject;
		if (rejects[i].note)
			rule_note(reading->nft->firewall, &reading->rule, rejects[i].note);
		return;
	}
	if (*name)
		nft_unsayable(reading, "an answer that Sluice does not give", json);
}

static void read_limit(struct nft_rule *reading, const json_t *json)
{
	struct rule_limit *limit = &reading->rule.limit;
	const char *unit = text_of(json, "rate_unit");
	const char *per = text_of(json, "per");

	limit->rate = (uint64_t)json_integer_value(json_object_get(json, "rate"));
	limit->burst = (uint64_t)json_integer_value(json_object_get(json, "burst"));
	limit->unit = *per;
	if (json_is_string(json))
		nft_unsayable(reading, "a limit that several rules share", json);
	else if ((*unit && strcmp(unit, "packets") != 0) || !strchr("smhd", *per) || !*per || !limit->rate)
		nft_unsayable(reading, "a limit that does not count packets per second, minute, hour or day", json);
	else if (limit->kind != LIMIT_NONE)
		nft_unsayable(reading, "two limits in one rule", json);
	limit->kind = json_is_true(json_object_get(json, "inv")) ? LIMIT_OVER : LIMIT_UPTO;
	reading->limited = true;
}

/* A limit for each address of its own, by a dynamic set or by a meter. */
static void read_limit_per(struct nft_rule *reading, const json_t *json, const json_t *key, const json_t *statement)
{
	const json_t *limit = json_object_get(statement, "limit");
	const json_t *wrapped = json_object_get(key, "elem");
	unsigned family;
	int length;
	char direction = nft_address_key(wrapped ? json_object_get(wrapped, "val") : key, &family, &length);

	if (!limit || !direction) {
		nft_unsayable(reading,
			      limit ? "a limit counts per source or per destination"
				    : "only `sluice set` and limits fill sets",
			      json);
		return;
	}
	rule_and_terms(reading->nft->firewall, &reading->rule, terms_all(family));
	read_limit(reading, limit);
	reading->rule.limit.per = direction == 's' ? FILTER_PER_SOURCE : FILTER_PER_DESTINATION;
	reading->rule.limit.length = length || family == FAMILY_IPV4 ? length : 128; /* Sluice would count its /64 */
}

static void read_jump(struct nft_rule *reading, enum rule_verdict verdict, const json_t *json)
{
	reading->rule.verdict = verdict;
	reading->rule.target = pool_text(&reading->nft->firewall->pool, "%s", text_of(json, "target"));
}

static bool read_verdict(struct nft_rule *reading, const json_t *statement)
{
	if (json_object_get(statement, "accept"))
		reading->rule.verdict = RULE_ACCEPT;
	else if (json_object_get(statement, "drop"))
		reading->rule.verdict = RULE_DROP;
	else if (json_object_get(statement, "return"))
		reading->rule.verdict = RULE_RETURN;
	else if (json_object_get(statement, "jump"))
		read_jump(reading, RULE_JUMP, json_object_get(statement, "jump"));
	else if (json_object_get(statement, "goto"))
		read_jump(reading, RULE_GOTO, json_object_get(statement, "goto"));
	else if (!json_object_get(statement, "continue"))
		return false;
	return true;
}

static void read_match(struct nft_rule *reading, const json_t *json)
{
	nft_match(reading, json_object_get(json, "left"), text_of(json, "op"), json_object_get(json, "right"));
}

static void read_counter(struct nft_rule *reading, const json_t *json)
{
	if (json_is_string(json))
		reading->rule.count = firewall_set_name(reading->nft->firewall, json_string_value(json));
}

static void read_set(struct nft_rule *reading, const json_t *json)
{
	read_limit_per(reading, json, json_object_get(json, "elem"), json_array_get(json_object_get(json, "stmt"), 0));
}

static void read_meter(struct nft_rule *reading, const json_t *json)
{
	read_limit_per(reading, json, json_object_get(json, "key"), json_object_get(json, "stmt"));
}

static void read_log(struct nft_rule *reading, const json_t *json)
{
	reading->rule.log = true;
}

static const struct {
	const char *name;
	void (*read)(struct nft_rule *reading, const json_t *json);
	const char *unsayable; /* why, instead of `read` */
} statements[] = {
	{ "match", read_match, NULL },
	{ "counter", read_counter, NULL },
	{ "limit", read_limit, NULL },
	{ "log", read_log, NULL },
	{ "reject", read_reject, NULL },
	{ "set", read_set, NULL },
	{ "meter", read_meter, NULL },
	{ "xt", NULL, "an extension of iptables: import what iptables-save prints" },
	{ "queue", NULL, "it asks another program" },
	{ "quota", NULL, "there are no quotas in Sluice" },
	{ "notrack", NULL, "there is no connection tracking in Sluice, so nothing to keep out of it" },
	{ "ct helper", NULL, "there is no connection tracking in Sluice" },
	{ "ct count", NULL, "there is no connection tracking in Sluice: connections cannot be counted" },
	{ "mangle", NULL, "Sluice's filter does not change packets" },
	{ "synproxy", NULL, "it answers in place of the server" },
	{ "dup", NULL, "Sluice does not copy packets" },
	{ "fwd", NULL, "Sluice's filter does not forward packets" },
	{ "flow", NULL, "there is no connection tracking in Sluice" },
};

static void read_statement(struct nft_rule *reading, const json_t *statement)
{
	if (reading->rule.verdict != RULE_CONTINUE)
		nft_unsayable(reading, "a statement behind the verdict", statement);
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		const json_t *json = json_object_get(statement, statements[i].name);

		if (!json)
			continue;
		if (statements[i].read)
			statements[i].read(reading, json);
		else
			nft_unsayable(reading, statements[i].unsayable, statement);
		return;
	}
	if (!read_verdict(reading, statement))
		nft_unsayable(reading, "there are no words for that in Sluice", statement);
}

static void finish_rule(struct nft_rule *reading, struct firewall_chain *chain)
{
	rule_and_states(reading->nft->firewall, &reading->rule, chain->families, reading->states);
	*firewall_add_rule(chain) = reading->rule;
}

/* A map of verdicts is a rule for each of its elements. */
static void read_map(const struct nft_rule *before, const json_t *map, struct firewall_chain *chain)
{
	const json_t *data = json_object_get(map, "data"), *pair;
	const char *name = json_string_value(data);
	const json_t *named = name && *name == '@' ? nft_find_set(before, "map", name + 1) : NULL;
	const json_t *pairs = named ? json_object_get(named, "elem") : json_object_get(data, "set");
	size_t i;

	json_array_foreach((json_t *)pairs, i, pair)
	{
		struct nft_rule reading = *before;
		const json_t *key = json_array_get(pair, 0), *element = json_object_get(key, "elem");

		if (!read_verdict(&reading, json_array_get(pair, 1)))
			nft_unsayable(&reading, "a verdict that Sluice does not know", pair);
		nft_match(&reading, json_object_get(map, "key"), "==", element ? json_object_get(element, "val") : key);
		finish_rule(&reading, chain);
	}
}

static int read_rule(struct nft *nft, const json_t *json, struct error *error)
{
	struct pool *pool = &nft->firewall->pool;
	struct nft_rule reading = { .nft = nft, .states = STATE_ALL, .key = table_of(nft, json) };
	const char *chain_name = text_of(json, "chain");
	struct firewall_chain *chain = firewall_chain(nft->firewall, reading.key, chain_name);
	const json_t *statement, *map = NULL;
	size_t i;

	if (!chain || !json_is_array(json_object_get(json, "expr")))
		return error_at(error, (struct location){ .file = nft->file },
				chain ? "a rule of chain %s has no list of expressions"
				      : "there is no chain %s for a rule",
				chain_name);
	reading.family = text_of(json, "family");
	reading.table = text_of(json, "table");
	reading.rule.origin.where.file = nft->file;
	reading.rule.origin.text = pool_text(pool, "%s %s handle %lld", reading.key, chain_name,
					     (long long)json_integer_value(json_object_get(json, "handle")));
	if (json_object_get(json, "comment"))
		reading.rule.comment = pool_text(pool, "%s", text_of(json, "comment"));
	reading.rule.choice = choice_one(pool, terms_all(chain->families));
	json_array_foreach(json_object_get(json, "expr"), i, statement)
	{
		if (json_object_get(statement, "vmap"))
			map = json_object_get(statement, "vmap");
		else
			read_statement(&reading, statement);
	}
	if (map)
		read_map(&reading, map, chain);
	else
		finish_rule(&reading, chain);
	return 0;
}

static void list_others(struct nft *nft, size_t first)
{
	struct firewall *firewall = nft->firewall;

	for (size_t i = first; i < firewall->chain_count; i++) {
		const struct firewall_chain *chain = firewall->chains[i];

		if (chain->hook == HOOK_ELSEWHERE && chain->rule_count)
			firewall_add_other(firewall,
					   pool_text(&firewall->pool, "%s: %s, chain %s (%s), %zu rule%s%s", nft->file,
						     chain->table, chain->name, chain->hook_name, chain->rule_count,
						     plural(chain->rule_count), chain->drop ? ", policy drop" : ""));
	}
}

static int read_objects(struct nft *nft, struct error *error)
{
	size_t first = nft->firewall->chain_count, i;
	const json_t *object;

	json_array_foreach((json_t *)nft->objects, i, object)
	{
		if (json_object_get(object, "chain"))
			read_chain(nft, json_object_get(object, "chain"));
	}
	json_array_foreach((json_t *)nft->objects, i, object)
	{
		const json_t *rule = json_object_get(object, "rule");
		int err = rule ? read_rule(nft, rule, error) : 0;

		if (err)
			return err;
	}
	list_others(nft, first);
	return 0;
}

int firewall_read_nft(struct firewall *firewall, const char *text, size_t length, const char *file, struct error *error)
{
	struct nft nft = { .firewall = firewall, .file = file };
	json_error_t wrong;
	json_t *json = json_loadb(text, length, 0, &wrong);
	int err;

	if (!json) {
		error_at(error, (struct location){ file, wrong.line, wrong.column }, "this is no JSON: %s", wrong.text);
		error_hint(error, "what `nft -j list ruleset` prints is read here");
		return -EINVAL;
	}
	nft.objects = json_object_get(json, "nftables");
	if (json_is_array(nft.objects)) {
		err = read_objects(&nft, error);
	} else {
		err = error_at(error, (struct location){ .file = file, .line = 1 }, "it has no list \"nftables\"");
		error_hint(error, "what `nft -j list ruleset` prints is read here");
	}
	json_decref(json);
	return err;
}
