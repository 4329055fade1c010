// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/description.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <jansson.h>

#include "base/memory.h"
#include "datapath/pins.h"

#define MAGIC 0x43554c53 /* "SLUC" */

struct header {
	uint32_t magic;
	uint32_t schema;
	uint32_t length; /* of the JSON behind it */
	uint32_t reserved;
};

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

/* Arrays side by side, not an object for each rule: there may be a hundred thousand. Files are told by number. */
static json_t *rules_to_json(const struct described_interface *interface)
{
	json_t *rules = json_pack("{s:[], s:[], s:[], s:[], s:[], s:[], s:[], s:[]}", "files", "text", "file", "line",
				  "set", "counter", "service", "slot");
	json_t *files = json_object_get(rules, "files");
	const char *last = NULL;

	for (size_t i = 0; rules && i < interface->rule_count; i++) {
		const struct described_rule *rule = &interface->rules[i];

		if (!last || strcmp(last, rule->file))
			json_array_append_new(files, json_string(rule->file));
		last = rule->file;
		json_array_append_new(json_object_get(rules, "text"), json_string(rule->text));
		json_array_append_new(json_object_get(rules, "file"), json_integer(json_array_size(files) - 1));
		json_array_append_new(json_object_get(rules, "line"), json_integer(rule->line));
		json_array_append_new(json_object_get(rules, "set"), text_or_null(rule->set));
		json_array_append_new(json_object_get(rules, "counter"), text_or_null(rule->counter));
		json_array_append_new(json_object_get(rules, "service"), json_integer((json_int_t)rule->service));
		json_array_append_new(json_object_get(rules, "slot"), json_integer(rule->slot));
	}
	return rules;
}

static json_t *bans_to_json(const struct described_interface *interface)
{
	json_t *bans = json_array();

	for (size_t i = 0; i < DYNAMIC_MAX && interface->bans[i]; i++)
		json_array_append_new(bans, json_string(interface->bans[i]));
	return bans;
}

static json_t *to_json(const struct description *description)
{
	json_t *interfaces = json_array();
	json_t *sets = json_array();

	for (size_t i = 0; i < description->interface_count; i++) {
		const struct described_interface *interface = &description->interfaces[i];

		json_array_append_new(interfaces,
				      json_pack("{s:s, s:i, s:s, s:o, s:o}", "name", interface->name, "mode",
						(int)interface->mode, "digest", interface->digest, "rules",
						rules_to_json(interface), "bans", bans_to_json(interface)));
	}
	for (size_t i = 0; i < description->set_count; i++) {
		const struct described_set *set = &description->sets[i];

		json_array_append_new(sets,
				      json_pack("{s:s, s:s*, s:I, s:s, s:I, s:I}", "name", set->name, "file", set->file,
						"prefixes", (json_int_t)set->prefixes, "digest", set->digest, "size",
						(json_int_t)set->size, "timeout", (json_int_t)set->timeout));
	}
	return json_pack("{s:i, s:I, s:s, s:s, s:s, s:o, s:o}", "generation", (int)description->generation, "applied",
			 (json_int_t)description->applied, "path", description->path, "policy", description->policy,
			 "object", description->object, "interfaces", interfaces, "sets", sets);
}

int description_pin(const struct description *description, const char *path, struct error *error)
{
	json_t *json = to_json(description);
	CLEANUP_FREE char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	CLEANUP_FREE char *value = NULL;
	CLEANUP_FD int fd = -1;
	struct header header = { .magic = MAGIC, .schema = SCHEMA };
	size_t size;

	json_decref(json);
	if (!text)
		return error_set(error, EILSEQ, "the policy holds bytes that are not UTF-8");
	header.length = strlen(text);
	size = sizeof(header) + header.length;
	value = xcalloc(1, size);
	memcpy(value, &header, sizeof(header));
	memcpy(value + sizeof(header), text, header.length);

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sluice_policy", sizeof(uint32_t), size, 1, NULL);
	if (fd < 0)
		return error_set(error, errno, "cannot keep the description of the policy: %s", strerror(errno));
	if (bpf_map_update_elem(fd, &(uint32_t){ 0 }, value, BPF_ANY) || bpf_obj_pin(fd, path))
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

static int refuse(struct error *error, const char *path, const char *why)
{
	error_set(error, EPROTO, "%s: %s", path, why);
	error_hint(error,
		   "use the version of Sluice that made it; or remove the folder it is in, while what runs goes on, "
		   "and apply again: rm -r %.*s",
		   (int)(strrchr(path, '/') - path), path);
	return -EPROTO;
}

static char *string_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? xstrdup(text) : NULL;
}

