// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/tidy.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "datapath/grace.h"
#include "datapath/namespaces.h"
#include "datapath/sets.h"
#include "datapath/state.h"

static bool is_attached(const char *path)
{
	struct error error;
	CLEANUP_FD int fd = pin_open(path, PIN_LINK, &error);
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	/* What cannot be read is not ours to remove. */
	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) || info.xdp.ifindex;
}

static bool has_link(const struct pins *pins, const char *netns)
{
	CLEANUP_FREE char *folder = xasprintf("%s/%s/links", pins->root, netns);
	char **links = pins_names(folder);
	bool alive = !links;

	for (size_t i = 0; links && links[i] && !alive; i++) {
		CLEANUP_FREE char *path = xasprintf("%s/%s", folder, links[i]);

		alive = is_attached(path);
	}
	pins_free_names(links);
	return alive;
}

/* The kernel gives a cookie once: nobody would ever find what is pinned for a network namespace that is gone. One
 * without a link may only have lost its interfaces, and waits for them with its sets; all are looked for when there is
 * such a one. We hold the lock, so it is not one that is being filled. */
static void remove_dead_namespaces(const struct pins *pins)
{
	const char *own = strrchr(pins->netns, '/') + 1;
	char **names = pins_names(pins->root);
	struct namespaces alive = { 0 };
	bool looked = false;

	for (size_t i = 0; names && names[i]; i++) {
		CLEANUP_FREE char *path = xasprintf("%s/%s", pins->root, names[i]);

		if (!isdigit((unsigned char)names[i][0]) || !strcmp(names[i], own) || has_link(pins, names[i]))
			continue;
		if (!looked && namespaces_find(&alive))
			break;
		looked = true;
		if (!namespaces_have(&alive, strtoull(names[i], NULL, 10)))
			pins_remove(path);
	}
	namespaces_free(&alive);
	pins_free_names(names);
}

static bool is_wanted(const struct running *running, const char *name)
{
	const struct generation *generation = running_generation(running, strtoul(name, NULL, 10));

	if (!generation)
		return false;
	for (size_t i = 0; i < running->attachment_count; i++) {
		if (running->attachments[i].generation == generation->number)
			return true;
	}
	return generation == running->current || generation == running->previous;
}

/* Both return how many there are, and remove them or only look. */
enum tidying {
	LOOK,
	REMOVE,
};

/* A packet in a candidate looks for its way back in what is pinned here (bpf/shadow.h). */
static void remove_generation(const struct pins *pins, const char *name)
{
	char path[PATH_MAX];
	struct error ignored;

	if (!access(pins_path(pins, path, "generations/%s/shadow", name), F_OK))
		grace_wait(&ignored);
	pins_remove(pins_path(pins, path, "generations/%s", name));
}

static size_t tidy_generations(const struct pins *pins, const struct running *running, enum tidying tidying)
{
	char path[PATH_MAX];
	char **names = pins_names(pins_path(pins, path, "generations"));
	size_t count = 0;

	for (size_t i = 0; names && names[i]; i++) {
		if (!strcmp(names[i], GENERATION_NEW) || is_wanted(running, names[i]))
			continue;
		count++;
		if (tidying == REMOVE)
			remove_generation(pins, names[i]);
	}
	pins_free_names(names);
	return count;
}

static size_t tidy_state(const struct pins *pins, const struct running *running, enum tidying tidying)
{
	char path[PATH_MAX], interface[IF_NAMESIZE];
	char **names = pins_names(pins_path(pins, path, "state"));
	size_t count = 0;

	for (size_t i = 0; names && names[i]; i++) {
		if (running_knows(running, interface_of_pin(names[i], interface))) {
			count += state_tidy(pins, interface, tidying == REMOVE);
			continue;
		}
		count++;
		if (tidying == REMOVE)
			pins_remove(pins_path(pins, path, "state/%s", names[i]));
	}
	pins_free_names(names);
	return count;
}

static size_t tidy_sets(const struct pins *pins, const struct running *running, enum tidying tidying)
{
	CLEANUP_FREE const struct description **kept = xcalloc(running->generation_count, sizeof(*kept));

	if (!running->current)
		return 0; /* the sets are waiting for an apply that mends what is pinned */
	for (size_t i = 0; i < running->generation_count; i++)
		kept[i] = &running->generations[i].description;
	return sets_tidy(pins, kept, running->generation_count, tidying == REMOVE);
}

bool tidy_finds(const struct pins *pins, const struct running *running)
{
	char path[PATH_MAX];

	if (running->gates.exist)
		return false; /* a change that is not over */
	return tidy_generations(pins, running, LOOK) || tidy_state(pins, running, LOOK) ||
	       tidy_sets(pins, running, LOOK) || !access(pins_path(pins, path, "generations/" GENERATION_NEW), F_OK) ||
	       (!running->attachment_count && !access(pins->netns, F_OK));
}

int tidy_before(const struct pins *pins, struct running *running, bool *found, struct error *error)
{
	*found = tidy_finds(pins, running);
	remove_dead_namespaces(pins);
	if (!running->waiting && running->current)
		sets_follow(pins, &running->current->description);
	if (!*found || running->waiting)
		return 0;
	tidy_generations(pins, running, REMOVE);
	tidy_state(pins, running, REMOVE);
	tidy_sets(pins, running, REMOVE);
	return running_read_again(pins, running, error);
}

int tidy_name(const struct pins *pins, unsigned number, struct error *error)
{
	char path[PATH_MAX], name[PATH_MAX];

	pins_path(pins, path, "generations/" GENERATION_NEW);
	/* Not whole, or the one whose sets were read anew. */
	snprintf(name, sizeof(name), "%u", number);
	remove_generation(pins, name);
	pins_path(pins, name, "generations/%u", number);
	if (rename(path, name))
		return error_set(error, errno, "cannot rename %s: %s", path, strerror(errno));
	return 0;
}

static bool is_kept(unsigned long number, const struct description *kept)
{
	return kept && kept->generation == number;
}

static bool is_named(const char *interface, const struct description *kept)
{
	return kept && described_interface(kept, interface);
}

void tidy_after(const struct pins *pins, const struct description *current, const struct description *previous)
{
	char path[PATH_MAX], interface[IF_NAMESIZE];
	char **names = pins_names(pins_path(pins, path, "generations"));

	for (size_t i = 0; names && names[i]; i++) {
		unsigned long number = strtoul(names[i], NULL, 10);

		/* Called "new" still: it could not be renamed, but runs; see transaction_enact. */
		if (strcmp(names[i], GENERATION_NEW) && !is_kept(number, current) && !is_kept(number, previous))
			remove_generation(pins, names[i]);
	}
	pins_free_names(names);
	names = pins_names(pins_path(pins, path, "state"));
	for (size_t i = 0; names && names[i]; i++) {
		interface_of_pin(names[i], interface);
		if (is_named(interface, current) || is_named(interface, previous))
			state_tidy(pins, interface, true);
		else
			pins_remove(pins_path(pins, path, "state/%s", names[i]));
	}
	pins_free_names(names);
	sets_tidy(pins, (const struct description *const[]){ current, previous }, 2, true);
}

void tidy_failed(struct pins *pins, const struct running *running)
{
	char path[PATH_MAX];

	if (!running->attachment_count && !running->generation_count) {
		pins_remove_all(pins);
		return;
	}
	pins_remove(pins_path(pins, path, "generations/" GENERATION_NEW));
	tidy_state(pins, running, REMOVE);
	tidy_sets(pins, running, REMOVE);
}
