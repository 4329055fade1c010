// SPDX-License-Identifier: BSD-2-Clause
/*
 * generator: sends packets out of one end of a veth pair, millions a second, for measurements and for tests that need a
 * flood. Only where netns.h lets it, and for a minute at most.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <net/ethernet.h>
#include <netinet/ether.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "traffic.h"

#define SECONDS_MAX 60.0
#define PACKETS_MAX 1000000000.0

static const char usage[] = "usage: generator NETNS IFACE --to ADDRESS --mac MAC [--tcp] [--port N] [--sources FILE]\n"
			    "       generator NETNS IFACE --capture FILE\n"
			    "                 [--seconds S] [--packets N] [--rate PACKETS_A_SECOND] [--cpu N]\n";

static int read_address(const char *text, struct traffic *traffic, struct error *error)
{
	traffic->version = strchr(text, ':') ? 6 : 4;
	if (inet_pton(traffic->version == 4 ? AF_INET : AF_INET6, text, traffic->to) != 1)
		return error_set(error, EINVAL, "\"%s\" is no address", text);
	return 0;
}

static int read_mac(const char *text, struct traffic *traffic, struct error *error)
{
	struct ether_addr mac;

	if (!ether_aton_r(text, &mac))
		return error_set(error, EINVAL, "\"%s\" is no Ethernet address", text);
	memcpy(traffic->to_mac, &mac, ETH_ALEN);
	return 0;
}

static int read_number(const char *name, const char *text, double min, double max, double *number, struct error *error)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= min) || value > max)
		return error_set(error, EINVAL, "%s %s: a number from %g to %g is wanted", name, text, min, max);
	*number = value;
	return 0;
}

static int stay_on(int cpu, struct error *error)
{
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	if (sched_setaffinity(0, sizeof(only), &only))
		return error_set(error, errno, "cannot work on CPU %d: %s", cpu, strerror(errno));
	return 0;
}

static int read_option(int option, const char *name, struct traffic *traffic, double *packets, struct error *error)
{
	double number = 0;
	int err = 0;

	switch (option) {
	case 'a':
		return read_address(optarg, traffic, error);
	case 'm':
		return read_mac(optarg, traffic, error);
	case 't':
		traffic->tcp = true;
		return 0;
	case 'p':
		err = read_number(name, optarg, 0, 65535, &number, error);
		traffic->port = (int)number;
		return err;
	case 'f':
		traffic->sources = optarg;
		return 0;
	case 'i':
		traffic->capture = optarg;
		return 0;
	case 's':
		return read_number(name, optarg, 0.001, SECONDS_MAX, &traffic->seconds, error);
	case 'n':
		return read_number(name, optarg, 1, PACKETS_MAX, packets, error);
	case 'r':
		return read_number(name, optarg, 1, PACKETS_MAX, &traffic->rate, error);
	default:
		err = read_number(name, optarg, 0, CPU_SETSIZE - 1, &number, error);
		return err ? err : stay_on((int)number, error);
	}
}

static const struct option options[] = {
	{ "to", required_argument, NULL, 'a' },
	{ "mac", required_argument, NULL, 'm' },
	{ "tcp", no_argument, NULL, 't' },
	{ "port", required_argument, NULL, 'p' },
	{ "sources", required_argument, NULL, 'f' },
	{ "seconds", required_argument, NULL, 's' },
	{ "packets", required_argument, NULL, 'n' },
	{ "rate", required_argument, NULL, 'r' },
	{ "cpu", required_argument, NULL, 'c' },
	{ "capture", required_argument, NULL, 'i' },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct traffic traffic = { .port = 9, .seconds = SECONDS_MAX };
	double packets = PACKETS_MAX;
	bool to = false, mac = false;
	struct error error;
	int option, index = 0, err = 0;

	while (!err && (option = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (option == '?')
			return fputs(usage, stderr), 2;
		to |= option == 'a';
		mac |= option == 'm';
		err = read_option(option, options[index].name, &traffic, &packets, &error);
	}
	if (!err && (argc - optind != 2 || (traffic.capture ? to || mac || traffic.sources : !to || !mac)))
		return fputs(usage, stderr), 2;
	traffic.packets = (uint64_t)packets;
	if (!err)
		err = netns_enter(argv[optind], argv[optind + 1], &traffic.from, &error);
	if (!err)
		err = traffic_send(&traffic, &error);
	if (err) {
		error_print(stderr, &error);
		return 1;
	}
	printf("{\"sent\": %llu, \"lost\": %u, \"seconds\": %.6f}\n", (unsigned long long)traffic.sent, traffic.lost,
	       traffic.took);
	return 0;
}
