// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "datapath/log.h"
#include "gate.skel.h"

#define SECOND 1000000000ULL /* nanoseconds */

/* The clock of bpf_ktime_get_coarse_ns. */
static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static int refuse(struct error *error, const char *path, const char *why)
{
	error_set(error, EPROTO, "%s: %s", path, why);
	error_hint(error, "something else pinned it; remove it and apply again: rm %s", path);
	return -EPROTO;
}

/* Opens a pinned map of this type. Returns a descriptor, or a negative errno with `error` set. */
static int open_map(const char *path, enum bpf_map_type type, uint32_t value_size, uint32_t entries,
		    struct error *error)
{
	struct bpf_map_info info = {};
	int fd = pin_open(path, PIN_MAP, error);
	int err = fd < 0 ? 0 : pin_info(path, fd, &info, sizeof(info), error);

	if (fd < 0 || (!err && info.type == type && info.value_size == value_size && info.max_entries == entries))
		return fd;
	close(fd);
	return err ? err : refuse(error, path, "not a map of a gate of this version of Sluice");
}

static int map_deadline(struct deadline *deadline, struct error *error)
{
	void *memory = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, deadline->map, 0);

	if (memory == MAP_FAILED)
		return error_set(error, errno, "cannot map the deadline of a change: %s", strerror(errno));
	deadline->memory = memory;
	return 0;
}

static int pin_deadline(const struct pins *pins, const struct deadline *deadline, struct error *error)
{
	char path[PATH_MAX];
	int err = pins_make_folder(pins_path(pins, path, "gate"));

	if (err)
		return error_set(error, -err, "cannot make %s: %s", path, strerror(-err));
	if (bpf_obj_pin(deadline->map, pins_path(pins, path, "gate/deadline")))
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

int deadline_make(const struct pins *pins, struct deadline *deadline, struct error *error)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	struct deadline made = { 0 };
	int err;

	made.map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "gate_deadline", sizeof(uint32_t), sizeof(uint64_t), 1, &options);
	if (made.map < 0)
		return error_set(error, errno, "cannot make the deadline of a change: %s", strerror(errno));
	err = map_deadline(&made, error);
	if (!err)
		err = pin_deadline(pins, &made, error);
	if (err)
		deadline_close(&made);
	else
		*deadline = made;
	return err;
}

int deadline_open(const struct pins *pins, struct deadline *deadline, struct error *error)
{
	struct deadline opened = { 0 };
	char path[PATH_MAX];
	int err;

	opened.map = open_map(pins_path(pins, path, "gate/deadline"), BPF_MAP_TYPE_ARRAY, sizeof(uint64_t), 1, error);
	if (opened.map < 0)
		return opened.map;
	err = map_deadline(&opened, error);
	if (err)
		deadline_close(&opened);
	else
		*deadline = opened;
	return err;
}

void deadline_close(struct deadline *deadline)
{
	if (deadline->memory)
		munmap(deadline->memory, sizeof(uint64_t));
	cleanup_close(&deadline->map);
	*deadline = (struct deadline){ .map = -1 };
}

void deadline_set(const struct deadline *deadline, uint64_t value)
{
	__atomic_store_n(deadline->memory, value, __ATOMIC_SEQ_CST);
}

uint64_t deadline_in(uint64_t seconds)
{
	return seconds ? now() + seconds * SECOND : GATE_OPEN;
}

/* Returns 0 and whose turn it is, or a negative errno with `error` set: -ENOENT when nothing is pinned. */
static int read_deadline(const struct pins *pins, struct gates *gates, struct error *error)
{
	struct deadline deadline;
	int err = deadline_open(pins, &deadline, error);
	uint64_t time = now();

	if (err)
		return err;
	gates->has_deadline = true;
	gates->deadline = __atomic_load_n(deadline.memory, __ATOMIC_SEQ_CST);
	gates->judge = time < gates->deadline ? GATE_NEW : GATE_OLD;
	if (gates->judge == GATE_NEW && gates->deadline != GATE_OPEN)
		gates->left = gates->deadline - time;
	deadline_close(&deadline);
	return 0;
}

static int read_program(const struct pins *pins, const char *pin, struct gate *gate, struct error *error)
{
	struct bpf_prog_info info = {};
	char path[PATH_MAX];
	int err;
	CLEANUP_FD int fd = pin_open(pins_path(pins, path, "gate/interfaces/%s/program", pin), PIN_PROGRAM, error);

	if (fd < 0)
		return fd;
	err = pin_info(path, fd, &info, sizeof(info), error);
	if (err)
		return err;
	gate->program_id = info.id;
	return 0;
}

static int read_generations(const struct pins *pins, const char *pin, struct gate *gate, struct error *error)
{
	char path[PATH_MAX];
	CLEANUP_FD int fd = open_map(pins_path(pins, path, "gate/interfaces/%s/generations", pin),
				     BPF_MAP_TYPE_PROG_ARRAY, sizeof(uint32_t), GATE_GENERATIONS, error);

	if (fd < 0)
		return fd;
	for (uint32_t i = 0; i < GATE_GENERATIONS; i++) {
		gate->generations[i] = 0;
		if (bpf_map_lookup_elem(fd, &i, &gate->generations[i]) && errno != ENOENT)
			return error_set(error, errno, "cannot read %s: %s", path, strerror(errno));
	}
	return 0;
}

