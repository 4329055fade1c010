/* SPDX-License-Identifier: BSD-2-Clause */
/* What stays pinned and what goes: before a change, after one that worked, after one that failed. */
#ifndef SLUICE_DATAPATH_TIDY_H
#define SLUICE_DATAPATH_TIDY_H

#include "datapath/pins.h"
#include "datapath/running.h"

/* Removes generations that neither run nor are the previous, unless one waits to be confirmed; state of interfaces and
 * dynamic sets that no generation names; and what is pinned for network namespaces that are gone. `running` is what is
 * pinned, before and afterwards. Returns 0, or a negative errno with `error` set. `*found`: whether tidy_finds did. */
int tidy_before(const struct pins *pins, struct running *running, bool *found, struct error *error);

/* True when an earlier change left something pinned that nobody needs: it was cut off, or could not clean up. */
bool tidy_finds(const struct pins *pins, const struct running *running);

/* Gives the new generation its number. Returns 0, or a negative errno with `error` set. */
int tidy_name(const struct pins *pins, unsigned number, struct error *error);

/* All generations but these two go, and the state of interfaces that neither names. NULL: there is no such generation.
 */
void tidy_after(const struct pins *pins, const struct description *current, const struct description *previous);

/* Nothing of the failed change stays; `running` is what ran before it and still does. */
void tidy_failed(struct pins *pins, const struct running *running);

#endif
