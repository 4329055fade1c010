// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <string.h>

#include "base/memory.h"
#include "import/nft.h"
#include "import/units.h"
#include "packet/protocol.h"

struct name_number {
	const char *name;
	uint32_t number;
};

/* What nft has names for, and a policy does not know as something else: vlan, for one. */
static const struct name_number ethertypes[] = {
	{ "ip", ETHERTYPE_IP },	    { "ipv4", ETHERTYPE_IP }, { "ip6", ETHERTYPE_IPV6 },
	{ "ipv6", ETHERTYPE_IPV6 }, { "arp", ETHERTYPE_ARP }, { NULL, 0 },
};

/* As `nft describe icmp type` and its likes call them. */
static const struct name_number icmp_types[] = {
	{ "echo-reply", 0 },	       { "destination-unreachable", 3 },
	{ "source-quench", 4 },	       { "redirect", 5 },
	{ "echo-request", 8 },	       { "router-advertisement", 9 },
	{ "router-solicitation", 10 }, { "time-exceeded", 11 },
	{ "parameter-problem", 12 },   { "timestamp-request", 13 },
	{ "timestamp-reply", 14 },     { "info-request", 15 },
	{ "info-reply", 16 },	       { "address-mask-request", 17 },
	{ "address-mask-reply", 18 },  { NULL },
};

static const struct name_number icmpv6_types[] = {
	{ "destination-unreachable", 1 }, { "packet-too-big", 2 },
	{ "time-exceeded", 3 },		  { "parameter-problem", 4 },
	{ "echo-request", 128 },	  { "echo-reply", 129 },
	{ "mld-listener-query", 130 },	  { "mld-listener-report", 131 },
	{ "mld-listener-done", 132 },	  { "mld-listener-reduction", 132 },
	{ "nd-router-solicit", 133 },	  { "nd-router-advert", 134 },
	{ "nd-neighbor-solicit", 135 },	  { "nd-neighbor-advert", 136 },
	{ "nd-redirect", 137 },		  { "router-renumbering", 138 },
	{ "ind-neighbor-solicit", 141 },  { "ind-neighbor-advert", 142 },
	{ "mld2-listener-report", 143 },  { NULL },
};

static const struct name_number icmp_codes[] = {
	{ "net-unreachable", 0 },  { "host-unreachable", 1 },  { "prot-unreachable", 2 },
	{ "port-unreachable", 3 }, { "frag-needed", 4 },       { "net-prohibited", 9 },
	{ "host-prohibited", 10 }, { "admin-prohibited", 13 }, { NULL },
};

static const struct name_number icmpv6_codes[] = {
	{ "no-route", 0 },
	{ "admin-prohibited", 1 },
	{ "addr-unreachable", 3 },
	{ "port-unreachable", 4 },
	{ "policy-fail", 5 },
	{ "reject-route", 6 },
	{ NULL },
};

void values_free(struct values *values)
{
	free(values->ranges);
	prefixes_free(&values->prefixes);
	free(values->words);
	*values = (struct values){ 0 };
}

const json_t *nft_find_set(const struct nft_rule *reading, const char *kind, const char *name)
{
	const json_t *object;
	size_t i;

	json_array_foreach((json_t *)reading->nft->objects, i, object)
	{
		const json_t *set = json_object_get(object, kind);
		const char *family = json_string_value(json_object_get(set, "family"));
		const char *table = json_string_value(json_object_get(set, "table"));
		const char *there = json_string_value(json_object_get(set, "name"));

		if (set && family && table && there && !strcmp(family, reading->family) &&
		    !strcmp(table, reading->table) && !strcmp(there, name))
			return set;
	}
	return NULL;
}

static bool find_name(const struct name_number *names, const char *name, uint32_t *number)
{
	for (; names->name; names++) {
		if (!strcmp(names->name, name)) {
			*number = names->number;
			return true;
		}
	}
	return false;
}

static bool number_of(enum filter_field field, int version, const json_t *value, uint32_t *number)
{
	const char *name = json_string_value(value);
	struct range range;

	if (json_is_integer(value)) {
		json_int_t integer = json_integer_value(value);

		*number = (uint32_t)integer;
		return integer >= 0 && integer <= filter_field_max(field);
	}
	if (!name)
		return false;
	if (field == FILTER_FIELD_DSCP && dscp_number(name) >= 0) {
		*number = (uint32_t)dscp_number(name);
		return true;
	}
	if (field == FILTER_FIELD_ETHERTYPE)
		return find_name(ethertypes, name, number);
	if (field == FILTER_FIELD_TYPE)
		return find_name(version == 4 ? icmp_types : icmpv6_types, name, number);
	if (field == FILTER_FIELD_CODE)
		return find_name(version == 4 ? icmp_codes : icmpv6_codes, name, number);
	if (!read_range(name, ':', field, &range))
		return false;
	*number = range.low;
	return range.low == range.high;
}

