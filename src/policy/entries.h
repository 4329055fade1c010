/* SPDX-License-Identifier: BSD-2-Clause */
/* What is put into a dynamic set or taken out of it, as words of a command and as lines. */
#ifndef SLUICE_POLICY_ENTRIES_H
#define SLUICE_POLICY_ENTRIES_H

#include <stdint.h>

#include "policy/prefix.h"

/* How long an entry stays, in seconds, or one of these. */
#define TIMEOUT_NEVER 0		  /* until it is taken out */
#define TIMEOUT_OF_SET UINT64_MAX /* as the set says */

struct set_entry {
	struct prefix prefix;
	uint64_t timeout;
};

struct set_entries {
	struct set_entry *items;
	size_t count, capacity;
};

/* "10m", "never": from a second to SET_TIMEOUT_MAX. Returns 0, or -EINVAL with `error` set and `*seconds` untouched. */
int timeout_parse(const char *text, struct location where, uint64_t *seconds, struct error *error);

/* "PREFIX" or "PREFIX timeout TIME", one a line, '#' or ';' begins a comment. Appends what `text`, which is cut up,
 * holds; entries that name no time get `timeout`. `file` is its name in errors. Returns 0, or a negative errno with
 * `error` set and the list as it was. */
int entries_read(struct set_entries *list, char *text, size_t length, const char *file, uint64_t timeout,
		 struct error *error);

void entries_add(struct set_entries *list, struct prefix prefix, uint64_t timeout);

/* Sorts by prefix and leaves of entries for the same prefix the one that came last. */
void entries_settle(struct set_entries *list);
void entries_free(struct set_entries *list);

#endif
