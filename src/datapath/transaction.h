/* SPDX-License-Identifier: BSD-2-Clause */
/* What every change of what runs begins and ends with. */
#ifndef SLUICE_DATAPATH_TRANSACTION_H
#define SLUICE_DATAPATH_TRANSACTION_H

#include <stdint.h>

#include "base/error.h"
#include "datapath/description.h"
#include "datapath/running.h"
#include "datapath/settle.h"
#include "datapath/swap.h"

/* Opens the pins for a change and reads what runs, settled, or waiting to be confirmed. Returns 0, or a negative errno
 * with nothing open. */
int transaction_begin(struct pins *pins, struct running *running, struct settled *settled, struct error *error);

/* The same, for a change that cannot be made while another one waits: -EBUSY. */
int transaction_begin_alone(struct pins *pins, struct running *running, struct settled *settled, struct error *error);

/* The number of the generation that waits to be confirmed, 0: none. */
unsigned transaction_waiting(const struct running *running);

/* Moves the description out of what was read, to outlive it. */
struct description transaction_take(struct running *running, const struct generation *generation);

/* Attaches a generation that is made and pinned as GENERATION_NEW, and, unless it is to be confirmed, gives it the
 * number of its description. Returns 0, or a negative errno with `error` set and what ran still running. */
int transaction_enact(const struct pins *pins, const struct running *running, struct placement *placements,
		      size_t count, const struct description *description, uint64_t confirm, struct error *error);

#endif
