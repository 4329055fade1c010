/* SPDX-License-Identifier: BSD-2-Clause */
/* A compiled interface as a loaded program with its tables filled: attached nowhere, judging nothing yet. */
#ifndef SLUICE_DATAPATH_PROGRAM_H
#define SLUICE_DATAPATH_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "compile/compile.h"
#include "datapath/description.h"
#include "sluice/shadow.h"

struct sets;
struct state;
struct sluice_bpf;

#define PROGRAM_MAPS_MAX 64 /* more than there are in sluice.bpf.c */

struct program {
	struct sluice_bpf *skeleton; /* owns every descriptor; see sluice.skel.h */
	int fd;
};

/* How a program is to be loaded, beyond what its policy says. */
struct load {
	const uint32_t *slots;	      /* of compiled.rules; NULL: a rule's index is its slot */
	uint32_t needed;	      /* all slots are below */
	const struct sets *sets;      /* dynamic ones to look in, borrowed; NULL: empty ones of its own */
	const struct state *state;    /* to go on with, borrowed; what is not there, or NULL: maps of its own */
	bool record;		      /* write struct record: replay and explain */
	unsigned offload;	      /* index of the interface whose card is to run it; 0: the CPU does */
	const struct program *active; /* whose candidate it is (sluice/shadow.h); NULL: it is none */
};

/* Returns 0 and a program that the caller closes, or a negative errno with `error` set to what the kernel refused. */
int program_load(const struct compiled *compiled, const struct load *load, struct program *out, struct error *error);

/* A private copy of a running program: same code, configuration and tables, but counters of its own, and it records.
 * Limits and fragments begin anew. -EPROTO when `running` was loaded by another version of Sluice. */
int program_copy(int running, struct program *out, struct error *error);

/* A running program once more: same code, configuration, tables and counters, in that role. With SHADOW_ACTIVE it asks
 * no candidate yet: program_shadow gives it one. -EPROTO as above. */
int program_twin(int running, enum shadow_role role, struct program *out, struct error *error);

/* Makes the two programs find each other. Returns 0, or a negative errno with `error` set. */
int program_shadow(const struct program *active, const struct program *candidate, struct error *error);

void program_close(struct program *program);

/* Digest of the BPF object in this executable, into DIGEST_TEXT_MAX bytes. */
void program_object_digest(char *digest);

/* Digest of everything that program_load would load, and of the lines that its rules stand on. Not of the name of the
 * file, which may be spelled in several ways. */
void program_digest(const struct compiled *compiled, char *digest);

#endif
