// SPDX-License-Identifier: BSD-2-Clause
#include "policy/habits.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "policy/prefix.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Prefixes of a range that a hint names: most ranges have no more. */
#define RANGE_SHOWN 5

static const char from[] = "write: from 192.0.2.0/24, or with a set: from @office";
static const char to[] = "write: to 192.0.2.0/24, or with a set: to @servers";
static const char all[] = "what a rule does not name may be anything: leave it out";
static const char one_interface[] = "a rule is about what arrives at the interface of its block";

struct habit {
	const char *word, *hint;
};

static const struct habit verbs[] = {
	{ "allow", "write: accept" }, { "permit", "write: accept" }, { "pass", "write: accept" },
	{ "deny", "write: drop" },    { "block", "write: drop" },    { "discard", "write: drop" },
};

/* Of connections, which this version does not keep. */
static const char *const states[] = { "ct", "state", "ctstate", "conntrack", "related", "new", "invalid" };

static const struct habit matches[] = {
	{ "port", "write dport for the port that a packet goes to, sport for the one it comes from: tcp dport 80" },
	{ "syn", "write: tcp flags syn/syn,ack" },
	{ "ports", "write dport for the ports that a packet goes to: tcp dport { 80, 443 }" },
	{ "proto", "write: protocol gre, or tcp, udp, icmp, icmpv6, sctp alone" },
	{ "any", all },
	{ "saddr", from },
	{ "src", from },
	{ "source", from },
	{ "daddr", to },
	{ "dst", to },
	{ "destination", to },
	{ "ip", "write ipv4; addresses of both families stand behind `from` and `to`" },
	{ "ip6", "write ipv6; addresses of both families stand behind `from` and `to`" },
	{ "icmp6", "write: icmpv6" },
	{ "ipv6-icmp", "write: icmpv6" },
	{ "in", one_interface },
	{ "on", one_interface },
	{ "iif", one_interface },
	{ "iifname", one_interface },
};

/* Only for hints: what a policy means may not hang on a list that one system has and another has not. */
static const struct {
	const char *name;
	uint16_t port;
} services[] = {
	{ "ftp", 21 },
	{ "ssh", 22 },
	{ "telnet", 23 },
	{ "smtp", 25 },
	{ "domain", 53 },
	{ "dns", 53 },
	{ "bootps", 67 },
	{ "bootpc", 68 },
	{ "dhcp", 67 },
	{ "tftp", 69 },
	{ "http", 80 },
	{ "www", 80 },
	{ "kerberos", 88 },
	{ "pop3", 110 },
	{ "sunrpc", 111 },
	{ "ntp", 123 },
	{ "imap", 143 },
	{ "imap2", 143 },
	{ "snmp", 161 },
	{ "bgp", 179 },
	{ "ldap", 389 },
	{ "https", 443 },
	{ "submissions", 465 },
	{ "isakmp", 500 },
	{ "syslog", 514 },
	{ "dhcpv6-client", 546 },
	{ "dhcpv6-server", 547 },
	{ "submission", 587 },
	{ "ipp", 631 },
	{ "ldaps", 636 },
	{ "domain-s", 853 },
	{ "imaps", 993 },
	{ "pop3s", 995 },
	{ "openvpn", 1194 },
	{ "ssdp", 1900 },
	{ "nfs", 2049 },
	{ "mysql", 3306 },
	{ "rdp", 3389 },
	{ "ipsec-nat-t", 4500 },
	{ "sip", 5060 },
	{ "mdns", 5353 },
	{ "postgresql", 5432 },
	{ "http-alt", 8080 },
	{ "wireguard", 51820 },
};

/* Of iptables and ping(8), by the names of nftables that the language has. */
static const struct {
	int version;
	const char *word, *type;
} types[] = {
	{ 4, "echo", "echo-request" },
	{ 4, "ping", "echo-request" },
	{ 4, "pong", "echo-reply" },
	{ 4, "unreachable", "destination-unreachable" },
	{ 4, "ttl-exceeded", "time-exceeded" },
	{ 4, "address-mask", "address-mask-request" },
	{ 4, "timestamp", "timestamp-request" },
	{ 6, "echo", "echo-request" },
	{ 6, "ping", "echo-request" },
	{ 6, "pong", "echo-reply" },
	{ 6, "unreachable", "destination-unreachable" },
	{ 6, "ttl-exceeded", "time-exceeded" },
	{ 6, "too-big", "packet-too-big" },
	{ 6, "router-solicitation", "nd-router-solicit" },
	{ 6, "router-advertisement", "nd-router-advert" },
	{ 6, "neighbor-solicitation", "nd-neighbor-solicit" },
	{ 6, "neighbour-solicitation", "nd-neighbor-solicit" },
	{ 6, "neighbor-advertisement", "nd-neighbor-advert" },
	{ 6, "neighbour-advertisement", "nd-neighbor-advert" },
	{ 6, "redirect", "nd-redirect" },
};

