/* SPDX-License-Identifier: BSD-2-Clause */
/* Who keeps a program of somebody else's alive. */
#ifndef SLUICE_DATAPATH_HOLDER_H
#define SLUICE_DATAPATH_HOLDER_H

#include <stdint.h>

/* "id 17, name xdp_filter, pinned at /sys/fs/bpf/…, held by process 312 (xdp-loader)". Free the result. */
char *holder_of_program(uint32_t id);

#endif
