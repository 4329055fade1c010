// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/filter.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/random.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "datapath/lists.h"
#include "datapath/state.h"
#include "sluice.skel.h"
#include "sluice/limit.h"

static uint8_t needs_of_actions(const struct compiled_list *list)
{
	uint8_t needs = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (list->actions[i].reject)
			needs |= FILTER_NEEDS_REJECT;
	}
	for (size_t i = 1; i < list->more_count; i++) {
		if (list->more[i].interval)
			needs |= FILTER_NEEDS_LIMIT;
		if (list->more[i].log)
			needs |= FILTER_NEEDS_LOG;
	}
	return needs;
}

/* Maps that the configuration asks for, and no others. */
static int prepare_maps(struct sluice_bpf *skeleton, const struct state *state)
{
	const struct config *config = (const struct config *)&skeleton->rodata->config;
	bool limits = config->limit || config->filter_needs & FILTER_NEEDS_LIMIT;
	const struct {
		struct bpf_map *map;
		enum state_map which;
		bool wanted;
	} maps[] = {
		{ skeleton->maps.limits, STATE_LIMITS, limits },
		{ skeleton->maps.bans, STATE_BANS, config->ban_sets },
		{ skeleton->maps.bans_full, STATE_MAPS, config->ban_sets },
		{ skeleton->maps.fragments, STATE_FRAGMENTS, config->fragments_track },
		{ skeleton->maps.events, STATE_EVENTS, config->events },
		{ skeleton->maps.events_lost, STATE_EVENTS_LOST, config->events },
		{ skeleton->maps.filter_keys, STATE_MAPS, config->filter || config->limit },
		{ skeleton->maps.reject_due, STATE_MAPS, config->filter_needs & FILTER_NEEDS_REJECT },
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]) && !err; i++) {
		err = bpf_map__set_autocreate(maps[i].map, maps[i].wanted);
		if (!err && maps[i].wanted && maps[i].which < STATE_MAPS)
			err = state_reuse(state, maps[i].which, maps[i].map);
	}
	return err;
}

static void tell_nothing(struct config *config)
{
	config->filter_needs &= ~FILTER_NEEDS_LOG;
	config->events = 0;
	config->log_drops = 0;
}

int filter_prepare(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct state *state)
{
	struct config *config = &skeleton->rodata->config;

	config->filter_needs |= needs_of_actions(&compiled->filter);
	config->events = config->filter_needs & FILTER_NEEDS_LOG || config->log_drops || config->ban_sets ||
			 needs_of_actions(&compiled->limit) & FILTER_NEEDS_LOG || compiled->synproxy.is_ever_disarmed;
	if (config->record || config->shadow == SHADOW_CANDIDATE)
		tell_nothing(config); /* the record has it all; a candidate tells nothing */
	return prepare_maps(skeleton, state);
}

int filter_prepare_copy(struct sluice_bpf *skeleton)
{
	struct config *config = &skeleton->rodata->config;

	tell_nothing(config);
	config->ban_sets = 0; /* its sets are those of the running program */
	return prepare_maps(skeleton, NULL);
}

int filter_begin(struct sluice_bpf *skeleton, const struct state *state)
{
	__u64 seed;

	if (!bpf_map__autocreate(skeleton->maps.limits) || (state && state->maps[STATE_LIMITS] >= 0))
		return 0;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -errno;
	return map_fill(skeleton->maps.limits, &seed, sizeof(seed));
}

_Static_assert(offsetof(struct limits, seed) == 0, "filter_begin writes it where the map begins");
