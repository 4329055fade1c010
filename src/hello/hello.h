/* SPDX-License-Identifier: BSD-2-Clause */
/* The eBPF Hello World on a real interface, one step after the other; bpf/hello.bpf.c is the program. */
#ifndef SLUICE_HELLO_HELLO_H
#define SLUICE_HELLO_HELLO_H

#include <stdbool.h>

#include "base/error.h"

#define HELLO_SECONDS 10
#define HELLO_SECONDS_MAX 3600

struct hello_options {
	const char *interface;
	bool generic; /* attach in generic mode; native otherwise */
	bool step;    /* wait for a key between the steps */
	int seconds;  /* at most, to wait for packets; 1 to HELLO_SECONDS_MAX */
};

/* Walks through all steps and prints them on standard output. Nothing stays attached, loaded, pinned or written,
 * whatever happens; SIGINT, SIGTERM, SIGQUIT and SIGHUP end the walk early. Returns 0, or a negative errno with `error`
 * set: -EINTR after a signal. */
int hello_walk(const struct hello_options *options, struct error *error);

#endif
