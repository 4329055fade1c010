// SPDX-License-Identifier: BSD-2-Clause
/* Rules as they are written against the boxes made of them: random rules, random packets, read from the tree by one
 * walk and from the matches by another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compile/compile.h"
#include "filter_text.h"
#include "policy/policy.h"

#define NO_RULE UINT32_MAX

/* All that rules ask for, as a parser would have found it. */
struct packet {
	enum { PACKET_IPV4, PACKET_IPV6, PACKET_ARP, PACKET_OTHER } kind;
	struct prefix source, destination; /* hosts */
	uint32_t protocol, ethertype;
	bool has_header; /* of TCP, UDP, SCTP, ICMP: not of later fragments, nor of what is cut off */
	uint32_t sport, dport, type, code;
	uint8_t flags;
	enum { WHOLE, FIRST, LATER } fragment;
	unsigned extensions;
	bool is_tagged;
	uint32_t vlan, dscp, ttl, length;
	uint64_t mac;
};

/* Who is in the dynamic sets @d0 to @d3, while this test runs. */
static bool in_dynamic(const char *name, const struct prefix *address)
{
	return (address->address[address->version == 4 ? 3 : 15] >> (name[1] - '0')) & 1;
}

/* The rule, from the tree. */

static bool in_target(const struct target *target, const struct prefix *address)
{
	const struct prefixes *prefixes = target_prefixes(target);

	if (target->set && target->set->size)
		return in_dynamic(target->set->name, address);
	for (size_t i = 0; i < prefixes->count; i++) {
		if (prefix_covers(&prefixes->items[i], address))
			return true;
	}
	return false;
}

static bool addresses_match(const struct filter_addresses *addresses, const struct prefix *address, bool is_ip)
{
	if (!addresses->where.line)
		return true;
	if (!is_ip)
		return false;
	for (size_t i = 0; i < addresses->count; i++) {
		if (in_target(&addresses->targets[i], address))
			return !addresses->negated;
	}
	return addresses->negated;
}

/* `has`: whether the packet has such a field at all. */
static bool value_matches(const struct filter_values *values, bool has, uint32_t value)
{
	if (!values->where.line)
		return true;
	if (!has)
		return false;
	for (size_t i = 0; i < values->count; i++) {
		if (values->ranges[i].low <= value && value <= values->ranges[i].high)
			return !values->negated;
	}
	return values->negated;
}

static bool vlan_matches(const struct filter_values *values, const struct packet *packet)
{
	bool none = false;

	for (size_t i = 0; i < values->count; i++)
		none |= values->ranges[i].low == FILTER_VLAN_NONE;
	if (!packet->is_tagged && values->where.line)
		return none && !values->negated;
	return value_matches(values, true, packet->vlan);
}

static bool has_icmp(const struct packet *packet)
{
	return packet->has_header && packet->protocol == (packet->kind == PACKET_IPV4 ? 1 : 58);
}

static bool is_failsafe(const struct packet *packet)
{
	if (packet->kind > PACKET_IPV6 || !has_icmp(packet))
		return false;
	if (packet->kind == PACKET_IPV4)
		return packet->type == 3 && packet->code == 4;
	return packet->type == 2 || (packet->type >= 133 && packet->type <= 137 && packet->ttl == 255);
}

static bool mentions_ip(const struct filter_rule *rule)
{
	bool mentions = rule->family || rule->source.where.line || rule->destination.where.line ||
			rule->flags_where.line || rule->fragment_where.line || rule->extension_where.line;

	for (int f = 0; f < FILTER_FIELD_COUNT; f++)
		mentions |= f != FILTER_FIELD_VLAN && f != FILTER_FIELD_ETHERTYPE && rule->fields[f].where.line;
	return mentions;
}

static bool family_matches(const struct filter_rule *rule, const struct packet *packet)
{
	bool lives = rule->verb != FILTER_ACCEPT; /* the failsafe */

	if (rule->family == FILTER_FAMILY_ARP)
		return packet->kind == PACKET_ARP;
	if (rule->fields[FILTER_FIELD_ETHERTYPE].where.line && packet->kind != PACKET_OTHER)
		return false;
	if (packet->kind == PACKET_ARP)
		return !mentions_ip(rule) && !lives;
	if (packet->kind == PACKET_OTHER)
		return !mentions_ip(rule);
	if (rule->family && (rule->family == FILTER_FAMILY_IPV4) != (packet->kind == PACKET_IPV4))
		return false;
	return !is_failsafe(packet) || !lives || rule->fields[FILTER_FIELD_TYPE].where.line;
}

