// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/generation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "compile/compile.h"
#include "datapath/describe.h"
#include "datapath/grace.h"
#include "datapath/pins.h"
#include "datapath/program.h"
#include "datapath/running.h"
#include "datapath/sets.h"
#include "datapath/shadow.h"
#include "datapath/slots.h"
#include "datapath/state.h"
#include "datapath/swap.h"
#include "datapath/tidy.h"
#include "datapath/transaction.h"

void change_free(struct change *change)
{
	description_free(&change->before);
	description_free(&change->after);
}

/* One interface of a generation that is being made. */
struct making {
	struct compiled compiled;
	struct program program;
	struct state state;
	struct slots slots;
	const struct examination *examination; /* NULL: none */
};

static void making_free(struct making *making, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		compiled_free(&making[i].compiled);
		program_close(&making[i].program);
		state_close(&making[i].state);
		slots_free(&making[i].slots);
	}
	free(making);
}

static unsigned next_number(const struct running *running)
{
	unsigned number = 0;

	for (size_t i = 0; i < running->generation_count; i++) {
		if (running->generations[i].number > number)
			number = running->generations[i].number;
	}
	return number + 1;
}

static bool has_state(const struct pins *pins, const char *interface)
{
	struct state state;
	struct error error;
	bool is_there;

	if (state_open(pins, interface, &state, &error))
		return false;
	is_there = state.maps[STATE_COUNTERS] >= 0 && state.rules_count && state.maps[STATE_TOP] >= 0 &&
		   state.maps[STATE_TALKERS] >= 0;
	state_close(&state);
	return is_there;
}

/* True when the policy is what runs, on every interface it names and on no other. */
static bool runs_already(const struct pins *pins, const struct running *running, const struct description *wanted)
{
	const struct generation *current = running->current;

	if (!current || running->attachment_count != wanted->interface_count ||
	    !description_same(&current->description, wanted) || !sets_match(pins, wanted))
		return false;
	for (size_t i = 0; i < wanted->interface_count; i++) {
		const char *interface = wanted->interfaces[i].name;
		const struct attachment *attachment = running_attachment(running, interface);

		if (!attachment || attachment->generation != current->number ||
		    attachment->ifindex != if_nametoindex(interface) || !has_state(pins, interface))
			return false;
	}
	return true;
}

static int load_one(const struct pins *pins, const struct running *running, const struct interface *interface,
		    const struct sets *sets, struct making *making, struct error *error)
{
	struct load load;
	int err = state_open(pins, interface->name, &making->state, error);

	if (err)
		return err;
	making->slots = slots_assign(running, &making->compiled);
	err = state_clear_rules(&making->state, making->slots.fresh, making->slots.fresh_count, error);
	load = (struct load){
		.slots = making->slots.items,
		.needed = making->slots.needed,
		.sets = sets,
		.state = &making->state,
		.offload = interface->mode == MODE_OFFLOAD ? if_nametoindex(interface->name) : 0,
	};
	if (!err)
		err = program_load(&making->compiled, &load, &making->program, error);
	if (err && interface->mode == MODE_OFFLOAD)
		error_hint(error,
			   "%s is to run it itself (mode offload), but few network cards run BPF themselves; write "
			   "`mode native`",
			   interface->name);
	return err;
}

static int examine_one(const struct making *making, struct error *error)
{
	const struct examination *examination = making->examination;
	struct made made = { &making->compiled, making->slots.items, making->program.fd };

	return examination ? examination->examine(&made, examination->context, error) : 0;
}

static int pin_one(const struct pins *pins, const struct interface *interface, const struct making *making,
		   struct error *error)
{
	char name[IF_NAMESIZE], path[PATH_MAX];

	pins_path(pins, path, "generations/" GENERATION_NEW "/interfaces/%s", pin_of_interface(interface->name, name));
	if (bpf_obj_pin(making->program.fd, path))
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	return state_pin(pins, interface->name, &making->state, &making->program, error);
}

/* Loads and pins a whole generation; nothing of it is attached yet. */
static int make(const struct pins *pins, const struct running *running, const struct policy *policy,
		const struct sets *sets, struct making *making, struct error *error)
{
	char path[PATH_MAX];
	int err = 0;

	for (size_t i = 0; i < policy->interface_count && !err; i++)
		err = load_one(pins, running, &policy->interfaces[i], sets, &making[i], error);
	for (size_t i = 0; i < policy->interface_count && !err; i++)
		err = examine_one(&making[i], error);
	if (err)
		return err;
	err = pins_make_folder(pins_path(pins, path, "generations/" GENERATION_NEW "/interfaces"));
	if (err)
		return error_set(error, -err, "cannot make %s: %s", path, strerror(-err));
	for (size_t i = 0; i < policy->interface_count && !err; i++)
		err = pin_one(pins, &policy->interfaces[i], &making[i], error);
	return err;
}

static const struct description *described(const struct generation *generation)
{
	return generation ? &generation->description : NULL;
}

