// SPDX-License-Identifier: BSD-2-Clause
#include "lockout/netlink.h"

#include <errno.h>

#define ANSWER_MAX 32768 /* the largest part of a dump that the kernel sends at once (af_netlink.c, netlink_dump) */

static int ask(struct mnl_socket *socket, const struct nlmsghdr *request, mnl_cb_t each, void *context)
{
	unsigned port = mnl_socket_get_portid(socket);
	char answer[ANSWER_MAX];
	ssize_t size;
	int more = MNL_CB_OK;

	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (more == MNL_CB_OK) {
		size = mnl_socket_recvfrom(socket, answer, sizeof(answer));
		if (size < 0)
			return -errno;
		more = mnl_cb_run(answer, size, request->nlmsg_seq, port, each, context);
	}
	return more < 0 ? -errno : 0;
}

int netlink_ask(int bus, struct nlmsghdr *request, int dump, mnl_cb_t each, void *context)
{
	struct mnl_socket *socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	int err;

	if (!socket)
		return -errno;
	/* A dump ends with NLMSG_DONE, a single answer is followed by the acknowledgement. */
	request->nlmsg_flags = NLM_F_REQUEST | (dump ? NLM_F_DUMP : NLM_F_ACK);
	request->nlmsg_seq = 1;
	err = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) ? -errno : ask(socket, request, each, context);
	mnl_socket_close(socket);
	return err;
}
