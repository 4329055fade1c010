// SPDX-License-Identifier: BSD-2-Clause
#include "hello/object.h"

#include <elf.h>
#include <string.h>

#include "base/memory.h"

static const struct {
	const char *name, *explanation;
} sections[] = {
	{ "xdp", "the program: byte code, 8 bytes an instruction" },
	{ ".relxdp", "where in the byte code a map has to be filled in" },
	{ ".bss", "global variables that begin as 0: becomes a map" },
	{ ".rodata", "constants, here the text to print: becomes a map" },
	{ "license", "the licence, for functions that ask for one" },
	{ ".BTF", "types and names, for the kernel and its tools" },
	{ ".BTF.ext", "which instruction is of which source line" },
};

static const char *explain(const char *name)
{
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (!strcmp(name, sections[i].name))
			return sections[i].explanation;
	}
	return NULL;
}

char *object_text(const void *bytes, size_t size)
{
	const Elf64_Ehdr *header = bytes;
	const Elf64_Shdr *section = (const void *)((const char *)bytes + header->e_shoff);
	const char *names = (const char *)bytes + section[header->e_shstrndx].sh_offset;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	fprintf(out, "ELF, 64 bits, %s-endian, machine %d (BPF), %zu bytes, %d sections, among them:\n",
		header->e_ident[EI_DATA] == ELFDATA2LSB ? "little" : "big", header->e_machine, size, header->e_shnum);
	for (int i = 0; i < header->e_shnum; i++) {
		const char *name = names + section[i].sh_name;

		if (explain(name))
			fprintf(out, "%-10s %6llu bytes  %s\n", name, (unsigned long long)section[i].sh_size,
				explain(name));
	}
	fclose(out);
	return text;
}
