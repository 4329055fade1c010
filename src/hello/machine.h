/* SPDX-License-Identifier: BSD-2-Clause */
/* Machine code: what the kernel's just-in-time compiler made of a program. */
#ifndef SLUICE_HELLO_MACHINE_H
#define SLUICE_HELLO_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct machine_code {
	uint8_t *bytes; /* NULL: the kernel interprets the byte code, or does not show what it made */
	uint32_t size;
	uint64_t address; /* 0: the kernel does not say */
};

/* Reads the kernel's own image of the program. Returns 0 and memory to free with machine_code_free, or a negative
 * errno. */
int machine_code_read(int program, struct machine_code *code);
void machine_code_free(struct machine_code *code);

/* Most arguments of a disassembler's command, and the NULL behind them. */
#define DISASSEMBLER_ARGUMENTS 9

/* Finds a disassembler for this machine and writes what it is to read into `folder`: hello.jited for objdump,
 * hello.jited.hex for llvm-mc. `argv` is then its command; its strings are to be freed with machine_code_free_command.
 * Returns 0, -ENOENT when none is installed, or another negative errno. */
int machine_code_command(const struct machine_code *code, const char *folder, char *argv[DISASSEMBLER_ARGUMENTS]);
void machine_code_free_command(char *argv[DISASSEMBLER_ARGUMENTS]);

/* A disassembler's listing without its title, and with names behind the addresses that are called. Free the result. */
char *machine_code_annotate(const char *listing);

/* The bytes in hex, 16 a line, for when there is no disassembler. Free the result. */
char *machine_code_hex(const struct machine_code *code);

#endif
