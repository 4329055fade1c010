// SPDX-License-Identifier: BSD-2-Clause
#include "bench/flows.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/memory.h"
#include "bench/random.h"
#include "bench/template.h"

#define SEED 1

/* In the frame of IPv4, of IPv6. */
#define PROTOCOL(family) ((family) == 4 ? 14 + 9 : 14 + 6)
#define TRANSPORT(family) ((family) == 4 ? 14 + 20 : 14 + 40)
#define TCP_OFFSET 12
#define TCP_FLAGS 13

/* Where the addresses of a listed flow are; empty: anywhere. */
struct inside {
	struct prefixes sources, destinations;
	const struct matches *matches; /* of the filter; NULL: addresses alone, of UDP */
};

struct flow {
	struct endpoint source, destination;
	uint8_t protocol;
};

static struct endpoint random_endpoint(uint64_t *state, uint8_t family, const struct prefixes *inside)
{
	struct endpoint endpoint = { .version = family, .port = random64(state) & 0xffff };
	struct prefix anywhere = { .version = family };

	random_inside(state, inside->count ? &inside->items[random64(state) % inside->count] : &anywhere,
		      endpoint.address);
	return endpoint;
}

/* One of the values that a box has in a lane and a packet can have: up to `last`. */
static uint32_t random_lane(uint64_t *state, const struct match *match, int shift, uint32_t last)
{
	uint32_t mask = 2 * last + 1; /* of the lane, which has a bit more for what no packet has */
	uint32_t low = match->low >> shift & mask, high = match->high >> shift & mask;

	if (high > last)
		high = last;
	return low > high ? high : low + random64(state) % (high - low + 1);
}

/* Where a box is not about one protocol: TCP or UDP. */
static uint8_t random_protocol(uint64_t *state, const struct match *match)
{
	uint32_t low = match->low >> FILTER_PROTOCOL_SHIFT & 0x3ff, high = match->high >> FILTER_PROTOCOL_SHIFT & 0x3ff;

	if (low == high && low <= FILTER_PROTOCOL_IP_LAST)
		return low;
	return random64(state) >> 63 ? IPPROTO_TCP : IPPROTO_UDP;
}

static struct flow random_flow(uint64_t *state, uint8_t family, const struct inside *inside)
{
	struct flow flow = { .protocol = IPPROTO_UDP };
	const struct match *match;

	if (!inside->matches || !inside->matches->count) {
		flow.source = random_endpoint(state, family, &inside->sources);
		flow.destination = random_endpoint(state, family, &inside->destinations);
		return flow;
	}
	match = &inside->matches->items[random64(state) % inside->matches->count];
	flow.source.version = flow.destination.version = family;
	random_inside(state, &match->source, flow.source.address);
	random_inside(state, &match->destination, flow.destination.address);
	flow.source.port = random_lane(state, match, FILTER_SOURCE_PORT_SHIFT, 0xffff);
	flow.destination.port = random_lane(state, match, FILTER_DESTINATION_PORT_SHIFT, 0xffff);
	flow.protocol = random_protocol(state, match);
	if (flow.protocol == (family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) /* type and code, a byte each */
		flow.source.port = (flow.source.port & 0xff) << 8 | (flow.destination.port & 0xff);
	return flow;
}

static void add_table(const struct prefix_table *table, struct prefixes *list)
{
	for (size_t i = 0; i < table->count; i++)
		prefixes_add(list, table->entries[i].prefix);
}

static void gather(const struct compiled *compiled, const struct flows *flows, struct inside *inside)
{
	bool v4 = flows->family == 4;

	if (flows->sources == SOURCES_SET) {
		for (size_t i = 0; i < flows->set->count; i++) {
			if (flows->set->items[i].version == flows->family)
				prefixes_add(&inside->sources, flows->set->items[i]);
		}
	} else if (flows->sources != SOURCES_RANDOM) {
		add_table(&compiled->tables[v4 ? TABLE_BLOCK_SOURCE4 : TABLE_BLOCK_SOURCE6], &inside->sources);
		add_table(&compiled->tables[v4 ? TABLE_BLOCK_DEST4 : TABLE_BLOCK_DEST6], &inside->destinations);
		if (!inside->sources.count && !inside->destinations.count)
			inside->matches = v4 ? &compiled->filter.matches4 : &compiled->filter.matches6;
	}
}

static size_t flows_offset(uint8_t family)
{
	return family == 4 ? METER_FLOW4_OFFSET : METER_FLOW6_OFFSET;
}

static size_t flows_size(uint8_t family)
{
	return family == 4 ? sizeof(struct meter_flow4) : sizeof(struct meter_flow6);
}

static void write_flows(const struct template *template, const struct flows *flows, const struct inside *inside,
			uint8_t *each, uint32_t count)
{
	static const struct inside anywhere;
	size_t offset = flows_offset(flows->family), size = flows_size(flows->family);
	uint64_t state = SEED;

	for (uint32_t i = 0; i < count; i++) {
		bool random = flows->sources == SOURCES_MIXED && random64(&state) >> 63;
		const struct inside *where = random ? &anywhere : inside;
		struct flow flow = random_flow(&state, flows->family, where);
		uint8_t frame[TEMPLATE_MAX];

		template_complete(template, &flow.source, &flow.destination, frame);
		frame[PROTOCOL(flows->family)] = flow.protocol;
		memcpy(each + i * size, frame + offset, size);
	}
}

int flows_write(const struct compiled *compiled, const struct flows *flows, void *frame, void *each, uint32_t count,
		struct error *error)
{
	uint8_t *transport = (uint8_t *)frame + TRANSPORT(flows->family);
	struct inside inside = { 0 };
	struct template template;
	int err = template_make(flows->family, false, METER_FRAME, &template, error);

	if (err)
		return err;
	if (template.length != METER_FRAME)
		return error_set(error, EINVAL, "the cost meter takes frames of %d bytes, not %zu", METER_FRAME,
				 template.length);
	memcpy(frame, template.frame, METER_FRAME);
	/* What is payload for UDP is the rest of the header for TCP. XDP takes no notice of checksums. */
	transport[TCP_OFFSET] = 5 << 4;
	transport[TCP_FLAGS] = TH_SYN;
	gather(compiled, flows, &inside);
	write_flows(&template, flows, &inside, each, count);
	prefixes_free(&inside.sources);
	prefixes_free(&inside.destinations);
	return 0;
}
