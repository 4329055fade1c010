// SPDX-License-Identifier: BSD-2-Clause
#include "lockout/established.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "lockout/netlink.h"

struct search {
	void (*found)(const struct connection *connection, uint32_t inode, void *context);
	void *context;
};

static int read_socket(const struct nlmsghdr *message, void *context)
{
	const struct inet_diag_msg *socket = mnl_nlmsg_get_payload(message);
	const struct inet_diag_sockid *id = &socket->id;
	const struct search *search = context;
	struct connection connection = {
		.remote = endpoint_from(socket->idiag_family, id->idiag_dst, ntohs(id->idiag_dport)),
		.local = endpoint_from(socket->idiag_family, id->idiag_src, ntohs(id->idiag_sport)),
		.device = id->idiag_if,
	};

	search->found(&connection, socket->idiag_inode, search->context);
	return MNL_CB_OK;
}

int established_each(uint16_t remote_port, uint16_t local_port,
		     void (*found)(const struct connection *connection, uint32_t inode, void *context), void *context)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct search search = { found, context };
	int err = 0;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && !err; i++) {
		char buffer[512];
		struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
		struct inet_diag_req_v2 *wanted = mnl_nlmsg_put_extra_header(request, sizeof(*wanted));

		request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
		wanted->sdiag_family = families[i];
		wanted->sdiag_protocol = IPPROTO_TCP;
		wanted->idiag_states = 1 << TCP_ESTABLISHED;
		wanted->id.idiag_dport = htons(remote_port);
		wanted->id.idiag_sport = htons(local_port);
		err = netlink_ask(NETLINK_SOCK_DIAG, request, 1, read_socket, &search);
	}
	return err;
}
