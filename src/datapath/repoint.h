/* SPDX-License-Identifier: BSD-2-Clause */
/* Has the programs of all pinned generations, the running one among them, use another map for a dynamic set. */
#ifndef SLUICE_DATAPATH_REPOINT_H
#define SLUICE_DATAPATH_REPOINT_H

#include "datapath/pins.h"

/* `from` and `to` are descriptors of maps of entries. A program that does not use `from` is left alone. Returns 0, or
 * the first failure's negative errno after trying them all: then some program may still use `from`. */
int repoint(const struct pins *pins, int from, int to);

#endif
