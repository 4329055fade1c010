# SPDX-License-Identifier: BSD-2-Clause
"""What the bench says on the terminal, and numbers in words."""
import statistics
import sys


def say(text=""):
    print(text, flush=True)


def progress(text):
    """A line that the next one overwrites; only on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def count(number):
    """1000 is 1k, 1048576 is 1M."""
    for size, letter in ((1000000, "M"), (1000, "k")):
        if number >= size:
            return f"{number // size if number % size == 0 else number >> (10 if letter == 'k' else 20)}{letter}"
    return str(number)


def spread(values):
    """Half of the distance between the quartiles, as a share of the median."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    middle = statistics.median(values)
    return (high - low) / 2 / middle if middle else 0.0
