// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/dynamic.h"

#include <errno.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "sluice.skel.h"

int dynamic_prepare(struct sluice_bpf *skeleton, const uint32_t *slots)
{
	struct config *config = &skeleton->rodata->config;
	bool wanted = config->except_sets || config->from_sets || config->to_sets || config->filter_source_sets ||
		      config->filter_destination_sets;
	int err = bpf_map__set_autocreate(skeleton->maps.dynamic_entries, wanted);

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

int dynamic_fill(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct sets *sets)
{
	struct error ignored;
	int err = 0;

	for (size_t i = 0; i < compiled->dynamic_count && !err; i++) {
		const struct dynamic_use *use = &compiled->dynamic[i];
		struct dynamic_set empty = SET_CLOSED;

		if (!sets)
			err = set_make_private(1, &empty, &ignored);
		if (!err)
			err = point_at(skeleton, use->index, sets ? sets_find(sets, use->set) : &empty);
		set_close(&empty);
	}
	return err;
}
