/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOCKOUT_SESSION_H
#define SLUICE_LOCKOUT_SESSION_H

#include "base/error.h"
#include "lockout/connection.h"

/*
 * The connections that this session comes through: the one that SSH_CONNECTION names, if it is established in this
 * network namespace (the variable is inherited, and may be older than the session), otherwise every established TCP
 * connection that an ancestor holds (ancestry.h). None is no error, but for a session that SSH_CONNECTION says there
 * is: -ENOENT. Returns 0 with `connections`, the caller's to free, or a negative errno with `error` set.
 */
int session_connections(struct connections *connections, struct error *error);

#endif
