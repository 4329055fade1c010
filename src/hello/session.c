// SPDX-License-Identifier: BSD-2-Clause
#include "hello/session.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "datapath/attach.h"
#include "datapath/log.h"
#include "datapath/pins.h"
#include "hello.skel.h"
#include "hello/wait.h"
#include "hello_source.h"

#define UNLOAD_MILLISECONDS 2000 /* the kernel frees programs a little after they were let go */
#define UNLOAD_PAUSE 20

const void *hello_object(size_t *size)
{
	return hello_bpf__elf_bytes(size);
}

static void name_near_interfaces(const char *name, struct error *error)
{
	struct if_nameindex *interfaces = if_nameindex();
	const char *names[256];
	size_t count = 0;

	for (size_t i = 0; interfaces && interfaces[i].if_index && count < 256; i++)
		names[count++] = interfaces[i].if_name;
	if (nearest(name, names, count))
		error_hint(error, "did you mean %s?", nearest(name, names, count));
	else
		error_hint(error, "`ip link` lists the interfaces");
	if (interfaces)
		if_freenameindex(interfaces);
}

static int find_interface(struct session *session, struct error *error)
{
	const char *name = session->options->interface;

	session->ifindex = if_nametoindex(name);
	if (session->ifindex)
		return 0;
	error_set(error, ENODEV, "there is no interface %s here", name);
	name_near_interfaces(name, error);
	return -ENODEV;
}

