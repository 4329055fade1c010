// SPDX-License-Identifier: BSD-2-Clause
/* The first half of the steps: the program, from the object to the machine code. */
#include "hello/steps.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "hello/bytecode.h"
#include "hello/look.h"
#include "hello/machine.h"
#include "hello/object.h"
#include "hello/screen.h"
#include "hello/symbols.h"

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
	screen_output(source, LOOK_LINES);
	screen_command("clang -O2 -g -target bpf -mcpu=v3 %s%s-c hello.bpf.c -o hello.bpf.o", include ?: "",
		       include ? " " : "");
	if (look(session, (const char *[]){ "file", "hello.bpf.o", NULL }))
		return 0;
	object = hello_object(&size);
	own = object_text(object, size);
	screen_output(own, LOOK_LINES);
	return 0;
}

int step_bytecode(struct session *session, struct error *error)
{
	const struct bpf_program *program = bpf_object__find_program_by_name(session->object, "hello");
	CLEANUP_FREE char *own = NULL;

	if (look(session, (const char *[]){ "llvm-objdump", "-d", "-r", "hello.bpf.o", NULL }))
		return 0;
	own = bytecode_listing(bpf_program__insns(program), bpf_program__insn_cnt(program), NULL);
	screen_output(own, LOOK_LINES);
	return 0;
}

int step_load(struct session *session, struct error *error)
{
	CLEANUP_FREE char *pin = xasprintf("%s/hello", session->pins);
	int err;

	look_show(session, (const char *[]){ "bpftool", "prog", "load", "hello.bpf.o", pin, NULL });
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

/* The maps as the kernel describes them, one a line. */
static char *maps_text(const struct session *session)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	struct bpf_map *map;

	bpf_object__for_each_map(map, session->object)
	{
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

	look_program(session);
	for (uint32_t i = 0; i < session->map_count; i++) {
		CLEANUP_FREE char *id = id_text(session->map_ids[i]);

		if (look(session, (const char *[]){ "bpftool", "map", "show", "id", id, NULL }))
			continue;
		own = maps_text(session);
		screen_output(own, LOOK_LINES);
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

	if (look(session, (const char *[]){ "bpftool", "prog", "dump", "xlated", "id", id, NULL }))
		return 0;
	own = translated_text(session);
	if (own)
		screen_output(own, LOOK_LINES);
	else
		screen_say("The kernel does not show it, to keep its addresses secret (kernel.kptr_restrict).");
	return 0;
}

/* False when there is no disassembler, or it does not work. */
static bool show_disassembly(const struct session *session, const struct machine_code *code)
{
	char *argv[DISASSEMBLER_ARGUMENTS];
	CLEANUP_FREE char *listing = NULL;
	CLEANUP_FREE char *annotated = NULL;
	int status = 0;
	int err = machine_code_command(code, session->folder, argv);
	bool shown = !err && look_into(session, (const char *const *)argv, &listing, &status);

	machine_code_free_command(argv);
	if (err == -ENOENT)
		screen_say("(Neither objdump nor llvm-mc is installed here; the bytes as they are:)");
	else if (err)
		screen_say("(Cannot write hello.jited: %s; the bytes as they are:)", strerror(-err));
	if (!shown)
		return false;
	annotated = machine_code_annotate(listing ?: "");
	screen_output(annotated, LOOK_LINES);
	if (status)
		screen_say("(It failed; the bytes as they are:)");
	return !status;
}

int step_machine(struct session *session, struct error *error)
{
	CLEANUP_FREE char *id = id_text(session->program_id);
	struct machine_code code;
	int err;

	look_show(session, (const char *[]){ "bpftool", "prog", "dump", "jited", "id", id, NULL });
	err = machine_code_read(session->program, &code);
	if (err)
		return error_set(error, -err, "cannot read the machine code: %s", strerror(-err));
	if (!code.bytes) {
		screen_say("The kernel shows none: its compiler is off and it interprets the byte code\n"
			   "(net.core.bpf_jit_enable), or it keeps its addresses secret (kernel.kptr_restrict).");
		return 0;
	}
	screen_say("(Many builds of bpftool answer \"No libbfd support\". With the bytes in a file:)");
	if (!show_disassembly(session, &code)) {
		CLEANUP_FREE char *hex = machine_code_hex(&code);

		screen_output(hex, LOOK_LINES);
	}
	machine_code_free(&code);
	return 0;
}
