// SPDX-License-Identifier: BSD-2-Clause
#include "packet/read.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "packet/protocol.h"
#include "packet/reason.h"
#include "policy/policy.h"

static const char *const fragment_names[] = {
	[FRAGMENT_NONE] = "none",
	[FRAGMENT_FIRST] = "first",
	[FRAGMENT_LATER] = "later",
};

#define RECORD_TEXT_MAX 256 /* two IPv6 addresses with ports take 111 */

/* RFC 5952, as the C library writes it. */
static const char *address_text(const struct record *record, const uint8_t *address, char *text)
{
	return inet_ntop(record->version == 4 ? AF_INET : AF_INET6, address, text, INET6_ADDRSTRLEN);
}

/* The frame ended before its EtherType. */
static bool has_ethertype(const struct record *record)
{
	return record->malformed != REASON_MALFORMED_ETHERNET && record->malformed != REASON_MALFORMED_VLAN;
}

/* NULL when the packet ended before it said so. */
static const char *record_protocol(const struct record *record, char *text)
{
	if (record->has & HAS_ADDRESSES)
		return protocol_name(record->protocol, text);
	return has_ethertype(record) ? ethertype_name(record->ethertype, text) : NULL;
}

/* Leaves the key out when there is no text for it. */
static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, json_string(text));
}

static void set_number(json_t *object, const char *key, uint32_t number)
{
	json_object_set_new(object, key, json_integer(number));
}

static json_t *vlan_list(const struct record *record)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < record->vlans && i < VLANS_MAX; i++)
		json_array_append_new(list, json_integer(record->vlan[i]));
	return list;
}

static json_t *flag_list(const struct record *record)
{
	json_t *list = json_array();

	for (unsigned bit = 0; bit < 8; bit++) {
		if (record->tcp_flags & 1U << bit)
			json_array_append_new(list, json_string(tcp_flag_name(bit)));
	}
	return list;
}

json_t *record_json(const struct record *record, uint32_t length)
{
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN], protocol[PROTOCOL_TEXT_MAX];
	json_t *object = json_object();

	set_text(object, "verdict", verdict_name(record->verdict));
	set_text(object, "reason", reason_name(record->reason));
	set_text(object, "stage", reason_stage(record->reason));
	set_text(object, "malformed", reason_name(record->malformed));
	if (record->has & HAS_ADDRESSES) {
		set_text(object, "src", address_text(record, record->source, source));
		set_text(object, "dst", address_text(record, record->destination, destination));
	}
	set_text(object, "proto", record_protocol(record, protocol));
	if (record->has & HAS_PORTS) {
		set_number(object, "sport", record->source_port);
		set_number(object, "dport", record->destination_port);
	}
	if (record->has & HAS_ICMP) {
		set_number(object, "icmp_type", record->icmp_type);
		set_number(object, "icmp_code", record->icmp_code);
	}
	if (record->has & HAS_FLAGS)
		json_object_set_new(object, "tcp_flags", flag_list(record));
	if (record->has & HAS_ADDRESSES) {
		set_number(object, "ttl", record->hop_limit);
		set_number(object, "dscp", record->dscp);
	}
	json_object_set_new(object, "vlan", vlan_list(record));
	set_text(object, "fragment", fragment_names[record->fragment]);
	set_number(object, "length", length);
	return object;
}

static void append(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(char *text, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + used, RECORD_TEXT_MAX - used, format, arguments);
	va_end(arguments);
}

static void append_endpoint(char *text, const struct record *record, const uint8_t *address, uint16_t port)
{
	char buffer[INET6_ADDRSTRLEN];

	address_text(record, address, buffer);
	if (!(record->has & HAS_PORTS))
		append(text, " %s", buffer);
	else if (record->version == 4)
		append(text, " %s:%u", buffer, port);
	else
		append(text, " [%s]:%u", buffer, port);
}

static void append_icmp(char *text, const struct record *record)
{
	const char *name = icmp_type_name(record->version, record->icmp_type);

	if (name)
		append(text, " type %s", name);
	else
		append(text, " type %u", record->icmp_type);
	if (record->icmp_code)
		append(text, " code %u", record->icmp_code);
}

static void append_flags(char *text, const struct record *record)
{
	const char *before = " ";

	for (unsigned bit = 0; bit < 8; bit++) {
		if (!(record->tcp_flags & 1U << bit))
			continue;
		append(text, "%s%s", before, tcp_flag_name(bit));
		before = ",";
	}
}

/* What is as usual, and as packet_write has it when it is not written, is left out. */
static void append_header_fields(char *text, const struct record *record)
{
	int usual = usual_ttl(record->version, record->has & HAS_ICMP ? record->icmp_type : -1);

	if (record->has & HAS_FLAGS)
		append_flags(text, record);
	if (!(record->has & HAS_ADDRESSES))
		return;
	if (record->hop_limit != usual)
		append(text, " ttl %u", record->hop_limit);
	if (record->dscp)
		append(text, " dscp %u", record->dscp);
}

char *record_text(const struct record *record)
{
	char *text = xcalloc(RECORD_TEXT_MAX, 1);
	char protocol[PROTOCOL_TEXT_MAX];
	const char *name = record_protocol(record, protocol);

	append(text, "%s", name ? name : "ethernet");
	if (record->has & HAS_ADDRESSES) {
		append_endpoint(text, record, record->source, record->source_port);
		append(text, " >");
		append_endpoint(text, record, record->destination, record->destination_port);
	}
	if (record->has & HAS_ICMP)
		append_icmp(text, record);
	append_header_fields(text, record);
	for (unsigned i = 0; i < record->vlans && i < VLANS_MAX; i++)
		append(text, " vlan %u", record->vlan[i]);
	if (record->fragment != FRAGMENT_NONE)
		append(text, " fragment %s", fragment_names[record->fragment]);
	return text;
}
