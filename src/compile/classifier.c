// SPDX-License-Identifier: BSD-2-Clause
#include "compile/classifier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compile/box.h"
#include "compile/forest.h"
#include "compile/heap.h"
#include "sluice/classifier4.h"
#include "sluice/classifier6.h"

static int check_limits(const struct boxes *boxes, struct error *error)
{
	if (boxes->lanes.count > CLASSIFIER_LANES_MAX)
		return error_set(error, E2BIG,
				 "the filter has %zu combinations of ports and protocols; the limit is %d",
				 boxes->lanes.count, CLASSIFIER_LANES_MAX);
	if (boxes->extras.count > CLASSIFIER_EXTRAS_MAX)
		return error_set(
			error, E2BIG,
			"the filter has %zu combinations of MAC, VLAN, flags, length and the like; the limit is %d",
			boxes->extras.count - 1, CLASSIFIER_EXTRAS_MAX - 1);
	return 0;
}

static void report_linear(struct classifier_report *report, const struct boxes *boxes, const uint32_t *numbers,
			  size_t count)
{
	report->linear = xcalloc(count, sizeof(*report->linear));
	report->linear_boxes = count;
	for (size_t i = 0; i < count; i++) {
		uint32_t rule = boxes->items[numbers[i]].rule;

		if (!report->linear_count || report->linear[report->linear_count - 1] != rule)
			report->linear[report->linear_count++] = rule;
	}
}

/* Leaves in a row, full but for the last. */
static void write_linear(struct heap *heap, const struct boxes *boxes, const uint32_t *numbers, size_t count,
			 struct classifier_layout *layout)
{
	size_t leaf = CLASSIFIER_LEAF_MAX * heap_box_size(boxes->version);
	size_t leaves = (count + CLASSIFIER_LEAF_MAX - 1) / CLASSIFIER_LEAF_MAX;
	size_t byte = heap_take(heap, leaves * leaf, CLASSIFIER_UNIT);

	layout->linear = byte;
	layout->linear_leaves = leaves;
	layout->linear_first = count ? boxes->items[numbers[0]].rule : CLASSIFIER_NONE;
	for (size_t i = 0; i < count && !heap->full; i += CLASSIFIER_LEAF_MAX) {
		size_t here = count - i < CLASSIFIER_LEAF_MAX ? count - i : CLASSIFIER_LEAF_MAX;

		heap_write_leaf(heap, byte, boxes, numbers + i, here);
		byte += leaf;
	}
}

static void write_straight(const struct boxes *boxes, struct classifier_layout *layout)
{
	if (boxes->count > CLASSIFIER_STRAIGHT)
		return;
	layout->straight_count = boxes->count;
	for (size_t i = boxes->count; i < CLASSIFIER_STRAIGHT; i++)
		layout->straight[i].none = CLASSIFIER_NONE;
	for (size_t i = 0; i < boxes->count; i++) {
		const struct box *box = &boxes->items[i];
		const uint64_t *lanes = boxes->lanes.words + box->lanes * boxes->lanes.width;
		struct classifier_box *out = &layout->straight[i];
		uint64_t masks[4] = { 0 };

		*out = (struct classifier_box){
			.low = lanes[0],
			.high = lanes[1],
			.has_extra = box->extra != 0,
			.rule = box->rule,
		};
		memcpy(&out->extra, boxes->extras.words + box->extra * boxes->extras.width, sizeof(out->extra));
		address_masks(box->source_length, box->destination_length, boxes->version, masks);
		for (int word = 0; word < 4; word++) {
			out->addresses[word] = box->words[word];
			out->masks[word] = masks[word];
		}
	}
}

static void finish(const struct boxes *boxes, struct forest *forest, struct classifier *out)
{
	struct classifier_report *report = &out->report;

	out->layout = forest->layout;
	write_straight(boxes, &out->layout);
	report->memory = heap_layout(&forest->heap, &out->layout);
	report->stored = forest->trees.stored + forest->linear_count;
	report->groups = forest->group_count;
	report->windows = forest->trees.window_count;
	report->longest_leaf = forest->trees.longest_leaf;
	report_linear(report, boxes, forest->linear, forest->linear_count);
	out->count = report->memory / sizeof(*out->words);
	out->words = xcalloc(out->count, sizeof(*out->words));
	memcpy(out->words, forest->heap.bytes, forest->heap.size);
}

static int build(const struct boxes *boxes, unsigned *spare, struct classifier *out, struct error *error)
{
	struct forest forest;
	int err = check_limits(boxes, error);

	if (err || !boxes->count)
		return err;
	forest_make(boxes, spare, &forest);
	if (forest.linear_count > CLASSIFIER_LINEAR_MAX) {
		err = error_set(error, E2BIG,
				"%zu rules overlap so that only comparing all of them would tell; the limit is %d",
				forest.linear_count, CLASSIFIER_LINEAR_MAX);
		error_hint(error,
			   "of rules with the same addresses and ports, those about MAC, VLAN, flags, length and the "
			   "like are compared one by one");
	} else {
		write_linear(&forest.heap, boxes, forest.linear, forest.linear_count, &forest.layout);
	}
	if (!err && forest.heap.full)
		err = error_set(error, E2BIG, "the filter needs more than %d MB", CLASSIFIER_END_MAX >> 20);
	if (!err)
		finish(boxes, &forest, out);
	forest_free(&forest);
	return err;
}

int classifier_build(const struct matches *matches, int version, unsigned *spare, struct classifier *out,
		     struct error *error)
{
	struct classifier classifier = { .version = version };
	struct boxes boxes;
	int err;

	boxes_make(matches, version, &boxes);
	classifier.report.boxes = boxes.count;
	classifier.report.lanes = boxes.lanes.count;
	classifier.report.extras = boxes.extras.count - 1;
	err = build(&boxes, spare, &classifier, error);
	boxes_free(&boxes);
	if (err)
		classifier_free(&classifier);
	else
		*out = classifier;
	return err;
}

void classifier_free(struct classifier *classifier)
{
	free(classifier->words);
	free(classifier->report.linear);
	*classifier = (struct classifier){ 0 };
}

uint32_t classifier_lookup(const struct classifier *classifier, const struct filter_key *key)
{
	const __u8 *image = (const __u8 *)classifier->words;
	const struct classifier_layout *layout = &classifier->layout;
	bool v4 = classifier->version == 4;
	__u64 best, leaf = CLASSIFIER_LEAF_MAX * heap_box_size(classifier->version);

	if (!layout->end)
		return CLASSIFIER_NONE;
	if (layout->straight_count)
		return (v4 ? classifier4_straight : classifier6_straight)(layout, key);
	best = (v4 ? classifier4_forest : classifier6_forest)(image, layout, key);
	for (__u64 i = 0; i < layout->linear_leaves && layout->linear_first < best; i++)
		best = (v4 ? classifier4_scan : classifier6_scan)(image, layout, key, layout->linear + i * leaf, best);
	return best;
}
