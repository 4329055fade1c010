// SPDX-License-Identifier: BSD-2-Clause
#include "compile/near.h"

#include <net/ethernet.h>
#include <stdbool.h>
#include <string.h>

#define STATIC_SETS ((1ULL << FILTER_STATIC_SETS_MAX) - 1)

/* The packet as far as the record tells, and the sets that its addresses are in. */
struct packet {
	struct prefix source, destination;
	uint64_t lanes, marks, ranges;
	uint64_t marks_known;
};

static struct prefix host(const struct record *record, const uint8_t *address)
{
	struct prefix prefix = { .version = record->version, .length = record->version == 6 ? 128 : 32 };

	memcpy(prefix.address, address, prefix.length / 8);
	return prefix;
}

/* The longest prefix has the answer, and comes last of those that cover the address. */
static uint64_t sets_of(const struct prefix_table *table, const struct prefix *address)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < table->count; i++) {
		if (prefix_covers(&table->entries[i].prefix, address))
			bits = table->entries[i].value;
	}
	return bits & STATIC_SETS;
}

static struct packet packet_of(const struct compiled *compiled, const struct record *record)
{
	bool is_v6 = record->version == 6, is_ip = record->has & HAS_ADDRESSES;
	uint64_t source_port = FILTER_PORT_NONE, destination_port = FILTER_PORT_NONE;
	uint64_t protocol = is_ip				 ? record->protocol
			    : record->ethertype == ETHERTYPE_ARP ? FILTER_PROTOCOL_ARP
								 : FILTER_PROTOCOL_OTHER;
	struct packet packet = {
		.source = host(record, record->source),
		.destination = host(record, record->destination),
		.marks_known = FILTER_TCP_FLAGS | FILTER_TCP | FILTER_FRAGMENT_FIRST | FILTER_FRAGMENT_LATER |
			       FILTER_IP | STATIC_SETS << FILTER_SOURCE_SETS_SHIFT |
			       STATIC_SETS << FILTER_DESTINATION_SETS_SHIFT,
	};

	if (record->has & HAS_PORTS) {
		source_port = record->source_port;
		destination_port = record->destination_port;
	} else if (record->has & HAS_ICMP) {
		source_port = record->icmp_type;
		destination_port = record->icmp_code;
	} else if (!is_ip) {
		destination_port = record->ethertype;
	}
	packet.lanes = source_port << FILTER_SOURCE_PORT_SHIFT | destination_port << FILTER_DESTINATION_PORT_SHIFT |
		       protocol << FILTER_PROTOCOL_SHIFT;
	packet.ranges = (uint64_t)record->hop_limit << FILTER_HOP_LIMIT_SHIFT |
			(uint64_t)record->dscp << FILTER_DSCP_SHIFT |
			(uint64_t)(record->vlans ? record->vlan[0] : FILTER_VLAN_NONE) << FILTER_VLAN_SHIFT;
	if (!is_ip)
		return packet;
	packet.marks = FILTER_IP;
	if (record->has & HAS_FLAGS)
		packet.marks |= FILTER_TCP | record->tcp_flags;
	if (record->fragment == FRAGMENT_FIRST)
		packet.marks |= FILTER_FRAGMENT_FIRST;
	if (record->fragment == FRAGMENT_LATER)
		packet.marks |= FILTER_FRAGMENT_LATER;
	packet.marks |= sets_of(&compiled->tables[is_v6 ? TABLE_FILTER_SOURCE6 : TABLE_FILTER_SOURCE4], &packet.source)
			<< FILTER_SOURCE_SETS_SHIFT;
	packet.marks |= sets_of(&compiled->tables[is_v6 ? TABLE_FILTER_DEST6 : TABLE_FILTER_DEST4], &packet.destination)
			<< FILTER_DESTINATION_SETS_SHIFT;
	return packet;
}

static bool lane_inside(uint64_t value, uint64_t low, uint64_t high, unsigned shift, unsigned bits)
{
	uint64_t mask = (1ULL << bits) - 1;

	value = value >> shift & mask;
	return value >= (low >> shift & mask) && value <= (high >> shift & mask);
}

/* The field that alone does not match; NULL when all or several do not. */
static const char *only_failure(const struct match *match, const struct packet *packet, const struct record *record)
{
	const struct filter_extra *extra = &match->extra;
	bool is_icmp = record->has & HAS_ICMP, is_ip = record->has & HAS_ADDRESSES;
	uint64_t odd = (packet->marks ^ extra->marks) & extra->marks_mask & packet->marks_known;
	bool any_range = extra->high != 0;
	const struct {
		const char *field;
		bool matches;
	} fields[] = {
		{ "from", prefix_covers(&match->source, &packet->source) || !match->source.length },
		{ "to", prefix_covers(&match->destination, &packet->destination) || !match->destination.length },
		{ is_icmp ? "type" : "sport",
		  lane_inside(packet->lanes, match->low, match->high, FILTER_SOURCE_PORT_SHIFT, 17) },
		{ is_icmp ? "code"
		  : is_ip ? "dport"
			  : "ethertype",
		  lane_inside(packet->lanes, match->low, match->high, FILTER_DESTINATION_PORT_SHIFT, 17) },
		{ "protocol", lane_inside(packet->lanes, match->low, match->high, FILTER_PROTOCOL_SHIFT, 10) },
		{ "flags", !(odd & (FILTER_TCP_FLAGS | FILTER_TCP)) },
		{ "fragment", !(odd & (FILTER_FRAGMENT_FIRST | FILTER_FRAGMENT_LATER)) },
		{ "from", !(odd & STATIC_SETS << FILTER_SOURCE_SETS_SHIFT) },
		{ "to", !(odd & STATIC_SETS << FILTER_DESTINATION_SETS_SHIFT) },
		{ "ttl",
		  !any_range || lane_inside(packet->ranges, extra->low, extra->high, FILTER_HOP_LIMIT_SHIFT, 8) },
		{ "dscp", !any_range || lane_inside(packet->ranges, extra->low, extra->high, FILTER_DSCP_SHIFT, 6) },
		{ "vlan", !any_range || lane_inside(packet->ranges, extra->low, extra->high, FILTER_VLAN_SHIFT, 13) },
	};
	const char *failure = NULL;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i].matches)
			continue;
		if (failure)
			return NULL;
		failure = fields[i].field;
	}
	return failure;
}

/* From what is not IP every rule about IP is off by its protocol, and the other way round: that says nothing. */
static bool are_both_ip(const struct match *match, const struct record *record)
{
	return record->has & HAS_ADDRESSES && match->low >> FILTER_PROTOCOL_SHIFT < FILTER_PROTOCOL_ARP;
}

size_t near_misses(const struct compiled *compiled, const struct record *record, struct near_miss *misses, size_t max)
{
	const struct matches *matches = record->version == 6 ? &compiled->filter.matches6 : &compiled->filter.matches4;
	struct packet packet = packet_of(compiled, record);
	size_t count = 0;

	for (size_t i = 0; i < matches->count && count < max; i++) {
		size_t rule = compiled->filter.first + matches->items[i].rule;
		const char *field;

		if (rule >= record->rule && record->rule != PREFIX_NONE)
			break;
		if (count && misses[count - 1].rule == rule)
			continue; /* one of its boxes is near already */
		field = only_failure(&matches->items[i], &packet, record);
		if (field && (strcmp(field, "protocol") != 0 || are_both_ip(&matches->items[i], record)))
			misses[count++] = (struct near_miss){ .rule = rule, .field = field };
	}
	return count;
}
