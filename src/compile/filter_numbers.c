// SPDX-License-Identifier: BSD-2-Clause
#include "compile/filter_numbers.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/memory.h"
#include "sluice/failsafe.h"

/* Ranges in order, none next to another. */
struct ranges {
	struct filter_range *items;
	size_t count, capacity;
};

static void cleanup_ranges(struct ranges *ranges)
{
	free(ranges->items);
}
#define CLEANUP_RANGES __attribute__((cleanup(cleanup_ranges)))

static void add_range(struct ranges *ranges, uint32_t low, uint32_t high)
{
	ranges->items = xgrow(ranges->items, ranges->count, &ranges->capacity, sizeof(*ranges->items));
	ranges->items[ranges->count++] = (struct filter_range){ low, high };
}

static int compare_ranges(const void *left, const void *right)
{
	const struct filter_range *a = left, *b = right;

	return (a->low > b->low) - (a->low < b->low);
}

static void merge(struct ranges *ranges)
{
	size_t kept = 0;

	if (ranges->count < 2)
		return;
	qsort(ranges->items, ranges->count, sizeof(*ranges->items), compare_ranges);
	for (size_t i = 1; i < ranges->count; i++) {
		struct filter_range *last = &ranges->items[kept], next = ranges->items[i];

		if (next.low > last->high + 1)
			ranges->items[++kept] = next;
		else if (next.high > last->high)
			last->high = next.high;
	}
	ranges->count = kept + 1;
}

/* What is left of 0 to `max`. */
static void complement(struct ranges *ranges, uint32_t max)
{
	struct ranges rest = { 0 };
	uint32_t next = 0;

	for (size_t i = 0; i < ranges->count && ranges->items[i].low <= max; i++) {
		if (ranges->items[i].low > next)
			add_range(&rest, next, ranges->items[i].low - 1);
		next = ranges->items[i].high + 1;
	}
	if (next <= max)
		add_range(&rest, next, max);
	free(ranges->items);
	*ranges = rest;
}

/* The values that the rule wants of a field: all up to `any` when it does not say. */
static void field_ranges(const struct filter_rule *rule, enum filter_field field, uint32_t any, struct ranges *ranges)
{
	const struct filter_values *values = &rule->fields[field];

	if (!values->where.line) {
		add_range(ranges, 0, any);
		return;
	}
	for (size_t i = 0; i < values->count; i++)
		add_range(ranges, values->ranges[i].low, values->ranges[i].high);
	merge(ranges);
	if (values->negated)
		complement(ranges, filter_field_max(field));
}

static bool is_about_ip(const struct filter_rule *rule)
{
	static const enum filter_field fields[] = { FILTER_FIELD_PROTOCOL, FILTER_FIELD_SPORT, FILTER_FIELD_DPORT,
						    FILTER_FIELD_TYPE,	   FILTER_FIELD_CODE,  FILTER_FIELD_DSCP,
						    FILTER_FIELD_TTL,	   FILTER_FIELD_LENGTH };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (rule->fields[fields[i]].where.line)
			return true;
	}
	return rule->family != FILTER_FAMILY_ANY || rule->source.where.line || rule->destination.where.line ||
	       rule->flags_where.line || rule->fragment_where.line || rule->extension_where.line;
}

static bool has_ethertype(const struct filter_rule *rule)
{
	return rule->fields[FILTER_FIELD_ETHERTYPE].where.line;
}

bool filter_rule_skips(const struct filter_rule *rule, int version)
{
	if (version == 4)
		return rule->family == FILTER_FAMILY_IPV6 || rule->extension_where.line;
	return rule->family == FILTER_FAMILY_IPV4 || rule->family == FILTER_FAMILY_ARP || has_ethertype(rule);
}

static bool is_failsafe_type(int version, uint32_t type)
{
	if (version == 4)
		return type == ICMP_UNREACHABLE;
	return type == ICMPV6_PACKET_TOO_BIG || (type >= NDP_ROUTER_SOLICITATION && type <= NDP_REDIRECT);
}

/* True when the rule has a list of types, and one of them is of the failsafe. */
static bool names_failsafe(const struct filter_rule *rule, int version)
{
	const struct filter_values *types = &rule->fields[FILTER_FIELD_TYPE];

	for (size_t i = 0; i < types->count; i++) {
		for (uint32_t type = types->ranges[i].low; type <= types->ranges[i].high; type++) {
			if (is_failsafe_type(version, type))
				return true;
		}
	}
	return false;
}