static int service_port(const char *name)
{
	for (size_t i = 0; i < COUNT(services); i++) {
		if (!strcasecmp(services[i].name, name))
			return services[i].port;
	}
	return -1;
}

/* Which protocol a service has, its name does not say: most have one, some both. */
static const char *service_in_rule(const char *name)
{
	return service_port(name) < 0 ? NULL : "a service is a protocol and a port, as a number: tcp dport 443";
}

static const char *find(const struct habit *habits, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcasecmp(habits[i].word, word))
			return habits[i].hint;
	}
	return NULL;
}

static bool is_state(const char *word)
{
	for (size_t i = 0; i < COUNT(states); i++) {
		if (!strcasecmp(states[i], word))
			return true;
	}
	return false;
}

const char *habit_in_rule(const char *word)
{
	if (is_state(word))
		return "this version keeps no connections; for answers to TCP connections write: accept tcp flags "
		       "ack/ack";
	return find(verbs, COUNT(verbs), word) ?: find(matches, COUNT(matches), word) ?: service_in_rule(word);
}

const char *habit_in_limit(const char *word)
{
	if (is_state(word))
		return "this version keeps no connections; the first packet of one is: tcp flags syn/syn,ack";
	if (!strcasecmp(word, "any"))
		return "write: all";
	return find(matches, COUNT(matches), word) ?: service_in_rule(word);
}

const char *habit_icmp_type(int version, const char *word)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		if (types[i].version == version && !strcasecmp(types[i].word, word))
			return types[i].type;
	}
	return NULL;
}

/* "80:90", as iptables writes it. */
static bool is_colon_range(const char *text, size_t *first)
{
	*first = strspn(text, "0123456789");
	if (!*first || text[*first] != ':')
		return false;
	return text[*first + 1] && !text[*first + 1 + strspn(text + *first + 1, "0123456789")];
}

bool habit_hint_port(const char *text, struct error *error)
{
	int port = service_port(text);
	size_t first;

	if (port >= 0)
		error_hint(error, "write the number: %s is %d", text, port);
	else if (is_colon_range(text, &first))
		error_hint(error, "a range is written with a dash: %.*s-%s", (int)first, text, text + first + 1);
	else
		return false;
	return true;
}

/* "192.0.2.1-192.0.2.9": its ends, each a whole address. */
static bool read_range(const char *text, struct prefix *first, struct prefix *last)
{
	const char *dash = strchr(text, '-');
	struct prefix ends[2] = { { .version = 4, .length = 32 }, { .version = 4, .length = 32 } };
	char low[PREFIX_TEXT_MAX];
	int family = AF_INET;

	if (!dash || (size_t)(dash - text) >= sizeof(low))
		return false;
	if (strchr(text, ':')) {
		family = AF_INET6;
		ends[0] = ends[1] = (struct prefix){ .version = 6, .length = 128 };
	}
	snprintf(low, sizeof(low), "%.*s", (int)(dash - text), text);
	if (inet_pton(family, low, ends[0].address) != 1 || inet_pton(family, dash + 1, ends[1].address) != 1)
		return false;
	*first = ends[0];
	*last = ends[1];
	return true;
}

static void hint_range(const struct prefix *first, const struct prefix *last, struct error *error)
{
	char list[(RANGE_SHOWN + 1) * PREFIX_TEXT_MAX] = "", text[PREFIX_TEXT_MAX];
	struct prefixes prefixes = { 0 };
	size_t used;

	prefixes_add_range(&prefixes, first, last);
	for (size_t i = 0; i < prefixes.count && i < RANGE_SHOWN; i++) {
		used = strlen(list);
		snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
			 prefix_print(&prefixes.items[i], text));
	}
	used = strlen(list);
	if (prefixes.count > RANGE_SHOWN)
		snprintf(list + used, sizeof(list) - used, " and %zu more", prefixes.count - RANGE_SHOWN);
	error_hint(error, "these addresses are, as prefixes: %s", list);
	prefixes_free(&prefixes);
}

bool habit_hint_address(const char *text, struct error *error)
{
	struct prefix first, last;

	if (!read_range(text, &first, &last))
		return false;
	if (memcmp(first.address, last.address, sizeof(first.address)) > 0)
		error_hint(error, "prefixes stand for a range, and this one ends before it begins");
	else
		hint_range(&first, &last, error);
	return true;
}

bool habit_is_all(const char *text)
{
	return !strcasecmp(text, "any") || !strcasecmp(text, "all");
}
