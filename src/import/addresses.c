// SPDX-License-Identifier: BSD-2-Clause
#include "import/addresses.h"

#include <string.h>

#include "base/memory.h"
#include "compile/outside.h"

/* Cutting a small prefix out of a large one takes up to 128 pieces. */
#define PREFIXES_MAX 100000

/* Both halves of one prefix, next to each other. */
static bool are_halves(const struct prefix *left, const struct prefix *right)
{
	struct prefix wide = *left, other;

	if (left->version != right->version || left->length != right->length || !left->length)
		return false;
	wide.length--;
	other = wide;
	other.length = left->length;
	if (memcmp(other.address, left->address, sizeof(other.address)) != 0 || !prefix_covers(&wide, left))
		return false;
	other.address[wide.length / 8] |= (uint8_t)(0x80 >> wide.length % 8);
	return left->address[wide.length / 8] != right->address[wide.length / 8] &&
	       !memcmp(other.address, right->address, sizeof(other.address));
}

struct addresses addresses_make(struct pool *pool, const struct prefix *items, size_t count, bool negated)
{
	struct prefix *made = pool_copy(pool, items, count * sizeof(*items));
	size_t kept = 0;

	if (count)
		qsort(made, count, sizeof(*made), prefix_compare);
	for (size_t i = 0; i < count; i++) {
		if (kept && prefix_covers(&made[kept - 1], &made[i]))
			continue;
		made[kept++] = made[i];
		while (kept > 1 && are_halves(&made[kept - 2], &made[kept - 1])) {
			kept--;
			made[kept - 1].length--;
		}
	}
	return (struct addresses){ .items = made, .count = kept, .given = true, .negated = negated };
}

unsigned addresses_families(const struct addresses *addresses)
{
	unsigned families = 0;

	if (!addresses->given || addresses->negated || addresses->unknown)
		return FAMILY_IP;
	for (size_t i = 0; i < addresses->count; i++)
		families |= addresses->items[i].version == 4 ? FAMILY_IPV4 : FAMILY_IPV6;
	return families;
}

static bool in_families(const struct prefix *prefix, unsigned families)
{
	return families & (prefix->version == 4 ? FAMILY_IPV4 : FAMILY_IPV6);
}

struct addresses addresses_of_families(struct pool *pool, const struct addresses *addresses, unsigned families)
{
	struct addresses kept = *addresses;
	struct prefix *items;
	size_t count = 0;

	for (size_t i = 0; i < addresses->count; i++)
		count += in_families(&addresses->items[i], families);
	if (count == addresses->count || addresses->set)
		return kept;
	items = pool_alloc(pool, count * sizeof(*items));
	kept.count = 0;
	for (size_t i = 0; i < addresses->count; i++) {
		if (in_families(&addresses->items[i], families))
			items[kept.count++] = addresses->items[i];
	}
	kept.items = items;
	return kept;
}

bool addresses_equal(const struct addresses *a, const struct addresses *b)
{
	if (a->given != b->given || a->negated != b->negated || a->unknown != b->unknown || a->count != b->count)
		return false;
	if (a->unknown && strcmp(a->set, b->set) != 0)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (prefix_compare(&a->items[i], &b->items[i]) != 0)
			return false;
	}
	return true;
}

bool addresses_apart(const struct addresses *a, const struct addresses *b)
{
	if (!a->given || !b->given || a->negated || b->negated || a->unknown || b->unknown)
		return false;
	for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
		if (prefix_covers(&a->items[i], &b->items[j]) || prefix_covers(&b->items[j], &a->items[i]))
			return false;
		if (prefix_compare(&a->items[i], &b->items[j]) < 0)
			i++;
		else
			j++;
	}
	return true;
}

/* Adds what is in both lists. Both are sorted, and nothing in one covers anything else in it. */
static void add_common(struct prefixes *list, const struct addresses *a, const struct addresses *b)
{
	for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
		if (prefix_covers(&a->items[i], &b->items[j])) {
			prefixes_add(list, b->items[j++]);
		} else if (prefix_covers(&b->items[j], &a->items[i])) {
			prefixes_add(list, a->items[i++]);
		} else if (prefix_compare(&a->items[i], &b->items[j]) < 0) {
			i++;
		} else {
			j++;
		}
	}
}

/* Adds what of `whole` none of `holes` covers. False when that takes too many pieces. */
static bool add_without(struct prefixes *list, const struct addresses *whole, const struct addresses *holes)
{
	size_t next = 0;

	for (size_t i = 0; i < whole->count; i++) {
		const struct prefix *prefix = &whole->items[i];
		size_t first;

		while (next < holes->count && !prefix_covers(&holes->items[next], prefix) &&
		       prefix_compare(&holes->items[next], prefix) < 0)
			next++;
		if (next < holes->count && prefix_covers(&holes->items[next], prefix))
			continue;
		first = next;
		while (next < holes->count && prefix_covers(prefix, &holes->items[next]))
			next++;
		if (list->count + prefixes_outside_in(holes->items + first, next - first, prefix, NULL) > PREFIXES_MAX)
			return false;
		prefixes_outside_in(holes->items + first, next - first, prefix, list);
	}
	return true;
}

/* Neither of them: one list of both. */
static struct addresses not_either(struct pool *pool, const struct addresses *a, const struct addresses *b)
{
	struct prefixes list = { 0 };
	struct addresses made;

	for (size_t i = 0; i < a->count; i++)
		prefixes_add(&list, a->items[i]);
	for (size_t i = 0; i < b->count; i++)
		prefixes_add(&list, b->items[i]);
	made = addresses_make(pool, list.items, list.count, true);
	prefixes_free(&list);
	return made;
}

enum terms_result addresses_and(struct pool *pool, const struct addresses *a, const struct addresses *b,
				struct addresses *both, const char **why)
{
	struct prefixes list = { 0 };
	bool fits = true;

	if (!a->given || !b->given || addresses_equal(a, b)) {
		*both = a->given ? *a : *b;
		return TERMS_OK;
	}
	if (a->unknown || b->unknown) {
		*why = "two conditions on one address, one of them a set whose content is not in the rules";
		return TERMS_UNSAYABLE;
	}
	if (a->negated && b->negated) {
		*both = not_either(pool, a, b);
		return TERMS_OK;
	}
	if (a->negated) {
		const struct addresses *swap = a;

		a = b;
		b = swap;
	}
	if (b->negated)
		fits = add_without(&list, a, b);
	else
		add_common(&list, a, b);
	*both = addresses_make(pool, list.items, list.count, false);
	/* The same addresses by the same name. */
	if (addresses_equal(both, a))
		*both = *a;
	else if (addresses_equal(both, b))
		*both = *b;
	prefixes_free(&list);
	if (!fits) {
		*why = "the addresses that are left would take too many prefixes";
		return TERMS_UNSAYABLE;
	}
	return both->count ? TERMS_OK : TERMS_NEVER;
}
