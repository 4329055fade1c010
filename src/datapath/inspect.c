// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/inspect.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "datapath/log.h"
#include "datapath/program.h"
#include "sluice.skel.h"

#define MAPS_MAX 64

/* The kernel tells a map's memory only in its fdinfo. Right for all kinds since Linux 6.4. */
static uint64_t map_bytes(uint32_t id)
{
	CLEANUP_FD int fd = bpf_map_get_fd_by_id(id);
	CLEANUP_FREE char *path = xasprintf("/proc/self/fdinfo/%d", fd);
	CLEANUP_FILE FILE *in = fd < 0 ? NULL : fopen(path, "re");
	unsigned long long bytes = 0;
	char line[128];

	while (in && fgets(line, sizeof(line), in)) {
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	}
	return bytes;
}

int inspect_program(uint32_t id, struct inspection *inspection)
{
	CLEANUP_FD int fd = bpf_prog_get_fd_by_id(id);
	uint32_t maps[MAPS_MAX];
	struct bpf_prog_info info = { .nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)maps };
	uint32_t size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	*inspection = (struct inspection){
		.verified = info.verified_insns,
		.translated = info.xlated_prog_len,
		.machine_code = info.jited_prog_len,
	};
	snprintf(inspection->name, sizeof(inspection->name), "%s", info.name);
	for (int i = 0; i < BPF_TAG_SIZE; i++)
		sprintf(inspection->tag + 2 * i, "%02x", info.tag[i]);
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++)
		inspection->map_bytes += map_bytes(maps[i]);
	return 0;
}

int inspect_object(uint32_t *instructions, struct error *error)
{
	struct sluice_bpf *skeleton;

	log_start();
	skeleton = sluice_bpf__open();
	if (!skeleton)
		return error_set(error, errno, "cannot open the BPF object: %s", strerror(errno));
	*instructions = bpf_program__insn_cnt(skeleton->progs.sluice);
	sluice_bpf__destroy(skeleton);
	return 0;
}

int inspect_compiled(const struct compiled *compiled, struct inspection *inspection, struct error *error)
{
	const struct load load = { 0 };
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	struct program program;
	int err = program_load(compiled, &load, &program, error);

	if (err)
		return err;
	err = bpf_obj_get_info_by_fd(program.fd, &info, &size) ? -errno : inspect_program(info.id, inspection);
	program_close(&program);
	return err ? error_set(error, -err, "cannot read the loaded program: %s", strerror(-err)) : 0;
}
