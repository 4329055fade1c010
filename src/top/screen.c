// SPDX-License-Identifier: BSD-2-Clause
#include "top/screen.h"

#include <errno.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/memory.h"

#define LINES_ABOVE 3 /* title, views, columns */
#define LINES_BELOW 1 /* keys */
#define NUMBERS 36    /* columns that the numbers of a row take */
#define NARROW 13     /* the same where only packets have room */

static const struct {
	const char *name;
	enum sample_table first, last;
} views[] = {
	{ "verdicts", SAMPLE_VERDICTS, SAMPLE_REASONS },
	{ "rules", SAMPLE_RULES, SAMPLE_RULES },
	{ "sources", SAMPLE_TALKERS_FIRST + TOP_SOURCE, SAMPLE_TALKERS_FIRST + TOP_SOURCE },
	{ "destinations", SAMPLE_TALKERS_FIRST + TOP_DESTINATION, SAMPLE_TALKERS_FIRST + TOP_DESTINATION },
	{ "ports", SAMPLE_TALKERS_FIRST + TOP_DESTINATION_PORT, SAMPLE_TALKERS_FIRST + TOP_DESTINATION_PORT },
	{ "source ports", SAMPLE_TALKERS_FIRST + TOP_SOURCE_PORT, SAMPLE_TALKERS_FIRST + TOP_SOURCE_PORT },
};

#define VIEWS (sizeof(views) / sizeof(views[0]))

enum order {
	BY_PACKETS,
	BY_BYTES,
	BY_DROPPED,
	BY_NAME,
	ORDERS,
};

/* What colours mean. */
enum meaning {
	PLAIN,
	DROPS,
	PASSES,
};

struct top_screen {
	SCREEN *terminal;
	const char *interface;
	const struct sample *sample;
	size_t view, scrolled;
	enum order order;
	bool quits, pauses;
};

int top_screen_open(const char *interface, struct top_screen **screen, struct error *error)
{
	const char *no_colour = getenv("NO_COLOR"), *name = getenv("TERM");
	struct top_screen *opened;
	SCREEN *terminal;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		error_set(error, ENOTTY, "top needs a terminal");
		error_hint(error, "for scripts: sluice top -j --once");
		return -ENOTTY;
	}
	setlocale(LC_CTYPE, "");
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal) {
		error_set(error, EINVAL, "top does not know this terminal (TERM is \"%s\")", name ? name : "");
		error_hint(error, "for scripts: sluice top -j --once");
		return -EINVAL;
	}
	opened = xcalloc(1, sizeof(*opened));
	opened->terminal = terminal;
	opened->interface = interface;
	cbreak();
	noecho();
	keypad(stdscr, true);
	curs_set(0);
	set_escdelay(25);
	if (has_colors() && !(no_colour && *no_colour)) {
		start_color();
		use_default_colors();
		init_pair(DROPS, COLOR_RED, -1);
		init_pair(PASSES, COLOR_GREEN, -1);
	}
	*screen = opened;
	return 0;
}

void top_screen_close(struct top_screen *screen)
{
	endwin();
	delscreen(screen->terminal);
	free(screen);
}

bool top_screen_quits(const struct top_screen *screen)
{
	return screen->quits;
}

bool top_screen_pauses(const struct top_screen *screen)
{
	return screen->pauses;
}

/* Writes what fits between `x` and the right edge; returns the column after it. Names come from files and may hold
 * anything. */
static int put(int y, int x, const char *text)
{
	mbstate_t state = { 0 };

	while (*text && y >= 0 && y < LINES && x < COLS) {
		wchar_t character[2] = { 0 };
		size_t length = mbrtowc(character, text, MB_CUR_MAX, &state);
		int width;

		if (length == (size_t)-1 || length == (size_t)-2) {
			character[0] = L'?';
			length = 1;
			state = (mbstate_t){ 0 };
		}
		width = wcwidth(character[0]);
		if (width < 0) {
			character[0] = L'?';
			width = 1;
		}
		if (x + width > COLS)
			break;
		mvaddnwstr(y, x, character, 1);
		x += width;
		text += length;
	}
	return x;
}

static int __attribute__((format(printf, 3, 4))) put_format(int y, int x, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	x = put(y, x, text);
	free(text);
	return x;
}

static bool is_talkers(size_t view)
{
	return views[view].first >= SAMPLE_TALKERS_FIRST;
}

