// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "datapath/pins.h"

#define HOLDERS_MAX 4 /* pins, and processes, that are named; the rest says nothing new */

/* nftw has no argument for its callback. */
static struct {
	uint32_t program, link;
	FILE *out;
	int found;
} search;

static bool is_program(int fd, uint32_t id)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	return descriptor_is(fd, PIN_PROGRAM) > 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && info.id == id;
}

static bool is_link(int fd, uint32_t program)
{
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	return descriptor_is(fd, PIN_LINK) > 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && info.prog_id == program;
}

static int look_at_pin(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	CLEANUP_FD int fd = type == FTW_F ? bpf_obj_get(path) : -1;

	if (fd < 0)
		return 0;
	if (is_program(fd, search.program) || is_link(fd, search.program)) {
		fprintf(search.out, ", pinned at %s", path);
		search.found++;
	}
	return search.found == HOLDERS_MAX;
}

/* The link that holds the program on its interface, 0 when it was attached without one (ip, xdp-loader). */
static uint32_t link_of_program(uint32_t program)
{
	uint32_t id = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		CLEANUP_FD int fd = bpf_link_get_fd_by_id(id);

		if (fd >= 0 && is_link(fd, program))
			return id;
	}
	return 0;
}

/* /proc/PID/fdinfo/FD has a line "prog_id:" or "link_id:" for descriptors of the kind. */
static bool descriptor_holds(const char *path)
{
	CLEANUP_FILE FILE *in = fopen(path, "re");
	bool is_ours = false;
	char line[128];

	while (in && fgets(line, sizeof(line), in)) {
		unsigned id;

		if (sscanf(line, "link_id: %u", &id) == 1)
			return id == search.link;
		if (sscanf(line, "prog_id: %u", &id) == 1)
			is_ours = id == search.program;
	}
	return is_ours;
}

static bool process_holds(const char *pid)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool holds = false;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo", pid);
	folder = opendir(path);
	while (folder && !holds && (entry = readdir(folder))) {
		snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, entry->d_name);
		holds = descriptor_holds(path);
	}
	if (folder)
		closedir(folder);
	return holds;
}

static void name_processes(void)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	int found = 0;

	while (folder && found < HOLDERS_MAX && (entry = readdir(folder))) {
		char path[PATH_MAX];
		char name[32] = "";
		CLEANUP_FILE FILE *in = NULL;

		if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == getpid() ||
		    !process_holds(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		in = fopen(path, "re");
		if (in && fgets(name, sizeof(name), in))
			name[strcspn(name, "\n")] = '\0';
		fprintf(search.out, ", held by process %s (%s)", entry->d_name, name);
		found++;
	}
	if (folder)
		closedir(folder);
}

/* In a function of its own: the descriptor is closed again before anybody looks for descriptors. */
static void name_program(uint32_t id)
{
	CLEANUP_FD int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	fprintf(search.out, "id %u", id);
	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size))
		fprintf(search.out, ", name %s", info.name[0] ? info.name : "(none)");
}

char *holder_of_program(uint32_t id)
{
	char *text = NULL;
	size_t length;

	search.program = id;
	search.link = link_of_program(id);
	search.found = 0;
	search.out = open_memstream(&text, &length);
	name_program(id);
	nftw("/sys/fs/bpf", look_at_pin, 16, FTW_PHYS);
	name_processes();
	fclose(search.out);
	return text;
}
