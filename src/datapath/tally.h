/* SPDX-License-Identifier: BSD-2-Clause */
/* The counters of what runs, read and added up over CPUs. */
#ifndef SLUICE_DATAPATH_TALLY_H
#define SLUICE_DATAPATH_TALLY_H

#include "datapath/running.h"
#include "datapath/synproxy.h"
#include "sluice/counter.h"

/* Of one interface, since it was first attached. */
struct tally {
	struct counter verdicts[VERDICT_COUNT];
	struct counter reasons[REASONS_MAX];
	struct counter *rules;		/* of described_interface.rules, one each */
	struct service_tally *services; /* of the same; of those that are no services of a synproxy, nothing is known */
};

/* Returns 0 and a tally to free with tally_free, or a negative errno with `error` set. */
int tally_read(const struct pins *pins, const struct described_interface *interface, struct tally *tally,
	       struct error *error);
void tally_free(struct tally *tally);

#endif
