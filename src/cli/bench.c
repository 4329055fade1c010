// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <net/ethernet.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "base/plural.h"
#include "bench/bench.h"
#include "bench/rates.h"
#include "cli/cli.h"
#include "cli/subject.h"

/* One, because it flatters every table and shows by how much; then what fits into each level of a CPU's caches, and
 * what fits into none. */
static const uint32_t flow_counts[] = { 1, 4096, 65536, METER_FLOWS };
static const uint8_t families[] = { 4, 6 };

/* What is to be measured, and how it is said. */
struct request {
	const struct interface *interface;
	const struct capture_frames *capture; /* NULL: flows of our own making, as below */
	const char *sources_name;
	enum sources sources;
	const struct prefixes *set;
	bool lines;
	/* The row that costs most, of those with more than one flow. */
	struct bench_row dearest;
	uint8_t dearest_family;
};

static void print_json(const struct request *request, uint8_t family, const struct bench_row *row)
{
	json_t *json = json_pack("{s:s, s:s, s:i, s:i, s:b, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "interface",
				 request->interface->name, "sources", request->sources_name, "flows", (int)row->flows,
				 "rounds", (int)row->rounds, "noisy", row->noisy, "bare_ns", row->bare_ns, "policy_ns",
				 row->policy_ns, "cost_ns", row->cost_ns, "spread_ns", row->spread_ns, "mpps",
				 rates_millions(row->cost_ns), "passed", row->passed, "dropped", row->dropped);

	if (family)
		json_object_set_new(json, "family", json_integer(family));
	json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(json);
}

static void print_left_out(const char **before, uint64_t count, const char *why, int limit, const char *unit)
{
	if (!count)
		return;
	printf("%s%llu %s %d%s", *before, (unsigned long long)count, why, limit, unit);
	*before = ", ";
}

static void print_capture(const struct capture_frames *capture)
{
	const char *before = "\nleft out: ";

	printf("%zu packet%s of the capture", capture->count, plural(capture->count));
	if (capture->cut)
		printf(", %llu of them cut short by it and filled up with zeros", (unsigned long long)capture->cut);
	print_left_out(&before, capture->beyond, "behind the first", METER_PACKETS, "");
	print_left_out(&before, capture->jumbos, "longer than", METER_LENGTH, " bytes");
	print_left_out(&before, capture->runts, "shorter than", ETH_HLEN, " bytes");
	putchar('\n');
}

static void print_header(const struct request *request)
{
	const struct capture_frames *capture = request->capture;

	printf("interface %s, sources: %s\n", request->interface->name, request->sources_name);
	if (capture)
		print_capture(capture);
	printf("%-6s %8s %9s %9s %9s %8s %8s %8s\n", "family", capture ? "packets" : "flows", "bare ns", "policy ns",
	       "cost ns", "spread", "passed", "dropped");
}

static void print_row(uint8_t family, const struct bench_row *row)
{
	printf("%-6s %8u %9.1f %9.1f %9.1f %8.1f %7.1f%% %7.1f%%%s\n",
	       family == 4   ? "IPv4"
	       : family == 6 ? "IPv6"
			     : "all",
	       row->flows, row->bare_ns, row->policy_ns, row->cost_ns, row->spread_ns, row->passed * 100,
	       row->dropped * 100, row->noisy ? "  noisy" : "");
}

static void print_link(double cost, double gigabits)
{
	double smallest = rates_packets(gigabits, RATES_SMALLEST);
	double mix = rates_packets(gigabits, RATES_MIX);

	printf("%4.0f Gbit/s  %9.2f Mpps %8.2f cores  %9.2f Mpps %8.2f cores\n", gigabits, smallest / 1e6,
	       rates_cores(cost, smallest), mix / 1e6, rates_cores(cost, mix));
}

static void print_meaning(const struct request *request)
{
	const struct bench_row *row = &request->dearest;
	double cost = row->cost_ns;

	putchar('\n');
	if (cost <= 0) {
		printf("The policy costs less than can be measured here.\n");
		return;
	}
	printf("What costs most, %s%u %s: %.1f ns a packet, %.1f million packets a second on one core.\n",
	       request->dearest_family == 4   ? "IPv4, "
	       : request->dearest_family == 6 ? "IPv6, "
					      : "",
	       row->flows, request->capture ? "packets" : "flows", cost, rates_millions(cost));
	printf("a full link    64-byte packets                 typical mix (IMIX)\n");
	print_link(cost, 10);
	print_link(cost, 25);
	print_link(cost, 100);
	printf("That is this policy's work alone. What the driver takes for a packet comes on top, and so does the "
	       "memory\n"
	       "behind it: frames lie in the cache here, and come from the network card there.\n");
}

static int measure(struct request *request, struct bench *bench, uint8_t family, uint32_t flows, struct error *error)
{
	const struct bench_row *dearest = &request->dearest;
	struct bench_row row;
	int err = bench_measure(bench, flows, &row, error);

	if (err)
		return err;
	if (request->lines)
		print_json(request, family, &row);
	else
		print_row(family, &row);
	fflush(stdout);
	if ((flows > 1 || request->capture) && (!dearest->flows || row.cost_ns > dearest->cost_ns)) {
		request->dearest = row;
		request->dearest_family = family;
	}
	return 0;
}

