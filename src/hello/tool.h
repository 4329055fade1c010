/* SPDX-License-Identifier: BSD-2-Clause */
/* The tools that a reader can use by hand, run for real when they are installed. */
#ifndef SLUICE_HELLO_TOOL_H
#define SLUICE_HELLO_TOOL_H

/* The name under which a tool is in PATH: its own, or the one with a version that distributions give to LLVM's
 * ("llvm-mc-19", the newest first). Free the result; NULL when it is not installed. */
char *tool_find(const char *name);

/* The command as one types it in a shell. `argv` ends with NULL. Free the result. */
char *tool_text(const char *const *argv);

/* Runs it in `folder` and collects what it prints. Returns 0 with `*output` to free and the exit status in `*status`
 * (-1: it was killed), or a negative errno: -ETIMEDOUT when it took too long and was killed, -EINTR after a signal. */
int tool_run(const char *const *argv, const char *folder, char **output, int *status);

#endif
