// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/state.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "sluice.skel.h"

static int open_counters(const struct pins *pins, const char *interface, const char *map, uint32_t entries, int *fd,
			 struct error *error)
{
	char pin[IF_NAMESIZE], path[PATH_MAX];
	struct bpf_map_info info = {};
	int err;

	pins_path(pins, path, "state/%s/%s", pin_of_interface(interface, pin), map);
	*fd = pin_open(path, PIN_MAP, error);
	if (*fd == -ENOENT) {
		*fd = -1;
		return 0;
	}
	err = *fd < 0 ? *fd : pin_info(path, *fd, &info, sizeof(info), error);
	if (err)
		return err;
	if (info.type == BPF_MAP_TYPE_PERCPU_ARRAY && info.key_size == sizeof(uint32_t) &&
	    info.value_size == sizeof(struct counter) && info.max_entries == entries)
		return 0;
	error_set(error, EPROTO, "%s: not the counters of this version of Sluice", path);
	error_hint(error, "remove it to start counting from zero: rm %s", path);
	return -EPROTO;
}

int state_open(const struct pins *pins, const char *interface, struct state *state, struct error *error)
{
	int err;

	*state = STATE_NONE;
	err = open_counters(pins, interface, "counters", COUNTERS, &state->counters, error);
	if (!err)
		err = open_counters(pins, interface, "rules", RULE_SLOTS, &state->rules, error);
	if (err)
		state_close(state);
	return err;
}

void state_close(struct state *state)
{
	cleanup_close(&state->counters);
	cleanup_close(&state->rules);
	*state = STATE_NONE;
}

static int pin(const struct pins *pins, const char *interface, struct bpf_map *map, struct error *error)
{
	char name[IF_NAMESIZE], path[PATH_MAX];

	pins_path(pins, path, "state/%s/%s", pin_of_interface(interface, name), bpf_map__name(map));
	if (bpf_obj_pin(bpf_map__fd(map), path) && errno != EEXIST)
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

int state_pin(const struct pins *pins, const char *interface, const struct program *program, struct error *error)
{
	char name[IF_NAMESIZE], path[PATH_MAX];
	int err;

	pins_path(pins, path, "state/%s", pin_of_interface(interface, name));
	err = pins_make_folder(path);
	if (err)
		return error_set(error, -err, "cannot make %s: %s", path, strerror(-err));
	err = pin(pins, interface, program->skeleton->maps.counters, error);
	return err ? err : pin(pins, interface, program->skeleton->maps.rules, error);
}

int state_clear_rule(const struct state *state, uint32_t slot, struct error *error)
{
	int cpus = libbpf_num_possible_cpus();
	CLEANUP_FREE struct counter *zeros = NULL;

	if (state->rules < 0)
		return 0; /* new maps are zero */
	if (cpus < 0)
		return error_set(error, -cpus, "cannot count the CPUs: %s", strerror(-cpus));
	zeros = xcalloc(cpus, sizeof(*zeros));
	if (bpf_map_update_elem(state->rules, &slot, zeros, BPF_ANY))
		return error_set(error, errno, "cannot clear a rule's counter: %s", strerror(errno));
	return 0;
}

int counter_read(int map, uint32_t index, struct counter *sum)
{
	int cpus = libbpf_num_possible_cpus();
	CLEANUP_FREE struct counter *counters = NULL;

	if (cpus < 0)
		return cpus;
	counters = xcalloc(cpus, sizeof(*counters));
	if (bpf_map_lookup_elem(map, &index, counters))
		return -errno;
	for (int i = 0; i < cpus; i++) {
		sum->packets += counters[i].packets;
		sum->bytes += counters[i].bytes;
	}
	return 0;
}
