// SPDX-License-Identifier: BSD-2-Clause
#include "trie.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "peers.skel.h"

#define BATCH 4096

static size_t count_family(const struct prefixes *list, uint8_t version)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		count += list->items[i].version == version;
	return count;
}

static void write_key(void *at, const struct prefix *prefix)
{
	uint32_t length = prefix->length;

	memcpy(at, &length, sizeof(length));
	memcpy((uint8_t *)at + sizeof(length), prefix->address, prefix->version == 4 ? 4 : 16);
}

static int fill(struct bpf_map *map, const struct prefixes *list, uint8_t version)
{
	size_t key_size = bpf_map__key_size(map);
	CLEANUP_FREE uint8_t *keys = xcalloc(BATCH, key_size);
	CLEANUP_FREE uint32_t *values = xcalloc(BATCH, sizeof(*values));
	uint32_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].version == version)
			write_key(keys + count++ * key_size, &list->items[i]);
		if (!count || (count < BATCH && i + 1 < list->count))
			continue;
		if (bpf_map_update_batch(bpf_map__fd(map), keys, values, &count, NULL))
			return -errno;
		count = 0;
	}
	return 0;
}

int trie_load(const struct prefixes *list, struct peers_bpf **out, struct error *error)
{
	struct peers_bpf *skeleton = peers_bpf__open();
	int err = skeleton ? 0 : -errno;

	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.trie4, count_family(list, 4) + 1);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.trie6, count_family(list, 6) + 1);
	if (!err)
		err = peers_bpf__load(skeleton);
	if (!err)
		err = fill(skeleton->maps.trie4, list, 4);
	if (!err)
		err = fill(skeleton->maps.trie6, list, 6);
	if (err) {
		error_set(error, -err, "cannot load the tries of the kernel: %s", strerror(-err));
		peers_bpf__destroy(skeleton);
		return err;
	}
	*out = skeleton;
	return 0;
}