static void copy_digest(char *digest, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(digest, DIGEST_TEXT_MAX, "%s", text ? text : "");
}

static char *text_of(const json_t *array, size_t index)
{
	const char *text = json_string_value(json_array_get(array, index));

	return text ? xstrdup(text) : NULL;
}

static json_int_t number_of(const json_t *array, size_t index)
{
	return json_integer_value(json_array_get(array, index));
}

static void read_rules(struct described_interface *interface, const json_t *rules)
{
	const json_t *texts = json_object_get(rules, "text");
	const json_t *files = json_object_get(rules, "files");
	const json_t *file = json_object_get(rules, "file");
	const json_t *lines = json_object_get(rules, "line");
	const json_t *sets = json_object_get(rules, "set");
	const json_t *counters = json_object_get(rules, "counter");
	const json_t *services = json_object_get(rules, "service");
	const json_t *slots = json_object_get(rules, "slot");

	interface->rule_count = json_array_size(texts);
	interface->rules = xcalloc(interface->rule_count, sizeof(*interface->rules));
	for (size_t i = 0; i < interface->rule_count; i++)
		interface->rules[i] = (struct described_rule){
			.text = text_of(texts, i),
			.file = text_of(files, number_of(file, i)),
			.line = number_of(lines, i),
			.set = text_of(sets, i),
			.counter = text_of(counters, i),
			.service = (uint64_t)number_of(services, i),
			.slot = number_of(slots, i),
		};
}

static void read_bans(struct described_interface *interface, const json_t *bans)
{
	for (size_t i = 0; i < DYNAMIC_MAX; i++)
		interface->bans[i] = text_of(bans, i);
}

static void from_json(const json_t *json, struct description *out)
{
	const json_t *interfaces = json_object_get(json, "interfaces");
	const json_t *sets = json_object_get(json, "sets");

	*out = (struct description){
		.generation = json_integer_value(json_object_get(json, "generation")),
		.applied = json_integer_value(json_object_get(json, "applied")),
		.path = string_of(json, "path"),
		.policy = string_of(json, "policy"),
		.interface_count = json_array_size(interfaces),
		.set_count = json_array_size(sets),
	};
	copy_digest(out->object, json, "object");
	out->interfaces = xcalloc(out->interface_count, sizeof(*out->interfaces));
	for (size_t i = 0; i < out->interface_count; i++) {
		const json_t *interface = json_array_get(interfaces, i);

		out->interfaces[i].name = string_of(interface, "name");
		out->interfaces[i].mode = json_integer_value(json_object_get(interface, "mode"));
		copy_digest(out->interfaces[i].digest, interface, "digest");
		read_rules(&out->interfaces[i], json_object_get(interface, "rules"));
		read_bans(&out->interfaces[i], json_object_get(interface, "bans"));
	}
	out->sets = xcalloc(out->set_count, sizeof(*out->sets));
	for (size_t i = 0; i < out->set_count; i++) {
		const json_t *set = json_array_get(sets, i);

		out->sets[i].name = string_of(set, "name");
		out->sets[i].file = string_of(set, "file");
		out->sets[i].prefixes = json_integer_value(json_object_get(set, "prefixes"));
		out->sets[i].size = json_integer_value(json_object_get(set, "size"));
		out->sets[i].timeout = json_integer_value(json_object_get(set, "timeout"));
		copy_digest(out->sets[i].digest, set, "digest");
	}
}

