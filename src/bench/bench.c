// SPDX-License-Identifier: BSD-2-Clause
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "bench/flows.h"
#include "datapath/state.h"
#include "sluice.skel.h"
#include "sluice/counter.h"

#define ROUNDS 9
#define ROUNDS_UNDISTURBED 3 /* fewer than these are no base for a median */

/* Runs in one call: enough for the clock, few enough that most calls end before the scheduler looks at the CPU. */
#define RUNS (1 << 18)
#define RUNS_MIN (1 << 14)
#define CALL_NS 20e6

struct round {
	double bare_ns, policy_ns;
	bool disturbed;
};

struct verdicts {
	uint64_t passed, dropped, all;
};

int bench_open(const struct compiled *compiled, struct bench *bench, struct error *error)
{
	const struct load load = { .counters = -1, .rules = -1 };
	struct bench opened = { .compiled = compiled };
	int err = program_load(compiled, &load, &opened.program, error);

	if (err)
		return err;
	err = meter_open(&opened.meter, error);
	if (err)
		program_close(&opened.program);
	else
		*bench = opened;
	return err;
}

void bench_close(struct bench *bench)
{
	meter_close(&bench->meter);
	program_close(&bench->program);
	*bench = (struct bench){ 0 };
}

static int read_verdicts(const struct bench *bench, struct verdicts *verdicts, struct error *error)
{
	int map = bpf_map__fd(bench->program.skeleton->maps.counters);
	struct counter sums[VERDICT_COUNT] = { 0 };

	*verdicts = (struct verdicts){ 0 };
	for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
		for (int reason = 0; reason < REASON_LIMIT; reason++) {
			int err = counter_read(map, counter_index(reason, verdict), &sums[verdict]);

			if (err)
				return error_set(error, -err, "cannot read the program's counters: %s", strerror(-err));
		}
		verdicts->all += sums[verdict].packets;
	}
	verdicts->passed = sums[VERDICT_PASS].packets;
	verdicts->dropped = sums[VERDICT_DROP].packets;
	return 0;
}

static int run(struct bench *bench, int fd, uint32_t flows, uint32_t runs, struct timing *timing, struct error *error)
{
	int err = meter_aim(&bench->meter, fd, error);

	return err ? err : meter_run(&bench->meter, flows, runs, timing, error);
}

/* A slow program gets fewer runs. Whatever the number, it is the same for both programs. */
static int choose_runs(struct bench *bench, uint32_t flows, uint32_t *runs, struct error *error)
{
	struct timing timing;
	int err = run(bench, bench->program.fd, flows, RUNS_MIN, &timing, error);

	if (err)
		return err;
	*runs = RUNS;
	while (*runs > RUNS_MIN && *runs * timing.nanoseconds > CALL_NS)
		*runs /= 2;
	return 0;
}

static int run_round(struct bench *bench, uint32_t flows, uint32_t runs, struct round *round, struct error *error)
{
	struct timing bare, policy;
	int err = run(bench, meter_bare_fd(&bench->meter), flows, runs, &bare, error);

	if (!err)
		err = run(bench, bench->program.fd, flows, runs, &policy, error);
	if (!err)
		*round = (struct round){ bare.nanoseconds, policy.nanoseconds, bare.disturbed || policy.disturbed };
	return err;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Rounds in which somebody else had the CPU in between are dropped, unless hardly any other is left: their time on the
 * CPU is right, but they paid for refilling its caches. */
static void settle(const struct round *rounds, struct bench_row *row)
{
	double bare[ROUNDS], policy[ROUNDS];
	size_t undisturbed = 0;

	for (int i = 0; i < ROUNDS; i++)
		undisturbed += !rounds[i].disturbed;
	row->rounds = 0;
	for (int i = 0; i < ROUNDS; i++) {
		if (rounds[i].disturbed && undisturbed >= ROUNDS_UNDISTURBED)
			continue;
		bare[row->rounds] = rounds[i].bare_ns;
		policy[row->rounds++] = rounds[i].policy_ns;
	}
	row->bare_ns = median(bare, row->rounds);
	row->policy_ns = median(policy, row->rounds);
}

static int measure(struct bench *bench, struct bench_row *row, struct error *error)
{
	struct round rounds[ROUNDS];
	struct verdicts before, after;
	uint32_t runs;
	uint64_t judged;
	int err = choose_runs(bench, row->flows, &runs, error);

	if (!err)
		err = read_verdicts(bench, &before, error);
	for (int i = 0; i < ROUNDS && !err; i++)
		err = run_round(bench, row->flows, runs, &rounds[i], error);
	if (!err)
		err = read_verdicts(bench, &after, error);
	if (err)
		return err;
	judged = after.all - before.all;
	if (judged != (uint64_t)ROUNDS * runs)
		return error_set(error, EPROTO, "the program judged %llu packets of %llu", (unsigned long long)judged,
				 (unsigned long long)ROUNDS * runs);
	settle(rounds, row);
	row->passed = (double)(after.passed - before.passed) / judged;
	row->dropped = (double)(after.dropped - before.dropped) / judged;
	return 0;
}

int bench_measure(struct bench *bench, uint8_t family, uint32_t flows, struct bench_row *row, struct error *error)
{
	struct bench_row measured = { .family = family, .flows = flows };
	int err = 0;

	if (bench->family != family) {
		bench->family = 0;
		err = flows_write(bench->compiled, family, bench->meter.frames, METER_FLOWS, error);
		if (!err)
			bench->family = family;
	}
	if (!err)
		err = measure(bench, &measured, error);
	if (!err)
		*row = measured;
	return err;
}
