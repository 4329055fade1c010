// SPDX-License-Identifier: BSD-2-Clause
/* What options of iptables mean, as iptables-extensions(8) has it. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "import/iptables.h"
#include "import/units.h"
#include "packet/protocol.h"

struct option_row {
	const char *name, *alias;
	int (*read)(struct reading *reading, char *value, struct error *error);
	int values;
	const char *unsayable; /* why it is, instead of `read` */
};

int iptables_senseless(const struct reading *reading, const char *option, const char *value, struct error *error)
{
	return error_at(error, reading->rule->origin.where, "%s \"%s\" makes no sense", option, value);
}

static int and_choice(struct reading *reading, struct choice choice)
{
	rule_and(reading->firewall, reading->rule, choice);
	return 0;
}

static int and_terms(struct reading *reading, struct terms terms)
{
	rule_and_terms(reading->firewall, reading->rule, terms);
	return 0;
}

static int and_number(struct reading *reading, enum filter_field field, struct ranges ranges)
{
	if (reading->negated)
		ranges = ranges_not(&reading->firewall->pool, &ranges, filter_field_max(field));
	return and_terms(reading, terms_number(FAMILY_IP, field, ranges));
}

/* "22", "80:90", "22,80:90". */
static int read_ranges(struct reading *reading, enum filter_field field, char *value, struct ranges *ranges,
		       struct error *error)
{
	CLEANUP_FREE struct range *items = NULL;
	size_t count = 0, capacity = 0;
	char *rest = value, *word;

	while ((word = strsep(&rest, ","))) {
		items = xgrow(items, count, &capacity, sizeof(*items));
		if (!read_range(word, ':', field, &items[count++]))
			return iptables_senseless(reading, filter_field_name(field), word, error);
	}
	*ranges = ranges_make(&reading->firewall->pool, items, count);
	return 0;
}

static int and_ranges(struct reading *reading, enum filter_field field, char *value, struct error *error)
{
	struct ranges ranges;
	int err = read_ranges(reading, field, value, &ranges, error);

	return err ? err : and_number(reading, field, ranges);
}

/* The number of leading ones, or -1 when zeros are among them. */
static int mask_length(int family, const uint8_t *mask)
{
	int bits = family == AF_INET ? 32 : 128, length = 0;

	while (length < bits && mask[length / 8] & 0x80 >> length % 8)
		length++;
	for (int bit = length; bit < bits; bit++) {
		if (mask[bit / 8] & 0x80 >> bit % 8)
			return -1;
	}
	return length;
}

