// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/synproxy.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "datapath/lists.h"
#include "datapath/state.h"
#include "sluice.skel.h"

#define NANOSECONDS 1000000000ULL
#define STATES_SIZE (SYNPROXY_STATES * sizeof(struct synproxy_state))

/* The kernel's default; where it does not show it in a network namespace of its own, tcp_rmem is what counts. */
#define RECEIVE_DEFAULT 212992

uint64_t synproxy_receive(const struct compiled *compiled)
{
	CLEANUP_FREE char *text = NULL;
	size_t length;

	if (!(compiled->config.synproxy & SYNPROXY_HOST))
		return 0;
	return text_read("/proc/sys/net/core/rmem_max", 64, &text, &length) ? RECEIVE_DEFAULT
									    : strtoull(text, NULL, 10);
}

int synproxy_prepare_like(struct sluice_bpf *skeleton)
{
	const struct config *config = &skeleton->rodata->config;
	const struct {
		struct bpf_map *map;
		bool wanted;
	} maps[] = {
		{ skeleton->maps.synproxy_states, config->synproxy },
		{ skeleton->maps.synproxy_counts, config->synproxy },
		{ skeleton->maps.synproxy_proven, config->synproxy & SYNPROXY_GATEWAY },
		{ skeleton->maps.synack_work, config->synproxy },
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]) && !err; i++)
		err = bpf_map__set_autocreate(maps[i].map, maps[i].wanted);
	return err;
}

int synproxy_prepare(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct state *state)
{
	size_t masks = compiled->synproxy.mask_count;
	int err = synproxy_prepare_like(skeleton);

	skeleton->rodata->config.synproxy_receive = synproxy_receive(compiled);
	if (!err)
		err = state_reuse(state, STATE_SYNPROXY, skeleton->maps.synproxy_states);
	if (!err)
		err = state_reuse(state, STATE_SYNPROXY_COUNTS, skeleton->maps.synproxy_counts);
	if (!err)
		err = state_reuse(state, STATE_SYNPROXY_PROVEN, skeleton->maps.synproxy_proven);
	if (!err)
		err = bpf_map__set_autocreate(skeleton->maps.synproxy_list, compiled->synproxy.count);
	if (!err)
		err = bpf_map__set_autocreate(skeleton->maps.synproxy_masks, masks);
	return err || !masks ? err : bpf_map__set_max_entries(skeleton->maps.synproxy_masks, masks);
}

int synproxy_share(struct sluice_bpf *candidate, const struct sluice_bpf *active)
{
	struct bpf_map *map = candidate->maps.synproxy_proven;
	int fd = bpf_map__fd(active->maps.synproxy_proven);

	return bpf_map__autocreate(map) && fd >= 0 ? bpf_map__reuse_fd(map, fd) : 0;
}

static struct synproxy_state *map_states(int fd, int protection)
{
	struct synproxy_state *states = mmap(NULL, STATES_SIZE, protection, MAP_SHARED, fd, 0);

	return states == MAP_FAILED ? NULL : states;
}

static int clear_counts(const struct sluice_bpf *skeleton, uint32_t number)
{
	int cpus = libbpf_num_possible_cpus();
	CLEANUP_FREE struct synproxy_counts *zeros = NULL;

	if (cpus < 0)
		return cpus;
	zeros = xcalloc(cpus, sizeof(*zeros));
	return bpf_map_update_elem(bpf_map__fd(skeleton->maps.synproxy_counts), &number, zeros, BPF_ANY) ? -errno : 0;
}

/* The state of the service with that key; or else that which no load has needed for longest, made anew. */
static int take_state(const struct sluice_bpf *skeleton, struct synproxy_state *states, uint64_t key, uint64_t load,
		      uint16_t *number)
{
	uint32_t oldest = 0;

	for (uint32_t i = 0; i < SYNPROXY_STATES; i++) {
		if (states[i].key == key) {
			states[i].used = load;
			*number = i;
			return 0;
		}
		if (states[i].used < states[oldest].used)
			oldest = i;
	}
	states[oldest] = (struct synproxy_state){ .key = key, .used = load };
	*number = oldest;
	return clear_counts(skeleton, oldest);
}

