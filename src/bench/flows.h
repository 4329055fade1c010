/* SPDX-License-Identifier: BSD-2-Clause */
/* The flows that a policy is measured with, where they are not those of a capture. */
#ifndef SLUICE_BENCH_FLOWS_H
#define SLUICE_BENCH_FLOWS_H

#include <stdint.h>

#include "base/error.h"
#include "compile/compile.h"
#include "sluice/meter.h"

enum sources {
	SOURCES_MIXED,	/* by the toss of a coin, each flow is as with LISTED or as with RANDOM */
	SOURCES_LISTED, /* both addresses are inside the policy's tables, where those have any entry; else addresses,
			   ports and protocol in a box of its filter, where it has one */
	SOURCES_RANDOM, /* both addresses are uniformly random */
	SOURCES_SET,	/* the source is in a prefix of a set, the destination is uniformly random */
};

struct flows {
	uint8_t family; /* 4 or 6 */
	enum sources sources;
	const struct prefixes *set; /* of both families; used with SOURCES_SET, and then with one of `family` in it */
};

/*
 * Writes `count` flows, of UDP where a box of a filter does not say otherwise, the same for the same policy and plan:
 * what their frames have in common into `frame` (METER_FRAME bytes), what each has of its own into `each` (struct
 * meter_flow4 or meter_flow6, by the family). Inside of a table or set means: in a uniformly random prefix of it, host
 * bits uniformly random. Ports are always random. Returns 0, or a negative errno with `error` set.
 */
int flows_write(const struct compiled *compiled, const struct flows *flows, void *frame, void *each, uint32_t count,
		struct error *error);

#endif
