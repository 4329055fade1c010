/* SPDX-License-Identifier: BSD-2-Clause */
/* The events of interfaces (include/sluice/event.h), read as they come. An event is read once: one reader at a time. */
#ifndef SLUICE_DATAPATH_EVENTS_H
#define SLUICE_DATAPATH_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "datapath/description.h"
#include "sluice/event.h"

struct events;

/* An event, and what its numbers stand for: NULL where it has none, or the policy that says so is gone. */
struct told {
	const char *interface;
	const struct event *event;
	const struct described_rule *rule;
	const char *set; /* of EVENT_BAN */
};

struct events_reader {
	/* Returns 0, or -ECANCELED when this was the last one to be read. */
	int (*event)(const struct told *told, void *context);
	/* So many waited for a reader when this one came; they are not told of. */
	void (*left_out)(const char *interface, uint64_t count, void *context);
	/* So many more were lost, because nobody read them in time. */
	void (*lost)(const char *interface, uint64_t count, void *context);
	void *context;
};

/* Opens the events of these interfaces, from now on; none named: of all that have any, also of those that come later.
 * Returns 0 and events to close, or a negative errno with `error` set: -ENOENT when an interface has none, -EBUSY when
 * somebody reads it. */
int events_open(char *const *interfaces, size_t count, const struct events_reader *reader, struct events **events,
		struct error *error);

/* Waits for events, at most that long, and tells them. Returns how many, or a negative errno with `error` set: -EINTR
 * after a signal, -ENOENT when nothing of Sluice runs on an interface any more. */
int events_read(struct events *events, int milliseconds, struct error *error);

void events_close(struct events *events);

#endif
