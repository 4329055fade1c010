/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel says of a loaded program, and what one would cost. */
#ifndef SLUICE_DATAPATH_INSPECT_H
#define SLUICE_DATAPATH_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "compile/compile.h"

struct inspection {
	char name[16];
	char tag[17];	       /* 64 bits in hex */
	uint32_t verified;     /* instructions the verifier walked */
	uint32_t translated;   /* bytes of byte code after verification */
	uint32_t machine_code; /* bytes */
	uint64_t map_bytes;    /* of all maps of the program, as the kernel counts them */
};

/* Returns 0, or a negative errno. */
int inspect_program(uint32_t id, struct inspection *inspection);

/* Instructions of the program as compiled, before the verifier deletes what the policy does not use. Needs no rights.
 */
int inspect_object(uint32_t *instructions, struct error *error);

/* Loads the program for `compiled`, looks at it and closes it again. -EPERM without the rights. */
int inspect_compiled(const struct compiled *compiled, struct inspection *inspection, struct error *error);

#endif
