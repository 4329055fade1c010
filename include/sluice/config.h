/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The part of a policy that is constant while its program is loaded. It lives in .rodata, so the verifier knows it and
 * deletes every stage that the policy does not use. User space fills it between open and load.
 */
#ifndef SLUICE_CONFIG_H
#define SLUICE_CONFIG_H

#include <linux/types.h>

#include "sluice/prefix.h"

struct config {
	__u32 default_verdict; /* enum verdict: PASS or DROP */
	__u8 malformed_pass;   /* 1: go on with what could be parsed; 0: drop */
	__u8 fragments_drop;
	__u8 record; /* 1: write struct record for each packet; replay and explain only */
	__u8 reserved;
	struct prefix_layout block_source4, block_source6, block_dest4, block_dest6;
};

_Static_assert(sizeof(struct config) == 72, "no hidden padding: it is compared and hashed as bytes");

#endif
