// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "datapath/classifier.h"
#include "datapath/digest.h"
#include "datapath/dynamic.h"
#include "datapath/filter.h"
#include "datapath/lists.h"
#include "datapath/log.h"
#include "datapath/state.h"
#include "datapath/synproxy.h"
#include "datapath/top.h"
#include "sluice.skel.h"
#include "sluice/counter.h"

#define KERNEL_ENOTSUPP 524 /* include/linux/errno.h of the kernel; the C library has no name for it */

static int refused(struct error *error, int err, const char *what)
{
	error_set(error, -err, "%s: %s", what, strerror(-err));
	if (err == -EPERM && geteuid() != 0)
		error_hint(error, "this needs root (CAP_BPF and CAP_NET_ADMIN)");
	log_hint(error);
	if (err == -KERNEL_ENOTSUPP)
		error_hint(error, "Sluice needs the kernel's compiler for BPF: sysctl net.core.bpf_jit_enable=1");
	return err;
}

static struct bpf_map *table_map(struct sluice_bpf *skeleton, enum table table)
{
	return bpf_object__find_map_by_name(skeleton->obj, table_name(table));
}

static int open_skeleton(const struct config *config, bool record, struct program *out, struct error *error)
{
	int err = classifier_start();

	log_start();
	if (err < 0)
		return refused(error, err, "cannot prepare libbpf");
	out->skeleton = sluice_bpf__open();
	if (!out->skeleton)
		return refused(error, -errno, "cannot open the BPF object");
	memcpy((void *)&out->skeleton->rodata->config, config, sizeof(*config));
	out->skeleton->rodata->config.record = record;
	bpf_map__set_autocreate(out->skeleton->maps.record, record);
	return 0;
}

/* What two programs of a shadow have between them; none of it for one that is in no such role. */
static int set_role(struct sluice_bpf *skeleton, enum shadow_role role)
{
	int err;

	skeleton->rodata->config.shadow = role;
	err = bpf_map__set_autocreate(skeleton->maps.shadow_programs, role != SHADOW_NONE);
	if (!err)
		err = bpf_map__set_autocreate(skeleton->maps.counters, role != SHADOW_CANDIDATE);
	if (!err)
		err = bpf_map__set_autocreate(skeleton->maps.rules, role != SHADOW_CANDIDATE);
	if (!err)
		err = bpf_map__set_autocreate(skeleton->maps.shadow_note, role != SHADOW_NONE);
	if (!err)
		err = bpf_map__set_autocreate(skeleton->maps.shadow_pairs, role == SHADOW_ACTIVE);
	return err ? err : bpf_map__set_autocreate(skeleton->maps.shadow_totals, role == SHADOW_ACTIVE);
}

static int load_skeleton(struct program *out, struct error *error)
{
	int err = classifier_load(out->skeleton->obj, (const struct config *)&out->skeleton->rodata->config);

	if (err) {
		refused(error, err, "the kernel refused the program");
		if (err == -E2BIG)
			error_hint(error,
				   "its verifier looks at a million instructions (`sluice check` says at how many for "
				   "a policy that is loaded)\n"
				   "they are fewer with fewer groups of rules: one set in place of prefixes of many "
				   "lengths, "
				   "fewer rules about MAC, VLAN, TTL, flags and the like");
		return err;
	}
	out->fd = bpf_program__fd(out->skeleton->progs.sluice);
	return 0;
}

static int reuse(struct bpf_map *map, int fd)
{
	return fd < 0 ? 0 : bpf_map__reuse_fd(map, fd);
}

/* Rules count in slots of the interface's choosing; the dictionary is the one place that says which. */
static void write_slots(uint32_t *dictionary, size_t count, const uint32_t *slots)
{
	for (size_t i = 0; i < count && slots; i++) {
		if (dictionary[i] < PREFIX_EXCEPT)
			dictionary[i] = slots[dictionary[i]];
	}
}

