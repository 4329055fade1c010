// SPDX-License-Identifier: BSD-2-Clause
/* iptables-save(8), line by line: tables, chains, rules. */
#include "import/iptables.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"

/* Of one file. */
struct file {
	struct firewall *firewall;
	const char *name;
	int line;
	unsigned families;
	const char *table;    /* the key of chains: "ip filter"; NULL: none is open */
	const char *foreign;  /* the name of a table that is not `filter`, while it is open */
	size_t foreign_rules; /* in it */
	bool committed;
};

char *reading_next(struct reading *reading)
{
	return reading->at < reading->count ? reading->words[reading->at++] : NULL;
}

static struct location here(const struct file *file)
{
	return (struct location){ .file = file->name, .line = file->line };
}

static bool mentions_ipv6_address(const char *text)
{
	static const char *const options[] = { " -s ", " -d ", "--source ", "--destination " };

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		for (const char *at = strstr(text, options[i]); at; at = strstr(at + 1, options[i])) {
			const char *value = at + strlen(options[i]);

			if (memchr(value, ':', strcspn(value, " \n")))
				return true;
		}
	}
	return false;
}

/* The text does not say it anywhere in particular. */
static unsigned guess_families(const char *text)
{
	bool ipv6 = strstr(text, "ip6tables") || strstr(text, "--icmpv6-type") || strstr(text, "ipv6-icmp") ||
		    strstr(text, "icmp6-") || mentions_ipv6_address(text);

	return ipv6 ? FAMILY_IPV6 : FAMILY_IPV4;
}

