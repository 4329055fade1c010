/* SPDX-License-Identifier: BSD-2-Clause */
/* A program's synproxy: its maps (bpf/synproxy.h, arming.h, question.h), and what its services tell of themselves. */
#ifndef SLUICE_DATAPATH_SYNPROXY_H
#define SLUICE_DATAPATH_SYNPROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "compile/compile.h"
#include "sluice/synproxy.h"

struct sluice_bpf;
struct state;

/* What of the host's settings a program with services of this host has to know when it is loaded: net.core.rmem_max. */
uint64_t synproxy_receive(const struct compiled *compiled);

/* Before load: maps are made only where the policy has a synproxy; those of `state` (NULL: none) are gone on with.
 * Returns 0 or a negative errno. */
int synproxy_prepare(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct state *state);

/* The same for a program like one that runs, which has its configuration and shares its tables already. */
int synproxy_prepare_like(struct sluice_bpf *skeleton);

/* Before load: has a candidate, which is prepared, ask for sources where the active program notes them. */
int synproxy_share(struct sluice_bpf *candidate, const struct sluice_bpf *active);

/* After load: writes services, counting in `slots` (NULL: a rule's index is its slot), each with the state that it had
 * or else a new one. Returns 0 or a negative errno. */
int synproxy_fill(struct sluice_bpf *skeleton, const struct compiled *compiled, const uint32_t *slots);

/* Copies the states of a running program's map. Returns 0 or a negative errno. */
int synproxy_copy_states(const struct sluice_bpf *skeleton, int running);

struct service_tally {
	bool is_known;	/* it has a state */
	uint64_t armed; /* since when, nanoseconds of CLOCK_MONOTONIC; 0: it is not */
	uint64_t rate;	/* SYNs in the last whole second */
	uint64_t packets[SYNPROXY_COUNTS];
};

/* What is known of the service with that key (struct rule). Returns 0, also when nothing is, or a negative errno. */
int synproxy_read(const struct state *state, uint64_t key, struct service_tally *tally);

#endif
