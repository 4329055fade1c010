// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "datapath/namespaces.h"

#define BPFFS "/sys/fs/bpf"
#define LOCK_TRIES 100 /* each means that someone removed ROOT between our open and our lock */

#define LOCK_SECONDS 30 /* no change takes longer: a million prefixes and a hundred thousand rules take a few */
#define LOCK_PAUSE_MS 20

/* 1 when it is, 0 when it is not, a negative errno when that cannot be told. */
static int is_bpffs(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	return (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/* The id of a process's first mount: mount namespaces share none. -1 when the kernel does not tell. */
static int first_mount(const char *mountinfo)
{
	CLEANUP_FILE FILE *in = fopen(mountinfo, "re");
	int id;

	return in && fscanf(in, "%d", &id) == 1 ? id : -1;
}

/* A mount made in a namespace of its own goes away with its last process, and every pin in it. (/proc/1/ns/mnt would be
 * the direct question, but takes more rights than root in a container may have.) */
static bool mount_namespace_is_private(void)
{
	int init = first_mount("/proc/1/mountinfo");

	return init < 0 || init != first_mount("/proc/self/mountinfo");
}

/* A second mount on top of the first would hide all that is pinned there: whoever wants to mount locks the folder that
 * is beneath, and looks again. Returns 0 or a negative errno. */
static int mount_bpffs(void)
{
	CLEANUP_FD int beneath = open(BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int is_there;

	if (beneath < 0 || flock(beneath, LOCK_EX))
		return -errno;
	is_there = is_bpffs(BPFFS);
	if (is_there)
		return is_there < 0 ? is_there : 0;
	return mount("bpf", BPFFS, "bpf", 0, "mode=0700") ? -errno : 0;
}

/* Makes sure that what is pinned stays, and that what is not found is not there. */
static int check_bpffs(const char *root, enum access access, struct error *error)
{
	CLEANUP_FREE char *parent = xstrdup(root);
	char *slash = strrchr(parent, '/');
	int is_there, err;

	if (slash && slash != parent)
		*slash = '\0';
	is_there = is_bpffs(parent);
	if (is_there < 0)
		return error_set(error, -is_there, "cannot look at %s: %s", parent, strerror(-is_there));
	if (is_there)
		return 0;
	if (strcmp(parent, BPFFS)) {
		error_set(error, EINVAL, "%s: %s is no BPF file system", root, parent);
		error_hint(error, "SLUICE_BPFFS has to name a folder right below one");
		return -EINVAL;
	}
	if (mount_namespace_is_private()) {
		error_set(error, EINVAL, "no BPF file system at " BPFFS " in this mount namespace");
		error_hint(error, "\"ip netns exec\" makes such a one, and what is pinned there is lost with it; use: "
				  "sluice -n NETNS …");
		return -EINVAL;
	}
	if (access != WRITE)
		return 0;
	err = mount_bpffs();
	if (err)
		return error_set(error, -err, "cannot mount the BPF file system at " BPFFS ": %s", strerror(-err));
	return 0;
}

/* Waits as long as a change can take, and no longer: whoever was stopped while it holds the lock gives it back never.
 * Returns 0 or a negative errno. */
static int lock(int fd, enum access access)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };

	for (int waited = 0; waited < LOCK_SECONDS * 1000; waited += LOCK_PAUSE_MS) {
		if (!flock(fd, (access == WRITE ? LOCK_EX : LOCK_SH) | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return -EWOULDBLOCK;
}

/* The process that holds a lock on the folder, as the kernel lists them; 0: it does not tell. */
static int lock_holder(int fd)
{
	CLEANUP_FILE FILE *in = fopen("/proc/locks", "re");
	unsigned long long inode;
	struct stat status;
	char line[256];
	int pid;

	if (!in || fstat(fd, &status))
		return 0;
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%*d: FLOCK %*s %*s %d %*x:%*x:%llu", &pid, &inode) == 2 && inode == status.st_ino)
			return pid;
	}
	return 0;
}

static int refuse_lock(const char *root, int fd, int err, struct error *error)
{
	int holder = err == -EWOULDBLOCK ? lock_holder(fd) : 0;

	if (err != -EWOULDBLOCK)
		return error_set(error, -err, "cannot lock %s: %s", root, strerror(-err));
	error_set(error, EBUSY, "%s is locked for %d seconds by now", root, LOCK_SECONDS);
	if (holder > 0)
		error_hint(error, "process %d does not give it back; when it is stopped: kill -CONT %d", holder,
			   holder);
	return -EBUSY;
}

/* Locks ROOT itself. It may have been removed while we waited, by the last `down`: then there is another by now. */
static int lock_root(struct pins *pins, enum access access, struct error *error)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		struct stat held, there;
		int fd, err;

		if (access == WRITE && mkdir(pins->root, 0700) && errno != EEXIST)
			return error_set(error, errno, "cannot make %s: %s", pins->root, strerror(errno));
		fd = open(pins->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && access == READ)
			return 0;
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0) {
			err = errno;
			error_set(error, err, "cannot open %s: %s", pins->root, strerror(err));
			if (err == EACCES)
				error_hint(error, "this needs root");
			return -err;
		}
		err = lock(fd, access);
		if (err) {
			err = refuse_lock(pins->root, fd, err, error);
			close(fd);
			return err;
		}
		if (!fstat(fd, &held) && !stat(pins->root, &there) && held.st_ino == there.st_ino) {
			pins->lock = fd;
			return 0;
		}
		close(fd);
	}
	return error_set(error, EBUSY, "%s comes and goes; another program removes it", pins->root);
}

