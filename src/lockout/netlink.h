/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOCKOUT_NETLINK_H
#define SLUICE_LOCKOUT_NETLINK_H

#include <libmnl/libmnl.h>

/* Sends one request to the kernel over `bus` (NETLINK_ROUTE, …) and hands each message of the answer to `each`, which
 * returns MNL_CB_OK. The request's flags are set here; `dump` asks for all that match. Returns 0 or a negative errno;
 * -EINTR when what was dumped changed meanwhile. */
int netlink_ask(int bus, struct nlmsghdr *request, int dump, mnl_cb_t each, void *context);

#endif
