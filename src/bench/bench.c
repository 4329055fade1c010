// SPDX-License-Identifier: BSD-2-Clause
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/libbpf.h>

#include "bench/median.h"
#include "datapath/state.h"
#include "sluice.skel.h"
#include "sluice/counter.h"

/*
 * A round is a measurement of the policy's program between two of the bare one. A virtual CPU is now and then slower by
 * half: its sibling works, or its host. The bare program shows it: a round whose bare times are not both within
 * BARE_TOLERANCE of the fastest one so far with as many flows is left out. Measuring goes on until enough rounds are
 * quiet. What a CPU shares with its sibling, a cache above all, the bare program hardly needs: so a row is also noisy
 * when what the kept rounds took is too far apart.
 */
#define ROUNDS_WANTED 7
#define ROUNDS_NEEDED 3 /* fewer are no base for a median: all rounds count, and the row is called noisy */
#define ROUNDS_MAX 24
#define BARE_TOLERANCE 1.1

/* Runs in one call, at least: enough for the clock, and for four passes over 65,536 flows. */
#define RUNS (1 << 18)

/* Runs of the same program before each timed call, whose times do not count: the caches hold what the program before
 * left there, and whoever ran while the kernel slept. */
#define WARM_RUNS (1 << 16)

/* A row that has taken so long makes do with ROUNDS_NEEDED rounds. */
#define ROW_SECONDS 3

struct round {
	double before, policy, peer, after; /* the first and the last are the bare program's */
};

struct rounds {
	struct round all[ROUNDS_MAX];
	size_t count;
	double bare_limit;
	uint64_t runs; /* of the policy's program, all of them */
};

struct verdicts {
	uint64_t passed, dropped, all;
};

int bench_open(const struct compiled *compiled, const struct capture_frames *capture, struct bench *bench,
	       struct error *error)
{
	const struct load load = { 0 };
	struct bench opened = { .compiled = compiled, .peer = -1 };
	int err = program_load(compiled, &load, &opened.program, error);

	if (err)
		return err;
	err = meter_open(capture ? capture->count : 0, &opened.meter, error);
	if (err) {
		program_close(&opened.program);
		return err;
	}
	if (capture)
		memcpy(opened.meter.captured.memory, capture->frames, capture->count * sizeof(*capture->frames));
	*bench = opened;
	return 0;
}

void bench_close(struct bench *bench)
{
	meter_close(&bench->meter);
	program_close(&bench->program);
	*bench = (struct bench){ .peer = -1 };
}

int bench_write(struct bench *bench, const struct flows *flows, struct error *error)
{
	void *frame, *each;

	meter_choose(&bench->meter, flows->family, &frame, &each);
	return flows_write(bench->compiled, flows, frame, each, METER_FLOWS, error);
}

