// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/attach.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "base/memory.h"
#include "datapath/holder.h"
#include "datapath/log.h"

static const uint32_t flags_of_mode[] = {
	[MODE_NATIVE] = XDP_FLAGS_DRV_MODE,
	[MODE_GENERIC] = XDP_FLAGS_SKB_MODE,
	[MODE_OFFLOAD] = XDP_FLAGS_HW_MODE,
};

int attach_check_free(unsigned ifindex, const char *name, struct error *error)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	const struct {
		const char *mode;
		const uint32_t *id;
	} hooks[] = {
		{ "native", &query.drv_prog_id },
		{ "generic", &query.skb_prog_id },
		{ "offload", &query.hw_prog_id },
	};
	int err;

	log_start();
	err = bpf_xdp_query(ifindex, 0, &query);
	if (err)
		return error_set(error, -err, "cannot ask for the XDP program of %s: %s", name, strerror(-err));
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		CLEANUP_FREE char *holder = NULL;

		if (!*hooks[i].id)
			continue;
		holder = holder_of_program(*hooks[i].id);
		error_set(error, EBUSY, "interface %s already has an XDP program: %s, mode %s", name, holder,
			  hooks[i].mode);
		error_hint(error,
			   "Sluice never replaces it; detach it first (ip link set dev %s xdp off, or the "
			   "program that holds its link)",
			   name);
		return -EBUSY;
	}
	return 0;
}

/* bpf_link_create has no room for the driver's words; the older way to attach has. It fails for the same reason. */
static void ask_for_words(unsigned ifindex, uint32_t flags, int program)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = program);

	if (!bpf_xdp_attach(ifindex, program, flags | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL))
		bpf_xdp_detach(ifindex, flags, &options);
}

int attach_create(unsigned ifindex, const char *name, enum mode mode, int program, struct error *error)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags_of_mode[mode]);
	int link, err;

	log_start();
	link = bpf_link_create(program, ifindex, BPF_XDP, &options);
	if (link >= 0)
		return link;
	err = errno;
	ask_for_words(ifindex, flags_of_mode[mode], program);
	error_set(error, err, "the kernel refused to attach to %s in %s mode: %s", name, mode_name(mode),
		  strerror(err));
	log_hint(error);
	return -err;
}

int attach_update(int link, int program, int old)
{
	LIBBPF_OPTS(bpf_link_update_opts, options);

	if (old >= 0) {
		options.old_prog_fd = old;
		options.flags = BPF_F_REPLACE;
	}
	return bpf_link_update(link, program, &options) ? -errno : 0;
}

int attach_mode(unsigned ifindex, enum mode *mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int err = bpf_xdp_query(ifindex, 0, &query);

	if (err)
		return err;
	if (query.hw_prog_id)
		*mode = MODE_OFFLOAD;
	else if (query.drv_prog_id)
		*mode = MODE_NATIVE;
	else if (query.skb_prog_id)
		*mode = MODE_GENERIC;
	else
		return -ENOENT;
	return 0;
}
