// SPDX-License-Identifier: BSD-2-Clause
#include "lockout/ancestry.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

#define DEPTH_MAX 1000 /* ancestors: pids may be reused while we read, so that the way up could be a circle */
#define PATH_SHORT 64  /* "/proc/PID/fd" */

/* proc(5), /proc/PID/stat. */
struct process {
	int pid;
	int parent;   /* 0: none, or outside of this pid namespace */
	int terminal; /* 0: none */
};

static bool read_process(int pid, struct process *process)
{
	char path[PATH_SHORT], line[512];
	CLEANUP_FILE FILE *in = NULL;
	const char *fields;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	in = fopen(path, "re");
	if (!in || !fgets(line, sizeof(line), in))
		return false;
	fields = strrchr(line, ')'); /* the name before it may hold anything */
	process->pid = pid;
	return fields && sscanf(fields, ") %*c %d %*d %*d %d", &process->parent, &process->terminal) == 2;
}

/* False when the descriptor is no socket, or closed by now. */
static bool read_socket(int pid, const char *descriptor, uint32_t *inode)
{
	char path[PATH_SHORT + NAME_MAX], target[PATH_SHORT];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, descriptor);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	return sscanf(target, "socket:[%" SCNu32 "]", inode) == 1;
}

static void add_sockets(int pid, struct inodes *inodes)
{
	const struct dirent *entry;
	char path[PATH_SHORT];
	uint32_t inode;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		if (!read_socket(pid, entry->d_name, &inode))
			continue;
		inodes->list = xgrow(inodes->list, inodes->count, &inodes->capacity, sizeof(*inodes->list));
		inodes->list[inodes->count++] = inode;
	}
	if (folder)
		closedir(folder);
}

/* The process `pid`, then its parent, and so on. Returns the pid of the first one without a terminal, 0: all have one.
 */
static int add_ancestors(int pid, struct inodes *inodes)
{
	struct process process;
	int server = 0;

	for (int i = 0; i < DEPTH_MAX && pid > 0 && read_process(pid, &process); i++) {
		add_sockets(pid, inodes);
		if (!server && !process.terminal)
			server = pid;
		pid = process.parent;
	}
	return server;
}

static bool read_executable(int pid, struct stat *executable)
{
	char path[PATH_SHORT];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return !stat(path, executable);
}

static bool runs(int pid, const struct stat *executable)
{
	struct stat own;

	return read_executable(pid, &own) && own.st_dev == executable->st_dev && own.st_ino == executable->st_ino;
}

static void add_clients(int server, struct inodes *inodes)
{
	const struct dirent *entry;
	struct process process;
	struct stat executable;
	DIR *folder;

	if (!read_executable(server, &executable))
		return;
	folder = opendir("/proc");
	while (folder && (entry = readdir(folder))) {
		int pid = atoi(entry->d_name);

		if (pid > 0 && runs(pid, &executable) && read_process(pid, &process) && process.terminal)
			add_ancestors(pid, inodes);
	}
	if (folder)
		closedir(folder);
}

void ancestry_sockets(struct inodes *inodes)
{
	int server = add_ancestors(getpid(), inodes);

	if (server && server != getpid())
		add_clients(server, inodes);
}

bool ancestry_is_elsewhere(void)
{
	char path[PATH_SHORT];
	struct stat parent, own;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", getppid());
	return !stat(path, &parent) && !stat("/proc/self/ns/net", &own) && parent.st_ino != own.st_ino;
}
