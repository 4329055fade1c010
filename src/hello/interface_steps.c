// SPDX-License-Identifier: BSD-2-Clause
/* The second half of the steps: the program at work on the interface. */
#include "hello/steps.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "base/plural.h"
#include "datapath/holder.h"
#include "hello/look.h"
#include "hello/screen.h"
#include "hello/wait.h"

#define TRACE_LINES 10
#define TRACE_WORDS "Hello World "
#define COUNTER_MILLISECONDS 200 /* between two looks at the counter, when there is no trace */

/* What bpftool calls the modes. */
static const char *hook(const struct session *session)
{
	return session->options->generic ? "xdpgeneric" : "xdpdrv";
}

int step_attach(struct session *session, struct error *error)
{
	const char *interface = session->options->interface;
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);
	int err;

	look_show(session, (const char *[]){ "bpftool", "net", "attach", hook(session), "pinned", session->pin, "dev",
					     interface, NULL });
	err = session_attach(session, error);
	if (err)
		return err;
	if (bpf_obj_get_info_by_fd(session->link, &info, &size))
		return error_set(error, errno, "cannot read the link: %s", strerror(errno));
	screen_say("Attached to %s in %s mode, by link %u.", interface,
		   session->options->generic ? "generic" : "native", info.id);
	return 0;
}

/* What the kernel says of XDP on the interface, NULL when the interface is gone. */
static char *link_text(const struct session *session)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	char name[IF_NAMESIZE];

	if (!if_indextoname(session->ifindex, name) || bpf_xdp_query(session->ifindex, 0, &query))
		return NULL;
	if (query.drv_prog_id)
		return xasprintf("%s has program %u, native", session->options->interface, query.drv_prog_id);
	if (query.skb_prog_id)
		return xasprintf("%s has program %u, generic", session->options->interface, query.skb_prog_id);
	return xasprintf("%s has no XDP program", session->options->interface);
}

int step_link(struct session *session, struct error *error)
{
	const char *interface = session->options->interface;
	CLEANUP_FREE char *own = NULL;

	if (look(session, (const char *[]){ "ip", "link", "show", "dev", interface, NULL }))
		return 0;
	own = link_text(session);
	if (!own)
		return error_set(error, ENODEV, "%s is gone", interface);
	screen_output(own, LOOK_LINES);
	return 0;
}

/* An address of the interface as text, "" when it has none; whether the interface is up. IPv6 only when it is not of
 * the link alone, which would need a scope. */
