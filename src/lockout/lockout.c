// SPDX-License-Identifier: BSD-2-Clause
#include "lockout/lockout.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "datapath/judge.h"
#include "lockout/connection.h"
#include "lockout/route.h"
#include "lockout/session.h"
#include "packet/reason.h"

struct passage {
	struct connection connection;
	struct arrival arrival;
};

static void add_passages(const struct connection *connection, const struct devices *devices, struct lockout *lockout)
{
	struct arrivals arrivals = { 0 };

	route_arrivals(connection, devices, &arrivals);
	for (size_t i = 0; i < arrivals.count; i++) {
		lockout->passages =
			xgrow(lockout->passages, lockout->count, &lockout->capacity, sizeof(*lockout->passages));
		lockout->passages[lockout->count++] = (struct passage){ *connection, arrivals.list[i] };
	}
	free(arrivals.list);
}

int lockout_open(struct lockout *lockout, struct error *error)
{
	struct connections connections = { 0 };
	struct devices devices = { 0 };
	int err = session_connections(&connections, error);

	if (err)
		return err;
	err = route_devices(&devices);
	if (err)
		error_set(error, -err, "cannot list the network interfaces: %s", strerror(-err));
	else
		*lockout = (struct lockout){ 0 };
	for (size_t i = 0; i < connections.count && !err; i++)
		add_passages(&connections.list[i], &devices, lockout);
	free(connections.list);
	free(devices.list);
	return err;
}

void lockout_close(struct lockout *lockout)
{
	free(lockout->passages);
	*lockout = (struct lockout){ 0 };
}

static const struct rule *find_rule(const struct made *made, uint32_t slot)
{
	for (size_t i = 0; i < made->compiled->rule_count; i++) {
		if (made->slots[i] == slot)
			return &made->compiled->rules[i];
	}
	return NULL;
}

static struct location place(const struct interface *interface, const struct rule *rule, unsigned reason)
{
	if (rule)
		return rule->where;
	return reason == REASON_DEFAULT ? interface->default_where : interface->where;
}

static void hint(const struct connection *connection, unsigned reason, struct error *error)
{
	char address[INET6_ADDRSTRLEN];

	if (reason == REASON_BLOCK_SOURCE || reason == REASON_BLOCK_DESTINATION)
		error_hint(error, "`except %s` in this block would spare it",
			   endpoint_text(&connection->remote, address));
	error_hint(error,
		   "`sluice apply --force` applies it all the same; with `--confirm 60s` it goes back by itself");
}

static int refuse(const struct made *made, const struct connection *connection, const struct record *record,
		  struct error *error)
{
	const struct interface *interface = made->compiled->interface;
	const struct rule *rule = find_rule(made, record->rule);
	CLEANUP_FREE char *text = connection_text(connection);
	CLEANUP_FREE char *rule_text = rule ? xasprintf(", `%s`", rule->text) : xstrdup("");
	int err = error_at(error, place(interface, rule, record->reason),
			   "this policy would cut the connection you apply it through, %s on %s: %s%s", text,
			   interface->name, reason_name(record->reason), rule_text);

	hint(connection, record->reason, error);
	return err;
}

static int open_judge(int program, struct judge *judge, struct error *error)
{
	char object[DIGEST_TEXT_MAX];

	program_object_digest(object);
	return judge_open_copy(program, object, judge, error);
}

static int ask(struct judge *judge, const struct passage *passage, const struct made *made, struct error *error)
{
	CLEANUP_FREE uint8_t *frame = NULL;
	struct record record;
	size_t length;
	int err = connection_frame(&passage->connection, passage->arrival.vlan, passage->arrival.vlans, &frame, &length,
				   error);

	if (!err)
		err = judge_frame(judge, frame, length, length, &record, error);
	if (!err && record.verdict != VERDICT_PASS)
		err = refuse(made, &passage->connection, &record, error);
	return err;
}

int lockout_examine(const struct made *made, void *context, struct error *error)
{
	const struct lockout *lockout = context;
	unsigned index = if_nametoindex(made->compiled->interface->name);
	struct judge judge = { 0 };
	int err = 0;

	/* A program on a network card cannot be copied to the CPU. */
	if (made->compiled->interface->mode == MODE_OFFLOAD)
		return 0;
	for (size_t i = 0; i < lockout->count && !err; i++) {
		if (lockout->passages[i].arrival.index != index)
			continue;
		if (!judge.record)
			err = open_judge(made->program, &judge, error);
		if (!err)
			err = ask(&judge, &lockout->passages[i], made, error);
	}
	judge_close(&judge);
	return err;
}
