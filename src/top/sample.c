// SPDX-License-Identifier: BSD-2-Clause
#include "top/sample.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "packet/protocol.h"

#define WINDOW_SECONDS (TOP_WINDOW / 1e9)

static const char *const titles[SAMPLE_TABLES] = {
	[SAMPLE_VERDICTS] = "verdicts",
	[SAMPLE_REASONS] = "reasons",
	[SAMPLE_RULES] = "rules",
	[SAMPLE_TALKERS_FIRST + TOP_SOURCE] = "sources",
	[SAMPLE_TALKERS_FIRST + TOP_DESTINATION] = "destinations",
	[SAMPLE_TALKERS_FIRST + TOP_SOURCE_PORT] = "source_ports",
	[SAMPLE_TALKERS_FIRST + TOP_DESTINATION_PORT] = "destination_ports",
};

const char *sample_title(enum sample_table table)
{
	return titles[table];
}

static double rate(const json_t *earlier, const json_t *later, const char *unit, double seconds)
{
	json_int_t before = json_integer_value(json_object_get(earlier, unit));
	json_int_t now = json_integer_value(json_object_get(later, unit));

	return earlier && now > before ? (now - before) / seconds : 0;
}

static void add_counters(struct sample *sample, enum sample_table table, const json_t *earlier, json_t *later)
{
	struct sample_row *rows = xcalloc(json_object_size(later), sizeof(*rows));
	size_t count = 0;
	const char *name;
	json_t *entry;

	json_object_foreach(later, name, entry)
	{
		const json_t *before = json_object_get(earlier, name);
		const char *text = json_string_value(json_object_get(entry, "text"));

		rows[count++] = (struct sample_row){
			.name = xstrdup(name),
			.text = text ? xstrdup(text) : NULL,
			.packets = rate(before, entry, "packets", sample->seconds),
			.bytes = rate(before, entry, "bytes", sample->seconds),
		};
	}
	sample->rows[table] = rows;
	sample->counts[table] = count;
}

void sample_counters(struct sample *sample, json_t *earlier, json_t *later, double seconds)
{
	*sample = (struct sample){ .seconds = seconds };
	for (int table = SAMPLE_VERDICTS; table <= SAMPLE_RULES; table++)
		add_counters(sample, table, json_object_get(earlier, titles[table]),
			     json_object_get(later, titles[table]));
}

static char *name_of(const struct set_key *key)
{
	char address[INET6_ADDRSTRLEN], protocol[PROTOCOL_TEXT_MAX];

	if (!key->version)
		return xasprintf("%s/%u", protocol_name(key->length, protocol), (unsigned)key->address[0]);
	return xstrdup(inet_ntop(key->version == 4 ? AF_INET : AF_INET6, key->address, address, sizeof(address)));
}

static struct sample_row row_of(const struct talker *talker)
{
	return (struct sample_row){
		.name = name_of(&talker->key),
		.packets = (talker->packets[TOP_PASSED] + talker->packets[TOP_DROPPED]) / WINDOW_SECONDS,
		.bytes = (talker->bytes[TOP_PASSED] + talker->bytes[TOP_DROPPED]) / WINDOW_SECONDS,
		.dropped = talker->packets[TOP_DROPPED] / WINDOW_SECONDS,
		.dropped_bytes = talker->bytes[TOP_DROPPED] / WINDOW_SECONDS,
		.more = talker->more / WINDOW_SECONDS,
	};
}

/* What a talker may have had, if that is more. */
static uint64_t most_of(const struct talker *talker, uint64_t more)
{
	uint64_t most = talker->packets[TOP_PASSED] + talker->packets[TOP_DROPPED] + talker->more;

	return most > more ? most : more;
}

