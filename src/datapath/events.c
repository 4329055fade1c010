// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/events.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "datapath/running.h"
#include "datapath/state.h"

struct source {
	struct events *events;
	char interface[IF_NAMESIZE];
	int lock; /* its folder: who holds it reads */
	int ring; /* descriptor; libbpf waits for it */
	struct state state;
	uint64_t lost;			       /* that were told */
	const struct described_rule **by_slot; /* borrows from events.running */
	size_t slots;
	char *const *bans; /* names of sets, DYNAMIC_MAX of them; borrows from events.running. NULL: unknown */
};

struct events {
	struct events_reader reader;
	struct source *sources;
	size_t count, capacity;
	struct ring_buffer *ring;
	struct running running; /* read again when generations come and go */
	struct timespec changed;
	int told; /* by this call of events_read */
};

static void forget_rules(struct events *events)
{
	for (size_t i = 0; i < events->count; i++) {
		free(events->sources[i].by_slot);
		events->sources[i].by_slot = NULL;
		events->sources[i].slots = 0;
		events->sources[i].bans = NULL;
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

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

static int open_ring(struct events *events, struct error *error);

/* Policies without events let go of the ring, and the next one with some has another: what the old ones hold is told
 * first. */
static int reopen_rings(struct events *events, struct error *error)
{
	if (events->ring)
		ring_buffer__consume(events->ring);
	ring_buffer__free(events->ring);
	events->ring = NULL;
	for (size_t i = 0; i < events->count; i++) {
		cleanup_close(&events->sources[i].ring);
		events->sources[i].ring = -1;
	}
	return open_ring(events, error);
}

/* Reads what runs, if that is not what is known. */
static int follow(struct events *events, struct error *error)
{
	struct timespec changed;
	bool others = false;
	struct pins pins;
	int err = pins_open(READ, &pins, error);

	if (err)
		return err;
	changed = changed_at(&pins);
	if (changed.tv_sec != events->changed.tv_sec || changed.tv_nsec != events->changed.tv_nsec) {
		forget_rules(events);
		err = running_read(&pins, &events->running, error);
		for (size_t i = 0; i < events->count && !err; i++) {
			struct source *source = &events->sources[i];

			if (!running_attachment(&events->running, source->interface)) {
				err = nothing_runs(source->interface, error);
				break;
			}
			state_close(&source->state);
			err = state_open(&pins, source->interface, &source->state, error);
			if (err)
				break;
			learn_rules(source, &events->running);
			if (map_id(source->state.maps[STATE_EVENTS]) != map_id(source->ring)) {
				others = true;
				source->lost = 0;
			}
		}
		events->changed = changed;
	}
	pins_close(&pins);
	return !err && others ? reopen_rings(events, error) : err;
}

static int tell(void *context, void *data, size_t size)
{
	struct source *source = context;
	struct events *events = source->events;
	const struct event *event = data;
	struct told told = { .interface = source->interface, .event = event };

	if (size < sizeof(*event))
		return 0; /* of another version, which still runs */
	if (event->record.rule < source->slots)
		told.rule = source->by_slot[event->record.rule];
	if (event->kind == EVENT_BAN && event->number < DYNAMIC_MAX && source->bans)
		told.set = source->bans[event->number];
	events->told++;
	return events->reader.event(&told, events->reader.context);
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

/* Returns 1 when the interface has no events and nobody asked for them by name. */
static int add_source(struct events *events, const struct pins *pins, const char *interface, bool named,
		      struct error *error)
{
	struct source source = { .events = events, .lock = -1, .ring = -1 };
	int err = state_open(pins, interface, &source.state, error);

	if (err)
		return err;
	snprintf(source.interface, sizeof(source.interface), "%s", interface);
	if (source.state.maps[STATE_EVENTS] < 0) {
		state_close(&source.state);
		if (!named)
			return 1;
		error_set(error, ENOENT, "nothing of %s becomes an event", interface);
		error_hint(error, "write `log` at the end of a rule of its filter, or `log drops 1/1000`, and apply");
		return -ENOENT;
	}
	err = lock_source(pins, &source, error);
	events->sources = xgrow(events->sources, events->count, &events->capacity, sizeof(*events->sources));
	events->sources[events->count++] = source;
	return err;
}

static int add_sources(struct events *events, const struct pins *pins, char *const *interfaces, size_t count,
		       struct error *error)
{
	struct running running;
	int err = running_read(pins, &running, error);

	if (err)
		return err;
	for (size_t i = 0; i < count && err >= 0; i++)
		err = running_attachment(&running, interfaces[i]) ? add_source(events, pins, interfaces[i], true, error)
								  : nothing_runs(interfaces[i], error);
	for (size_t i = 0; i < running.attachment_count && !count && err >= 0; i++)
		err = add_source(events, pins, running.attachments[i].interface, false, error);
	running_free(&running);
	if (err < 0)
		return err;
	if (events->count)
		return 0;
	error_set(error, ENOENT, "nothing becomes an event");
	error_hint(error, "write `log` at the end of a rule of a filter, or `log drops 1/1000`, and apply");
	return -ENOENT;
}

/* The sources do not move any more. */
static int open_ring(struct events *events, struct error *error)
{
	for (size_t i = 0; i < events->count; i++) {
		struct source *source = &events->sources[i];
		int err = 0;

		if (source->state.maps[STATE_EVENTS] < 0)
			continue; /* there is nothing to tell, for now */
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

/* What was lost before is not this reader's. */
static void begin_to_count(struct events *events)
{
	for (size_t i = 0; i < events->count; i++)
		bpf_map_lookup_elem(events->sources[i].state.maps[STATE_EVENTS_LOST], &(uint32_t){ 0 },
				    &events->sources[i].lost);
}

int events_open(char *const *interfaces, size_t count, const struct events_reader *reader, struct events **out,
		struct error *error)
{
	struct events *events = xcalloc(1, sizeof(*events));
	struct pins pins;
	int err = pins_open(READ, &pins, error);

	events->reader = *reader;
	if (!err) {
		err = add_sources(events, &pins, interfaces, count, error);
		pins_close(&pins);
	}
	if (!err)
		err = open_ring(events, error);
	if (!err)
		begin_to_count(events);
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
	err = follow(events, error);
	if (err)
		return err;
	err = events->ring ? ring_buffer__poll(events->ring, milliseconds) : wait(milliseconds);
	if (err < 0 && err != -ECANCELED)
		return error_set(error, -err, "cannot read events: %s", strerror(-err));
	for (size_t i = 0; i < events->count; i++)
		tell_lost(&events->sources[i]);
	return events->told;
}

void events_close(struct events *events)
{
	ring_buffer__free(events->ring);
	forget_rules(events);
	for (size_t i = 0; i < events->count; i++) {
		state_close(&events->sources[i].state);
		cleanup_close(&events->sources[i].lock);
		cleanup_close(&events->sources[i].ring);
	}
	free(events->sources);
	free(events);
}
