// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "base/memory.h"
#include "datapath/grace.h"

#define BATCH 4096 /* entries in one system call */
#define SECOND 1000000000ULL
#define ROOM_TRIES 3

static int failed(const struct dynamic_set *set, int err, const char *what, struct error *error)
{
	return error_set(error, err, "cannot %s set %s: %s", what, set->name, strerror(err));
}

static struct set_key key_of(const struct prefix *prefix)
{
	struct set_key key = { .version = prefix->version, .length = prefix->length };

	memcpy(key.address, prefix->address, sizeof(key.address));
	return key;
}

static struct prefix prefix_of(const struct set_key *key)
{
	struct prefix prefix = { .version = key->version, .length = key->length };

	memcpy(prefix.address, key->address, sizeof(prefix.address));
	return prefix;
}

static bool is_expired(const struct set_value *value, uint64_t time)
{
	return value->expires != SET_NEVER && value->expires <= time;
}

/* Takes entries; a negative errno ends the walk. */
typedef int take_entries(const struct set_key *keys, const struct set_value *values, size_t count, void *context);

/* Hands over all entries, expired ones too, a batch at a time. Returns 0 or a negative errno. */
static int walk(const struct dynamic_set *set, take_entries *take, void *context)
{
	CLEANUP_FREE struct set_key *keys = xcalloc(BATCH, sizeof(*keys));
	CLEANUP_FREE struct set_value *values = xcalloc(BATCH, sizeof(*values));
	uint32_t at = 0, next = 0;
	bool is_first = true, is_last = false;

	while (!is_last) {
		uint32_t count = BATCH;
		int err;

		if (bpf_map_lookup_batch(set->entries, is_first ? NULL : &at, &next, keys, values, &count, NULL)) {
			if (errno != ENOENT)
				return -errno;
			is_last = true;
		}
		err = count ? take(keys, values, count, context) : 0;
		if (err)
			return err;
		at = next;
		is_first = false;
	}
	return 0;
}

struct reading {
	struct members *members;
	size_t capacity;
	uint64_t time;
};

static int take_members(const struct set_key *keys, const struct set_value *values, size_t count, void *context)
{
	struct reading *reading = context;
	struct members *members = reading->members;

	for (size_t i = 0; i < count; i++) {
		uint64_t left = TIMEOUT_NEVER;

		if (is_expired(&values[i], reading->time))
			continue;
		if (values[i].expires != SET_NEVER)
			left = (values[i].expires - reading->time + SECOND - 1) / SECOND;
		members->items = xgrow(members->items, members->count, &reading->capacity, sizeof(*members->items));
		members->items[members->count++] = (struct member){ .prefix = prefix_of(&keys[i]), .seconds = left };
	}
	return 0;
}

static int compare_members(const void *left, const void *right)
{
	const struct member *a = left, *b = right;

	return prefix_compare(&a->prefix, &b->prefix);
}

int members_read(const struct dynamic_set *set, struct members *members, struct error *error)
{
	struct members read = { 0 };
	struct reading reading = { .members = &read, .time = clock_now() };
	int err = walk(set, take_members, &reading);

	if (err) {
		members_free(&read);
		return failed(set, -err, "read", error);
	}
	if (read.count)
		qsort(read.items, read.count, sizeof(*read.items), compare_members);
	*members = read;
	return 0;
}

void members_free(struct members *members)
{
	free(members->items);
	*members = (struct members){ 0 };
}

struct counting {
	size_t live;
	uint64_t time;
};

static int count_live(const struct set_key *keys, const struct set_value *values, size_t count, void *context)
{
	struct counting *counting = context;

	for (size_t i = 0; i < count; i++)
		counting->live += !is_expired(&values[i], counting->time);
	return 0;
}

static int count_members(const struct dynamic_set *set, uint64_t time, size_t *count, struct error *error)
{
	struct counting counting = { .time = time };
	int err = walk(set, count_live, &counting);

	*count = counting.live;
	return err ? failed(set, -err, "count", error) : 0;
}

int members_usage(const struct pins *pins, const char *name, struct set_usage *usage, struct error *error)
{
	struct dynamic_set set;
	size_t used;
	int err = set_open(pins, name, READ, &set, error);

	if (err)
		return err;
	err = count_members(&set, clock_now(), &used, error);
	if (!err)
		*usage = (struct set_usage){ .size = set.size, .used = used, .timeout = set.shared->timeout };
	set_close(&set);
	return err;
}

/* Which lengths are in use: one word for each family, as in struct set_head. */
struct lengths {
	uint64_t words[2];
};

static bool lengths_have(uint64_t word, unsigned length)
{
	for (; word; word >>= 8) {
		if ((word & 0xff) == length + 1)
			return true;
	}
	return false;
}

