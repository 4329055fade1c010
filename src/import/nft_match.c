// SPDX-License-Identifier: BSD-2-Clause
/* Conditions of nftables: what stands left of the operator says which field it is about. */
#include "import/nft.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum selector_kind {
	SELECT_NUMBER,
	SELECT_ADDRESS,
	SELECT_FLAGS,
	SELECT_MAC,
	SELECT_ETHERTYPE,
	SELECT_FRAGMENT,
};

struct selector {
	enum selector_kind kind;
	enum filter_field field;
	int version;	      /* of ICMP: 4 or 6 */
	bool source;	      /* of an address */
	int mask;	      /* of flags, of the fragment field */
	int added;	      /* to the number, for Sluice's one: ip6 length does not count its header */
	struct terms implied; /* nft looks at such a field in such packets only */
	const char *note;
};

/* Payload that is a number: which packets have it. */
static const struct {
	const char *protocol, *field;
	enum filter_field number;
	unsigned families;
	int ip_protocol; /* 0: any */
	int added;
	const char *note;
} payloads[] = {
	{ "tcp", "sport", FILTER_FIELD_SPORT, FAMILY_IP, 6 },
	{ "tcp", "dport", FILTER_FIELD_DPORT, FAMILY_IP, 6 },
	{ "udp", "sport", FILTER_FIELD_SPORT, FAMILY_IP, 17 },
	{ "udp", "dport", FILTER_FIELD_DPORT, FAMILY_IP, 17 },
	{ "sctp", "sport", FILTER_FIELD_SPORT, FAMILY_IP, 132 },
	{ "sctp", "dport", FILTER_FIELD_DPORT, FAMILY_IP, 132 },
	{ "th", "sport", FILTER_FIELD_SPORT, FAMILY_IP, 0 },
	{ "th", "dport", FILTER_FIELD_DPORT, FAMILY_IP, 0 },
	{ "icmp", "type", FILTER_FIELD_TYPE, FAMILY_IPV4, 1 },
	{ "icmp", "code", FILTER_FIELD_CODE, FAMILY_IPV4, 1 },
	{ "icmpv6", "type", FILTER_FIELD_TYPE, FAMILY_IPV6, 58 },
	{ "icmpv6", "code", FILTER_FIELD_CODE, FAMILY_IPV6, 58 },
	{ "ip", "protocol", FILTER_FIELD_PROTOCOL, FAMILY_IPV4, 0 },
	{ "ip", "ttl", FILTER_FIELD_TTL, FAMILY_IPV4, 0 },
	{ "ip", "dscp", FILTER_FIELD_DSCP, FAMILY_IPV4, 0 },
	{ "ip", "length", FILTER_FIELD_LENGTH, FAMILY_IPV4, 0 },
	{ "ip6", "nexthdr", FILTER_FIELD_PROTOCOL, FAMILY_IPV6, 0, 0, "also behind extension headers" },
	{ "ip6", "hoplimit", FILTER_FIELD_TTL, FAMILY_IPV6, 0 },
	{ "ip6", "dscp", FILTER_FIELD_DSCP, FAMILY_IPV6, 0 },
	{ "ip6", "length", FILTER_FIELD_LENGTH, FAMILY_IPV6, 0, 40 },
	{ "vlan", "id", FILTER_FIELD_VLAN, FAMILY_ALL, 0 },
};

static bool is_payload(const json_t *expression, const char *protocol, const char *field)
{
	const json_t *payload = json_object_get(expression, "payload");
	const char *p = json_string_value(json_object_get(payload, "protocol"));
	const char *f = json_string_value(json_object_get(payload, "field"));

	return p && f && !strcmp(p, protocol) && !strcmp(f, field);
}

static const char *meta_key(const json_t *expression)
{
	return json_string_value(json_object_get(json_object_get(expression, "meta"), "key"));
}

static bool select_payload(struct pool *pool, const json_t *left, struct selector *selector)
{
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		uint32_t protocol = (uint32_t)payloads[i].ip_protocol;

		if (!is_payload(left, payloads[i].protocol, payloads[i].field))
			continue;
		selector->kind = SELECT_NUMBER;
		selector->field = payloads[i].number;
		selector->version = payloads[i].families == FAMILY_IPV6 ? 6 : 4;
		selector->added = payloads[i].added;
		selector->note = payloads[i].note;
		selector->implied = terms_all(payloads[i].families);
		if (protocol)
			selector->implied.numbers[FILTER_FIELD_PROTOCOL] = ranges_one(pool, protocol, protocol);
		return true;
	}
	return false;
}

