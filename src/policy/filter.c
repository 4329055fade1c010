// SPDX-License-Identifier: BSD-2-Clause
#include "policy/filter.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/memory.h"
#include "policy/policy.h"

static const struct {
	const char *name;
	uint32_t max;
} fields[FILTER_FIELD_COUNT] = {
	[FILTER_FIELD_PROTOCOL] = { "protocol", 255 }, [FILTER_FIELD_SPORT] = { "sport", 65535 },
	[FILTER_FIELD_DPORT] = { "dport", 65535 },     [FILTER_FIELD_TYPE] = { "type", 255 },
	[FILTER_FIELD_CODE] = { "code", 255 },	       [FILTER_FIELD_VLAN] = { "vlan", 4095 },
	[FILTER_FIELD_DSCP] = { "dscp", 63 },	       [FILTER_FIELD_TTL] = { "ttl", 255 },
	[FILTER_FIELD_LENGTH] = { "length", 65535 },   [FILTER_FIELD_ETHERTYPE] = { "ethertype", 65535 },
};

const char *filter_field_name(enum filter_field field)
{
	return fields[field].name;
}

const char *filter_family_name(enum filter_family family)
{
	static const char *const names[] = {
		[FILTER_FAMILY_ANY] = "any",
		[FILTER_FAMILY_IPV4] = "ipv4",
		[FILTER_FAMILY_IPV6] = "ipv6",
		[FILTER_FAMILY_ARP] = "arp",
	};
	return names[family];
}

uint32_t filter_field_max(enum filter_field field)
{
	return fields[field].max;
}

static bool has_ports(const struct filter_range *protocol)
{
	return protocol->low == protocol->high &&
	       (protocol->low == IPPROTO_TCP || protocol->low == IPPROTO_UDP || protocol->low == IPPROTO_SCTP);
}

bool filter_rule_has_ports(const struct filter_rule *rule)
{
	const struct filter_values *protocols = &rule->fields[FILTER_FIELD_PROTOCOL];

	for (size_t i = 0; i < protocols->count; i++) {
		if (!has_ports(&protocols->ranges[i]))
			return false;
	}
	return protocols->count && !protocols->negated;
}

bool filter_rule_is_only(const struct filter_rule *rule, uint32_t protocol)
{
	const struct filter_values *values = &rule->fields[FILTER_FIELD_PROTOCOL];

	return values->count == 1 && !values->negated && values->ranges[0].low == protocol &&
	       values->ranges[0].high == protocol;
}

static void copy_addresses(struct filter_addresses *to, const struct filter_addresses *from)
{
	*to = *from;
	to->targets = xcalloc(from->count, sizeof(*to->targets));
	to->capacity = from->count;
	for (size_t i = 0; i < from->count; i++)
		target_copy(&to->targets[i], &from->targets[i]);
}

void filter_rule_copy(struct filter_rule *to, const struct filter_rule *from)
{
	*to = *from;
	copy_addresses(&to->source, &from->source);
	copy_addresses(&to->destination, &from->destination);
	for (int f = 0; f < FILTER_FIELD_COUNT; f++) {
		const struct filter_values *values = &from->fields[f];

		to->fields[f].ranges = xcopy(values->ranges, values->count, sizeof(*values->ranges));
		to->fields[f].capacity = values->count;
	}
	limit_copy(&to->limit, &from->limit);
	to->counter = from->counter ? xstrdup(from->counter) : NULL;
}

void filter_free_addresses(struct filter_addresses *addresses)
{
	for (size_t i = 0; i < addresses->count; i++) {
		free(addresses->targets[i].set_name);
		prefixes_free(&addresses->targets[i].prefixes);
	}
	free(addresses->targets);
}

void filter_free(struct filter_list *list)
{
	for (size_t i = 0; i < list->rule_count; i++) {
		struct filter_rule *rule = &list->rules[i];

		filter_free_addresses(&rule->source);
		filter_free_addresses(&rule->destination);
		for (int f = 0; f < FILTER_FIELD_COUNT; f++)
			free(rule->fields[f].ranges);
		limit_free(&rule->limit);
		free(rule->counter);
	}
	free(list->rules);
	*list = (struct filter_list){ 0 };
}