/* Writes the image where the program reads it, and reads it back: a table that is not what was compiled is no table. */
static int fill_table(int fd, const struct image *image, const uint32_t *slots, struct error *error)
{
	CLEANUP_FREE uint32_t *dictionary = xcalloc(image->values, sizeof(*dictionary));
	size_t size = image->count * sizeof(*image->words);
	__u64 *words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	size_t values = image->values * sizeof(*dictionary);
	bool is_same;

	if (words == MAP_FAILED)
		return refused(error, -errno, "cannot fill a prefix table");
	memcpy(dictionary, image_dictionary(image), values);
	write_slots(dictionary, image->values, slots);
	memcpy(words, image->words, size);
	memcpy(words + image->layout.dictionary, dictionary, values);
	is_same = !memcmp(words, image->words, image->layout.dictionary * sizeof(*words)) &&
		  !memcmp(words + image->layout.dictionary, dictionary, values);
	munmap(words, size);
	return is_same ? 0 : error_set(error, EIO, "a prefix table reads back other than it was written");
}

/* Counters that are there are counted on in; those of rules only if there are enough. */
static int prepare_counters(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct load *how)
{
	uint32_t needed = how->slots ? how->needed : compiled->rule_count;
	uint32_t slots = state_slots(needed);
	int rules = how->state ? state_rules(how->state, needed, &slots) : -1;
	int cpus = libbpf_num_possible_cpus();
	int err = cpus < 0 ? cpus : state_reuse(how->state, STATE_COUNTERS, skeleton->maps.counters);

	skeleton->rodata->config.rule_slots = slots;
	if (!err && rules < 0)
		err = bpf_map__set_max_entries(skeleton->maps.rules, slots * (uint32_t)cpus);
	return err ? err : reuse(skeleton->maps.rules, rules);
}

static int prepare_tables(struct sluice_bpf *skeleton, const struct compiled *compiled)
{
	int err = 0;

	for (int t = 0; t < TABLE_COUNT && !err; t++) {
		struct bpf_map *map = table_map(skeleton, t);
		size_t count = compiled->images[t].count;

		err = bpf_map__set_autocreate(map, count > 0);
		if (!err && count)
			err = bpf_map__set_value_size(map, count * sizeof(uint64_t));
	}
	return err;
}

/* What a candidate has in common with the active program. */
static int prepare_candidate(struct sluice_bpf *skeleton, const struct sluice_bpf *active)
{
	int err = reuse(skeleton->maps.shadow_programs, bpf_map__fd(active->maps.shadow_programs));

	if (!err)
		err = reuse(skeleton->maps.shadow_note, bpf_map__fd(active->maps.shadow_note));
	return err ? err : synproxy_share(skeleton, active);
}

/* A program for a network card's own processor is loaded for that card, and so are its maps. */
static void set_offload(struct sluice_bpf *skeleton, unsigned ifindex)
{
	struct bpf_map *map;

	bpf_program__set_ifindex(skeleton->progs.sluice, ifindex);
	bpf_object__for_each_map(map, skeleton->obj) bpf_map__set_ifindex(map, ifindex);
}

/* Which maps the program has, how large they are, and which of them are there already. */
static int prepare(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct load *how)
{
	int err = set_role(skeleton, how->active ? SHADOW_CANDIDATE : SHADOW_NONE);

	if (!err)
		err = dynamic_prepare(skeleton, how->slots);
	if (!err && how->offload)
		set_offload(skeleton, how->offload);
	if (!err)
		err = prepare_tables(skeleton, compiled);
	if (!err)
		err = lists_prepare(skeleton, compiled);
	if (!err)
		err = filter_prepare(skeleton, compiled, how->state);
	if (!err)
		err = top_prepare(skeleton, how->state);
	if (!err)
		err = synproxy_prepare(skeleton, compiled, how->state);
	if (!err && how->active)
		err = prepare_candidate(skeleton, how->active->skeleton);
	return err ? err : prepare_counters(skeleton, compiled, how);
}

