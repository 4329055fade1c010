// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/classifier.h"

#include <stdbool.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"

#define LAYOUT_WORDS (sizeof(struct classifier_layout) / sizeof(__u64))

/* What is being loaded: libbpf has no room for it between the caller and its hook. */
static _Thread_local const struct config *loading;

/* The constant that a placeholder stands for; NULL when the number is none. */
static const __u64 *constant(const struct config *config, __u64 number)
{
	const struct {
		__u64 base;
		const struct classifier_layout *layout;
	} classifiers[] = {
		{ CLASSIFIER_PLACEHOLDER(CLASSIFIER_FILTER, 4), &config->classifier4 },
		{ CLASSIFIER_PLACEHOLDER(CLASSIFIER_FILTER, 6), &config->classifier6 },
		{ CLASSIFIER_PLACEHOLDER(CLASSIFIER_LIMIT, 4), &config->limit4 },
		{ CLASSIFIER_PLACEHOLDER(CLASSIFIER_LIMIT, 6), &config->limit6 },
	};

	for (size_t i = 0; i < sizeof(classifiers) / sizeof(classifiers[0]); i++) {
		__u64 place = (number - classifiers[i].base) / sizeof(__u64);

		if (number >= classifiers[i].base && place < LAYOUT_WORDS)
			return (const __u64 *)classifiers[i].layout + place;
	}
	return NULL;
}

/* A 64-bit immediate takes two instructions; one that is the address of a map says so in its source register. */
static bool is_immediate(const struct bpf_insn *instruction)
{
	return instruction->code == (BPF_LD | BPF_IMM | BPF_DW) && !instruction->src_reg;
}

static void write_constants(struct bpf_insn *instructions, size_t count, const struct config *config)
{
	for (size_t i = 0; i + 1 < count; i++) {
		const __u64 *value;

		if (!is_immediate(&instructions[i]))
			continue;
		value = constant(config, (__u64)(__u32)instructions[i + 1].imm << 32 | (__u32)instructions[i].imm);
		i++;
		if (!value)
			continue;
		instructions[i - 1].imm = (__s32)*value;
		instructions[i].imm = (__s32)(*value >> 32);
	}
}

/* By now libbpf has put a program and its functions together. Of the bpf_program, the instructions are its own copy. */
static int before_load(struct bpf_program *program, struct bpf_prog_load_opts *options, long cookie)
{
	size_t count = bpf_program__insn_cnt(program);
	CLEANUP_FREE struct bpf_insn *instructions = xcalloc(count, sizeof(*instructions));

	options->prog_flags |= BPF_F_XDP_HAS_FRAGS; /* as libbpf does for this section when there is no hook */
	if (!loading)
		return 0;
	memcpy(instructions, bpf_program__insns(program), count * sizeof(*instructions));
	write_constants(instructions, count, loading);
	return bpf_program__set_insns(program, instructions, count);
}

int classifier_start(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, options, .prog_prepare_load_fn = before_load);
	static int handler;

	if (handler > 0)
		return 0;
	handler = libbpf_register_prog_handler("xdp.frags", BPF_PROG_TYPE_XDP, BPF_XDP, &options);
	return handler < 0 ? handler : 0;
}

int classifier_load(struct bpf_object *object, const struct config *config)
{
	int err;

	loading = config;
	err = bpf_object__load(object);
	loading = NULL;
	return err;
}
