/* SPDX-License-Identifier: BSD-2-Clause */
/* What libbpf and, through it, the kernel said while something failed. */
#ifndef SLUICE_DATAPATH_LOG_H
#define SLUICE_DATAPATH_LOG_H

#include "base/error.h"

/* From here on libbpf's messages are kept instead of printed; forgets what was kept before. */
void log_start(void);

/* Adds the kernel's own words to an error that is set: the netlink message, or the end of the verifier's log. Adds
 * nothing when there were none. */
void log_hint(struct error *error);

#endif
