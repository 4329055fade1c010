// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/settle.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "datapath/attach.h"
#include "datapath/grace.h"
#include "datapath/sets.h"
#include "datapath/tidy.h"

/* Attachments that the change lets go: on interfaces that are still there, and that no placement names. */
static bool is_let_go(const struct attachment *attachment, const struct placement *placements, size_t count)
{
	return attachment->ifindex && !is_placed(attachment, placements, count);
}

static bool is_offloaded(const struct attachment *attachment)
{
	enum mode mode = MODE_NATIVE;

	attach_mode(attachment->ifindex, &mode);
	return mode == MODE_OFFLOAD;
}

/* The first interface of the change that its network card serves itself; NULL: none. */
static const char *offloaded(const struct running *running, const struct placement *placements, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (placements[i].mode == MODE_OFFLOAD)
			return placements[i].interface;
	}
	for (size_t i = 0; i < running->attachment_count; i++) {
		const struct attachment *attachment = &running->attachments[i];

		if (is_let_go(attachment, placements, count) && is_offloaded(attachment))
			return attachment->interface;
	}
	return NULL;
}

bool needs_gates(const struct running *running, const struct placement *placements, size_t count, uint64_t confirm)
{
	size_t touched = count;

	for (size_t i = 0; i < running->attachment_count; i++)
		touched += is_let_go(&running->attachments[i], placements, count);
	return confirm || (touched > 1 && !offloaded(running, placements, count));
}

int check_gates(const struct running *running, const struct placement *placements, size_t count, struct error *error)
{
	const char *interface = offloaded(running, placements, count);

	if (!interface)
		return 0;
	error_set(error, EOPNOTSUPP, "--confirm cannot be had with mode offload, which %s is in", interface);
	error_hint(error, "what goes back by itself hands packets from program to program, and no network card does "
			  "that; apply without --confirm, or write `mode native`");
	return -EOPNOTSUPP;
}

/* Everything that the change touches, in the order of `placements`, then what it lets go (which has program -1), into
 * `all`. Returns 0, or a negative errno with `error` set; what `all` holds is to be closed in either case. */
static int touched(const struct running *running, const struct placement *placements, size_t count,
		   struct placement *all, size_t *total, struct error *error)
{
	int err = 0;

	for (*total = 0; *total < count; (*total)++)
		all[*total] = placements[*total];
	for (size_t i = 0; i < running->attachment_count && !err; i++) {
		const struct attachment *attachment = &running->attachments[i];

		if (!is_let_go(attachment, placements, count))
			continue;
		all[(*total)++] = (struct placement){
			.interface = attachment->interface,
			.program = -1,
			.ifindex = attachment->ifindex,
			.attachment = attachment,
			.old = bpf_prog_get_fd_by_id(attachment->program_id),
			.created = -1,
		};
		/* An empty slot would mean that nothing judged there. */
		if (all[*total - 1].old < 0)
			err = error_set(error, errno, "cannot open the program of %s: %s", attachment->interface,
					strerror(errno));
	}
	return err;
}

/* Puts a gate, in place of its new program, into each of the `total` placements that lead to one; then on all
 * interfaces. */
static int put_gates(const struct pins *pins, const struct running *running, struct placement *all, size_t total,
		     const struct deadline *deadline, struct error *error)
{
	size_t made = 0;
	int err = 0;

	for (; made < total && !err; made++) {
		const int programs[GATE_GENERATIONS] = { [GATE_OLD] = all[made].old, [GATE_NEW] = all[made].program };

		all[made].program = gate_make(pins, all[made].interface, deadline, programs, error);
		err = all[made].program < 0 ? all[made].program : 0;
	}
	if (!err)
		err = swap(pins, running, all, total, error);
	for (size_t i = 0; i < made; i++)
		cleanup_close(&all[i].program);
	/* A packet may still be with the program that was there before: it must not be judged by the old generation
	 * when the new one has judged another. */
	return err ? err : grace_wait(error);
}

/* What cannot be done now, the next command does. */
static void settle_now(const struct pins *pins)
{
	struct running running;
	struct settled settled;
	struct error ignored;

	if (running_read(pins, &running, &ignored))
		return;
	settle(pins, &running, &settled, &ignored);
	running_free(&running);
}

int swap_through_gates(const struct pins *pins, const struct running *running, struct placement *placements,
		       size_t count, uint64_t confirm, struct error *error)
{
	struct deadline deadline;
	CLEANUP_FREE struct placement *all = xcalloc(count + running->attachment_count, sizeof(*all));
	size_t total;
	int err = touched(running, placements, count, all, &total, error);

	if (err) {
		swap_close(all + count, total - count);
		return err;
	}
	err = deadline_make(pins, &deadline, error);

	if (!err) {
		err = put_gates(pins, running, all, total, &deadline, error);
		if (!err)
			deadline_set(&deadline, deadline_in(confirm));
		deadline_close(&deadline);
	}
	for (size_t i = 0; i < count; i++)
		placements[i].created = all[i].created;
	swap_close(all + count, total - count);
	/* Over, or failed: the same as for a change that was cut off here. What cannot be done now, the next command
	 * does; packets are judged alike. */
	if (err || !confirm)
		settle_now(pins);
	return err;
}

