// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/shadow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "compile/compile.h"
#include "datapath/describe.h"
#include "datapath/program.h"
#include "datapath/sets.h"
#include "datapath/state.h"
#include "datapath/tidy.h"
#include "datapath/transaction.h"
#include "sluice.skel.h"

/* One interface of the running generation, made once more; with a candidate where the other policy is for it, too. */
struct making {
	struct program active, candidate;
	struct compiled compiled; /* of the candidate */
	bool has_candidate;
};

static void making_free(struct making *making, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		program_close(&making[i].active);
		program_close(&making[i].candidate);
		compiled_free(&making[i].compiled);
	}
	free(making);
}

/* A candidate counts nothing, and its rules have their own numbers for slots. */
static int load_candidate(const struct interface *interface, const struct sets *sets, struct making *making,
			  struct error *error)
{
	const struct load load = { .sets = sets, .active = &making->active };
	int err = compile(interface, &making->compiled, error);

	if (!err)
		err = program_load(&making->compiled, &load, &making->candidate, error);
	if (!err)
		err = program_shadow(&making->active, &making->candidate, error);
	making->has_candidate = !err;
	return err;
}

static int load_active(const struct generation *current, size_t index, enum shadow_role role, struct making *making,
		       struct error *error)
{
	CLEANUP_FD int running = bpf_prog_get_fd_by_id(current->program_ids[index]);

	if (running < 0)
		return error_set(error, errno, "cannot open the program of %s: %s",
				 current->description.interfaces[index].name, strerror(errno));
	return program_twin(running, role, &making->active, error);
}

/* `candidate` is NULL for the generation by itself. */
static int load(const struct generation *current, const struct policy *candidate, const struct sets *sets,
		struct making *making, struct error *error)
{
	int err = 0;

	for (size_t i = 0; i < current->description.interface_count && !err; i++) {
		const char *name = current->description.interfaces[i].name;
		const struct interface *interface = candidate ? policy_interface(candidate, name) : NULL;

		err = load_active(current, i, interface ? SHADOW_ACTIVE : SHADOW_NONE, &making[i], error);
		if (!err && interface)
			err = load_candidate(interface, sets, &making[i], error);
	}
	return err;
}

