/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands that a reader can type: shown only, or run as well when they only look and are installed. */
#ifndef SLUICE_HELLO_LOOK_H
#define SLUICE_HELLO_LOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "hello/session.h"

/* No listing of the walk is longer than this on the screen. */
#define LOOK_LINES 40

/* Prints a command; what is about interfaces is made to work from outside the network namespace. `argv` ends with NULL.
 */
void look_show(const struct session *session, const char *const *argv);

/* Prints the command, runs it in the folder of the session and prints what it says. False when the tool is missing or
 * fails, which is said: the caller then shows what Sluice itself reads. After a signal it is true, for there is nothing
 * to show any more. */
bool look(const struct session *session, const char *const *argv);

/* The same, for commands whose output is to be changed before it is printed, or which are to fail: `*output` is to be
 * freed, and NULL after a signal. */
bool look_into(const struct session *session, const char *const *argv, char **output, int *status);

/* The program as the kernel describes it. */
void look_program(const struct session *session);

#endif