/* False when there is no room for another. */
static bool lengths_add(struct lengths *lengths, const struct prefix *prefix)
{
	uint64_t *word = &lengths->words[prefix->version == 6];
	int shift = 0;

	if (lengths_have(*word, prefix->length))
		return true;
	while (shift < 64 && *word >> shift)
		shift += 8;
	if (shift == 64)
		return false;
	*word |= (uint64_t)(prefix->length + 1) << shift;
	return true;
}

/* The data path reads a word at once, too. */
static void publish_lengths(struct dynamic_set *set, const struct lengths *lengths)
{
	for (int family = 0; family < 2; family++)
		__atomic_store_n(&set->shared->lengths[family], lengths->words[family], __ATOMIC_RELEASE);
}

/* Which words of the filter a set of that size uses: 16 bits for each entry, as far as there are. */
static uint64_t filter_mask(uint32_t size)
{
	uint64_t words = 2;

	while (words < size / 4 && words < SET_FILTER_WORDS)
		words *= 2;
	return words - 1;
}

static void filter_add(__u64 *filter, uint64_t mask, uint64_t seed, const struct set_key *key)
{
	uint64_t hash = set_hash(key, seed);

	__atomic_fetch_or(&filter[set_filter_word(hash, mask)], set_filter_bits(hash), __ATOMIC_RELAXED);
}

/* Word by word: each has the bits of all that is in the set, before and after. A change of the mask turns the filter
 * off meanwhile, and waits for the programs that have read the old one. When it cannot wait, the filter stays off. */
static int publish_filter(struct dynamic_set *set, const __u64 *filter, uint64_t mask, struct error *error)
{
	struct set_head *head = set->shared;
	int err = 0;

	if (head->filter_mask != mask) {
		__atomic_store_n(&head->filter_mask, 0, __ATOMIC_SEQ_CST);
		err = grace_wait(error);
	}
	if (err)
		return err;
	for (uint64_t i = 0; i <= mask; i++)
		__atomic_store_n(&head->filter[i], filter[i], __ATOMIC_RELAXED);
	__atomic_store_n(&head->filter_mask, mask, __ATOMIC_SEQ_CST);
	return 0;
}

struct sweeping {
	struct lengths lengths; /* of what stays */
	__u64 *filter;		/* of what stays */
	uint64_t mask, seed;
	struct set_key *goes;
	size_t goes_count, capacity;
	bool all;			  /* nothing stays */
	const struct set_entries *wanted; /* NULL: none */
	size_t found;			  /* of wanted, that stay */
	size_t stayed, taken;		  /* entries that had not expired */
	uint64_t time;
};

static int compare_entry(const void *prefix, const void *entry)
{
	return prefix_compare(prefix, &((const struct set_entry *)entry)->prefix);
}

static bool has_entry(const struct set_entries *entries, const struct prefix *prefix)
{
	return entries && entries->count &&
	       bsearch(prefix, entries->items, entries->count, sizeof(*entries->items), compare_entry);
}

static int sort_out(const struct set_key *keys, const struct set_value *values, size_t count, void *context)
{
	struct sweeping *sweeping = context;

	for (size_t i = 0; i < count; i++) {
		bool expired = is_expired(&values[i], sweeping->time);
		struct prefix prefix = prefix_of(&keys[i]);

		if (!expired && !sweeping->all) {
			sweeping->stayed++;
			sweeping->found += has_entry(sweeping->wanted, &prefix);
			lengths_add(&sweeping->lengths, &prefix);
			filter_add(sweeping->filter, sweeping->mask, sweeping->seed, &keys[i]);
			continue;
		}
		sweeping->goes =
			xgrow(sweeping->goes, sweeping->goes_count, &sweeping->capacity, sizeof(*sweeping->goes));
		sweeping->goes[sweeping->goes_count++] = keys[i];
		sweeping->taken += !expired;
	}
	return 0;
}

/* Deletes keys, of which the data path may meanwhile have taken out some that have expired (bpf/ban.h). */
static int delete_keys(const struct dynamic_set *set, const struct set_key *keys, size_t count)
{
	for (size_t done = 0; done < count;) {
		uint32_t some = count - done < BATCH ? count - done : BATCH;

		if (!bpf_map_delete_batch(set->entries, keys + done, &some, NULL))
			done += some;
		else if (errno == ENOENT)
			done += some + 1; /* so many are gone, and the next was */
		else
			return -errno;
	}
	return 0;
}