/* Every string that the code below the description relies on. */
static bool is_whole(const struct description *description)
{
	if (!description->path || !description->policy)
		return false;
	for (size_t i = 0; i < description->set_count; i++) {
		if (!description->sets[i].name)
			return false;
	}
	for (size_t i = 0; i < description->interface_count; i++) {
		const struct described_interface *interface = &description->interfaces[i];

		if (!interface->name || interface->mode > MODE_OFFLOAD)
			return false;
		for (size_t r = 0; r < interface->rule_count; r++) {
			if (!interface->rules[r].text || !interface->rules[r].file)
				return false;
		}
	}
	return true;
}

int description_read(const char *path, struct description *description, struct error *error)
{
	CLEANUP_FD int fd = pin_open(path, PIN_MAP, error);
	CLEANUP_FREE char *value = NULL;
	struct bpf_map_info info = {};
	struct description read;
	struct header header;
	json_t *json;
	int err = fd < 0 ? fd : pin_info(path, fd, &info, sizeof(info), error);

	if (err)
		return err;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size < sizeof(header) || info.max_entries != 1)
		return refuse(error, path, "this is not a description by Sluice");
	value = xcalloc(1, info.value_size + 8); /* the kernel rounds values up to 8 bytes */
	if (bpf_map_lookup_elem(fd, &(uint32_t){ 0 }, value))
		return error_set(error, errno, "cannot read %s: %s", path, strerror(errno));
	memcpy(&header, value, sizeof(header));
	if (header.magic != MAGIC)
		return refuse(error, path, "this is not a description by Sluice");
	if (header.schema != SCHEMA) {
		char why[96];

		snprintf(why, sizeof(why), "schema %u; this version of Sluice reads and writes schema %d",
			 header.schema, SCHEMA);
		return refuse(error, path, why);
	}
	if (header.length > info.value_size - sizeof(header))
		return refuse(error, path, "the description is damaged");
	json = json_loadb(value + sizeof(header), header.length, 0, NULL);
	if (!json)
		return refuse(error, path, "the description is damaged");
	from_json(json, &read);
	json_decref(json);
	if (!is_whole(&read)) {
		description_free(&read);
		return refuse(error, path, "the description is damaged");
	}
	*description = read;
	return 0;
}

void description_free(struct description *description)
{
	for (size_t i = 0; i < description->interface_count; i++) {
		struct described_interface *interface = &description->interfaces[i];

		for (size_t r = 0; r < interface->rule_count; r++) {
			free(interface->rules[r].text);
			free(interface->rules[r].file);
			free(interface->rules[r].set);
			free(interface->rules[r].counter);
		}
		for (size_t b = 0; b < DYNAMIC_MAX; b++)
			free(interface->bans[b]);
		free(interface->rules);
		free(interface->name);
	}
	free(description->interfaces);
	for (size_t i = 0; i < description->set_count; i++) {
		free(description->sets[i].name);
		free(description->sets[i].file);
	}
	free(description->sets);
	free(description->path);
	free(description->policy);
	*description = (struct description){ 0 };
}

bool description_same(const struct description *a, const struct description *b)
{
	if (strcmp(a->object, b->object) || a->interface_count != b->interface_count || strcmp(a->path, b->path) ||
	    strcmp(a->policy, b->policy))
		return false;
	for (size_t i = 0; i < a->interface_count; i++) {
		const struct described_interface *match = described_interface(b, a->interfaces[i].name);

		if (!match || strcmp(match->digest, a->interfaces[i].digest))
			return false;
	}
	return true;
}

const struct described_interface *described_interface(const struct description *description, const char *name)
{
	for (size_t i = 0; i < description->interface_count; i++) {
		if (!strcmp(description->interfaces[i].name, name))
			return &description->interfaces[i];
	}
	return NULL;
}

const struct described_rule *described_rule(const struct described_interface *interface, uint32_t slot)
{
	for (size_t i = 0; i < interface->rule_count; i++) {
		if (interface->rules[i].slot == slot)
			return &interface->rules[i];
	}
	return NULL;
}
