// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/stats.h"
#include "datapath/pins.h"
#include "datapath/top.h"
#include "top/sample.h"
#include "top/screen.h"

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	interrupted = number;
}

static void catch_signals(void)
{
	const struct sigaction action = { .sa_handler = interrupt };
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

/* Reads what was counted between two ends of windows. */
struct reader {
	const char *only; /* interface; NULL: all */
	json_t *earlier;  /* counters when the window began; NULL: to be read when it does */
	uint64_t read_at; /* nanoseconds, when these were read */
	uint32_t window;  /* that is counted, from the switch on */
};

/* When the window that is waited for has begun, or with `earlier` ended, and can be read. */
static uint64_t due(const struct reader *reader)
{
	uint64_t end = (uint64_t)reader->window + (reader->earlier ? 1 : 0);

	return (end << TOP_WINDOW_SHIFT) + TOP_SETTLES;
}

static int read_window(const struct reader *reader, uint32_t window, struct talkers *talkers, struct error *error)
{
	struct pins pins;
	int err = pins_open(READ, &pins, error);

	if (err)
		return err;
	err = top_read(&pins, reader->only, window, talkers, error);
	pins_close(&pins);
	if (!err && talkers)
		talkers_sort(talkers);
	return err;
}

/* Switches on, and waits for the next window: this one has begun without us. */
static int begin(struct reader *reader, struct error *error)
{
	json_decref(reader->earlier);
	reader->earlier = NULL;
	reader->window = (clock_now() >> TOP_WINDOW_SHIFT) + 1;
	return read_window(reader, 0, NULL, error);
}

/* Also what was counted while nobody kept it on is not to be had any more when it was too long ago. */
static int read_sample(struct reader *reader, json_t *later, uint64_t now, struct sample *sample, struct error *error)
{
	struct talkers talkers = { 0 };
	int err = read_window(reader, reader->window, &talkers, error);

	if (!err) {
		sample_counters(sample, reader->earlier, later, (now - reader->read_at) / 1e9);
		sample_talkers(sample, &talkers);
	}
	talkers_free(&talkers);
	return err;
}

/* To be called when something is due. Returns 1 with a sample to free, 0 when there is none yet, or a negative errno
 * with `error` set. */
static int step(struct reader *reader, struct sample *sample, struct error *error)
{
	json_t *later = stats_collect(reader->only, error);
	uint64_t now = clock_now();
	int err;

	if (!later)
		return -EIO;
	if (!reader->earlier) {
		reader->earlier = later;
		reader->read_at = now;
		return 0;
	}
	err = read_sample(reader, later, now, sample, error);
	json_decref(reader->earlier);
	reader->earlier = later;
	reader->read_at = now;
	reader->window++;
	if (err == -EAGAIN)
		return begin(reader, error); /* who was stopped, or slow, begins anew */
	return err ? err : 1;
}

static int milliseconds_to(uint64_t time)
{
	uint64_t now = clock_now();

	return time > now ? (int)((time - now) / 1000000) + 1 : 0;
}

static void wait_for(uint64_t time)
{
	while (!interrupted && milliseconds_to(time))
		usleep(1000 * (milliseconds_to(time) < 900 ? milliseconds_to(time) : 900));
}

static void print_sample(const struct reader *reader, const struct sample *sample)
{
	json_t *json = reader->only ? json_pack("{s:s}", "interface", reader->only) : json_object();
	json_t *rates = sample_json(sample);

	json_object_update(json, rates);
	cli_print_line(json);
	json_decref(rates);
	json_decref(json);
	fflush(stdout);
}

static int print_samples(struct reader *reader, bool once)
{
	struct sample sample;
	struct error error;
	int told = begin(reader, &error);

	while (told >= 0 && !interrupted && !ferror(stdout)) {
		wait_for(due(reader));
		if (interrupted)
			break;
		told = step(reader, &sample, &error);
		if (told <= 0)
			continue;
		print_sample(reader, &sample);
		sample_free(&sample);
		if (once)
			break;
	}
	if (told < 0)
		return cli_failed(&error);
	/* Who asked for one object and got none was not served. */
	return once && interrupted ? STATUS_FAILED : STATUS_DONE;
}

/* What is due, but nothing while the screen stands still: then packets are not counted either. */
static int go_on(struct reader *reader, struct top_screen *screen, struct sample *shown, struct error *error)
{
	struct sample sample;
	int told;

	if (top_screen_pauses(screen)) {
		top_screen_wait(screen, 1000);
		return top_screen_pauses(screen) ? 0 : begin(reader, error);
	}
	if (milliseconds_to(due(reader))) {
		top_screen_wait(screen, milliseconds_to(due(reader)));
		return 0;
	}
	told = step(reader, &sample, error);
	if (told <= 0)
		return told;
	sample_free(shown);
	*shown = sample;
	top_screen_show(screen, shown);
	return 0;
}

static int show_samples(struct reader *reader)
{
	struct sample shown = { 0 };
	struct top_screen *screen;
	struct error error;
	int err = top_screen_open(reader->only, &screen, &error);

	if (err)
		return cli_failed(&error);
	top_screen_show(screen, NULL);
	err = begin(reader, &error);
	while (!err && !interrupted && !top_screen_quits(screen))
		err = go_on(reader, screen, &shown, &error);
	top_screen_close(screen);
	sample_free(&shown);
	return err ? cli_failed(&error) : STATUS_DONE;
}

int cli_top(int argc, char **argv)
{
	static const struct option options[] = { { "once", no_argument, NULL, 'o' }, { 0 } };
	struct reader reader = { 0 };
	bool lines = false, once = false;
	int option, status;

	while ((option = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (option == 'j')
			lines = true;
		else if (option == 'o')
			once = true;
		else
			return cli_usage(argv[0]);
	}
	if (argc - optind > 1 || (once && !lines))
		return cli_usage(argv[0]);
	reader.only = argv[optind];
	catch_signals();
	status = lines ? print_samples(&reader, once) : show_samples(&reader);
	json_decref(reader.earlier);
	return status;
}