/* Takes out what has expired, or all, and forgets the lengths and the bits of the filter that are no longer in use. */
static int sweep(struct dynamic_set *set, struct sweeping *sweeping, const char *what, struct error *error)
{
	int err;

	sweeping->mask = filter_mask(set->size);
	sweeping->seed = set->shared->seed;
	sweeping->filter = xcalloc(sweeping->mask + 1, sizeof(*sweeping->filter));
	err = walk(set, sort_out, sweeping);
	if (!err)
		err = delete_keys(set, sweeping->goes, sweeping->goes_count);
	if (err) {
		failed(set, -err, what, error);
	} else {
		publish_lengths(set, &sweeping->lengths);
		err = publish_filter(set, sweeping->filter, sweeping->mask, error);
	}
	free(sweeping->filter);
	free(sweeping->goes);
	return err;
}

int members_flush(struct dynamic_set *set, size_t *removed, struct error *error)
{
	struct sweeping sweeping = { .all = true, .time = clock_now() };
	int err = sweep(set, &sweeping, "flush", error);

	if (!err)
		*removed = sweeping.taken;
	return err;
}

/* 1 or 0, or a negative errno. */
static int is_in(const struct dynamic_set *set, const struct prefix *prefix, uint64_t time)
{
	struct set_key key = key_of(prefix);
	struct set_value value;

	if (bpf_map_lookup_elem(set->entries, &key, &value))
		return errno == ENOENT ? 0 : -errno;
	return !is_expired(&value, time);
}

static int find_one(const struct dynamic_set *set, const struct prefix *prefix, size_t *found, struct error *error)
{
	int there = is_in(set, prefix, clock_now());

	if (there < 0)
		return failed(set, -there, "read", error);
	*found = there;
	return 0;
}

/* Sweeps, and makes sure that all entries fit. `*found` are those that are in the set already. */
static int make_room(struct dynamic_set *set, const struct set_entries *entries, size_t *found, struct error *error)
{
	struct sweeping sweeping = { .wanted = entries, .time = clock_now() };
	int err = sweep(set, &sweeping, "sweep", error);
	size_t room = set->size - sweeping.stayed;
	size_t new = entries->count - sweeping.found;

	if (err)
		return err;
	*found = sweeping.found;
	if (new <= room)
		return 0;
	error_set(error, ENOSPC, "set %s has room for %zu of %zu new entr%s: it holds %zu of %u; nothing was added",
		  set->name, room, new, new == 1 ? "y" : "ies", sweeping.stayed, set->size);
	error_hint(error, "make it larger in the policy and apply that: its entries stay");
	return -ENOSPC;
}

static int too_many_lengths(const struct dynamic_set *set, const struct lengths *lengths, const struct prefix *prefix,
			    struct error *error)
{
	char text[PREFIX_TEXT_MAX], used[8 * SET_LENGTHS] = "";

	for (unsigned length = 0; length <= 128; length++) {
		size_t end = strlen(used);

		if (lengths_have(lengths->words[prefix->version == 6], length))
			snprintf(used + end, sizeof(used) - end, " /%u", length);
	}
	error_set(error, E2BIG, "set %s cannot take %s: with it there would be IPv%d prefixes of %d different lengths",
		  set->name, prefix_print(prefix, text), prefix->version, SET_LENGTHS + 1);
	error_hint(error, "a set holds %d of each family at a time, for each is looked up for each packet; here:%s",
		   SET_LENGTHS, used);
	return -E2BIG;
}

static const struct prefix *join_lengths(struct lengths *lengths, const struct set_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++) {
		if (!lengths_add(lengths, &entries->items[i].prefix))
			return &entries->items[i].prefix;
	}
	return NULL;
}

static struct lengths lengths_of(const struct dynamic_set *set)
{
	return (struct lengths){ .words = { set->shared->lengths[0], set->shared->lengths[1] } };
}

/* Before an entry is in, so that it is found from then on. Sweeps when there is no room for a length: some may be out
 * of use. */
static int add_lengths(struct dynamic_set *set, const struct set_entries *entries, struct error *error)
{
	struct lengths lengths = lengths_of(set);
	const struct prefix *excess = join_lengths(&lengths, entries);

	if (excess) {
		struct sweeping sweeping = { .time = clock_now() };
		int err = sweep(set, &sweeping, "sweep", error);

		if (err)
			return err;
		lengths = lengths_of(set);
		excess = join_lengths(&lengths, entries);
	}
	if (excess)
		return too_many_lengths(set, &lengths, excess, error);
	publish_lengths(set, &lengths);
	return 0;
}

static struct set_value value_of(const struct dynamic_set *set, const struct set_entry *entry, uint64_t time)
{
	uint64_t timeout = entry->timeout == TIMEOUT_OF_SET ? set->shared->timeout : entry->timeout;

	return (struct set_value){ .expires = timeout == TIMEOUT_NEVER ? SET_NEVER : time + timeout * SECOND };
}

