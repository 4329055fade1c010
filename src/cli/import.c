// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/cli.h"
#include "import/import.h"

#define TEXT_MAX (256UL << 20) /* a ruleset with sets of millions of addresses is smaller */

/* For rules that name no interface. */
#define INTERFACE "eth0"

static int read_file(struct firewall *firewall, const char *path, bool nft, struct error *error)
{
	const char *name = strcmp(path, "-") ? path : "standard input";
	CLEANUP_FREE char *text = NULL;
	size_t length;
	int err = strcmp(path, "-") ? text_read(path, TEXT_MAX, &text, &length)
				    : text_read_from(STDIN_FILENO, TEXT_MAX, &text, &length);

	if (err)
		return error_set(error, -err, "%s: cannot read it: %s", name, strerror(-err));
	if (memchr(text, '\0', length))
		return error_at(error, (struct location){ .file = name }, "it is no text: there is a zero byte in it");
	return nft ? firewall_read_nft(firewall, text, length, name, error)
		   : firewall_read_iptables(firewall, text, name, error);
}

static int print(struct firewall *firewall, const char *source, const char *interface, struct error *error)
{
	CLEANUP_FREE const char **names = NULL;
	const char *fallback = interface ? interface : INTERFACE;
	size_t count = interface ? 0 : firewall_interfaces(firewall, &names);

	return import_print(firewall, source, count ? names : &fallback, count ? count : 1, stdout, stderr, error);
}

static int import(struct firewall *firewall, bool nft, int count, char **paths, const char *interface,
		  struct error *error)
{
	CLEANUP_FREE char *source = xstrdup(nft ? "nftables" : "iptables");
	int err = 0;

	for (int i = 0; i < count && !err; i++) {
		char *longer = xasprintf("%s, %s", source, strcmp(paths[i], "-") ? paths[i] : "standard input");

		free(source);
		source = longer;
		err = read_file(firewall, paths[i], nft, error);
	}
	return err ? err : print(firewall, source, interface, error);
}

int cli_import(int argc, char **argv)
{
	static const struct option options[] = { { "interface", required_argument, NULL, 'i' },
						 { "stateless", no_argument, NULL, 's' },
						 { 0 } };
	static char *standard_input[] = { "-" };
	struct firewall firewall = { 0 };
	const char *interface = NULL;
	struct error error;
	int option, err;
	bool nft;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'i')
			interface = optarg;
		else if (option == 's')
			firewall.stateless = true;
		else
			return cli_usage(argv[0]);
	}
	if (optind == argc || (strcmp(argv[optind], "iptables") != 0 && strcmp(argv[optind], "nft") != 0))
		return cli_usage(argv[0]);
	nft = !strcmp(argv[optind++], "nft");
	if (optind == argc)
		err = import(&firewall, nft, 1, standard_input, interface, &error);
	else
		err = import(&firewall, nft, argc - optind, argv + optind, interface, &error);
	firewall_free(&firewall);
	return err ? cli_failed(&error) : STATUS_DONE;
}
