// SPDX-License-Identifier: BSD-2-Clause
#include "hello/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "base/memory.h"
#include "hello/wait.h"

#define TOOL_MILLISECONDS 5000
#define TOOL_OUTPUT_MAX (1 << 20) /* bytes; the rest is thrown away */

#define LLVM_NEWEST 30
#define LLVM_OLDEST 11

static bool is_in_path(const char *name)
{
	CLEANUP_FREE char *path = xstrdup(getenv("PATH") ?: "");
	char *rest = path;

	for (char *folder = strsep(&rest, ":"); folder; folder = strsep(&rest, ":")) {
		CLEANUP_FREE char *file = xasprintf("%s/%s", folder, name);

		if (*folder == '/' && !access(file, X_OK))
			return true;
	}
	return false;
}

char *tool_find(const char *name)
{
	if (is_in_path(name))
		return xstrdup(name);
	if (strncmp(name, "llvm-", strlen("llvm-")))
		return NULL;
	for (int version = LLVM_NEWEST; version >= LLVM_OLDEST; version--) {
		char *versioned = xasprintf("%s-%d", name, version);

		if (is_in_path(versioned))
			return versioned;
		free(versioned);
	}
	return NULL;
}

static void print_word(FILE *out, const char *word)
{
	static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";

	if (*word && !word[strspn(word, harmless)]) {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++)
		fputs(*word == '\'' ? "'\\''" : (const char[]){ *word, '\0' }, out);
	fputc('\'', out);
}

char *tool_text(const char *const *argv)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	for (size_t i = 0; argv[i]; i++) {
		if (i)
			fputc(' ', out);
		print_word(out, argv[i]);
	}
	fclose(out);
	return text;
}

/* With the signals as they were for us, standard input empty, both outputs into `out`. */
static int spawn(const char *const *argv, const char *folder, int out, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, defaults;
	int err;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	posix_spawn_file_actions_addchdir_np(&actions, folder);
	err = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -err;
}

static int collect(int in, FILE *out)
{
	int64_t deadline = wait_clock() + TOOL_MILLISECONDS;
	size_t collected = 0;

	for (;;) {
		char buffer[4096];
		int ready = wait_for(in, deadline);
		ssize_t length;

		if (ready <= 0)
			return ready ?: -ETIMEDOUT;
		length = read(in, buffer, sizeof(buffer));
		if (length <= 0)
			return length ? -errno : 0;
		if (collected < TOOL_OUTPUT_MAX)
			fwrite(buffer, 1, length, out);
		collected += length;
	}
}

int tool_run(const char *const *argv, const char *folder, char **output, int *status)
{
	CLEANUP_FREE char *text = NULL;
	FILE *out;
	size_t length;
	int ends[2], wait_status, err;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	err = spawn(argv, folder, ends[1], &pid);
	close(ends[1]);
	if (err) {
		close(ends[0]);
		return err;
	}
	out = open_memstream(&text, &length);
	err = collect(ends[0], out);
	fclose(out);
	close(ends[0]);
	if (err)
		kill(pid, SIGKILL);
	while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
		continue;
	if (err)
		return err;
	*status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
	*output = text;
	text = NULL;
	return 0;
}
