// SPDX-License-Identifier: BSD-2-Clause
#include "import/terms.h"

#include <string.h>

#include "import/addresses.h"

/* Terms of a rule multiply when several of its conditions are choices. */
#define CHOICES_MAX 4096

struct terms terms_all(unsigned families)
{
	return (struct terms){ .families = families, .fragments = FRAGMENT_KIND_ALL };
}

static bool has_ip_field(const struct terms *terms)
{
	return terms->numbers[FILTER_FIELD_PROTOCOL].given || terms->numbers[FILTER_FIELD_DSCP].given ||
	       terms->numbers[FILTER_FIELD_TTL].given || terms->source.given || terms->destination.given ||
	       terms->fragments != FRAGMENT_KIND_ALL || terms->extensions;
}

static enum terms_result and_numbers(struct pool *pool, const struct terms *a, const struct terms *b,
				     struct terms *both)
{
	for (int field = 0; field < FILTER_FIELD_COUNT; field++) {
		both->numbers[field] = ranges_and(pool, &a->numbers[field], &b->numbers[field]);
		if (both->numbers[field].given && !both->numbers[field].count)
			return TERMS_NEVER;
	}
	return TERMS_OK;
}

static enum terms_result and_addresses(struct pool *pool, const struct terms *a, const struct terms *b,
				       struct terms *both, const char **why)
{
	enum terms_result source = addresses_and(pool, &a->source, &b->source, &both->source, why);
	enum terms_result destination;

	if (source != TERMS_OK)
		return source;
	destination = addresses_and(pool, &a->destination, &b->destination, &both->destination, why);
	if (destination != TERMS_OK)
		return destination;
	both->families &= addresses_families(&both->source) | (both->source.given ? 0 : FAMILY_ALL);
	both->families &= addresses_families(&both->destination) | (both->destination.given ? 0 : FAMILY_ALL);
	both->source = addresses_of_families(pool, &both->source, both->families);
	both->destination = addresses_of_families(pool, &both->destination, both->families);
	return both->families ? TERMS_OK : TERMS_NEVER;
}

static enum terms_result and_marks(const struct terms *a, const struct terms *b, struct terms *both, const char **why)
{
	if ((a->flags ^ b->flags) & a->flags_mask & b->flags_mask)
		return TERMS_NEVER;
	both->flags = a->flags | b->flags;
	both->flags_mask = a->flags_mask | b->flags_mask;
	both->fragments = a->fragments & b->fragments;
	if (!both->fragments)
		return TERMS_NEVER;
	both->extensions = a->extensions | b->extensions;
	if (both->extensions & (both->extensions - 1)) {
		*why = "two extension headers in one rule";
		return TERMS_UNSAYABLE;
	}
	if (a->has_mac && b->has_mac && memcmp(a->mac, b->mac, sizeof(a->mac)) != 0)
		return TERMS_NEVER;
	if (b->has_mac) {
		both->has_mac = true;
		memcpy(both->mac, b->mac, sizeof(b->mac));
	}
	return TERMS_OK;
}

static bool has_transport_field(const struct terms *terms)
{
	return terms->numbers[FILTER_FIELD_SPORT].given || terms->numbers[FILTER_FIELD_DPORT].given ||
	       terms->numbers[FILTER_FIELD_TYPE].given || terms->numbers[FILTER_FIELD_CODE].given || terms->flags_mask;
}

/* Later fragments have no ports, so that a rule about ports need not leave them out. False when nothing is left. */
static bool settle_fragments(struct terms *terms)
{
	if (!has_transport_field(terms) || terms->fragments == FRAGMENT_KIND_ALL)
		return true;
	terms->fragments &= ~(unsigned)FRAGMENT_KIND_LATER;
	if (terms->fragments == (FRAGMENT_KIND_NONE | FRAGMENT_KIND_FIRST))
		terms->fragments = FRAGMENT_KIND_ALL;
	return terms->fragments;
}

static bool is_only(const struct ranges *ranges, const uint32_t *values, size_t count)
{
	for (size_t i = 0; i < ranges->count; i++) {
		size_t known = 0;

		for (size_t v = 0; v < count; v++)
			known += values[v] >= ranges->items[i].low && values[v] <= ranges->items[i].high;
		if (known != ranges->items[i].high - ranges->items[i].low + 1)
			return false;
	}
	return ranges->given;
}

