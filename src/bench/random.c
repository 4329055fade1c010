// SPDX-License-Identifier: BSD-2-Clause
#include "bench/random.h"

#include <string.h>

/* https://prng.di.unimi.it/splitmix64.c */
uint64_t random64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void random_inside(uint64_t *state, const struct prefix *prefix, uint8_t *address)
{
	uint64_t words[2] = { random64(state), random64(state) };
	uint8_t host_bits = 0xff >> prefix->length % 8;
	size_t whole = prefix->length / 8;

	memcpy(address, words, prefix->version == 4 ? 4 : 16);
	memcpy(address, prefix->address, whole);
	if (prefix->length % 8)
		address[whole] = prefix->address[whole] | (address[whole] & host_bits);
}