static void read_address(const char *interface, char *text, size_t size, bool *is_up)
{
	struct ifaddrs *addresses = NULL;

	*text = '\0';
	*is_up = false;
	if (getifaddrs(&addresses))
		return;
	for (const struct ifaddrs *address = addresses; address; address = address->ifa_next) {
		const struct sockaddr_in6 *in6 = (const void *)address->ifa_addr;

		if (strcmp(address->ifa_name, interface))
			continue;
		*is_up = address->ifa_flags & IFF_UP;
		if (*text || !in6)
			continue;
		if (in6->sin6_family == AF_INET)
			getnameinfo(address->ifa_addr, sizeof(struct sockaddr_in), text, size, NULL, 0, NI_NUMERICHOST);
		else if (in6->sin6_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
			getnameinfo(address->ifa_addr, sizeof(*in6), text, size, NULL, 0, NI_NUMERICHOST);
	}
	freeifaddrs(addresses);
}

static void say_nothing_arrived(const struct session *session)
{
	const char *interface = session->options->interface;
	char address[NI_MAXHOST];
	bool is_up;

	screen_say("No packet arrived on %s within %d second%s.", interface, session->options->seconds,
		   plural(session->options->seconds));
	read_address(interface, address, sizeof(address), &is_up);
	if (!is_up)
		screen_say("It is down; turn it on with: ip link set dev %s up", interface);
	else
		screen_say("Send some from another machine on that link while Sluice waits: ping %s",
			   *address ? address : "an address behind it");
}

/* Returns how many lines it has printed, or a negative errno. */
static int show_trace(struct session *session)
{
	int64_t deadline = wait_clock() + session->options->seconds * 1000LL;
	int lines = 0;

	while (lines < TRACE_LINES) {
		CLEANUP_FREE char *line = NULL;
		int err = trace_line(&session->trace, TRACE_WORDS, deadline, &line);

		if (err < 0)
			return err;
		if (!err)
			break;
		screen_output(line, 1);
		lines++;
	}
	return lines;
}

/* Returns 1 when a packet has come, 0 when none has, or a negative errno. */
static int watch_counter(struct session *session)
{
	int64_t deadline = wait_clock() + session->options->seconds * 1000LL;
	uint64_t packets = 0;

	while (!packets && wait_clock() < deadline) {
		int err = session_count(session, &packets) ?: wait_for(-1, wait_clock() + COUNTER_MILLISECONDS);

		if (err)
			return err;
	}
	return packets != 0;
}

static void show_trace_command(const struct session *session)
{
	const char *place = session->trace.place ?: TRACE_PLACE;

	if (!session->trace.place && session->trace.pipe >= 0) {
		screen_say("(tracefs is not mounted here. Sluice reads it without; by hand it takes this first:)");
		look_show(session, (const char *[]){ "mount", "-t", "tracefs", "tracefs", place, NULL });
	}
	screen_command("cat %s/trace_pipe", place);
}

int step_trace(struct session *session, struct error *error)
{
	int came;

	show_trace_command(session);
	if (session->trace.pipe >= 0) {
		came = show_trace(session);
	} else {
		screen_say("Sluice cannot read the trace here: %s.\nThe counter, in the next step, has the proof.",
			   session->trace_error.what);
		came = watch_counter(session);
	}
	if (came == -EINTR)
		return came;
	if (came < 0)
		return error_set(error, -came, "cannot read the trace: %s", strerror(-came));
	if (!came)
		say_nothing_arrived(session);
	else if (came == TRACE_LINES)
		screen_say("… and so on: a line for each packet.");
	return 0;
}

int step_counter(struct session *session, struct error *error)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	CLEANUP_FREE char *id = NULL;
	uint64_t packets;
	int err;

	if (bpf_obj_get_info_by_fd(session->counter, &info, &size))
		return error_set(error, errno, "cannot read the map of the counter: %s", strerror(errno));
	id = xasprintf("%u", info.id);
	look(session, (const char *[]){ "bpftool", "map", "dump", "id", id, NULL });
	err = session_count(session, &packets);
	if (err)
		return error_set(error, -err, "cannot read the counter: %s", strerror(-err));
	screen_say("The program has counted %llu packet%s.", (unsigned long long)packets, plural(packets));
	return 0;
}

int step_detach(struct session *session, struct error *error)
{
	const char *interface = session->options->interface;
	CLEANUP_FREE char *own = NULL;
	int err;

	look_show(session, (const char *[]){ "bpftool", "net", "detach", hook(session), "dev", interface, NULL });
	err = session_detach(session, error);
	if (err)
		return err;
	if (!look(session, (const char *[]){ "ip", "link", "show", "dev", interface, NULL })) {
		own = link_text(session);
		screen_output(own ?: "it is gone", LOOK_LINES);
	}
	look_program(session);
	return 0;
}

static void show_program_is_gone(const struct session *session)
{
	CLEANUP_FREE char *id = xasprintf("%u", session->program_id);
	CLEANUP_FREE char *output = NULL;
	int status = 0;

	if (look_into(session, (const char *[]){ "bpftool", "prog", "show", "id", id, NULL }, &output, &status))
		screen_output(output ?: "", LOOK_LINES);
	else
		screen_output("the kernel has no such program", LOOK_LINES);
}

int step_unload(struct session *session, struct error *error)
{
	CLEANUP_FREE char *holder = NULL;
	int lives;

	look_show(session, (const char *[]){ "rm", session->pin, NULL });
	session_unload(session);
	lives = session_program_lives(session);
	if (!lives) {
		show_program_is_gone(session);
		screen_say("It is gone.");
	} else if (lives < 0) {
		screen_say("Sluice has let it go; whether it is gone, the kernel does not say: %s.", strerror(-lives));
	} else {
		holder = holder_of_program(session->program_id);
		screen_say("Sluice has let it go, but somebody else holds it: %s.", holder);
	}
	return lives == -EINTR ? lives : 0;
}
