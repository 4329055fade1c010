// SPDX-License-Identifier: BSD-2-Clause
/* hello IFACE: the eBPF Hello World on a real interface. */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "hello/hello.h"

static int parse_seconds(const char *text, int *seconds, struct error *error)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno || end == text || *end || number < 1 || number > HELLO_SECONDS_MAX)
		return error_set(error, EINVAL, "--seconds takes a whole number from 1 to %d, not \"%s\"",
				 HELLO_SECONDS_MAX, text);
	*seconds = number;
	return 0;
}

int cli_hello(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "generic", no_argument, NULL, 'g' },
		{ "step", no_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 'n' },
		{ 0 },
	};
	struct hello_options options = { .seconds = HELLO_SECONDS };
	struct error error;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'g':
			options.generic = true;
			break;
		case 's':
			options.step = true;
			break;
		case 'n':
			if (!parse_seconds(optarg, &options.seconds, &error))
				break;
			cli_failed(&error);
			return STATUS_USAGE;
		default:
			return cli_usage("hello");
		}
	}
	if (argc - optind != 1)
		return cli_usage("hello");
	options.interface = argv[optind];
	return hello_walk(&options, &error) ? cli_failed(&error) : STATUS_DONE;
}
