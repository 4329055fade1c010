// SPDX-License-Identifier: BSD-2-Clause
/*
 * The boxes that were met are kept by the lengths of their prefixes, each pair of lengths a hash table's worth of
 * buckets. What covers a box is in one of the buckets of shorter prefixes: of these pairs there are few.
 */
#include "compile/unreached.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sluice/set.h"

#define NONE UINT32_MAX
#define LENGTHS (128 + 1)

/* Both addresses, cut to the lengths of a pair, in host byte order. */
struct place {
	uint64_t words[4];
	uint8_t source, destination; /* lengths */
};

struct pair {
	uint8_t source, destination;
};

/* Of one family. */
struct seen {
	const struct match *matches;
	struct pair *pairs;
	size_t pair_count, pair_capacity;
	uint8_t known[LENGTHS][LENGTHS]; /* 1: the pair is there */
	uint32_t *heads;		 /* by hash: the newest box, or NONE */
	uint32_t *next;			 /* by box */
	uint64_t mask;
	size_t at; /* the next box */
};

struct search {
	struct seen families[2];
	uint64_t steps; /* that are left */
};

static uint64_t word_at(const struct prefix *prefix, int first)
{
	uint64_t word = 0;

	for (int i = 0; i < 8; i++)
		word = word << 8 | prefix->address[first + i];
	return word;
}

static struct place place_of(const struct match *match, struct pair pair)
{
	return (struct place){
		.words = {
			word_at(&match->source, 0) & set_mask_high(pair.source),
			word_at(&match->source, 8) & set_mask_low(pair.source),
			word_at(&match->destination, 0) & set_mask_high(pair.destination),
			word_at(&match->destination, 8) & set_mask_low(pair.destination),
		},
		.source = pair.source,
		.destination = pair.destination,
	};
}

static uint64_t hash(const struct place *place)
{
	uint64_t hash = (uint64_t)place->source << 8 | place->destination;

	for (int i = 0; i < 4; i++) {
		hash = (hash ^ place->words[i]) * 0xff51afd7ed558ccdULL;
		hash ^= hash >> 32;
	}
	return hash;
}

static bool lanes_cover(uint64_t outer_low, uint64_t outer_high, uint64_t low, uint64_t high, uint64_t guards)
{
	return filter_lanes_inside(low, outer_low, outer_high, guards) == guards &&
	       filter_lanes_inside(high & ~guards, outer_low, outer_high, guards) == guards;
}

static bool covers(const struct match *outer, const struct match *inner)
{
	const struct filter_extra *a = &outer->extra, *b = &inner->extra;

	return lanes_cover(outer->low, outer->high, inner->low, inner->high, FILTER_LANES_GUARDS) &&
	       lanes_cover(a->low, a->high, b->low, b->high, FILTER_RANGES_GUARDS) &&
	       (a->marks_mask & b->marks_mask) == a->marks_mask && (b->marks & a->marks_mask) == a->marks &&
	       (a->mac_mask & b->mac_mask) == a->mac_mask && (b->mac & a->mac_mask) == a->mac &&
	       prefix_covers(&outer->source, &inner->source) && prefix_covers(&outer->destination, &inner->destination);
}

/* The rule of a box that covers this one; NONE when there is none, or no step is left. */
static uint32_t find_cover(struct search *search, const struct seen *seen, const struct match *match)
{
	uint32_t found = NONE;

	for (size_t p = 0; p < seen->pair_count; p++) {
		struct pair pair = seen->pairs[p];
		struct place place;

		if (!search->steps)
			return NONE;
		search->steps--;
		if (pair.source > match->source.length || pair.destination > match->destination.length)
			continue;
		place = place_of(match, pair);
		for (uint32_t box = seen->heads[hash(&place) & seen->mask]; box != NONE; box = seen->next[box]) {
			if (!search->steps)
				return NONE;
			search->steps--;
			/* The earliest, which is the one that whoever asks will look at first. */
			if (seen->matches[box].rule < found && covers(&seen->matches[box], match))
				found = seen->matches[box].rule;
		}
	}
	return found;
}

static void add_box(struct seen *seen, uint32_t box)
{
	const struct match *match = &seen->matches[box];
	struct pair pair = { match->source.length, match->destination.length };
	struct place place = place_of(match, pair);
	uint32_t *head = &seen->heads[hash(&place) & seen->mask];

	if (!seen->known[pair.source][pair.destination]) {
		seen->known[pair.source][pair.destination] = 1;
		seen->pairs = xgrow(seen->pairs, seen->pair_count, &seen->pair_capacity, sizeof(*seen->pairs));
		seen->pairs[seen->pair_count++] = pair;
	}
	seen->next[box] = *head;
	*head = box;
}

