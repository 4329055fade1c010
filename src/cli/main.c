// SPDX-License-Identifier: BSD-2-Clause
/* sluice: the table of verbs. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "cli/cli.h"

static const struct verb {
	const char *name;
	const char *arguments;
	const char *summary;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "hello", "IFACE [--step] [--seconds N] [--generic]", "the eBPF Hello World, step by step", cli_hello },
	{ "check", "POLICY", "parse, check, say what the policy costs", cli_check },
	{ "apply", "POLICY [--confirm TIME] [--force]", "make what runs match the policy", cli_apply },
	{ "confirm", "", "keep what `apply --confirm` brought", cli_confirm },
	{ "rollback", "", "go back to the previous generation", cli_rollback },
	{ "shadow", "[POLICY|-j|--stop|--promote [--confirm TIME] [--force]]", "watch another policy", cli_shadow },
	{ "down", "[IFACE]", "detach from one interface, or from all", cli_down },
	{ "show", "[-j]", "what runs", cli_show },
	{ "stats", "[IFACE] [-j] [--watch SECONDS]", "counters by verdict, reason, rule and set", cli_stats },
	{ "top", "[IFACE] [-j [--once]]", "live: rates, and who sends and receives most", cli_top },
	{ "events", "[IFACE…] [-j] [--count N]", "packets that rules with `log` tell of, as they come", cli_events },
	{ "set", "add|del|list|flush|reload NAME [PREFIX…|-] [timeout TIME] [-j]", "what is in a set", cli_set },
	{ "explain", "POLICY|IFACE PACKET… [-j] [--interface NAME]", "the way of one packet, and why", cli_explain },
	{ "replay", "POLICY PCAP [-j] [--interface NAME]", "judge every packet of a capture", cli_replay },
	{ "diff", "OLD NEW [PCAP] [-j] [--interface NAME]", "what another policy would change", cli_diff },
	{ "defences", "[NAME]", "the ready macros, as they are written", cli_defences },
	{ "import", "KIND [FILE…|-] [--interface|--column NAME] [--stateless]", "iptables, nft, lists", cli_import },
	{ "bench", "POLICY [PCAP] [-j] [--interface NAME] [--sources WORD]", "what a packet costs", cli_bench },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void print_help(FILE *out)
{
	fprintf(out, "usage: sluice [-n NETNS] VERB …\n\n");
	for (size_t i = 0; i < VERBS; i++)
		fprintf(out, "  %-*s%s\n              %s\n", *verbs[i].arguments ? 10 : 0, verbs[i].name,
			verbs[i].arguments, verbs[i].summary);
	fprintf(out, "\n  -n NETNS   work in this network namespace (as ip -n)\n"
		     "  -h         this help          -V   version\n"
		     "\nmanual: sluice(1), sluice-policy(5)\n");
}

static bool is_help(const char *word)
{
	return !strcmp(word, "-h") || !strcmp(word, "--help") || !strcmp(word, "help");
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < VERBS; i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

int cli_usage(const char *name)
{
	const struct verb *verb = find_verb(name);

	fprintf(stderr, "usage: sluice %s%s%s\n", verb->name, *verb->arguments ? " " : "", verb->arguments);
	return STATUS_USAGE;
}

static int unknown_verb(const char *word)
{
	const char *names[VERBS];
	const char *near;

	for (size_t i = 0; i < VERBS; i++)
		names[i] = verbs[i].name;
	near = nearest(word, names, VERBS);
	fprintf(stderr, "sluice: there is no verb \"%s\"\n", word);
	if (near)
		fprintf(stderr, "did you mean \"%s\"?\n", near);
	else
		fprintf(stderr, "\"sluice -h\" lists the verbs\n");
	return STATUS_USAGE;
}

/* Enters the network namespace only: "ip netns exec" would hide /sys/fs/bpf behind a mount namespace of its own. */
static int enter_netns(const char *name)
{
	CLEANUP_FREE char *path = strchr(name, '/') ? xstrdup(name) : xasprintf("/run/netns/%s", name);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET)) {
		fprintf(stderr, "sluice: cannot enter the network namespace \"%s\": %s\n", name, strerror(errno));
		if (fd < 0)
			fprintf(stderr, "\"ip netns list\" has the names of those that there are\n");
		return STATUS_FAILED;
	}
	return STATUS_DONE;
}

int main(int argc, char **argv)
{
	const struct verb *verb;
	int option, status;

	if (argc > 1 && is_help(argv[1])) {
		print_help(stdout);
		return STATUS_DONE;
	}
	/* The '+' stops at the verb: what follows is the verb's own. */
	while ((option = getopt(argc, argv, "+hn:V")) != -1) {
		switch (option) {
		case 'n':
			if (enter_netns(optarg))
				return STATUS_FAILED;
			break;
		case 'h':
			print_help(stdout);
			return STATUS_DONE;
		case 'V':
			printf("sluice %s\n", SLUICE_VERSION);
			return STATUS_DONE;
		default:
			print_help(stderr);
			return STATUS_USAGE;
		}
	}
	if (optind == argc) {
		print_help(stderr);
		return STATUS_USAGE;
	}
	verb = find_verb(argv[optind]);
	if (!verb)
		return unknown_verb(argv[optind]);
	argc -= optind;
	argv += optind;
	if (argc > 1 && is_help(argv[1])) {
		printf("sluice %s %s\n  %s\nmanual: sluice(1), sluice-policy(5)\n", verb->name, verb->arguments,
		       verb->summary);
		return STATUS_DONE;
	}
	optind = 0; /* getopt starts afresh */
	status = verb->run(argc, argv);
	if ((fflush(stdout) || ferror(stdout)) && status == STATUS_DONE) {
		fprintf(stderr, "sluice: cannot write all of the output\n");
		status = STATUS_FAILED;
	}
	return status;
}
