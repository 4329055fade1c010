// SPDX-License-Identifier: BSD-2-Clause
#include "bench/flows.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "bench/random.h"
#include "bench/template.h"

#define SEED 1
#define UDP4_CHECK (14 + 20 + 6)

/* Where the addresses of a listed flow are; empty: anywhere. */
struct inside {
	struct prefixes sources, destinations;
};

static struct endpoint random_endpoint(uint64_t *state, uint8_t family, const struct prefixes *inside)
{
	struct endpoint endpoint = { .version = family, .port = random64(state) & 0xffff };
	struct prefix anywhere = { .version = family };

	random_inside(state, inside->count ? &inside->items[random64(state) % inside->count] : &anywhere,
		      endpoint.address);
	return endpoint;
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
		struct endpoint source = random_endpoint(&state, flows->family, &where->sources);
		struct endpoint destination = random_endpoint(&state, flows->family, &where->destinations);
		uint8_t frame[TEMPLATE_MAX];

		template_complete(template, &source, &destination, frame);
		memcpy(each + i * size, frame + offset, size);
	}
}

int flows_write(const struct compiled *compiled, const struct flows *flows, void *frame, void *each, uint32_t count,
		struct error *error)
{
	struct inside inside = { 0 };
	struct template template;
	int err = template_make(flows->family, false, METER_FRAME, &template, error);

	if (err)
		return err;
	if (template.length != METER_FRAME)
		return error_set(error, EINVAL, "the cost meter takes frames of %d bytes, not %zu", METER_FRAME,
				 template.length);
	memcpy(frame, template.frame, METER_FRAME);
	if (flows->family == 4)
		memset((uint8_t *)frame + UDP4_CHECK, 0, 2); /* RFC 768: there is none */
	gather(compiled, flows, &inside);
	write_flows(&template, flows, &inside, each, count);
	prefixes_free(&inside.sources);
	prefixes_free(&inside.destinations);
	return 0;
}
