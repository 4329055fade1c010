// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/swap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "datapath/attach.h"

static int no_such_interface(const struct placement *placement, struct error *error)
{
	struct if_nameindex *interfaces = if_nameindex();
	CLEANUP_FREE const char **names = NULL;
	const char *near;
	size_t count = 0;

	if (placement->where.line)
		error_at(error, placement->where, "there is no interface \"%s\" here", placement->interface);
	else
		error_set(error, ENODEV, "there is no interface \"%s\" here", placement->interface);
	while (interfaces && interfaces[count].if_index)
		count++;
	names = xcalloc(count, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = interfaces[i].if_name;
	near = nearest(placement->interface, names, count);
	if (near)
		error_hint(error, "did you mean \"%s\"?", near);
	else
		error_hint(error, "\"ip link\" lists the interfaces");
	if (interfaces)
		if_freenameindex(interfaces);
	return -ENODEV;
}

static int check_held(const struct placement *placement, struct error *error)
{
	enum mode mode = placement->mode;

	attach_mode(placement->ifindex, &mode);
	if (mode == placement->mode)
		return 0;
	error_set(error, EINVAL, "%s runs in %s mode; the policy says %s", placement->interface, mode_name(mode),
		  mode_name(placement->mode));
	error_hint(error,
		   "changing the mode means a moment without a program, so Sluice does not do it by itself: "
		   "sluice down %s, then apply",
		   placement->interface);
	return -EINVAL;
}

/* Links hold on to an interface when it is renamed. */
static int check_renamed(const struct running *running, const struct placement *placement, struct error *error)
{
	for (size_t i = 0; i < running->attachment_count; i++) {
		const struct attachment *attachment = &running->attachments[i];

		if (attachment->ifindex != placement->ifindex)
			continue;
		error_set(error, EBUSY, "Sluice runs on %s already, under the name %s that it had",
			  placement->interface, attachment->interface);
		error_hint(error, "sluice down %s, then apply", attachment->interface);
		return -EBUSY;
	}
	return 0;
}

/* Whether an interface that is not ours yet can be had. */
static int check_new(const struct running *running, const struct placement *placement, struct error *error)
{
	int err = check_renamed(running, placement, error);

	return err ? err : attach_check_free(placement->ifindex, placement->interface, error);
}

int swap_check(const struct running *running, struct placement *placements, size_t count, struct error *error)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		struct placement *placement = &placements[i];

		placement->ifindex = if_nametoindex(placement->interface);
		if (!placement->ifindex)
			return no_such_interface(placement, error);
		placement->attachment = running_attachment(running, placement->interface);
		/* A link of an interface that was deleted, or of one that had this name before. */
		if (placement->attachment && placement->attachment->ifindex != placement->ifindex)
			placement->attachment = NULL;
		if (!placement->attachment) {
			err = check_new(running, placement, error);
			continue;
		}
		err = check_held(placement, error);
		placement->old = bpf_prog_get_fd_by_id(placement->attachment->program_id);
		if (!err && placement->old < 0)
			err = error_set(error, errno, "cannot open the program of %s: %s", placement->interface,
					strerror(errno));
	}
	return err;
}

static int pin_link(const struct pins *pins, const struct placement *placement, struct error *error)
{
	char name[IF_NAMESIZE], path[PATH_MAX];
	int err;

	err = pins_make_folder(pins_path(pins, path, "links"));
	if (err)
		return error_set(error, -err, "cannot make %s: %s", path, strerror(-err));
	pins_path(pins, path, "links/%s", pin_of_interface(placement->interface, name));
	pins_remove(path); /* of an interface that is gone */
	if (bpf_obj_pin(placement->created, path))
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

static int place(const struct pins *pins, struct placement *placement, struct error *error)
{
	int err;

	if (!placement->attachment) {
		placement->created = attach_create(placement->ifindex, placement->interface, placement->mode,
						   placement->program, error);
		if (placement->created >= 0)
			return pin_link(pins, placement, error);
		if (placement->mode == MODE_NATIVE)
			error_hint(error, "when the driver has no native XDP, write `mode generic` (works everywhere, "
					  "slower)");
		return placement->created;
	}
	err = attach_update(placement->attachment->link, placement->program, placement->old);
	if (err)
		return error_set(error, -err, "the kernel refused to swap the program of %s: %s", placement->interface,
				 strerror(-err));
	placement->done = true;
	return 0;
}

/* Back to what ran before: it is still open, and its link took it once. */
static void take_back(const struct pins *pins, struct placement *placement)
{
	char name[IF_NAMESIZE], path[PATH_MAX];

	if (placement->created >= 0) {
		pins_remove(pins_path(pins, path, "links/%s", pin_of_interface(placement->interface, name)));
		bpf_link_detach(placement->created);
	} else if (placement->done) {
		attach_update(placement->attachment->link, placement->old, -1);
	}
}

bool is_placed(const struct attachment *attachment, const struct placement *placements, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(placements[i].interface, attachment->interface))
			return true;
	}
	return false;
}

static int detach(const struct attachment *attachment, struct error *error)
{
	/* A link whose interface is gone cannot be detached any more. */
	if (attachment->ifindex && bpf_link_detach(attachment->link))
		return error_set(error, errno, "cannot detach from %s: %s", attachment->interface, strerror(errno));
	return 0;
}

static int unpin(const struct pins *pins, const struct attachment *attachment, struct error *error)
{
	char name[IF_NAMESIZE], path[PATH_MAX];
	int err = pins_remove(pins_path(pins, path, "links/%s", pin_of_interface(attachment->interface, name)));

	return err ? error_set(error, -err, "cannot remove %s: %s", path, strerror(-err)) : 0;
}

int swap_release(const struct pins *pins, const struct attachment *attachment, struct error *error)
{
	int err = detach(attachment, error);

	return err ? err : unpin(pins, attachment, error);
}

/* Lets go of the attachments that no placement names. The first that will not ends it, with nothing let go; what comes
 * after one that did cannot be taken back, so then the others are for `show` to tell and the next change to mend. */
static int release_others(const struct pins *pins, const struct running *running, const struct placement *placements,
			  size_t count, struct error *error)
{
	size_t released = 0;

	for (size_t i = 0; i < running->attachment_count; i++) {
		const struct attachment *attachment = &running->attachments[i];
		struct error ignored;
		int err;

		if (is_placed(attachment, placements, count))
			continue;
		err = detach(attachment, released ? &ignored : error);
		if (err && !released)
			return err;
		if (!err)
			unpin(pins, attachment, &ignored);
		released++;
	}
	return 0;
}

void swap_close(struct placement *placements, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_close(&placements[i].old);
		cleanup_close(&placements[i].created);
	}
}

int swap(const struct pins *pins, const struct running *running, struct placement *placements, size_t count,
	 struct error *error)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = place(pins, &placements[i], error);
	if (!err)
		err = release_others(pins, running, placements, count, error);
	for (size_t i = 0; i < count && err; i++)
		take_back(pins, &placements[i]);
	return err;
}
