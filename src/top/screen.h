/* SPDX-License-Identifier: BSD-2-Clause */
/* The screen of `sluice top` (ncurses): one view at a time, of one or two tables of a sample. */
#ifndef SLUICE_TOP_SCREEN_H
#define SLUICE_TOP_SCREEN_H

#include <stdbool.h>

#include "base/error.h"
#include "top/sample.h"

struct top_screen;

/* Takes the terminal that standard input and output are. Returns 0 and a screen to close, or a negative errno with
 * `error` set: -ENOTTY when they are none, -EINVAL when ncurses does not know it. */
int top_screen_open(const char *interface, struct top_screen **screen, struct error *error);

/* Gives the terminal back as it was. */
void top_screen_close(struct top_screen *screen);

/* Shows this sample, which is to stay until the next one; NULL: there is none yet. */
void top_screen_show(struct top_screen *screen, const struct sample *sample);

/* Waits so long for keys, milliseconds, and does what they say. Returns early when one was pressed, or a signal came.
 */
void top_screen_wait(struct top_screen *screen, int milliseconds);

/* What keys have asked for. */
bool top_screen_quits(const struct top_screen *screen);
bool top_screen_pauses(const struct top_screen *screen);

#endif
