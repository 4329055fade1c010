// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/cli.h"
#include "import/blocklist.h"
#include "import/import.h"

#define TEXT_MAX (256UL << 20) /* a ruleset with sets of millions of addresses is smaller */

/* For rules that name no interface. */
#define INTERFACE "eth0"

struct request {
	struct firewall firewall; /* iptables and nft read into it */
	const char *interface;	  /* NULL: those that rules name */
	const char *column;	  /* of a blocklist */
};

static const char *name_of(const char *path)
{
	return strcmp(path, "-") ? path : "standard input";
}

/* Returns 0 and a text to free, or a negative errno with `error` set. */
static int read_text(const char *path, char **text, size_t *length, struct error *error)
{
	const char *name = name_of(path);
	char *found;
	int err = strcmp(path, "-") ? text_read(path, TEXT_MAX, &found, length)
				    : text_read_from(STDIN_FILENO, TEXT_MAX, &found, length);

	if (err)
		return error_set(error, -err, "%s: cannot read it: %s", name, strerror(-err));
	if (memchr(found, '\0', *length)) {
		free(found);
		return error_at(error, (struct location){ .file = name }, "it is no text: there is a zero byte in it");
	}
	*text = found;
	return 0;
}

/* "iptables, rules.v4, standard input" */
static char *name_all(const char *kind, int count, char **paths)
{
	char *names = xstrdup(kind);

	for (int i = 0; i < count; i++) {
		char *longer = xasprintf("%s, %s", names, name_of(paths[i]));

		free(names);
		names = longer;
	}
	return names;
}

static int read_file(struct firewall *firewall, const char *path, bool nft, struct error *error)
{
	const char *name = name_of(path);
	CLEANUP_FREE char *text = NULL;
	size_t length;
	int err = read_text(path, &text, &length, error);

	if (err)
		return err;
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
	CLEANUP_FREE char *source = name_all(nft ? "nftables" : "iptables", count, paths);
	int err = 0;

	for (int i = 0; i < count && !err; i++)
		err = read_file(firewall, paths[i], nft, error);
	return err ? err : print(firewall, source, interface, error);
}

static void print_summary(const struct blocklist *list)
{
	fprintf(stderr, "%zu entr%s, %zu %s", list->entries, list->entries == 1 ? "y" : "ies", list->prefixes.count,
		cli_prefixes(list->prefixes.count));
	if (list->twice || list->inside || list->joined)
		fprintf(stderr, ": %zu were there before, %zu inside of others, %zu joined with a neighbour",
			list->twice, list->inside, list->joined);
	if (list->refused)
		fprintf(stderr, "; %zu line%s not carried over", list->refused, list->refused == 1 ? "" : "s");
	fputc('\n', stderr);
}

/* Nothing is printed before all of it is read: who writes over a list that is in use keeps it when the new one is bad.
 */
static int import_blocklist(int count, char **paths, const char *column, struct error *error)
{
	CLEANUP_FREE char *source = name_all("blocklist", count, paths);
	struct blocklist list = { .column = column, .messages = stderr };
	int err = 0;

	for (int i = 0; i < count && !err; i++) {
		CLEANUP_FREE char *text = NULL;
		size_t length;

		err = read_text(paths[i], &text, &length, error);
		if (!err)
			err = blocklist_read(&list, text, length, name_of(paths[i]), error);
	}
	if (!err) {
		blocklist_merge(&list);
		blocklist_print(&list, source, stdout);
		print_summary(&list);
	}
	blocklist_free(&list);
	return err;
}

static int import_kind(const char *kind, int count, char **paths, struct request *request, struct error *error)
{
	int err;

	if (!strcmp(kind, "blocklist"))
		return import_blocklist(count, paths, request->column, error);
	err = import(&request->firewall, !strcmp(kind, "nft"), count, paths, request->interface, error);
	firewall_free(&request->firewall);
	return err;
}

/* Options are of some kinds only. */
static bool is_kind(const char *kind, const struct request *request)
{
	if (!strcmp(kind, "blocklist"))
		return !request->interface && !request->firewall.stateless;
	return !request->column && (!strcmp(kind, "iptables") || !strcmp(kind, "nft"));
}

static int wrong_usage(const char *verb)
{
	int status = cli_usage(verb);

	fputs("KIND is iptables, nft or blocklist\n", stderr);
	return status;
}

int cli_import(int argc, char **argv)
{
	static const struct option options[] = { { "column", required_argument, NULL, 'c' },
						 { "interface", required_argument, NULL, 'i' },
						 { "stateless", no_argument, NULL, 's' },
						 { 0 } };
	static char *standard_input[] = { "-" };
	struct request request = { 0 };
	struct error error;
	const char *kind;
	int option, err;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			request.column = optarg;
		else if (option == 'i')
			request.interface = optarg;
		else if (option == 's')
			request.firewall.stateless = true;
		else
			return wrong_usage(argv[0]);
	}
	if (optind == argc || !is_kind(argv[optind], &request))
		return wrong_usage(argv[0]);
	kind = argv[optind++];
	if (optind == argc)
		err = import_kind(kind, 1, standard_input, &request, &error);
	else
		err = import_kind(kind, argc - optind, argv + optind, &request, &error);
	return err ? cli_failed(&error) : STATUS_DONE;
}
