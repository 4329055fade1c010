// SPDX-License-Identifier: BSD-2-Clause
/*
 * cost: what the only interface of a policy costs per packet, beside an empty program and beside a peer that judges the
 * same: the kernel's own LPM trie with the prefixes of a block, a hash of token buckets, the rules of a filter walked
 * one by one, or written as code; or beside the same interface with nothing in it. A line of JSON for each row: each
 * number among the words is a row of so many flows, of the family, with the sources and beside the peer that were named
 * last.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/bench.h"
#include "bucket.skel.h"
#include "peers.skel.h"
#include "policy/policy.h"
#include "straight.h"
#include "trie.h"
#include "walk.h"
#include "walk.skel.h"

static const char usage[] =
	"usage: cost POLICY ipv4|ipv6|mixed|listed|random|alone|empty|trie|bucket|walk|straight|FLOWS…\n";

#define COMPARED 4096	     /* flows that a peer has to judge as Sluice does */
#define WALK_LOOKS 100000000 /* rules that one call of the meter may have the peer look at: a quarter of a second */

enum peer {
	PEER_NONE,
	PEER_EMPTY,
	PEER_TRIE,
	PEER_BUCKET,
	PEER_WALK,
	PEER_STRAIGHT,
	PEER_COUNT,
};

static const char *const peer_names[] = {
	[PEER_NONE] = "alone",	  [PEER_EMPTY] = "empty", [PEER_TRIE] = "trie",
	[PEER_BUCKET] = "bucket", [PEER_WALK] = "walk",	  [PEER_STRAIGHT] = "straight",
};

/* Loaded when first asked for. */
struct peers {
	struct program empty;
	struct peers_bpf *trie;
	struct bucket_bpf *bucket;
	struct walk_bpf *walk;
	struct straight straight;
};

/* What the words before a number of flows have chosen. */
struct plan {
	struct flows flows;
	enum peer peer;
};

static const char *const sources_names[] = {
	[SOURCES_MIXED] = "mixed",
	[SOURCES_LISTED] = "listed",
	[SOURCES_RANDOM] = "random",
};

static void set_ns(json_t *json, const char *peer, const char *what, double nanoseconds)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_%s", peer, what);
	json_object_set_new(json, name, json_real(nanoseconds));
}

static void print_row(const struct plan *plan, const struct bench_row *row)
{
	json_t *json = json_pack("{s:s, s:i, s:i, s:i, s:b, s:f, s:f, s:f, s:f, s:f, s:f}", "sources",
				 sources_names[plan->flows.sources], "family", (int)plan->flows.family, "flows",
				 (int)row->flows, "rounds", (int)row->rounds, "noisy", row->noisy, "bare_ns",
				 row->bare_ns, "policy_ns", row->policy_ns, "cost_ns", row->cost_ns, "spread_ns",
				 row->spread_ns, "passed", row->passed, "dropped", row->dropped);

	if (plan->peer != PEER_NONE) {
		set_ns(json, peer_names[plan->peer], "ns", row->peer_ns);
		set_ns(json, peer_names[plan->peer], "cost_ns", row->peer_cost_ns);
	}
	json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	fflush(stdout);
	json_decref(json);
}

static int find_name(const char *const *names, int count, const char *word)
{
	for (int i = 0; i < count; i++) {
		if (!strcmp(word, names[i]))
			return i;
	}
	return -1;
}

/* True when the word says what flows are to be like, or beside which peer. */
static bool choose(const char *word, struct plan *plan)
{
	int sources = find_name(sources_names, sizeof(sources_names) / sizeof(sources_names[0]), word);
	int peer = find_name(peer_names, PEER_COUNT, word);

	if (sources >= 0)
		plan->flows.sources = sources;
	else if (peer >= 0)
		plan->peer = peer;
	else if (!strcmp(word, "ipv4") || !strcmp(word, "ipv6"))
		plan->flows.family = word[3] - '0';
	else
		return false;
	return true;
}

