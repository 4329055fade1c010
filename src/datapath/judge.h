/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A judge: the real program of a policy, or a private copy of a running one, that judges packets handed to it
 * (BPF_PROG_TEST_RUN) and says why. It is attached nowhere and counts into counters of its own.
 */
#ifndef SLUICE_DATAPATH_JUDGE_H
#define SLUICE_DATAPATH_JUDGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "compile/compile.h"
#include "datapath/program.h"
#include "sluice/record.h"

/* Longest frame that is handed to the kernel; of a longer one, the headers and this much. */
#define FRAME_MAX 65536

struct judge {
	struct program program;
	struct record *record; /* the map `record` */
	uint64_t time;	       /* of the next frame, nanoseconds, by which limits and timeouts go; 0: now */
	uint8_t *frame;	       /* the last one, FRAME_MAX bytes */
	uint8_t *output;       /* what the program made of it */
	size_t frame_length, output_length;
};

/* Each returns 0 and a judge to close, or a negative errno with `error` set. `object` is the digest of the BPF object
 * that the running program was loaded from: -EPROTO when it is not the one in this executable. */
int judge_open(const struct compiled *compiled, struct judge *judge, struct error *error);
int judge_open_copy(int running, const char *object, struct judge *judge, struct error *error);

/* The configuration that the judge's program was loaded with. */
const struct config *judge_config(const struct judge *judge);

void judge_close(struct judge *judge);

/* Judges a frame of `length` bytes that had `wire_length` on the wire (a capture may hold less). `record` then has the
 * verdict and what the program saw. Returns 0, or a negative errno with `error` set. */
int judge_frame(struct judge *judge, const void *frame, size_t length, size_t wire_length, struct record *record,
		struct error *error);

/* True when the last frame came out other than it went in; the bytes are judge->output. */
bool judge_rewrote(const struct judge *judge);

#endif
