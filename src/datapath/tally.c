// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "datapath/state.h"

/* Also reasons that this version does not know: a newer one may have counted before. */
static int read_counters(const struct state *state, struct tally *tally)
{
	for (unsigned reason = 0; reason < REASONS_MAX; reason++) {
		for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
			struct counter counter = { 0 };
			int err = counter_read(state->maps[STATE_COUNTERS], counter_index(reason, verdict), &counter);

			if (err)
				return err;
			tally->verdicts[verdict].packets += counter.packets;
			tally->verdicts[verdict].bytes += counter.bytes;
			tally->reasons[reason].packets += counter.packets;
			tally->reasons[reason].bytes += counter.bytes;
		}
	}
	return 0;
}

static int read_rules(const struct state *state, const struct described_interface *interface, struct counter *rules)
{
	CLEANUP_FREE uint32_t *slots = xcalloc(interface->rule_count, sizeof(*slots));

	for (size_t i = 0; i < interface->rule_count; i++)
		slots[i] = interface->rules[i].slot;
	return state_read_rules(state, slots, interface->rule_count, rules);
}

int tally_read(const struct pins *pins, const struct described_interface *interface, struct tally *tally,
	       struct error *error)
{
	struct tally read = {
		.rules = xcalloc(interface->rule_count, sizeof(*read.rules)),
		.services = xcalloc(interface->rule_count, sizeof(*read.services)),
	};
	struct state state;
	int err = state_open(pins, interface->name, &state, error);

	if (!err && (state.maps[STATE_COUNTERS] < 0 || !state.rules_count)) {
		err = error_set(error, ENOENT, "the counters of %s are not pinned any more", interface->name);
		error_hint(error, "apply the policy again");
	} else if (!err) {
		err = read_counters(&state, &read);
		if (!err)
			err = read_rules(&state, interface, read.rules);
		for (size_t i = 0; i < interface->rule_count && !err; i++) {
			if (interface->rules[i].service)
				err = synproxy_read(&state, interface->rules[i].service, &read.services[i]);
		}
		if (err)
			error_set(error, -err, "cannot read the counters of %s: %s", interface->name, strerror(-err));
	}
	state_close(&state);
	if (err)
		tally_free(&read);
	else
		*tally = read;
	return err;
}

void tally_free(struct tally *tally)
{
	free(tally->rules);
	free(tally->services);
	*tally = (struct tally){ 0 };
}
