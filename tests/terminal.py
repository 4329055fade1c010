# SPDX-License-Identifier: BSD-2-Clause
"""A terminal for programs that draw: a pseudo-terminal, and what would be on its screen.

Of the sequences of ECMA-48 it knows what ncurses uses under TERM=linux; one that it does not know is an error, so that
a screen is never what somebody guessed."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

SEQUENCE = re.compile(rb"\x1b\[([?>]?[0-9;]*)([A-Za-z@`])|\x1b[()][A-Z0-9]|\x1b[=>78MDEHc]|\x1b\][^\x07]*\x07")


class Terminal:
    def __init__(self, command, lines=24, columns=80, environment=None):
        self.master, slave = pty.openpty()
        self.resize(lines, columns, tell=False)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.pending = b""
        self.printed = b""
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=dict(environment or os.environ, TERM="linux", LC_ALL="C.UTF-8"))

    def resize(self, lines, columns, tell=True):
        """As a terminal emulator does; the kernel tells the program (SIGWINCH)."""
        self.lines, self.columns = lines, columns
        self.cells = [[" "] * columns for _ in range(lines)]
        self.y = self.x = 0
        self.top, self.bottom = 0, lines - 1
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def keys(self, text):
        os.write(self.master, text.encode())

    def read(self, seconds):
        """Takes what comes for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                return
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the last program has closed it
                return
            self.printed += data
            self.feed(data)

    def until(self, text, seconds=10):
        """Reads until this is on the screen; returns the screen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.1)
            if re.search(text, self.text()):
                return self.text()
        raise AssertionError(f"no {text!r} on the screen:\n{self.text()}")

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.cells)

    def restored(self):
        """True when its settings are those from before the program."""
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.slave)
        os.close(self.master)

    def feed(self, data):
        data = self.pending + data
        at = 0
        while at < len(data):
            if data[at] == 0x1b:
                found = SEQUENCE.match(data, at)
                if not found:
                    assert len(data) - at < 64, data[at:at + 64]
                    break
                self.obey(found)
                at = found.end()
            else:
                size = 1 if data[at] < 0x80 else 2 if data[at] < 0xe0 else 3 if data[at] < 0xf0 else 4
                if at + size > len(data):
                    break
                self.put(data[at:at + size].decode())
                at += size
        self.pending = data[at:]

    def put(self, character):
        if character == "\r":
            self.x = 0
        elif character == "\n":
            self.line_feed()
        elif character == "\b":
            self.x = max(0, self.x - 1)
        elif character >= " ":
            if self.x >= self.columns:
                self.x = 0
                self.line_feed()
            self.cells[self.y][self.x] = character
            self.x += 1

    def line_feed(self):
        if self.y == self.bottom:
            del self.cells[self.top]
            self.cells.insert(self.bottom, [" "] * self.columns)
        else:
            self.y = min(self.lines - 1, self.y + 1)

    def obey(self, found):
        final = found.group(2)
        if not final or found.group(1)[:1] in (b"?", b">"):
            return
        numbers = [int(n or 0) for n in found.group(1).split(b";")]
        first = numbers[0] or 1
        move = {b"A": (-first, 0), b"B": (first, 0), b"C": (0, first), b"D": (0, -first)}
        if final in move:
            self.y += move[final][0]
            self.x = min(self.x, self.columns - 1) + move[final][1]
        elif final in (b"H", b"f"):
            self.y, self.x = first - 1, ((numbers + [1])[1] or 1) - 1
        elif final == b"G":
            self.x = first - 1
        elif final == b"d":
            self.y = first - 1
        elif final == b"J":
            self.erase_screen(numbers[0])
        elif final == b"K":
            self.erase_line(numbers[0])
        elif final == b"X":
            self.cells[self.y][self.x:self.x + first] = [" "] * len(self.cells[self.y][self.x:self.x + first])
        elif final == b"P":
            self.cells[self.y] = (self.cells[self.y][:self.x] + self.cells[self.y][self.x + first:]
                                  + [" "] * self.columns)[:self.columns]
        elif final == b"@":
            self.cells[self.y] = (self.cells[self.y][:self.x] + [" "] * first
                                  + self.cells[self.y][self.x:])[:self.columns]
        elif final in (b"L", b"M"):
            self.shift(final, first)
        elif final == b"r":
            self.top, self.bottom = first - 1, ((numbers + [0])[1] or self.lines) - 1
            self.y = self.x = 0
        else:
            assert final in (b"m", b"h", b"l"), found.group()
        self.y, self.x = max(0, min(self.lines - 1, self.y)), max(0, min(self.columns, self.x))

    def shift(self, final, count):
        for _ in range(count):
            if final == b"L":
                del self.cells[self.bottom]
                self.cells.insert(self.y, [" "] * self.columns)
            else:
                del self.cells[self.y]
                self.cells.insert(self.bottom, [" "] * self.columns)

    def erase_line(self, how):
        start, end = ((self.x, self.columns), (0, self.x + 1), (0, self.columns))[how]
        self.cells[self.y][start:end] = [" "] * len(self.cells[self.y][start:end])

    def erase_screen(self, how):
        self.erase_line(how)
        for y in range(self.lines):
            if how == 2 or (how == 0 and y > self.y) or (how == 1 and y < self.y):
                self.cells[y] = [" "] * self.columns
