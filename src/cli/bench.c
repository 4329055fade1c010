// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>
#include <jansson.h>
#include <string.h>

#include "bench/bench.h"
#include "cli/cli.h"
#include "cli/subject.h"

/* One, because it flatters every table and shows by how much; then what fits into each level of a CPU's caches, and
 * what fits into none. */
static const uint32_t flow_counts[] = { 1, 4096, 65536, METER_FLOWS };
static const uint8_t families[] = { 4, 6 };

static void print_json(const char *interface, const struct bench_row *row)
{
	json_t *json = json_pack("{s:s, s:i, s:i, s:i, s:b, s:f, s:f, s:f, s:f, s:f}", "interface", interface, "family",
				 (int)row->family, "flows", (int)row->flows, "rounds", (int)row->rounds, "noisy",
				 row->noisy, "bare_ns", row->bare_ns, "policy_ns", row->policy_ns, "cost_ns",
				 row->policy_ns - row->bare_ns, "passed", row->passed, "dropped", row->dropped);

	json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(json);
}

static void print_header(const char *interface)
{
	printf("interface %s\n", interface);
	printf("%-6s %8s %9s %9s %9s %8s %8s %11s\n", "family", "flows", "bare ns", "policy ns", "cost ns", "passed",
	       "dropped", "Mpps a core");
}

static void print_row(const struct bench_row *row)
{
	printf("IPv%-3d %8u %9.1f %9.1f %9.1f %7.1f%% %7.1f%% %11.1f%s\n", row->family, row->flows, row->bare_ns,
	       row->policy_ns, row->policy_ns - row->bare_ns, row->passed * 100, row->dropped * 100,
	       1000 / row->policy_ns, row->noisy ? "  noisy" : "");
}

static int measure_all(struct bench *bench, const char *interface, bool lines, struct error *error)
{
	if (!lines)
		print_header(interface);
	for (size_t i = 0; i < sizeof(families); i++) {
		for (size_t j = 0; j < sizeof(flow_counts) / sizeof(flow_counts[0]); j++) {
			struct bench_row row;
			int err = bench_measure(bench, families[i], flow_counts[j], &row, error);

			if (err)
				return err;
			if (lines)
				print_json(interface, &row);
			else
				print_row(&row);
			fflush(stdout);
		}
	}
	return 0;
}

static int bench_interface(const struct interface *interface, bool lines, struct error *error)
{
	struct compiled compiled;
	struct bench bench;
	int err = compile(interface, &compiled, error);

	if (!err)
		err = bench_open(&compiled, &bench, error);
	if (!err) {
		err = measure_all(&bench, interface->name, lines, error);
		bench_close(&bench);
	}
	compiled_free(&compiled);
	return err;
}

int cli_bench(int argc, char **argv)
{
	static const struct option options[] = { { "interface", required_argument, NULL, 'i' }, { 0 } };
	const struct interface *interface;
	const char *name = NULL;
	struct policy *policy;
	bool lines = false;
	struct error error;
	int option, err;

	while ((option = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (option == 'j')
			lines = true;
		else if (option == 'i')
			name = optarg;
		else
			return cli_usage(argv[0]);
	}
	if (argc - optind != 1)
		return cli_usage(argv[0]);
	if (policy_load(argv[optind], &policy, &error))
		return cli_failed(&error);
	interface = pick_interface(policy, name, &error);
	err = interface ? bench_interface(interface, lines, &error) : -1;
	policy_free(policy);
	return err ? cli_failed(&error) : STATUS_DONE;
}