int pins_open(enum access access, struct pins *pins, struct error *error)
{
	const char *override = getenv("SLUICE_BPFFS");
	uint64_t cookie;
	int err;

	*pins = (struct pins){ .lock = -1 };
	snprintf(pins->root, sizeof(pins->root), "%s", override && *override ? override : BPFFS "/sluice");
	err = namespaces_own(&cookie, error);
	if (err)
		return err;
	if (snprintf(pins->netns, sizeof(pins->netns), "%s/%llu", pins->root, (unsigned long long)cookie) >=
	    (int)sizeof(pins->netns))
		return error_set(error, ENAMETOOLONG, "SLUICE_BPFFS is too long");
	if (access == WRITE && geteuid() != 0)
		return error_set(error, EPERM, "changing the data path needs root");
	err = check_bpffs(pins->root, access, error);
	return err || access == UNLOCKED ? err : lock_root(pins, access, error);
}

void pins_close(struct pins *pins)
{
	if (pins->lock >= 0)
		close(pins->lock);
	pins->lock = -1;
}

const char *pins_path(const struct pins *pins, char *path, const char *format, ...)
{
	int used = snprintf(path, PATH_MAX, "%s/", pins->netns);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path + used, PATH_MAX - used, format, arguments);
	va_end(arguments);
	return path;
}

static const char *translate(const char *in, char *out, char from, char to)
{
	snprintf(out, IF_NAMESIZE, "%s", in);
	for (char *c = out; *c; c++) {
		if (*c == from)
			*c = to;
	}
	return out;
}

const char *pin_of_interface(const char *name, char *out)
{
	return translate(name, out, '.', ':');
}

const char *interface_of_pin(const char *pin, char *out)
{
	return translate(pin, out, ':', '.');
}

int pins_make_folder(const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0700) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(part, 0700) && errno != EEXIST ? -errno : 0;
}

/* nftw has no argument for its callback. */
static int remove_error;

/* Goes on after a failure, to remove what can be removed. */
static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	if (remove(path) && errno != ENOENT && !remove_error)
		remove_error = errno;
	return 0;
}

