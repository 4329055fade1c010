# SPDX-License-Identifier: BSD-2-Clause
"""What the demo shows: chapters, sentences, commands with their output, and checks that are counted."""
import os
import shlex
import sys
import textwrap
import time

WIDTH = 100
PAUSE = 0.8  # seconds before a chapter, only where someone watches

STYLES = {"chapter": "1;36", "command": "1", "output": "2", "ok": "32", "FAILED": "1;31"}


class Screen:
    def __init__(self):
        self.terminal = sys.stdout.isatty()
        self.colours = self.terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.chapters = self.passed = self.failed = 0

    def paint(self, style, text):
        return f"\033[{STYLES[style]}m{text}\033[0m" if self.colours else text

    def line(self, text=""):
        print(text, flush=True)

    def chapter(self, title):
        self.chapters += 1
        if self.terminal:
            time.sleep(PAUSE)
        head = f"── {self.chapters}  {title} "
        self.line()
        self.line(self.paint("chapter", head + "─" * (WIDTH - len(head))))

    def say(self, text):
        self.line()
        for line in textwrap.wrap(" ".join(text.split()), WIDTH):
            self.line(line)

    def picture(self, text):
        self.line()
        self.line(textwrap.indent(textwrap.dedent(text).strip("\n"), "  "))

    def command(self, prompt, words):
        self.line()
        self.line("  " + self.paint("command", f"{prompt}$ {words if isinstance(words, str) else shlex.join(words)}"))

    def output(self, text):
        for line in text.rstrip("\n").split("\n") if text.strip() else []:
            self.line("  " + self.paint("output", line.rstrip()))

    def check(self, good, what, found=""):
        """One expected outcome. `found` says what came instead."""
        if good:
            self.passed += 1
        else:
            self.failed += 1
        word = "ok" if good else "FAILED"
        self.line(f"  {self.paint(word, f'{word:<6}')}  {what}" + (f" ({found})" if found and not good else ""))
        return good

    def summary(self):
        self.line()
        word = "FAILED" if self.failed else "ok"
        self.line(self.paint(word, f"demo: {self.passed} checks passed, {self.failed} failed"))
