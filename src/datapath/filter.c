// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/filter.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "datapath/state.h"
#include "sluice.skel.h"
#include "sluice/limit.h"

static uint8_t needs_of_actions(const struct compiled *compiled)
{
	uint8_t needs = 0;

	for (size_t i = 0; i < compiled->filter.count; i++) {
		if (compiled->filter.actions[i].reject)
			needs |= FILTER_NEEDS_REJECT;
	}
	for (size_t i = 1; i < compiled->filter.more_count; i++) {
		if (compiled->filter.more[i].interval)
			needs |= FILTER_NEEDS_LIMIT;
		if (compiled->filter.more[i].log)
			needs |= FILTER_NEEDS_LOG;
	}
	return needs;
}

static int reuse(struct bpf_map *map, const struct state *state, enum state_map which)
{
	return state && state->maps[which] >= 0 ? bpf_map__reuse_fd(map, state->maps[which]) : 0;
}

static int prepare_state(struct sluice_bpf *skeleton, const struct state *state, uint8_t needs)
{
	const struct {
		struct bpf_map *map;
		enum state_map which;
		bool wanted;
	} maps[] = {
		{ skeleton->maps.limits, STATE_LIMITS, needs & FILTER_NEEDS_LIMIT },
		{ skeleton->maps.fragments, STATE_FRAGMENTS, skeleton->rodata->config.fragments_track },
		{ skeleton->maps.events, STATE_EVENTS, skeleton->rodata->config.events },
		{ skeleton->maps.events_lost, STATE_EVENTS_LOST, skeleton->rodata->config.events },
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]) && !err; i++) {
		err = bpf_map__set_autocreate(maps[i].map, maps[i].wanted);
		if (!err && maps[i].wanted)
			err = reuse(maps[i].map, state, maps[i].which);
	}
	return err;
}

static void tell_nothing(struct config *config, uint8_t *needs)
{
	*needs &= ~FILTER_NEEDS_LOG;
	config->events = 0;
	config->log_drops = 0;
}

int filter_prepare(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct state *state)
{
	struct config *config = &skeleton->rodata->config;
	uint8_t needs = needs_of_actions(compiled);
	size_t more = needs & (FILTER_NEEDS_LIMIT | FILTER_NEEDS_LOG) ? compiled->filter.more_count : 0;
	int err;

	config->events = needs & FILTER_NEEDS_LOG || config->log_drops || config->ban_sets ||
			 compiled->synproxy.is_ever_disarmed;
	if (config->record || config->shadow == SHADOW_CANDIDATE)
		tell_nothing(config, &needs); /* the record has it all; a candidate tells nothing */
	config->filter_needs |= needs;
	err = bpf_map__set_autocreate(skeleton->maps.filter_actions, config->filter);
	if (!err)
		err = bpf_map__set_autocreate(skeleton->maps.filter_keys, config->filter);
	if (!err && compiled->filter.count)
		err = bpf_map__set_max_entries(skeleton->maps.filter_actions, compiled->filter.count);
	if (!err)
		err = bpf_map__set_autocreate(skeleton->maps.filter_more, more);
	if (!err && more)
		err = bpf_map__set_max_entries(skeleton->maps.filter_more, more);
	if (!err)
		err = bpf_map__set_autocreate(skeleton->maps.reject_due, needs & FILTER_NEEDS_REJECT);
	return err ? err : prepare_state(skeleton, state, needs);
}

int filter_prepare_copy(struct sluice_bpf *skeleton)
{
	struct config *config = &skeleton->rodata->config;
	int err;

	tell_nothing(config, &config->filter_needs);
	err = bpf_map__set_autocreate(skeleton->maps.filter_keys, config->filter);
	if (!err)
		err = bpf_map__set_autocreate(skeleton->maps.reject_due, config->filter_needs & FILTER_NEEDS_REJECT);
	return err ? err : prepare_state(skeleton, NULL, config->filter_needs);
}

int map_fill(const struct bpf_map *map, const void *elements, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	bool is_same;

	if (memory == MAP_FAILED)
		return -errno;
	memcpy(memory, elements, size);
	is_same = !memcmp(memory, elements, size);
	munmap(memory, size);
	return is_same ? 0 : -EIO;
}

static int fill_actions(const struct sluice_bpf *skeleton, const struct compiled *compiled, const uint32_t *slots)
{
	CLEANUP_FREE struct filter_action *actions = xcalloc(compiled->filter.count, sizeof(*actions));

	for (size_t i = 0; i < compiled->filter.count; i++) {
		uint32_t rule = compiled->filter.first + i;

		actions[i] = compiled->filter.actions[i];
		actions[i].slot = slots ? slots[rule] : rule;
	}
	return map_fill(skeleton->maps.filter_actions, actions, compiled->filter.count * sizeof(*actions));
}

static int draw_seed(const struct bpf_map *limits)
{
	__u64 seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -errno;
	return map_fill(limits, &seed, sizeof(seed));
}

int filter_fill(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct state *state,
		const uint32_t *slots)
{
	int err = 0;

	if (compiled->filter.count)
		err = fill_actions(skeleton, compiled, slots);
	if (!err && bpf_map__autocreate(skeleton->maps.filter_more))
		err = map_fill(skeleton->maps.filter_more, compiled->filter.more,
			   compiled->filter.more_count * sizeof(*compiled->filter.more));
	if (!err && bpf_map__autocreate(skeleton->maps.limits) && (!state || state->maps[STATE_LIMITS] < 0))
		err = draw_seed(skeleton->maps.limits);
	return err;
}

_Static_assert(offsetof(struct limits, seed) == 0, "draw_seed writes it where the map begins");
