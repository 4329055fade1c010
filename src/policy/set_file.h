/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines of a set file, and of what `set add` reads: a prefix first, '#' or ';' begins a comment. */
#ifndef SLUICE_POLICY_SET_FILE_H
#define SLUICE_POLICY_SET_FILE_H

#include <stddef.h>

#include "base/error.h"

/* More than ten million prefixes; a device that never ends is found out before it has eaten the memory. */
#define SET_FILE_MAX (256UL << 20)

#define BLANKS " \t\r\f\v"

/* The first word of a line that has one, and what follows it without blanks in front: "" when nothing does. */
struct set_line {
	char *word, *rest;
	struct location where, rest_where;
};

/* Takes one line; returns 0, or a negative errno with `error` set, which ends the reading. */
typedef int take_line(const struct set_line *line, void *context, struct error *error);

/* Cuts up `text`, in place, and hands over each line with a word on it; `file` is its name in locations. Returns 0 or
 * what the first failure returned. */
int set_lines_read(char *text, size_t length, const char *file, take_line *take, void *context, struct error *error);

#endif
