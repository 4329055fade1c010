// SPDX-License-Identifier: BSD-2-Clause
#include "traffic.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "bench/random.h"
#include "bench/template.h"
#include "sluice/generator.h" /* before the skeleton, which has it inside */
#include "generator.skel.h"
#include "packet/capture.h"
#include "policy/prefix.h"

#define SEED 2
#define FRAME_MIN 60 /* of Ethernet; the checksum behind it makes 64 */

/* Frames in a row before the receiving end gets a turn, when it is on the same CPU: a quarter of what fits into the
 * ring of a veth (VETH_RING_SIZE in drivers/net/veth.c). */
#define BATCH 64

/* Between two signals once time is up: the first may come just before a call, which only a signal ends. */
#define AGAIN_MICROSECONDS 10000

/* Between two calls when the rate is limited. A call takes some milliseconds to begin and to end. */
#define TICK 0.02

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = signal;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static int build_template(const struct traffic *traffic, struct template *template, struct error *error)
{
	const struct endpoint source = { .version = traffic->version };
	struct endpoint destination = { .version = traffic->version, .port = traffic->port };
	struct template plain;
	int err = template_make(traffic->version, traffic->tcp, FRAME_MIN, &plain, error);

	if (err)
		return err;
	memcpy(destination.address, traffic->to, sizeof(traffic->to));
	*template = plain;
	template_complete(&plain, &source, &destination, template->frame);
	memcpy(template->frame, traffic->to_mac, ETH_ALEN);
	memcpy(template->frame + ETH_ALEN, traffic->from.mac, ETH_ALEN);
	return 0;
}

static struct generator_config make_config(const struct template *template, uint32_t source_count)
{
	uint16_t ip, transport;

	template_sums(template, template->frame, &ip, &transport);
	return (struct generator_config){
		.source_count = source_count,
		.frame_count = 1,
		.version = template->version,
		.tcp = template->tcp,
		.ip_sum = ip,
		.transport_sum = transport,
	};
}

/* Addresses of the listed prefixes: the list is gone through in a random order, again and again, until there are as
 * many as the map may hold; from each prefix another address each time. */
static int draw_sources(const struct traffic *traffic, struct prefixes *list, struct error *error)
{
	uint64_t state = SEED;
	size_t kept = 0;
	int err = prefixes_read(list, traffic->sources, (struct location){ .file = traffic->sources }, error);

	if (err)
		return err;
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].version == traffic->version)
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
	if (!kept)
		return error_set(error, EINVAL, "%s has no IPv%d prefix", traffic->sources, traffic->version);
	for (size_t i = kept - 1; i > 0; i--) {
		size_t other = random64(&state) % (i + 1);
		struct prefix swapped = list->items[i];

		list->items[i] = list->items[other];
		list->items[other] = swapped;
	}
	return 0;
}

static int write_sources(const struct prefixes *list, int map, struct error *error)
{
	size_t size = GENERATOR_SOURCES * sizeof(struct generator_source);
	struct generator_source *sources = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	uint64_t state = SEED;

	if (sources == MAP_FAILED)
		return error_set(error, errno, "cannot map the generator's sources: %s", strerror(errno));
	for (size_t i = 0; i < GENERATOR_SOURCES; i++)
		random_inside(&state, &list->items[i % list->count], sources[i].address);
	munmap(sources, size);
	return 0;
}

/* At most GENERATOR_FRAMES of a capture, whose frames are of ETH_HLEN to GENERATOR_FRAME_MAX bytes. */
static int read_frames(const char *path, struct generator_frame **out, uint32_t *count, struct error *error)
{
	struct generator_frame *frames = xcalloc(GENERATOR_FRAMES, sizeof(*frames));
	struct capture *capture;
	struct captured packet;
	int err = capture_open(path, &capture, error);
	uint32_t found = 0;

	if (err)
		return free(frames), err;
	while (found < GENERATOR_FRAMES && (err = capture_next(capture, &packet, error)) > 0) {
		if (packet.size < ETH_HLEN || packet.size > GENERATOR_FRAME_MAX) {
			err = error_set(error, EINVAL, "%s: frame %u has %u bytes: %d to %d can be sent", path,
					found + 1, packet.size, ETH_HLEN, GENERATOR_FRAME_MAX);
			break;
		}
		frames[found].length = packet.size;
		memcpy(frames[found++].bytes, packet.bytes, packet.size);
	}
	capture_close(capture);
	if (err >= 0 && !found)
		err = error_set(error, EINVAL, "%s has no frame", path);
	if (err < 0)
		return free(frames), err;
	*out = frames;
	*count = found;
	return 0;
}

static int write_frames(const struct generator_frame *frames, uint32_t count, int map, struct error *error)
{
	size_t size = count * sizeof(*frames);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	if (memory == MAP_FAILED)
		return error_set(error, errno, "cannot map the generator's frames: %s", strerror(errno));
	memcpy(memory, frames, size);
	munmap(memory, size);
	return 0;
}

