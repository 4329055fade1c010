// SPDX-License-Identifier: BSD-2-Clause
#include "walk.h"

#include <endian.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/libbpf.h>

#include "sluice/walk.h"
#include "walk.skel.h"

int walk_check(const struct compiled *compiled, struct error *error)
{
	if (compiled->config.filter_needs & (FILTER_NEEDS_MARKS | FILTER_NEEDS_RANGES | FILTER_NEEDS_MAC))
		return error_set(error, EOPNOTSUPP, "the peers know addresses, ports and protocols only");
	return 0;
}

static uint64_t high_word(const struct prefix *prefix)
{
	uint32_t address;

	memcpy(&address, prefix->address, sizeof(address));
	return be32toh(address);
}

static uint64_t mask_of(const struct prefix *prefix)
{
	return prefix->length ? (uint32_t)(~0U << (32 - prefix->length)) : 0;
}

static void write_chunks(const struct matches *matches, struct walk_chunk *chunks, size_t count)
{
	for (size_t i = 0; i < count * WALK_CHUNK; i++) {
		struct walk_box *box = &chunks[i / WALK_CHUNK].boxes[i % WALK_CHUNK];
		const struct match *match;

		*box = (struct walk_box){ .low = 1, .high = FILTER_LANES_GUARDS }; /* from 1 to 0: nothing is inside */
		if (i >= matches->count)
			continue;
		match = &matches->items[i];
		*box = (struct walk_box){
			.addresses = high_word(&match->source) << 32 | high_word(&match->destination),
			.mask = mask_of(&match->source) << 32 | mask_of(&match->destination),
			.low = match->low,
			.high = match->high,
		};
		chunks[i / WALK_CHUNK].rules[i % WALK_CHUNK] = match->rule;
	}
}

static void *map_memory(struct bpf_map *map, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int fill(const struct compiled *compiled, struct walk_bpf *skeleton, size_t chunk_count)
{
	const struct compiled_list *filter = &compiled->filter;
	size_t chunks_size = chunk_count * sizeof(struct walk_chunk), actions_size = filter->count * sizeof(uint64_t);
	struct walk_chunk *chunks = map_memory(skeleton->maps.chunks, chunks_size);
	uint64_t *actions = map_memory(skeleton->maps.actions, actions_size);
	int err = chunks && actions ? 0 : -errno;

	if (!err) {
		write_chunks(&filter->matches4, chunks, chunk_count);
		for (size_t i = 0; i < filter->count; i++)
			actions[i] = filter->actions[i].verdict == VERDICT_DROP ? XDP_DROP : XDP_PASS;
	}
	if (chunks)
		munmap(chunks, chunks_size);
	if (actions)
		munmap(actions, actions_size);
	return err;
}

int walk_load(const struct compiled *compiled, struct walk_bpf **out, struct error *error)
{
	const struct compiled_list *filter = &compiled->filter;
	size_t chunk_count = (filter->matches4.count + WALK_CHUNK - 1) / WALK_CHUNK, rules = filter->count;
	struct walk_bpf *skeleton = walk_bpf__open();
	int err = skeleton ? 0 : -errno;

	if (!err) {
		skeleton->rodata->chunk_count = chunk_count;
		err = bpf_map__set_max_entries(skeleton->maps.chunks, chunk_count ? chunk_count : 1);
	}
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.actions, rules ? rules : 1);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.hits, rules ? rules : 1);
	if (!err)
		err = walk_bpf__load(skeleton);
	if (!err && rules)
		err = fill(compiled, skeleton, chunk_count);
	if (err) {
		error_set(error, -err, "cannot load the filter that walks: %s", strerror(-err));
		walk_bpf__destroy(skeleton);
		return err;
	}
	*out = skeleton;
	return 0;
}
