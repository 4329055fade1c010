/* SPDX-License-Identifier: BSD-2-Clause */
/* What the walk looks like on standard output: in colour on a terminal, unless NO_COLOR is set; plain in a pipe. */
#ifndef SLUICE_HELLO_SCREEN_H
#define SLUICE_HELLO_SCREEN_H

#include <stddef.h>

/* Call it before the others. */
void screen_start(void);

void screen_heading(int number, int count, const char *title);

/* The last line of the walk, apart from its last step. */
void screen_end(const char *text);

/* Plain sentences; a line break in them begins a new line. */
void screen_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A command that the reader can type. */
void screen_command(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What was read: at most `limit` lines of it, then how many more there are. */
void screen_output(const char *text, size_t limit);

/* Asks for a key, and takes the question back from a terminal once it is answered. */
void screen_ask(const char *question);
void screen_answered(void);

#endif