static int load(const struct generator_config *config, const struct prefixes *list,
		const struct generator_frame *frames, struct generator_bpf **out, struct error *error)
{
	struct generator_bpf *skeleton = generator_bpf__open();
	int err = skeleton ? 0 : -errno;

	if (!err) {
		memcpy((void *)&skeleton->rodata->config, config, sizeof(*config));
		skeleton->bss->random_state = SEED;
		if (list->count)
			err = bpf_map__set_max_entries(skeleton->maps.sources, GENERATOR_SOURCES);
		if (!err)
			err = bpf_map__set_max_entries(skeleton->maps.frames, config->frame_count);
	}
	if (!err)
		err = generator_bpf__load(skeleton);
	if (err)
		error_set(error, -err, "cannot load the generator: %s", strerror(-err));
	else if (list->count)
		err = write_sources(list, bpf_map__fd(skeleton->maps.sources), error);
	if (!err)
		err = write_frames(frames, config->frame_count, bpf_map__fd(skeleton->maps.frames), error);
	if (err)
		generator_bpf__destroy(skeleton);
	else
		*out = skeleton;
	return err;
}

/* Packets that this end of the veth could not hand over. The counter has 32 bits; so has the difference. */
static uint32_t read_lost(unsigned ifindex)
{
	struct ifaddrs *all, *one;
	uint32_t lost = 0;

	if (getifaddrs(&all))
		return 0;
	for (one = all; one; one = one->ifa_next) {
		if (one->ifa_addr && one->ifa_addr->sa_family == AF_PACKET && if_nametoindex(one->ifa_name) == ifindex)
			lost = ((struct rtnl_link_stats *)one->ifa_data)->tx_dropped;
	}
	freeifaddrs(all);
	return lost;
}

struct sender {
	struct traffic *traffic;
	struct generator_bpf *skeleton;
};

static int call(struct sender *sender, uint32_t packets, struct error *error)
{
	/* Longer than any frame, so that the program has to shorten each: where it changes nothing, the kernel sends a
	 * frame of the length that the receiver has given it (frame_was_changed, net/bpf/test_run.c). */
	static const uint8_t room[GENERATOR_FRAME_MAX + 1];
	struct xdp_md context = {
		.data_end = sizeof(room),
		.ingress_ifindex = sender->traffic->from.ifindex,
	};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = room, .data_size_in = sizeof(room), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = packets, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = BATCH);

	if (bpf_prog_test_run_opts(bpf_program__fd(sender->skeleton->progs.generator), &run) && errno != EINTR)
		return error_set(error, errno, "the kernel refused to run the generator: %s", strerror(errno));
	return 0;
}

static uint32_t packets_due(const struct traffic *traffic, uint64_t sent, double elapsed)
{
	uint64_t due = traffic->packets;

	if (traffic->rate && traffic->rate * (elapsed + TICK) < (double)due)
		due = (uint64_t)(traffic->rate * (elapsed + TICK));
	due = due > sent ? due - sent : 0;
	return due < INT32_MAX ? due : INT32_MAX;
}

/* The timer ends a call that takes too long: a signal makes BPF_PROG_TEST_RUN return. */
static int send_all(struct sender *sender, struct error *error)
{
	struct traffic *traffic = sender->traffic;
	const volatile __u64 *sent = &sender->skeleton->bss->sent;
	double start = now();
	int err = 0;

	for (uint64_t tick = 1; !err && !stopped && *sent < traffic->packets; tick++) {
		uint32_t due = packets_due(traffic, *sent, now() - start);
		double rest;

		if (due)
			err = call(sender, due, error);
		rest = start + tick * TICK - now();
		if (traffic->rate && rest > 0)
			nanosleep(&(struct timespec){ .tv_nsec = (long)(rest * 1e9) }, NULL);
	}
	traffic->sent = *sent;
	traffic->took = (sender->skeleton->bss->last_ns - sender->skeleton->bss->first_ns) / 1e9;
	return err;
}

static void start_timer(double seconds)
{
	struct itimerval timer = {
		.it_value = { .tv_sec = (time_t)seconds },
		.it_interval = { .tv_usec = AGAIN_MICROSECONDS },
	};
	struct sigaction action = { .sa_handler = stop };

	timer.it_value.tv_usec = (suseconds_t)((seconds - (double)timer.it_value.tv_sec) * 1e6);
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static int send_loaded(struct sender *sender, struct error *error)
{
	struct traffic *traffic = sender->traffic;
	uint32_t lost = read_lost(traffic->from.ifindex);
	int err;

	start_timer(traffic->seconds);
	err = send_all(sender, error);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	traffic->lost = read_lost(traffic->from.ifindex) - lost;
	generator_bpf__destroy(sender->skeleton);
	return err;
}

static int send_template(struct sender *sender, struct error *error)
{
	struct traffic *traffic = sender->traffic;
	struct generator_config config;
	struct prefixes list = { 0 };
	struct generator_frame frame;
	struct template template;
	int err = build_template(traffic, &template, error);

	if (!err && traffic->sources)
		err = draw_sources(traffic, &list, error);
	if (!err) {
		config = make_config(&template, list.count ? GENERATOR_SOURCES : 0);
		frame.length = template.length;
		memcpy(frame.bytes, template.frame, template.length);
		err = load(&config, &list, &frame, &sender->skeleton, error);
	}
	prefixes_free(&list);
	if (err)
		return err;
	return send_loaded(sender, error);
}

static int send_capture(struct sender *sender, struct error *error)
{
	struct generator_config config = { 0 };
	struct generator_frame *frames = NULL;
	int err = read_frames(sender->traffic->capture, &frames, &config.frame_count, error);

	if (!err)
		err = load(&config, &(struct prefixes){ 0 }, frames, &sender->skeleton, error);
	if (!err)
		err = send_loaded(sender, error);
	free(frames);
	return err;
}

int traffic_send(struct traffic *traffic, struct error *error)
{
	struct sender sender = { .traffic = traffic };

	return traffic->capture ? send_capture(&sender, error) : send_template(&sender, error);
}
