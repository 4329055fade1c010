// SPDX-License-Identifier: BSD-2-Clause
#include "top/talkers.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* `more` holds what the key inherited, less `hidden`: talkers_sort adds the sum of all sketches, so that each sketch
 * counts with one of the two. */
static void add_one(struct talkers *talkers, enum top_kind kind, const struct top_talker *talker, uint64_t hidden)
{
	struct talker *added;

	talkers->items[kind] = xgrow(talkers->items[kind], talkers->counts[kind], &talkers->capacities[kind],
				     sizeof(*talkers->items[kind]));
	added = &talkers->items[kind][talkers->counts[kind]++];
	*added = (struct talker){ .key = talker->key, .more = talker->inherited - hidden };
	for (int fate = 0; fate < TOP_FATES; fate++) {
		added->packets[fate] = talker->packets[fate];
		added->bytes[fate] = talker->bytes[fate];
	}
}

static uint32_t smallest(const struct top_bucket *bucket)
{
	uint32_t least = UINT32_MAX;

	for (unsigned way = 0; way < TOP_WAYS; way++)
		least = bucket->counts[way] < least ? bucket->counts[way] : least;
	return least;
}

static void add_kind(struct talkers *talkers, const struct top_sketch *sketch, uint32_t window, enum top_kind kind)
{
	const struct top_bucket *buckets = sketch->buckets[window & 1][kind];
	uint32_t hidden = 0;

	for (unsigned b = 0; b < TOP_BUCKETS; b++) {
		if (buckets[b].window == window && smallest(&buckets[b]) > hidden)
			hidden = smallest(&buckets[b]);
	}
	talkers->hidden[kind] += hidden;
	for (unsigned b = 0; b < TOP_BUCKETS; b++) {
		for (unsigned way = 0; way < TOP_WAYS && buckets[b].window == window; way++) {
			if (buckets[b].counts[way])
				add_one(talkers, kind, &buckets[b].talkers[way], hidden);
		}
	}
}

void talkers_add(struct talkers *talkers, const struct top_sketch *sketch, uint32_t window)
{
	const struct top_total *total = &sketch->totals[window & 1];

	if (total->window != window)
		return; /* this CPU saw no packet */
	talkers->seen += total->seen;
	talkers->taken += total->taken;
	talkers->estimated |= total->seen > TOP_ALL;
	for (int kind = 0; kind < TOP_KINDS; kind++)
		add_kind(talkers, sketch, window, kind);
}

static int by_key(const void *left, const void *right)
{
	return memcmp(&((const struct talker *)left)->key, &((const struct talker *)right)->key,
		      sizeof(struct set_key));
}

static int by_packets(const void *left, const void *right)
{
	const struct talker *a = left, *b = right;
	uint64_t of_a = a->packets[TOP_PASSED] + a->packets[TOP_DROPPED];
	uint64_t of_b = b->packets[TOP_PASSED] + b->packets[TOP_DROPPED];

	return of_a != of_b ? (of_a < of_b) - (of_a > of_b) : by_key(left, right);
}

static void join(struct talker *into, const struct talker *other)
{
	for (int fate = 0; fate < TOP_FATES; fate++) {
		into->packets[fate] += other->packets[fate];
		into->bytes[fate] += other->bytes[fate];
	}
	into->more += other->more;
}

static void sort_kind(struct talkers *talkers, enum top_kind kind)
{
	struct talker *items = talkers->items[kind];
	size_t count = 0;

	if (!items)
		return;
	qsort(items, talkers->counts[kind], sizeof(*items), by_key);
	for (size_t i = 0; i < talkers->counts[kind]; i++) {
		if (count && !by_key(&items[count - 1], &items[i]))
			join(&items[count - 1], &items[i]);
		else
			items[count++] = items[i];
	}
	for (size_t i = 0; i < count; i++)
		items[i].more += talkers->hidden[kind];
	qsort(items, count, sizeof(*items), by_packets);
	talkers->counts[kind] = count;
}

void talkers_sort(struct talkers *talkers)
{
	for (int kind = 0; kind < TOP_KINDS; kind++)
		sort_kind(talkers, kind);
}

void talkers_free(struct talkers *talkers)
{
	for (int kind = 0; kind < TOP_KINDS; kind++)
		free(talkers->items[kind]);
	*talkers = (struct talkers){ 0 };
}
