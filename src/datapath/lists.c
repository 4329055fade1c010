// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/lists.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/libbpf.h>
#include <xxhash.h>

#include "base/memory.h"
#include "sluice.skel.h"

struct list_maps list_maps(const struct sluice_bpf *skeleton, enum classifier_list list)
{
	if (list == CLASSIFIER_LIMIT)
		return (struct list_maps){ skeleton->maps.limit4, skeleton->maps.limit6, skeleton->maps.limit_actions,
					   skeleton->maps.limit_more, NULL };
	return (struct list_maps){ skeleton->maps.classifier4, skeleton->maps.classifier6,
				   skeleton->maps.filter_actions, skeleton->maps.filter_more,
				   skeleton->maps.filter_runs };
}

static const struct compiled_list *list_of(const struct compiled *compiled, enum classifier_list list)
{
	return list == CLASSIFIER_LIMIT ? &compiled->limit : &compiled->filter;
}

static int prepare_classifier(struct bpf_map *map, const struct classifier *classifier)
{
	int err = bpf_map__set_autocreate(map, classifier->count > 0);

	if (!err && classifier->count)
		err = bpf_map__set_value_size(map, classifier->count * sizeof(*classifier->words));
	return err;
}

static int prepare_array(struct bpf_map *map, size_t count)
{
	int err = bpf_map__set_autocreate(map, count > 0);

	return err || !count ? err : bpf_map__set_max_entries(map, count);
}

static size_t runs_for(size_t rules)
{
	return (rules + FILTER_RUN - 1) / FILTER_RUN;
}

int lists_prepare(const struct sluice_bpf *skeleton, const struct compiled *compiled)
{
	int err = 0;

	for (enum classifier_list l = 0; l < CLASSIFIER_LISTS && !err; l++) {
		const struct compiled_list *list = list_of(compiled, l);
		struct list_maps maps = list_maps(skeleton, l);

		err = prepare_classifier(maps.classifier4, &list->classifier4);
		if (!err)
			err = prepare_classifier(maps.classifier6, &list->classifier6);
		if (!err)
			err = prepare_array(maps.actions, list->count);
		if (!err && maps.runs)
			err = prepare_array(maps.runs, runs_for(list->count));
		if (!err)
			err = prepare_array(maps.more, list->more_count > 1 ? list->more_count : 0);
	}
	return err;
}

/* As the kernel lays elements out in a map that can be mapped. */
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

static int fill_classifier(const struct bpf_map *map, const struct classifier *classifier)
{
	size_t size = classifier->count * sizeof(*classifier->words);

	return size ? map_fill(map, classifier->words, size) : 0;
}

static bool is_simple(const struct filter_action *action)
{
	return !action->reject && !action->more;
}

static int fill_runs(const struct bpf_map *map, const struct filter_action *actions, size_t count)
{
	size_t run_count = runs_for(count);
	CLEANUP_FREE struct filter_run *runs = xcalloc(run_count, sizeof(*runs));

	for (size_t i = 0; i < count; i++) {
		struct filter_run *run = &runs[i / FILTER_RUN];
		uint32_t place = i % FILTER_RUN;

		if (!run->simple)
			run->slot = actions[i].slot - place;
		if (!is_simple(&actions[i]) || actions[i].slot != run->slot + place)
			continue;
		run->simple |= 1U << place;
		if (actions[i].verdict == VERDICT_PASS)
			run->accepts |= 1U << place;
	}
	return map_fill(map, runs, run_count * sizeof(*runs));
}

static int fill_actions(const struct list_maps *maps, const struct compiled_list *list, const uint32_t *slots)
{
	CLEANUP_FREE struct filter_action *actions = xcalloc(list->count, sizeof(*actions));
	int err;

	for (size_t i = 0; i < list->count; i++) {
		uint32_t rule = list->first + i;

		actions[i] = list->actions[i];
		actions[i].slot = slots ? slots[rule] : rule;
	}
	err = map_fill(maps->actions, actions, list->count * sizeof(*actions));
	return err || !maps->runs ? err : fill_runs(maps->runs, actions, list->count);
}

static int fill_more(const struct bpf_map *map, const struct compiled_list *list, const struct rule *rules)
{
	CLEANUP_FREE struct filter_more *more = xcalloc(list->more_count, sizeof(*more));

	memcpy(more, list->more, list->more_count * sizeof(*more));
	for (size_t i = 0; i < list->count; i++) {
		const char *text = rules[list->first + i].text;

		more[list->actions[i].more].salt = (uint16_t)XXH3_64bits(text, strlen(text));
	}
	return map_fill(map, more, list->more_count * sizeof(*more));
}

static int fill_list(const struct list_maps *maps, const struct compiled_list *list, const struct rule *rules,
		     const uint32_t *slots)
{
	int err = fill_classifier(maps->classifier4, &list->classifier4);

	if (!err)
		err = fill_classifier(maps->classifier6, &list->classifier6);
	if (!err)
		err = fill_actions(maps, list, slots);
	if (!err && bpf_map__autocreate(maps->more))
		err = fill_more(maps->more, list, rules);
	return err;
}

int lists_fill(const struct sluice_bpf *skeleton, const struct compiled *compiled, const uint32_t *slots)
{
	int err = 0;

	for (enum classifier_list l = 0; l < CLASSIFIER_LISTS && !err; l++) {
		const struct compiled_list *list = list_of(compiled, l);
		struct list_maps maps = list_maps(skeleton, l);

		if (list->count)
			err = fill_list(&maps, list, compiled->rules, slots);
	}
	return err;
}
