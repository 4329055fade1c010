// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/reload.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_named(const struct reload *reload, const char *set)
{
	for (size_t i = 0; i < reload->count; i++) {
		if (!strcmp(reload->sets[i], set))
			return true;
	}
	return !reload->count;
}

static const struct set *find_set(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->set_count; i++) {
		if (!strcmp(policy->sets[i]->name, name))
			return policy->sets[i];
	}
	return NULL;
}

static int check_names(const struct reload *reload, const struct policy *policy, struct error *error)
{
	for (size_t i = 0; i < reload->count; i++) {
		const struct set *set = find_set(policy, reload->sets[i]);

		if (!set)
			return error_set(error, ENOENT, "there is no set \"%s\" in %s", reload->sets[i], policy->path);
		if (!set->path) {
			error_at(error, set->where, "set \"%s\" is not kept in a file", set->name);
			return -EINVAL;
		}
	}
	return 0;
}

static bool is_same_set(const struct description *running, const struct described_set *wanted)
{
	for (size_t i = 0; i < running->set_count; i++) {
		if (!strcmp(running->sets[i].name, wanted->name))
			return !strcmp(running->sets[i].digest, wanted->digest);
	}
	return false;
}

/* What an apply of the same policy would change beside its sets. NULL: nothing. */
static const char *other_change(const struct running *running, const struct description *wanted)
{
	const struct description *there = &running->current->description;

	if (strcmp(there->policy, wanted->policy))
		return "has changed since";
	if (strcmp(there->object, wanted->object))
		return "was applied by another version of Sluice when";
	for (size_t i = 0; i < wanted->interface_count; i++) {
		const struct attachment *attachment = running_attachment(running, wanted->interfaces[i].name);

		if (!attachment || attachment->generation != there->generation)
			return "does not run on all its interfaces, though";
	}
	return NULL;
}

int reload_check(const struct reload *reload, const struct running *running, const struct policy *policy,
		 const struct description *wanted, struct error *error)
{
	const struct description *there;
	const char *other;
	int err;

	if (!running->current)
		return error_set(error, ENOENT, "nothing is applied");
	there = &running->current->description;
	other = other_change(running, wanted);
	if (other) {
		error_set(error, EINVAL, "%s %s generation %u was made of it", there->path, other, there->generation);
		error_hint(error, "make it run first: sluice apply %s", there->path);
		return -EINVAL;
	}
	err = check_names(reload, policy, error);
	for (size_t i = 0; i < wanted->set_count && !err; i++) {
		const struct described_set *set = &wanted->sets[i];

		if (is_named(reload, set->name) || is_same_set(there, set))
			continue;
		err = error_set(error, EINVAL, "the file of set \"%s\" has changed too", set->name);
		error_hint(error, "name it as well, or no set: then all are read");
	}
	return err;
}
