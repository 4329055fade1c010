// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "datapath/members.h"
#include "datapath/repoint.h"

#define LOCK_TRIES 100 /* each means that someone removed the set between our open and our lock */

/* A new map of entries, whole, that has not taken the place of the old one everywhere. (bpffs refuses dots, and no
 * other pin of a set has this name.) */
#define NEXT_ENTRIES "next"

static const char *set_path(const struct pins *pins, const char *name, const char *pin, char *path)
{
	return pins_path(pins, path, "sets/%s/%s", name, pin);
}

char **set_names(const struct pins *pins)
{
	char path[PATH_MAX];

	return pins_names(pins_path(pins, path, "sets"));
}

static int no_such_set(const char *name, struct error *error)
{
	return error_set(error, ENOENT, "there is no dynamic set \"%s\" here", name);
}

static int cannot_open(const char *path, int err, struct error *error)
{
	int refusal = pins_cannot_open(path, true, err, error);

	if (refusal == -EACCES)
		error_hint(error, "this needs root");
	return refusal;
}

/* The folder may be removed while we wait: by an apply that does not name the set any more, or by the last `down`. */
static int lock(const struct pins *pins, const char *name, int *folder, struct error *error)
{
	char path[PATH_MAX];

	pins_path(pins, path, "sets/%s", name);
	for (int i = 0; i < LOCK_TRIES; i++) {
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct stat held, there;
		int err;

		if (fd < 0 && errno == ENOENT)
			return no_such_set(name, error);
		if (fd < 0)
			return cannot_open(path, errno, error);
		do
			err = flock(fd, LOCK_EX) ? errno : 0;
		while (err == EINTR);
		if (err) {
			close(fd);
			return error_set(error, err, "cannot lock %s: %s", path, strerror(err));
		}
		if (!fstat(fd, &held) && !stat(path, &there) && held.st_ino == there.st_ino) {
			*folder = fd;
			return 0;
		}
		close(fd);
	}
	return error_set(error, EBUSY, "%s comes and goes; another program removes it", path);
}

static int wrong_layout(const struct pins *pins, const char *name, const char *path, struct error *error)
{
	error_set(error, EPROTO, "%s: not a set of this version of Sluice", path);
	error_hint(error, "use the version that made it; or give up what is in it and apply again: rm -r %s/sets/%s",
		   pins->netns, name);
	return -EPROTO;
}

/* What tells a map of ours from any other. */
struct layout {
	const char *pin;
	uint32_t type, key_size, value_size, flags, entries; /* 0 entries: any number */
};

static const struct layout entries_layout = {
	.pin = "entries",
	.type = BPF_MAP_TYPE_HASH,
	.key_size = sizeof(struct set_key),
	.value_size = sizeof(struct set_value),
};

static const struct layout head_layout = {
	.pin = "head",
	.type = BPF_MAP_TYPE_ARRAY,
	.key_size = sizeof(uint32_t),
	.value_size = sizeof(struct set_head),
	.flags = BPF_F_MMAPABLE,
	.entries = 1,
};

/* Returns a descriptor and `*size`, or a negative errno with `error` set. */
static int open_map(const struct pins *pins, const char *name, const char *pin, const struct layout *layout,
		    uint32_t *size, struct error *error)
{
	struct bpf_map_info info = {};
	char path[PATH_MAX];
	int fd = pin_open(set_path(pins, name, pin, path), PIN_MAP, error);
	int err;

	if (fd == -ENOENT)
		return no_such_set(name, error);
	if (fd == -EPROTO)
		return wrong_layout(pins, name, path, error);
	if (fd == -EACCES)
		error_hint(error, "this needs root");
	if (fd < 0)
		return fd;
	err = pin_info(path, fd, &info, sizeof(info), error);
	if (err) {
		close(fd);
		return err;
	}
	if (info.type == layout->type && info.key_size == layout->key_size && info.value_size == layout->value_size &&
	    info.map_flags == layout->flags && (!layout->entries || info.max_entries == layout->entries)) {
		*size = info.max_entries;
		return fd;
	}
	close(fd);
	return wrong_layout(pins, name, path, error);
}

