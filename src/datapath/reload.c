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

int reload_check(const struct reload *reload, const struct description *running, const struct policy *policy,
		 const struct description *wanted, struct error *error)
{
	int err;

	if (!running)
		return error_set(error, ENOENT, "nothing is applied");
	if (strcmp(running->policy, wanted->policy)) {
		error_set(error, EINVAL, "%s has changed since generation %u was made of it", running->path,
			  running->generation);
		error_hint(error, "make it run first: sluice apply %s", running->path);
		return -EINVAL;
	}
	err = check_names(reload, policy, error);
	for (size_t i = 0; i < wanted->set_count && !err; i++) {
		const struct described_set *set = &wanted->sets[i];

		if (is_named(reload, set->name) || is_same_set(running, set))
			continue;
		err = error_set(error, EINVAL, "the file of set \"%s\" has changed too", set->name);
		error_hint(error, "name it as well, or no set: then all are read");
	}
	return err;
}
