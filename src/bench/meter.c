// SPDX-License-Identifier: BSD-2-Clause
#include "bench/meter.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "datapath/log.h"
#include "meter.skel.h"

/* A call with more than one run has the kernel patch the XDP dispatcher, before and after, and sleep until no CPU is in
 * the old one (bpf_prog_test_run_xdp in net/bpf/test_run.c): tens of milliseconds on the clock on the wall, some
 * hundred microseconds of CPU time. So CPU time is what counts, less that of a call that hardly does anything else. */
#define CALIBRATION_CALLS 5
#define CALIBRATION_RUNS 2

static int refused(int err, struct error *error)
{
	error_set(error, -err, "cannot load the cost meter: %s", strerror(-err));
	log_hint(error);
	return err;
}

static int load(uint32_t packets, struct meter *meter, struct error *error)
{
	struct meter_bpf *skeleton = meter->skeleton;
	int err = bpf_map__set_max_entries(skeleton->maps.captured, packets ? packets : 1);

	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.flows4, packets ? 1 : METER_FLOWS);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.flows6, packets ? 1 : METER_FLOWS);
	if (!err)
		err = meter_bpf__load(skeleton);
	if (err)
		return refused(err, error);
	meter->driver = bpf_program__fd(packets ? skeleton->progs.meter_capture : skeleton->progs.meter4);
	return 0;
}

static int map_memory(struct bpf_map *map, size_t size, struct meter_map *out, struct error *error)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (memory == MAP_FAILED)
		return error_set(error, errno, "cannot map the frames of the cost meter: %s", strerror(errno));
	*out = (struct meter_map){ memory, size };
	return 0;
}

static int map_frames(uint32_t packets, struct meter *meter, struct error *error)
{
	int err;

	if (packets)
		return map_memory(meter->skeleton->maps.captured, packets * sizeof(struct meter_captured),
				  &meter->captured, error);
	err = map_memory(meter->skeleton->maps.flows4, METER_FLOWS * sizeof(struct meter_flow4), &meter->flows4, error);
	if (!err)
		err = map_memory(meter->skeleton->maps.flows6, METER_FLOWS * sizeof(struct meter_flow6), &meter->flows6,
				 error);
	return err;
}

void meter_choose(struct meter *meter, uint8_t family, void **frame, void **each)
{
	const struct meter_bpf *skeleton = meter->skeleton;

	meter->driver = bpf_program__fd(family == 4 ? skeleton->progs.meter4 : skeleton->progs.meter6);
	*frame = skeleton->bss->frame;
	*each = family == 4 ? meter->flows4.memory : meter->flows6.memory;
}

int meter_bare_fd(const struct meter *meter)
{
	return bpf_program__fd(meter->skeleton->progs.bare);
}

int meter_aim(struct meter *meter, int fd, struct error *error)
{
	int target = bpf_map__fd(meter->skeleton->maps.target);

	if (bpf_map_update_elem(target, &(uint32_t){ 0 }, &fd, BPF_ANY))
		return error_set(error, errno, "cannot aim the cost meter at a program: %s", strerror(errno));
	return 0;
}

static double cpu_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

/* CPU time of one call, in nanoseconds. */
static int call(struct meter *meter, uint32_t runs, double *nanoseconds, struct error *error)
{
	uint8_t frame[METER_FRAME] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame), .repeat = runs);
	double start = cpu_time();

	if (bpf_prog_test_run_opts(meter->driver, &run))
		return error_set(error, errno, "the kernel refused to run the cost meter: %s", strerror(errno));
	*nanoseconds = cpu_time() - start;
	return 0;
}

int meter_run(struct meter *meter, uint32_t flows, uint32_t runs, double *nanoseconds, struct error *error)
{
	double whole = 0;
	int err;

	meter->skeleton->bss->flow_count = flows;
	err = call(meter, runs, &whole, error);
	if (!err)
		*nanoseconds = (whole - meter->call_ns) / runs;
	return err;
}

static int pin(struct meter *meter, struct error *error)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	if (sched_getaffinity(0, sizeof(cpu_set_t), &meter->allowed_before) ||
	    sched_setaffinity(0, sizeof(here), &here))
		return error_set(error, errno, "cannot stay on one CPU: %s", strerror(errno));
	meter->pinned = true;
	return 0;
}

static int calibrate(struct meter *meter, struct error *error)
{
	int err = meter_aim(meter, meter_bare_fd(meter), error);

	for (int i = 0; i < CALIBRATION_CALLS && !err; i++) {
		double nanoseconds = 0;

		err = call(meter, CALIBRATION_RUNS, &nanoseconds, error);
		if (!err && (i == 0 || nanoseconds < meter->call_ns))
			meter->call_ns = nanoseconds;
	}
	return err;
}

int meter_open(uint32_t packets, struct meter *meter, struct error *error)
{
	struct meter opened = { 0 };
	int err;

	log_start();
	opened.skeleton = meter_bpf__open();
	if (!opened.skeleton)
		return refused(-errno, error);
	err = load(packets, &opened, error);
	if (!err)
		err = map_frames(packets, &opened, error);
	if (!err)
		err = pin(&opened, error);
	if (!err)
		err = calibrate(&opened, error);
	if (err)
		meter_close(&opened);
	else
		*meter = opened;
	return err;
}

static void unmap(const struct meter_map *map)
{
	if (map->size)
		munmap(map->memory, map->size);
}

void meter_close(struct meter *meter)
{
	if (meter->pinned)
		sched_setaffinity(0, sizeof(cpu_set_t), &meter->allowed_before);
	unmap(&meter->flows4);
	unmap(&meter->flows6);
	unmap(&meter->captured);
	meter_bpf__destroy(meter->skeleton);
	*meter = (struct meter){ 0 };
}
