/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A set file (policy/set_file.h) from lists as others publish or save them: plain lists with comments, `ipset save`,
 * JSON with an object on each line, CSV. Text in, prefixes out.
 */
#ifndef SLUICE_IMPORT_BLOCKLIST_H
#define SLUICE_IMPORT_BLOCKLIST_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "policy/prefix.h"

struct blocklist {
	const char *column; /* of CSV, or key of JSON, that has the addresses; NULL: none was named */
	FILE *messages;	    /* a line for each thing that is not taken, or taken otherwise than it stands there */
	struct prefixes prefixes;
	size_t entries, refused; /* of all files; an entry that is a range may be several prefixes */
	/* By blocklist_merge: entries that were there before, that another one covers, and pairs that became one. */
	size_t twice, inside, joined;
};

/* Adds the prefixes of a list, whose text is cut up in place and has no NUL but the one at its end. What kind of list
 * it is its first lines say. `file` is its name in messages. Returns 0, also when there are only comments, or -EINVAL
 * with `error` set: it is no list, there is nothing in it, or none of its lines has an address. */
int blocklist_read(struct blocklist *list, char *text, size_t length, const char *file, struct error *error);

/* Sorts the prefixes, and makes them as few as cover the same addresses. */
void blocklist_merge(struct blocklist *list);

/* Writes a set file. `source` says where it comes from. */
void blocklist_print(const struct blocklist *list, const char *source, FILE *out);

void blocklist_free(struct blocklist *list);

#endif