/* FILTER_PROTOCOL_FAILSAFE stands in place of ICMP's number: who takes that one in has it as well, but verbs other than
 * accept only when they name its type. */
static bool takes_failsafe(const struct filter_rule *rule, int version, const struct ranges *protocols)
{
	uint32_t icmp = version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	if (rule->fields[FILTER_FIELD_TYPE].where.line) {
		if (!names_failsafe(rule, version))
			return false;
	} else if (rule->verb != FILTER_ACCEPT) {
		return false;
	}
	for (size_t i = 0; i < protocols->count; i++) {
		if (protocols->items[i].low <= icmp && icmp <= protocols->items[i].high)
			return true;
	}
	return false;
}

/* Values of the protocol lane. */
static void protocol_ranges(const struct filter_rule *rule, int version, struct ranges *ranges)
{
	if (rule->family == FILTER_FAMILY_ARP) {
		add_range(ranges, FILTER_PROTOCOL_ARP, FILTER_PROTOCOL_ARP);
		return;
	}
	if (has_ethertype(rule)) {
		add_range(ranges, FILTER_PROTOCOL_OTHER, FILTER_PROTOCOL_OTHER);
		return;
	}
	field_ranges(rule, FILTER_FIELD_PROTOCOL, FILTER_PROTOCOL_IP_LAST, ranges);
	if (takes_failsafe(rule, version, ranges))
		add_range(ranges, FILTER_PROTOCOL_FAILSAFE, FILTER_PROTOCOL_FAILSAFE);
	if (version == 4 && !is_about_ip(rule)) {
		if (rule->verb == FILTER_ACCEPT)
			add_range(ranges, FILTER_PROTOCOL_ARP, FILTER_PROTOCOL_ARP);
		add_range(ranges, FILTER_PROTOCOL_OTHER, FILTER_PROTOCOL_OTHER);
	}
	merge(ranges);
}

/* Types and codes of ICMP and EtherTypes lie where ports do; a rule has one of them or the other. */
static void port_ranges(const struct filter_rule *rule, enum filter_field ports, enum filter_field other,
			struct ranges *ranges)
{
	field_ranges(rule, rule->fields[other].where.line ? other : ports, FILTER_PORT_ANY, ranges);
}

static uint64_t lanes(uint32_t protocol, uint32_t sport, uint32_t dport)
{
	return (uint64_t)sport << FILTER_SOURCE_PORT_SHIFT | (uint64_t)dport << FILTER_DESTINATION_PORT_SHIFT |
	       (uint64_t)protocol << FILTER_PROTOCOL_SHIFT;
}

uint64_t filter_lanes_low(uint32_t protocol, uint32_t sport, uint32_t dport)
{
	return lanes(protocol, sport, dport);
}

uint64_t filter_lanes_high(uint32_t protocol, uint32_t sport, uint32_t dport)
{
	return lanes(protocol, sport, dport) | FILTER_LANES_GUARDS;
}

/* What lies in the ranges of the key, in the order of its fields' shifts. */
static const struct {
	enum filter_field field;
	uint32_t any;
	int shift;
} range_fields[] = {
	{ FILTER_FIELD_LENGTH, 0xffff, FILTER_LENGTH_SHIFT },
	{ FILTER_FIELD_TTL, 0xff, FILTER_HOP_LIMIT_SHIFT },
	{ FILTER_FIELD_DSCP, 0x3f, FILTER_DSCP_SHIFT },
	{ FILTER_FIELD_VLAN, FILTER_VLAN_NONE, FILTER_VLAN_SHIFT },
};
#define RANGE_FIELDS (sizeof(range_fields) / sizeof(range_fields[0]))

struct filter_extra filter_extra_any(void)
{
	struct filter_extra extra = { .high = FILTER_RANGES_GUARDS };

	for (size_t i = 0; i < RANGE_FIELDS; i++)
		extra.high |= (uint64_t)range_fields[i].any << range_fields[i].shift;
	return extra;
}

/* All but lanes and ranges, which is the same in all boxes of a rule; `kind` is the fragment's mark of this one. */
static struct filter_extra extra_of(const struct filter_rule *rule, uint64_t kind)
{
	struct filter_extra extra = filter_extra_any();