static int load(const struct compiled *compiled, const struct load *how, struct program *out, struct error *error)
{
	int err = open_skeleton(&compiled->config, how->record, out, error);

	if (err)
		return err;
	err = prepare(out->skeleton, compiled, how);
	if (err)
		return refused(error, err, "cannot prepare the maps of the program");
	err = load_skeleton(out, error);
	for (int t = 0; t < TABLE_COUNT && !err; t++) {
		if (compiled->images[t].count)
			err = fill_table(bpf_map__fd(table_map(out->skeleton, t)), &compiled->images[t],
					 t < TABLE_FILTER_SOURCE4 ? how->slots : NULL, error);
	}
	if (err)
		return err;
	err = lists_fill(out->skeleton, compiled, how->slots);
	if (err)
		return refused(error, err, "cannot fill the rules");
	err = filter_begin(out->skeleton, how->state);
	if (err)
		return refused(error, err, "cannot begin the limits");
	err = synproxy_fill(out->skeleton, compiled, how->slots);
	if (err)
		return refused(error, err, "cannot fill the synproxy");
	err = dynamic_fill(out->skeleton, compiled, how->sets);
	return err ? refused(error, err, "cannot give the program its dynamic sets") : 0;
}

int program_load(const struct compiled *compiled, const struct load *how, struct program *out, struct error *error)
{
	struct program program = { .fd = -1 };
	int err = load(compiled, how, &program, error);

	if (err)
		program_close(&program);
	else
		*out = program;
	return err;
}

/* Opens the map of the running program that has this name. Returns its descriptor, -ENOENT when there is none, or
 * another negative errno when the kernel does not say. */
static int running_map(const uint32_t *ids, uint32_t count, const char *name, struct bpf_map_info *info)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t size = sizeof(*info);
		int fd = bpf_map_get_fd_by_id(ids[i]);
		int err;

		if (fd < 0)
			return fd;
		memset(info, 0, sizeof(*info));
		err = bpf_obj_get_info_by_fd(fd, info, &size);
		if (!err && !strcmp(info->name, name))
			return fd;
		close(fd);
		if (err)
			return err;
	}
	return -ENOENT;
}

static int running_config(const uint32_t *ids, uint32_t count, struct config *config)
{
	struct bpf_map_info info;
	CLEANUP_FD int fd = running_map(ids, count, "sluice_b.rodata", &info);
	CLEANUP_FREE void *value = NULL;

	if (fd < 0)
		return fd;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size < sizeof(*config))
		return -ENOENT;
	value = xcalloc(1, info.value_size + 8);
	if (bpf_map_lookup_elem(fd, &(uint32_t){ 0 }, value))
		return -errno;
	memcpy(config, value, sizeof(*config));
	return 0;
}

/* Gives a program the map of that name of a running one, or none where that has none. */
static int share(const uint32_t *ids, uint32_t count, struct bpf_map *map)
{
	struct bpf_map_info found;
	CLEANUP_FD int fd = running_map(ids, count, bpf_map__name(map), &found);

	if (fd < 0 && fd != -ENOENT)
		return fd;
	return fd < 0 ? bpf_map__set_autocreate(map, false) : reuse(map, fd);
}

/* Of a program that was loaded before there was a `top` a twin has one of its own, which nobody finds. */
static int share_top(const uint32_t *ids, uint32_t count, struct sluice_bpf *skeleton)
{
	struct bpf_map *maps[] = { skeleton->maps.data_top, skeleton->maps.talkers };
	struct bpf_map_info found;
	int err = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]) && !err; i++) {
		CLEANUP_FD int fd = running_map(ids, count, bpf_map__name(maps[i]), &found);

		err = reuse(maps[i], fd);
	}
	return err;
}

/* What a program made after a running one has of it. */
enum likeness {
	LIKE_COPY, /* judges alike, counts for itself and records */
	LIKE_TWIN, /* the same, counters and all */
};