/* Cuts the next word off, in place: quotes and backslashes as iptables-save writes them. NULL when none is left. */
static char *next_word(char **rest)
{
	char *from = *rest + strspn(*rest, " \t\r");
	char *word = from, *to = from;
	bool quoted = false;

	if (!*from)
		return NULL;
	for (; *from && (quoted || !strchr(" \t\r", *from)); from++) {
		if (*from == '"')
			quoted = !quoted;
		else if (*from == '\\' && from[1])
			*to++ = *++from;
		else
			*to++ = *from;
	}
	*rest = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

static struct firewall_chain *builtin(struct file *file, const char *name)
{
	struct firewall_chain *chain = firewall_add_chain(file->firewall, file->table, name);

	chain->families = file->families;
	chain->hook = strcmp(name, "INPUT") ? HOOK_ELSEWHERE : HOOK_INPUT;
	chain->hook_name = name;
	return chain;
}

static void open_filter(struct file *file)
{
	file->table = file->families == FAMILY_IPV4 ? "ip filter" : "ip6 filter";
	file->firewall->families |= file->families;
	if (firewall_chain(file->firewall, file->table, "INPUT"))
		return;
	builtin(file, "INPUT");
	builtin(file, "FORWARD");
	builtin(file, "OUTPUT");
}

static void close_table(struct file *file)
{
	if (file->foreign && file->foreign_rules)
		firewall_add_other(file->firewall,
				   pool_text(&file->firewall->pool, "%s: table %s, %zu rule%s", file->name,
					     file->foreign, file->foreign_rules, plural(file->foreign_rules)));
	file->foreign = file->table = NULL;
	file->committed = true;
}

static int open_table(struct file *file, const char *name, struct error *error)
{
	if (!*name || (!file->committed && (file->table || file->foreign)))
		return error_at(error, here(file), "%s",
				*name ? "the table before it has no COMMIT" : "`*` names no table");
	file->committed = false;
	file->foreign_rules = 0;
	if (!strcmp(name, "filter")) {
		open_filter(file);
	} else {
		file->foreign = pool_text(&file->firewall->pool, "%s", name);
		file->firewall->tracked |= strcmp(name, "nat") ? 0 : file->families;
	}
	return 0;
}

static int set_policy(struct file *file, const char *name, const char *policy, struct error *error)
{
	struct firewall_chain *chain = firewall_chain(file->firewall, file->table, name);

	if (!policy || (strcmp(policy, "ACCEPT") != 0 && strcmp(policy, "DROP") != 0 && strcmp(policy, "-") != 0))
		return error_at(error, here(file),
				"the policy of chain %s is ACCEPT or DROP, or - for a chain of one's own", name);
	if (!chain) {
		if (strcmp(policy, "-") != 0)
			return error_at(error, here(file),
					"chain %s has a policy, but only INPUT, FORWARD and OUTPUT can", name);
		chain = firewall_add_chain(file->firewall, file->table, pool_text(&file->firewall->pool, "%s", name));
		chain->families = file->families;
	}
	chain->drop = !strcmp(policy, "DROP");
	chain->origin.where = here(file);
	return 0;
}

static void settle_jump(struct file *file, struct reading *reading)
{
	if (!firewall_chain(file->firewall, file->table, reading->jump)) {
		iptables_target(reading);
		return;
	}
	reading->rule->verdict = reading->jump_is_goto ? RULE_GOTO : RULE_JUMP;
	reading->rule->target = pool_text(&file->firewall->pool, "%s", reading->jump);
}

/* One option. Behind the target conditions may stand as well as before it, and the target's own options. */
static int read_option(struct file *file, struct reading *reading, const char *word, bool target, struct error *error)
{
	bool own = false;
	int err;

	if (target && (reading->negated || reading->jump))
		return error_at(error, here(file), reading->jump ? "a rule has one target" : "`!` before %s", word);
	if (reading->jump) {
		err = iptables_target_option(reading, word, &own, error);
		if (err || own)
			return err;
	}
	err = iptables_option(reading, word, error);
	if (!err && target)
		settle_jump(file, reading);
	return err;
}

static int read_words(struct file *file, struct reading *reading, struct error *error)
{
	const char *word;

	while ((word = reading_next(reading))) {
		bool target = !strcmp(word, "-j") || !strcmp(word, "--jump") || !strcmp(word, "-g") ||
			      !strcmp(word, "--goto");
		int err;

		if (reading->skip && !target)
			continue;
		if (!strcmp(word, "!")) {
			reading->negated = true;
			continue;
		}
		reading->skip = false;
		err = read_option(file, reading, word, target, error);
		if (err)
			return err;
		reading->negated = false;
	}
	return 0;
}

static int read_rule(struct file *file, const char *line, char *rest, struct error *error)
{
	CLEANUP_FREE char **words = NULL;
	const char *name = next_word(&rest);
	struct firewall_chain *chain = name ? firewall_chain(file->firewall, file->table, name) : NULL;
	struct reading reading = { .firewall = file->firewall, .families = file->families, .states = STATE_ALL };
	size_t capacity = 0;
	char *word;
	int err;

	if (!chain)
		return error_at(error, here(file), "there is no chain %s in this table",
				name ? name : "without a name");
	while ((word = next_word(&rest))) {
		words = xgrow(words, reading.count, &capacity, sizeof(*words));
		words[reading.count++] = word;
	}
	reading.words = words;
	reading.rule = firewall_add_rule(chain);
	reading.rule->origin =
		(struct origin){ .where = here(file), .text = pool_text(&file->firewall->pool, "%s", line) };
	reading.rule->choice = choice_one(&file->firewall->pool, terms_all(file->families));
	err = read_words(file, &reading, error);
	if (err)
		return err;
	iptables_finish(&reading);
	rule_and_states(file->firewall, reading.rule, file->families, reading.states);
	return 0;
}

/* Of the table `filter`. */
static int read_command(struct file *file, const char *line, char *rest, struct error *error)
{
	const char *command = next_word(&rest);
	const char *name;

	if (!command)
		return error_at(error, here(file), "counters without a rule");
	if (!strcmp(command, "-A") || !strcmp(command, "--append"))
		return read_rule(file, line, rest, error);
	if (!strcmp(command, "-N") || !strcmp(command, "-P")) { /* as `iptables -S` prints chains */
		name = next_word(&rest);
		if (!name)
			return error_at(error, here(file), "%s names no chain", command);
		return set_policy(file, name, *command && command[1] == 'N' ? "-" : next_word(&rest), error);
	}
	error_at(error, here(file), "cannot read \"%s\"", command);
	error_hint(error,
		   "what `iptables-save` or `ip6tables-save` prints is read here: *table, :CHAIN, -A CHAIN, COMMIT");
	return -EINVAL;
}

static int read_line(struct file *file, char *line, struct error *error)
{
	char *rest = line + strspn(line, " \t\r");
	CLEANUP_FREE char *whole = NULL;

	if (!*rest || *rest == '#')
		return 0;
	if (*rest == '[' && strchr(rest, ']')) { /* counters of a rule */
		rest = strchr(rest, ']') + 1;
		rest += strspn(rest, " \t");
	}
	rest[strcspn(rest, "\r")] = '\0';
	if (*rest == '*')
		return open_table(file, rest + 1, error);
	if (!strcmp(rest, "COMMIT")) {
		close_table(file);
		return 0;
	}
	if (file->foreign) {
		file->foreign_rules += *rest == '-';
		return 0;
	}
	if (!file->table && *rest == '-' && !file->committed) {
		open_filter(file); /* `iptables -S` names no table */
		file->committed = true;
	}
	if (!file->table) {
		error_at(error, here(file), "this is not what iptables-save prints: a table begins with *NAME");
		error_hint(error, "rules are in the table filter: *filter … COMMIT");
		return -EINVAL;
	}
	whole = xstrdup(rest);
	if (*rest == ':') {
		char *name = next_word(&rest);

		return set_policy(file, name + 1, next_word(&rest), error);
	}
	return read_command(file, whole, rest, error);
}

static void list_others(struct file *file)
{
	struct firewall *firewall = file->firewall;

	for (size_t i = 0; i < firewall->chain_count; i++) {
		const struct firewall_chain *chain = firewall->chains[i];

		if (chain->hook == HOOK_ELSEWHERE && chain->families == file->families && chain->rule_count)
			firewall_add_other(firewall,
					   pool_text(&firewall->pool, "%s: chain %s, %zu rule%s%s", file->name,
						     chain->name, chain->rule_count, plural(chain->rule_count),
						     chain->drop ? ", policy DROP" : ""));
	}
}

int firewall_read_iptables(struct firewall *firewall, const char *text, const char *name, struct error *error)
{
	struct file file = { .firewall = firewall, .name = name, .families = guess_families(text) };
	CLEANUP_FREE char *copy = xstrdup(text);
	char *rest = copy, *line;
	size_t seen = firewall->chain_count + firewall->other_count;

	while ((line = strsep(&rest, "\n"))) {
		int err;

		file.line++;
		err = read_line(&file, line, error);
		if (err)
			return err;
	}
	if ((file.table || file.foreign) && !file.committed)
		return error_at(error, here(&file), "the file ends before COMMIT");
	if (firewall->chain_count + firewall->other_count == seen && !strstr(text, "COMMIT")) {
		error_at(error, (struct location){ .file = name }, "there is no table in it");
		error_hint(error, "what `iptables-save` or `ip6tables-save` prints is read here");
		return -EINVAL;
	}
	list_others(&file);
	return 0;
}
