// SPDX-License-Identifier: BSD-2-Clause
/* The parts of a limit, put into the tree as the parser reads them. */
#include <errno.h>

#include "base/duration.h"
#include "base/memory.h"
#include "policy/parse.h"

int build_limit_rate(struct parse *parse, struct location where, struct location text_where, char *text)
{
	CLEANUP_FREE char *owned = text;
	struct filter_limit *limit = &build_newest_rule(parse)->limit;
	int err = build_once(parse, &limit->where, where, "limit");

	return err ? err : limit_rate_parse(owned, text_where, limit, parse->error);
}

/* What belongs to a limit stands behind it. */
static int after_limit(struct parse *parse, struct location where, const char *part)
{
	int err;

	if (build_newest_rule(parse)->limit.where.line)
		return 0;
	err = error_at(parse->error, where, "`%s` without a limit in front of it", part);
	error_hint(parse->error, "write: limit 10/s burst 20 per source else drop");
	return err;
}

int build_limit_burst(struct parse *parse, struct location where, struct location text_where, char *text)
{
	CLEANUP_FREE char *owned = text;
	struct filter_limit *limit = &build_newest_rule(parse)->limit;
	int err = after_limit(parse, where, "burst");

	if (!err)
		err = build_once(parse, &limit->burst_where, where, "burst");
	return err ? err : limit_burst_parse(owned, text_where, limit, parse->error);
}

int build_limit_per(struct parse *parse, struct location where, struct location text_where, char *text)
{
	CLEANUP_FREE char *owned = text;
	struct filter_limit *limit = &build_newest_rule(parse)->limit;
	int err = after_limit(parse, where, "per");

	if (!err)
		err = build_once(parse, &limit->per_where, where, "per");
	return err ? err : limit_per_parse(owned, text_where, limit, parse->error);
}

int build_limit_ban(struct parse *parse, struct location where, struct location set_where, char *set)
{
	CLEANUP_FREE char *owned = set;
	struct filter_limit *limit = &build_newest_rule(parse)->limit;
	int err = after_limit(parse, where, "ban");

	if (!err)
		err = build_once(parse, &limit->ban_where, where, "ban");
	if (err)
		return err;
	limit->ban = xcalloc(1, sizeof(*limit->ban));
	*limit->ban = (struct target){ .where = set_where, .set_name = owned };
	owned = NULL;
	return 0;
}

int build_limit_ban_time(struct parse *parse, struct location where, char *text)
{
	CLEANUP_FREE char *owned = text;
	uint64_t seconds = 0;
	int err = duration_parse(owned, &seconds);

	if (!err && seconds && seconds <= SET_TIMEOUT_MAX) {
		build_newest_rule(parse)->limit.ban_time = (uint32_t)seconds;
		return 0;
	}
	if (err == -EINVAL)
		err = error_at(parse->error, where, "`%.80s` is not a time", owned);
	else
		err = error_at(parse->error, where, "a ban of %.80s is %s", owned,
			       !err && !seconds ? "none" : "longer than one can be");
	error_hint(parse->error, "write it as 90s, 10m, 1h or 7d, from 1s to %llud; without it the set's timeout holds",
		   (unsigned long long)SET_TIMEOUT_MAX / 86400);
	return err;
}

int build_limit_else(struct parse *parse, struct location where)
{
	int err = after_limit(parse, where, "else");

	return err ? err : build_once(parse, &build_newest_rule(parse)->limit.else_where, where, "else");
}

int build_limit_begin(struct parse *parse, struct location where)
{
	int err;

	if (parse->rule_line != where.line)
		return 0;
	err = error_at(parse->error, where, "a match behind the rate of a limit");
	error_hint(parse->error,
		   "matches come first: tcp dport 80 100/s; the next limit begins on a line of its own, or "
		   "after ;");
	return err;
}
