// SPDX-License-Identifier: BSD-2-Clause
#include <inttypes.h>
#include <netinet/in.h>

#include "base/memory.h"
#include "packet/protocol.h"
#include "policy/filter_values.h"
#include "policy/policy.h"

static const char *const verb_names[] = {
	[FILTER_ACCEPT] = "accept",
	[FILTER_DROP] = "drop",
	[FILTER_REJECT] = "reject",
};

/* A value by the name it has, or else as a number. */
static void print_value(FILE *out, const struct filter_rule *rule, enum filter_field field, uint32_t value)
{
	char text[PROTOCOL_TEXT_MAX];
	const char *name = NULL;

	if (field == FILTER_FIELD_PROTOCOL)
		name = protocol_name((uint8_t)value, text);
	else if (field == FILTER_FIELD_TYPE)
		name = icmp_type_name(filter_rule_is_only(rule, IPPROTO_ICMP) ? 4 : 6, (uint8_t)value);
	else if (field == FILTER_FIELD_DSCP)
		name = filter_dscp_name(value);
	else if (field == FILTER_FIELD_VLAN && value == FILTER_VLAN_NONE)
		name = "none";
	else if (field == FILTER_FIELD_ETHERTYPE)
		name = ethertype_name((uint16_t)value, text);
	if (name)
		fputs(name, out);
	else
		fprintf(out, "%u", value);
}

static void print_range(FILE *out, const struct filter_rule *rule, enum filter_field field,
			const struct filter_range *range)
{
	if (range->low == range->high || field == FILTER_FIELD_ETHERTYPE)
		print_value(out, rule, field, range->low);
	else
		fprintf(out, "%u-%u", range->low, range->high);
}

static void print_field(FILE *out, const struct filter_rule *rule, enum filter_field field)
{
	const struct filter_values *values = &rule->fields[field];

	if (!values->where.line)
		return;
	fprintf(out, " %s%s ", filter_field_name(field), values->negated ? " not" : "");
	if (values->count == 1) {
		print_range(out, rule, field, &values->ranges[0]);
		return;
	}
	putc('{', out);
	for (size_t i = 0; i < values->count; i++) {
		fputs(i ? ", " : " ", out);
		print_range(out, rule, field, &values->ranges[i]);
	}
	fputs(" }", out);
}

/* The family and the protocol, which may be one word. */
static void print_kind(FILE *out, const struct filter_rule *rule)
{
	if (rule->family == FILTER_FAMILY_IPV4 && filter_rule_is_only(rule, IPPROTO_ICMP)) {
		fputs(" icmp", out);
		return;
	}
	if (rule->family == FILTER_FAMILY_IPV6 && filter_rule_is_only(rule, IPPROTO_ICMPV6)) {
		fputs(" icmpv6", out);
		return;
	}
	if (rule->family != FILTER_FAMILY_ANY)
		fprintf(out, " %s", filter_family_name(rule->family));
	if (filter_rule_is_only(rule, IPPROTO_TCP))
		fputs(" tcp", out);
	else if (filter_rule_is_only(rule, IPPROTO_UDP))
		fputs(" udp", out);
	else if (filter_rule_is_only(rule, IPPROTO_SCTP))
		fputs(" sctp", out);
	else
		print_field(out, rule, FILTER_FIELD_PROTOCOL);
	print_field(out, rule, FILTER_FIELD_ETHERTYPE);
}

void filter_print_addresses(FILE *out, const char *word, const struct filter_addresses *addresses)
{
	if (!addresses->where.line)
		return;
	fprintf(out, " %s%s ", word, addresses->negated ? " not" : "");
	for (size_t i = 0; i < addresses->count; i++) {
		fputs(i ? ", " : "", out);
		policy_print_address(out, &addresses->targets[i]);
	}
}

static void print_flag_list(FILE *out, uint8_t flags)
{
	bool first = true;

	if (!flags || flags == 0xff) {
		fputs(flags ? "all" : "none", out);
		return;
	}
	for (int bit = 0; bit < 8; bit++) {
		if (!(flags & 1 << bit))
			continue;
		fprintf(out, "%s%s", first ? "" : ",", tcp_flag_name((unsigned)bit));
		first = false;
	}
}

void filter_print_flags(FILE *out, uint8_t flags, uint8_t mask)
{
	fputs(" flags ", out);
	print_flag_list(out, flags);
	if (flags == mask || (!flags && mask == 0xff))
		return;
	putc('/', out);
	print_flag_list(out, mask);
}

static void print_matches(FILE *out, const struct filter_rule *rule)
{
	print_kind(out, rule);
	filter_print_addresses(out, "from", &rule->source);
	filter_print_addresses(out, "to", &rule->destination);
	print_field(out, rule, FILTER_FIELD_SPORT);
	print_field(out, rule, FILTER_FIELD_DPORT);
	print_field(out, rule, FILTER_FIELD_TYPE);
	print_field(out, rule, FILTER_FIELD_CODE);
	if (rule->flags_where.line)
		filter_print_flags(out, rule->flags, rule->flags_mask);
	for (int field = FILTER_FIELD_VLAN; field <= FILTER_FIELD_LENGTH; field++)
		print_field(out, rule, (enum filter_field)field);
	if (rule->fragment_where.line)
		fprintf(out, " fragment %s", filter_fragment_words[rule->fragment]);
	if (rule->extension_where.line)
		fprintf(out, " extension %s", filter_extension_words[rule->extension]);
	if (rule->mac_where.line) {
		fputs(" mac ", out);
		for (int shift = 40; shift >= 0; shift -= 8)
			fprintf(out, "%02x%s", (unsigned)(rule->mac >> shift & 0xff), shift ? ":" : "");
	}
}

/* A limit begins with its first match; one of everything has a word for that. */
static void print_limit_matches(FILE *out, const struct filter_rule *rule)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	FILE *matches = open_memstream(&text, &size);

	print_matches(matches, rule);
	fclose(matches);
	fputs(size ? text + 1 : "all", out);
}

static void print_verb(FILE *out, const struct filter_rule *rule)
{
	fputs(verb_names[rule->verb], out);
	if (rule->reject >= FILTER_REJECT_RESET)
		fprintf(out, " with %s", filter_reject_words[rule->reject - FILTER_REJECT_RESET]);
	print_matches(out, rule);
	if (rule->limit.where.line)
		fputs(" limit", out);
}

void filter_print_rule(FILE *out, const struct filter_rule *rule)
{
	if (rule->verb == FILTER_LIMIT)
		print_limit_matches(out, rule);
	else
		print_verb(out, rule);
	if (rule->limit.where.line) {
		putc(' ', out);
		limit_print(out, &rule->limit);
	}
	if (rule->log)
		fputs(" log", out);
	if (rule->log > 1)
		fprintf(out, " 1/%u", rule->log);
	if (rule->counter)
		fprintf(out, " count %s", rule->counter);
}