static int share_list(const uint32_t *ids, uint32_t count, const struct list_maps *list)
{
	struct bpf_map *maps[] = { list->classifier4, list->classifier6, list->actions, list->more, list->runs };
	int err = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]) && !err; i++)
		err = maps[i] ? share(ids, count, maps[i]) : 0;
	return err;
}

static int share_tables(const uint32_t *ids, uint32_t count, struct sluice_bpf *skeleton)
{
	int err = share(ids, count, skeleton->maps.dynamic_heads);

	if (!err)
		err = share(ids, count, skeleton->maps.dynamic_entries);
	if (!err)
		err = share(ids, count, skeleton->maps.synproxy_list);
	if (!err)
		err = share(ids, count, skeleton->maps.synproxy_masks);
	for (int t = 0; t < TABLE_COUNT && !err; t++)
		err = share(ids, count, table_map(skeleton, t));
	for (enum classifier_list l = 0; l < CLASSIFIER_LISTS && !err; l++) {
		struct list_maps list = list_maps(skeleton, l);

		err = share_list(ids, count, &list);
	}
	return err;
}

static int share_state(const uint32_t *ids, uint32_t count, struct sluice_bpf *skeleton)
{
	struct bpf_map *maps[] = {
		skeleton->maps.counters,	skeleton->maps.rules,
		skeleton->maps.limits,		skeleton->maps.fragments,
		skeleton->maps.events,		skeleton->maps.events_lost,
		skeleton->maps.reject_due,	skeleton->maps.bans,
		skeleton->maps.bans_full,	skeleton->maps.synproxy_states,
		skeleton->maps.synproxy_counts, skeleton->maps.synproxy_proven,
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]) && !err; i++)
		err = share(ids, count, maps[i]);
	return err ? err : share_top(ids, count, skeleton);
}

static int prepare_like(const uint32_t *ids, uint32_t count, enum likeness likeness, enum shadow_role role,
			struct sluice_bpf *skeleton)
{
	int err = set_role(skeleton, role);

	if (!err)
		err = likeness == LIKE_COPY ? filter_prepare_copy(skeleton) : 0;
	if (!err)
		err = top_prepare(skeleton, NULL);
	if (!err)
		err = synproxy_prepare_like(skeleton);
	if (!err)
		err = share_tables(ids, count, skeleton);
	return err || likeness == LIKE_COPY ? err : share_state(ids, count, skeleton);
}

/* So that a copy finds armed what is armed. */
static int copy_states(const uint32_t *ids, uint32_t count, struct sluice_bpf *skeleton, struct error *error)
{
	struct bpf_map *map = skeleton->maps.synproxy_states;
	struct bpf_map_info found;
	CLEANUP_FD int fd = bpf_map__autocreate(map) ? running_map(ids, count, bpf_map__name(map), &found) : -1;
	int err = fd < 0 ? 0 : synproxy_copy_states(skeleton, fd);

	return err ? refused(error, err, "cannot copy the states of services") : 0;
}

static int make_like(int running, enum likeness likeness, enum shadow_role role, struct program *out,
		     struct error *error)
{
	uint32_t ids[PROGRAM_MAPS_MAX];
	struct bpf_prog_info info = { .nr_map_ids = PROGRAM_MAPS_MAX, .map_ids = (uintptr_t)ids };
	uint32_t size = sizeof(info);
	struct config config;
	int err;

	if (bpf_obj_get_info_by_fd(running, &info, &size))
		return refused(error, -errno, "cannot read the running program");
	err = running_config(ids, info.nr_map_ids, &config);
	if (err == -ENOENT)
		return error_set(error, EPROTO, "the running program was not loaded by this version of Sluice");
	if (err)
		return refused(error, err, "cannot read the configuration of the running program");
	err = open_skeleton(&config, likeness == LIKE_COPY, out, error);
	if (err)
		return err;
	err = prepare_like(ids, info.nr_map_ids, likeness, role, out->skeleton);
	if (err)
		return refused(error, err, "cannot give a program the maps of the running one");
	err = load_skeleton(out, error);
	return err || likeness == LIKE_TWIN ? err : copy_states(ids, info.nr_map_ids, out->skeleton, error);
}