static void begin(struct seen *seen, const struct matches *matches)
{
	size_t size = 16;

	while (size < matches->count)
		size *= 2;
	seen->matches = matches->items;
	seen->mask = size - 1;
	seen->heads = xcalloc(size, sizeof(*seen->heads));
	memset(seen->heads, 0xff, size * sizeof(*seen->heads));
	seen->next = xcalloc(matches->count, sizeof(*seen->next));
}

static void end(struct seen *seen)
{
	free(seen->pairs);
	free(seen->heads);
	free(seen->next);
}

/* What is found out about one rule. */
struct finding {
	size_t boxes, covered;
	uint32_t by;  /* the last of the rules that cover its boxes */
	bool several; /* they are not all the same */
};

/* Looks at the boxes of `rule` in one family. Those that nothing covers are kept for the rules to come, but only when
 * all are done: boxes of a rule say nothing about each other. */
static void look(struct search *search, struct seen *seen, size_t count, uint32_t rule, struct finding *finding)
{
	size_t first = seen->at;

	for (; seen->at < count && seen->matches[seen->at].rule == rule; seen->at++) {
		uint32_t by = find_cover(search, seen, &seen->matches[seen->at]);

		finding->boxes++;
		if (by == NONE)
			continue;
		finding->several |= finding->covered && by != finding->by;
		finding->by = finding->covered && finding->by > by ? finding->by : by;
		finding->covered++;
	}
	for (size_t box = first; box < seen->at; box++)
		add_box(seen, (uint32_t)box);
}

static void report(const struct rule *rules, uint32_t rule, const struct finding *finding, struct unreached_rules *out)
{
	struct unreached unreached = { .kind = UNREACHED_COVERED, .first = rule, .last = rule, .by = finding->by };
	struct unreached *last = out->count ? &out->items[out->count - 1] : NULL;

	if (finding->covered < finding->boxes)
		return;
	if (!finding->boxes)
		unreached.kind = UNREACHED_EMPTY;
	else if (finding->several)
		unreached.kind = UNREACHED_SEVERAL;
	else if (!strcmp(rules[rule].text, rules[finding->by].text))
		unreached.kind = UNREACHED_SAME;
	if (last && last->last + 1 == rule && last->kind == UNREACHED_COVERED && unreached.kind == UNREACHED_COVERED &&
	    last->by == unreached.by) {
		last->last = rule;
		return;
	}
	out->items = xgrow(out->items, out->count, &out->capacity, sizeof(*out->items));
	out->items[out->count++] = unreached;
}

void unreached_find(const struct compiled *compiled, const struct compiled_list *list, uint64_t steps,
		    struct unreached_rules *out)
{
	CLEANUP_FREE struct search *search = xcalloc(1, sizeof(*search));

	*out = (struct unreached_rules){ 0 };
	search->steps = steps;
	begin(&search->families[0], &list->matches4);
	begin(&search->families[1], &list->matches6);
	for (uint32_t rule = 0; rule < list->count; rule++) {
		struct finding finding = { 0 };

		look(search, &search->families[0], list->matches4.count, rule, &finding);
		look(search, &search->families[1], list->matches6.count, rule, &finding);
		if (!search->steps)
			break;
		report(compiled->rules + list->first, rule, &finding, out);
		out->looked_at = rule + 1;
	}
	end(&search->families[0]);
	end(&search->families[1]);
}

void unreached_free(struct unreached_rules *rules)
{
	free(rules->items);
	*rules = (struct unreached_rules){ 0 };
}

char *unreached_text(const struct compiled *compiled, const struct compiled_list *list,
		     const struct unreached *unreached)
{
	const char *rule = list == &compiled->limit ? "limit" : "rule";
	const struct rule *rules = compiled->rules + list->first;
	const struct location *here = &rules[unreached->first].where;
	CLEANUP_FREE char *by = location_text(rules[unreached->by].where, *here);
	CLEANUP_FREE char *last = location_text(rules[unreached->last].where, *here);
	uint32_t more = unreached->last - unreached->first;

	switch (unreached->kind) {
	case UNREACHED_EMPTY:
		return xasprintf("this %s matches nothing: its sets have no prefixes, or its values leave none", rule);
	case UNREACHED_SAME:
		return xasprintf("this %s is never reached: it is the %s of %s again", rule, rule, by);
	case UNREACHED_SEVERAL:
		return xasprintf("this %s is never reached: earlier %ss, the last of them at %s, have all of it", rule,
				 rule, by);
	default:
		if (!more)
			return xasprintf("this %s is never reached: the one at %s has all of it", rule, by);
		return xasprintf("this %s and the %u after it, to %s, are never reached: the one at %s has "
				 "all of them",
				 rule, more, last, by);
	}
}
