// SPDX-License-Identifier: BSD-2-Clause
#include "hello/steps.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "datapath/attach.h"
#include "datapath/holder.h"
#include "hello/bytecode.h"
#include "hello/look.h"
#include "hello/machine.h"
#include "hello/object.h"
#include "hello/screen.h"
#include "hello/symbols.h"

#define LISTING_LINES 40

/* The program from its section on; what is above is comments. */
static char *program_text(const struct session *session)
{
	CLEANUP_FREE char *path = xasprintf("%s/hello.bpf.c", session->folder);
	CLEANUP_FILE FILE *in = fopen(path, "re");
	CLEANUP_FREE char *line = NULL;
	size_t size = 0, length;
	char *text = NULL;
	FILE *out = open_memstream(&text, &length);
	bool is_in = false;

	while (in && getline(&line, &size, in) > 0) {
		is_in = is_in || !strncmp(line, "SEC(", strlen("SEC("));
		if (is_in)
			fputs(line, out);
	}
	fclose(out);
	return text;
}

/* Debian and Ubuntu keep asm/types.h where clang does not look when it compiles for BPF. */
static char *include_option(void)
{
	struct utsname system;
	CLEANUP_FREE char *folder = NULL;

	uname(&system);
	folder = xasprintf("/usr/include/%s-linux-gnu", system.machine);
	return access(folder, F_OK) ? NULL : xasprintf("-I%s", folder);
}

int step_object(struct session *session, struct error *error)
{
	CLEANUP_FREE char *source = program_text(session);
	CLEANUP_FREE char *include = include_option();
	CLEANUP_FREE char *own = NULL;
	const void *object;
	size_t size;

	screen_command("sed -n '/^SEC/,$p' hello.bpf.c");
	screen_output(source, LISTING_LINES);
	screen_command_in("clang -O2 -g -target bpf -mcpu=v3 %s%s-c hello.bpf.c -o hello.bpf.o", include ?: "",
			  include ? " " : "");
	if (look(session, LISTING_LINES, (const char *[]){ "file", "hello.bpf.o", NULL }))
		return 0;
	object = hello_object(&size);
	own = object_text(object, size);
	screen_output(own, LISTING_LINES);
	return 0;
}

int step_bytecode(struct session *session, struct error *error)
{
	const struct bpf_program *program = bpf_object__find_program_by_name(session->object, "hello");
	CLEANUP_FREE char *own = NULL;

	if (look(session, LISTING_LINES, (const char *[]){ "llvm-objdump", "-d", "-r", "hello.bpf.o", NULL }))
		return 0;
	own = bytecode_listing(bpf_program__insns(program), bpf_program__insn_cnt(program), NULL);
	screen_output(own, LISTING_LINES);
	return 0;
}

int step_load(struct session *session, struct error *error)
{
	CLEANUP_FREE char *pin = xasprintf("%s/hello", session->pins);
	int err;

	look_only(session, (const char *[]){ "bpftool", "prog", "load", "hello.bpf.o", pin, NULL });
	err = session_load(session, error);
	if (err)
		return err;
	screen_say("The verifier went through %u instructions and accepted it. It is loaded and pinned.",
		   session->verified_instructions);
	return 0;
}

static char *id_text(uint32_t id)
{
	return xasprintf("%u", id);
}

static void show_program(const struct session *session)
{
	CLEANUP_FREE char *id = id_text(session->program_id);
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	CLEANUP_FREE char *own = NULL;
	char tag[2 * BPF_TAG_SIZE + 1];

	if (look(session, LISTING_LINES, (const char *[]){ "bpftool", "prog", "show", "id", id, NULL }))
		return;
	if (bpf_obj_get_info_by_fd(session->program, &info, &size))
		return;
	for (int i = 0; i < BPF_TAG_SIZE; i++)
		snprintf(tag + 2 * i, 3, "%02x", info.tag[i]);
	own = xasprintf("id %u  type %s  name %s  tag %s  xlated %u bytes  jited %u bytes  maps %u", info.id,
			libbpf_bpf_prog_type_str(info.type), info.name, tag, info.xlated_prog_len,
			info.jited_prog_len, info.nr_map_ids);
	screen_output(own, LISTING_LINES);
}

/* The maps as the kernel describes them, one a line. */
static char *maps_text(const struct session *session)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	struct bpf_map *map;

	bpf_object__for_each_map(map, session->object) {
		struct bpf_map_info info = {};
		uint32_t size = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size))
			fprintf(out, "id %u  type %s  name %s  key %u bytes  value %u bytes  elements %u\n", info.id,
				libbpf_bpf_map_type_str(info.type), info.name, info.key_size, info.value_size,
				info.max_entries);
	}
	fclose(out);
	return text;
}

int step_identity(struct session *session, struct error *error)
{
	CLEANUP_FREE char *own = NULL;

	show_program(session);
	for (uint32_t i = 0; i < session->map_count; i++) {
		CLEANUP_FREE char *id = id_text(session->map_ids[i]);

		if (look(session, LISTING_LINES, (const char *[]){ "bpftool", "map", "show", "id", id, NULL }))
			continue;
		own = maps_text(session);
		screen_output(own, LISTING_LINES);
		break;
	}
	return 0;
}

/* The kernel shows the called function as its distance from __bpf_call_base (bpf_insn_prepare_dump in
 * kernel/bpf/syscall.c). */
static char *name_of_callee(const struct bpf_insn *call)
{
	uint64_t base = symbol_address("__bpf_call_base");

	return base ? symbol_name(base + call->imm) : NULL;
}

static char *translated_text(const struct session *session)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	CLEANUP_FREE struct bpf_insn *instructions = NULL;
	uint32_t length;

	if (bpf_obj_get_info_by_fd(session->program, &info, &size))
		return NULL;
	length = info.xlated_prog_len;
	instructions = xcalloc(length / sizeof(*instructions), sizeof(*instructions));
	info = (struct bpf_prog_info){
		.xlated_prog_insns = (uintptr_t)instructions,
		.xlated_prog_len = length,
	};
	if (bpf_obj_get_info_by_fd(session->program, &info, &size) || !info.xlated_prog_insns)
		return NULL;
	return bytecode_listing(instructions, length / sizeof(*instructions), name_of_callee);
}

int step_translated(struct session *session, struct error *error)
{
	CLEANUP_FREE char *id = id_text(session->program_id);
	CLEANUP_FREE char *own = NULL;

	if (look(session, LISTING_LINES, (const char *[]){ "bpftool", "prog", "dump", "xlated", "id", id, NULL }))
		return 0;
	own = translated_text(session);
	if (own)
		screen_output(own, LISTING_LINES);
	else
		screen_say("The kernel does not show it (kernel.kptr_restrict or kernel.perf_event_paranoid).");
	return 0;
}