static int load_like(int running, enum likeness likeness, enum shadow_role role, struct program *out,
		     struct error *error)
{
	struct program program = { .fd = -1 };
	int err = make_like(running, likeness, role, &program, error);

	if (err)
		program_close(&program);
	else
		*out = program;
	return err;
}

int program_copy(int running, struct program *out, struct error *error)
{
	return load_like(running, LIKE_COPY, SHADOW_NONE, out, error);
}

int program_twin(int running, enum shadow_role role, struct program *out, struct error *error)
{
	return load_like(running, LIKE_TWIN, role, out, error);
}

int program_shadow(const struct program *active, const struct program *candidate, struct error *error)
{
	int map = bpf_map__fd(active->skeleton->maps.shadow_programs);

	if (bpf_map_update_elem(map, &(uint32_t){ SHADOW_ACTIVE }, &active->fd, BPF_ANY) ||
	    bpf_map_update_elem(map, &(uint32_t){ SHADOW_CANDIDATE }, &candidate->fd, BPF_ANY))
		return refused(error, -errno, "cannot put a candidate beside a program");
	return 0;
}

void program_close(struct program *program)
{
	sluice_bpf__destroy(program->skeleton);
	*program = (struct program){ .fd = -1 };
}

void program_object_digest(char *digest)
{
	size_t size;
	const void *elf = sluice_bpf__elf_bytes(&size);
	struct digest *sum = digest_start();

	digest_add(sum, elf, size);
	digest_finish(sum, digest);
}

static void digest_list(struct digest *sum, const struct compiled_list *list)
{
	digest_add(sum, list->actions, list->count * sizeof(*list->actions));
	digest_add(sum, list->more, list->more_count * sizeof(*list->more));
	digest_add(sum, list->classifier4.words, list->classifier4.count * sizeof(__u64));
	digest_add(sum, list->classifier6.words, list->classifier6.count * sizeof(__u64));
}

void program_digest(const struct compiled *compiled, char *digest)
{
	struct digest *sum = digest_start();
	uint64_t receive = synproxy_receive(compiled);

	digest_add(sum, &compiled->config, sizeof(compiled->config));
	digest_add(sum, &compiled->interface->mode, sizeof(compiled->interface->mode));
	for (int t = 0; t < TABLE_COUNT; t++) {
		digest_add(sum, &compiled->tables[t].count, sizeof(compiled->tables[t].count));
		for (size_t i = 0; i < compiled->tables[t].count; i++) {
			const struct entry *entry = &compiled->tables[t].entries[i];

			digest_add(sum, &entry->prefix, sizeof(entry->prefix));
			digest_add(sum, &entry->value, sizeof(entry->value));
		}
	}
	digest_list(sum, &compiled->limit);
	digest_list(sum, &compiled->filter);
	digest_add(sum, &receive, sizeof(receive));
	digest_add(sum, compiled->synproxy.masks, compiled->synproxy.mask_count * sizeof(*compiled->synproxy.masks));
	for (size_t i = 0; i < compiled->dynamic_count; i++)
		digest_add(sum, compiled->dynamic[i].set->name, strlen(compiled->dynamic[i].set->name) + 1);
	for (size_t i = 0; i < compiled->rule_count; i++) {
		const struct rule *rule = &compiled->rules[i];

		digest_add(sum, rule->text, strlen(rule->text) + 1);
		digest_add(sum, &rule->where.line, sizeof(rule->where.line));
		if (rule->counter)
			digest_add(sum, rule->counter, strlen(rule->counter) + 1);
	}
	digest_finish(sum, digest);
}
