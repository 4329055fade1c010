// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/state.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "sluice.skel.h"
#include "sluice/ban.h"
#include "sluice/event.h"
#include "sluice/fragments.h"
#include "sluice/limit.h"
#include "sluice/synproxy.h"
#include "sluice/top.h"

static const struct layout {
	const char *name;
	uint32_t type, key, value, entries; /* 0 entries: one for each CPU */
} layouts[STATE_MAPS] = {
	[STATE_COUNTERS] = { "counters", BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct counter), COUNTERS },
	[STATE_LIMITS] = { "limits", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct limits), 1 },
	[STATE_BANS] = { "bans", BPF_MAP_TYPE_QUEUE, 0, sizeof(struct ban), BANS_MAX },
	[STATE_FRAGMENTS] = { "fragments", BPF_MAP_TYPE_LRU_HASH, sizeof(struct fragments_key),
			      sizeof(struct fragments_value), FRAGMENTS_TRACKED },
	[STATE_EVENTS] = { "events", BPF_MAP_TYPE_RINGBUF, 0, 0, EVENTS_SIZE },
	[STATE_EVENTS_LOST] = { "events_lost", BPF_MAP_TYPE_ARRAY, 4, sizeof(uint64_t), 1 },
	[STATE_TOP] = { "top", BPF_MAP_TYPE_ARRAY, 4, TOP_SWITCH_WORDS * sizeof(uint64_t), 1 },
	[STATE_TALKERS] = { "talkers", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct top_sketch), 0 },
	[STATE_SYNPROXY] = { "synproxy_states", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct synproxy_state), SYNPROXY_STATES },
	[STATE_SYNPROXY_COUNTS] = { "synproxy_counts", BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct synproxy_counts),
				    SYNPROXY_STATES },
	[STATE_SYNPROXY_PROVEN] = { "synproxy_proven", BPF_MAP_TYPE_LRU_HASH, sizeof(struct set_key),
				    sizeof(struct synproxy_proof), SYNPROXY_SOURCES },
};

static const char *state_path(const struct pins *pins, char *path, const char *interface, const char *name)
{
	char pin[IF_NAMESIZE];

	return pins_path(pins, path, "state/%s/%s", pin_of_interface(interface, pin), name);
}

#define RULES_NAME_MAX 32

/* rules, rules2, rules3, … */
static const char *rules_name(size_t number, char name[RULES_NAME_MAX])
{
	if (number)
		snprintf(name, RULES_NAME_MAX, "rules%zu", number + 1);
	else
		snprintf(name, RULES_NAME_MAX, "rules");
	return name;
}

/* Returns 0 and a descriptor, -1 when nothing is pinned there, or a negative errno with `error` set. */
static int open_map(const char *path, int *fd, struct bpf_map_info *info, struct error *error)
{
	int opened = pin_open(path, PIN_MAP, error);
	int err;

	*fd = -1;
	if (opened == -ENOENT)
		return 0;
	memset(info, 0, sizeof(*info));
	err = opened < 0 ? opened : pin_info(path, opened, info, sizeof(*info), error);
	if (!err)
		*fd = opened;
	else
		cleanup_close(&opened);
	return err;
}

static int of_another_version(const char *path, const char *what, struct error *error)
{
	error_set(error, EPROTO, "%s: not the %s of this version of Sluice", path, what);
	error_hint(error, "remove it to start %s: rm %s",
		   !strcmp(what, "counters") ? "counting from zero" : "with an empty one", path);
	return -EPROTO;
}

static int open_one(const struct pins *pins, const char *interface, const struct layout *layout, int *fd,
		    struct error *error)
{
	struct bpf_map_info info;
	char path[PATH_MAX];

	int err = open_map(state_path(pins, path, interface, layout->name), fd, &info, error);
	uint32_t entries = layout->entries ? layout->entries : (uint32_t)libbpf_num_possible_cpus();

	if (err)
		return err;
	if (*fd < 0 || (info.type == layout->type && info.key_size == layout->key && info.value_size == layout->value &&
			info.max_entries == entries))
		return 0;
	return of_another_version(path, layout->name, error);
}

static int open_rules(const struct pins *pins, const char *interface, struct state *state, struct error *error)
{
	char path[PATH_MAX], name[RULES_NAME_MAX];
	int cpus = libbpf_num_possible_cpus();
	struct bpf_map_info info;

	if (cpus < 0)
		return error_set(error, -cpus, "cannot count the CPUs: %s", strerror(-cpus));
	for (size_t i = 0; i < STATE_RULES_MAX; i++) {
		int fd;
		int err = open_map(state_path(pins, path, interface, rules_name(i, name)), &fd, &info, error);

		if (err || fd < 0)
			return err;
		state->rules[i] = fd;
		state->slots[i] = info.max_entries / (uint32_t)cpus;
		state->rules_count = i + 1;
		if (info.type != BPF_MAP_TYPE_ARRAY || info.key_size != sizeof(uint32_t) ||
		    info.value_size != sizeof(struct counter) || !(info.map_flags & BPF_F_MMAPABLE) ||
		    info.max_entries % (uint32_t)cpus || state->slots[i] > RULE_SLOTS ||
		    state->slots[i] < (i ? state->slots[i - 1] + 1 : RULE_SLOTS_MIN))
			return of_another_version(path, "counters", error);
	}
	return 0;
}

