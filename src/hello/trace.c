// SPDX-License-Identifier: BSD-2-Clause
#include "hello/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/memory.h"
#include "hello/wait.h"

static int open_mounted(const char **place)
{
	static const char *const places[] = { TRACE_PLACE, "/sys/kernel/debug/tracing" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int root = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct statfs fs;

		*place = places[i];
		if (root >= 0 && !fstatfs(root, &fs) && fs.f_type == TRACEFS_MAGIC)
			return root;
		if (root >= 0)
			close(root);
	}
	*place = NULL;
	return -ENOENT;
}

/* A mount that is attached to no folder: it is ours alone and goes with its descriptor (Linux 5.2). */
static int open_unmounted(void)
{
	CLEANUP_FD int context = fsopen("tracefs", FSOPEN_CLOEXEC);
	int root;

	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	root = fsmount(context, FSMOUNT_CLOEXEC, 0);
	return root < 0 ? -errno : root;
}

static int open_root(struct trace *trace)
{
	trace->root = open_mounted(&trace->place);
	if (trace->root < 0)
		trace->root = open_unmounted();
	return trace->root < 0 ? trace->root : 0;
}

/* bpf_printk is a trace event like others since Linux 5.9; an instance sees only the events that are turned on in it.
 */
static int turn_on(const struct trace *trace)
{
	CLEANUP_FREE char *path = xasprintf("%s/events/bpf_trace/bpf_trace_printk/enable", trace->instance);
	CLEANUP_FD int fd = openat(trace->root, path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, "1", 1) != 1 ? -errno : 0;
}

static int open_instance(struct trace *trace)
{
	CLEANUP_FREE char *path = xasprintf("%s/trace_pipe", trace->instance);
	int err;

	if (mkdirat(trace->root, trace->instance, 0700))
		return -errno;
	err = turn_on(trace);
	if (err)
		return err;
	trace->pipe = openat(trace->root, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return trace->pipe < 0 ? -errno : 0;
}

int trace_open(struct trace *trace, const char *name, struct error *error)
{
	int err;

	*trace = TRACE_CLOSED;
	err = open_root(trace);
	if (err)
		return error_set(error, -err, "tracefs is not mounted, and the kernel does not let Sluice see it: %s",
				 strerror(-err));
	trace->instance = xasprintf("instances/sluice-%s", name);
	err = open_instance(trace);
	if (err)
		return error_set(error, -err, "cannot open an instance of the trace: %s", strerror(-err));
	return 0;
}

void trace_close(struct trace *trace)
{
	if (trace->pipe >= 0)
		close(trace->pipe);
	if (trace->root >= 0 && trace->instance)
		unlinkat(trace->root, trace->instance, AT_REMOVEDIR);
	if (trace->root >= 0)
		close(trace->root);
	free(trace->instance);
	*trace = TRACE_CLOSED;
}

void trace_remove(const char *name)
{
	struct trace trace = TRACE_CLOSED;

	if (!open_root(&trace))
		trace.instance = xasprintf("instances/sluice-%s", name);
	trace_close(&trace);
}

static char *take_line(struct trace *trace)
{
	char *end = memchr(trace->buffer, '\n', trace->buffered);
	size_t length = end ? (size_t)(end - trace->buffer) : trace->buffered;
	char *line;

	/* A line longer than the buffer is none of ours; it goes in pieces. */
	if (!end && trace->buffered < sizeof(trace->buffer))
		return NULL;
	line = xasprintf("%.*s", (int)length, trace->buffer);
	length += end != NULL;
	trace->buffered -= length;
	memmove(trace->buffer, trace->buffer + length, trace->buffered);
	return line;
}

int trace_line(struct trace *trace, const char *words, int64_t deadline, char **line)
{
	for (;;) {
		char *taken = take_line(trace);
		ssize_t length;
		int ready;

		if (taken && strstr(taken, words)) {
			*line = taken;
			return 1;
		}
		free(taken);
		if (taken)
			continue;
		ready = wait_for(trace->pipe, deadline);
		if (ready <= 0)
			return ready;
		if (wait_clock() >= deadline)
			return 0; /* others write faster than we read */
		length = read(trace->pipe, trace->buffer + trace->buffered, sizeof(trace->buffer) - trace->buffered);
		if (length < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (length > 0)
			trace->buffered += length;
	}
}
