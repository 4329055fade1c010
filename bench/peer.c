// SPDX-License-Identifier: BSD-2-Clause
/*
 * peer: attaches a peer of Sluice to an interface, says so with a line of JSON, and keeps it there until its standard
 * input ends.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "netns.h"
#include "peers.skel.h"
#include "trie.h"

static const char usage[] = "usage: peer NETNS IFACE drop-all\n"
			    "       peer NETNS IFACE drop-listed FILE\n";

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static int attach(const struct bpf_program *program, const struct veth *veth, struct error *error)
{
	LIBBPF_OPTS(bpf_link_create_opts, how, .flags = XDP_FLAGS_DRV_MODE);

	if (bpf_link_create(bpf_program__fd(program), (int)veth->ifindex, BPF_XDP, &how) < 0)
		return error_set(error, errno, "cannot attach: %s", strerror(errno));
	return 0;
}

/* The link goes with this process. */
static int work(const struct veth *veth, bool listed, const struct prefixes *list, double start, struct error *error)
{
	struct peers_bpf *skeleton;
	int err = trie_load(list, &skeleton, error);

	if (err)
		return err;
	err = attach(listed ? skeleton->progs.drop_listed : skeleton->progs.drop_all, veth, error);
	if (!err) {
		printf("{\"load_s\": %.3f}\n", now() - start);
		fflush(stdout);
		while (getchar() != EOF)
			continue;
	}
	peers_bpf__destroy(skeleton);
	return err;
}

int main(int argc, char **argv)
{
	bool listed = argc == 5 && !strcmp(argv[3], "drop-listed");
	struct prefixes list = { 0 };
	struct veth veth;
	double start = now();
	struct error error;
	int err = 0;

	if (!listed && (argc != 4 || strcmp(argv[3], "drop-all")))
		return fputs(usage, stderr), 2;
	err = netns_enter(argv[1], argv[2], &veth, &error);
	if (!err && listed)
		err = prefixes_read(&list, argv[4], (struct location){ .file = argv[4] }, &error);
	if (!err)
		err = work(&veth, listed, &list, start, &error);
	prefixes_free(&list);
	if (err)
		error_print(stderr, &error);
	return err ? 1 : 0;
}