static int pin(const struct pins *pins, int fd, const char *interface, const char *form, struct error *error)
{
	char name[IF_NAMESIZE], path[PATH_MAX];
	CLEANUP_FREE char *where = xasprintf(form, pin_of_interface(interface, name));

	pins_path(pins, path, "generations/" GENERATION_NEW "/%s", where);
	if (bpf_obj_pin(fd, path))
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

static int make_folder(const struct pins *pins, const char *folder, struct error *error)
{
	char path[PATH_MAX];
	int err = pins_make_folder(pins_path(pins, path, "generations/" GENERATION_NEW "/%s", folder));

	return err ? error_set(error, -err, "cannot make %s: %s", path, strerror(-err)) : 0;
}

static int pin_shadow(const struct pins *pins, const char *interface, const struct making *making, struct error *error)
{
	const struct sluice_bpf *skeleton = making->active.skeleton;
	char name[IF_NAMESIZE];
	CLEANUP_FREE char *folder = xasprintf("shadow/interfaces/%s", pin_of_interface(interface, name));
	int err = make_folder(pins, folder, error);

	if (!err)
		err = pin(pins, bpf_map__fd(skeleton->maps.shadow_programs), interface, "shadow/interfaces/%s/programs",
			  error);
	if (!err)
		err = pin(pins, bpf_map__fd(skeleton->maps.shadow_pairs), interface, "shadow/interfaces/%s/pairs",
			  error);
	if (!err)
		err = pin(pins, bpf_map__fd(skeleton->maps.shadow_totals), interface, "shadow/interfaces/%s/totals",
			  error);
	return err;
}

static int pin_one(const struct pins *pins, const char *interface, const struct making *making, struct error *error)
{
	int err = pin(pins, making->active.fd, interface, "interfaces/%s", error);

	return err || !making->has_candidate ? err : pin_shadow(pins, interface, making, error);
}

static int describe_candidate(const struct pins *pins, const struct policy *policy, const struct generation *current,
			      const struct making *making, struct error *error)
{
	struct description description = describe(policy, current->number, time(NULL));
	size_t described = 0;
	char path[PATH_MAX];
	int err;

	for (size_t i = 0; i < current->description.interface_count; i++) {
		const struct compiled *compiled = &making[i].compiled;
		CLEANUP_FREE uint32_t *slots = xcalloc(compiled->rule_count + 1, sizeof(*slots));

		if (!making[i].has_candidate)
			continue;
		for (size_t rule = 0; rule < compiled->rule_count; rule++)
			slots[rule] = rule;
		describe_interface(&description, described, compiled);
		describe_slots(&description, described++, slots);
	}
	description.interface_count = described; /* of those that run */
	err = description_pin(&description, pins_path(pins, path, "generations/" GENERATION_NEW "/shadow/description"),
			      error);
	description_free(&description);
	return err;
}

static int pin_all(const struct pins *pins, const struct policy *candidate, const struct generation *current,
		   const struct making *making, struct error *error)
{
	int err = make_folder(pins, "interfaces", error);

	for (size_t i = 0; i < current->description.interface_count && !err; i++)
		err = pin_one(pins, current->description.interfaces[i].name, &making[i], error);
	if (!err && candidate)
		err = describe_candidate(pins, candidate, current, making, error);
	return err;
}

static int place(const struct pins *pins, struct running *running, const struct making *making, struct error *error)
{
	const struct description *description = &running->current->description;
	size_t count = description->interface_count;
	CLEANUP_FREE struct placement *placements = xcalloc(count, sizeof(*placements));
	int err;

	for (size_t i = 0; i < count; i++) {
		placements[i] = (struct placement){
			.interface = description->interfaces[i].name,
			.mode = description->interfaces[i].mode,
			.program = making[i].active.fd,
			.old = -1,
			.created = -1,
		};
	}
	err = swap_check(running, placements, count, error);
	if (!err)
		err = transaction_enact(pins, running, placements, count, description, 0, error);
	swap_close(placements, count);
	return err;
}

/* From what runs to the same with this candidate, or, with NULL, with none. */
static int change(const struct pins *pins, struct running *running, const struct policy *candidate, struct error *error)
{
	size_t count = running->current->description.interface_count;
	struct making *making = xcalloc(count, sizeof(*making));
	struct sets sets = { 0 };
	int err = candidate ? sets_look(pins, candidate, &sets, error) : 0;

	for (size_t i = 0; i < count; i++)
		making[i].active.fd = making[i].candidate.fd = -1;
	if (!err)
		err = load(running->current, candidate, &sets, making, error);
	if (!err)
		err = pin_all(pins, candidate, running->current, making, error);
	if (!err)
		err = place(pins, running, making, error);
	sets_close(&sets);
	making_free(making, count);
	return err;
}

static int check(const struct running *running, const struct policy *candidate, struct error *error)
{
	char own[DIGEST_TEXT_MAX];

	if (!running->current)
		return error_set(error, ENOENT, "nothing is applied, so there is nothing to shadow");
	program_object_digest(own);
	if (strcmp(own, running->current->description.object)) {
		error_set(error, EPROTO, "the running program was made by another version of Sluice");
		error_hint(error, "apply its policy again with this one: sluice apply %s",
			   running->current->description.path);
		return -EPROTO;
	}
	for (size_t i = 0; i < candidate->interface_count; i++) {
		if (described_interface(&running->current->description, candidate->interfaces[i].name))
			return 0;
	}
	return error_set(error, ENOENT, "generation %u runs on none of the interfaces of %s", running->current->number,
			 candidate->path);
}

static const struct description *way_back(const struct running *running)
{
	return running->previous ? &running->previous->description : NULL;
}

static int begin_or_end(struct pins *pins, struct running *running, const struct policy *candidate, struct error *error)
{
	int err = change(pins, running, candidate, error);

	if (err)
		tidy_failed(pins, running);
	else
		tidy_after(pins, &running->current->description, way_back(running));
	return err;
}

int shadow_begin(const struct policy *candidate, struct settled *settled, struct error *error)
{
	struct running running;
	struct pins pins;
	int err = transaction_begin_alone(&pins, &running, settled, error);

	if (err)
		return err;
	err = check(&running, candidate, error);
	if (!err)
		err = begin_or_end(&pins, &running, candidate, error);
	else if (!running.attachment_count && !running.generation_count)
		pins_remove_all(&pins);
	running_free(&running);
	pins_close(&pins);
	return err;
}

static int no_shadow(const struct generation *current, struct error *error)
{
	if (!current)
		return error_set(error, ENOENT, "nothing is applied");
	error_set(error, ENOENT, "generation %u has no shadow", current->number);
	error_hint(error, "put a candidate beside it: sluice shadow POLICY");
	return -ENOENT;
}

int shadow_end(struct settled *settled, struct error *error)
{
	struct running running;
	struct pins pins;
	int err = transaction_begin_alone(&pins, &running, settled, error);

	if (err)
		return err;
	if (shadow_exists(&pins, running.current))
		err = begin_or_end(&pins, &running, NULL, error);
	else
		err = no_shadow(running.current, error);
	if (!running.attachment_count && !running.generation_count)
		pins_remove_all(&pins);
	running_free(&running);
	pins_close(&pins);
	return err;
}

static const char *shadow_path(const struct pins *pins, const struct generation *generation, const char *rest,
			       char *path)
{
	if (generation->pending)
		return pins_path(pins, path, "generations/" GENERATION_NEW "/shadow%s", rest);
	return pins_path(pins, path, "generations/%u/shadow%s", generation->number, rest);
}

bool shadow_exists(const struct pins *pins, const struct generation *generation)
{
	char path[PATH_MAX];

	return generation && !access(shadow_path(pins, generation, "/description", path), F_OK);
}

static int open_map(const char *folder, const char *pin, const char *what, struct error *error)
{
	CLEANUP_FREE char *path = xasprintf("%s/%s/%s", folder, pin, what);

	return pin_open(path, PIN_MAP, error);
}

static int most_packets_first(const void *left, const void *right)
{
	const struct shadow_difference *a = left, *b = right;

	return (a->counter.packets < b->counter.packets) - (a->counter.packets > b->counter.packets);
}

static void read_differences(int map, struct shadow_interface *out)
{
	struct shadow_difference difference;
	struct shadow_pair last;
	bool is_first = true;

	while (!bpf_map_get_next_key(map, is_first ? NULL : &last, &difference.pair)) {
		last = difference.pair;
		is_first = false;
		if (bpf_map_lookup_elem(map, &last, &difference.counter))
			continue;
		out->differences =
			xgrow(out->differences, out->difference_count, &out->difference_capacity, sizeof(difference));
		out->differences[out->difference_count++] = difference;
	}
	if (out->difference_count)
		qsort(out->differences, out->difference_count, sizeof(*out->differences), most_packets_first);
}

static int read_interface(const char *folder, const char *pin, struct shadow_interface *out, struct error *error)
{
	char interface[IF_NAMESIZE];
	CLEANUP_FD int pairs = open_map(folder, pin, "pairs", error);
	CLEANUP_FD int totals = pairs < 0 ? pairs : open_map(folder, pin, "totals", error);
	int err = totals < 0 ? totals : 0;

	for (uint32_t i = 0; i < SHADOW_TOTALS && !err; i++) {
		err = counter_read(totals, i, &out->totals[i]);
		if (err)
			error_set(error, -err, "cannot read what the shadow of %s counted: %s", pin, strerror(-err));
	}
	if (err)
		return err;
	out->name = xstrdup(interface_of_pin(pin, interface));
	read_differences(pairs, out);
	return 0;
}

int shadow_read(const struct pins *pins, const struct generation *generation, struct shadow *shadow,
		struct error *error)
{
	struct shadow read = { 0 };
	char path[PATH_MAX];
	char **names;
	int err;

	if (!shadow_exists(pins, generation))
		return no_shadow(generation, error);
	err = description_read(shadow_path(pins, generation, "/description", path), &read.candidate, error);
	if (err)
		return err;
	names = pins_list(shadow_path(pins, generation, "/interfaces", path), error);
	if (!names) {
		shadow_free(&read);
		return -EPROTO;
	}
	while (names[read.interface_count])
		read.interface_count++;
	read.interfaces = xcalloc(read.interface_count, sizeof(*read.interfaces));
	for (size_t i = 0; i < read.interface_count && !err; i++)
		err = read_interface(path, names[i], &read.interfaces[i], error);
	pins_free_names(names);
	if (err)
		shadow_free(&read);
	else
		*shadow = read;
	return err;
}

void shadow_free(struct shadow *shadow)
{
	for (size_t i = 0; i < shadow->interface_count; i++) {
		free(shadow->interfaces[i].name);
		free(shadow->interfaces[i].differences);
	}
	free(shadow->interfaces);
	description_free(&shadow->candidate);
	*shadow = (struct shadow){ 0 };
}