void sample_talkers(struct sample *sample, const struct talkers *talkers)
{
	sample->has_talkers = true;
	sample->seen = talkers->seen / WINDOW_SECONDS;
	sample->counted = talkers->taken / WINDOW_SECONDS;
	sample->estimated = talkers->estimated;
	for (int kind = 0; kind < TOP_KINDS; kind++) {
		size_t count = talkers->counts[kind] < SAMPLE_TALKERS ? talkers->counts[kind] : SAMPLE_TALKERS;
		struct sample_row *rows = xcalloc(count, sizeof(*rows));

		uint64_t hidden = talkers->hidden[kind];

		for (size_t i = 0; i < count; i++)
			rows[i] = row_of(&talkers->items[kind][i]);
		for (size_t i = count; i < talkers->counts[kind]; i++)
			hidden = most_of(&talkers->items[kind][i], hidden);
		sample->rows[SAMPLE_TALKERS_FIRST + kind] = rows;
		sample->counts[SAMPLE_TALKERS_FIRST + kind] = count;
		sample->hidden[kind] = hidden / WINDOW_SECONDS;
	}
}

/* A tenth is as much as anybody wants to read. */
static json_t *number(double value)
{
	return json_real(round(value * 10) / 10);
}

static json_t *counters_json(const struct sample_row *rows, size_t count)
{
	json_t *table = json_object();

	for (size_t i = 0; i < count; i++) {
		json_t *entry =
			json_pack("{s:o, s:o}", "packets", number(rows[i].packets), "bytes", number(rows[i].bytes));

		if (rows[i].text)
			json_object_set_new(entry, "text", json_string(rows[i].text));
		json_object_set_new(table, rows[i].name, entry);
	}
	return table;
}

/* An address as such; a port with its protocol beside it. */
static void set_name(json_t *entry, const struct sample_row *row)
{
	const char *slash = strchr(row->name, '/');

	if (!slash) {
		json_object_set_new(entry, "address", json_string(row->name));
		return;
	}
	json_object_set_new(entry, "protocol", json_stringn(row->name, slash - row->name));
	json_object_set_new(entry, "port", json_integer(atoi(slash + 1)));
}

static json_t *talkers_json(const struct sample_row *rows, size_t count)
{
	json_t *table = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *entry = json_object();

		set_name(entry, &rows[i]);
		json_object_set_new(entry, "packets", number(rows[i].packets));
		json_object_set_new(entry, "bytes", number(rows[i].bytes));
		json_object_set_new(entry, "dropped_packets", number(rows[i].dropped));
		json_object_set_new(entry, "dropped_bytes", number(rows[i].dropped_bytes));
		json_object_set_new(entry, "more", number(rows[i].more));
		json_array_append_new(table, entry);
	}
	return table;
}

json_t *sample_json(const struct sample *sample)
{
	json_t *json = json_pack("{s:f}", "seconds", sample->seconds);
	json_t *talkers, *hidden;

	for (int table = SAMPLE_VERDICTS; table <= SAMPLE_RULES; table++)
		json_object_set_new(json, titles[table], counters_json(sample->rows[table], sample->counts[table]));
	if (!sample->has_talkers)
		return json;
	talkers = json_pack("{s:f, s:o, s:o, s:b}", "seconds", WINDOW_SECONDS, "packets", number(sample->seen),
			    "counted", number(sample->counted), "estimated", sample->estimated);
	hidden = json_object();
	for (int table = SAMPLE_TALKERS_FIRST; table < SAMPLE_TABLES; table++) {
		json_object_set_new(talkers, titles[table], talkers_json(sample->rows[table], sample->counts[table]));
		json_object_set_new(hidden, titles[table], number(sample->hidden[table - SAMPLE_TALKERS_FIRST]));
	}
	json_object_set_new(talkers, "hidden", hidden);
	json_object_set_new(json, "talkers", talkers);
	return json;
}

void sample_free(struct sample *sample)
{
	for (int table = 0; table < SAMPLE_TABLES; table++) {
		for (size_t i = 0; i < sample->counts[table]; i++) {
			free(sample->rows[table][i].name);
			free(sample->rows[table][i].text);
		}
		free(sample->rows[table]);
	}
	*sample = (struct sample){ 0 };
}
