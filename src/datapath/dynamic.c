// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/dynamic.h"

#include <errno.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "sluice.skel.h"
#include "sluice/shadow.h"

int dynamic_prepare(struct sluice_bpf *skeleton, const uint32_t *slots)
{
	struct config *config = &skeleton->rodata->config;
	bool wanted;
	int err;

	if (config->shadow == SHADOW_CANDIDATE)
		config->ban_sets = 0; /* its sets are those of the running policy */
	wanted = config->except_sets || config->from_sets || config->to_sets || config->filter_source_sets ||
		 config->filter_destination_sets || config->ban_sets;
	err = bpf_map__set_autocreate(skeleton->maps.dynamic_entries, wanted);
	for (int i = 0; i < config->from_sets && slots; i++)
		config->from_rules[i] = slots[config->from_rules[i]];
	for (int i = 0; i < config->to_sets && slots; i++)
		config->to_rules[i] = slots[config->to_rules[i]];
	return err ? err : bpf_map__set_autocreate(skeleton->maps.dynamic_heads, wanted);
}

static int point_at(const struct sluice_bpf *skeleton, uint32_t index, const struct dynamic_set *set)
{
	if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.dynamic_heads), &index, &set->head, BPF_ANY) ||
	    bpf_map_update_elem(bpf_map__fd(skeleton->maps.dynamic_entries), &index, &set->entries, BPF_ANY))
		return -errno;
	return 0;
}

/* Sets of a program's own, one for each that the policy names: they are as large as it says only where the program
 * fills them itself. */
static int make_private(const struct compiled *compiled, const struct set *set, struct dynamic_set *made)
{
	struct error ignored;
	uint32_t size = 1;
	int err;

	for (size_t i = 0; i < compiled->dynamic_count; i++) {
		if (compiled->dynamic[i].set == set && compiled->dynamic[i].index >= DYNAMIC_BAN)
			size = set->size;
	}
	err = set_make_private(size, made, &ignored);
	if (!err)
		made->shared->timeout = set->timeout;
	return err;
}

static size_t first_use(const struct compiled *compiled, const struct set *set)
{
	size_t i = 0;

	while (compiled->dynamic[i].set != set)
		i++;
	return i;
}

int dynamic_fill(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct sets *sets)
{
	struct dynamic_set own[DYNAMIC_COUNT];
	int err = 0;

	for (size_t i = 0; i < compiled->dynamic_count; i++)
		own[i] = SET_CLOSED;
	for (size_t i = 0; i < compiled->dynamic_count && !err; i++) {
		const struct dynamic_use *use = &compiled->dynamic[i];
		size_t first = first_use(compiled, use->set);

		if (use->index >= DYNAMIC_BAN && !skeleton->rodata->config.ban_sets)
			continue;
		if (!sets && own[first].head < 0)
			err = make_private(compiled, use->set, &own[first]);
		if (!err)
			err = point_at(skeleton, use->index, sets ? sets_find(sets, use->set) : &own[first]);
	}
	for (size_t i = 0; i < compiled->dynamic_count; i++)
		set_close(&own[i]);
	return err;
}
