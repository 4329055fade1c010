// SPDX-License-Identifier: BSD-2-Clause
#include "hello/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "hello/symbols.h"
#include "hello/tool.h"

/* What GNU objdump calls the machine that uname names. */
static const struct {
	const char *machine, *objdump;
} machines[] = {
	{ "x86_64", "i386:x86-64" },	   { "aarch64", "aarch64" },   { "riscv64", "riscv:rv64" },
	{ "ppc64le", "powerpc:common64" }, { "s390x", "s390:64-bit" },
};

static const char *objdump_machine(void)
{
	struct utsname system;

	uname(&system);
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		if (!strcmp(system.machine, machines[i].machine))
			return machines[i].objdump;
	}
	return NULL;
}

int machine_code_read(int program, struct machine_code *code)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	*code = (struct machine_code){};
	if (bpf_obj_get_info_by_fd(program, &info, &size))
		return -errno;
	code->size = info.jited_prog_len;
	if (!code->size)
		return 0;
	code->bytes = xcalloc(code->size, 1);
	info = (struct bpf_prog_info){
		.jited_prog_insns = (uintptr_t)code->bytes,
		.jited_prog_len = code->size,
		.jited_ksyms = (uintptr_t)&code->address,
		.nr_jited_ksyms = 1,
	};
	if (bpf_obj_get_info_by_fd(program, &info, &size)) {
		int err = -errno;

		machine_code_free(code);
		return err;
	}
	/* The kernel takes the pointer away when it does not show the code (bpf_prog_get_info_by_fd in
	 * kernel/bpf/syscall.c). */
	if (!info.jited_prog_insns)
		machine_code_free(code);
	return 0;
}

void machine_code_free(struct machine_code *code)
{
	free(code->bytes);
	*code = (struct machine_code){};
}

static int write_bytes(const struct machine_code *code, const char *path)
{
	CLEANUP_FILE FILE *out = fopen(path, "we");

	if (!out)
		return -errno;
	fwrite(code->bytes, 1, code->size, out);
	return fflush(out) ? -errno : 0;
}

static int write_hex(const struct machine_code *code, const char *path)
{
	CLEANUP_FILE FILE *out = fopen(path, "we");

	if (!out)
		return -errno;
	for (uint32_t i = 0; i < code->size; i++)
		fprintf(out, "0x%02x%c", code->bytes[i], i % 16 == 15 ? '\n' : ' ');
	return fflush(out) ? -errno : 0;
}

int machine_code_command(const struct machine_code *code, const char *folder, char *argv[DISASSEMBLER_ARGUMENTS])
{
	CLEANUP_FREE char *bytes = xasprintf("%s/hello.jited", folder);
	CLEANUP_FREE char *hex = xasprintf("%s/hello.jited.hex", folder);
	CLEANUP_FREE char *objdump = objdump_machine() ? tool_find("objdump") : NULL;
	CLEANUP_FREE char *llvm_mc = tool_find("llvm-mc");
	size_t count = 0;

	memset(argv, 0, DISASSEMBLER_ARGUMENTS * sizeof(*argv));
	if (objdump) {
		argv[count++] = xstrdup(objdump);
		argv[count++] = xstrdup("-D");
		argv[count++] = xstrdup("-b");
		argv[count++] = xstrdup("binary");
		argv[count++] = xstrdup("-m");
		argv[count++] = xstrdup(objdump_machine());
		argv[count++] = xasprintf("--adjust-vma=0x%" PRIx64, code->address);
		argv[count++] = xstrdup("hello.jited");
		return write_bytes(code, bytes);
	}
	if (!llvm_mc)
		return -ENOENT;
	argv[count++] = xstrdup(llvm_mc);
	argv[count++] = xstrdup("--disassemble");
	argv[count++] = xstrdup("hello.jited.hex");
	return write_hex(code, hex);
}

void machine_code_free_command(char *argv[DISASSEMBLER_ARGUMENTS])
{
	for (size_t i = 0; i < DISASSEMBLER_ARGUMENTS; i++)
		free(argv[i]);
}

/* "call   0xffffffff81234567": the name of what is there, NULL when it is no such line or nothing begins there. */
static char *name_of_target(const char *line)
{
	const char *jump = strstr(line, "call") ?: strstr(line, "jmp");
	const char *address = jump ? strstr(jump, "0x") : NULL;

	return address ? symbol_name(strtoull(address, NULL, 16)) : NULL;
}

/* objdump: "hello.jited:     file format binary", "Disassembly of section .data:", "0000000000000000 <.data>:";
 * llvm-mc:
 * "\t.text". */
static int is_title(const char *line)
{
	return !*line || strstr(line, "file format") || !strncmp(line, "Disassembly", strlen("Disassembly")) ||
	       strstr(line, "<.data>:") || !strcmp(line, "\t.text");
}

char *machine_code_annotate(const char *listing)
{
	CLEANUP_FREE char *copy = xstrdup(listing);
	char *rest = copy, *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		CLEANUP_FREE char *name = name_of_target(line);

		if (!is_title(line))
			fprintf(out, "%s%s%s\n", line, name ? "  # " : "", name ?: "");
	}
	fclose(out);
	return text;
}

char *machine_code_hex(const struct machine_code *code)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	for (uint32_t i = 0; i < code->size; i++) {
		if (i % 16 == 0)
			fprintf(out, "%s%4x:", i ? "\n" : "", i);
		fprintf(out, " %02x", code->bytes[i]);
	}
	fclose(out);
	return text;
}