/* In place of a gate, the program that it hands packets to. */
static int replace_gate(const struct pins *pins, const struct attachment *attachment, enum gate_generation winner,
			struct error *error)
{
	uint32_t id = attachment->gate->generations[winner];
	CLEANUP_FD int program = id ? bpf_prog_get_fd_by_id(id) : -1;
	int err;

	if (!id || !attachment->ifindex)
		return swap_release(pins, attachment, error);
	err = program < 0 ? -errno : attach_update(attachment->link, program, -1);
	if (err == -ENOLINK) /* the interface has just gone */
		return swap_release(pins, attachment, error);
	return err ? error_set(error, -err, "cannot settle the last change of %s: %s", attachment->interface,
			       strerror(-err))
		   : 0;
}

/* What `rollback` leads to when the generation behind the gates has come to stay: the one before; but a policy that was
 * applied once more, to repair, or with sets read anew, is no way back from itself. */
static const struct description *way_back(const struct running *running)
{
	const struct generation *new = running->behind[GATE_NEW];
	const struct generation *old = running->behind[GATE_OLD];

	if (old && old->number != new->number && !description_same(&old->description, &new->description))
		return &old->description;
	for (size_t i = running->generation_count; i-- > 0;) {
		const struct generation *generation = &running->generations[i];

		if (generation->number != new->number && (!old || generation->number != old->number))
			return &generation->description;
	}
	return NULL;
}

static int keep_new(const struct pins *pins, const struct running *running, struct error *error)
{
	const struct generation *new = running->behind[GATE_NEW];

	if (!new)
		return 0;
	sets_follow(pins, &new->description);
	tidy_after(pins, &new->description, way_back(running));
	return new->pending ? tidy_name(pins, new->number, error) : 0;
}

static int replace_gates(const struct pins *pins, const struct running *running, struct error *error)
{
	enum gate_generation winner = running->gates.deadline == GATE_OPEN ? GATE_NEW : GATE_OLD;
	int err = 0;

	for (size_t i = 0; i < running->attachment_count && !err; i++) {
		if (running->attachments[i].gate)
			err = replace_gate(pins, &running->attachments[i], winner, error);
	}
	/* A packet may still be in a gate, and finds nothing behind it once it is unpinned. */
	if (!err)
		err = grace_wait(error);
	if (!err && winner == GATE_NEW)
		err = keep_new(pins, running, error);
	return err ? err : gates_remove(pins, error);
}

/* How a change that is not settled is going to be. */
static struct settled found(const struct running *running)
{
	const struct gates *gates = &running->gates;
	struct settled settled = { .how = SETTLED_TAKEN_BACK };

	if (running->behind[GATE_NEW])
		settled.generation = running->behind[GATE_NEW]->number;
	if (running->current)
		settled.runs = running->current->number;
	if (gates->exist && !gates->has_deadline)
		settled.how = SETTLED_REMAINS; /* settled, but for the folder */
	else if (gates->deadline == GATE_OPEN || (running->current && running->current->pending))
		settled.how = SETTLED_FINISHED;
	else if (gates->deadline != GATE_CLOSED && gates->judge == GATE_OLD && settled.generation)
		settled.how = SETTLED_NOT_CONFIRMED;
	return settled;
}

/* What is still called new: it runs, and lacks only its number; or it does not, and nobody needs it. `running` is read
 * again. */
static int settle_new(const struct pins *pins, struct running *running, struct settled *settled, struct error *error)
{
	char path[PATH_MAX];
	int err;

	if (access(pins_path(pins, path, "generations/" GENERATION_NEW), F_OK))
		return 0;
	if (settled->how == SETTLED_NOTHING)
		*settled = found(running);
	if (running->current && running->current->pending) {
		err = tidy_name(pins, running->current->number, error);
	} else {
		err = pins_remove(path);
		if (err)
			error_set(error, -err, "cannot remove %s: %s", path, strerror(-err));
	}
	return err ? err : running_read_again(pins, running, error);
}

int settle(const struct pins *pins, struct running *running, struct settled *settled, struct error *error)
{
	struct settled there = { 0 };
	int err = 0;

	if (running->gates.exist && !running->waiting) {
		there = found(running);
		err = replace_gates(pins, running, error);
		if (!err)
			err = running_read_again(pins, running, error);
	}
	if (!err && !running->waiting)
		err = settle_new(pins, running, &there, error);
	if (!err)
		*settled = there;
	return err;
}

int settle_for(const struct pins *pins, enum gate_generation winner, struct error *error)
{
	struct deadline deadline;
	int err = deadline_open(pins, &deadline, error);

	if (err)
		return err;
	deadline_set(&deadline, winner == GATE_NEW ? GATE_OPEN : GATE_CLOSED);
	deadline_close(&deadline);
	settle_now(pins);
	return 0;
}