static int assign_states(const struct sluice_bpf *skeleton, const struct compiled *compiled,
			 struct synproxy_services *services)
{
	struct synproxy_state *states = map_states(bpf_map__fd(skeleton->maps.synproxy_states), PROT_READ | PROT_WRITE);
	uint64_t load = 0;
	int err = 0;

	if (!states)
		return -errno;
	for (size_t i = 0; i < SYNPROXY_STATES; i++)
		load = states[i].used > load ? states[i].used : load;
	for (size_t i = 0; i < compiled->synproxy.count && !err; i++)
		err = take_state(skeleton, states, compiled->rules[compiled->synproxy.first + i].service, load + 1,
				 &services->items[i].state);
	munmap(states, STATES_SIZE);
	return err;
}

int synproxy_fill(struct sluice_bpf *skeleton, const struct compiled *compiled, const uint32_t *slots)
{
	const struct compiled_synproxy *synproxy = &compiled->synproxy;
	CLEANUP_FREE struct synproxy_services *services = NULL;
	int err;

	if (!synproxy->count)
		return 0;
	services = xcalloc(1, sizeof(*services));
	*services = *synproxy->services;
	for (size_t i = 0; i < synproxy->count; i++)
		services->items[i].slot = slots ? slots[synproxy->first + i] : synproxy->first + i;
	err = assign_states(skeleton, compiled, services);
	if (!err && synproxy->mask_count)
		err = map_fill(skeleton->maps.synproxy_masks, synproxy->masks,
			       synproxy->mask_count * sizeof(*synproxy->masks));
	return err ? err : map_fill(skeleton->maps.synproxy_list, services, sizeof(*services));
}

int synproxy_copy_states(const struct sluice_bpf *skeleton, int running)
{
	struct synproxy_state *states = map_states(running, PROT_READ);
	CLEANUP_FREE void *copy = NULL; /* packets write the other one, and map_fill compares */

	if (!states)
		return -errno;
	copy = xcalloc(1, STATES_SIZE);
	memcpy(copy, states, STATES_SIZE);
	munmap(states, STATES_SIZE);
	return map_fill(skeleton->maps.synproxy_states, copy, STATES_SIZE);
}

static int read_counts(int fd, uint32_t number, uint64_t second, struct service_tally *tally)
{
	int cpus = libbpf_num_possible_cpus();
	CLEANUP_FREE struct synproxy_counts *counts = NULL;

	if (cpus < 0)
		return cpus;
	counts = xcalloc(cpus, sizeof(*counts));
	if (bpf_map_lookup_elem(fd, &number, counts))
		return -errno;
	for (int i = 0; i < cpus; i++) {
		for (int c = 0; c < SYNPROXY_COUNTS; c++)
			tally->packets[c] += counts[i].packets[c];
		if (counts[i].second == second)
			tally->rate += counts[i].before;
		else if (counts[i].second + 1 == second)
			tally->rate += counts[i].now;
	}
	return 0;
}

int synproxy_read(const struct state *state, uint64_t key, struct service_tally *tally)
{
	struct service_tally read = { 0 };
	struct synproxy_state *states;
	uint64_t time = clock_now();
	int err = 0;

	*tally = read;
	if (state->maps[STATE_SYNPROXY] < 0 || state->maps[STATE_SYNPROXY_COUNTS] < 0)
		return 0;
	states = map_states(state->maps[STATE_SYNPROXY], PROT_READ);
	if (!states)
		return -errno;
	for (uint32_t i = 0; i < SYNPROXY_STATES && !err && !read.is_known; i++) {
		const struct synproxy_state *it = &states[i];

		if (it->key != key)
			continue;
		read.is_known = true;
		/* Whose time is over stands down with the next packet; nobody need wait for that to know it. */
		if (it->armed && (time < it->busy || time - it->busy <= SYNPROXY_HOLD))
			read.armed = it->armed;
		err = read_counts(state->maps[STATE_SYNPROXY_COUNTS], i, time / NANOSECONDS, &read);
	}
	munmap(states, STATES_SIZE);
	if (!err)
		*tally = read;
	return err;
}