const char *terms_unsayable(const struct terms *terms)
{
	static const uint32_t with_ports[] = { 6, 17, 132 }, icmp[] = { 1 }, icmpv6[] = { 58 };
	const struct ranges *protocol = &terms->numbers[FILTER_FIELD_PROTOCOL];

	if ((terms->numbers[FILTER_FIELD_SPORT].given || terms->numbers[FILTER_FIELD_DPORT].given) &&
	    !is_only(protocol, with_ports, 3))
		return "ports are known of TCP, UDP and SCTP only";
	if ((terms->numbers[FILTER_FIELD_TYPE].given || terms->numbers[FILTER_FIELD_CODE].given) &&
	    !is_only(protocol, icmp, 1) && !is_only(protocol, icmpv6, 1))
		return "a type without ICMP";
	if (terms->families & FAMILY_OTHER && terms->families != FAMILY_ALL &&
	    !terms->numbers[FILTER_FIELD_ETHERTYPE].given)
		return "what is neither IP nor ARP has no word of its own";
	return NULL;
}

enum terms_result terms_and(struct pool *pool, const struct terms *a, const struct terms *b, struct terms *both,
			    const char **why)
{
	struct terms made = *a;
	enum terms_result result;

	made.families &= b->families;
	if (!made.families)
		return TERMS_NEVER;
	result = and_numbers(pool, a, b, &made);
	if (result == TERMS_OK)
		result = and_addresses(pool, a, b, &made, why);
	if (result == TERMS_OK)
		result = and_marks(a, b, &made, why);
	if (result != TERMS_OK)
		return result;
	if (!settle_fragments(&made))
		return TERMS_NEVER;
	if (has_ip_field(&made))
		made.families &= FAMILY_IP;
	if (made.numbers[FILTER_FIELD_ETHERTYPE].given)
		made.families &= FAMILY_OTHER;
	if (made.extensions)
		made.families &= ~(unsigned)FAMILY_IPV4;
	if (!made.families)
		return TERMS_NEVER;
	*both = made;
	return TERMS_OK;
}

static bool same_numbers(const struct terms *a, const struct terms *b)
{
	for (int field = 0; field < FILTER_FIELD_COUNT; field++) {
		const struct ranges *left = &a->numbers[field], *right = &b->numbers[field];

		if (left->given != right->given || left->count != right->count)
			return false;
		for (size_t i = 0; i < left->count; i++) {
			if (left->items[i].low != right->items[i].low || left->items[i].high != right->items[i].high)
				return false;
		}
	}
	return true;
}

bool terms_equal(const struct terms *a, const struct terms *b)
{
	return a->families == b->families && same_numbers(a, b) && addresses_equal(&a->source, &b->source) &&
	       addresses_equal(&a->destination, &b->destination) && a->flags == b->flags &&
	       a->flags_mask == b->flags_mask && a->fragments == b->fragments && a->extensions == b->extensions &&
	       a->has_mac == b->has_mac && (!a->has_mac || !memcmp(a->mac, b->mac, sizeof(a->mac)));
}

bool terms_cover(struct pool *pool, const struct terms *outer, const struct terms *inner)
{
	struct terms both;
	const char *why;

	return terms_and(pool, outer, inner, &both, &why) == TERMS_OK && terms_equal(&both, inner);
}

bool terms_apart(struct pool *pool, const struct terms *a, const struct terms *b)
{
	struct terms both;
	const char *why;

	return terms_and(pool, a, b, &both, &why) == TERMS_NEVER;
}

bool terms_plainly_apart(const struct terms *a, const struct terms *b)
{
	if (!(a->families & b->families) || (a->flags ^ b->flags) & a->flags_mask & b->flags_mask)
		return true;
	for (int field = 0; field < FILTER_FIELD_COUNT; field++) {
		if (ranges_apart(&a->numbers[field], &b->numbers[field]))
			return true;
	}
	return addresses_apart(&a->source, &b->source) || addresses_apart(&a->destination, &b->destination);
}

struct choice choice_one(struct pool *pool, struct terms terms)
{
	return (struct choice){ .items = pool_copy(pool, &terms, sizeof(terms)), .count = 1 };
}

enum terms_result choice_and(struct pool *pool, const struct choice *a, const struct choice *b, struct choice *both,
			     const char **why)
{
	struct choice made = { 0 };

	if (a->count && b->count > CHOICES_MAX / a->count) {
		*why = "it would take too many rules";
		return TERMS_UNSAYABLE;
	}
	made.items = pool_alloc(pool, a->count * b->count * sizeof(*made.items));
	for (size_t i = 0; i < a->count; i++) {
		for (size_t j = 0; j < b->count; j++) {
			switch (terms_and(pool, &a->items[i], &b->items[j], &made.items[made.count], why)) {
			case TERMS_OK:
				made.count++;
				break;
			case TERMS_NEVER:
				break;
			case TERMS_UNSAYABLE:
				return TERMS_UNSAYABLE;
			}
		}
	}
	*both = made;
	return made.count ? TERMS_OK : TERMS_NEVER;
}