int state_open(const struct pins *pins, const char *interface, struct state *state, struct error *error)
{
	int err = 0;

	*state = STATE_NONE;
	for (int i = 0; i < STATE_MAPS && !err; i++)
		err = open_one(pins, interface, &layouts[i], &state->maps[i], error);
	if (!err)
		err = open_rules(pins, interface, state, error);
	if (err)
		state_close(state);
	return err;
}

void state_close(struct state *state)
{
	for (int i = 0; i < STATE_MAPS; i++)
		cleanup_close(&state->maps[i]);
	for (size_t i = 0; i < state->rules_count; i++)
		cleanup_close(&state->rules[i]);
	*state = STATE_NONE;
}

int state_reuse(const struct state *state, enum state_map which, struct bpf_map *map)
{
	bool has_both = state && state->maps[which] >= 0 && bpf_map__autocreate(map);

	return has_both ? bpf_map__reuse_fd(map, state->maps[which]) : 0;
}

int state_rules(const struct state *state, uint32_t needed, uint32_t *slots)
{
	size_t last = state->rules_count - 1;

	if (!state->rules_count || state->slots[last] < needed)
		return -1;
	*slots = state->slots[last];
	return state->rules[last];
}

uint32_t state_slots(uint32_t needed)
{
	uint32_t slots = RULE_SLOTS_MIN;

	while (slots < needed)
		slots *= 2;
	return slots < RULE_SLOTS ? slots : RULE_SLOTS;
}

static int pin(const struct pins *pins, const char *interface, const struct bpf_map *map, const char *name,
	       struct error *error)
{
	char path[PATH_MAX];

	state_path(pins, path, interface, name);
	if (bpf_obj_pin(bpf_map__fd(map), path) && errno != EEXIST)
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

int state_pin(const struct pins *pins, const char *interface, const struct state *state, const struct program *program,
	      struct error *error)
{
	const struct sluice_bpf *skeleton = program->skeleton;
	char folder[IF_NAMESIZE], path[PATH_MAX], name[RULES_NAME_MAX];
	uint32_t slots = (uint32_t)skeleton->rodata->config.rule_slots;
	int err;