static bool select_meta(const json_t *left, struct selector *selector)
{
	const char *key = meta_key(left);

	if (!key)
		return false;
	selector->kind = SELECT_NUMBER;
	selector->implied = terms_all(FAMILY_ALL);
	if (!strcmp(key, "l4proto")) {
		selector->field = FILTER_FIELD_PROTOCOL;
	} else if (!strcmp(key, "length")) {
		selector->field = FILTER_FIELD_LENGTH;
	} else if (!strcmp(key, "nfproto") || !strcmp(key, "protocol")) {
		selector->kind = SELECT_ETHERTYPE;
	} else {
		return false;
	}
	return true;
}

char nft_address_key(const json_t *expression, unsigned *family, int *length)
{
	const json_t *masked = json_object_get(expression, "&");
	const char *mask = json_string_value(json_array_get(masked, 1));
	const json_t *plain = masked ? json_array_get(masked, 0) : expression;
	struct prefix bits;

	*length = 0;
	if (masked) {
		if (!mask || !nft_prefix(mask, &bits))
			return 0;
		while (*length < bits.length && bits.address[*length / 8] & 0x80 >> *length % 8)
			++*length;
		for (int bit = *length; bit < bits.length; bit++) {
			if (bits.address[bit / 8] & 0x80 >> bit % 8)
				return 0;
		}
	}
	*family = is_payload(plain, "ip", "saddr") || is_payload(plain, "ip", "daddr") ? FAMILY_IPV4 : FAMILY_IPV6;
	if (is_payload(plain, "ip", "saddr") || is_payload(plain, "ip6", "saddr"))
		return 's';
	return is_payload(plain, "ip", "daddr") || is_payload(plain, "ip6", "daddr") ? 'd' : 0;
}

static bool select_address(const json_t *left, struct selector *selector)
{
	unsigned family;
	int length;
	char direction = json_object_get(left, "&") ? 0 : nft_address_key(left, &family, &length);

	if (!direction)
		return false;
	selector->kind = SELECT_ADDRESS;
	selector->source = direction == 's';
	selector->implied = terms_all(family);
	return true;
}

/* Fields of which some bits count: flags of TCP, and of IPv4 where a fragment lies. */
static bool select_bits(struct pool *pool, const json_t *left, struct selector *selector)
{
	const json_t *masked = json_object_get(left, "&");
	const json_t *plain = masked ? json_array_get(masked, 0) : left;

	if (is_payload(plain, "tcp", "flags")) {
		selector->kind = SELECT_FLAGS;
		selector->mask = masked ? nft_flags(json_array_get(masked, 1)) : 0xff;
		selector->implied = terms_number(FAMILY_IP, FILTER_FIELD_PROTOCOL, ranges_one(pool, 6, 6));
		return selector->mask >= 0;
	}
	if (masked && is_payload(plain, "ip", "frag-off")) {
		selector->kind = SELECT_FRAGMENT;
		selector->mask = (int)json_integer_value(json_array_get(masked, 1));
		selector->implied = terms_all(FAMILY_IPV4);
		return selector->mask == 0x1fff || selector->mask == 0x3fff;
	}
	return false;
}

static bool select_field(struct pool *pool, const json_t *left, struct selector *selector)
{
	*selector = (struct selector){ .version = 4 };
	if (select_payload(pool, left, selector) || select_meta(left, selector) || select_address(left, selector) ||
	    select_bits(pool, left, selector))
		return true;
	selector->implied = terms_all(FAMILY_ALL);
	if (is_payload(left, "ether", "saddr")) {
		selector->kind = SELECT_MAC;
		return true;
	}
	selector->kind = SELECT_ETHERTYPE;
	return is_payload(left, "ether", "type");
}

static bool compare_numbers(struct pool *pool, const struct selector *selector, const char *op, struct ranges *ranges)
{
	uint32_t last = filter_field_max(selector->field);
	const struct range *first = ranges->items;

	if (!strcmp(op, "==") || !strcmp(op, "in"))
		return true;
	if (!strcmp(op, "!=")) {
		*ranges = ranges_not(pool, ranges, last);
		return true;
	}
	if (ranges->count != 1 || first->low != first->high)
		return false;
	if (!strcmp(op, "<"))
		*ranges = first->low ? ranges_one(pool, 0, first->low - 1) : ranges_make(pool, NULL, 0);
	else if (!strcmp(op, "<="))
		*ranges = ranges_one(pool, 0, first->low);
	else if (!strcmp(op, ">"))
		*ranges = first->low < last ? ranges_one(pool, first->low + 1, last) : ranges_make(pool, NULL, 0);
	else if (!strcmp(op, ">="))
		*ranges = ranges_one(pool, first->low, last);
	else
		return false;
	return true;
}