static bool fragment_matches(const struct filter_rule *rule, const struct packet *packet)
{
	if (!rule->fragment_where.line)
		return true;
	switch (rule->fragment) {
	case FILTER_IS_NO_FRAGMENT:
		return packet->fragment == WHOLE;
	case FILTER_IS_FIRST_FRAGMENT:
		return packet->fragment == FIRST;
	case FILTER_IS_LATER_FRAGMENT:
		return packet->fragment == LATER;
	default:
		return packet->fragment != WHOLE;
	}
}

static bool rule_matches(const struct filter_rule *rule, const struct packet *packet)
{
	const struct filter_values *fields = rule->fields;
	bool is_ip = packet->kind <= PACKET_IPV6;
	bool is_tcp = packet->has_header && packet->protocol == 6;
	bool has_ports = is_tcp || (packet->has_header && (packet->protocol == 17 || packet->protocol == 132));

	return family_matches(rule, packet) && addresses_match(&rule->source, &packet->source, is_ip) &&
	       addresses_match(&rule->destination, &packet->destination, is_ip) &&
	       value_matches(&fields[FILTER_FIELD_PROTOCOL], is_ip, packet->protocol) &&
	       value_matches(&fields[FILTER_FIELD_SPORT], has_ports, packet->sport) &&
	       value_matches(&fields[FILTER_FIELD_DPORT], has_ports, packet->dport) &&
	       value_matches(&fields[FILTER_FIELD_TYPE], has_icmp(packet), packet->type) &&
	       value_matches(&fields[FILTER_FIELD_CODE], has_icmp(packet), packet->code) &&
	       value_matches(&fields[FILTER_FIELD_ETHERTYPE], packet->kind == PACKET_OTHER, packet->ethertype) &&
	       vlan_matches(&fields[FILTER_FIELD_VLAN], packet) &&
	       value_matches(&fields[FILTER_FIELD_DSCP], is_ip, packet->dscp) &&
	       value_matches(&fields[FILTER_FIELD_TTL], is_ip, packet->ttl) &&
	       value_matches(&fields[FILTER_FIELD_LENGTH], is_ip, packet->length) &&
	       (!rule->flags_where.line || (is_tcp && (packet->flags & rule->flags_mask) == rule->flags)) &&
	       fragment_matches(rule, packet) &&
	       (!rule->extension_where.line || packet->extensions >> rule->extension & 1) &&
	       (!rule->mac_where.line || packet->mac == rule->mac);
}

static uint32_t first_rule(const struct filter_list *filter, const struct packet *packet)
{
	for (size_t i = 0; i < filter->rule_count; i++) {
		if (rule_matches(&filter->rules[i], packet))
			return (uint32_t)i;
	}
	return NO_RULE;
}

/* The matches, from the key. */

static uint64_t static_bits(const struct prefix_table *table, const struct prefix *address)
{
	const struct entry *longest = NULL;

	for (size_t i = 0; i < table->count; i++) {
		const struct entry *entry = &table->entries[i];

		if (prefix_covers(&entry->prefix, address) &&
		    (!longest || entry->prefix.length > longest->prefix.length))
			longest = entry;
	}
	return longest ? longest->value : 0;
}

static uint64_t set_bits(const struct compiled *compiled, const struct packet *packet, bool source)
{
	const struct prefix *address = source ? &packet->source : &packet->destination;
	enum table table = source ? TABLE_FILTER_SOURCE4 : TABLE_FILTER_DEST4;
	uint32_t first = source ? DYNAMIC_FILTER_SOURCE : DYNAMIC_FILTER_DESTINATION;
	uint64_t bits = static_bits(&compiled->tables[table + (packet->kind == PACKET_IPV6)], address);

	for (size_t i = 0; i < compiled->dynamic_count; i++) {
		uint32_t index = compiled->dynamic[i].index - first;

		if (index < DYNAMIC_MAX && in_dynamic(compiled->dynamic[i].set->name, address))
			bits |= 1ULL << (FILTER_DYNAMIC_BIT + index);
	}
	return bits;
}