/* From checked placements to a running generation, or to nothing where that runs already. */
static int change_to(const struct pins *pins, const struct running *running, const struct policy *policy,
		     struct making *making, struct placement *placements, const struct application *how,
		     struct change *change, struct error *error)
{
	unsigned number = how->reload && running->current ? running->current->number : next_number(running);
	size_t count = policy->interface_count;
	struct sets sets;
	int err = 0;

	change->after = describe(policy, number, time(NULL));
	for (size_t i = 0; i < count; i++)
		describe_interface(&change->after, i, &making[i].compiled);
	if (how->reload)
		err = reload_check(how->reload, running, policy, &change->after, error);
	if (err)
		return err;
	if (runs_already(pins, running, &change->after)) {
		change->unchanged = true;
		return 0;
	}

	err = sets_open(pins, policy, &sets, error);
	if (err)
		return err;
	err = make(pins, running, policy, &sets, making, error);
	if (!err)
		err = sets_resize(pins, &sets, error);
	for (size_t i = 0; i < count && !err; i++) {
		describe_slots(&change->after, i, making[i].slots.items);
		placements[i].program = making[i].program.fd;
	}
	if (!err)
		err = transaction_enact(pins, running, placements, count, &change->after, how->confirm, error);
	if (err)
		sets_undo(pins, &sets);
	sets_close(&sets);
	for (size_t i = 0; i < count && !err; i++)
		change->attached += !placements[i].attachment;
	return err;
}

static int apply(const struct pins *pins, const struct running *running, const struct policy *policy,
		 struct making *making, const struct application *how, struct change *change, struct error *error)
{
	size_t count = policy->interface_count;
	CLEANUP_FREE struct placement *placements = xcalloc(count, sizeof(*placements));
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		err = compile(&policy->interfaces[i], &making[i].compiled, error);
		placements[i] = (struct placement){
			.interface = policy->interfaces[i].name,
			.where = policy->interfaces[i].where,
			.mode = policy->interfaces[i].mode,
			.old = -1,
			.created = -1,
		};
	}
	if (!err)
		err = swap_check(running, placements, count, error);
	if (!err && how->confirm)
		err = check_gates(running, placements, count, error);
	if (!err)
		err = change_to(pins, running, policy, making, placements, how, change, error);
	swap_close(placements, count);
	return err;
}

/* What `rollback` leads to after an apply. A policy that is applied once more, to finish or to repair, or with sets
 * read anew, would be no way back from itself. */
static const struct description *way_back(const struct running *running, const struct description *after)
{
	if (running->current &&
	    (running->current->number == after->generation || description_same(&running->current->description, after)))
		return described(running->previous);
	return described(running->current);
}

int generation_apply(const struct policy *policy, const struct application *how, struct settled *settled,
		     struct change *change, struct error *error)
{
	struct making *making = xcalloc(policy->interface_count, sizeof(*making));
	struct change result = { 0 };
	struct running running;
	struct pins pins;
	int err = transaction_begin_alone(&pins, &running, settled, error);

	for (size_t i = 0; i < policy->interface_count; i++) {
		making[i].examination = how->examination;
		making[i].state = STATE_NONE;
	}
	if (!err) {
		err = apply(&pins, &running, policy, making, how, &result, error);
		if (err)
			tidy_failed(&pins, &running);
		else if (!result.unchanged && !how->confirm)
			tidy_after(&pins, &result.after, way_back(&running, &result.after));
		result.before = transaction_take(&running, running.current);
		running_free(&running);
		pins_close(&pins);
	}
	making_free(making, policy->interface_count);
	if (err)
		change_free(&result);
	else
		*change = result;
	return err;
}

static int no_confirmation(struct settled *settled, const struct running *running, struct error *error)
{
	if (settled->how == SETTLED_NOT_CONFIRMED) {
		error_set(error, ETIME, "generation %u was not confirmed in time", settled->generation);
		if (settled->runs)
			error_hint(error, "generation %u runs", settled->runs);
		else
			error_hint(error, "nothing runs, as before it");
		*settled = (struct settled){ 0 }; /* said */
		return -ETIME;
	}
	error_set(error, ENOENT, "nothing waits to be confirmed");
	if (running->current)
		error_hint(error, "generation %u runs", running->current->number);
	else
		error_hint(error, "nothing is applied");
	return -ENOENT;
}

int generation_confirm(struct settled *settled, unsigned *number, struct error *error)
{
	struct running running;
	struct pins pins;
	int err = transaction_begin(&pins, &running, settled, error);

	if (err)
		return err;
	if (running.waiting) {
		err = settle_for(&pins, GATE_NEW, error);
		if (!err)
			*number = transaction_waiting(&running);
	} else {
		err = no_confirmation(settled, &running, error);
		if (!running.attachment_count && !running.generation_count)
			pins_remove_all(&pins);
	}
	running_free(&running);
	pins_close(&pins);
	return err;
}

/* Where a generation is to run again: on those of its interfaces that are there, or, when none is, on all of them, to
 * be refused. Returns how many. */
