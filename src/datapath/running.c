// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/running.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/memory.h"

static int program_id(const char *path, uint32_t *id, struct error *error)
{
	CLEANUP_FD int fd = pin_open(path, PIN_PROGRAM, error);
	struct bpf_prog_info info = {};
	int err = fd < 0 ? fd : pin_info(path, fd, &info, sizeof(info), error);

	if (err)
		return err;
	if (info.type != BPF_PROG_TYPE_XDP) {
		error_set(error, EPROTO, "%s: not an XDP program", path);
		error_hint(error, "something else pinned it; remove it and apply again: rm %s", path);
		return -EPROTO;
	}
	*id = info.id;
	return 0;
}

static int read_attachment(const struct pins *pins, const char *pin, struct attachment *out, struct error *error)
{
	struct bpf_link_info info = {};
	char path[PATH_MAX];
	int err;

	pins_path(pins, path, "links/%s", pin);
	interface_of_pin(pin, out->interface);
	out->link = pin_open(path, PIN_LINK, error);
	err = out->link < 0 ? out->link : pin_info(path, out->link, &info, sizeof(info), error);
	if (err)
		return err;
	if (info.type != BPF_LINK_TYPE_XDP) {
		error_set(error, EPROTO, "%s: not an XDP link", path);
		error_hint(error, "something else pinned it; remove it and apply again: rm %s", path);
		return -EPROTO;
	}
	out->ifindex = info.xdp.ifindex;
	out->link_id = info.id;
	out->program_id = info.prog_id;
	return 0;
}

static int read_attachments(const struct pins *pins, struct running *running, struct error *error)
{
	char path[PATH_MAX];
	char **names = pins_list(pins_path(pins, path, "links"), error);
	size_t capacity = 0;
	int err = 0;

	if (!names)
		return -EPROTO;
	for (size_t i = 0; names[i] && !err; i++) {
		struct attachment *out;

		running->attachments = xgrow(running->attachments, running->attachment_count, &capacity, sizeof(*out));
		out = &running->attachments[running->attachment_count++];
		*out = (struct attachment){ .link = -1 };
		err = read_attachment(pins, names[i], out, error);
	}
	pins_free_names(names);
	return err;
}

static int read_generation(const struct pins *pins, const char *name, struct generation *out, struct error *error)
{
	char path[PATH_MAX], pin[IF_NAMESIZE];
	int err;

	err = description_read(pins_path(pins, path, "generations/%s/description", name), &out->description, error);
	if (err)
		return err;
	out->number = out->description.generation;
	out->pending = !strcmp(name, GENERATION_NEW);
	out->program_ids = xcalloc(out->description.interface_count, sizeof(*out->program_ids));
	for (size_t i = 0; i < out->description.interface_count && !err; i++) {
		pin_of_interface(out->description.interfaces[i].name, pin);
		err = program_id(pins_path(pins, path, "generations/%s/interfaces/%s", name, pin), &out->program_ids[i],
				 error);
	}
	return err;
}

static void generation_free(struct generation *generation)
{
	description_free(&generation->description);
	free(generation->program_ids);
}

static int read_generations(const struct pins *pins, struct running *running, struct error *error)
{
	char path[PATH_MAX];
	char **names = pins_list(pins_path(pins, path, "generations"), error);
	size_t capacity = 0;
	int err = 0;

	if (!names)
		return -EPROTO;
	for (size_t i = 0; names[i] && !err; i++) {
		struct generation *out;

		running->generations = xgrow(running->generations, running->generation_count, &capacity, sizeof(*out));
		out = &running->generations[running->generation_count++];
		*out = (struct generation){ 0 };
		err = read_generation(pins, names[i], out, error);
		if (err == -ENOENT) { /* not all of it was pinned: a change was cut off before it counted */
			generation_free(out);
			running->generation_count--;
			err = 0;
		}
	}
	pins_free_names(names);
	return err;
}

/* True when the generation pins this program, for this interface. */
static bool pins_program(const struct generation *generation, const char *interface, uint32_t program)
{
	for (size_t i = 0; i < generation->description.interface_count; i++) {
		if (generation->program_ids[i] == program)
			return !strcmp(generation->description.interfaces[i].name, interface);
	}
	return false;
}