static void make_key(const struct compiled *compiled, const struct packet *packet, struct filter_key *key)
{
	uint64_t protocol = packet->protocol, sport = FILTER_PORT_NONE, dport = FILTER_PORT_NONE;
	bool is_ip = packet->kind <= PACKET_IPV6;

	*key = (struct filter_key){ .mac = packet->mac };
	if (is_failsafe(packet))
		protocol = FILTER_PROTOCOL_FAILSAFE;
	if (!is_ip)
		protocol = packet->kind == PACKET_ARP ? FILTER_PROTOCOL_ARP : FILTER_PROTOCOL_OTHER;
	if (is_ip && packet->has_header) {
		bool has_ports = packet->protocol == 6 || packet->protocol == 17 || packet->protocol == 132;

		sport = has_ports ? packet->sport : has_icmp(packet) ? packet->type : sport;
		dport = has_ports ? packet->dport : has_icmp(packet) ? packet->code : dport;
	}
	if (!is_ip)
		dport = packet->ethertype;
	key->lanes = sport | dport << FILTER_DESTINATION_PORT_SHIFT | protocol << FILTER_PROTOCOL_SHIFT;
	key->ranges = (uint64_t)packet->length | (uint64_t)(packet->is_tagged ? packet->vlan : FILTER_VLAN_NONE)
							 << FILTER_VLAN_SHIFT;
	if (!is_ip)
		return;
	key->ranges |= (uint64_t)packet->ttl << FILTER_HOP_LIMIT_SHIFT | (uint64_t)packet->dscp << FILTER_DSCP_SHIFT;
	key->marks = FILTER_IP | (uint64_t)packet->extensions << FILTER_EXTENSION_SHIFT |
		     set_bits(compiled, packet, true) << FILTER_SOURCE_SETS_SHIFT |
		     set_bits(compiled, packet, false) << FILTER_DESTINATION_SETS_SHIFT;
	if (packet->protocol == 6 && packet->has_header)
		key->marks |= FILTER_TCP | packet->flags;
	if (packet->fragment != WHOLE)
		key->marks |= packet->fragment == FIRST ? FILTER_FRAGMENT_FIRST : FILTER_FRAGMENT_LATER;
}

static bool match_holds(const struct match *match, const struct packet *packet, const struct filter_key *key,
			uint8_t needs)
{
	const struct filter_extra *extra = &match->extra;
	bool marks = (key->marks & extra->marks_mask) == extra->marks;
	bool ranges =
		filter_lanes_inside(key->ranges, extra->low, extra->high, FILTER_RANGES_GUARDS) == FILTER_RANGES_GUARDS;
	bool mac = (key->mac & extra->mac_mask) == extra->mac;

	/* What no rule needs must not matter. */
	assert_true(marks || needs & FILTER_NEEDS_MARKS);
	assert_true(ranges || needs & FILTER_NEEDS_RANGES);
	assert_true(mac || needs & FILTER_NEEDS_MAC);
	return marks && ranges && mac &&
	       filter_lanes_inside(key->lanes, match->low, match->high, FILTER_LANES_GUARDS) == FILTER_LANES_GUARDS &&
	       prefix_covers(&match->source, &packet->source) &&
	       prefix_covers(&match->destination, &packet->destination);
}

static uint32_t first_match(const struct compiled *compiled, const struct compiled_list *list,
			    const struct packet *packet)
{
	const struct matches *matches = packet->kind == PACKET_IPV6 ? &list->matches6 : &list->matches4;
	struct filter_key key;

	make_key(compiled, packet, &key);
	for (size_t i = 0; i < matches->count; i++) {
		if (match_holds(&matches->items[i], packet, &key, compiled->config.filter_needs))
			return matches->items[i].rule;
	}
	return NO_RULE;
}

static void random_packet(struct packet *packet)
{
	*packet = (struct packet){
		.kind = draw(10) ? draw(2) : 2 + draw(2),
		.protocol = PICK(protocols),
		.ethertype = PICK(ethertypes),
		.has_header = draw(10),
		.sport = PICK(ports),
		.dport = PICK(ports),
		.type = PICK(types),
		.code = PICK(codes),
		.flags = (uint8_t)(draw(2) ? random() : 2 << draw(4)),
		.fragment = draw(3) ? 0 : draw(3),
		.is_tagged = draw(2),
		.vlan = PICK(vlans),
		.dscp = PICK(dscps),
		.ttl = PICK(ttls),
		.length = PICK(lengths),
		.mac = 0x020000000000 + draw(2),
	};
	if (packet->fragment == LATER)
		packet->has_header = false;
	if (packet->kind == PACKET_IPV6)
		packet->extensions = draw(1 << FILTER_EXTENSION_COUNT);
	random_address(&packet->source, packet->kind == PACKET_IPV6 ? 6 : 4);
	random_address(&packet->destination, packet->kind == PACKET_IPV6 ? 6 : 4);
	if (packet->kind > PACKET_IPV6) {
		memset(packet->source.address, 0, sizeof(packet->source.address));
		memset(packet->destination.address, 0, sizeof(packet->destination.address));
	}
}

