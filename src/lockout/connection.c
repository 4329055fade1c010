// SPDX-License-Identifier: BSD-2-Clause
#include "lockout/connection.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define SEGMENT 64 /* bytes of data, as of a key pressed or a short answer */
#define TTL 64

struct endpoint endpoint_from(int family, const void *address, uint16_t port)
{
	struct endpoint endpoint = { .version = family == AF_INET ? 4 : 6, .port = port };

	if (family == AF_INET) {
		memcpy(endpoint.address, address, 4);
	} else if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address)) {
		endpoint.version = 4;
		memcpy(endpoint.address, (const uint8_t *)address + 12, 4);
	} else {
		memcpy(endpoint.address, address, 16);
	}
	return endpoint;
}

static bool parse_port(const char *word, uint16_t *port)
{
	size_t digits = strspn(word, "0123456789");
	unsigned long number = strtoul(word, NULL, 10);

	if (!digits || digits > 5 || word[digits] || number < 1 || number > 65535)
		return false;
	*port = number;
	return true;
}

/* `address` may lose its zone. */
static bool parse_endpoint(char *address, const char *port, struct endpoint *endpoint)
{
	char *zone = strchr(address, '%');
	struct in6_addr binary;
	uint16_t number;
	int family = AF_INET;

	if (!parse_port(port, &number))
		return false;
	if (strchr(address, ':')) {
		family = AF_INET6;
		if (zone)
			*zone = '\0';
	}
	if (inet_pton(family, address, &binary) != 1)
		return false;
	*endpoint = endpoint_from(family, &binary, number);
	return true;
}

#define WORDS 4

bool connection_parse(const char *text, struct connection *connection)
{
	CLEANUP_FREE char *copy = xstrdup(text);
	struct connection parsed = { 0 };
	char *rest = copy;
	char *words[WORDS];

	for (int i = 0; i < WORDS; i++) {
		words[i] = strsep(&rest, " ");
		if (!words[i])
			return false;
	}
	if (rest || !parse_endpoint(words[0], words[1], &parsed.remote) ||
	    !parse_endpoint(words[2], words[3], &parsed.local) || parsed.remote.version != parsed.local.version)
		return false;
	*connection = parsed;
	return true;
}

static bool is_same_address(const struct endpoint *a, const struct endpoint *b)
{
	return a->version == b->version && !memcmp(a->address, b->address, sizeof(a->address));
}

bool connection_same(const struct connection *a, const struct connection *b)
{
	return is_same_address(&a->remote, &b->remote) && a->remote.port == b->remote.port &&
	       is_same_address(&a->local, &b->local) && a->local.port == b->local.port;
}

const char *endpoint_text(const struct endpoint *endpoint, char *text)
{
	return inet_ntop(endpoint->version == 4 ? AF_INET : AF_INET6, endpoint->address, text, INET6_ADDRSTRLEN);
}

char *connection_text(const struct connection *connection)
{
	char remote[INET6_ADDRSTRLEN], local[INET6_ADDRSTRLEN];

	return xasprintf("%s port %d to %s port %d", endpoint_text(&connection->remote, remote),
			 connection->remote.port, endpoint_text(&connection->local, local), connection->local.port);
}

int connection_frame(const struct connection *connection, const uint16_t *vlan, unsigned vlans, uint8_t **bytes,
		     size_t *length, struct error *error)
{
	struct draft draft = {
		.ethertype = connection->remote.version == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6,
		.version = connection->remote.version,
		.protocol = IPPROTO_TCP,
		.source = connection->remote,
		.destination = connection->local,
		.tcp_flags = TH_ACK | TH_PUSH,
		.icmp_type = ABSENT,
		.icmp_code = ABSENT,
		.vlans = vlans,
		.ttl = TTL,
		.length = SEGMENT,
	};

	memcpy(draft.vlan, vlan, vlans * sizeof(*vlan));
	return frame_build(&draft, bytes, length, error);
}
