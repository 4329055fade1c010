// SPDX-License-Identifier: BSD-2-Clause
#include "compile/box.h"

#include <endian.h>
#include <string.h>

#include "base/memory.h"

#define LANE_FIELDS \
	{ 4, FILTER_SOURCE_PORT_SHIFT, 17, FILTER_PORT_ANY }, \
		{ 4, FILTER_DESTINATION_PORT_SHIFT, 17, FILTER_PORT_ANY }, \
	{ \
		4, FILTER_PROTOCOL_SHIFT, 10, FILTER_PROTOCOL_OTHER \
	}

static const struct space space4 = {
	.count = 2 + LANES,
	.fields = { { 0, 32, 32, UINT32_MAX }, { 0, 0, 32, UINT32_MAX }, LANE_FIELDS },
};

static const struct space space6 = {
	.count = 4 + LANES,
	.fields = { { 0, 0, 64, UINT64_MAX },
		    { 1, 0, 64, UINT64_MAX },
		    { 2, 0, 64, UINT64_MAX },
		    { 3, 0, 64, UINT64_MAX },
		    LANE_FIELDS },
};

static uint64_t field_of(const struct field *field, const uint64_t *words)
{
	uint64_t value = words[field->word] >> field->shift;

	return field->bits < 64 ? value & ((1ULL << field->bits) - 1) : value;
}

void length_masks(int length, uint64_t masks[2])
{
	masks[0] = length >= 64 ? UINT64_MAX : length ? ~0ULL << (64 - length) : 0;
	masks[1] = length >= 128 ? UINT64_MAX : length > 64 ? ~0ULL << (128 - length) : 0;
}

void address_masks(int source_length, int destination_length, int version, uint64_t masks[4])
{
	uint64_t source[2], destination[2];

	length_masks(source_length, source);
	length_masks(destination_length, destination);
	if (version == 4) {
		masks[0] = source[0] | destination[0] >> 32;
	} else {
		memcpy(masks, source, sizeof(source));
		memcpy(masks + 2, destination, sizeof(destination));
	}
}

static void address_words(const struct match *match, int version, uint64_t *words)
{
	uint64_t source[2], destination[2];

	memcpy(source, match->source.address, sizeof(source));
	memcpy(destination, match->destination.address, sizeof(destination));
	if (version == 4) {
		words[0] = (be64toh(source[0]) >> 32 << 32) | be64toh(destination[0]) >> 32;
		return;
	}
	for (int i = 0; i < 2; i++) {
		words[i] = be64toh(source[i]);
		words[2 + i] = be64toh(destination[i]);
	}
}

/* False when no packet can be inside. */
static bool set_ranges(struct box *box, const struct match *match, int version, const struct space *space)
{
	uint64_t low[5] = { 0 }, high[5] = { 0 }, masks[4] = { 0 };

	address_masks(match->source.length, match->destination.length, version, masks);
	address_words(match, version, box->words);
	for (int i = 0; i < 4; i++) {
		box->words[i] &= masks[i];
		low[i] = box->words[i];
		high[i] = box->words[i] | ~masks[i];
	}
	low[4] = box->words[4] = match->low;
	high[4] = match->high & ~FILTER_LANES_GUARDS;
	for (int f = 0; f < space->count; f++) {
		struct range *range = &box->ranges[f];

		range->low = field_of(&space->fields[f], low);
		range->high = field_of(&space->fields[f], high);
		if (range->low > range->high)
			return false;
		if (f >= space->count - LANES && range->low == range->high)
			box->exact |= 1 << (f - (space->count - LANES));
	}
	return true;
}

static bool covers_ranges(const struct filter_extra *extra)
{
	static const struct {
		int shift;
		uint64_t last;
	} lanes[] = {
		{ FILTER_LENGTH_SHIFT, 0xffff },
		{ FILTER_HOP_LIMIT_SHIFT, 0xff },
		{ FILTER_DSCP_SHIFT, 0x3f },
		{ FILTER_VLAN_SHIFT, FILTER_VLAN_NONE },
	};

	for (size_t i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++) {
		uint64_t last = lanes[i].last << lanes[i].shift;

		if (filter_lanes_inside(last, extra->low, extra->high, FILTER_RANGES_GUARDS) != FILTER_RANGES_GUARDS)
			return false;
	}
	return !extra->low;
}

static bool wants_nothing(const struct filter_extra *extra)
{
	return !extra->marks_mask && !extra->marks && !extra->mac_mask && !extra->mac && covers_ranges(extra);
}

static void number_parts(struct boxes *boxes, struct box *box, const struct match *match)
{
	uint64_t masks[4] = { 0 }, words[6];

	address_masks(box->source_length, box->destination_length, boxes->version, masks);
	if (boxes->version == 4)
		box->mask = combinations_number(&boxes->masks, masks);
	box->lanes = combinations_number(&boxes->lanes, (const uint64_t[]){ match->low, match->high });
	memcpy(words, &match->extra, sizeof(words));
	box->extra = wants_nothing(&match->extra) ? 0 : combinations_number(&boxes->extras, words);
}

/* True when this one is not the same as an earlier one. */
static bool is_new(struct combinations *seen, const struct box *box)
{
	size_t before = seen->count;
	uint64_t words[7] = { (uint64_t)box->source_length << 8 | box->destination_length,
			      (uint64_t)box->lanes << 32 | box->extra };

	memcpy(words + 2, box->words, sizeof(box->words));
	combinations_number(seen, words);
	return seen->count > before;
}

void boxes_make(const struct matches *matches, int version, struct boxes *out)
{
	struct combinations seen = { .width = 7 };

	*out = (struct boxes){
		.space = version == 4 ? &space4 : &space6,
		.version = version,
		.items = xcalloc(matches->count, sizeof(*out->items)),
		.masks = { .width = 1 },
		.lanes = { .width = 2 },
		.extras = { .width = sizeof(struct filter_extra) / sizeof(uint64_t) },
	};
	combinations_number(&out->extras, (const uint64_t[6]){ 0 });
	for (size_t i = 0; i < matches->count; i++) {
		const struct match *match = &matches->items[i];
		struct box *box = &out->items[out->count];

		*box = (struct box){
			.rule = match->rule,
			.source_length = match->source.length,
			.destination_length = match->destination.length,
		};
		if (!set_ranges(box, match, version, out->space))
			continue;
		number_parts(out, box, match);
		if (is_new(&seen, box))
			out->count++;
	}
	combinations_free(&seen);
}

void boxes_free(struct boxes *boxes)
{
	free(boxes->items);
	combinations_free(&boxes->masks);
	combinations_free(&boxes->lanes);
	combinations_free(&boxes->extras);
}