static bool number_choice(struct nft_rule *reading, const struct selector *selector, const char *op,
			  const json_t *right, struct choice *choice)
{
	struct pool *pool = &reading->nft->firewall->pool;
	struct terms terms = selector->implied;
	struct values values = { 0 };
	struct ranges ranges = { 0 };
	bool done = values_add_numbers(reading, selector->field, selector->version, right, &values);

	if (done) {
		for (size_t i = 0; i < values.range_count; i++) {
			values.ranges[i].low += (uint32_t)selector->added;
			values.ranges[i].high += (uint32_t)selector->added;
		}
		ranges = ranges_make(pool, values.ranges, values.range_count);
		done = compare_numbers(pool, selector, op, &ranges);
	}
	values_free(&values);
	if (!done)
		return false;
	if (terms.numbers[selector->field].given)
		ranges = ranges_and(pool, &ranges, &terms.numbers[selector->field]);
	terms.numbers[selector->field] = ranges;
	if (selector->field == FILTER_FIELD_PROTOCOL || selector->field == FILTER_FIELD_LENGTH)
		terms.families &= FAMILY_IP;
	*choice = choice_one(pool, terms);
	choice->count = ranges.count ? 1 : 0;
	if (selector->note)
		rule_note(reading->nft->firewall, &reading->rule, selector->note);
	return true;
}

/* A set that is filled while packets flow, or not filled yet, is the user's to fill in Sluice too. */
static bool is_unknown(const json_t *set)
{
	const json_t *flag;
	size_t i;

	json_array_foreach(json_object_get(set, "flags"), i, flag)
	{
		if (json_is_string(flag) && !strcmp(json_string_value(flag), "dynamic"))
			return true;
	}
	return json_object_get(set, "timeout") || !json_array_size(json_object_get(set, "elem"));
}

static void name_set(struct nft_rule *reading, const char *name, const json_t *json, struct addresses *addresses)
{
	struct firewall *firewall = reading->nft->firewall;
	const char *own = firewall_set_name(firewall, name);
	struct firewall_set *set = firewall_set(firewall, own);

	if (set && strcmp(set->table, reading->key) != 0) { /* two tables have a set of that name */
		own = firewall_set_name(firewall,
					pool_text(&firewall->pool, "%s-%s-%s", reading->family, reading->table, name));
		set = firewall_set(firewall, own);
	}
	addresses->set = own;
	if (set)
		return;
	set = firewall_dynamic_set(firewall, own);
	set->table = reading->key;
	set->addresses = *addresses;
	set->dynamic = addresses->unknown;
	if (!set->dynamic)
		return;
	set->timeout = (uint64_t)json_integer_value(json_object_get(json, "timeout"));
	if (json_integer_value(json_object_get(json, "size")) > 0)
		set->size = (uint64_t)json_integer_value(json_object_get(json, "size"));
	set->how = pool_text(&firewall->pool, "sluice set add %s PREFIX… (what nft has in it: nft list set %s %s %s)",
			     own, reading->family, reading->table, name);
}

static bool address_choice(struct nft_rule *reading, const struct selector *selector, const char *op,
			   const json_t *right, struct choice *choice)
{
	struct pool *pool = &reading->nft->firewall->pool;
	const char *word = json_string_value(right);
	const json_t *named = word && *word == '@' ? nft_find_set(reading, "set", word + 1) : NULL;
	struct terms terms = selector->implied;
	struct addresses addresses = { .given = true, .unknown = named && is_unknown(named) };
	struct values values = { 0 };
	bool negated = !strcmp(op, "!=");

	if (!negated && strcmp(op, "==") != 0)
		return false;
	if (!addresses.unknown) {
		bool read = values_add_prefixes(reading, right, &values);

		if (read)
			addresses = addresses_make(pool, values.prefixes.items, values.prefixes.count, false);
		values_free(&values);
		if (!read)
			return false;
	}
	if (named)
		name_set(reading, word + 1, named, &addresses);
	addresses.negated = negated;
	*(selector->source ? &terms.source : &terms.destination) = addresses;
	*choice = choice_one(pool, terms);
	return true;
}

static bool add_flags(struct pool *pool, const struct selector *selector, const char *op, const json_t *right,
		      struct choice *choice)
{
	int value = nft_flags(right);
	bool any = !strcmp(op, "in"), none = !strcmp(op, "!");
	struct choice more;

