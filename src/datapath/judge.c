// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/judge.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "sluice.skel.h"

static int open_record(struct judge *judge, struct error *error)
{
	int fd = bpf_map__fd(judge->program.skeleton->maps.record);
	void *memory = mmap(NULL, sizeof(struct record), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return error_set(error, errno, "cannot map the record: %s", strerror(errno));
	judge->record = memory;
	judge->frame = xcalloc(1, FRAME_MAX);
	judge->output = xcalloc(1, FRAME_MAX);
	return 0;
}

/* The last step of both ways to open: all or nothing. */
static int finish(int err, struct judge *opened, struct judge *judge, struct error *error)
{
	if (!err)
		err = open_record(opened, error);
	if (err)
		judge_close(opened);
	else
		*judge = *opened;
	return err;
}

int judge_open(const struct compiled *compiled, struct judge *judge, struct error *error)
{
	const struct load load = { .record = true };
	struct judge opened = { 0 };
	int err = program_load(compiled, &load, &opened.program, error);

	return finish(err, &opened, judge, error);
}

int judge_open_copy(int running, const char *object, struct judge *judge, struct error *error)
{
	struct judge opened = { 0 };
	char own[DIGEST_TEXT_MAX];
	int err;

	program_object_digest(own);
	if (strcmp(own, object)) {
		error_set(error, EPROTO, "the running program was made by another version of Sluice");
		error_hint(error, "apply its policy again with this one, or ask with the one that made it");
		return -EPROTO;
	}
	err = program_copy(running, &opened.program, error);
	return finish(err, &opened, judge, error);
}

void judge_close(struct judge *judge)
{
	if (judge->record)
		munmap(judge->record, sizeof(*judge->record));
	free(judge->frame);
	free(judge->output);
	program_close(&judge->program);
	*judge = (struct judge){ 0 };
}

const struct config *judge_config(const struct judge *judge)
{
	return (const struct config *)&judge->program.skeleton->rodata->config;
}

int judge_frame(struct judge *judge, const void *frame, size_t length, size_t wire_length, struct record *record,
		struct error *error)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	size_t given = length < FRAME_MAX ? length : FRAME_MAX;

	memcpy(judge->frame, frame, given);
	memset(judge->record, 0, sizeof(*judge->record));
	judge->record->time = judge->time;
	if (given < ETH_HLEN) {
		/* The kernel takes no shorter input: fill it up, and let the program end the frame before the filling,
		 * also where only the capture ends there. 0 would mean that nothing is missing. */
		memset(judge->frame + given, 0, ETH_HLEN - given);
		judge->record->wire_length = given ? given : 1;
		given = ETH_HLEN;
	} else if (wire_length != given) {
		judge->record->wire_length = wire_length;
	}
	judge->frame_length = given;
	run.data_in = judge->frame;
	run.data_size_in = given;
	run.data_out = judge->output;
	run.data_size_out = FRAME_MAX;
	if (bpf_prog_test_run_opts(judge->program.fd, &run))
		return error_set(error, errno, "the kernel refused to run a frame of %zu bytes: %s", length,
				 strerror(errno));
	judge->output_length = run.data_size_out;
	memcpy(record, judge->record, sizeof(*record));
	return 0;
}

bool judge_rewrote(const struct judge *judge)
{
	return judge->output_length != judge->frame_length ||
	       memcmp(judge->output, judge->frame, judge->frame_length) != 0;
}
