// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

static int open_one(const struct pins *pins, const struct set *set, struct dynamic_set *out, struct error *error)
{
	int err = set_open_or_make(pins, set->name, set->size, out, error);

	if (err)
		return err;
	/* Only while it is written: whoever adds an entry does not wait until a program is loaded. */
	set_unlock(out);
	return 0;
}

static int look_at_one(const struct pins *pins, const struct set *set, struct dynamic_set *out, struct error *error)
{
	int err = set_open(pins, set->name, READ, out, error);

	return err == -ENOENT ? set_make_private(1, out, error) : err;
}

static int open_all(const struct pins *pins, const struct policy *policy,
		    int (*open_set)(const struct pins *, const struct set *, struct dynamic_set *, struct error *),
		    struct sets *sets, struct error *error)
{
	struct sets opened = {
		.policy = policy,
		.items = xcalloc(policy->set_count, sizeof(*opened.items)),
		.old = xcalloc(policy->set_count, sizeof(*opened.old)),
	};
	int err = 0;

	for (size_t i = 0; i < policy->set_count; i++) {
		opened.items[i] = SET_CLOSED;
		opened.old[i] = -1;
	}
	for (size_t i = 0; i < policy->set_count && !err; i++) {
		if (policy->sets[i]->size)
			err = open_set(pins, policy->sets[i], &opened.items[i], error);
	}
	if (err)
		sets_close(&opened);
	else
		*sets = opened;
	return err;
}

int sets_open(const struct pins *pins, const struct policy *policy, struct sets *sets, struct error *error)
{
	return open_all(pins, policy, open_one, sets, error);
}

int sets_look(const struct pins *pins, const struct policy *policy, struct sets *sets, struct error *error)
{
	return open_all(pins, policy, look_at_one, sets, error);
}

void sets_close(struct sets *sets)
{
	for (size_t i = 0; sets->policy && i < sets->policy->set_count; i++) {
		set_close(&sets->items[i]);
		cleanup_close(&sets->old[i]);
	}
	free(sets->items);
	free(sets->old);
	*sets = (struct sets){ 0 };
}

int sets_resize(const struct pins *pins, struct sets *sets, struct error *error)
{
	int err = 0;

	for (size_t i = 0; i < sets->policy->set_count && !err; i++) {
		uint32_t size = sets->policy->sets[i]->size;
		struct dynamic_set *set = &sets->items[i];

		if (!size || set->size == size)
			continue;
		err = set_lock(pins, set, error);
		if (!err)
			err = set_resize(pins, set, size, &sets->old[i], error);
	}
	return err;
}

void sets_undo(const struct pins *pins, struct sets *sets)
{
	for (size_t i = 0; i < sets->policy->set_count; i++) {
		if (sets->old[i] >= 0)
			set_undo_resize(pins, &sets->items[i], sets->old[i]);
	}
}

const struct dynamic_set *sets_find(const struct sets *sets, const struct set *set)
{
	size_t i = 0;

	while (sets->policy->sets[i] != set)
		i++;
	return &sets->items[i];
}

bool sets_match(const struct pins *pins, const struct description *description)
{
	for (size_t i = 0; i < description->set_count; i++) {
		const struct described_set *wanted = &description->sets[i];
		struct dynamic_set set;
		struct error error;
		bool matches;

		if (!wanted->size)
			continue;
		if (set_open(pins, wanted->name, READ, &set, &error))
			return false;
		matches = set.size == wanted->size;
		set_close(&set);
		if (!matches)
			return false;
	}
	return true;
}

void sets_follow(const struct pins *pins, const struct description *description)
{
	for (size_t i = 0; i < description->set_count; i++) {
		const struct described_set *wanted = &description->sets[i];
		struct dynamic_set set;
		struct error ignored; /* a set that cannot be opened tells who uses it */
		enum access how = set_is_between_sizes(pins, wanted->name) ? WRITE : READ;

		if (!wanted->size || set_open(pins, wanted->name, how, &set, &ignored))
			continue;
		__atomic_store_n(&set.shared->timeout, wanted->timeout, __ATOMIC_RELAXED);
		set_close(&set);
	}
}

static bool is_named(const char *name, const struct description *description)
{
	for (size_t i = 0; description && i < description->set_count; i++) {
		if (description->sets[i].size && !strcmp(description->sets[i].name, name))
			return true;
	}
	return false;
}

size_t sets_tidy(const struct pins *pins, const struct description *const *kept, size_t count, bool remove)
{
	char **names = set_names(pins);
	size_t unknown = 0;

	for (size_t i = 0; names && names[i]; i++) {
		char path[PATH_MAX];
		bool named = false;

		for (size_t k = 0; k < count && !named; k++)
			named = is_named(names[i], kept[k]);
		if (named)
			continue;
		unknown++;
		if (remove)
			pins_remove(pins_path(pins, path, "sets/%s", names[i]));
	}
	pins_free_names(names);
	return unknown;
}
