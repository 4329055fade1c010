// SPDX-License-Identifier: BSD-2-Clause
#include "policy/policy.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/memory.h"
#include "base/text.h"
#include "policy/check.h"
#include "policy/macro.h"
#include "policy/parse.h"
#include "parser.h"
#include "lexer.h"

/* Larger than anybody writes, small enough for the lexer's lengths; long lists belong in set files. */
#define POLICY_MAX (64UL << 20)

static void cleanup_policy(struct policy **policy)
{
	policy_free(*policy);
}
#define CLEANUP_POLICY __attribute__((cleanup(cleanup_policy)))

/* As the policy's own path, which a set file stands beside; an absolute path is itself. */
static char *resolve(const char *policy_path, const char *path)
{
	const char *slash = strrchr(policy_path, '/');

	if (path[0] == '/' || !slash)
		return xstrdup(path);
	return xasprintf("%.*s/%s", (int)(slash - policy_path), policy_path, path);
}

static int read_set_files(struct policy *policy, struct error *error)
{
	for (size_t i = 0; i < policy->set_count; i++) {
		struct set *set = policy->sets[i];
		CLEANUP_FREE char *path = NULL;
		int err;

		if (!set->path)
			continue;
		path = resolve(policy->path, set->path);
		err = prefixes_read(&set->prefixes, path, set->path_where, error);
		if (err)
			return err;
	}
	return 0;
}

static int parse_text(const char *text, size_t length, const char *file, struct policy *policy, struct error *error)
{
	struct parse parse = {
		.policy = policy,
		.error = error,
		.at = { .file = file, .line = 1, .column = 1 },
		.text = text,
		.end = text + length,
		.ready = file != policy->path,
	};
	void *scanner;
	int failed;

	if (yylex_init_extra(&parse, &scanner))
		return error_set(error, ENOMEM, "out of memory");
	yy_scan_bytes(text, (int)length, scanner);
	failed = yyparse(scanner, &parse);
	yylex_destroy(scanner);
	build_end(&parse);
	return failed ? -EINVAL : 0;
}

/* The ready macros first: a macro is defined above where it is used. */
static int parse_all(const char *text, size_t length, struct policy *policy, struct error *error)
{
	size_t ready_length;
	const char *ready = defences_text(&ready_length);
	int err = parse_text(ready, ready_length, DEFENCES_FILE, policy, error);

	return err ? err : parse_text(text, length, policy->path, policy, error);
}

static int too_large(const char *path, struct error *error)
{
	error_at(error, (struct location){ .file = path }, "the policy is larger than %lu MiB", POLICY_MAX >> 20);
	error_hint(error, "long lists of prefixes belong in a file of their own: set NAME file \"PATH\"");
	return -EFBIG;
}

int policy_parse(const char *text, const char *path, struct policy **policy, struct error *error)
{
	CLEANUP_POLICY struct policy *result = NULL;
	size_t length = strlen(text);
	int err;

	if (length > POLICY_MAX)
		return too_large(path, error);
	result = xcalloc(1, sizeof(*result));
	result->path = xstrdup(path);
	err = parse_all(text, length, result, error);
	if (err)
		return err;
	err = policy_check(result, error);
	if (err)
		return err;
	err = read_set_files(result, error);
	if (err)
		return err;
	*policy = result;
	result = NULL;
	return 0;
}

static struct location place_of(const char *path, const char *text, size_t offset)
{
	struct location where = { .file = path, .line = 1, .column = 1 };

	for (size_t i = 0; i < offset; i++) {
		where.column++;
		if (text[i] == '\n') {
			where.line++;
			where.column = 1;
		}
	}
	return where;
}

int policy_load(const char *path, struct policy **policy, struct error *error)
{
	CLEANUP_FREE char *text = NULL;
	json_t *name = json_string(path);
	bool is_utf8 = name != NULL;
	size_t length;
	int err;

	/* It will be quoted in JSON. */
	json_decref(name);
	if (!is_utf8)
		return error_set(error, EILSEQ, "the name of the policy file is not UTF-8");
	err = text_read(path, POLICY_MAX, &text, &length);
	if (err == -EFBIG)
		return too_large(path, error);
	if (err) {
		error_at(error, (struct location){ .file = path }, "cannot read the policy: %s", strerror(-err));
		return err;
	}
	if (strlen(text) != length)
		return error_at(error, place_of(path, text, strlen(text)), "NUL byte: this is not a text file");
	return policy_parse(text, path, policy, error);
}

void target_copy(struct target *to, const struct target *from)
{
	*to = *from;
	to->set_name = from->set_name ? xstrdup(from->set_name) : NULL;
	to->prefixes.items = xcopy(from->prefixes.items, from->prefixes.count, sizeof(*from->prefixes.items));
	to->prefixes.capacity = from->prefixes.count;
}

void block_rule_copy(struct block_rule *to, const struct block_rule *from)
{
	*to = *from;
	to->targets = xcalloc(from->target_count, sizeof(*to->targets));
	to->target_capacity = from->target_count;
	for (size_t i = 0; i < from->target_count; i++)
		target_copy(&to->targets[i], &from->targets[i]);
}

void block_free(struct block *block)
{
	for (size_t i = 0; i < block->rule_count; i++) {
		struct block_rule *rule = &block->rules[i];
		for (size_t j = 0; j < rule->target_count; j++) {
			free(rule->targets[j].set_name);
			prefixes_free(&rule->targets[j].prefixes);
		}
		free(rule->targets);
	}
	free(block->rules);
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->set_count; i++) {
		free(policy->sets[i]->name);
		free(policy->sets[i]->path);
		prefixes_free(&policy->sets[i]->prefixes);
		free(policy->sets[i]);
	}
	for (size_t i = 0; i < policy->interface_count; i++) {
		free(policy->interfaces[i].name);
		block_free(&policy->interfaces[i].block);
		filter_free(&policy->interfaces[i].limit);
		synproxy_free(&policy->interfaces[i].synproxy);
		filter_free(&policy->interfaces[i].filter);
	}
	for (size_t i = 0; i < policy->macro_count; i++)
		macro_free(policy->macros[i]);
	free(policy->macros);
	free(policy->sets);
	free(policy->interfaces);
	free(policy->path);
	free(policy);
}

const char *mode_name(enum mode mode)
{
	static const char *const names[] = {
		[MODE_NATIVE] = "native",
		[MODE_GENERIC] = "generic",
		[MODE_OFFLOAD] = "offload",
	};
	return names[mode];
}

const char *fragments_name(enum fragments fragments)
{
	static const char *const names[] = {
		[FRAGMENTS_PASS] = "pass",
		[FRAGMENTS_DROP] = "drop",
		[FRAGMENTS_TRACK] = "track",
	};
	return names[fragments];
}

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
#define X(number, symbol, name) [VERDICT_##symbol] = (name),
		SLUICE_VERDICTS(X)
#undef X
			[NEXT] = "next",
	};
	return names[verdict];
}

const char *block_kind_name(enum block_kind kind)
{
	static const char *const names[] = {
		[BLOCK_EXCEPT] = "except",
		[BLOCK_FROM] = "from",
		[BLOCK_TO] = "to",
	};
	return names[kind];
}

const struct interface *policy_interface(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->interface_count; i++) {
		if (!strcmp(policy->interfaces[i].name, name))
			return &policy->interfaces[i];
	}
	return NULL;
}

const struct prefixes *target_prefixes(const struct target *target)
{
	return target->set ? &target->set->prefixes : &target->prefixes;
}