static int map_head(struct dynamic_set *set, struct error *error)
{
	void *memory = mmap(NULL, sizeof(struct set_head), PROT_READ | PROT_WRITE, MAP_SHARED, set->head, 0);

	if (memory == MAP_FAILED)
		return error_set(error, errno, "cannot map the head of set %s: %s", set->name, strerror(errno));
	set->shared = memory;
	return 0;
}

static int open_maps(const struct pins *pins, struct dynamic_set *set, struct error *error)
{
	uint32_t one;

	set->head = open_map(pins, set->name, head_layout.pin, &head_layout, &one, error);
	if (set->head < 0)
		return set->head;
	set->entries = open_map(pins, set->name, entries_layout.pin, &entries_layout, &set->size, error);
	return set->entries < 0 ? set->entries : map_head(set, error);
}

/* Puts the map that is pinned as "next" in the place of the set's own, everywhere. Can be done again at any point. */
static int take_next(const struct pins *pins, const char *name, int entries, int next, struct error *error)
{
	char path[PATH_MAX], next_path[PATH_MAX];
	int err = repoint(pins, entries, next);

	if (err)
		return error_set(error, -err, "cannot give set %s its new size: %s", name, strerror(-err));
	set_path(pins, name, NEXT_ENTRIES, next_path);
	if (rename(next_path, set_path(pins, name, entries_layout.pin, path)))
		return error_set(error, errno, "cannot rename %s: %s", next_path, strerror(errno));
	return 0;
}

static int finish_resize(const struct pins *pins, struct dynamic_set *set, struct error *error)
{
	struct error none;
	uint32_t size = 0;
	int next = open_map(pins, set->name, NEXT_ENTRIES, &entries_layout, &size, &none);
	int err;

	if (next == -ENOENT)
		return 0;
	if (next < 0) {
		*error = none;
		return next;
	}
	err = take_next(pins, set->name, set->entries, next, error);
	if (err) {
		close(next);
		return err;
	}
	close(set->entries);
	set->entries = next;
	set->size = size;
	return 0;
}

bool set_is_between_sizes(const struct pins *pins, const char *name)
{
	char path[PATH_MAX];

	return !access(set_path(pins, name, NEXT_ENTRIES, path), F_OK);
}

static void set_name(struct dynamic_set *set, const char *name)
{
	*set = SET_CLOSED;
	snprintf(set->name, sizeof(set->name), "%s", name);
}

int set_open(const struct pins *pins, const char *name, enum access access, struct dynamic_set *set,
	     struct error *error)
{
	struct dynamic_set opened;
	int err = 0;

	if (strlen(name) > SET_NAME_MAX || strpbrk(name, "/.") || !*name)
		return no_such_set(name, error);
	set_name(&opened, name);
	if (access == WRITE)
		err = lock(pins, name, &opened.folder, error);
	if (!err)
		err = open_maps(pins, &opened, error);
	if (!err && access == WRITE)
		err = finish_resize(pins, &opened, error);
	if (err)
		set_close(&opened);
	else
		*set = opened;
	return err;
}

void set_close(struct dynamic_set *set)
{
	if (set->shared)
		munmap(set->shared, sizeof(*set->shared));
	cleanup_close(&set->entries);
	cleanup_close(&set->head);
	cleanup_close(&set->folder);
	*set = SET_CLOSED;
}

void set_unlock(struct dynamic_set *set)
{
	cleanup_close(&set->folder);
	set->folder = -1;
}

int set_lock(const struct pins *pins, struct dynamic_set *set, struct error *error)
{
	return lock(pins, set->name, &set->folder, error);
}

/* An element of a preallocated hash map is three words of list, one of the hash, its key and its value, in the kernel's
 * kernel/bpf/hashtab.c 48 bytes before the key; a bucket is 16 bytes, and there are as many as the next power of two.
 */
uint64_t set_memory(uint32_t size)
{
	uint64_t buckets = 1;

	while (buckets < size)
		buckets *= 2;
	return (48 + sizeof(struct set_key) + sizeof(struct set_value)) * (uint64_t)size + 16 * buckets +
	       sizeof(struct set_head);
}