	if (rule->fragment_where.line) {
		extra.marks_mask = kind ? kind : FILTER_FRAGMENT_FIRST | FILTER_FRAGMENT_LATER;
		extra.marks = kind;
	}
	if (rule->flags_where.line) {
		extra.marks_mask |= rule->flags_mask | FILTER_TCP;
		extra.marks |= rule->flags | FILTER_TCP;
	}
	if (rule->extension_where.line) {
		extra.marks_mask |= 1ULL << (FILTER_EXTENSION_SHIFT + rule->extension);
		extra.marks |= 1ULL << (FILTER_EXTENSION_SHIFT + rule->extension);
	}
	if (rule->mac_where.line) {
		extra.mac_mask = 0xffffffffffffULL;
		extra.mac = rule->mac;
	}
	return extra;
}

static void add_box(struct number_boxes *boxes, const struct number_box *box)
{
	boxes->items = xgrow(boxes->items, boxes->count, &boxes->capacity, sizeof(*boxes->items));
	boxes->items[boxes->count++] = *box;
}

/* Splits every box by a field of the ranges. */
static void split(const struct filter_rule *rule, size_t field, size_t max, struct number_boxes *boxes)
{
	int shift = range_fields[field].shift;
	uint64_t any = (uint64_t)range_fields[field].any << shift;
	CLEANUP_RANGES struct ranges ranges = { 0 };
	struct number_boxes whole = *boxes;

	if (!rule->fields[range_fields[field].field].where.line)
		return;
	field_ranges(rule, range_fields[field].field, range_fields[field].any, &ranges);
	*boxes = (struct number_boxes){ 0 };
	for (size_t b = 0; b < whole.count; b++) {
		for (size_t i = 0; i < ranges.count && boxes->count <= max; i++) {
			struct number_box box = whole.items[b];

			box.extra.low |= (uint64_t)ranges.items[i].low << shift;
			box.extra.high = (box.extra.high & ~any) | (uint64_t)ranges.items[i].high << shift;
			add_box(boxes, &box);
		}
	}
	free(whole.items);
}

/* The boxes of the lanes, with `extra` in each. */
static void add_lanes(const struct filter_rule *rule, int version, const struct filter_extra *extra, size_t max,
		      struct number_boxes *boxes)
{
	CLEANUP_RANGES struct ranges protocols = { 0 }, sports = { 0 }, dports = { 0 };

	protocol_ranges(rule, version, &protocols);
	port_ranges(rule, FILTER_FIELD_SPORT, FILTER_FIELD_TYPE, &sports);
	port_ranges(rule, FILTER_FIELD_DPORT, has_ethertype(rule) ? FILTER_FIELD_ETHERTYPE : FILTER_FIELD_CODE,
		    &dports);
	for (size_t p = 0; p < protocols.count; p++) {
		for (size_t s = 0; s < sports.count; s++) {
			for (size_t d = 0; d < dports.count && boxes->count <= max; d++) {
				const struct filter_range *protocol = &protocols.items[p];
				const struct filter_range *sport = &sports.items[s], *dport = &dports.items[d];

				add_box(boxes,
					&(struct number_box){
						filter_lanes_low(protocol->low, sport->low, dport->low),
						filter_lanes_high(protocol->high, sport->high, dport->high), *extra });
			}
		}
	}
}

void filter_numbers(const struct filter_rule *rule, int version, size_t max, struct number_boxes *boxes)
{
	static const uint64_t kinds[] = {
		[FILTER_IS_NO_FRAGMENT] = 0,
		[FILTER_IS_FIRST_FRAGMENT] = FILTER_FRAGMENT_FIRST,
		[FILTER_IS_LATER_FRAGMENT] = FILTER_FRAGMENT_LATER,
		[FILTER_IS_FRAGMENT] = FILTER_FRAGMENT_FIRST,
	};
	struct filter_extra extra = extra_of(rule, kinds[rule->fragment]);

	boxes->count = 0;
	if (filter_rule_skips(rule, version))
		return;
	add_lanes(rule, version, &extra, max, boxes);
	if (rule->fragment_where.line && rule->fragment == FILTER_IS_FRAGMENT) {
		extra = extra_of(rule, FILTER_FRAGMENT_LATER);
		add_lanes(rule, version, &extra, max, boxes);
	}
	for (size_t field = 0; field < RANGE_FIELDS; field++)
		split(rule, field, max, boxes);
}
