/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's trace, read through an instance of our own (Documentation/trace/ftrace.rst, "Instances"): we see every
 * line of bpf_printk, ours and other programs', and take none away from whoever reads the common trace_pipe.
 */
#ifndef SLUICE_HELLO_TRACE_H
#define SLUICE_HELLO_TRACE_H

#include <stdint.h>

#include "base/error.h"

/* Where it belongs (Linux 4.1). */
#define TRACE_PLACE "/sys/kernel/tracing"

struct trace {
	int root;	   /* of tracefs: where it is mounted, or a mount that only we see */
	const char *place; /* where a reader finds it, NULL when it is not mounted */
	char *instance;	   /* "instances/NAME" */
	int pipe;
	char buffer[4096]; /* read and not yet handed out */
	size_t buffered;
};

#define TRACE_CLOSED ((struct trace){ .root = -1, .pipe = -1 })

/* Lines that are written from now on can be read. Returns 0, or a negative errno with `error` set. Close it in both
 * cases. */
int trace_open(struct trace *trace, const char *name, struct error *error);
void trace_close(struct trace *trace);

/* The next line that has `words` in it. Waits until `deadline` (wait_clock). Returns 1 with `*line` to free, 0 at the
 * deadline, -EINTR after a signal, or another negative errno. */
int trace_line(struct trace *trace, const char *words, int64_t deadline, char **line);

/* Removes an instance that a killed process left. */
void trace_remove(const char *name);

#endif