int pins_remove(const char *path)
{
	remove_error = 0;
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) && errno != ENOENT && !remove_error)
		remove_error = errno;
	return -remove_error;
}

int pins_remove_all(struct pins *pins)
{
	int err = pins_remove(pins->netns);

	rmdir(pins->root); /* refused while another network namespace has something in it */
	return err;
}

/* What the kernel calls the descriptor, as in /proc/self/fd. Numbers of types overlap: 6 is an XDP program, an XDP link
 * and a per-CPU array. */
static const char *const kinds[] = {
	[PIN_MAP] = "anon_inode:bpf-map",
	[PIN_PROGRAM] = "anon_inode:bpf-prog",
	[PIN_LINK] = "anon_inode:bpf-link", /* opened; the descriptor that made the link is called bpf_link */
};

static const char *const kind_names[] = {
	[PIN_MAP] = "map",
	[PIN_PROGRAM] = "program",
	[PIN_LINK] = "link",
};

int descriptor_is(int fd, enum pin_kind kind)
{
	CLEANUP_FREE char *path = xasprintf("/proc/self/fd/%d", fd);
	char there[64] = "";

	if (readlink(path, there, sizeof(there) - 1) < 0)
		return -errno;
	return !strcmp(there, kinds[kind]);
}

/* What somebody else put where a folder or a pin of ours is to be: `where` becomes the first part of `path` that is no
 * folder, or `path` itself. */
static bool is_in_the_way(const char *path, bool is_folder, char *where)
{
	struct stat status;

	snprintf(where, PATH_MAX, "%s", path);
	for (char *slash = strchr(where + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (!lstat(where, &status) && !S_ISDIR(status.st_mode))
			return true;
		*slash = '/';
	}
	return !lstat(path, &status) && (S_ISLNK(status.st_mode) || (bool)S_ISDIR(status.st_mode) != is_folder);
}

int pins_cannot_open(const char *path, bool is_folder, int err, struct error *error)
{
	char where[PATH_MAX];

	if (!is_in_the_way(path, is_folder, where))
		return error_set(error, err, "cannot open %s: %s", path, strerror(err));
	error_set(error, EPROTO, "%s is in the way: it is not what Sluice keeps there", where);
	error_hint(error, "something else made it; remove it and apply again: rm -r %s", where);
	return -EPROTO;
}

int pin_open(const char *path, enum pin_kind kind, struct error *error)
{
	int fd = bpf_obj_get(path);
	int is_kind;

	if (fd < 0)
		return pins_cannot_open(path, false, errno, error);
	is_kind = descriptor_is(fd, kind);
	if (is_kind > 0)
		return fd;
	close(fd);
	if (is_kind < 0)
		return error_set(error, -is_kind, "cannot tell what %s is: /proc/self/fd: %s", path,
				 strerror(-is_kind));
	error_set(error, EPROTO, "%s: not a BPF %s", path, kind_names[kind]);
	error_hint(error, "something else pinned it; remove it and apply again: rm %s", path);
	return -EPROTO;
}

int pin_info(const char *path, int fd, void *info, uint32_t size, struct error *error)
{
	if (bpf_obj_get_info_by_fd(fd, info, &size))
		return error_set(error, errno, "cannot read %s: %s", path, strerror(errno));
	return 0;
}

static int by_version(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

static int is_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

char **pins_names(const char *path)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_name, by_version);
	char **names;

	if (count < 0 && errno != ENOENT)
		return NULL;
	if (count < 0)
		count = 0;
	names = xcalloc(count + 1, sizeof(*names));
	for (int i = 0; i < count; i++) {
		names[i] = xstrdup(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return names;
}

void pins_free_names(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

char **pins_list(const char *path, struct error *error)
{
	char where[PATH_MAX];
	char **names = is_in_the_way(path, true, where) ? NULL : pins_names(path);

	if (!names)
		pins_cannot_open(path, true, errno, error);
	return names;
}