static int read_verdicts(const struct bench *bench, struct verdicts *verdicts, struct error *error)
{
	int map = bpf_map__fd(bench->program.skeleton->maps.counters);
	struct counter sums[VERDICT_COUNT] = { 0 };

	*verdicts = (struct verdicts){ 0 };
	for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
		for (int reason = 0; reason < REASONS_MAX; reason++) {
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

/* Whole passes, the same for every program and every policy: rows are compared. */
static uint32_t timed_runs(uint32_t flows)
{
	return (RUNS + flows - 1) / flows * flows;
}

static uint32_t warm_runs(uint32_t flows)
{
	return flows < WARM_RUNS ? WARM_RUNS / flows * flows : WARM_RUNS;
}

static uint32_t bounded(uint32_t runs, uint32_t most)
{
	return most && runs > most ? most : runs;
}

static int run(struct bench *bench, int fd, uint32_t flows, uint32_t most, double *nanoseconds, struct error *error)
{
	int err = meter_aim(&bench->meter, fd, error);

	if (!err)
		err = meter_run(&bench->meter, flows, bounded(warm_runs(flows), most), nanoseconds, error);
	return err ? err : meter_run(&bench->meter, flows, bounded(timed_runs(flows), most), nanoseconds, error);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + time.tv_nsec / 1e9;
}

static bool is_quiet(const struct rounds *rounds, const struct round *round)
{
	return round->before <= rounds->bare_limit && round->after <= rounds->bare_limit;
}

static size_t count_quiet(const struct rounds *rounds)
{
	size_t quiet = 0;

	for (size_t i = 0; i < rounds->count; i++)
		quiet += is_quiet(rounds, &rounds->all[i]);
	return quiet;
}

static struct fastest *find_fastest(struct bench *bench, uint32_t flows)
{
	struct fastest *fastest = bench->fastest;

	while (fastest->flows && fastest->flows != flows)
		fastest++;
	fastest->flows = flows;
	return fastest;
}

static int run_bare(struct bench *bench, uint32_t flows, struct rounds *rounds, double *bare, struct error *error)
{
	struct fastest *fastest = find_fastest(bench, flows);
	int err = run(bench, meter_bare_fd(&bench->meter), flows, 0, bare, error);

	if (err)
		return err;
	if (!fastest->bare || *bare < fastest->bare)
		fastest->bare = *bare;
	rounds->bare_limit = fastest->bare * BARE_TOLERANCE;
	return 0;
}

static int run_round(struct bench *bench, uint32_t flows, struct rounds *rounds, struct error *error)
{
	struct round *round = &rounds->all[rounds->count];
	int err = run(bench, bench->program.fd, flows, 0, &round->policy, error);

	if (!err && bench->peer >= 0)
		err = run(bench, bench->peer, flows, bench->peer_runs, &round->peer, error);
	if (!err)
		err = run_bare(bench, flows, rounds, &round->after, error);
	if (err)
		return err;
	rounds->count++;
	rounds->runs += warm_runs(flows) + timed_runs(flows);
	if (rounds->count < ROUNDS_MAX)
		rounds->all[rounds->count].before = round->after;
	return 0;
}

static bool are_enough(const struct rounds *rounds, double seconds)
{
	if (rounds->count == ROUNDS_MAX || count_quiet(rounds) >= ROUNDS_WANTED)
		return true;
	return rounds->count >= ROUNDS_NEEDED && seconds > ROW_SECONDS;
}

static int run_rounds(struct bench *bench, uint32_t flows, struct rounds *rounds, struct error *error)
{
	double start = now();
	int err;

	*rounds = (struct rounds){ 0 };
	err = run_bare(bench, flows, rounds, &rounds->all[0].before, error);
	while (!err && !are_enough(rounds, now() - start))
		err = run_round(bench, flows, rounds, error);
	return err;
}

static void settle(const struct rounds *rounds, struct bench_row *row)
{
	double bare[ROUNDS_MAX], policy[ROUNDS_MAX], peer[ROUNDS_MAX], cost[ROUNDS_MAX], peer_cost[ROUNDS_MAX];
	size_t count = 0;

	row->noisy = count_quiet(rounds) < ROUNDS_NEEDED;
	for (size_t i = 0; i < rounds->count; i++) {
		const struct round *round = &rounds->all[i];

		if (!row->noisy && !is_quiet(rounds, round))
			continue;
		bare[count] = (round->before + round->after) / 2;
		policy[count] = round->policy;
		peer[count] = round->peer;
		cost[count] = round->policy - bare[count];
		peer_cost[count] = round->peer - bare[count];
		count++;
	}
	row->rounds = count;
	row->bare_ns = median(bare, count);
	row->policy_ns = median(policy, count);
	row->peer_ns = median(peer, count);
	row->cost_ns = median(cost, count);
	row->peer_cost_ns = median(peer_cost, count);
	row->spread_ns = median_spread(cost, count);
	row->noisy |= median_is_noisy(policy, count) || median_is_noisy(peer, count);
}

int bench_measure(struct bench *bench, uint32_t flows, struct bench_row *row, struct error *error)
{
	struct bench_row measured = { .flows = flows };
	struct verdicts before, after;
	struct rounds rounds;
	uint64_t judged;
	int err = read_verdicts(bench, &before, error);

	if (!err)
		err = run_rounds(bench, flows, &rounds, error);
	if (!err)
		err = read_verdicts(bench, &after, error);
	if (err)
		return err;
	judged = after.all - before.all;
	if (judged != rounds.runs)
		return error_set(error, EPROTO, "the program judged %llu of %llu packets", (unsigned long long)judged,
				 (unsigned long long)rounds.runs);
	settle(&rounds, &measured);
	measured.passed = (double)(after.passed - before.passed) / judged;
	measured.dropped = (double)(after.dropped - before.dropped) / judged;
	*row = measured;
	return 0;
}
