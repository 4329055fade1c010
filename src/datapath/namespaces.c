// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/namespaces.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

#define OWN "/proc/self/ns/net"

int namespaces_own(uint64_t *cookie, struct error *error)
{
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &size))
		return error_set(error, errno, "cannot tell which network namespace this is: %s", strerror(errno));
	return 0;
}

/* Each is looked at once, however many are in it: by its inode in nsfs. */
struct finding {
	struct namespaces *found;
	ino_t *seen;
	size_t count, capacity;
	int own; /* the way back */
};

static bool is_new(struct finding *finding, ino_t inode)
{
	for (size_t i = finding->count; i-- > 0;) {
		if (finding->seen[i] == inode)
			return false;
	}
	finding->seen = xgrow(finding->seen, finding->count, &finding->capacity, sizeof(*finding->seen));
	finding->seen[finding->count++] = inode;
	return true;
}

/* One that has gone meanwhile is none; and where not even root may look at a process (another container's, mostly), its
 * mount is what its namespace is known by. */
static int look_into(struct finding *finding, const char *path)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct namespaces *found = finding->found;
	struct error error;
	struct stat status;
	uint64_t cookie;
	int err;

	if (fd < 0 || fstat(fd, &status))
		return errno == ENOENT || errno == ESRCH || errno == EACCES || errno == EPERM ? 0 : -errno;
	if (!is_new(finding, status.st_ino))
		return 0;
	if (setns(fd, CLONE_NEWNET))
		return errno == EINVAL ? 0 : -errno; /* a namespace of another kind, or a file */
	err = namespaces_own(&cookie, &error);
	if (setns(finding->own, CLONE_NEWNET))
		abort(); /* whatever came next would be done to the wrong machine */
	if (err)
		return err;
	found->cookies = xgrow(found->cookies, found->count, &found->capacity, sizeof(*found->cookies));
	found->cookies[found->count++] = cookie;
	return 0;
}

static int look_at_processes(struct finding *finding)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	int err = folder ? 0 : -errno;

	while (!err && (entry = readdir(folder))) {
		char path[sizeof("/proc//ns/net") + sizeof(entry->d_name)];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		err = look_into(finding, path);
	}
	if (folder)
		closedir(folder);
	return err;
}

/* "\040" for a blank, and so on: proc_pid_mountinfo(5). */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		unsigned byte;

		if (*from == '\\' && sscanf(from + 1, "%3o", &byte) == 1) {
			*to = (char)byte;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* "44 25 0:4 net:[4026532567] /run/netns/red rw shared:2 - nsfs nsfs rw" */
static int look_at_mounts(struct finding *finding)
{
	CLEANUP_FILE FILE *file = fopen("/proc/self/mountinfo", "re");
	CLEANUP_FREE char *line = NULL;
	size_t size = 0;
	int err = file ? 0 : -errno;

	while (!err && getline(&line, &size, file) > 0) {
		int from = 0, to = 0;

		if (sscanf(line, "%*u %*u %*s net:[%*[0-9]] %n%*s%n", &from, &to) < 0 || !to)
			continue;
		line[to] = '\0';
		unescape(line + from);
		err = look_into(finding, line + from);
	}
	return err;
}

int namespaces_find(struct namespaces *out)
{
	struct namespaces found = { 0 };
	struct finding finding = { .found = &found, .own = open(OWN, O_RDONLY | O_CLOEXEC) };
	int err = finding.own < 0 ? -errno : look_at_processes(&finding);

	if (!err)
		err = look_at_mounts(&finding);
	cleanup_close(&finding.own);
	free(finding.seen);
	if (err)
		namespaces_free(&found);
	else
		*out = found;
	return err;
}

bool namespaces_have(const struct namespaces *namespaces, uint64_t cookie)
{
	for (size_t i = 0; i < namespaces->count; i++) {
		if (namespaces->cookies[i] == cookie)
			return true;
	}
	return false;
}

void namespaces_free(struct namespaces *namespaces)
{
	free(namespaces->cookies);
	*namespaces = (struct namespaces){ 0 };
}
