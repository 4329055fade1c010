// SPDX-License-Identifier: BSD-2-Clause
#include "hello/hello.h"

#include <errno.h>
#include <stdio.h>

#include "hello/look.h"
#include "hello/screen.h"
#include "hello/session.h"
#include "hello/steps.h"
#include "hello/wait.h"

static const struct {
	const char *title;
	const char *text;
	int (*run)(struct session *session, struct error *error);
} steps[] = {
	{ "The compiled object",
	  "clang translates C into byte code for a small machine that exists only inside the kernel.\n"
	  "What comes out is an ordinary object file; this one was made when Sluice was built.",
	  step_object },
	{ "Byte code",
	  "Eleven registers, r0 to r10, and 8 bytes an instruction. Where the program uses a global variable or a "
	  "text,\n"
	  "the object only has a note: the address is filled in when it is loaded.",
	  step_bytecode },
	{ "Load and pin",
	  "The kernel's verifier follows every way through the program and accepts it only if none can\n"
	  "crash, hang or read what it must not. A program lives as long as something holds it; a pin,\n"
	  "a name in the BPF file system, holds it without a process.",
	  step_load },
	{ "What the kernel made of it",
	  "The program has got an id, and each of its maps has one too. The tag is a hash of the byte\n"
	  "code; xlated and jited are the sizes of the code in the next two steps.",
	  step_identity },
	{ "Translated byte code",
	  "The verifier has rewritten the program: the notes have become real maps, and the call by\n"
	  "number has become a call of a function of this kernel.",
	  step_translated },
	{ "Machine code",
	  "The just-in-time compiler has turned it into instructions of this CPU: this is what runs for\n"
	  "each packet. Sluice asks the kernel for the bytes and has them disassembled.",
	  step_machine },
	{ "Attach",
	  "From now on the program runs for each packet that arrives. Sluice attaches with a BPF link,\n"
	  "which lets go by itself when its process ends; by hand the attachment stays until it is removed.",
	  step_attach },
	{ "Seen on the interface",
	  "The kernel shows the program wherever it shows the interface, so that nobody has to guess.", step_link },
	{ "The trace, live",
	  "The program writes a line for each packet into the kernel's trace, on the CPU and in the\n"
	  "process that happened to be running when the packet came.",
	  step_trace },
	{ "The counter",
	  "The global variable of the program is a map with one element. It can be read at any time,\n"
	  "while packets pass.",
	  step_counter },
	{ "Detach", "Packets pass the interface as before. The program is still loaded: the pin holds it.",
	  step_detach },
	{ "Unload", "Without the pin nothing holds the program and its maps any more, and the kernel frees them.",
	  step_unload },
};

#define STEPS ((int)(sizeof(steps) / sizeof(steps[0])))

static void introduce(const struct session *session)
{
	if (session->stale)
		screen_say("Cleaned up what a killed run had left: %s.", session->stale);
	screen_say("Hello World in eBPF on %s, in %d steps.", session->options->interface, STEPS);
	screen_say("The lines with a $ do the same by hand; those with a file name work in this folder,\n"
		   "which is removed at the end:");
	look_show(session, (const char *[]){ "cd", session->folder, NULL });
}

/* What ends the walk between two steps. */
static int go_on(bool ask)
{
	int err = ask ? 0 : wait_for(-1, 0);

	if (ask) {
		wait_key_start();
		screen_ask("(a key for the next step, Ctrl-C to end)");
		err = wait_key();
		screen_answered();
	}
	return ferror(stdout) ? -EPIPE : err;
}

static int walk(struct session *session, struct error *error)
{
	introduce(session);
	for (int i = 0; i < STEPS; i++) {
		int err;

		screen_heading(i + 1, STEPS, steps[i].title);
		screen_say("%s", steps[i].text);
		err = steps[i].run(session, error);
		if (err && err != -EINTR)
			return err;
		err = go_on(session->options->step && i + 1 < STEPS && !err);
		if (err == -EINTR)
			return error_set(error, EINTR, "ended by %s; everything is detached, unloaded and removed",
					 wait_signal());
		if (err)
			return error_set(error, -err,
					 "cannot write the output (nobody reads it any more, or the disk is full)");
	}
	return 0;
}

int hello_walk(const struct hello_options *options, struct error *error)
{
	struct session session;
	int err;

	screen_start();
	wait_start();
	err = session_open(options, &session, error);
	if (!err) {
		err = walk(&session, error);
		session_close(&session);
		if (!err)
			screen_end("Everything is as it was before.");
	}
	wait_end();
	return err;
}
