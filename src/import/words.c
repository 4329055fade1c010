// SPDX-License-Identifier: BSD-2-Clause
/* Items in the words of sluice-policy(5). */
#include <string.h>

#include "base/memory.h"
#include "import/import.h"
#include "packet/protocol.h"
#include "policy/filter_values.h"

static const uint8_t tcp = 6, icmp = 1, icmpv6 = 58;

/* One line is about some families and some kinds of fragments that there are words for. */
struct line {
	unsigned families, fragments;
};

static bool names_ip(const struct terms *terms)
{
	return terms->numbers[FILTER_FIELD_PROTOCOL].given || terms->numbers[FILTER_FIELD_DSCP].given ||
	       terms->numbers[FILTER_FIELD_TTL].given || terms->source.given || terms->destination.given ||
	       terms->fragments != FRAGMENT_KIND_ALL || terms->extensions;
}

/* A rule without an IP field is also about what is not IP. What iptables never saw is passed by an accept anyway. */
static size_t split_families(const struct item *item, unsigned *families)
{
	unsigned all = item->terms.families;
	size_t count = 0;

	if (all == FAMILY_ALL || (all == FAMILY_IP && (names_ip(&item->terms) || item->verdict == RULE_ACCEPT))) {
		families[0] = all;
		return 1;
	}
	for (unsigned family = FAMILY_IPV4; family <= FAMILY_OTHER; family <<= 1) {
		if (all & family)
			families[count++] = family;
	}
	return count;
}

static size_t split_fragments(unsigned kinds, unsigned *fragments)
{
	size_t count = 0;

	if (kinds == FRAGMENT_KIND_ALL || kinds == (FRAGMENT_KIND_FIRST | FRAGMENT_KIND_LATER)) {
		fragments[0] = kinds;
		return 1;
	}
	for (unsigned kind = FRAGMENT_KIND_NONE; kind <= FRAGMENT_KIND_LATER; kind <<= 1) {
		if (kinds & kind)
			fragments[count++] = kind;
	}
	return count;
}

static bool is_one(const struct ranges *ranges, uint32_t value)
{
	return ranges->count == 1 && ranges->items[0].low == value && ranges->items[0].high == value;
}

static void print_value(FILE *out, enum filter_field field, const struct terms *terms, uint32_t value)
{
	char text[PROTOCOL_TEXT_MAX];
	const char *name = NULL;

	if (field == FILTER_FIELD_PROTOCOL)
		name = protocol_name((uint8_t)value, text);
	else if (field == FILTER_FIELD_TYPE)
		name = icmp_type_name(is_one(&terms->numbers[FILTER_FIELD_PROTOCOL], icmp) ? 4 : 6, (uint8_t)value);
	else if (field == FILTER_FIELD_ETHERTYPE)
		name = ethertype_name((uint16_t)value, text);
	if (name)
		fputs(name, out);
	else
		fprintf(out, "%u", value);
}

static bool has_names(enum filter_field field)
{
	return field == FILTER_FIELD_PROTOCOL || field == FILTER_FIELD_TYPE || field == FILTER_FIELD_ETHERTYPE;
}

static void print_range(FILE *out, enum filter_field field, const struct terms *terms, const struct range *range)
{
	bool named = has_names(field);

	for (uint32_t value = range->low; range->high - range->low < (named ? NAMES_MAX : 1); value++) {
		print_value(out, field, terms, value);
		if (value == range->high)
			return;
		fputs(", ", out);
	}
	fprintf(out, "%u-%u", range->low, range->high);
}

/* True when it is printed as several values. */
static bool is_several(enum filter_field field, const struct range *range)
{
	return range->high > range->low && range->high - range->low < NAMES_MAX && has_names(field);
}

/* The values that are missing, when they are fewer. Returns how many ranges these are; `holes` has room for all. */
static size_t find_holes(const struct ranges *ranges, uint32_t last, struct range *holes)
{
	uint32_t next = 0;
	size_t count = 0;

	for (size_t i = 0; i < ranges->count; i++) {
		if (ranges->items[i].low > next)
			holes[count++] = (struct range){ next, ranges->items[i].low - 1 };
		next = ranges->items[i].high + 1;
	}
	if (next <= last)
		holes[count++] = (struct range){ next, last };
	return count;
}

static void print_ranges(FILE *out, enum filter_field field, const struct terms *terms)
{
	const struct ranges *ranges = &terms->numbers[field];
	CLEANUP_FREE struct range *holes = xcalloc(ranges->count + 1, sizeof(*holes));
	size_t hole_count = find_holes(ranges, filter_field_max(field), holes);
	bool can_negate = field != FILTER_FIELD_TYPE && field != FILTER_FIELD_CODE;
	bool negated = can_negate && hole_count &&
		       hole_count < ranges->count + (ranges->items[0].high == filter_field_max(field) &&
						     holes[0].low == holes[0].high);
	const struct range *items = negated ? holes : ranges->items;
	size_t count = negated ? hole_count : ranges->count;

	bool list = count > 1 || is_several(field, &items[0]);

	fprintf(out, " %s%s%s", filter_field_name(field), negated ? " not" : "", list ? " {" : "");
	for (size_t i = 0; i < count; i++) {
		fputs(i ? ", " : " ", out);
		print_range(out, field, terms, &items[i]);
	}
	fputs(list ? " }" : "", out);
}

static void print_addresses(FILE *out, const char *word, const struct addresses *addresses)
{
	char text[PREFIX_TEXT_MAX];

	fprintf(out, " %s%s", word, addresses->negated ? " not" : "");
	if (addresses->set) {
		fprintf(out, " @%s", addresses->set);
		return;
	}
	fputs(addresses->count > 1 ? " {" : "", out);
	for (size_t i = 0; i < addresses->count; i++)
		fprintf(out, "%s%s", i ? ", " : " ", prefix_print(&addresses->items[i], text));
	fputs(addresses->count > 1 ? " }" : "", out);
}

