// SPDX-License-Identifier: BSD-2-Clause
#include "lockout/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "lockout/ancestry.h"
#include "lockout/established.h"

struct search {
	const struct connection *wanted; /* NULL: those of the sockets */
	struct inodes inodes;
	struct connections *found;
};

static bool is_wanted(const struct search *search, const struct connection *connection, uint32_t inode)
{
	if (search->wanted)
		return connection_same(connection, search->wanted);
	for (size_t i = 0; i < search->inodes.count; i++) {
		if (search->inodes.list[i] == inode)
			return true;
	}
	return false;
}

/* A session of sshd and its monitor hold the same socket, but the kernel lists it once. */
static void look_at(const struct connection *connection, uint32_t inode, void *context)
{
	struct search *search = context;
	struct connections *found = search->found;

	if (!is_wanted(search, connection, inode))
		return;
	found->list = xgrow(found->list, found->count, &found->capacity, sizeof(*found->list));
	found->list[found->count++] = *connection;
}

static int find_named(const char *text, struct connections *found)
{
	struct connection named;
	struct search search = { .wanted = &named, .found = found };

	if (!text || !connection_parse(text, &named))
		return 0;
	return established_each(named.remote.port, named.local.port, look_at, &search);
}

static int find_held(struct connections *found)
{
	struct search search = { .found = found };
	int err = 0;

	ancestry_sockets(&search.inodes);
	if (search.inodes.count)
		err = established_each(0, 0, look_at, &search);
	free(search.inodes.list);
	return err;
}

int session_connections(struct connections *connections, struct error *error)
{
	const char *text = getenv("SSH_CONNECTION");
	struct connections found = { 0 };
	int err = find_named(text, &found);

	if (!err && !found.count)
		err = find_held(&found);
	if (err) {
		free(found.list);
		return error_set(error, -err, "cannot list the TCP connections: %s", strerror(-err));
	}
	if (!found.count && text && !ancestry_is_elsewhere())
		return error_set(error, ENOENT,
				 "SSH_CONNECTION names no connection that is open here, and no other was found");
	*connections = found;
	return 0;
}
