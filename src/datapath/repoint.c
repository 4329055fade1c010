// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/repoint.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "sluice/set.h"

#define MAPS_MAX 64

static int map_id(int map, uint32_t *id)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(map, &info, &size))
		return -errno;
	*id = info.id;
	return 0;
}

/* In a program's array of maps (bpf/sets.h). */
static int repoint_array(int array, uint32_t from, int to)
{
	for (uint32_t i = 0; i < DYNAMIC_COUNT; i++) {
		uint32_t id = 0;

		if (bpf_map_lookup_elem(array, &i, &id)) {
			if (errno != ENOENT)
				return -errno;
		} else if (id == from && bpf_map_update_elem(array, &i, &to, BPF_ANY)) {
			return -errno;
		}
	}
	return 0;
}

/* 1 or 0, or a negative errno. */
static int is_array_of_entries(int map)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(map, &info, &size))
		return -errno;
	return info.type == BPF_MAP_TYPE_ARRAY_OF_MAPS && !strcmp(info.name, "dynamic_entries");
}

/* The map is there as long as its program is. */
static int repoint_map(uint32_t id, uint32_t from, int to)
{
	CLEANUP_FD int map = bpf_map_get_fd_by_id(id);
	int is_ours;

	if (map < 0)
		return -errno;
	is_ours = is_array_of_entries(map);
	return is_ours > 0 ? repoint_array(map, from, to) : is_ours;
}

static int repoint_program(const char *path, uint32_t from, int to)
{
	struct error ignored; /* not a program, or not there any more: running_read tells */
	CLEANUP_FD int program = pin_open(path, PIN_PROGRAM, &ignored);
	uint32_t ids[MAPS_MAX];
	struct bpf_prog_info info = { .nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids };
	uint32_t size = sizeof(info);
	int err = 0;

	if (program < 0)
		return program == -ENOENT || program == -EPROTO ? 0 : program;
	if (bpf_obj_get_info_by_fd(program, &info, &size))
		return -errno;
	if (info.nr_map_ids > MAPS_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < info.nr_map_ids && !err; i++)
		err = repoint_map(ids[i], from, to);
	return err;
}

static int repoint_generation(const struct pins *pins, const char *generation, uint32_t from, int to)
{
	char path[PATH_MAX];
	char **names = pins_names(pins_path(pins, path, "generations/%s/interfaces", generation));
	int err = names ? 0 : -errno;

	for (size_t i = 0; names && names[i]; i++) {
		int failed;

		pins_path(pins, path, "generations/%s/interfaces/%s", generation, names[i]);
		failed = repoint_program(path, from, to);
		err = err ? err : failed;
	}
	pins_free_names(names);
	return err;
}

int repoint(const struct pins *pins, int from, int to)
{
	char path[PATH_MAX];
	char **names;
	uint32_t id = 0;
	int err = map_id(from, &id);

	if (err)
		return err;
	names = pins_names(pins_path(pins, path, "generations"));
	err = names ? 0 : -errno;
	for (size_t i = 0; names && names[i]; i++) {
		int failed = repoint_generation(pins, names[i], id, to);

		err = err ? err : failed;
	}
	pins_free_names(names);
	return err;
}
