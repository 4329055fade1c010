// SPDX-License-Identifier: BSD-2-Clause
#include "bench/template.h"

#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/memory.h"

#define TTL 64
#define SYN 0x02

#define IPV4_SIZE 20
#define IPV6_SIZE 40
#define IPV4_CHECK (ETH_HLEN + 10)
#define TCP_CHECK 16
#define UDP_CHECK 6

static size_t transport_offset(const struct template *template)
{
	return ETH_HLEN + (template->version == 4 ? IPV4_SIZE : IPV6_SIZE);
}

static size_t transport_check(const struct template *template)
{
	return transport_offset(template) + (template->tcp ? TCP_CHECK : UDP_CHECK);
}

int template_make(uint8_t version, bool tcp, size_t length, struct template *template, struct error *error)
{
	struct template made = { .version = version, .tcp = tcp };
	size_t headers = transport_offset(&made) + (tcp ? 20 : 8);
	struct draft draft = {
		.ethertype = version == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6,
		.version = version,
		.protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP,
		.source = { .version = version },
		.destination = { .version = version },
		.tcp_flags = SYN,
		.icmp_type = ABSENT,
		.icmp_code = ABSENT,
		.ttl = TTL,
		.length = length > headers ? (int)(length - headers) : 0,
	};
	CLEANUP_FREE uint8_t *bytes = NULL;
	int err = frame_build(&draft, &bytes, &made.length, error);

	if (err)
		return err;
	if (made.length > TEMPLATE_MAX)
		return error_set(error, EINVAL, "a frame of %zu bytes is too long to copy by the million", made.length);
	memcpy(made.frame, bytes, made.length);
	*template = made;
	return 0;
}

/* RFC 1071: the byte order does not matter, as long as it stays. */
static uint32_t add(uint32_t sum, const uint8_t *bytes, size_t size)
{
	uint16_t word;

	for (size_t i = 0; i < size; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	return sum;
}

static void write_check(uint8_t *at, uint32_t sum, bool zero_is_none)
{
	uint16_t check;

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	check = ~sum;
	if (zero_is_none && !check)
		check = 0xffff; /* RFC 768 */
	memcpy(at, &check, sizeof(check));
}

void template_sums(const struct template *template, const uint8_t *frame, uint16_t *ip, uint16_t *transport)
{
	uint16_t check;

	*ip = 0;
	if (template->version == 4) {
		memcpy(&check, frame + IPV4_CHECK, sizeof(check));
		*ip = ~check;
	}
	memcpy(&check, frame + transport_check(template), sizeof(check));
	*transport = ~check;
}

void template_complete(const struct template *template, const struct endpoint *source,
		       const struct endpoint *destination, uint8_t *frame)
{
	size_t size = template->version == 4 ? 4 : 16;
	uint8_t *addresses = frame + transport_offset(template) - 2 * size; /* they end the header in both families */
	uint8_t *ports = frame + transport_offset(template);
	uint16_t ip, transport;

	memcpy(frame, template->frame, template->length);
	template_sums(template, frame, &ip, &transport);
	memcpy(addresses, source->address, size);
	memcpy(addresses + size, destination->address, size);
	for (int i = 0; i < 2; i++) {
		ports[i] = source->port >> (8 - 8 * i);
		ports[2 + i] = destination->port >> (8 - 8 * i);
	}
	if (template->version == 4)
		write_check(frame + IPV4_CHECK, add(ip, addresses, 2 * size), false);
	write_check(frame + transport_check(template), add(add(transport, addresses, 2 * size), ports, 4),
		    !template->tcp);
}
