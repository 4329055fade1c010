// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/grace.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/memory.h"

/* An update of a map of maps returns only after all programs that could use the old map have ended: of this kernel's
 * promises to user space the one that says just that (maybe_wait_bpf_programs in kernel/bpf/syscall.c). */
int grace_wait(struct error *error)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	CLEANUP_FD int inner = -1;
	CLEANUP_FD int outer = -1;

	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "grace_inner", sizeof(uint32_t), sizeof(uint32_t), 1, NULL);
	options.inner_map_fd = inner;
	if (inner >= 0)
		outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "grace_outer", sizeof(uint32_t), sizeof(uint32_t), 1,
				       &options);
	if (outer < 0 || bpf_map_update_elem(outer, &(uint32_t){ 0 }, &inner, BPF_ANY))
		return error_set(error, errno, "cannot wait for the packets in flight: %s", strerror(errno));
	return 0;
}
