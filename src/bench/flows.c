// SPDX-License-Identifier: BSD-2-Clause
#include "bench/flows.h"

#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/memory.h"
#include "packet/frame.h"

#define SEED 1
#define TTL 64

/* SplitMix64, https://prng.di.unimi.it/splitmix64.c: the same numbers on every machine. */
static uint64_t random64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Replaces the leading bits of the address by those of the prefix. */
static void move_inside(const struct prefix *prefix, uint8_t *address)
{
	size_t whole = prefix->length / 8;
	uint8_t host_bits = 0xff >> prefix->length % 8;

	memcpy(address, prefix->address, whole);
	if (prefix->length % 8)
		address[whole] = prefix->address[whole] | (address[whole] & host_bits);
}

static struct endpoint random_endpoint(uint64_t *state, uint8_t family, const struct prefix_table *inside)
{
	struct endpoint endpoint = { .version = family, .port = random64(state) & 0xffff };
	uint64_t words[2] = { random64(state), random64(state) };

	memcpy(endpoint.address, words, family == 4 ? 4 : 16);
	if (inside && inside->count)
		move_inside(&inside->entries[random64(state) % inside->count].prefix, endpoint.address);
	return endpoint;
}

static int write_frame(const struct draft *draft, struct meter_frame *out, struct error *error)
{
	CLEANUP_FREE uint8_t *bytes = NULL;
	size_t length;
	int err = frame_build(draft, &bytes, &length, error);

	if (err)
		return err;
	if (length != METER_FRAME)
		return error_set(error, EINVAL, "the cost meter takes frames of %d bytes, not %zu", METER_FRAME,
				 length);
	memcpy(out->words, bytes, METER_FRAME);
	return 0;
}

int flows_write(const struct compiled *compiled, uint8_t family, struct meter_frame *frames, uint32_t count,
		struct error *error)
{
	const struct prefix_table *sources = &compiled->tables[family == 4 ? TABLE_BLOCK_SOURCE4 : TABLE_BLOCK_SOURCE6];
	const struct prefix_table *destinations =
		&compiled->tables[family == 4 ? TABLE_BLOCK_DEST4 : TABLE_BLOCK_DEST6];
	struct draft draft = {
		.ethertype = family == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6,
		.version = family,
		.protocol = IPPROTO_UDP,
		.icmp_type = ABSENT,
		.icmp_code = ABSENT,
		.ttl = TTL,
		.length = METER_FRAME - ETH_HLEN - (family == 4 ? 20 : 40) - 8,
	};
	uint64_t state = SEED;
	int err = 0;

	for (uint32_t i = 0; i < count && !err; i++) {
		bool inside = random64(&state) >> 63;

		draft.source = random_endpoint(&state, family, inside ? sources : NULL);
		draft.destination = random_endpoint(&state, family, inside ? destinations : NULL);
		err = write_frame(&draft, &frames[i], error);
	}
	return err;
}
