// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/events.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/memory.h"
#include "datapath/running.h"
#include "datapath/state.h"

#define NANOSECONDS 1000000000ULL

/* Events of one ring that are told before somebody looks again at what was lost and at what runs: as many as it holds.
 * So often every ring is read before all are let go of: one may be full at the first turn, the next one at the second.
 */
#define EVENTS_AT_ONCE (EVENTS_SIZE / sizeof(struct event))
#define LAST_TURNS 8

struct source {
	struct events *events;
	char interface[IF_NAMESIZE];
	int lock; /* its folder: who holds it reads */
	int ring; /* descriptor; libbpf waits for it */
	struct state state;
	uint64_t lost;			       /* that were told */
	size_t told;			       /* by this call of events_read */
	uint64_t left_out;		       /* from before the reader came; of these it is not told yet */
	const struct described_rule **by_slot; /* borrows from events.running */
	size_t slots;
	char *const *bans; /* names of sets, DYNAMIC_MAX of them; borrows from events.running. NULL: unknown */
};

struct events {
	struct events_reader reader;
	bool all;		 /* interfaces come and go; false: those that were named */
	struct source **sources; /* the ring knows where each is, so they do not move */
	size_t count, capacity;
	struct ring_buffer *ring;
	struct running running; /* read again when generations come and go */
	struct timespec changed;
	uint64_t begun; /* when the reader came, by the clock of the data path */
	uint64_t known; /* what was told before may be of rules that no generation has any more */
	int told;	/* by this call of events_read */
	bool enough;	/* the reader wants no more */
};

static void free_source(struct source *source)
{
	free(source->by_slot);
	state_close(&source->state);
	cleanup_close(&source->lock);
	cleanup_close(&source->ring);
	free(source);
}

static void forget_rules(struct events *events)
{
	for (size_t i = 0; i < events->count; i++) {
		free(events->sources[i]->by_slot);
		events->sources[i]->by_slot = NULL;
		events->sources[i]->slots = 0;
		events->sources[i]->bans = NULL;
	}
	running_free(&events->running);
	events->running = (struct running){ 0 };
}

/* What runs has the last word about a slot, others know what was logged before. */
static void learn_rules_of(struct source *source, const struct generation *generation)
{
	const struct described_interface *interface =
		generation ? described_interface(&generation->description, source->interface) : NULL;

	if (!interface)
		return;
	if (interface->bans[0])
		source->bans = interface->bans;
	for (size_t i = 0; i < interface->rule_count; i++) {
		uint32_t slot = interface->rules[i].slot;

		if (slot < source->slots)
			source->by_slot[slot] = &interface->rules[i];
	}
}

static void learn_rules(struct source *source, const struct running *running)
{
	source->slots = source->state.rules_count ? source->state.slots[source->state.rules_count - 1] : 0;
	source->by_slot = xcalloc(source->slots, sizeof(*source->by_slot));
	for (size_t i = 0; i < running->generation_count; i++)
		learn_rules_of(source, &running->generations[i]);
	learn_rules_of(source, running->current);
}

static int nothing_runs(const char *interface, struct error *error)
{
	return error_set(error, ENOENT, "nothing of Sluice runs on %s", interface);
}

static struct timespec changed_at(const struct pins *pins)
{
	char path[PATH_MAX];
	struct stat status;

	return stat(pins_path(pins, path, "generations"), &status) ? (struct timespec){ 0 } : status.st_mtim;
}

/* A slot is dealt out again when no generation that is kept has it. So what was told before the oldest of them came is
 * nobody's: not the rule's that has the slot now. */