	if (value < 0 || (!any && !none && strcmp(op, "==") != 0 && strcmp(op, "!=") != 0))
		return false;
	if (any || none)
		more = choice_flags(pool, 0, (uint8_t)value, any);
	else
		more = choice_flags(pool, (uint8_t)value, (uint8_t)selector->mask, !strcmp(op, "!="));
	struct terms *items = pool_alloc(pool, (choice->count + more.count) * sizeof(*items));

	if (choice->count)
		memcpy(items, choice->items, choice->count * sizeof(*items));
	if (more.count)
		memcpy(items + choice->count, more.items, more.count * sizeof(*items));
	*choice = (struct choice){ .items = items, .count = choice->count + more.count };
	return true;
}

static bool flags_choice(struct nft_rule *reading, const struct selector *selector, const char *op, const json_t *right,
			 struct choice *choice)
{
	const json_t *list = json_object_get(right, "set"), *member;
	size_t i;

	*choice = (struct choice){ 0 };
	if (!list)
		return add_flags(&reading->nft->firewall->pool, selector, op, right, choice);
	if (strcmp(op, "==") != 0)
		return false;
	json_array_foreach((json_t *)list, i, member)
	{
		if (!add_flags(&reading->nft->firewall->pool, selector, op, member, choice))
			return false;
	}
	return true;
}

static bool mac_choice(struct nft_rule *reading, const struct selector *selector, const char *op, const json_t *right,
		       struct choice *choice)
{
	struct terms *items;
	struct values values = { 0 };
	bool read = !strcmp(op, "==") && values_add_words(reading, right, &values);

	items = pool_alloc(&reading->nft->firewall->pool, (values.word_count + 1) * sizeof(*items));
	for (size_t i = 0; i < values.word_count && read; i++) {
		uint8_t *m = items[i].mac;
		char more;

		items[i] = selector->implied;
		items[i].has_mac = true;
		read = sscanf(values.words[i], "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", m, m + 1, m + 2, m + 3, m + 4,
			      m + 5, &more) == 6;
	}
	*choice = (struct choice){ .items = items, .count = values.word_count };
	values_free(&values);
	return read;
}

static bool fragment_choice(struct nft_rule *reading, const struct selector *selector, const char *op,
			    const json_t *right, struct choice *choice)
{
	struct terms terms = selector->implied;
	bool none = !strcmp(op, "==");

	if (!json_is_integer(right) || json_integer_value(right) || (!none && strcmp(op, "!=") != 0))
		return false;
	terms.fragments = selector->mask == 0x1fff ? FRAGMENT_KIND_LATER : FRAGMENT_KIND_LATER | FRAGMENT_KIND_FIRST;
	if (none)
		terms.fragments = FRAGMENT_KIND_ALL & ~terms.fragments;
	*choice = choice_one(&reading->nft->firewall->pool, terms);
	return true;
}

static bool field_choice(struct nft_rule *reading, const json_t *left, const char *op, const json_t *right,
			 struct choice *choice)
{
	struct selector selector;

	if (!select_field(&reading->nft->firewall->pool, left, &selector))
		return false;
	/* At ingress the kernel has no such family to compare with. */
	if (meta_key(left) && !strcmp(meta_key(left), "nfproto") && !strcmp(reading->family, "netdev"))
		return false;
	switch (selector.kind) {
	case SELECT_NUMBER:
		return number_choice(reading, &selector, op, right, choice);
	case SELECT_ADDRESS:
		return address_choice(reading, &selector, op, right, choice);
	case SELECT_FLAGS:
		return flags_choice(reading, &selector, op, right, choice);
	case SELECT_MAC:
		return mac_choice(reading, &selector, op, right, choice);
	case SELECT_ETHERTYPE:
		return nft_ethertypes(reading, op, right, choice);
	case SELECT_FRAGMENT:
		return fragment_choice(reading, &selector, op, right, choice);
	}
	return false;
}

/* Of a concatenation, one member: each field has its value. */
static bool member_choice(struct nft_rule *reading, const json_t *fields, const json_t *member, struct choice *choice)
{
	const json_t *element = json_object_get(member, "elem");
	const json_t *values = json_object_get(element ? json_object_get(element, "val") : member, "concat"), *field;
	const char *why;
	size_t i;

	*choice = choice_one(&reading->nft->firewall->pool, terms_all(FAMILY_ALL));
	json_array_foreach((json_t *)fields, i, field)
	{
		struct choice one;

		if (!field_choice(reading, field, "==", json_array_get(values, i), &one))
			return false;
		if (choice_and(&reading->nft->firewall->pool, choice, &one, choice, &why) == TERMS_UNSAYABLE)
			return false;
	}
	return true;
}

