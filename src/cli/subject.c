// SPDX-License-Identifier: BSD-2-Clause
#include "cli/subject.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "packet/read.h"

static void hint_interfaces(const struct policy *policy, struct error *error)
{
	CLEANUP_FREE char *list = xstrdup("");

	for (size_t i = 0; i < policy->interface_count; i++) {
		char *longer = xasprintf("%s %s", list, policy->interfaces[i].name);

		free(list);
		list = longer;
	}
	error_hint(error, "pick one with --interface:%s", list);
}

const struct interface *pick_interface(const struct policy *policy, const char *name, struct error *error)
{
	const struct interface *picked;

	if (!name && policy->interface_count == 1)
		return &policy->interfaces[0];
	if (!name) {
		error_set(error, EINVAL, "%s has %zu interfaces", policy->path, policy->interface_count);
		hint_interfaces(policy, error);
		return NULL;
	}
	picked = policy_interface(policy, name);
	if (!picked) {
		error_set(error, ENOENT, "%s has no interface \"%s\"", policy->path, name);
		hint_interfaces(policy, error);
	}
	return picked;
}

static int open_policy(const char *path, const char *name, struct subject *subject, struct error *error)
{
	const struct interface *interface;
	struct policy *policy;
	int err = policy_load(path, &policy, error);

	if (err)
		return err;
	subject->policy = policy;
	interface = pick_interface(policy, name, error);
	if (!interface)
		return -EINVAL;
	err = compile(interface, &subject->compiled, error);
	return err ? err : judge_open(&subject->compiled, &subject->judge, error);
}

int subject_open_policy(const char *path, const char *interface, struct subject *subject, struct error *error)
{
	struct subject opened = { 0 };
	int err = open_policy(path, interface, &opened, error);

	if (err)
		subject_close(&opened);
	else
		*subject = opened;
	return err;
}

static int open_interface(const char *name, const struct pins *pins, struct subject *subject, struct error *error)
{
	const struct attachment *attachment;
	const struct generation *generation;
	CLEANUP_FD int program = -1;
	int err = running_read(pins, &subject->running, error);

	if (err)
		return err;
	attachment = running_attachment(&subject->running, name);
	generation = attachment ? running_generation(&subject->running, attachment->generation) : NULL;
	if (!generation)
		return error_set(error, ENOENT, "nothing of Sluice runs on %s", name);
	subject->described = described_interface(&generation->description, name);
	program = bpf_prog_get_fd_by_id(attachment->program_id);
	if (program < 0)
		return error_set(error, errno, "cannot open the program of %s: %s", name, strerror(errno));
	return judge_open_copy(program, generation->description.object, &subject->judge, error);
}

int subject_open_interface(const char *interface, struct subject *subject, struct error *error)
{
	struct subject opened = { 0 };
	struct pins pins;
	int err = pins_open(READ, &pins, error);

	if (err)
		return err;
	err = open_interface(interface, &pins, &opened, error);
	pins_close(&pins);
	if (err)
		subject_close(&opened);
	else
		*subject = opened;
	return err;
}

void subject_close(struct subject *subject)
{
	judge_close(&subject->judge);
	compiled_free(&subject->compiled);
	policy_free(subject->policy);
	running_free(&subject->running);
	*subject = (struct subject){ 0 };
}

bool subject_find_rule(const struct subject *subject, uint32_t slot, struct subject_rule *out)
{
	if (subject->described) {
		const struct described_rule *rule = described_rule(subject->described, slot);

		if (rule)
			*out = (struct subject_rule){ rule->text, rule->file, rule->line };
		return rule != NULL;
	}
	if (slot >= subject->compiled.rule_count)
		return false;
	const struct rule *rule = &subject->compiled.rules[slot];

	*out = (struct subject_rule){ rule->text, rule->where.file, rule->where.line };
	return true;
}

static void add_rule(json_t *json, const char *place, const char *text, const struct subject_rule *rule)
{
	CLEANUP_FREE char *where = xasprintf("%s:%d", rule->file, rule->line);

	json_object_set_new(json, place, json_string(where));
	json_object_set_new(json, text, json_string(rule->text));
}

static void add_output(json_t *json, const struct judge *judge)
{
	CLEANUP_FREE char *hex = xcalloc(judge->output_length + 1, 2);

	for (size_t i = 0; i < judge->output_length; i++)
		sprintf(hex + 2 * i, "%02x", judge->output[i]);
	json_object_set_new(json, "output", json_string(hex));
}

json_t *subject_judge(struct subject *subject, const void *frame, size_t length, size_t wire_length,
		      struct record *record, struct error *error)
{
	struct subject_rule rule;
	json_t *json;

	if (judge_frame(&subject->judge, frame, length, wire_length, record, error))
		return NULL;
	json = record_json(record, wire_length);
	if (subject_find_rule(subject, record->rule, &rule))
		add_rule(json, "rule", "rule_text", &rule);
	if (record->limit && subject_find_rule(subject, record->limit - 1, &rule))
		add_rule(json, "limit", "limit_text", &rule);
	if (judge_rewrote(&subject->judge))
		add_output(json, &subject->judge);
	return json;
}
