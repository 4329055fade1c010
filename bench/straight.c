// SPDX-License-Identifier: BSD-2-Clause
#include "straight.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "sluice/counter.h"

#define ETHERNET 14
#define JUMP_MAX INT16_MAX
#define OPEN (-1) /* of a jump: to where it goes is not known yet */

/* What the program keeps in which register. */
enum {
	SOURCE_PORT = BPF_REG_8,
	DESTINATION_PORT = BPF_REG_9,
	PROTOCOL = BPF_REG_5,
	SOURCE = BPF_REG_6,
	DESTINATION = BPF_REG_7,
	LENGTH = BPF_REG_4,
};

struct code {
	struct bpf_insn *insns;
	size_t count, capacity;
	bool forgetful; /* see emit_test */
};

static size_t emit(struct code *code, uint8_t opcode, uint8_t to, uint8_t from, int16_t offset, int32_t immediate)
{
	code->insns = xgrow(code->insns, code->count, &code->capacity, sizeof(*code->insns));
	code->insns[code->count] = (struct bpf_insn){
		.code = opcode,
		.dst_reg = to,
		.src_reg = from,
		.off = offset,
		.imm = immediate,
	};
	return code->count++;
}

/* A comparison whose jump has no place yet. */
static void emit_jump(struct code *code, uint8_t operation, uint8_t reg, uint32_t value)
{
	emit(code, BPF_JMP32 | operation | BPF_K, reg, 0, OPEN, (int32_t)value);
}

/* Jumps from `first` on that have no place lead to what comes next. */
static int land(struct code *code, size_t first)
{
	for (size_t i = first; i < code->count; i++) {
		struct bpf_insn *insn = &code->insns[i];
		uint8_t class = BPF_CLASS(insn->code);

		if ((class != BPF_JMP && class != BPF_JMP32) || insn->off != OPEN)
			continue;
		if (code->count - i - 1 > JUMP_MAX)
			return -E2BIG;
		insn->off = (int16_t)(code->count - i - 1);
	}
	return 0;
}

/* One test of a rule. What the verifier learns from it about the register it would carry into all rules that follow,
 * and find no two ways there alike: some hundred rules are too many. A copy that arithmetic has made is nobody's copy
 * any more. */
static void emit_test(struct code *code, uint8_t operation, uint8_t reg, uint32_t value)
{
	if (code->forgetful) {
		emit(code, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, reg, 0, 0);
		emit(code, BPF_ALU | BPF_OR | BPF_K, BPF_REG_1, 0, 0, 0);
		reg = BPF_REG_1;
	}
	emit_jump(code, operation, reg, value);
}

static void load(struct code *code, uint8_t size, uint8_t to, int16_t offset)
{
	emit(code, BPF_LDX | size | BPF_MEM, to, BPF_REG_2, offset, 0);
}

static void swap_bytes(struct code *code, uint8_t reg, int bits)
{
	emit(code, BPF_ALU | BPF_END | BPF_TO_BE, reg, 0, 0, bits);
}

static void set(struct code *code, uint8_t reg, uint32_t value)
{
	emit(code, BPF_ALU | BPF_MOV | BPF_K, reg, 0, 0, (int32_t)value);
}

/* Ports, or ICMP's type and code, or none. */
static void emit_ports(struct code *code)
{
	size_t none, ports;

	ports = emit(code, BPF_JMP32 | BPF_JEQ | BPF_K, PROTOCOL, 0, 0, IPPROTO_TCP);
	emit(code, BPF_JMP32 | BPF_JEQ | BPF_K, PROTOCOL, 0, 0, IPPROTO_UDP);
	emit(code, BPF_JMP32 | BPF_JEQ | BPF_K, PROTOCOL, 0, 0, IPPROTO_SCTP);
	none = emit(code, BPF_JMP32 | BPF_JNE | BPF_K, PROTOCOL, 0, 3, IPPROTO_ICMP);
	load(code, BPF_B, SOURCE_PORT, ETHERNET + 20);
	load(code, BPF_B, DESTINATION_PORT, ETHERNET + 21);
	emit(code, BPF_JMP | BPF_JA, 0, 0, 7, 0);
	set(code, SOURCE_PORT, FILTER_PORT_NONE);
	set(code, DESTINATION_PORT, FILTER_PORT_NONE);
	emit(code, BPF_JMP | BPF_JA, 0, 0, 4, 0);
	for (size_t i = ports; i < none; i++)
		code->insns[i].off = (int16_t)(code->count - i - 1);
	load(code, BPF_H, SOURCE_PORT, ETHERNET + 20);
	swap_bytes(code, SOURCE_PORT, 16);
	load(code, BPF_H, DESTINATION_PORT, ETHERNET + 22);
	swap_bytes(code, DESTINATION_PORT, 16);
}

