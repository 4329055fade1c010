/* SPDX-License-Identifier: BSD-2-Clause */
/* The tools of the bench flood and block: only in namespaces made for that, only on veths. */
#ifndef SLUICE_NETNS_H
#define SLUICE_NETNS_H

#include <stdint.h>

#include "base/error.h"

struct veth {
	unsigned ifindex;
	uint8_t mac[6];
};

/* Enters the network namespace `name`, which has to begin with "sl-", and finds the veth `interface` in it. Returns 0,
 * or a negative errno with `error` set. */
int netns_enter(const char *name, const char *interface, struct veth *veth, struct error *error);

#endif
