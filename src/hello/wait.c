// SPDX-License-Identifier: BSD-2-Clause
#include "hello/wait.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const struct {
	int number;
	const char *name;
} signals[] = {
	{ SIGINT, "SIGINT" },
	{ SIGTERM, "SIGTERM" },
	{ SIGQUIT, "SIGQUIT" },
	{ SIGHUP, "SIGHUP" },
};

static int signal_fd = -1; /* readable once a signal has come, and left so: each wait from then on ends at once */
static sigset_t waited, before;
static void (*pipe_before)(int);

static bool is_terminal;
static struct termios cooked;

void wait_start(void)
{
	sigemptyset(&waited);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&waited, signals[i].number);
	sigprocmask(SIG_BLOCK, &waited, &before);
	signal_fd = signalfd(-1, &waited, SFD_CLOEXEC | SFD_NONBLOCK);
	/* Nobody reads any more (`| head`): the walk ends at its next step instead of dying where it stands. */
	pipe_before = signal(SIGPIPE, SIG_IGN);
}

void wait_end(void)
{
	const struct timespec now = {};

	while (sigtimedwait(&waited, NULL, &now) > 0)
		continue;
	close(signal_fd);
	signal_fd = -1;
	signal(SIGPIPE, pipe_before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

const char *wait_signal(void)
{
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (sigismember(&pending, signals[i].number))
			return signals[i].name;
	}
	return NULL;
}

int64_t wait_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int wait_until(int fd, int timeout)
{
	struct pollfd fds[] = {
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};

	if (poll(fds, 2, timeout) < 0)
		return errno == EINTR ? 0 : -errno; /* stopped and continued */
	if (fds[0].revents)
		return -EINTR;
	return fds[1].revents != 0;
}

int wait_for(int fd, int64_t deadline)
{
	for (;;) {
		int64_t left = deadline - wait_clock();
		int ready = wait_until(fd, left > 0 ? left : 0);

		if (ready || left <= 0)
			return ready;
	}
}

void wait_key_start(void)
{
	struct termios raw;

	is_terminal = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &cooked);
	if (!is_terminal)
		return;
	raw = cooked;
	raw.c_lflag &= ~(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

int wait_key(void)
{
	char key = 0;
	int ready;

	do {
		ready = wait_until(STDIN_FILENO, -1);
		if (ready == 1 && read(STDIN_FILENO, &key, 1) < 1)
			key = '\n'; /* the end: nobody to wait for */
	} while (ready >= 0 && !(ready == 1 && (is_terminal || key == '\n')));
	if (is_terminal)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &cooked);
	return ready < 0 ? ready : 0;
}