static void assert_same_matches(const struct matches *a, const struct matches *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		assert_memory_equal(&a->items[i], &b->items[i], sizeof(struct match));
}

static void assert_same_list(const struct compiled_list *a, const struct compiled_list *b)
{
	assert_same_matches(&a->matches4, &b->matches4);
	assert_same_matches(&a->matches6, &b->matches6);
	assert_int_equal(a->more_count, b->more_count);
	for (size_t i = 0; i < a->more_count; i++)
		assert_memory_equal(&a->more[i], &b->more[i], sizeof(struct filter_more));
}

/* Printed and read again, it is the same filter: the same texts, the same boxes. */
static void judge_printed(const struct policy *policy, const struct compiled *compiled)
{
	CLEANUP_FREE char *text = NULL;
	struct policy *again = NULL;
	struct compiled second;
	struct error error;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	policy_print(out, policy);
	assert_int_equal(fclose(out), 0);
	if (policy_parse(text, "test.policy", &again, &error) || compile(&again->interfaces[0], &second, &error))
		fail_msg("%d:%d: %s\nin:\n%s", error.line, error.column, error.what, text);
	assert_int_equal(second.rule_count, compiled->rule_count);
	for (size_t i = 0; i < second.rule_count; i++)
		assert_string_equal(second.rules[i].text, compiled->rules[i].text);
	assert_same_list(&second.filter, &compiled->filter);
	assert_same_list(&second.limit, &compiled->limit);
	compiled_free(&second);
	policy_free(again);
}

/* Returns whether a rule of the list matches the packet. */
static bool judge_packet(const struct filter_list *rules, const struct compiled *compiled,
			 const struct compiled_list *list, const struct packet *packet, const char *text)
{
	uint32_t expected = first_rule(rules, packet), found = first_match(compiled, list, packet);

	if (expected != found)
		fail_msg("rule %d, not %d, of %s for kind %d protocol %u sport %u dport %u type %u code %u in:\n%s",
			 (int)found, (int)expected, list == &compiled->limit ? "limit" : "filter", packet->kind,
			 packet->protocol, packet->sport, packet->dport, packet->type, packet->code, text);
	return expected != NO_RULE;
}

static void judge(const char *text, unsigned packets, size_t *matched, size_t *refused)
{
	struct policy *policy = NULL;
	struct compiled compiled;
	struct error error;

	if (policy_parse(text, "test.policy", &policy, &error))
		fail_msg("%d:%d: %s\n%s\nin:\n%s", error.line, error.column, error.what, error.hint, text);
	if (compile(&policy->interfaces[0], &compiled, &error)) {
		/* Written without bits. */
		assert_non_null(strstr(error.what, "combinations"));
		(*refused)++;
		packets = 0;
	} else {
		judge_printed(policy, &compiled);
	}
	for (unsigned i = 0; i < packets; i++) {
		struct packet packet;

		random_packet(&packet);
		judge_packet(&policy->interfaces[0].limit, &compiled, &compiled.limit, &packet, text);
		*matched += judge_packet(&policy->interfaces[0].filter, &compiled, &compiled.filter, &packet, text);
	}
	compiled_free(&compiled);
	policy_free(policy);
}

static void boxes_say_what_rules_say(void **state)
{
	size_t matched = 0, refused = 0;

	srandom(1);
	for (int i = 0; i < 1500; i++) {
		CLEANUP_FREE char *text = random_policy();
		judge(text, 200, &matched, &refused);
	}
	assert_in_range(refused, 0, 30);
	assert_in_range(matched, 50000, 250000); /* neither always nor never */
}

/* The group's folder of its own; it is the working directory while the tests run. */
static char folder[] = "/tmp/sluice-test-filter-XXXXXX";

static int enter_folder(void **state)
{
	return !mkdtemp(folder) || chdir(folder) ? -1 : 0;
}

static int leave_folder(void **state)
{
	unlink("many4.txt");
	unlink("many6.txt");
	unlink("both.txt");
	return chdir("/") || rmdir(folder) ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boxes_say_what_rules_say),
	};

	return cmocka_run_group_tests_name("filter_random", tests, enter_folder, leave_folder);
}