/* The filter first: an entry that is in has its bits. */
static int put(const struct dynamic_set *set, const struct set_entries *entries)
{
	uint64_t mask = set->shared->filter_mask;

	CLEANUP_FREE struct set_key *keys = xcalloc(BATCH, sizeof(*keys));
	CLEANUP_FREE struct set_value *values = xcalloc(BATCH, sizeof(*values));
	uint64_t time = clock_now();

	for (size_t done = 0; done < entries->count;) {
		uint32_t count = entries->count - done < BATCH ? entries->count - done : BATCH;

		for (uint32_t i = 0; i < count; i++) {
			keys[i] = key_of(&entries->items[done + i].prefix);
			values[i] = value_of(set, &entries->items[done + i], time);
			if (mask)
				filter_add(set->shared->filter, mask, set->shared->seed, &keys[i]);
		}
		if (bpf_map_update_batch(set->entries, keys, values, &count, NULL))
			return -errno;
		done += count;
	}
	return 0;
}

int members_add(struct dynamic_set *set, const struct set_entries *entries, size_t *added, size_t *renewed,
		struct error *error)
{
	size_t found = 0;
	int err = 0;

	/* A single one is in or not: whether there is room need not be known before. A set that is new or has another
	 * size gets its filter first. */
	if (entries->count == 1 && set->shared->filter_mask == filter_mask(set->size))
		err = find_one(set, &entries->items[0].prefix, &found, error);
	else
		err = make_room(set, entries, &found, error);
	if (!err)
		err = add_lengths(set, entries, error);
	if (err)
		return err;
	err = put(set, entries);
	/* Bans may take the room that was made. */
	for (int i = 0; i < ROOM_TRIES && err == -E2BIG; i++) {
		err = make_room(set, entries, &found, error);
		if (err)
			return err;
		err = put(set, entries);
	}
	if (err)
		return failed(set, -err, "add to", error);
	*added = entries->count - found;
	*renewed = found;
	return 0;
}

static int not_there(const struct dynamic_set *set, const struct prefix *prefix, struct error *error)
{
	char text[PREFIX_TEXT_MAX];

	error_set(error, ENOENT, "%s is not in set %s; nothing was taken out", prefix_print(prefix, text), set->name);
	error_hint(error, "an entry is taken out as it was put in: an address of a prefix is no entry of its own");
	return -ENOENT;
}

int members_remove(struct dynamic_set *set, const struct set_entries *entries, size_t *removed, size_t *missing,
		   struct error *error)
{
	CLEANUP_FREE struct set_key *keys = xcalloc(entries->count, sizeof(*keys));
	uint64_t time = clock_now();
	size_t count = 0;
	int err;

	for (size_t i = 0; i < entries->count; i++) {
		const struct prefix *prefix = &entries->items[i].prefix;
		int there = is_in(set, prefix, time);

		if (there < 0)
			return failed(set, -there, "read", error);
		if (there)
			keys[count++] = key_of(prefix);
		else if (!missing)
			return not_there(set, prefix, error);
	}
	err = delete_keys(set, keys, count);
	if (err)
		return failed(set, -err, "delete from", error);
	*removed = count;
	if (missing)
		*missing = entries->count - count;
	return 0;
}

struct copying {
	const struct dynamic_set *set;
	int map;
	uint64_t time;
};

static int copy_entries(const struct set_key *keys, const struct set_value *values, size_t count, void *context)
{
	const struct copying *copying = context;

	CLEANUP_FREE struct set_key *live_keys = xcalloc(count, sizeof(*live_keys));
	CLEANUP_FREE struct set_value *live_values = xcalloc(count, sizeof(*live_values));
	uint32_t live = 0;

	for (size_t i = 0; i < count; i++) {
		if (is_expired(&values[i], copying->time))
			continue;
		live_keys[live] = keys[i];
		live_values[live++] = values[i];
	}
	return live && bpf_map_update_batch(copying->map, live_keys, live_values, &live, NULL) ? -errno : 0;
}

int members_copy(const struct dynamic_set *set, int map, uint32_t size, struct error *error)
{
	struct copying copying = { .set = set, .map = map, .time = clock_now() };
	size_t live = 0;
	int err = count_members(set, copying.time, &live, error);

	if (err)
		return err;
	if (live > size) {
		error_set(error, ENOSPC,
			  "set %s holds %zu entries; they do not fit into the size of %u that the policy gives it",
			  set->name, live, size);
		error_hint(error, "give it more room, or take entries out: sluice set list %s", set->name);
		return -ENOSPC;
	}
	err = walk(set, copy_entries, &copying);
	return err ? failed(set, -err, "copy", error) : 0;
}
