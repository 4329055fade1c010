// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/transaction.h"

#include <errno.h>
#include <string.h>

#include "datapath/sets.h"
#include "datapath/tidy.h"

int transaction_begin(struct pins *pins, struct running *running, struct settled *settled, struct error *error)
{
	bool is_over = true;
	bool found;
	int err;

	*settled = (struct settled){ 0 };
	err = pins_open(WRITE, pins, error);
	if (err)
		return err;
	err = running_read(pins, running, error);
	if (err) {
		pins_close(pins);
		return err;
	}
	while (!err && is_over) {
		err = settle(pins, running, settled, error);
		if (!err)
			err = tidy_before(pins, running, &found, error);
		if (err)
			break;
		if (found && settled->how == SETTLED_NOTHING)
			*settled = (struct settled){
				.how = SETTLED_REMAINS,
				.runs = running->current ? running->current->number : 0,
			};
		/* The time to confirm may have come between two looks at the clock. */
		is_over = running->gates.exist && !running->waiting;
	}
	if (err) {
		running_free(running);
		pins_close(pins);
	}
	return err;
}

unsigned transaction_waiting(const struct running *running)
{
	const struct generation *waiting = running->behind[GATE_NEW];

	return waiting ? waiting->number : 0;
}

int transaction_begin_alone(struct pins *pins, struct running *running, struct settled *settled, struct error *error)
{
	int err = transaction_begin(pins, running, settled, error);

	if (err || !running->waiting)
		return err;
	error_set(error, EBUSY, "generation %u waits to be confirmed", transaction_waiting(running));
	error_hint(error, "first `sluice confirm` keeps it, or `sluice rollback` takes it back");
	running_free(running);
	pins_close(pins);
	return -EBUSY;
}

struct description transaction_take(struct running *running, const struct generation *generation)
{
	struct description taken = { 0 };

	for (size_t i = 0; generation && i < running->generation_count; i++) {
		if (&running->generations[i] != generation)
			continue;
		taken = running->generations[i].description;
		running->generations[i].description = (struct description){ 0 };
	}
	return taken;
}

int transaction_enact(const struct pins *pins, const struct running *running, struct placement *placements,
		      size_t count, const struct description *description, uint64_t confirm, struct error *error)
{
	char path[PATH_MAX];
	struct error ignored;
	int err;

	err = description_pin(description, pins_path(pins, path, "generations/" GENERATION_NEW "/description"), error);
	if (err)
		return err;
	if (needs_gates(running, placements, count, confirm)) {
		err = swap_through_gates(pins, running, placements, count, confirm, error);
	} else {
		err = swap(pins, running, placements, count, error);
		if (!err)
			/* Should it fail: it runs all the same, and the next change finds it and gives it its name. */
			tidy_name(pins, description->generation, &ignored);
	}
	/* What waits has the timeouts of what it may go back to, until it has come to stay. */
	if (!err && !confirm)
		sets_follow(pins, description);
	return err;
}