/* What a value stands for that is several: the members of a set, of a named one too. NULL when it is one. */
static const json_t *members(const struct nft_rule *reading, const json_t *value)
{
	const char *word = json_string_value(value);

	if (word && *word == '@')
		return json_object_get(nft_find_set(reading, "set", word + 1), "elem");
	return json_object_get(value, "set");
}

/* An element may have a timeout, a comment or a counter around it. */
static const json_t *unwrap(const json_t *value)
{
	const json_t *element = json_object_get(value, "elem");

	return element ? json_object_get(element, "val") : value;
}

bool values_add_numbers(const struct nft_rule *reading, enum filter_field field, int version, const json_t *value,
			struct values *values)
{
	const json_t *list = members(reading, unwrap(value)), *member, *range;
	struct range numbers;
	size_t i;

	value = unwrap(value);
	if (list) {
		json_array_foreach((json_t *)list, i, member)
		{
			if (!values_add_numbers(reading, field, version, member, values))
				return false;
		}
		return true;
	}
	range = json_object_get(value, "range");
	if (!number_of(field, version, range ? json_array_get(range, 0) : value, &numbers.low) ||
	    !number_of(field, version, range ? json_array_get(range, 1) : value, &numbers.high) ||
	    numbers.low > numbers.high)
		return false;
	values->ranges = xgrow(values->ranges, values->range_count, &values->range_capacity, sizeof(*values->ranges));
	values->ranges[values->range_count++] = numbers;
	return true;
}

bool nft_prefix(const char *text, struct prefix *prefix)
{
	bool ipv6 = strchr(text, ':') != NULL;

	*prefix = (struct prefix){ .version = ipv6 ? 6 : 4, .length = ipv6 ? 128 : 32 };
	return inet_pton(ipv6 ? AF_INET6 : AF_INET, text, prefix->address) == 1;
}

static bool add_address_range(const json_t *range, struct values *values)
{
	const char *first = json_string_value(json_array_get(range, 0));
	const char *last = json_string_value(json_array_get(range, 1));
	struct prefix low, high;

	if (!first || !last || !nft_prefix(first, &low) || !nft_prefix(last, &high) || low.version != high.version ||
	    memcmp(low.address, high.address, sizeof(low.address)) > 0)
		return false;
	prefixes_add_range(&values->prefixes, &low, &high);
	return true;
}

bool values_add_prefixes(const struct nft_rule *reading, const json_t *value, struct values *values)
{
	const json_t *list = members(reading, unwrap(value)), *member, *wide;
	const char *text;
	struct prefix prefix;
	size_t i;

	value = unwrap(value);
	if (list) {
		json_array_foreach((json_t *)list, i, member)
		{
			if (!values_add_prefixes(reading, member, values))
				return false;
		}
		return true;
	}
	if (json_object_get(value, "range"))
		return add_address_range(json_object_get(value, "range"), values);
	wide = json_object_get(value, "prefix");
	text = json_string_value(wide ? json_object_get(wide, "addr") : value);
	if (!text || !nft_prefix(text, &prefix))
		return false;
	if (wide) {
		json_int_t length = json_integer_value(json_object_get(wide, "len"));

		if (length < 0 || length > prefix.length)
			return false;
		for (int bit = (int)length; bit < prefix.length; bit++)
			prefix.address[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
		prefix.length = (uint8_t)length;
	}
	prefixes_add(&values->prefixes, prefix);
	return true;
}

bool values_add_words(const struct nft_rule *reading, const json_t *value, struct values *values)
{
	const json_t *list = members(reading, unwrap(value)), *member;
	size_t i;

	value = unwrap(value);
	if (!list && json_is_array(value))
		list = value;
	if (list) {
		json_array_foreach((json_t *)list, i, member)
		{
			if (!values_add_words(reading, member, values))
				return false;
		}
		return true;
	}
	if (!json_is_string(value) || *json_string_value(value) == '@')
		return false;
	values->words = xgrow(values->words, values->word_count, &values->word_capacity, sizeof(*values->words));
	values->words[values->word_count++] = json_string_value(value);
	return true;
}

int nft_flags(const json_t *value)
{
	const json_t *list = json_is_array(value) ? value : json_object_get(value, "|"), *member;
	int flags = 0;
	size_t i;

	if (json_is_integer(value))
		return json_integer_value(value) >= 0 && json_integer_value(value) <= 255
			       ? (int)json_integer_value(value)
			       : -1;
	if (json_is_string(value))
		return flags_number(json_string_value(value));
	if (!list)
		return -1;
	json_array_foreach((json_t *)list, i, member)
	{
		int more = nft_flags(member);

		if (more < 0)
			return -1;
		flags |= more;
	}
	return flags;
}
