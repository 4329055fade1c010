// SPDX-License-Identifier: BSD-2-Clause
#include "hello/bytecode.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

#define REGISTER_TEXT 5 /* "w10" and the NUL, with room */

static const char *const arithmetic[16] = {
	"+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", NULL, "%=", "^=", "=", "s>>=",
};

static const char *const jumps[16] = {
	NULL, "==", ">", ">=", "&", "!=", "s>", "s>=", NULL, NULL, "<", "<=", "s<", "s<=",
};

static const char *size_text(uint8_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return "u8";
	case BPF_H:
		return "u16";
	case BPF_W:
		return "u32";
	default:
		return "u64";
	}
}

/* The 32-bit half of a register is called w. */
static const char *register_text(char *text, int is_wide, unsigned number)
{
	snprintf(text, REGISTER_TEXT, "%c%u", is_wide ? 'r' : 'w', number & 15);
	return text;
}

static char *address_text(const char *size, unsigned base, int offset)
{
	return xasprintf("*(%s *)(r%u %c %d)", size, base, offset < 0 ? '-' : '+', offset < 0 ? -offset : offset);
}

static char *unknown_text(const struct bpf_insn *insn)
{
	return xasprintf("(%02x) dst %u src %u off %d imm %d", insn->code, insn->dst_reg, insn->src_reg, insn->off,
			 insn->imm);
}

static char *arithmetic_text(const struct bpf_insn *insn)
{
	int is_wide = BPF_CLASS(insn->code) == BPF_ALU64;
	const char *sign = arithmetic[BPF_OP(insn->code) >> 4];
	char to[REGISTER_TEXT], from[REGISTER_TEXT];

	register_text(to, is_wide, insn->dst_reg);
	register_text(from, is_wide, insn->src_reg);
	if (BPF_OP(insn->code) == BPF_NEG)
		return xasprintf("%s = -%s", to, to);
	if (BPF_OP(insn->code) == BPF_END && !is_wide)
		return xasprintf("r%u = %s%d r%u", insn->dst_reg, BPF_SRC(insn->code) == BPF_TO_BE ? "be" : "le",
				 insn->imm, insn->dst_reg);
	if (!sign || insn->off)
		return unknown_text(insn);
	if (BPF_SRC(insn->code) == BPF_X)
		return xasprintf("%s %s %s", to, sign, from);
	return xasprintf("%s %s %d", to, sign, insn->imm);
}

static char *jump_text(const struct bpf_insn *insn, const char *callee)
{
	int is_wide = BPF_CLASS(insn->code) == BPF_JMP;
	const char *sign = jumps[BPF_OP(insn->code) >> 4];
	char left[REGISTER_TEXT], right[REGISTER_TEXT];

	if (BPF_OP(insn->code) == BPF_CALL)
		return callee ? xasprintf("call %s", callee) : xasprintf("call %d", insn->imm);
	if (BPF_OP(insn->code) == BPF_EXIT)
		return xstrdup("exit");
	if (BPF_OP(insn->code) == BPF_JA)
		return is_wide ? xasprintf("goto %+d", insn->off) : xasprintf("gotol %+d", insn->imm);
	if (!sign)
		return unknown_text(insn);
	register_text(left, is_wide, insn->dst_reg);
	register_text(right, is_wide, insn->src_reg);
	if (BPF_SRC(insn->code) == BPF_X)
		return xasprintf("if %s %s %s goto %+d", left, sign, right, insn->off);
	return xasprintf("if %s %s %d goto %+d", left, sign, insn->imm, insn->off);
}

static char *atomic_text(const struct bpf_insn *insn)
{
	int is_wide = BPF_SIZE(insn->code) == BPF_DW;
	CLEANUP_FREE char *address = address_text(size_text(insn->code), insn->dst_reg, insn->off);
	const char *sign = arithmetic[(insn->imm & ~BPF_FETCH) >> 4 & 15];
	const char *name = NULL;
	char from[REGISTER_TEXT];

	register_text(from, is_wide, insn->src_reg);
	switch (insn->imm) {
	case BPF_ADD:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR:
		return xasprintf("lock %s %s %s", address, sign, from);
	case BPF_ADD | BPF_FETCH:
		name = "add";
		break;
	case BPF_OR | BPF_FETCH:
		name = "or";
		break;
	case BPF_AND | BPF_FETCH:
		name = "and";
		break;
	case BPF_XOR | BPF_FETCH:
		name = "xor";
		break;
	default:
		return unknown_text(insn);
	}
	/* The address without the star: a pointer, not what it points to. */
	return xasprintf("%s = atomic_fetch_%s(%s, %s)", from, name, address + 1, from);
}

static char *memory_text(const struct bpf_insn *insn)
{
	CLEANUP_FREE char *store = address_text(size_text(insn->code), insn->dst_reg, insn->off);
	CLEANUP_FREE char *load = address_text(size_text(insn->code), insn->src_reg, insn->off);

	if (BPF_CLASS(insn->code) == BPF_STX && BPF_MODE(insn->code) == BPF_ATOMIC)
		return atomic_text(insn);
	if (BPF_MODE(insn->code) != BPF_MEM)
		return unknown_text(insn);
	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
		return xasprintf("r%u = %s", insn->dst_reg, load);
	case BPF_STX:
		return xasprintf("%s = r%u", store, insn->src_reg);
	default:
		return xasprintf("%s = %d", store, insn->imm);
	}
}

/* The second slot has the upper half of the number. For a map, the loader puts its descriptor there, the kernel on the
 * way back its id. */
static char *load64_text(const struct bpf_insn *insn)
{
	uint64_t number = (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32;

	switch (insn->src_reg) {
	case 0:
		return xasprintf("r%u = %lld ll", insn->dst_reg, (long long)number);
	case BPF_PSEUDO_MAP_FD:
		return xasprintf("r%u = map[id:%d]", insn->dst_reg, insn[0].imm);
	case BPF_PSEUDO_MAP_VALUE:
		return xasprintf("r%u = map[id:%d][0]+%d", insn->dst_reg, insn[0].imm, insn[1].imm);
	default:
		return unknown_text(insn);
	}
}

size_t bytecode_slots(const struct bpf_insn *instruction)
{
	return instruction->code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1;
}

char *bytecode_text(const struct bpf_insn *instruction, const char *callee)
{
	if (bytecode_slots(instruction) == 2)
		return load64_text(instruction);
	switch (BPF_CLASS(instruction->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		return arithmetic_text(instruction);
	case BPF_JMP:
	case BPF_JMP32:
		return jump_text(instruction, callee);
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX:
		return memory_text(instruction);
	default:
		return unknown_text(instruction);
	}
}

char *bytecode_listing(const struct bpf_insn *instructions, size_t count, char *(*callee)(const struct bpf_insn *call))
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	for (size_t i = 0; i < count; i += bytecode_slots(&instructions[i])) {
		int is_call = instructions[i].code == (BPF_JMP | BPF_CALL);
		CLEANUP_FREE char *name = is_call && callee ? callee(&instructions[i]) : NULL;

		if (i + bytecode_slots(&instructions[i]) > count)
			break;
		CLEANUP_FREE char *line = bytecode_text(&instructions[i], name);
		fprintf(out, "%4zu: %s\n", i, line);
	}
	fclose(out);
	return text;
}
