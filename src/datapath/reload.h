/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading sets anew from their files, into the generation that runs: nothing else of its policy may be different. */
#ifndef SLUICE_DATAPATH_RELOAD_H
#define SLUICE_DATAPATH_RELOAD_H

#include "base/error.h"
#include "datapath/description.h"
#include "datapath/running.h"
#include "policy/policy.h"

struct reload {
	char *const *sets; /* their names; each is kept in a file */
	size_t count;	   /* 0: all that are kept in files */
};

/* Whether what runs may become `wanted`, which is made of `policy`, by reading these sets anew and nothing else.
 * Returns 0, or a negative errno with `error` set. */
int reload_check(const struct reload *reload, const struct running *running, const struct policy *policy,
		 const struct description *wanted, struct error *error);

#endif