static bool is_narrow(void)
{
	return COLS < NUMBERS + 20;
}

static void draw_title(const struct top_screen *screen)
{
	const struct sample *sample = screen->sample;
	double packets = 0, bytes = 0, dropped = 0;
	int x = put_format(0, 0, "sluice top  %s%s", screen->interface ? screen->interface : "all interfaces",
			   screen->pauses ? "  PAUSED" : ""); /* in front of what a narrow screen cuts off */

	if (!sample) {
		put(0, x, "  measuring");
		return;
	}
	for (size_t i = 0; i < sample->counts[SAMPLE_VERDICTS]; i++) {
		const struct sample_row *row = &sample->rows[SAMPLE_VERDICTS][i];

		packets += row->packets;
		bytes += row->bytes;
		if (!strcmp(row->name, "drop") || !strcmp(row->name, "aborted"))
			dropped += row->packets;
	}
	put_format(0, x, "  %.0f packets/s  %.2f Mbit/s  %.0f%% dropped", packets, bytes * 8 / 1e6,
		   packets ? 100 * dropped / packets : 0);
}

static void draw_views(const struct top_screen *screen)
{
	int x = 0;

	for (size_t i = 0; i < VIEWS; i++) {
		if (i == screen->view)
			attron(A_REVERSE);
		x = put_format(1, x, " %s ", views[i].name);
		attroff(A_REVERSE);
	}
}

static void draw_column(const struct top_screen *screen, enum order order, int x, const char *text)
{
	if (order == screen->order)
		attron(A_BOLD | A_UNDERLINE);
	put(2, x, text);
	attroff(A_BOLD | A_UNDERLINE);
}

static void draw_columns(const struct top_screen *screen)
{
	draw_column(screen, BY_PACKETS, 3, "packets/s");
	if (!is_narrow())
		draw_column(screen, BY_BYTES, 19, "bytes/s");
	if (!is_narrow() && is_talkers(screen->view))
		draw_column(screen, BY_DROPPED, 27, "dropped");
	draw_column(screen, BY_NAME, is_narrow() ? NARROW : NUMBERS, "name");
}

static enum order sorting;

static int compare(const void *left, const void *right)
{
	const struct sample_row *a = *(const struct sample_row *const *)left;
	const struct sample_row *b = *(const struct sample_row *const *)right;
	double of_a = a->packets, of_b = b->packets;

	if (sorting == BY_BYTES) {
		of_a = a->bytes;
		of_b = b->bytes;
	} else if (sorting == BY_DROPPED) {
		of_a = a->dropped;
		of_b = b->dropped;
	}
	if (sorting != BY_NAME && of_a != of_b)
		return (of_a < of_b) - (of_a > of_b);
	return strverscmp(a->name, b->name);
}

/* Rows of a view in their order, tables one after the other; of verdicts and reasons those that have packets. */
static const struct sample_row **sorted_rows(const struct top_screen *screen, size_t *count)
{
	const struct sample *sample = screen->sample;
	size_t most = 0, first;
	const struct sample_row **rows;

	*count = 0;
	for (int table = views[screen->view].first; table <= (int)views[screen->view].last; table++)
		most += sample->counts[table];
	rows = xcalloc(most + 1, sizeof(*rows));
	sorting = screen->order;
	for (int table = views[screen->view].first; table <= (int)views[screen->view].last; table++) {
		first = *count;
		for (size_t i = 0; i < sample->counts[table]; i++) {
			if (sample->rows[table][i].packets > 0 || table == SAMPLE_RULES)
				rows[(*count)++] = &sample->rows[table][i];
		}
		qsort(rows + first, *count - first, sizeof(*rows), compare);
	}
	return rows;
}

static enum meaning meaning_of(const struct sample_row *row, bool is_talker)
{
	if (is_talker)
		return row->dropped > 0 && row->dropped >= row->packets ? DROPS : PLAIN;
	if (!strcmp(row->name, "drop") || !strcmp(row->name, "aborted"))
		return DROPS;
	return !strcmp(row->name, "pass") || !strcmp(row->name, "tx") || !strcmp(row->name, "redirect") ? PASSES
													: PLAIN;
}

/* Of a rule without the folders of its file: what the rule says is to have room, too. */
static const char *short_name(const struct sample_row *row)
{
	const char *slash = row->text ? strrchr(row->name, '/') : NULL;

	return slash ? slash + 1 : row->name;
}

