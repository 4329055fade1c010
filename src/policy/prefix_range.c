// SPDX-License-Identifier: BSD-2-Clause
#include "policy/prefix.h"

static int prefix_bits(const struct prefix *prefix)
{
	return prefix->version == 4 ? 32 : 128;
}

static int first_difference(const struct prefix *first, const struct prefix *last)
{
	int bit = 0;

	while (bit < prefix_bits(first) && !((first->address[bit / 8] ^ last->address[bit / 8]) & 0x80 >> bit % 8))
		bit++;
	return bit;
}

/* True when all bits from `bit` on are `value`. */
static bool rest_is(const struct prefix *prefix, int bit, int value)
{
	for (; bit < prefix_bits(prefix); bit++) {
		if (!!(prefix->address[bit / 8] & 0x80 >> bit % 8) != value)
			return false;
	}
	return true;
}

static struct prefix with_rest(const struct prefix *prefix, int bit, int value)
{
	struct prefix made = *prefix;

	for (; bit < prefix_bits(prefix); bit++) {
		made.address[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
		if (value)
			made.address[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	}
	return made;
}

void prefixes_add_range(struct prefixes *list, const struct prefix *first, const struct prefix *last)
{
	int common = first_difference(first, last);

	if (rest_is(first, common, 0) && rest_is(last, common, 1)) {
		struct prefix prefix = *first;

		prefix.length = (uint8_t)common;
		prefixes_add(list, prefix);
		return;
	}
	struct prefix low_end = with_rest(first, common + 1, 1);
	struct prefix high_begin = with_rest(last, common + 1, 0);

	prefixes_add_range(list, first, &low_end);
	prefixes_add_range(list, &high_begin, last);
}
