/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What went wrong, in the user's words. Library code fills it and returns a negative errno; the verb prints it once.
 */
#ifndef SLUICE_BASE_ERROR_H
#define SLUICE_BASE_ERROR_H

#include <limits.h>
#include <stdio.h>

/* A place in a text file. `file` is borrowed from whoever read the file; line and column count from 1, 0 is unknown. */
struct location {
	const char *file;
	int line;
	int column;
};

struct error {
	char file[PATH_MAX]; /* a copy: an error outlives what it is about */
	int line;
	int column;
	char what[1024]; /* what is wrong */
	char hint[2048]; /* what would be right, what to do next, or the kernel's own words; may be empty */
};

/* "line 7" of the file that `seen_from` is in, or "FILE:7" of another. Owned by the caller. */
char *location_text(struct location where, struct location seen_from);

/* Both set the error and return a negative errno: -EINVAL for a place in a file, -code otherwise. */
int error_at(struct error *error, struct location where, const char *format, ...) __attribute__((format(printf, 3, 4)));
int error_set(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Adds a line of advice to an error that is set. */
void error_hint(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "file:line:column: error: what", the line with a caret under the column when the file can be read, the hint. */
void error_print(FILE *out, const struct error *error);

/* Text from outside: control characters could make a terminal do things, and half characters harm whoever reads on.
 * They are written as '?'. */
void error_print_text(FILE *out, const char *text);

#endif
