/* SPDX-License-Identifier: BSD-2-Clause */
/* BPF byte code as text, written as llvm-objdump writes it. Source:
 * Documentation/bpf/standardization/instruction-set.rst of the kernel (RFC 9669). */
#ifndef SLUICE_HELLO_BYTECODE_H
#define SLUICE_HELLO_BYTECODE_H

#include <linux/bpf.h>
#include <stddef.h>

/* Slots of 8 bytes that the instruction takes: 1, or 2 for a load of 64 bits. */
size_t bytecode_slots(const struct bpf_insn *instruction);

/* One instruction; `callee` is the name of the function that a call calls, NULL when unknown. Free the result. */
char *bytecode_text(const struct bpf_insn *instruction, const char *callee);

/* A listing: number and text of each instruction, a line each. `callee` names the function of a call and returns memory
 * for us to free, or NULL; it may be NULL itself. Free the result. */
char *bytecode_listing(const struct bpf_insn *instructions, size_t count, char *(*callee)(const struct bpf_insn *call));

#endif
