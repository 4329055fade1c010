// SPDX-License-Identifier: BSD-2-Clause
/* `ether type` and `meta protocol` of nftables. */
#include <net/ethernet.h>
#include <string.h>

#include "import/nft.h"
#include "packet/protocol.h"

/* Takes a value out of the ranges. Returns whether it was in them. */
static bool take_out(struct pool *pool, struct ranges *ranges, uint32_t value)
{
	struct ranges one = ranges_one(pool, value, value), others = ranges_not(pool, &one, UINT16_MAX);
	bool was_in = !ranges_apart(ranges, &one);

	*ranges = ranges_and(pool, ranges, &others);
	return was_in;
}

/* False for what `ethertype` has no words for: lengths, tags, ranges of more than some. */
static bool are_ethertypes(struct pool *pool, const struct ranges *types)
{
	static const uint32_t tags[] = { ETHERTYPE_VLAN, ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD };
	struct ranges rest = *types;

	for (size_t i = 0; i < types->count; i++) {
		if (types->items[i].high - types->items[i].low >= NAMES_MAX || types->items[i].low < ETHERTYPE_MIN)
			return false;
	}
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		if (take_out(pool, &rest, tags[i]))
			return false;
	}
	return true;
}

bool nft_ethertypes(struct nft_rule *reading, const char *op, const json_t *right, struct choice *choice)
{
	struct pool *pool = &reading->nft->firewall->pool;
	struct terms *items = pool_alloc(pool, 2 * sizeof(*items));
	bool negated = !strcmp(op, "!=");
	struct values values = { 0 };
	struct ranges types = { 0 };
	unsigned families = 0;
	size_t count = 0;
	bool read = (negated || !strcmp(op, "==")) &&
		    values_add_numbers(reading, FILTER_FIELD_ETHERTYPE, 4, right, &values);

	types = ranges_make(pool, values.ranges, values.range_count);
	values_free(&values);
	families |= take_out(pool, &types, ETHERTYPE_IP) ? FAMILY_IPV4 : 0;
	families |= take_out(pool, &types, ETHERTYPE_IPV6) ? FAMILY_IPV6 : 0;
	families |= take_out(pool, &types, ETHERTYPE_ARP) ? FAMILY_ARP : 0;
	if (negated)
		families = FAMILY_ALL & ~families;
	if (types.count) {
		items[count++] = terms_number(FAMILY_OTHER, FILTER_FIELD_ETHERTYPE,
					      negated ? ranges_not(pool, &types, UINT16_MAX) : types);
		families &= ~(unsigned)FAMILY_OTHER;
	}
	if (families)
		items[count++] = terms_all(families);
	*choice = (struct choice){ .items = items, .count = count };
	return read && are_ethertypes(pool, &types);
}