static bool is_same_file(const char *left, const char *right)
{
	struct stat a, b;

	return !stat(left, &a) && !stat(right, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* `ip netns` keeps a file for each namespace it names; NULL when ours is the one of process 1, or has no name. */
static char *name_of_namespace(void)
{
	char **names = pins_names("/run/netns");
	char *found = NULL;

	for (size_t i = 0; names && names[i] && !found; i++) {
		CLEANUP_FREE char *path = xasprintf("/run/netns/%s", names[i]);

		if (is_same_file("/proc/self/ns/net", path) && !is_same_file("/proc/1/ns/net", path))
			found = xstrdup(names[i]);
	}
	pins_free_names(names);
	return found;
}

/* The lock of a folder of pins: -EWOULDBLOCK while the run that made it is alive. */
static int lock_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	close(fd);
	return -EWOULDBLOCK;
}

static void note_stale(struct session *session, const char *key)
{
	char *noted = session->stale;

	session->stale = xasprintf("%s%s%s", noted ?: "", noted ? ", " : "", key);
	free(noted);
}

/* What killed runs have left. Needs the lock of ROOT: a folder that is there and not locked has nobody. */
static void remove_stale(struct session *session, const struct pins *pins)
{
	char **names = pins_names(pins->root);

	for (size_t i = 0; names && names[i]; i++) {
		CLEANUP_FREE char *path = xasprintf("%s/%s", pins->root, names[i]);
		CLEANUP_FD int lock = -1;

		if (!strncmp(names[i], "hello-", strlen("hello-")))
			lock = lock_folder(path);
		if (lock < 0)
			continue;
		pins_remove(path);
		trace_remove(names[i]);
		note_stale(session, names[i]);
	}
	pins_free_names(names);
}

static int make_pins(struct session *session, const struct pins *pins, struct error *error)
{
	const char *cookie = strrchr(pins->netns, '/') + 1;
	const char *interface = session->options->interface;
	CLEANUP_FREE char *path = NULL;
	char name[IF_NAMESIZE];

	session->key = xasprintf("hello-%s-%s", cookie, pin_of_interface(interface, name));
	path = xasprintf("%s/%s", pins->root, session->key);
	if (mkdir(path, 0700)) {
		if (errno != EEXIST)
			return error_set(error, errno, "cannot make %s: %s", path, strerror(errno));
		error_set(error, EBUSY, "another sluice hello is at work on %s", interface);
		error_hint(error, "wait for it to end, or end it; %s is its own", path);
		return -EBUSY;
	}
	session->pins = xstrdup(path);
	session->lock = lock_folder(path);
	if (session->lock < 0)
		return error_set(error, -session->lock, "cannot lock %s: %s", path, strerror(-session->lock));
	return 0;
}

static int open_pins(struct session *session, struct error *error)
{
	struct pins pins;
	int err = pins_open(WRITE, &pins, error);

	if (err)
		return err;
	remove_stale(session, &pins);
	err = make_pins(session, &pins, error);
	pins_close(&pins);
	return err;
}

static int write_file(const char *folder, const char *name, const void *bytes, size_t size, struct error *error)
{
	CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
	CLEANUP_FILE FILE *out = fopen(path, "we");

	if (!out || fwrite(bytes, 1, size, out) != size || fflush(out))
		return error_set(error, errno, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

static int make_folder(struct session *session, struct error *error)
{
	const char *parent = getenv("TMPDIR");
	char *folder = xasprintf("%s/sluice-hello-XXXXXX", parent && *parent ? parent : "/tmp");
	size_t size;
	const void *object = hello_object(&size);
	int err;

	if (!mkdtemp(folder)) {
		error_set(error, errno, "cannot make a folder %s: %s", folder, strerror(errno));
		err = -errno;
		free(folder);
		return err;
	}
	session->folder = folder;
	err = write_file(folder, "hello.bpf.c", hello_source, sizeof(hello_source), error);
	return err ?: write_file(folder, "hello.bpf.o", object, size, error);
}

/* From the file, as every other loader does it: libbpf calls the maps after it. */
static int open_object(struct session *session, struct error *error)
{
	CLEANUP_FREE char *path = xasprintf("%s/hello.bpf.o", session->folder);
	int err;

	log_start();
	session->object = bpf_object__open_file(path, NULL);
	if (session->object)
		return 0;
	err = errno;
	return error_set(error, err, "cannot open %s: %s", path, strerror(err));
}

static int check_free(const struct session *session, struct error *error)
{
	const char *name = session->options->interface;
	int err = attach_check_free(session->ifindex, name, error);

	if (err == -EBUSY)
		error_hint(error, "if it is a policy of Sluice: sluice down %s", name);
	return err;
}

int session_open(const struct hello_options *options, struct session *session, struct error *error)
{
	int err;

	*session = (struct session){
		.options = options,
		.lock = -1,
		.program = -1,
		.counter = -1,
		.link = -1,
		.trace = TRACE_CLOSED,
	};
	if (geteuid() != 0) {
		error_set(error, EPERM, "hello needs root: it loads a program into the kernel");
		error_hint(error, "run: sudo sluice hello %s", options->interface);
		return -EPERM;
	}
	session->namespace = name_of_namespace();
	err = find_interface(session, error);
	if (!err)
		err = check_free(session, error);
	if (!err)
		err = open_pins(session, error);
	if (!err)
		err = make_folder(session, error);
	if (!err)
		err = open_object(session, error);
	if (err)
		session_close(session);
	return err;
}

void session_close(struct session *session)
{
	struct error ignored;

	session_detach(session, &ignored);
	trace_close(&session->trace);
	session_unload(session);
	if (session->pins) {
		char *slash = strrchr(session->pins, '/');

		pins_remove(session->pins);
		*slash = '\0';
		rmdir(session->pins); /* ROOT; refused while there is anything else in it */
	}
	if (session->lock >= 0)
		close(session->lock);
	if (session->folder)
		pins_remove(session->folder);
	free(session->namespace);
	free(session->key);
	free(session->stale);
	free(session->pins);
	free(session->folder);
}

static void read_ids(struct session *session)
{
	struct bpf_prog_info info = {
		.map_ids = (uintptr_t)session->map_ids,
		.nr_map_ids = HELLO_MAPS_MAX,
	};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(session->program, &info, &size))
		return;
	session->program_id = info.id;
	session->verified_instructions = info.verified_insns;
	session->map_count = info.nr_map_ids < HELLO_MAPS_MAX ? info.nr_map_ids : HELLO_MAPS_MAX;
}

int session_load(struct session *session, struct error *error)
{
	struct bpf_program *program = bpf_object__find_program_by_name(session->object, "hello");
	int err;

	log_start();
	err = bpf_object__load(session->object);
	if (err) {
		error_set(error, -err, "the kernel refused to load hello.bpf.o: %s", strerror(-err));
		log_hint(error);
		return err;
	}
	session->program = bpf_program__fd(program);
	session->counter = bpf_object__find_map_fd_by_name(session->object, ".bss");
	read_ids(session);
	session->pin = xasprintf("%s/hello", session->pins);
	if (bpf_obj_pin(session->program, session->pin))
		return error_set(error, errno, "cannot pin the program at %s: %s", session->pin, strerror(errno));
	return 0;
}

int session_attach(struct session *session, struct error *error)
{
	const char *name = session->options->interface;
	enum mode mode = session->options->generic ? MODE_GENERIC : MODE_NATIVE;
	int err;

	/* First, so that no line is lost. Without it the walk still has the counter to show. */
	if (trace_open(&session->trace, session->key, &session->trace_error))
		trace_close(&session->trace);
	/* Someone may have come since the walk began. */
	err = check_free(session, error);
	if (err)
		return err;
	session->link = attach_create(session->ifindex, name, mode, session->program, error);
	if (session->link >= 0)
		return 0;
	if (mode == MODE_NATIVE)
		error_hint(error, "here: sluice hello %s --generic", name);
	return session->link;
}

int session_detach(struct session *session, struct error *error)
{
	int err = 0;

	if (session->link < 0)
		return 0;
	/* Closing alone would leave the detaching to a kernel thread, a moment later. An interface that has gone away
	 * has taken the attachment with it. */
	if (bpf_link_detach(session->link) && errno != ENOLINK && errno != ENODEV)
		err = error_set(error, errno, "cannot detach from %s: %s", session->options->interface,
				strerror(errno));
	close(session->link);
	session->link = -1;
	return err;
}

void session_unload(struct session *session)
{
	if (session->pin)
		unlink(session->pin);
	free(session->pin);
	session->pin = NULL;
	bpf_object__close(session->object);
	session->object = NULL;
	session->program = -1;
	session->counter = -1;
}

int session_count(const struct session *session, uint64_t *packets)
{
	uint32_t only = 0;

	return bpf_map_lookup_elem(session->counter, &only, packets) ? -errno : 0;
}

int session_program_lives(const struct session *session)
{
	int64_t deadline = wait_clock() + UNLOAD_MILLISECONDS;

	while (wait_clock() < deadline) {
		CLEANUP_FD int fd = bpf_prog_get_fd_by_id(session->program_id);
		int err;

		if (fd < 0)
			return errno == ENOENT ? 0 : -errno;
		err = wait_for(-1, wait_clock() + UNLOAD_PAUSE);
		if (err)
			return err;
	}
	return 1;
}
