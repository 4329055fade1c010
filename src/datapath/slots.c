// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/slots.h"

#include <stdbool.h>
#include <string.h>

#include <xxhash.h>

#include "base/memory.h"
#include "sluice/counter.h"

#define NONE UINT32_MAX

/* The rules of one generation by their texts: a hash table with chaining, whose chains are in order of the rules. */
struct texts {
	const struct described_rule *rules;
	uint32_t *heads, *next; /* of `rules`; NONE ends a chain */
	size_t mask;
};

static size_t hash(const char *text)
{
	return XXH3_64bits(text, strlen(text));
}

static struct texts texts_of(const struct described_interface *interface)
{
	size_t count = interface ? interface->rule_count : 0;
	size_t size = 1;
	struct texts texts;

	while (size < count)
		size *= 2;
	texts = (struct texts){
		.rules = interface ? interface->rules : NULL,
		.heads = xcalloc(size, sizeof(*texts.heads)),
		.next = xcalloc(count, sizeof(*texts.next)),
		.mask = size - 1,
	};
	memset(texts.heads, 0xff, size * sizeof(*texts.heads));
	for (size_t i = count; i-- > 0;) {
		size_t place = hash(texts.rules[i].text) & texts.mask;

		texts.next[i] = texts.heads[place];
		texts.heads[place] = i;
	}
	return texts;
}

/* The slot of the first rule of that text; it goes out of the table. NONE when there is none left. */
static uint32_t take(struct texts *texts, const char *text)
{
	for (uint32_t *link = &texts->heads[hash(text) & texts->mask]; *link != NONE; link = &texts->next[*link]) {
		const struct described_rule *rule = &texts->rules[*link];

		if (strcmp(rule->text, text))
			continue;
		*link = texts->next[*link];
		return rule->slot;
	}
	return NONE;
}

/* Of the pinned generations, what runs first: a rule may have been taken out and put back in between. */
static struct texts *collect(const struct running *running, const char *interface, bool *used, size_t *count)
{
	struct texts *texts = xcalloc(running->generation_count, sizeof(*texts));

	*count = 0;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < running->generation_count; i++) {
			const struct generation *generation = &running->generations[i];

			if ((generation == running->current) == (pass == 0))
				texts[(*count)++] = texts_of(described_interface(&generation->description, interface));
		}
	}
	for (size_t i = 0; i < running->generation_count; i++) {
		const struct described_interface *there =
			described_interface(&running->generations[i].description, interface);

		for (size_t r = 0; there && r < there->rule_count; r++) {
			if (there->rules[r].slot < RULE_SLOTS)
				used[there->rules[r].slot] = true;
		}
	}
	return texts;
}

/* A slot that this assignment has dealt out already is passed over: generations differ in which rule had it. */
static uint32_t keep(struct texts *texts, size_t count, const char *text, const bool *dealt)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t slot;

		do
			slot = take(&texts[i], text);
		while (slot != NONE && (slot >= RULE_SLOTS || dealt[slot]));
		if (slot != NONE)
			return slot;
	}
	return NONE;
}

struct slots slots_assign(const struct running *running, const struct compiled *compiled)
{
	CLEANUP_FREE bool *used = xcalloc(RULE_SLOTS, sizeof(*used));
	CLEANUP_FREE bool *dealt = xcalloc(RULE_SLOTS, sizeof(*dealt));
	struct slots slots = {
		.items = xcalloc(compiled->rule_count, sizeof(*slots.items)),
		.fresh = xcalloc(compiled->rule_count, sizeof(*slots.fresh)),
	};
	size_t count;
	struct texts *texts = collect(running, compiled->interface->name, used, &count);
	uint32_t next = 0;

	for (size_t i = 0; i < compiled->rule_count; i++) {
		uint32_t slot = keep(texts, count, compiled->rules[i].text, dealt);

		if (slot == NONE) {
			while (used[next])
				next++;
			slot = next++;
			slots.fresh[slots.fresh_count++] = slot;
		}
		dealt[slot] = true;
		slots.items[i] = slot;
		if (slot >= slots.needed)
			slots.needed = slot + 1;
	}
	for (size_t i = 0; i < count; i++) {
		free(texts[i].heads);
		free(texts[i].next);
	}
	free(texts);
	return slots;
}

void slots_free(struct slots *slots)
{
	free(slots->items);
	free(slots->fresh);
	*slots = (struct slots){ 0 };
}
