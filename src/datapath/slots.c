// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/slots.h"

#include <string.h>

#include "base/memory.h"
#include "sluice/counter.h"

static const struct described_rule *rule_of_text(const struct described_interface *interface, const char *text)
{
	for (size_t i = 0; interface && i < interface->rule_count; i++) {
		if (!strcmp(interface->rules[i].text, text))
			return &interface->rules[i];
	}
	return NULL;
}

/* What runs goes first: a rule may have been taken out and put back in between. */
static const struct described_rule *find(const struct running *running, const char *interface, const char *text)
{
	const struct described_rule *rule = NULL;

	if (running->current)
		rule = rule_of_text(described_interface(&running->current->description, interface), text);
	for (size_t i = 0; i < running->generation_count && !rule; i++)
		rule = rule_of_text(described_interface(&running->generations[i].description, interface), text);
	return rule;
}

bool slots_in_use(const struct running *running, const char *interface, uint32_t slot)
{
	for (size_t i = 0; i < running->generation_count; i++) {
		const struct described_interface *there =
			described_interface(&running->generations[i].description, interface);

		if (there && described_rule(there, slot))
			return true;
	}
	return false;
}

uint32_t *slots_assign(const struct running *running, const struct compiled *compiled)
{
	const char *interface = compiled->interface->name;
	uint32_t *slots = xcalloc(compiled->rule_count, sizeof(*slots));
	uint32_t next = 0;

	for (size_t i = 0; i < compiled->rule_count; i++) {
		const struct described_rule *kept = find(running, interface, compiled->rules[i].text);

		if (kept) {
			slots[i] = kept->slot;
			continue;
		}
		while (slots_in_use(running, interface, next))
			next++;
		slots[i] = next++;
	}
	return slots;
}
