/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of hello: each does one thing to the session, and prints it with the command that does the same by hand. */
#ifndef SLUICE_HELLO_STEPS_H
#define SLUICE_HELLO_STEPS_H

#include "base/error.h"
#include "hello/session.h"

/* Each returns 0, or a negative errno with `error` set. */
int step_object(struct session *session, struct error *error);
int step_bytecode(struct session *session, struct error *error);
int step_load(struct session *session, struct error *error);
int step_identity(struct session *session, struct error *error);
int step_translated(struct session *session, struct error *error);
int step_machine(struct session *session, struct error *error);
int step_attach(struct session *session, struct error *error);
int step_link(struct session *session, struct error *error);
int step_trace(struct session *session, struct error *error);
int step_counter(struct session *session, struct error *error);
int step_detach(struct session *session, struct error *error);
int step_unload(struct session *session, struct error *error);

#endif