static bool has_family(const struct prefixes *set, uint8_t family)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->items[i].version == family)
			return true;
	}
	return false;
}

static int measure_family(struct request *request, struct bench *bench, uint8_t family, struct error *error)
{
	const struct flows flows = { .family = family, .sources = request->sources, .set = request->set };
	int err = 0;

	if (request->set && !has_family(request->set, family))
		return 0;
	err = bench_write(bench, &flows, error);
	for (size_t i = 0; i < sizeof(flow_counts) / sizeof(flow_counts[0]) && !err; i++)
		err = measure(request, bench, family, flow_counts[i], error);
	return err;
}

static int measure_all(struct request *request, struct bench *bench, struct error *error)
{
	int err = 0;

	if (!request->lines)
		print_header(request);
	if (request->capture)
		err = measure(request, bench, 0, request->capture->count, error);
	for (size_t i = 0; i < sizeof(families) && !request->capture && !err; i++)
		err = measure_family(request, bench, families[i], error);
	if (!err && !request->lines)
		print_meaning(request);
	return err;
}

static int bench_interface(struct request *request, struct error *error)
{
	struct compiled compiled;
	struct bench bench;
	int err = compile(request->interface, &compiled, error);

	if (!err)
		err = bench_open(&compiled, request->capture, &bench, error);
	if (!err) {
		err = measure_all(request, &bench, error);
		bench_close(&bench);
	}
	compiled_free(&compiled);
	return err;
}

static int find_set(const struct policy *policy, const char *name, struct request *request, struct error *error)
{
	CLEANUP_FREE const char **names = xcalloc(policy->set_count + 1, sizeof(*names));
	const struct set *set = NULL;
	const char *near;

	for (size_t i = 0; i < policy->set_count; i++) {
		names[i] = policy->sets[i]->name;
		if (!strcmp(names[i], name))
			set = policy->sets[i];
	}
	if (!set) {
		error_set(error, ENOENT, "%s has no set \"%s\"", policy->path, name);
		near = nearest(name, names, policy->set_count);
		if (near)
			error_hint(error, "did you mean \"@%s\"?", near);
		return -ENOENT;
	}
	if (!set->prefixes.count)
		return error_set(error, EINVAL, "the set \"%s\" is %s: it has no sources to send from", name,
				 set->size ? "dynamic, and empty here" : "empty");
	request->set = &set->prefixes;
	return 0;
}

static int read_sources(const struct policy *policy, const char *word, struct request *request, struct error *error)
{
	request->sources_name = word;
	if (!strcmp(word, "mixed")) {
		request->sources = SOURCES_MIXED;
	} else if (!strcmp(word, "listed")) {
		request->sources = SOURCES_LISTED;
	} else if (!strcmp(word, "random")) {
		request->sources = SOURCES_RANDOM;
	} else if (*word == '@') {
		request->sources = SOURCES_SET;
		return find_set(policy, word + 1, request, error);
	} else {
		error_set(error, EINVAL, "unknown sources \"%s\"", word);
		error_hint(error, "sources are mixed, listed, random or @NAME of a set");
		return -EINVAL;
	}
	return 0;
}

static int bench_policy(const char *path, const char *interface, const char *sources, struct request *request,
			struct error *error)
{
	struct policy *policy;
	int err = policy_load(path, &policy, error);

	if (err)
		return err;
	request->interface = pick_interface(policy, interface, error);
	if (!request->interface)
		err = -EINVAL;
	if (!err)
		err = read_sources(policy, sources, request, error);
	if (!err && request->capture)
		request->sources_name = "capture";
	if (!err)
		err = bench_interface(request, error);
	policy_free(policy);
	return err;
}

int cli_bench(int argc, char **argv)
{
	static const struct option options[] = { { "interface", required_argument, NULL, 'i' },
						 { "sources", required_argument, NULL, 's' },
						 { 0 } };
	const char *interface = NULL, *sources = NULL, *path;
	struct capture_frames capture = { 0 };
	struct request request = { 0 };
	struct error error;
	int option, err;

	while ((option = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (option == 'j')
			request.lines = true;
		else if (option == 'i')
			interface = optarg;
		else if (option == 's')
			sources = optarg;
		else
			return cli_usage(argv[0]);
	}
	if (argc - optind < 1 || argc - optind > 2 || (sources && argc - optind == 2))
		return cli_usage(argv[0]);
	path = argv[optind];
	if (argc - optind == 2) {
		if (capture_frames_read(argv[optind + 1], &capture, &error))
			return cli_failed(&error);
		request.capture = &capture;
	}
	err = bench_policy(path, interface, sources ? sources : "mixed", &request, &error);
	capture_frames_free(&capture);
	return err ? cli_failed(&error) : STATUS_DONE;
}