/* Looks behind the gates. */
static void find_judges(struct running *running)
{
	const struct gates *gates = &running->gates;

	for (size_t a = 0; a < running->attachment_count; a++) {
		struct attachment *attachment = &running->attachments[a];

		attachment->gate = gates_find(gates, attachment->interface, attachment->program_id);
		if (!attachment->gate)
			continue;
		attachment->program_id = attachment->gate->generations[gates->judge];
		running->waiting |= gates->left > 0;
	}
}

/* Which two generations a change that is not settled is about. */
static void find_behind(struct running *running)
{
	const struct gates *gates = &running->gates;

	for (size_t g = 0; g < running->generation_count; g++) {
		for (size_t i = 0; i < gates->count * GATE_GENERATIONS; i++) {
			const struct gate *gate = &gates->gates[i / GATE_GENERATIONS];
			enum gate_generation slot = i % GATE_GENERATIONS;

			if (pins_program(&running->generations[g], gate->interface, gate->generations[slot]))
				running->behind[slot] = &running->generations[g];
		}
	}
}

/* Both are the same generation, the new one with sets read anew. */
static bool is_reload(const struct running *running)
{
	const struct generation *const *behind = running->behind;

	return behind[GATE_OLD] && behind[GATE_NEW] && behind[GATE_OLD]->number == behind[GATE_NEW]->number;
}

/* Nothing ran before what the gates lead to. */
static bool is_first(const struct running *running)
{
	for (size_t i = 0; i < running->gates.count; i++) {
		if (running->gates.gates[i].generations[GATE_OLD])
			return false;
	}
	return true;
}

static void find_generations(struct running *running)
{
	for (size_t g = 0; g < running->generation_count; g++) {
		const struct generation *generation = &running->generations[g];

		for (size_t a = 0; a < running->attachment_count; a++) {
			struct attachment *attachment = &running->attachments[a];

			if (!pins_program(generation, attachment->interface, attachment->program_id))
				continue;
			attachment->generation = generation->number;
			running->current = generation;
		}
	}
	for (size_t g = 0; g < running->generation_count; g++) {
		const struct generation *generation = &running->generations[g];

		/* While sets are read anew, the generation is there twice. */
		if (generation->pending || (running->current && generation->number == running->current->number))
			continue;
		running->previous = generation;
	}
	if (running->current && running->current == running->behind[GATE_NEW] && !is_reload(running) &&
	    (running->behind[GATE_OLD] || is_first(running)))
		running->previous = running->behind[GATE_OLD];
}

int running_read(const struct pins *pins, struct running *running, struct error *error)
{
	int err;

	*running = (struct running){ 0 };
	err = read_attachments(pins, running, error);
	if (!err)
		err = read_generations(pins, running, error);
	if (!err)
		err = gates_read(pins, &running->gates, error);
	if (err) {
		running_free(running);
		return err;
	}
	find_judges(running);
	find_behind(running);
	find_generations(running);
	return 0;
}

void running_free(struct running *running)
{
	for (size_t i = 0; i < running->attachment_count; i++)
		cleanup_close(&running->attachments[i].link);
	free(running->attachments);
	for (size_t i = 0; i < running->generation_count; i++)
		generation_free(&running->generations[i]);
	free(running->generations);
	gates_free(&running->gates);
	*running = (struct running){ 0 };
}

int running_read_again(const struct pins *pins, struct running *running, struct error *error)
{
	int err;

	running_free(running);
	err = running_read(pins, running, error);
	if (err)
		*running = (struct running){ 0 };
	return err;
}

const struct attachment *running_attachment(const struct running *running, const char *interface)
{
	for (size_t i = 0; i < running->attachment_count; i++) {
		if (!strcmp(running->attachments[i].interface, interface))
			return &running->attachments[i];
	}
	return NULL;
}

bool running_knows(const struct running *running, const char *interface)
{
	for (size_t i = 0; i < running->generation_count; i++) {
		if (described_interface(&running->generations[i].description, interface))
			return true;
	}
	return running_attachment(running, interface) != NULL;
}

const struct generation *running_generation(const struct running *running, unsigned number)
{
	for (size_t i = 0; i < running->generation_count; i++) {
		if (running->generations[i].number == number)
			return &running->generations[i];
	}
	return NULL;
}
