/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * ban: a source that is over a limit goes into a dynamic set. User space writes the same sets, and takes no notice of
 * the data path: it may at the same time write down the prefix lengths or the filter without what was added here, or
 * take out an entry that was just renewed. All of that heals by itself: a source that is not found in the set is over
 * its limit again, and each ban makes sure of the length, the filter and the entry.
 */
#ifndef SLUICE_BPF_BAN_H
#define SLUICE_BPF_BAN_H

#include "events.h"
#include "sets.h"
#include "sluice/ban.h"
#include "sluice/limit.h"

/* Oldest first. Neither is created where no limit bans. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, BANS_MAX);
	__type(value, struct ban);
} bans SEC(".maps");

/* By the set's number: until when it counts as full. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DYNAMIC_MAX);
	__type(key, __u32);
	__type(value, __u64);
} bans_full SEC(".maps");

/* 0 when prefixes of as many other lengths are in the set as there can be. */
static __always_inline int ban_length(struct set_head *head, const struct set_key *key)
{
	__u64 *word = &head->lengths[key->version == 6];

	for (int i = 0; i < SET_LENGTHS; i++) {
		__u64 lengths = *(volatile __u64 *)word;
		__u32 length = lengths >> 8 * i & 0xff;

		if (!length &&
		    __sync_val_compare_and_swap(word, lengths, lengths | (key->length + 1ULL) << 8 * i) == lengths)
			return 1;
		if (!length)
			length = *(volatile __u64 *)word >> 8 * i & 0xff; /* someone else has just put one there */
		if (length == key->length + 1U)
			return 1;
	}
	return 0;
}

static __always_inline void ban_filter(struct set_head *head, const struct set_key *key)
{
	__u64 mask = *(volatile __u64 *)&head->filter_mask;
	__u64 hash = set_hash(key, head->seed);
	__u64 bits = set_filter_bits(hash);
	__u64 *word = &head->filter[set_filter_word(hash, mask)];

	if (mask && (*(volatile __u64 *)word & bits) != bits)
		__sync_fetch_and_or(word, bits);
}

static __always_inline struct set_head *ban_head(__u32 number)
{
	__u32 index = DYNAMIC_BAN + number;
	void *map = bpf_map_lookup_elem(&dynamic_heads, &index);

	return map ? bpf_map_lookup_elem(map, &(__u32){ 0 }) : NULL;
}

static __always_inline int is_in_force(void *entries, const struct set_key *key, __u64 now)
{
	const struct set_value *value = bpf_map_lookup_elem(entries, key);

	return value && (value->expires == SET_NEVER || value->expires > now);
}

/* The set that a ban went into, as the policy has it now; NULL when it has none of its bans any more. */
static __always_inline void *entries_of(const struct ban *ban)
{
	for (__u32 i = 0; i < config.ban_sets && i < DYNAMIC_MAX; i++) {
		const struct set_head *head = ban_head(i);
		__u32 index = DYNAMIC_BAN + i;

		if (head && head->seed == ban->seed)
			return bpf_map_lookup_elem(&dynamic_entries, &index);
	}
	return NULL;
}

/* Takes out the oldest ban if it has expired. One in force becomes the youngest. Returns 1 when there is one less in
 * the set with that seed, 0 when there is not, -1 when nothing is remembered. */
__noinline int ban_expire(__u64 seed, __u64 now)
{
	struct ban oldest = {};
	void *entries;

	if (UNUSED(config.ban_sets))
		return -1;
	if (bpf_map_pop_elem(&bans, &oldest))
		return -1;
	entries = entries_of(&oldest);
	if (!entries)
		return 0;
	if (is_in_force(entries, &oldest.key, now)) {
		bpf_map_push_elem(&bans, &oldest, 0);
		return 0;
	}
	return !bpf_map_delete_elem(entries, &oldest.key) && oldest.seed == seed;
}

static __always_inline int ban_make_room(__u64 seed, __u64 now)
{
	for (int i = 0; i < BANS_TRIES; i++) {
		int freed = ban_expire(seed, now);

		if (freed)
			return freed > 0;
	}
	return 0;
}

/* What became of a ban. */
enum ban_outcome {
	BAN_REFUSED, /* the set is full */
	BAN_NEW,
	BAN_STANDS, /* the source is in the set already */
};

static __always_inline enum ban_outcome ban_renew(struct set_value *value, __u64 expires, __u64 now)
{
	__u64 old = *(volatile __u64 *)&value->expires;

	if (old == SET_NEVER || old > now)
		return BAN_STANDS;
	return __sync_val_compare_and_swap(&value->expires, old, expires) == old ? BAN_NEW : BAN_STANDS;
}