static void draw_row(const struct top_screen *screen, int y, const struct sample_row *row)
{
	bool is_talker = is_talkers(screen->view);
	int colour = COLOR_PAIR(meaning_of(row, is_talker));
	int x;

	attron(colour);
	put_format(y, 0, "%12.0f", row->packets);
	if (!is_narrow())
		put_format(y, 13, "%13.0f", row->bytes);
	if (!is_narrow() && is_talker)
		put_format(y, 27, "%6.0f%%", 100 * row->dropped / row->packets);
	x = put(y, is_narrow() ? NARROW : NUMBERS, short_name(row));
	attroff(colour);
	if (row->text)
		put_format(y, x, "  %s", row->text);
	/* What may be added to the number is told where it matters. */
	if (is_talker && row->more > row->packets / 10)
		put_format(y, x, "  (or %.0f more)", row->more);
}

static int room(void)
{
	int lines = LINES - LINES_ABOVE - LINES_BELOW;

	return lines > 0 ? lines : 0;
}

static void draw_rows(struct top_screen *screen)
{
	size_t count;
	const struct sample_row **rows = sorted_rows(screen, &count);

	if (screen->scrolled && screen->scrolled + room() > count)
		screen->scrolled = count > (size_t)room() ? count - room() : 0;
	for (int line = 0; line < room() && screen->scrolled + line < count; line++)
		draw_row(screen, LINES_ABOVE + line, rows[screen->scrolled + line]);
	if (!count)
		put(LINES_ABOVE, 0,
		    is_talkers(screen->view) && !screen->sample->has_talkers ? "measuring" : "nothing in this second");
	free(rows);
}

static void draw_keys(const struct top_screen *screen)
{
	int x;

	if (LINES <= LINES_ABOVE)
		return;
	attron(A_DIM);
	x = put(LINES - 1, 0, "q quit  tab view  s sort  p pause  arrows scroll");
	if (screen->sample && screen->sample->estimated && is_talkers(screen->view))
		put_format(LINES - 1, x, "  (estimates: 1 of %d counted)", TOP_SAMPLE);
	attroff(A_DIM);
}

static void draw(struct top_screen *screen)
{
	erase();
	draw_title(screen);
	draw_views(screen);
	draw_columns(screen);
	if (screen->sample)
		draw_rows(screen);
	draw_keys(screen);
	refresh();
}

void top_screen_show(struct top_screen *screen, const struct sample *sample)
{
	screen->sample = sample;
	draw(screen);
}

static void scroll_by(struct top_screen *screen, long lines)
{
	long to = (long)screen->scrolled + lines;

	screen->scrolled = to > 0 ? to : 0; /* draw_rows knows where the end is */
}

static void change_view(struct top_screen *screen, size_t steps)
{
	screen->view = (screen->view + steps) % VIEWS;
	screen->scrolled = 0;
	if (screen->order == BY_DROPPED && !is_talkers(screen->view))
		screen->order = BY_PACKETS;
}

static void next_order(struct top_screen *screen)
{
	screen->order = (screen->order + 1) % ORDERS;
	if (screen->order == BY_DROPPED && !is_talkers(screen->view))
		screen->order = BY_NAME;
	screen->scrolled = 0;
}

static void obey(struct top_screen *screen, int key)
{
	switch (key) {
	case 'q':
		screen->quits = true;
		break;
	case '\t':
	case KEY_RIGHT:
		change_view(screen, 1);
		break;
	case KEY_BTAB:
	case KEY_LEFT:
		change_view(screen, VIEWS - 1);
		break;
	case 's':
		next_order(screen);
		break;
	case 'p':
		screen->pauses = !screen->pauses;
		break;
	case KEY_UP:
		scroll_by(screen, -1);
		break;
	case KEY_DOWN:
		scroll_by(screen, 1);
		break;
	case KEY_PPAGE:
		scroll_by(screen, -(room() + 1));
		break;
	case KEY_NPAGE:
		scroll_by(screen, room());
		break;
	case KEY_HOME:
		screen->scrolled = 0;
		break;
	default: /* also KEY_RESIZE: LINES and COLS are as large as the terminal by now */
		break;
	}
}

void top_screen_wait(struct top_screen *screen, int milliseconds)
{
	int key;

	timeout(milliseconds);
	key = getch();
	if (key == ERR)
		return;
	obey(screen, key);
	draw(screen);
}