static size_t place_again(const struct generation *to, struct placement *placements)
{
	const struct description *description = &to->description;
	bool any = false;
	size_t count = 0;

	for (size_t i = 0; i < description->interface_count; i++)
		any |= if_nametoindex(description->interfaces[i].name) != 0;
	for (size_t i = 0; i < description->interface_count; i++) {
		if (any && !if_nametoindex(description->interfaces[i].name))
			continue;
		placements[count++] = (struct placement){
			.interface = description->interfaces[i].name,
			.mode = description->interfaces[i].mode,
			.program = bpf_prog_get_fd_by_id(to->program_ids[i]),
			.old = -1,
			.created = -1,
		};
	}
	return count;
}

static int go_back(const struct pins *pins, const struct running *running, struct error *error)
{
	const struct generation *to = running->previous;
	CLEANUP_FREE struct placement *placements = NULL;
	size_t count;
	int err = 0;

	if (!running->current || !to) {
		error_set(error, ENOENT, "there is no previous generation to go back to");
		error_hint(error, running->current ? "generation %u is the only one" : "nothing is applied",
			   running->current ? running->current->number : 0);
		return -ENOENT;
	}
	placements = xcalloc(to->description.interface_count, sizeof(*placements));
	count = place_again(to, placements);
	for (size_t i = 0; i < count && !err; i++) {
		if (placements[i].program < 0)
			err = error_set(error, ENOENT, "cannot open the program of %s in generation %u",
					placements[i].interface, to->number);
	}
	if (!err)
		err = swap_check(running, placements, count, error);
	if (!err)
		err = needs_gates(running, placements, count, 0)
			      ? swap_through_gates(pins, running, placements, count, 0, error)
			      : swap(pins, running, placements, count, error);
	if (!err)
		sets_follow(pins, &to->description);
	swap_close(placements, count);
	for (size_t i = 0; i < count; i++)
		cleanup_close(&placements[i].program);
	return err;
}

/* What waits to be confirmed goes, and what it left: all, when nothing ran before it. */
static int take_back(struct pins *pins, struct error *error)
{
	struct running left;
	struct error ignored;
	bool found;
	int err = settle_for(pins, GATE_OLD, error);

	if (err)
		return err;
	if (running_read(pins, &left, &ignored))
		return 0;
	tidy_before(pins, &left, &found, &ignored);
	/* A program may run without a generation that describes it, when somebody removed that. */
	if (!left.attachment_count && !left.generation_count)
		pins_remove_all(pins);
	running_free(&left);
	return 0;
}

int generation_rollback(struct settled *settled, struct change *change, struct error *error)
{
	struct running running;
	struct pins pins;
	int err = transaction_begin(&pins, &running, settled, error);

	if (err)
		return err;
	if (running.waiting) {
		err = take_back(&pins, error);
	} else if (settled->how == SETTLED_NOT_CONFIRMED) {
		/* Who types this a moment too late wants to be where the data path has gone already, not one further.
		 */
		*change = (struct change){ .unchanged = true };
		change->after = transaction_take(&running, running.current);
		if (!running.attachment_count && !running.generation_count)
			pins_remove_all(&pins);
		running_free(&running);
		pins_close(&pins);
		return 0;
	} else {
		err = go_back(&pins, &running, error);
	}
	if (!err) {
		const struct generation *const *waiting = running.waiting ? running.behind : NULL;

		*change = (struct change){ 0 };
		change->before = transaction_take(&running, waiting ? waiting[GATE_NEW] : running.current);
		change->after = transaction_take(&running, waiting ? waiting[GATE_OLD] : running.previous);
	} else if (!running.waiting) {
		tidy_failed(&pins, &running);
	}
	running_free(&running);
	pins_close(&pins);
	return err;
}

static int go_down(struct pins *pins, const struct running *running, const char *interface, size_t *detached,
		   struct error *error)
{
	bool is_pinned = !access(pins->netns, F_OK);
	size_t count = 0;
	int err = 0;

	for (size_t i = 0; i < running->attachment_count && !err; i++) {
		if (interface && strcmp(running->attachments[i].interface, interface))
			continue;
		err = swap_release(pins, &running->attachments[i], error);
		count++;
	}
	if (err)
		return err;
	if (shadow_exists(pins, running->current))
		grace_wait(error); /* a packet in the candidate looks for its way back in what is pinned */
	if (count == running->attachment_count) {
		err = gates_remove(pins, error);
		if (!err)
			err = pins_remove_all(pins);
	}
	if (err)
		return error_set(error, -err, "detached, but cannot remove all of %s: %s", pins->netns, strerror(-err));
	if (!count && interface)
		return error_set(error, ENOENT, "nothing of Sluice runs on %s", interface);
	if (!count && !is_pinned)
		return error_set(error, ENOENT, "nothing of Sluice runs here");
	*detached = count;
	return 0;
}

int generation_down(const char *interface, struct settled *settled, size_t *detached, struct error *error)
{
	struct running running;
	struct pins pins;
	int err = transaction_begin(&pins, &running, settled, error);

	if (err)
		return err;
	err = go_down(&pins, &running, interface, detached, error);
	running_free(&running);
	pins_close(&pins);
	return err;
}
