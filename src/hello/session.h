/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of hello: what it has made, in the order in which it is made, and how all of it is taken away again. */
#ifndef SLUICE_HELLO_SESSION_H
#define SLUICE_HELLO_SESSION_H

#include <stdint.h>

#include <bpf/libbpf.h>

#include "base/error.h"
#include "hello/hello.h"
#include "hello/trace.h"

#define HELLO_MAPS_MAX 8 /* hello.bpf.c has two */

struct session {
	const struct hello_options *options;
	unsigned ifindex;
	char *namespace; /* name of the network namespace (ip netns), NULL: the first one, or one without a name */
	char *key;	 /* "hello-COOKIE-IFACE": what is pinned and the instance of the trace are called so */
	char *stale;	 /* keys of runs that were killed and have been cleaned up now, ", " between them; NULL: none */
	char *pins;	 /* folder in bpffs */
	int lock;	 /* on that folder; whoever holds it is alive */
	char *folder;	 /* has hello.bpf.c and hello.bpf.o */

	struct bpf_object *object;
	int program, counter; /* descriptors, owned by the object; counter is the map .bss */
	char *pin;	      /* of the program */
	uint32_t program_id, verified_instructions;
	uint32_t map_ids[HELLO_MAPS_MAX];
	uint32_t map_count;

	int link;
	struct trace trace;
	struct error trace_error; /* why there is no trace, when trace.pipe is -1 */
};

/* The object and the source that are built into this program. */
const void *hello_object(size_t *size);

/* Finds the interface and makes the folders. On failure nothing is left. Returns 0, or a negative errno with `error`
 * set. */
int session_open(const struct hello_options *options, struct session *session, struct error *error);

/* Undoes everything, whatever has been done. */
void session_close(struct session *session);

/* The acts. Each returns 0, or a negative errno with `error` set. */
int session_load(struct session *session, struct error *error);
int session_attach(struct session *session, struct error *error);
int session_detach(struct session *session, struct error *error);
void session_unload(struct session *session);

/* The counter of the program. Returns 0 or a negative errno. */
int session_count(const struct session *session, uint64_t *packets);

/* Whether the kernel still has the program that was let go: gives it a little time to free it. Returns 1, 0, or a
 * negative errno when the kernel does not say. */
int session_program_lives(const struct session *session);

#endif