static void print_marks(FILE *out, const struct terms *terms, unsigned fragments)
{
	const uint8_t *m = terms->mac;

	if (fragments != FRAGMENT_KIND_ALL)
		fprintf(out, " fragment %s",
			filter_fragment_words[fragments == FRAGMENT_KIND_NONE	 ? FILTER_IS_NO_FRAGMENT
					      : fragments == FRAGMENT_KIND_FIRST ? FILTER_IS_FIRST_FRAGMENT
					      : fragments == FRAGMENT_KIND_LATER ? FILTER_IS_LATER_FRAGMENT
										 : FILTER_IS_FRAGMENT]);
	for (int i = 0; i < FILTER_EXTENSION_COUNT; i++) {
		if (terms->extensions & 1U << i)
			fprintf(out, " extension %s", filter_extension_words[i]);
	}
	if (terms->has_mac)
		fprintf(out, " mac %02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static bool says_family(const struct addresses *addresses)
{
	return addresses->given && !addresses->negated && !addresses->unknown && addresses->count;
}

/* Family and protocol, as far as nothing else in the line says them. */
static void print_head(FILE *out, const struct terms *terms, unsigned family)
{
	const struct ranges *protocol = &terms->numbers[FILTER_FIELD_PROTOCOL];

	if (family == FAMILY_ARP)
		fputs(" arp", out);
	if ((family == FAMILY_IPV4 && is_one(protocol, icmp)) || (family == FAMILY_IPV6 && is_one(protocol, icmpv6))) {
		fputs(family == FAMILY_IPV4 ? " icmp" : " icmpv6", out);
		return;
	}
	if ((family == FAMILY_IPV4 || family == FAMILY_IPV6) && !says_family(&terms->source) &&
	    !says_family(&terms->destination))
		fputs(family == FAMILY_IPV4 ? " ipv4" : " ipv6", out);
	if (is_one(protocol, tcp) || is_one(protocol, 17) || is_one(protocol, 132)) {
		putc(' ', out);
		print_value(out, FILTER_FIELD_PROTOCOL, terms, protocol->items[0].low);
	} else if (protocol->given) {
		print_ranges(out, FILTER_FIELD_PROTOCOL, terms);
	}
}

static void print_action(FILE *out, const struct item *item)
{
	fputs(item->verdict == RULE_ACCEPT ? "accept" : item->verdict == RULE_DROP ? "drop" : "reject", out);
	if (item->verdict == RULE_REJECT && item->rule->reject >= FILTER_REJECT_RESET)
		fprintf(out, " with %s", filter_reject_words[item->rule->reject - FILTER_REJECT_RESET]);
}

static void print_modifiers(FILE *out, const struct item *item)
{
	const struct rule_limit *limit = item->limited ? &item->rule->limit : NULL;

	if (limit) {
		fprintf(out, " limit %llu/%c", (unsigned long long)limit->rate, limit->unit);
		if (limit->burst)
			fprintf(out, " burst %llu", (unsigned long long)limit->burst);
		if (limit->per != FILTER_PER_RULE)
			fprintf(out, " per %s", limit->per == FILTER_PER_SOURCE ? "source" : "destination");
		if (limit->per != FILTER_PER_RULE && limit->length)
			fprintf(out, "/%d", limit->length);
	}
	if (item->log)
		fputs(" log", out);
	if (item->rule && item->rule->count)
		fprintf(out, " count %s", item->rule->count);
}

/* What the author wrote into a rule, and where the rule stands. */
static void print_comment(FILE *out, const struct item *item)
{
	const struct firewall_rule *rule = item->rule;

	if (!rule) {
		fprintf(out, "  # the policy of chain %s\n", item->chain->name);
		return;
	}
	if (rule->origin.where.line)
		fprintf(out, "  # %s:%d", rule->origin.where.file, rule->origin.where.line);
	else
		fprintf(out, "  # %s", rule->origin.text);
	if (rule->comment) {
		fputs(" ", out);
		for (const char *at = rule->comment; *at; at++)
			putc((unsigned char)*at < ' ' ? ' ' : *at, out);
	}
	if (rule->note)
		fprintf(out, " (%s)", rule->note);
	putc('\n', out);
}

static void print_line(FILE *out, const struct item *item, struct line line)
{
	const struct terms *terms = &item->terms;

	fputs("        ", out);
	print_action(out, item);
	print_head(out, terms, line.families);
	if (terms->source.given)
		print_addresses(out, "from", &terms->source);
	if (terms->destination.given)
		print_addresses(out, "to", &terms->destination);
	for (int field = FILTER_FIELD_SPORT; field < FILTER_FIELD_COUNT; field++) {
		if (terms->numbers[field].given)
			print_ranges(out, field, terms);
		if (field == FILTER_FIELD_DPORT && terms->flags_mask)
			filter_print_flags(out, terms->flags, terms->flags_mask);
	}
	print_marks(out, terms, line.fragments);
	print_modifiers(out, item);
	print_comment(out, item);
}

size_t item_lines(const struct item *item)
{
	unsigned families[4], fragments[4];

	return split_families(item, families) * split_fragments(item->terms.fragments, fragments);
}

void item_print(FILE *out, const struct item *item)
{
	unsigned families[4], fragments[4];
	size_t family_count = split_families(item, families);
	size_t fragment_count = split_fragments(item->terms.fragments, fragments);

	for (size_t i = 0; i < family_count; i++) {
		for (size_t j = 0; j < fragment_count; j++)
			print_line(out, item, (struct line){ families[i], fragments[j] });
	}
}