/* Words that are no names are numbers of flows. */
static int check_flows(char **words, struct error *error)
{
	unsigned long different[BENCH_FLOWS_MAX];
	size_t count = 0;

	for (; *words; words++) {
		unsigned long flows = strtoul(*words, NULL, 10);
		size_t i = 0;

		if (choose(*words, &(struct plan){ 0 }))
			continue;
		if (!flows || flows > METER_FLOWS)
			return error_set(error, EINVAL, "\"%s\": flows are 1 to %d", *words, METER_FLOWS);
		while (i < count && different[i] != flows)
			i++;
		if (i == BENCH_FLOWS_MAX)
			return error_set(error, EINVAL, "\"%s\": one run takes at most %d different numbers of flows",
					 *words, BENCH_FLOWS_MAX);
		different[i] = flows;
		count += i == count;
	}
	return 0;
}

/* The peer gets what Sluice's source tables get. */
static struct prefixes list_sources(const struct compiled *compiled)
{
	static const enum table tables[] = { TABLE_BLOCK_SOURCE4, TABLE_BLOCK_SOURCE6 };
	struct prefixes list = { 0 };

	for (int t = 0; t < 2; t++) {
		for (size_t i = 0; i < compiled->tables[tables[t]].count; i++)
			prefixes_add(&list, compiled->tables[tables[t]].entries[i].prefix);
	}
	return list;
}

static int load_trie(const struct compiled *compiled, struct peers_bpf **out, struct error *error)
{
	struct prefixes list = list_sources(compiled);
	int err = trie_load(&list, out, error);

	prefixes_free(&list);
	return err;
}

/* What is parsed and counted of any packet, and nothing else. */
static int load_empty(const struct compiled *compiled, struct program *out, struct error *error)
{
	const struct interface *interface = compiled->interface;
	struct interface without = { .name = interface->name,
				     .mode = interface->mode,
				     .malformed = interface->malformed };
	struct compiled empty;
	int err = compile(&without, &empty, error);

	if (!err)
		err = program_load(&empty, &(struct load){ 0 }, out, error);
	compiled_free(&empty);
	return err;
}

static int load_bucket(struct bucket_bpf **out, struct error *error)
{
	struct bucket_bpf *skeleton = bucket_bpf__open_and_load();

	if (!skeleton)
		return error_set(error, errno, "cannot load the program with buckets: %s", strerror(errno));
	*out = skeleton;
	return 0;
}

/* Descriptor of the peer's program, -1 for none, or another negative errno with `error` set. */
static int load_peer(const struct compiled *compiled, enum peer peer, struct peers *peers, struct error *error)
{
	int err = peer > PEER_BUCKET ? walk_check(compiled, error) : 0;

	if (err || peer == PEER_NONE)
		return err ? err : -1;
	if (peer == PEER_EMPTY && !peers->empty.skeleton)
		err = load_empty(compiled, &peers->empty, error);
	else if (peer == PEER_TRIE && !peers->trie)
		err = load_trie(compiled, &peers->trie, error);
	else if (peer == PEER_BUCKET && !peers->bucket)
		err = load_bucket(&peers->bucket, error);
	else if (peer == PEER_WALK && !peers->walk)
		err = walk_load(compiled, &peers->walk, error);
	else if (peer == PEER_STRAIGHT && peers->straight.program < 0)
		err = straight_load(compiled, &peers->straight, error);
	if (err)
		return err;
	if (peer == PEER_EMPTY)
		return peers->empty.fd;
	if (peer == PEER_TRIE)
		return bpf_program__fd(peers->trie->progs.drop_listed);
	if (peer == PEER_BUCKET)
		return bpf_program__fd(peers->bucket->progs.bucket);
	return peer == PEER_WALK ? bpf_program__fd(peers->walk->progs.walk) : peers->straight.program;
}

static int judge(int program, uint8_t *frame, uint32_t *verdict, struct error *error)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = METER_FRAME, .repeat = 1);

	if (bpf_prog_test_run_opts(program, &run))
		return error_set(error, errno, "the kernel refused to run a program: %s", strerror(errno));
	*verdict = run.retval;
	return 0;
}