static int read_interfaces(const struct pins *pins, struct gates *gates, struct error *error)
{
	char path[PATH_MAX];
	char **names = pins_list(pins_path(pins, path, "gate/interfaces"), error);
	size_t capacity = 0;
	int err = 0;

	if (!names)
		return -EPROTO;
	for (size_t i = 0; names[i] && !err; i++) {
		struct gate gate;

		interface_of_pin(names[i], gate.interface);
		err = read_program(pins, names[i], &gate, error);
		if (!err)
			err = read_generations(pins, names[i], &gate, error);
		if (err == -ENOENT) {
			err = 0;
			continue;
		}
		gates->gates = xgrow(gates->gates, gates->count, &capacity, sizeof(gate));
		gates->gates[gates->count++] = gate;
	}
	pins_free_names(names);
	return err;
}

int gates_read(const struct pins *pins, struct gates *gates, struct error *error)
{
	struct gates read = { 0 };
	char path[PATH_MAX];
	int err;

	pins_path(pins, path, "gate");
	read.exist = !access(path, F_OK);
	err = read_interfaces(pins, &read, error);
	if (!err)
		err = read_deadline(pins, &read, error);
	/* The deadline is pinned first and unpinned last. */
	if (err == -ENOENT && !read.count)
		err = 0;
	else if (err == -ENOENT)
		error_hint(
			error,
			"somebody removed it; remove all of it and apply again (until then all packets pass): rm -r %s",
			path);
	if (err)
		gates_free(&read);
	else
		*gates = read;
	return err;
}

void gates_free(struct gates *gates)
{
	free(gates->gates);
	*gates = (struct gates){ 0 };
}

const struct gate *gates_find(const struct gates *gates, const char *interface, uint32_t program_id)
{
	for (size_t i = 0; i < gates->count; i++) {
		if (gates->gates[i].program_id == program_id && !strcmp(gates->gates[i].interface, interface))
			return &gates->gates[i];
	}
	return NULL;
}

static int load_gate(struct gate_bpf *skeleton, const struct deadline *deadline, const int *programs,
		     struct error *error)
{
	int map, err = bpf_map__reuse_fd(skeleton->maps.gate_deadline, deadline->map);

	if (!err)
		err = gate_bpf__load(skeleton);
	if (err) {
		error_set(error, -err, "the kernel refused the gate of a change: %s", strerror(-err));
		log_hint(error);
		return err;
	}
	map = bpf_map__fd(skeleton->maps.gate_generations);
	for (uint32_t i = 0; i < GATE_GENERATIONS; i++) {
		if (programs[i] < 0 || !bpf_map_update_elem(map, &i, &programs[i], BPF_ANY))
			continue;
		err = error_set(error, errno, "cannot put a program behind a gate: %s", strerror(errno));
		if (err == -EINVAL)
			error_hint(error, "what runs was not loaded by Sluice; sluice down, then apply");
		return err;
	}
	return 0;
}

static int pin_gate(const struct pins *pins, const char *interface, const struct gate_bpf *skeleton,
		    struct error *error)
{
	char pin[IF_NAMESIZE], path[PATH_MAX];
	int err;

	pin_of_interface(interface, pin);
	err = pins_make_folder(pins_path(pins, path, "gate/interfaces/%s", pin));
	if (err)
		return error_set(error, -err, "cannot make %s: %s", path, strerror(-err));
	if (bpf_obj_pin(bpf_map__fd(skeleton->maps.gate_generations),
			pins_path(pins, path, "gate/interfaces/%s/generations", pin)) ||
	    bpf_obj_pin(bpf_program__fd(skeleton->progs.gate),
			pins_path(pins, path, "gate/interfaces/%s/program", pin)))
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

int gate_make(const struct pins *pins, const char *interface, const struct deadline *deadline,
	      const int programs[GATE_GENERATIONS], struct error *error)
{
	struct gate_bpf *skeleton;
	int fd, err;

	log_start();
	skeleton = gate_bpf__open();
	if (!skeleton)
		return error_set(error, errno, "cannot open the BPF object of a gate: %s", strerror(errno));
	err = load_gate(skeleton, deadline, programs, error);
	if (!err)
		err = pin_gate(pins, interface, skeleton, error);
	fd = err ? err : fcntl(bpf_program__fd(skeleton->progs.gate), F_DUPFD_CLOEXEC, 0);
	if (!err && fd < 0)
		fd = error_set(error, errno, "cannot keep a gate open: %s", strerror(errno));
	gate_bpf__destroy(skeleton);
	return fd;
}

int gates_remove(const struct pins *pins, struct error *error)
{
	char path[PATH_MAX];
	int err = pins_remove(pins_path(pins, path, "gate/interfaces"));

	if (!err)
		err = pins_remove(pins_path(pins, path, "gate"));
	return err ? error_set(error, -err, "cannot remove %s: %s", path, strerror(-err)) : 0;
}