/* Bits past the length may be set: iptables ignores them. -EDOM for a mask that is no prefix. */
static int read_prefix(const struct reading *reading, char *text, struct prefix *prefix)
{
	int family = reading->families == FAMILY_IPV4 ? AF_INET : AF_INET6;
	int bits = family == AF_INET ? 32 : 128, length = bits;
	char *slash = strchr(text, '/'), *end = NULL;
	uint8_t mask[16];

	*prefix = (struct prefix){ .version = family == AF_INET ? 4 : 6 };
	if (slash) {
		*slash = '\0';
		if (inet_pton(family, slash + 1, mask) == 1)
			length = mask_length(family, mask);
		else
			length = (int)strtol(slash + 1, &end, 10);
		if ((end && (*end || end == slash + 1 || length < 0)) || length > bits)
			return -EINVAL;
	}
	if (inet_pton(family, text, prefix->address) != 1)
		return -EINVAL;
	if (length < 0)
		return -EDOM;
	prefix->length = (uint8_t)length;
	for (int bit = length; bit < bits; bit++)
		prefix->address[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
	return 0;
}

static int and_addresses(struct reading *reading, struct addresses addresses, bool source)
{
	struct terms terms = terms_all(reading->families);

	*(source ? &terms.source : &terms.destination) = addresses;
	return and_terms(reading, terms);
}

static int read_addresses(struct reading *reading, char *value, bool source, struct error *error)
{
	struct prefixes list = { 0 };
	char *rest = value, *word;
	int err = 0;

	while (!err && (word = strsep(&rest, ","))) {
		CLEANUP_FREE char *text = xstrdup(word);
		struct prefix prefix;

		err = read_prefix(reading, text, &prefix);
		if (err == -EINVAL)
			iptables_senseless(reading, source ? "source" : "destination", word, error);
		else if (!err)
			prefixes_add(&list, prefix);
	}
	if (err == -EDOM)
		rule_unsayable(reading->firewall, reading->rule, "its address mask is no prefix");
	if (!err && (list.count != 1 || list.items[0].length || reading->negated))
		and_addresses(reading,
			      addresses_make(&reading->firewall->pool, list.items, list.count, reading->negated),
			      source);
	prefixes_free(&list);
	return err == -EDOM ? 0 : err;
}

static int read_source(struct reading *reading, char *value, struct error *error)
{
	return read_addresses(reading, value, true, error);
}

static int read_destination(struct reading *reading, char *value, struct error *error)
{
	return read_addresses(reading, value, false, error);
}

static int read_address_range(struct reading *reading, char *value, bool source, struct error *error)
{
	char *dash = strchr(value, '-');
	struct prefixes list = { 0 };
	struct prefix first, last;

	if (dash)
		*dash = '\0';
	if (read_prefix(reading, value, &first) || read_prefix(reading, dash ? dash + 1 : value, &last) ||
	    first.version != last.version || memcmp(first.address, last.address, sizeof(first.address)) > 0)
		return iptables_senseless(reading, source ? "--src-range" : "--dst-range", value, error);
	prefixes_add_range(&list, &first, &last);
	and_addresses(reading, addresses_make(&reading->firewall->pool, list.items, list.count, reading->negated),
		      source);
	prefixes_free(&list);
	return 0;
}

static int read_source_range(struct reading *reading, char *value, struct error *error)
{
	return read_address_range(reading, value, true, error);
}

static int read_destination_range(struct reading *reading, char *value, struct error *error)
{
	return read_address_range(reading, value, false, error);
}

static int read_protocol(struct reading *reading, char *value, struct error *error)
{
	if (!strcasecmp(value, "all") || !strcmp(value, "0"))
		return 0;
	return and_ranges(reading, FILTER_FIELD_PROTOCOL, value, error);
}

static int read_interface(struct reading *reading, char *value, struct error *error)
{
	struct interface_condition *condition = pool_alloc(&reading->firewall->pool, sizeof(*condition));
	const char *name = pool_text(&reading->firewall->pool, "%s", value);

	condition->names = pool_copy(&reading->firewall->pool, &name, sizeof(const char *));
	condition->count = 1;
	condition->negated = reading->negated;
	condition->next = reading->rule->interfaces;
	reading->rule->interfaces = condition;
	return 0;
}

static int read_fragment(struct reading *reading, char *value, struct error *error)
{
	struct terms terms = terms_all(reading->families);

	terms.fragments = reading->negated ? FRAGMENT_KIND_NONE | FRAGMENT_KIND_FIRST : FRAGMENT_KIND_LATER;
	return and_terms(reading, terms);
}

/* In a file for both, a rule that only one of them loads. */
static int read_ipv4(struct reading *reading, char *value, struct error *error)
{
	return and_terms(reading, terms_all(FAMILY_IPV4));
}

static int read_ipv6(struct reading *reading, char *value, struct error *error)
{
	return and_terms(reading, terms_all(FAMILY_IPV6));
}

static int read_sport(struct reading *reading, char *value, struct error *error)
{
	return and_ranges(reading, FILTER_FIELD_SPORT, value, error);
}

static int read_dport(struct reading *reading, char *value, struct error *error)
{
	return and_ranges(reading, FILTER_FIELD_DPORT, value, error);
}

/* Either of them. */
static int read_ports(struct reading *reading, char *value, struct error *error)
{
	struct pool *pool = &reading->firewall->pool;
	struct terms terms[2];
	struct ranges ranges;
	int err = read_ranges(reading, FILTER_FIELD_DPORT, value, &ranges, error);

	if (err)
		return err;
	if (reading->negated) {
		and_number(reading, FILTER_FIELD_SPORT, ranges);
		return and_number(reading, FILTER_FIELD_DPORT, ranges);
	}
	terms[0] = terms_number(FAMILY_IP, FILTER_FIELD_SPORT, ranges);
	terms[1] = terms_number(FAMILY_IP, FILTER_FIELD_DPORT, ranges);
	return and_choice(reading, (struct choice){ .items = pool_copy(pool, terms, sizeof(terms)), .count = 2 });
}

static int read_flags(struct reading *reading, char *mask, struct error *error)
{
	const char *value = reading_next(reading);
	int bits = flags_number(mask), set = value ? flags_number(value) : -1;

	if (bits < 0 || set < 0)
		return iptables_senseless(reading, "--tcp-flags", bits < 0 ? mask : value ? value : "", error);
	return and_choice(reading,
			  choice_flags(&reading->firewall->pool, (uint8_t)set, (uint8_t)bits, reading->negated));
}

static int read_syn(struct reading *reading, char *value, struct error *error)
{
	return and_choice(reading, choice_flags(&reading->firewall->pool, 0x02, 0x17, reading->negated));
}

static int read_icmp(struct reading *reading, char *value, int version, struct error *error)
{
	struct pool *pool = &reading->firewall->pool;
	unsigned family = version == 4 ? FAMILY_IPV4 : FAMILY_IPV6;
	uint32_t protocol = version == 4 ? 1 : 58;
	struct terms terms = terms_number(family, FILTER_FIELD_PROTOCOL, ranges_one(pool, protocol, protocol));
	char *slash = strchr(value, '/');
	struct range type, code;

	if (!strcmp(value, "any") || !strcmp(value, "255"))
		return and_terms(reading, terms);
	if (slash)
		*slash++ = '\0';
	if (!read_range(value, ':', FILTER_FIELD_TYPE, &type)) {
		int number = icmp_type_number(version, value);

		if (number < 0) {
			rule_unsayable(reading->firewall, reading->rule, "the type %s is not known here", value);
			return 0;
		}
		type = (struct range){ (uint32_t)number, (uint32_t)number };
	}
	if (slash && !read_range(slash, ':', FILTER_FIELD_CODE, &code))
		return iptables_senseless(reading, "code", slash, error);
	if (slash && reading->negated) {
		rule_unsayable(reading->firewall, reading->rule, "any other type and code than one");
		return 0;
	}
	terms.numbers[FILTER_FIELD_TYPE] = ranges_make(pool, &type, 1);
	if (reading->negated)
		terms.numbers[FILTER_FIELD_TYPE] = ranges_not(pool, &terms.numbers[FILTER_FIELD_TYPE], 255);
	if (slash)
		terms.numbers[FILTER_FIELD_CODE] = ranges_make(pool, &code, 1);
	return and_terms(reading, terms);
}

static int read_icmp4(struct reading *reading, char *value, struct error *error)
{
	return read_icmp(reading, value, 4, error);
}

static int read_icmp6(struct reading *reading, char *value, struct error *error)
{
	return read_icmp(reading, value, 6, error);
}

static int read_mac(struct reading *reading, char *value, struct error *error)
{
	struct terms terms = terms_all(reading->families);
	uint8_t *m = terms.mac;
	char more;

	if (sscanf(value, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", m, m + 1, m + 2, m + 3, m + 4, m + 5, &more) != 6)
		return iptables_senseless(reading, "--mac-source", value, error);
	if (reading->negated)
		rule_unsayable(reading->firewall, reading->rule, "every Ethernet address but one");
	terms.has_mac = true;
	return and_terms(reading, terms);
}

static int and_ttl(struct reading *reading, char *value, int order, struct error *error)
{
	struct range range;

	if (!read_range(value, ':', FILTER_FIELD_TTL, &range) || (order < 0 && !range.low))
		return iptables_senseless(reading, "the hop limit", value, error);
	if (order < 0)
		range = (struct range){ 0, range.low - 1 };
	else if (order > 0)
		range = (struct range){ range.low + 1, 255 };
	return and_number(reading, FILTER_FIELD_TTL,
			  ranges_make(&reading->firewall->pool, &range, range.low <= range.high));
}

static int read_ttl(struct reading *reading, char *value, struct error *error)
{
	return and_ttl(reading, value, 0, error);
}

static int read_ttl_below(struct reading *reading, char *value, struct error *error)
{
	return and_ttl(reading, value, -1, error);
}

static int read_ttl_above(struct reading *reading, char *value, struct error *error)
{
	return and_ttl(reading, value, 1, error);
}

static int read_length(struct reading *reading, char *value, struct error *error)
{
	return and_ranges(reading, FILTER_FIELD_LENGTH, value, error);
}

static int read_dscp(struct reading *reading, char *value, struct error *error)
{
	return and_ranges(reading, FILTER_FIELD_DSCP, value, error);
}

static int read_dscp_class(struct reading *reading, char *value, struct error *error)
{
	int number = dscp_number(value);

	if (number < 0)
		return iptables_senseless(reading, "--dscp-class", value, error);
	return and_number(reading, FILTER_FIELD_DSCP,
			  ranges_one(&reading->firewall->pool, (uint32_t)number, (uint32_t)number));
}

static int ignore(struct reading *reading, char *value, struct error *error)
{
	return 0;
}

static int read_set(struct reading *reading, char *value, struct error *error)
{
	const char *name = firewall_set_name(reading->firewall, value);
	const char *direction = reading_next(reading);
	struct addresses addresses = { .given = true, .negated = reading->negated, .set = name, .unknown = true };
	struct firewall_set *set;

	if (!direction || (strcmp(direction, "src") != 0 && strcmp(direction, "dst") != 0)) {
		rule_unsayable(reading->firewall, reading->rule,
			       "a set of Sluice holds addresses, no pairs with ports");
		return 0;
	}
	set = firewall_dynamic_set(reading->firewall, name);
	set->how = pool_text(&reading->firewall->pool,
			     "ipset save %s | awk '/^add/ { print $3 }' | sluice set add %s -", value, name);
	return and_addresses(reading, addresses, !strcmp(direction, "src"));
}

static int read_comment(struct reading *reading, char *value, struct error *error)
{
	reading->rule->comment = pool_text(&reading->firewall->pool, "%s", value);
	return 0;
}

static int read_address_type(struct reading *reading, const char *value, bool source)
{
	const struct prefix multicast = reading->families == FAMILY_IPV4
						? (struct prefix){ .version = 4, .length = 4, .address = { 224 } }
						: (struct prefix){ .version = 6, .length = 8, .address = { 0xff } };

	if (!strcasecmp(value, "MULTICAST"))
		return and_addresses(reading, addresses_make(&reading->firewall->pool, &multicast, 1, reading->negated),
				     source);
	rule_unsayable(reading->firewall, reading->rule,
		       "the kernel's routes say which addresses are %s; write these addresses themselves", value);
	return 0;
}

static int read_source_type(struct reading *reading, char *value, struct error *error)
{
	return read_address_type(reading, value, true);
}

static int read_destination_type(struct reading *reading, char *value, struct error *error)
{
	return read_address_type(reading, value, false);
}

static int read_states(struct reading *reading, char *value, struct error *error)
{
	unsigned states = 0;
	char *rest = value, *word;

	while ((word = strsep(&rest, ","))) {
		if (!state_number(word))
			rule_unsayable(reading->firewall, reading->rule, "there is no connection tracking in Sluice");
		states |= state_number(word);
	}
	reading->states &= reading->negated ? STATE_ALL & ~states : states;
	return 0;
}

static int read_jump(struct reading *reading, char *value, struct error *error)
{
	reading->jump = value;
	return 0;
}

static int read_goto(struct reading *reading, char *value, struct error *error)
{
	reading->jump = value;
	reading->jump_is_goto = true;
	return 0;
}

static int read_module(struct reading *reading, char *value, struct error *error)
{
	const char *why;

	if (iptables_module(value, &why))
		return 0;
	reading->skip = true;
	rule_unsayable(reading->firewall, reading->rule, "-m %s: %s", value, why);
	return 0;
}

static const struct option_row options[] = {
	{ "-s", "--source", read_source, 1 },
	{ "--src", NULL, read_source, 1 },
	{ "-d", "--destination", read_destination, 1 },
	{ "--dst", NULL, read_destination, 1 },
	{ "-p", "--protocol", read_protocol, 1 },
	{ "-i", "--in-interface", read_interface, 1 },
	{ "-o", "--out-interface", NULL, 1, "what arrives has no way out yet" },
	{ "-f", "--fragment", read_fragment, 0 },
	{ "-4", "--ipv4", read_ipv4, 0 },
	{ "-6", "--ipv6", read_ipv6, 0 },
	{ "-c", "--set-counters", ignore, 2 },
	{ "-m", "--match", read_module, 1 },
	{ "-j", "--jump", read_jump, 1 },
	{ "-g", "--goto", read_goto, 1 },
	{ "--sport", "--source-port", read_sport, 1 },
	{ "--dport", "--destination-port", read_dport, 1 },
	{ "--sports", "--source-ports", read_sport, 1 },
	{ "--dports", "--destination-ports", read_dport, 1 },
	{ "--ports", NULL, read_ports, 1 },
	{ "--tcp-flags", NULL, read_flags, 1 },
	{ "--syn", NULL, read_syn, 0 },
	{ "--tcp-option", NULL, NULL, 1, "Sluice does not read options of TCP" },
	{ "--icmp-type", NULL, read_icmp4, 1 },
	{ "--icmpv6-type", NULL, read_icmp6, 1 },
	{ "--mac-source", NULL, read_mac, 1 },
	{ "--ttl-eq", "--hl-eq", read_ttl, 1 },
	{ "--ttl-lt", "--hl-lt", read_ttl_below, 1 },
	{ "--ttl-gt", "--hl-gt", read_ttl_above, 1 },
	{ "--length", NULL, read_length, 1 },
	{ "--dscp", NULL, read_dscp, 1 },
	{ "--dscp-class", NULL, read_dscp_class, 1 },
	{ "--limit", NULL, iptables_limit, 1 },
	{ "--limit-burst", "--hashlimit-burst", iptables_limit_burst, 1 },
	{ "--hashlimit-upto", "--hashlimit", iptables_limit, 1 },
	{ "--hashlimit-above", NULL, iptables_limit_over, 1 },
	{ "--hashlimit-mode", NULL, iptables_limit_mode, 1 },
	{ "--hashlimit-srcmask", NULL, iptables_limit_source, 1 },
	{ "--hashlimit-dstmask", NULL, iptables_limit_destination, 1 },
	{ "--hashlimit-name", "--hashlimit-htable-size", ignore, 1 },
	{ "--hashlimit-htable-max", "--hashlimit-htable-expire", ignore, 1 },
	{ "--hashlimit-htable-gcinterval", NULL, ignore, 1 },
	{ "--match-set", NULL, read_set, 1 },
	{ "--comment", NULL, read_comment, 1 },
	{ "--src-type", NULL, read_source_type, 1 },
	{ "--dst-type", NULL, read_destination_type, 1 },
	{ "--limit-iface-in", "--limit-iface-out", NULL, 0,
	  "the kernel's routes say which addresses an interface has" },
	{ "--src-range", NULL, read_source_range, 1 },
	{ "--dst-range", NULL, read_destination_range, 1 },
	{ "--state", "--ctstate", read_states, 1 },
};

int iptables_option(struct reading *reading, const char *name, struct error *error)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct option_row *row = &options[i];
		char *value = NULL;

		if (strcmp(row->name, name) != 0 && (!row->alias || strcmp(row->alias, name) != 0))
			continue;
		for (int v = 0; v < row->values; v++) {
			char *word = reading_next(reading);

			if (!word)
				return error_at(error, reading->rule->origin.where, "%s lacks its value", name);
			value = v ? value : word;
		}
		if (row->read)
			return row->read(reading, value, error);
		rule_unsayable(reading->firewall, reading->rule, "%s: %s", name, row->unsayable);
		return 0;
	}
	if (*name != '-')
		return error_at(error, reading->rule->origin.where, "an option is wanted, not \"%s\"", name);
	rule_unsayable(reading->firewall, reading->rule, "%s: there are no words for that in Sluice", name);
	reading->skip = true;
	return 0;
}