static void emit_pass(struct code *code)
{
	set(code, BPF_REG_0, XDP_PASS);
	emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Reads what rules ask for; what is not IPv4 without options passes. */
static void emit_parse(struct code *code)
{
	emit(code, BPF_LDX | BPF_W | BPF_MEM, BPF_REG_2, BPF_REG_1, offsetof(struct xdp_md, data), 0);
	emit(code, BPF_LDX | BPF_W | BPF_MEM, BPF_REG_3, BPF_REG_1, offsetof(struct xdp_md, data_end), 0);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, LENGTH, BPF_REG_3, 0, 0);
	emit(code, BPF_ALU64 | BPF_SUB | BPF_X, LENGTH, BPF_REG_2, 0, 0);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_0, BPF_REG_2, 0, 0);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_0, 0, 0, ETHERNET + 24);
	emit(code, BPF_JMP | BPF_JGT | BPF_X, BPF_REG_0, BPF_REG_3, OPEN, 0);
	load(code, BPF_H, BPF_REG_0, offsetof(struct ethhdr, h_proto));
	emit_jump(code, BPF_JNE, BPF_REG_0, htons(ETH_P_IP));
	load(code, BPF_B, BPF_REG_0, ETHERNET);
	emit_jump(code, BPF_JNE, BPF_REG_0, 0x45);
	load(code, BPF_B, PROTOCOL, ETHERNET + 9);
	load(code, BPF_W, SOURCE, ETHERNET + 12);
	swap_bytes(code, SOURCE, 32);
	load(code, BPF_W, DESTINATION, ETHERNET + 16);
	swap_bytes(code, DESTINATION, 32);
	emit(code, BPF_JMP | BPF_JA, 0, 0, 2, 0);
	land(code, 0);
	emit_pass(code);
	emit_ports(code);
}

static void emit_address(struct code *code, uint8_t reg, const struct prefix *prefix)
{
	uint32_t address, shift = 32 - prefix->length;

	if (!prefix->length)
		return;
	memcpy(&address, prefix->address, sizeof(address));
	address = be32toh(address);
	if (!shift) {
		emit_test(code, BPF_JNE, reg, address);
		return;
	}
	emit(code, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, reg, 0, 0);
	emit(code, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_1, 0, 0, (int32_t)shift);
	emit_jump(code, BPF_JNE, BPF_REG_1, address >> shift);
}

static void emit_lane(struct code *code, uint8_t reg, const struct match *match, int shift, uint32_t bits,
		      uint32_t most)
{
	uint32_t low = match->low >> shift & ((1U << bits) - 1), high = match->high >> shift & ((1U << bits) - 1);

	if (low == high) {
		emit_test(code, BPF_JNE, reg, low);
		return;
	}
	if (low)
		emit_test(code, BPF_JLT, reg, low);
	if (high < most)
		emit_test(code, BPF_JGT, reg, high);
}