static __always_inline enum ban_outcome ban_add(void *entries, const struct ban *ban, __u64 expires, __u64 now)
{
	const struct set_value value = { .expires = expires };

	if (bpf_map_update_elem(entries, &ban->key, &value, BPF_NOEXIST)) {
		if (bpf_map_lookup_elem(entries, &ban->key))
			return BAN_STANDS; /* another CPU was first */
		if (!ban_make_room(ban->seed, now) || bpf_map_update_elem(entries, &ban->key, &value, BPF_NOEXIST))
			return BAN_REFUSED;
	}
	return BAN_NEW;
}

/* Takes out the oldest ban that is remembered, if it has expired. Afterwards `ban` is another one. */
static __always_inline void ban_remember(struct ban *ban, __u64 now)
{
	__u64 seed = ban->seed;
	void *entries;

	if (bpf_map_push_elem(&bans, ban, 0)) {
		ban_expire(seed, now);
		bpf_map_push_elem(&bans, ban, BPF_EXIST);
	}
	if (bpf_map_peek_elem(&bans, ban))
		return;
	entries = entries_of(ban);
	if (!entries || !is_in_force(entries, &ban->key, now))
		ban_expire(seed, now);
}

/* A set that was full counts as that for a while, so that a flood does not pay for looking. */
static __always_inline int is_full(const __u64 *until, __u64 now)
{
	__u64 full = *(volatile const __u64 *)until;

	return full > now && full - now <= BANS_PAUSE; /* no pause is longer: else it is another capture's */
}

/* The prefix that the limit is kept for, else the address. */
static __always_inline struct set_key ban_key(const struct packet *pkt, const struct filter_more *more)
{
	int is_address = more->per == FILTER_PER_RULE || more->per == FILTER_PER_DESTINATION;
	__u32 length4 = is_address ? 32 : more->length4, length6 = is_address ? 128 : more->length6;

	return set_key_of(pkt->version, &pkt->source, pkt->version == 4 ? length4 : length6);
}

/* Returns 1 when the source of an IP packet is in the set from now on, 0 when it is not: `full` becomes the packet's
 * reason. Each new ban is told, and once in a while that there is no room for one. */
__noinline int ban_source(struct packet *pkt, const struct filter_more *more, __u32 full)
{
	enum ban_outcome outcome = BAN_REFUSED;
	__u64 now, seconds, expires, *until;
	struct set_value *value;
	struct set_head *head;
	struct ban ban = {};
	__u32 number, index;
	void *entries;
	int has_length;

	if (UNUSED(config.ban_sets) || !pkt || !more)
		return 0;
	number = more->ban - 1;
	index = DYNAMIC_BAN + number;
	head = ban_head(number);
	entries = bpf_map_lookup_elem(&dynamic_entries, &index);
	until = bpf_map_lookup_elem(&bans_full, &number);
	if (!head || !entries || !until)
		return 0;
	now = packet_time();
	seconds = more->ban_timeout ?: head->timeout;
	expires = seconds ? now + seconds * 1000000000ULL : SET_NEVER;
	ban.seed = head->seed;
	ban.key = ban_key(pkt, more);
	has_length = ban_length(head, &ban.key);
	ban_filter(head, &ban.key);
	value = bpf_map_lookup_elem(entries, &ban.key);
	if (has_length && value)
		outcome = ban_renew(value, expires, now);
	else if (is_full(until, now))
		return 0;
	else if (has_length)
		outcome = ban_add(entries, &ban, expires, now);
	if (outcome == BAN_NEW) {
		ban_remember(&ban, now);
		write_event(pkt, VERDICT_DROP, EVENT_BAN, number, expires);
	}
	if (outcome != BAN_REFUSED)
		return 1;
	*until = now + BANS_PAUSE;
	pkt->reason = full;
	write_event(pkt, VERDICT_DROP, EVENT_BAN, number, EVENT_BAN_REFUSED);
	return 0;
}

/* What a limit does with a packet that is not within it. Returns why it is dropped: `over`, or what says what became of
 * the ban. Nobody is banned for what may have been another key's packets. A candidate (shadow.h) and who judges with a
 * copy only say that they would ban. */
static __always_inline enum reason ban(struct packet *pkt, const struct filter_more *more, enum limit_answer answer,
				       enum reason over, enum reason banned, enum reason full)
{
	if (!more->ban || !pkt->version || answer != LIMIT_OVER)
		return over;
	pkt->reason = banned;
	return !config.ban_sets || ban_source(pkt, more, full) ? banned : full;
}

#endif
