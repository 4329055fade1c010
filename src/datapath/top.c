// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/top.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/memory.h"
#include "datapath/running.h"
#include "datapath/state.h"
#include "sluice.skel.h"

int top_prepare(struct sluice_bpf *skeleton, const struct state *state)
{
	const struct config *config = (const struct config *)&skeleton->rodata->config;
	bool counts = !config->record && config->shadow != SHADOW_CANDIDATE;
	struct bpf_map *talkers = skeleton->maps.talkers;
	int cpus = libbpf_num_possible_cpus();
	__u64 *seed = &skeleton->data_top->top_switch[TOP_SEED];
	int err = cpus < 0 ? cpus : bpf_map__set_autocreate(talkers, counts);

	if (!err && getrandom(seed, sizeof(*seed), 0) != sizeof(*seed))
		err = -errno;
	if (!err)
		err = bpf_map__set_max_entries(talkers, cpus);
	if (!err && counts)
		err = state_reuse(state, STATE_TOP, skeleton->maps.data_top);
	if (!err && counts)
		err = state_reuse(state, STATE_TALKERS, talkers);
	return err;
}

/* What is in a map; MAP_FAILED with errno set. */
static void *map_memory(int fd, size_t size, int access)
{
	return mmap(NULL, size, access, MAP_SHARED, fd, 0);
}

/* Never back to an earlier time, which would be to cut off somebody else. */
static int keep_on(int fd, uint64_t until)
{
	size_t size = TOP_SWITCH_WORDS * sizeof(__u64);
	__u64 *words = map_memory(fd, size, PROT_READ | PROT_WRITE);
	__u64 seen;

	if (words == MAP_FAILED)
		return -errno;
	seen = __atomic_load_n(&words[TOP_UNTIL], __ATOMIC_RELAXED);
	while (seen < until &&
	       !__atomic_compare_exchange_n(&words[TOP_UNTIL], &seen, until, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	munmap(words, size);
	return 0;
}

static int read_sketches(int fd, uint32_t window, struct talkers *talkers)
{
	int cpus = libbpf_num_possible_cpus();
	size_t size = cpus < 0 ? 0 : cpus * sizeof(struct top_sketch);
	struct top_sketch *sketches = cpus < 0 ? MAP_FAILED : map_memory(fd, size, PROT_READ);

	if (sketches == MAP_FAILED)
		return cpus < 0 ? cpus : -errno;
	for (int cpu = 0; cpu < cpus; cpu++)
		talkers_add(talkers, &sketches[cpu], window);
	munmap(sketches, size);
	return 0;
}

/* A generation from before an upgrade runs without a sketch, also when one is pinned. */
static int has_sketch(const struct state *state, const struct attachment *attachment, struct error *error)
{
	CLEANUP_FD int program = bpf_prog_get_fd_by_id(attachment->program_id);

	if (program < 0)
		return error_set(error, errno, "cannot open the program on %s: %s", attachment->interface,
				 strerror(errno));
	if (state->maps[STATE_TOP] >= 0 && state->maps[STATE_TALKERS] >= 0 &&
	    state_is_of(state->maps[STATE_TOP], program) && state_is_of(state->maps[STATE_TALKERS], program))
		return 0;
	error_set(error, EOPNOTSUPP,
		  "the program on %s cannot tell who sends most: an older version of Sluice loaded it",
		  attachment->interface);
	error_hint(error, "apply the policy again; until then: sluice stats --watch 1");
	return -EOPNOTSUPP;
}

static int read_one(const struct pins *pins, const struct attachment *attachment, uint32_t window,
		    struct talkers *talkers, struct error *error)
{
	struct state state;
	int err = state_open(pins, attachment->interface, &state, error);

	if (err)
		return err;
	err = has_sketch(&state, attachment, error);
	if (!err) {
		err = keep_on(state.maps[STATE_TOP], clock_now() + TOP_STAYS);
		if (!err && talkers)
			err = read_sketches(state.maps[STATE_TALKERS], window, talkers);
		if (err)
			error_set(error, -err, "cannot read who sends most on %s: %s", attachment->interface,
				  strerror(-err));
	}
	state_close(&state);
	return err;
}

int top_read(const struct pins *pins, const char *only, uint32_t window, struct talkers *talkers, struct error *error)
{
	struct running running;
	size_t found = 0;
	int err = running_read(pins, &running, error);

	if (err)
		return err;
	for (size_t i = 0; i < running.attachment_count && !err; i++) {
		const struct attachment *attachment = &running.attachments[i];

		if (!attachment->program_id || (only && strcmp(only, attachment->interface)))
			continue;
		err = read_one(pins, attachment, window, talkers, error);
		found++;
	}
	running_free(&running);
	if (!err && !found)
		return error_set(error, ENOENT, "nothing of Sluice runs %s%s", only ? "on " : "here", only ? only : "");
	if (!err && talkers && clock_now() >> TOP_WINDOW_SHIFT > window + 1ULL)
		return error_set(error, EAGAIN, "reading took too long");
	return err;
}