/* Register 0 has the rule and, in the lowest bit, whether it drops. */
static int emit_rule(struct code *code, const struct compiled_list *filter, const struct match *match, size_t *hits)
{
	size_t first = code->count;
	bool drops = filter->actions[match->rule].verdict == VERDICT_DROP;

	emit_address(code, SOURCE, &match->source);
	emit_address(code, DESTINATION, &match->destination);
	emit_lane(code, PROTOCOL, match, FILTER_PROTOCOL_SHIFT, 10, FILTER_PROTOCOL_IP_LAST);
	emit_lane(code, SOURCE_PORT, match, FILTER_SOURCE_PORT_SHIFT, 17, FILTER_PORT_ANY);
	emit_lane(code, DESTINATION_PORT, match, FILTER_DESTINATION_PORT_SHIFT, 17, FILTER_PORT_ANY);
	set(code, BPF_REG_0, match->rule << 1 | drops);
	*hits = emit(code, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	return land(code, first);
}

static void emit_count(struct code *code, int hits)
{
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_0, 0, 0);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_7, LENGTH, 0, 0);
	emit(code, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 1);
	emit(code, BPF_STX | BPF_W | BPF_MEM, BPF_REG_10, BPF_REG_0, -4, 0);
	emit(code, BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, hits);
	emit(code, 0, 0, 0, 0, 0);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4);
	emit(code, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 6, 0);
	emit(code, BPF_LDX | BPF_DW | BPF_MEM, BPF_REG_1, BPF_REG_0, offsetof(struct counter, packets), 0);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, 1);
	emit(code, BPF_STX | BPF_DW | BPF_MEM, BPF_REG_0, BPF_REG_1, offsetof(struct counter, packets), 0);
	emit(code, BPF_LDX | BPF_DW | BPF_MEM, BPF_REG_1, BPF_REG_0, offsetof(struct counter, bytes), 0);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_1, BPF_REG_7, 0, 0);
	emit(code, BPF_STX | BPF_DW | BPF_MEM, BPF_REG_0, BPF_REG_1, offsetof(struct counter, bytes), 0);
	emit(code, BPF_ALU | BPF_AND | BPF_K, BPF_REG_6, 0, 0, 1);
	set(code, BPF_REG_0, XDP_PASS);
	emit(code, BPF_ALU64 | BPF_SUB | BPF_X, BPF_REG_0, BPF_REG_6, 0, 0); /* XDP_DROP is one less */
	emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Rules behind one that everything matches would be code that nothing reaches, which the verifier refuses; so would be
 * what comes after them. */
static int write_code(const struct compiled *compiled, int hits, struct code *code)
{
	const struct matches *matches = &compiled->filter.matches4;
	CLEANUP_FREE size_t *jumps = xcalloc(matches->count + 1, sizeof(*jumps));
	bool matches_all = false;
	size_t count = 0;

	emit_parse(code);
	while (count < matches->count && !matches_all) {
		size_t first = code->count;
		int err = emit_rule(code, &compiled->filter, &matches->items[count], &jumps[count]);

		if (err)
			return err;
		matches_all = jumps[count++] == first + 1;
	}
	if (!matches_all)
		emit_pass(code);
	for (size_t i = 0; i < count; i++) {
		if (code->count - jumps[i] - 1 > JUMP_MAX)
			return -E2BIG;
		code->insns[jumps[i]].off = (int16_t)(code->count - jumps[i] - 1);
	}
	if (count)
		emit_count(code, hits);
	return 0;
}

/* Descriptor of the program or a negative errno. */
static int load_code(const struct compiled *compiled, int hits, bool forgetful)
{
	/* As Sluice's own program, so that the cost meter takes it. */
	LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = BPF_F_XDP_HAS_FRAGS, .expected_attach_type = BPF_XDP);
	struct code code = { .forgetful = forgetful };
	int program = write_code(compiled, hits, &code);

	if (!program)
		program = bpf_prog_load(BPF_PROG_TYPE_XDP, "straight", "GPL", code.insns, code.count, &options);
	free(code.insns);
	return program;
}

int straight_load(const struct compiled *compiled, struct straight *out, struct error *error)
{
	size_t rules = compiled->filter.count;
	struct straight straight = { .program = -1, .hits = -1 };

	straight.hits = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "hits", sizeof(uint32_t), sizeof(struct counter),
				       rules ? rules : 1, NULL);
	if (straight.hits < 0)
		return error_set(error, errno, "cannot make counters for straight-line code: %s", strerror(errno));
	straight.program = load_code(compiled, straight.hits, false);
	if (straight.program == -E2BIG)
		straight.program = load_code(compiled, straight.hits, true);
	if (straight.program < 0) {
		int err = straight.program;

		straight_close(&straight);
		return error_set(error, -err, "cannot load straight-line code of %zu rules: %s", rules, strerror(-err));
	}
	*out = straight;
	return 0;
}

void straight_close(struct straight *straight)
{
	if (straight->program >= 0)
		close(straight->program);
	if (straight->hits >= 0)
		close(straight->hits);
	*straight = (struct straight){ .program = -1, .hits = -1 };
}