static uint64_t known_since(const struct running *running)
{
	int64_t now = time(NULL), oldest = now;
	uint64_t passed;

	for (size_t i = 0; i < running->generation_count; i++) {
		if (running->generations[i].description.applied < oldest)
			oldest = running->generations[i].description.applied;
	}
	passed = (uint64_t)(now - oldest + 1) * NANOSECONDS; /* either may be a second off */
	/* The calendar may have gone further than this clock: it was put right, or the machine slept. */
	return passed < clock_now() ? clock_now() - passed : 0;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

static void tell_left_out(struct source *source)
{
	const struct events_reader *reader = &source->events->reader;

	if (source->left_out)
		reader->left_out(source->interface, source->left_out, reader->context);
	source->left_out = 0;
}

static int tell(void *context, void *data, size_t size)
{
	struct source *source = context;
	struct events *events = source->events;
	const struct event *event = data;
	struct told told = { .interface = source->interface, .event = event };

	if (size < sizeof(*event))
		return 0; /* of another version, which still runs */
	if (event->record.time < events->begun) {
		source->left_out++;
		return 0;
	}
	tell_left_out(source);
	if (event->record.time >= events->known && event->record.rule < source->slots)
		told.rule = source->by_slot[event->record.rule];
	if (event->kind == EVENT_BAN && event->number < DYNAMIC_MAX && source->bans)
		told.set = source->bans[event->number];
	events->enough = events->reader.event(&told, events->reader.context) != 0;
	if (events->enough)
		return -ECANCELED;
	events->told++;
	return ++source->told % EVENTS_AT_ONCE ? 0 : -EAGAIN;
}

static void tell_lost(struct source *source)
{
	const struct events_reader *reader = &source->events->reader;
	uint64_t lost = 0;

	if (source->state.maps[STATE_EVENTS_LOST] < 0 ||
	    bpf_map_lookup_elem(source->state.maps[STATE_EVENTS_LOST], &(uint32_t){ 0 }, &lost))
		return;
	if (lost > source->lost)
		reader->lost(source->interface, lost - source->lost, reader->context);
	source->lost = lost;
}

static int lock_source(const struct pins *pins, struct source *source, struct error *error)
{
	char path[PATH_MAX], pin[IF_NAMESIZE];

	pins_path(pins, path, "state/%s", pin_of_interface(source->interface, pin));
	source->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (source->lock < 0)
		return error_set(error, errno, "cannot open %s: %s", path, strerror(errno));
	if (!flock(source->lock, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK)
		return error_set(error, errno, "cannot lock %s: %s", path, strerror(errno));
	error_set(error, EBUSY, "somebody else reads the events of %s", source->interface);
	error_hint(error, "an event is read once, by one reader at a time");
	return -EBUSY;
}

/* Nothing is added, and nothing wrong, where an interface has no events and nobody asked for them by name. */
static int add_source(struct events *events, const struct pins *pins, const char *interface, struct error *error)
{
	struct source *source;
	struct state state;
	int err = state_open(pins, interface, &state, error);

	if (err)
		return err;
	if (state.maps[STATE_EVENTS] < 0) {
		state_close(&state);
		if (events->all)
			return 0;
		error_set(error, ENOENT, "nothing of %s becomes an event", interface);
		error_hint(error, "write `log` at the end of a rule of its filter, or `log drops 1/1000`, and apply");
		return -ENOENT;
	}
	source = xcalloc(1, sizeof(*source));
	*source = (struct source){ .events = events, .lock = -1, .ring = -1, .state = state };
	snprintf(source->interface, sizeof(source->interface), "%s", interface);
	err = lock_source(pins, source, error);
	if (err) {
		free_source(source);
		return err;
	}
	/* What was lost before is not this reader's. */
	bpf_map_lookup_elem(source->state.maps[STATE_EVENTS_LOST], &(uint32_t){ 0 }, &source->lost);
	events->sources = xgrow(events->sources, events->count, &events->capacity, sizeof(*events->sources));
	events->sources[events->count++] = source;
	return 0;
}

static bool has_source(const struct events *events, const char *interface)
{
	for (size_t i = 0; i < events->count; i++) {
		if (!strcmp(events->sources[i]->interface, interface))
			return true;
	}
	return false;
}

/* Those that are attached and not there yet. Whose events somebody else reads is left to him, once others are read. */
static int add_all(struct events *events, const struct pins *pins, const struct running *running, struct error *error)
{
	bool is_first = !events->count;
	int err = 0;

	for (size_t i = 0; i < running->attachment_count && !err; i++) {
		const char *interface = running->attachments[i].interface;

		if (!has_source(events, interface))
			err = add_source(events, pins, interface, error);
		if (err == -EBUSY && !is_first)
			err = 0;
	}
	return err;
}

static int add_sources(struct events *events, const struct pins *pins, char *const *interfaces, size_t count,
		       struct error *error)
{
	struct running running;
	int err = running_read(pins, &running, error);

	if (err)
		return err;
	for (size_t i = 0; i < count && !err; i++) {
		if (has_source(events, interfaces[i]))
			continue;
		err = running_attachment(&running, interfaces[i]) ? add_source(events, pins, interfaces[i], error)
								  : nothing_runs(interfaces[i], error);
	}
	if (events->all && !err)
		err = add_all(events, pins, &running, error);
	running_free(&running);
	if (err || events->count)
		return err;
	error_set(error, ENOENT, "nothing becomes an event");
	error_hint(error, "write `log` at the end of a rule of a filter, or `log drops 1/1000`, and apply");
	return -ENOENT;
}

static int open_ring(struct events *events, struct error *error)
{
	for (size_t i = 0; i < events->count; i++) {
		struct source *source = events->sources[i];
		int err = 0;

		if (source->ring >= 0 || source->state.maps[STATE_EVENTS] < 0)
			continue; /* is read, or has nothing to tell for now */
		source->ring = fcntl(source->state.maps[STATE_EVENTS], F_DUPFD_CLOEXEC, 0);
		if (!events->ring)
			events->ring = ring_buffer__new(source->ring, tell, source, NULL);
		else
			err = ring_buffer__add(events->ring, source->ring, tell, source);
		if (!events->ring || err)
			return error_set(error, err ? -err : errno, "cannot read the events of %s: %s",
					 source->interface, strerror(err ? -err : errno));
	}
	return 0;
}

/* All rings, because libbpf lets go of all or none; the last of what they hold is told. */
static void close_ring(struct events *events)
{
	for (int turn = 0; events->ring && !events->enough && turn < LAST_TURNS; turn++) {
		if (ring_buffer__consume(events->ring) != -EAGAIN)
			break;
	}
	ring_buffer__free(events->ring);
	events->ring = NULL;
	for (size_t i = 0; i < events->count; i++) {
		cleanup_close(&events->sources[i]->ring);
		events->sources[i]->ring = -1;
	}
}

/* Opens anew what is pinned of an interface. `*others` is set when its ring is another one: policies without events let
 * go of it. */
static int renew(struct source *source, const struct pins *pins, const struct running *running, bool *others,
		 struct error *error)
{
	struct state state;
	int err = state_open(pins, source->interface, &state, error);

	if (err)
		return err;
	state_close(&source->state);
	source->state = state;
	learn_rules(source, running);
	if (source->ring >= 0 && map_id(state.maps[STATE_EVENTS]) != map_id(source->ring)) {
		source->lost = 0;
		*others = true;
	}
	return 0;
}

static void drop_sources(struct events *events)
{
	size_t kept = 0;

	for (size_t i = 0; i < events->count; i++) {
		if (running_attachment(&events->running, events->sources[i]->interface))
			events->sources[kept++] = events->sources[i];
		else
			free_source(events->sources[i]);
	}
	events->count = kept;
}

/* What is down is read no more; whoever named it, or has nothing else to read, is told so. */
static int follow_sources(struct events *events, const struct pins *pins, struct error *error)
{
	bool others = false;
	size_t down = 0;
	int err = 0;

	for (size_t i = 0; i < events->count && !err; i++) {
		struct source *source = events->sources[i];

		if (running_attachment(&events->running, source->interface))
			err = renew(source, pins, &events->running, &others, error);
		else if (!events->all || ++down == events->count)
			err = nothing_runs(source->interface, error);
	}
	if (err || (!others && !down))
		return err;
	close_ring(events);
	drop_sources(events);
	return 0;
}

static int follow_change(struct events *events, const struct pins *pins, struct error *error)
{
	int err;

	forget_rules(events);
	err = running_read(pins, &events->running, error);
	if (err)
		return err;
	events->known = known_since(&events->running);
	if (events->all)
		err = add_all(events, pins, &events->running, error);
	if (!err)
		err = follow_sources(events, pins, error);
	return err ? err : open_ring(events, error);
}

/* Reads what runs, if that is not what is known. */
static int follow(struct events *events, struct error *error)
{
	struct timespec changed;
	struct pins pins;
	int err = pins_open(READ, &pins, error);

	if (err)
		return err;
	changed = changed_at(&pins);
	if (changed.tv_sec != events->changed.tv_sec || changed.tv_nsec != events->changed.tv_nsec)
		err = follow_change(events, &pins, error);
	events->changed = changed;
	pins_close(&pins);
	return err;
}

int events_open(char *const *interfaces, size_t count, const struct events_reader *reader, struct events **out,
		struct error *error)
{
	struct events *events = xcalloc(1, sizeof(*events));
	struct pins pins;
	int err = pins_open(READ, &pins, error);

	events->reader = *reader;
	events->all = !count;
	events->begun = clock_now();
	if (!err) {
		err = add_sources(events, &pins, interfaces, count, error);
		pins_close(&pins);
	}
	if (!err)
		err = follow(events, error);
	if (err)
		events_close(events);
	else
		*out = events;
	return err;
}

/* While there is nothing to tell. */
static int wait(int milliseconds)
{
	usleep(milliseconds * 1000);
	return 0;
}

int events_read(struct events *events, int milliseconds, struct error *error)
{
	int err;

	events->told = 0;
	for (size_t i = 0; i < events->count; i++)
		events->sources[i]->told = 0;
	err = follow(events, error);
	if (err)
		return err;
	if (!events->enough)
		err = events->ring ? ring_buffer__poll(events->ring, milliseconds) : wait(milliseconds);
	if (err < 0 && err != -ECANCELED && err != -EAGAIN)
		return error_set(error, -err, "cannot read events: %s", strerror(-err));
	for (size_t i = 0; i < events->count; i++) {
		tell_left_out(events->sources[i]);
		tell_lost(events->sources[i]);
	}
	return events->told;
}

void events_close(struct events *events)
{
	ring_buffer__free(events->ring);
	for (size_t i = 0; i < events->count; i++)
		free_source(events->sources[i]);
	running_free(&events->running);
	free(events->sources);
	free(events);
}