	pins_path(pins, path, "state/%s", pin_of_interface(interface, folder));
	err = pins_make_folder(path);
	if (err)
		return error_set(error, -err, "cannot make %s: %s", path, strerror(-err));
	for (int i = 0; i < STATE_MAPS && !err; i++) {
		const struct bpf_map *map = i == STATE_TOP
						    ? skeleton->maps.data_top
						    : bpf_object__find_map_by_name(skeleton->obj, layouts[i].name);

		if (state->maps[i] < 0 && bpf_map__autocreate(map))
			err = pin(pins, interface, map, layouts[i].name, error);
	}
	if (!err && state_rules(state, slots, &slots) < 0)
		err = pin(pins, interface, skeleton->maps.rules, rules_name(state->rules_count, name), error);
	return err;
}

/* Of limits that all packets of a rule share. */
static int clear_limits(const struct state *state, const uint32_t *slots, size_t count, struct error *error)
{
	int fd = state->maps[STATE_LIMITS];
	struct limits *limits;

	if (fd < 0 || !count)
		return 0;
	limits = mmap(NULL, sizeof(*limits), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (limits == MAP_FAILED)
		return error_set(error, errno, "cannot clear a rule's limit: %s", strerror(errno));
	for (size_t i = 0; i < count; i++)
		limits->rules[slots[i]] = 0;
	munmap(limits, sizeof(*limits));
	return 0;
}

/* Counters of rules where the programs count. */
struct rule_counters {
	struct counter *items; /* `slots` of each CPU */
	size_t count, slots;
};

/* Returns 0, or a negative errno. Release with unmap_rules. */
static int map_rules(const struct state *state, size_t which, struct rule_counters *out)
{
	int cpus = libbpf_num_possible_cpus();

	if (cpus < 0)
		return cpus;
	out->slots = state->slots[which];
	out->count = out->slots * (size_t)cpus;
	out->items = mmap(NULL, out->count * sizeof(*out->items), PROT_READ | PROT_WRITE, MAP_SHARED,
			  state->rules[which], 0);
	return out->items == MAP_FAILED ? -errno : 0;
}

static void unmap_rules(struct rule_counters *counters)
{
	munmap(counters->items, counters->count * sizeof(*counters->items));
}

int state_clear_rules(const struct state *state, const uint32_t *slots, size_t count, struct error *error)
{
	for (size_t m = 0; count && m < state->rules_count; m++) {
		struct rule_counters counters;
		int err = map_rules(state, m, &counters);

		if (err)
			return error_set(error, -err, "cannot clear the counters of rules: %s", strerror(-err));
		for (size_t i = 0; i < count; i++) {
			for (size_t at = slots[i]; slots[i] < counters.slots && at < counters.count;
			     at += counters.slots)
				counters.items[at] = (struct counter){ 0 };
		}
		unmap_rules(&counters);
	}
	return clear_limits(state, slots, count, error);
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

int state_read_rules(const struct state *state, const uint32_t *slots, size_t count, struct counter *sums)
{
	memset(sums, 0, count * sizeof(*sums));
	for (size_t m = 0; count && m < state->rules_count; m++) {
		struct rule_counters counters;
		int err = map_rules(state, m, &counters);

		if (err)
			return err;
		for (size_t i = 0; i < count; i++) {
			for (size_t at = slots[i]; slots[i] < counters.slots && at < counters.count;
			     at += counters.slots) {
				sums[i].packets += counters.items[at].packets;
				sums[i].bytes += counters.items[at].bytes;
			}
		}
		unmap_rules(&counters);
	}
	return 0;
}

bool state_is_of(int map, int program)
{
	uint32_t ids[PROGRAM_MAPS_MAX];
	struct bpf_prog_info info = { .nr_map_ids = PROGRAM_MAPS_MAX, .map_ids = (uintptr_t)ids };
	struct bpf_map_info wanted = {};
	uint32_t size = sizeof(info), wanted_size = sizeof(wanted);

	if (bpf_obj_get_info_by_fd(map, &wanted, &wanted_size) || bpf_obj_get_info_by_fd(program, &info, &size) ||
	    info.nr_map_ids > PROGRAM_MAPS_MAX)
		return true;
	for (uint32_t i = 0; i < info.nr_map_ids; i++) {
		if (ids[i] == wanted.id)
			return true;
	}
	return false;
}

static bool pinned_program_has(const char *path, int map)
{
	struct error ignored;
	CLEANUP_FD int program = pin_open(path, PIN_PROGRAM, &ignored);

	return program != -ENOENT && (program < 0 || state_is_of(map, program));
}

static bool is_used(const struct pins *pins, const char *interface, int fd)
{
	char path[PATH_MAX], pin_name[IF_NAMESIZE];
	char **names;
	bool used;

	names = pins_names(pins_path(pins, path, "generations"));
	used = !names;
	for (size_t i = 0; names && names[i] && !used; i++) {
		pins_path(pins, path, "generations/%s/interfaces/%s", names[i], pin_of_interface(interface, pin_name));
		used = pinned_program_has(path, fd);
	}
	pins_free_names(names);
	return used;
}

static bool has_counted(const struct state *state, size_t which)
{
	struct rule_counters counters;
	bool found = false;

	if (map_rules(state, which, &counters))
		return true;
	for (size_t i = 0; i < counters.count && !found; i++)
		found = counters.items[i].packets;
	unmap_rules(&counters);
	return found;
}

static size_t tidy_one(const struct pins *pins, const char *interface, const struct layout *layout, bool remove)
{
	char path[PATH_MAX];
	struct error ignored; /* told by who needs it */
	CLEANUP_FD int fd = -1;

	if (open_one(pins, interface, layout, &fd, &ignored) || fd < 0 || is_used(pins, interface, fd))
		return 0;
	if (remove)
		pins_remove(state_path(pins, path, interface, layout->name));
	return 1;
}

/* The last one only: there is no gap between them. */
static size_t tidy_rules(const struct pins *pins, const char *interface, bool remove)
{
	struct state state = STATE_NONE;
	char path[PATH_MAX], name[RULES_NAME_MAX];
	struct error ignored;
	size_t last, count = 0;

	if (!open_rules(pins, interface, &state, &ignored) && state.rules_count > 1) {
		last = state.rules_count - 1;
		if (!is_used(pins, interface, state.rules[last]) && !has_counted(&state, last))
			count = 1;
		if (count && remove)
			pins_remove(state_path(pins, path, interface, rules_name(last, name)));
	}
	state_close(&state);
	return count;
}

size_t state_tidy(const struct pins *pins, const char *interface, bool remove)
{
	size_t count = tidy_rules(pins, interface, remove);

	for (int i = STATE_COUNTERS + 1; i < STATE_MAPS; i++)
		count += tidy_one(pins, interface, &layouts[i], remove);
	return count;
}