static bool concat_choice(struct nft_rule *reading, const json_t *fields, const char *op, const json_t *right,
			  struct choice *choice)
{
	const char *word = json_string_value(right);
	const json_t *set = word && *word == '@' ? nft_find_set(reading, "set", word + 1) : NULL;
	const json_t *members = set ? json_object_get(set, "elem") : json_object_get(right, "set"), *member;
	struct terms *items;
	size_t i;

	if (strcmp(op, "==") != 0 || (set && json_object_get(set, "timeout")))
		return false;
	if (!members)
		return !word && member_choice(reading, fields, right, choice);
	items = pool_alloc(&reading->nft->firewall->pool, json_array_size(members) * sizeof(*items));
	*choice = (struct choice){ .items = items };
	json_array_foreach((json_t *)members, i, member)
	{
		struct choice one;

		if (!member_choice(reading, fields, member, &one) || one.count > 1)
			return false;
		if (one.count)
			items[choice->count++] = one.items[0];
	}
	return true;
}

static void match_interface(struct nft_rule *reading, const char *op, const json_t *right)
{
	struct firewall *firewall = reading->nft->firewall;
	struct interface_condition *condition = pool_alloc(&firewall->pool, sizeof(*condition));
	struct values values = { 0 };

	if ((strcmp(op, "==") != 0 && strcmp(op, "!=") != 0) || !values_add_words(reading, right, &values)) {
		nft_unsayable(reading, "interfaces by something else than their names", right);
		values_free(&values);
		return;
	}
	condition->names = pool_alloc(&firewall->pool, values.word_count * sizeof(const char *));
	for (size_t i = 0; i < values.word_count; i++)
		condition->names[condition->count++] = pool_text(&firewall->pool, "%s", values.words[i]);
	condition->negated = !strcmp(op, "!=");
	condition->next = reading->rule.interfaces;
	reading->rule.interfaces = condition;
	values_free(&values);
}

static void match_states(struct nft_rule *reading, const char *op, const json_t *right)
{
	struct values values = { 0 };
	unsigned states = 0;
	bool read = (!strcmp(op, "==") || !strcmp(op, "in") || !strcmp(op, "!=")) &&
		    values_add_words(reading, right, &values);

	for (size_t i = 0; i < values.word_count && read; i++) {
		read = state_number(values.words[i]) != 0;
		states |= state_number(values.words[i]);
	}
	values_free(&values);
	if (!read)
		nft_unsayable(reading, "there is no connection tracking in Sluice", right);
	else
		reading->states &= strcmp(op, "!=") ? states : STATE_ALL & ~states;
}

static bool match_extension(struct nft_rule *reading, const json_t *left, const json_t *right)
{
	static const char *const names[] = { "hbh", "rt", "frag", "dst", "auth" }; /* as enum filter_extension */
	const json_t *header = json_object_get(left, "exthdr");
	const char *name = json_string_value(json_object_get(header, "name"));
	struct terms terms = terms_all(FAMILY_IPV6);

	if (!name || json_object_get(header, "field") || !json_is_true(right))
		return false;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i], name)) {
			terms.extensions = 1U << i;
			rule_and_terms(reading->nft->firewall, &reading->rule, terms);
			return true;
		}
	}
	return false;
}

void nft_match(struct nft_rule *reading, const json_t *left, const char *op, const json_t *right)
{
	const json_t *fields = json_object_get(left, "concat");
	const char *ct = json_string_value(json_object_get(json_object_get(left, "ct"), "key"));
	const char *meta = meta_key(left);
	struct choice choice;

	if (reading->limited) {
		nft_unsayable(reading, "a condition behind the limit", left);
	} else if (meta && (!strcmp(meta, "iifname") || !strcmp(meta, "iif"))) {
		match_interface(reading, op, right);
	} else if (ct && !strcmp(ct, "state")) {
		match_states(reading, op, right);
	} else if (json_object_get(left, "exthdr") && match_extension(reading, left, right)) {
		return;
	} else if (fields ? concat_choice(reading, fields, op, right, &choice)
			  : field_choice(reading, left, op, right, &choice)) {
		rule_and(reading->nft->firewall, &reading->rule, choice);
	} else {
		nft_unsayable(reading, fields ? "a concatenation that Sluice has no words for" : nft_reason(left),
			      left);
	}
}
