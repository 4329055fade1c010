// SPDX-License-Identifier: BSD-2-Clause
#include "hello/look.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "hello/screen.h"
#include "hello/tool.h"

#define ARGUMENTS_MAX 16

static bool is_about_interfaces(const char *const *argv)
{
	return !strcmp(argv[0], "ip") || (argv[1] && !strcmp(argv[1], "net"));
}

void look_show(const struct session *session, const char *const *argv)
{
	CLEANUP_FREE char *text = tool_text(argv);

	if (session->namespace && is_about_interfaces(argv))
		screen_command("nsenter --net=/run/netns/%s %s", session->namespace, text);
	else
		screen_command("%s", text);
}

/* The command under the name that the tool has here. Returns 0, -ENOENT when it is not installed, or what tool_run
 * says. */
static int find_and_run(const struct session *session, const char *const *argv, char **output, int *status)
{
	CLEANUP_FREE char *name = tool_find(argv[0]);
	const char *command[ARGUMENTS_MAX] = { name };

	if (!name) {
		look_show(session, argv);
		return -ENOENT;
	}
	for (size_t i = 1; i + 1 < ARGUMENTS_MAX && argv[i]; i++)
		command[i] = argv[i];
	look_show(session, command);
	return tool_run(command, session->folder, output, status);
}

bool look_into(const struct session *session, const char *const *argv, char **output, int *status)
{
	int err;

	*output = NULL;
	err = find_and_run(session, argv, output, status);
	if (err == -ENOENT)
		screen_say("(%s is not in PATH here; what Sluice reads itself:)", argv[0]);
	else if (err && err != -EINTR)
		screen_say("(%s did not run: %s; what Sluice reads itself:)", argv[0], strerror(-err));
	return !err || err == -EINTR;
}

bool look(const struct session *session, const char *const *argv)
{
	CLEANUP_FREE char *output = NULL;
	int status = 0;

	if (!look_into(session, argv, &output, &status))
		return false;
	screen_output(output ?: "", LOOK_LINES);
	if (status)
		screen_say("(%s failed; what Sluice reads itself:)", argv[0]);
	return !status;
}

static char *map_ids_text(const struct session *session)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	for (uint32_t i = 0; i < session->map_count; i++)
		fprintf(out, "%c%u", i ? ',' : ' ', session->map_ids[i]);
	fclose(out);
	return text;
}

void look_program(const struct session *session)
{
	CLEANUP_FREE char *id = xasprintf("%u", session->program_id);
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	CLEANUP_FREE char *own = NULL;
	char tag[2 * BPF_TAG_SIZE + 1];
	CLEANUP_FREE char *ids = map_ids_text(session);

	if (look(session, (const char *[]){ "bpftool", "prog", "show", "id", id, NULL }))
		return;
	if (bpf_obj_get_info_by_fd(session->program, &info, &size))
		return;
	for (int i = 0; i < BPF_TAG_SIZE; i++)
		snprintf(tag + 2 * i, 3, "%02x", info.tag[i]);
	own = xasprintf("id %u  type %s  name %s  tag %s  xlated %u bytes  jited %u bytes  map_ids%s", info.id,
			libbpf_bpf_prog_type_str(info.type), info.name, tag, info.xlated_prog_len, info.jited_prog_len,
			ids);
	screen_output(own, LOOK_LINES);
}
