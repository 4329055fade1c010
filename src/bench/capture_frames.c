// SPDX-License-Identifier: BSD-2-Clause
#include "bench/capture_frames.h"

#include <errno.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "packet/capture.h"

static void add(struct capture_frames *out, const struct captured *packet)
{
	struct meter_captured *frame;

	if (packet->length < ETH_HLEN) {
		out->runts++;
	} else if (packet->length > METER_LENGTH) {
		out->jumbos++;
	} else if (out->count == METER_PACKETS) {
		out->beyond++;
	} else {
		out->frames = xgrow(out->frames, out->count, &out->capacity, sizeof(*out->frames));
		frame = &out->frames[out->count++];
		memset(frame, 0, sizeof(*frame));
		frame->length = packet->length;
		frame->written = packet->length < METER_CAPTURED ? packet->length : METER_CAPTURED;
		out->cut += packet->size < frame->written;
		memcpy(frame->bytes, packet->bytes, packet->size < METER_CAPTURED ? packet->size : METER_CAPTURED);
	}
}

static int nothing_left(const char *path, const struct capture_frames *read, struct error *error)
{
	int err = error_set(error, EINVAL, "%s has no packet to measure with", path);

	if (read->runts || read->jumbos)
		error_hint(error, "%llu are shorter than an Ethernet header, %llu longer than %d bytes",
			   (unsigned long long)read->runts, (unsigned long long)read->jumbos, METER_LENGTH);
	return err;
}

int capture_frames_read(const char *path, struct capture_frames *out, struct error *error)
{
	struct capture_frames read = { 0 };
	struct captured packet;
	struct capture *capture;
	int err = capture_open(path, &capture, error);

	if (err)
		return err;
	while ((err = capture_next(capture, &packet, error)) == 1)
		add(&read, &packet);
	capture_close(capture);
	if (!err && !read.count)
		err = nothing_left(path, &read, error);
	if (err)
		capture_frames_free(&read);
	else
		*out = read;
	return err;
}

void capture_frames_free(struct capture_frames *frames)
{
	free(frames->frames);
	*frames = (struct capture_frames){ 0 };
}