/* A filter that judges otherwise does another work. */
static int compare_peer(struct bench *bench, uint8_t family, struct error *error)
{
	size_t size = family == 4 ? sizeof(struct meter_flow4) : sizeof(struct meter_flow6);
	size_t offset = family == 4 ? METER_FLOW4_OFFSET : METER_FLOW6_OFFSET;
	void *common, *each;

	meter_choose(&bench->meter, family, &common, &each);
	for (size_t i = 0; i < COMPARED; i++) {
		uint8_t frame[METER_FRAME];
		uint32_t sluice, peer;
		int err;

		memcpy(frame, common, sizeof(frame));
		memcpy(frame + offset, (const uint8_t *)each + i * size, size);
		err = judge(bench->program.fd, frame, &sluice, error);
		if (!err)
			err = judge(bench->peer, frame, &peer, error);
		if (err)
			return err;
		if (sluice != peer)
			return error_set(error, EPROTO, "flow %zu: Sluice's verdict is %u, the peer's %u", i, sluice,
					 peer);
	}
	return 0;
}

/* What words have chosen becomes what is measured. */
static int prepare(const struct compiled *compiled, const struct plan *plan, struct peers *peers, struct bench *bench,
		   struct error *error)
{
	size_t boxes = compiled->filter.matches4.count;
	int err = bench_write(bench, &plan->flows, error);

	if (err)
		return err;
	bench->peer = load_peer(compiled, plan->peer, peers, error);
	bench->peer_runs = plan->peer == PEER_WALK && boxes ? WALK_LOOKS / boxes : 0;
	if (bench->peer < 0)
		return plan->peer == PEER_NONE ? 0 : bench->peer;
	/* A trie does the same work, and knows no exceptions; a bucket is as full as it is. */
	return plan->peer <= PEER_BUCKET ? 0 : compare_peer(bench, plan->flows.family, error);
}

static int measure(const struct compiled *compiled, struct bench *bench, char **words, struct peers *peers,
		   struct error *error)
{
	struct plan plan = { .flows = { .family = 4, .sources = SOURCES_MIXED } };
	bool prepared = false;
	int err = 0;

	for (; *words && !err; words++) {
		struct bench_row row;

		if (choose(*words, &plan)) {
			prepared = false;
			continue;
		}
		if (!prepared)
			err = prepare(compiled, &plan, peers, bench, error);
		prepared = true;
		if (!err)
			err = bench_measure(bench, (uint32_t)strtoul(*words, NULL, 10), &row, error);
		if (!err)
			print_row(&plan, &row);
	}
	return err;
}

static int bench_all(const struct compiled *compiled, char **words, struct error *error)
{
	struct peers peers = { .empty = { .fd = -1 }, .straight = { .program = -1, .hits = -1 } };
	struct bench bench;
	int err = bench_open(compiled, NULL, &bench, error);

	if (err)
		return err;
	err = measure(compiled, &bench, words, &peers, error);
	bench_close(&bench);
	program_close(&peers.empty);
	peers_bpf__destroy(peers.trie);
	bucket_bpf__destroy(peers.bucket);
	walk_bpf__destroy(peers.walk);
	straight_close(&peers.straight);
	return err;
}

static int run(const char *path, char **words, struct error *error)
{
	struct compiled compiled;
	struct policy *policy;
	int err = check_flows(words, error);

	if (!err)
		err = policy_load(path, &policy, error);
	if (err)
		return err;
	err = compile(&policy->interfaces[0], &compiled, error);
	if (!err)
		err = bench_all(&compiled, words, error);
	compiled_free(&compiled);
	policy_free(policy);
	return err;
}

int main(int argc, char **argv)
{
	struct error error;

	if (argc < 3)
		return fputs(usage, stderr), 2;
	if (run(argv[1], argv + 2, &error)) {
		error_print(stderr, &error);
		return 1;
	}
	return 0;
}