static int make_map(const struct layout *layout, const char *map_name, const char *set, uint32_t size,
		    struct error *error)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = layout->flags);
	int fd = bpf_map_create(layout->type, map_name, layout->key_size, layout->value_size,
				layout->entries ? layout->entries : size, &options);

	if (fd >= 0)
		return fd;
	if (errno != ENOMEM)
		return error_set(error, errno, "the kernel refused the maps of set %s: %s", set, strerror(errno));
	error_set(error, ENOMEM, "not enough memory for set %s", set);
	error_hint(error, "%u entries take about %llu MiB, and all of it at once, so that they never run short", size,
		   (unsigned long long)set_memory(size) >> 20);
	return -ENOMEM;
}

static int make_maps(struct dynamic_set *set, uint32_t size, struct error *error)
{
	int err;

	set->size = size;
	set->head = make_map(&head_layout, "set_head", set->name, 1, error);
	if (set->head < 0)
		return set->head;
	set->entries = make_map(&entries_layout, "set_entries", set->name, size, error);
	if (set->entries < 0)
		return set->entries;
	err = map_head(set, error);
	if (err)
		return err;
	if (getrandom(&set->shared->seed, sizeof(set->shared->seed), 0) != sizeof(set->shared->seed))
		return error_set(error, errno, "cannot draw the seed of set %s: %s", set->name, strerror(errno));
	return 0;
}

int set_make_private(uint32_t size, struct dynamic_set *set, struct error *error)
{
	struct dynamic_set made;
	int err;

	set_name(&made, "");
	err = make_maps(&made, size, error);
	if (err)
		set_close(&made);
	else
		*set = made;
	return err;
}

/* The entries last: a set without them is not there yet, and is made again. So is one without its head. */
static int make_pinned(const struct pins *pins, struct dynamic_set *set, uint32_t size, struct error *error)
{
	char path[PATH_MAX];
	int err = make_maps(set, size, error);

	if (err)
		return err;
	pins_remove(set_path(pins, set->name, entries_layout.pin, path));
	pins_remove(set_path(pins, set->name, head_layout.pin, path));
	if (bpf_obj_pin(set->head, path))
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	if (bpf_obj_pin(set->entries, set_path(pins, set->name, entries_layout.pin, path)))
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

int set_open_or_make(const struct pins *pins, const char *name, uint32_t size, struct dynamic_set *set,
		     struct error *error)
{
	struct dynamic_set made;
	char path[PATH_MAX];
	int err = set_open(pins, name, WRITE, set, error);

	if (err != -ENOENT)
		return err;
	err = pins_make_folder(pins_path(pins, path, "sets/%s", name));
	if (err)
		return error_set(error, -err, "cannot make %s: %s", path, strerror(-err));
	set_name(&made, name);
	err = lock(pins, name, &made.folder, error);
	if (!err)
		err = make_pinned(pins, &made, size, error);
	if (err)
		set_close(&made);
	else
		*set = made;
	return err;
}

/* From the moment that `next` is pinned the change is made or, after a kill, finished by the next one who writes. */
static int switch_to(const struct pins *pins, struct dynamic_set *set, int next, struct error *error)
{
	char path[PATH_MAX];

	set_path(pins, set->name, NEXT_ENTRIES, path);
	if (bpf_obj_pin(next, path))
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	return take_next(pins, set->name, set->entries, next, error);
}

static void undo_switch(const struct pins *pins, const struct dynamic_set *set, int next)
{
	char path[PATH_MAX];

	repoint(pins, next, set->entries);
	pins_remove(set_path(pins, set->name, NEXT_ENTRIES, path));
}

int set_resize(const struct pins *pins, struct dynamic_set *set, uint32_t size, int *old, struct error *error)
{
	int next = make_map(&entries_layout, "set_entries", set->name, size, error);
	int err;

	if (next < 0)
		return next;
	err = members_copy(set, next, size, error);
	if (!err) {
		err = switch_to(pins, set, next, error);
		if (err)
			undo_switch(pins, set, next);
	}
	if (err) {
		close(next);
		return err;
	}
	*old = set->entries;
	set->entries = next;
	set->size = size;
	return 0;
}

void set_undo_resize(const struct pins *pins, struct dynamic_set *set, int old)
{
	struct error ignored; /* what could not be switched back is as large as it was asked to be, and whole */

	if (switch_to(pins, set, old, &ignored))
		undo_switch(pins, set, old);
}
