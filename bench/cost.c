// SPDX-License-Identifier: BSD-2-Clause
/*
 * cost: what the only interface of a policy costs per packet, beside an empty program and beside the kernel's own LPM
 * trie with the same prefixes, in the same rounds. A line of JSON for each row: each number among the words is a row of
 * so many flows, of the family and with the sources that were named last.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "bench/bench.h"
#include "peers.skel.h"
#include "policy/policy.h"
#include "trie.h"

static const char usage[] = "usage: cost POLICY ipv4|ipv6|mixed|listed|random|FLOWS…\n";

static const char *const sources_names[] = {
	[SOURCES_MIXED] = "mixed",
	[SOURCES_LISTED] = "listed",
	[SOURCES_RANDOM] = "random",
};

static void print_row(const struct flows *flows, const struct bench_row *row)
{
	json_t *json = json_pack("{s:s, s:i, s:i, s:i, s:b, s:f, s:f, s:f, s:f, s:f, s:f}", "sources",
				 sources_names[flows->sources], "family", (int)flows->family, "flows", (int)row->flows,
				 "rounds", (int)row->rounds, "noisy", row->noisy, "bare_ns", row->bare_ns, "policy_ns",
				 row->policy_ns, "cost_ns", row->cost_ns, "spread_ns", row->spread_ns, "passed",
				 row->passed, "dropped", row->dropped);

	if (row->peer_ns > 0) {
		json_object_set_new(json, "trie_ns", json_real(row->peer_ns));
		json_object_set_new(json, "trie_cost_ns", json_real(row->peer_cost_ns));
	}
	json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	fflush(stdout);
	json_decref(json);
}

/* True when the word says what flows are to be like. */
static bool choose(const char *word, struct flows *flows)
{
	for (int i = 0; i < (int)(sizeof(sources_names) / sizeof(sources_names[0])); i++) {
		if (!strcmp(word, sources_names[i])) {
			flows->sources = i;
			return true;
		}
	}
	if (strcmp(word, "ipv4") && strcmp(word, "ipv6"))
		return false;
	flows->family = word[3] - '0';
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

		if (choose(*words, &(struct flows){ 0 }))
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

static int measure(struct bench *bench, char **words, struct error *error)
{
	struct flows flows = { .family = 4, .sources = SOURCES_MIXED };
	int err = bench_write(bench, &flows, error);

	for (; *words && !err; words++) {
		unsigned long count = strtoul(*words, NULL, 10);
		struct bench_row row;

		if (choose(*words, &flows)) {
			err = bench_write(bench, &flows, error);
			continue;
		}
		err = bench_measure(bench, (uint32_t)count, &row, error);
		if (!err)
			print_row(&flows, &row);
	}
	return err;
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

static int bench_all(const struct compiled *compiled, char **words, struct error *error)
{
	struct prefixes list = list_sources(compiled);
	struct peers_bpf *peers = NULL;
	struct bench bench;
	int err = bench_open(compiled, NULL, &bench, error);

	if (err) {
		prefixes_free(&list);
		return err;
	}
	if (list.count)
		err = trie_load(&list, &peers, error);
	prefixes_free(&list);
	if (peers)
		bench.peer = bpf_program__fd(peers->progs.drop_listed);
	if (!err)
		err = measure(&bench, words, error);
	bench_close(&bench);
	peers_bpf__destroy(peers);
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
