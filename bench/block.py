# SPDX-License-Identifier: BSD-2-Clause
"""Packets dropped per second, by everyone who can, from the same sources, in rounds: A B C, A B C, …"""
import os
import statistics

import contenders
import lists
from road import Road
from screen import count, progress, say, spread

SECONDS = 0.4
NOISY = 0.1  # a spread above that share of the median
BUSY = 0.9  # a receiver's CPU that works less of the time than this waits for the sender
COLUMNS = "{:<6} {:>5}  {:<24} {:>7} {:>7} {:>7}  {:>7} {:>6}  {:>7} {:>7} {:>6} {:>5}"
MODES = {"shared": False, "own": True}  # is the receiving end's thread on a CPU of its own?


def scenes(quick):
    """(family, prefixes, rounds)"""
    if quick:
        return [(4, 100, 1), (6, 100, 1)]
    return [(4, 1000, 5), (4, 100000, 3), (4, 1000000, 5), (6, 1000, 5), (6, 1000000, 5)]


def measure(lab, build, folder, quick):
    rows = []
    say(COLUMNS.format("", "", "", "", "kernel", "process", "one CPU", "", "own CPU", "ns of", "", "it is"))
    say(COLUMNS.format("family", "list", "who", "load s", "MiB", "MiB", "Mpps", "spread", "Mpps", "it each", "spread",
                       "busy"))
    for number, (family, size, rounds) in enumerate(scenes(quick)):
        scene = Scene(lab, build, folder, number, family, size)
        try:
            scene.load()
            scene.run(1 if quick else rounds)
        finally:
            scene.unload()
        for row in scene.rows():
            rows.append(row)
            show(row)
    return rows


class Scene:
    def __init__(self, lab, build, folder, number, family, size):
        self.lab, self.build, self.number, self.family, self.size = lab, build, number, family, size
        self.prefixes = (lists.blocklist4 if family == 4 else lists.blocklist6)(size)
        self.path = os.path.join(folder, f"block-{size}.{family}")
        lists.write(self.path, self.prefixes, family)
        self.there, self.skipped = [], []
        self.found = {}  # (name, mode): what the rounds gave

    def load(self):
        for number, kind in enumerate(contenders.ALL):
            progress(f"IPv{self.family}, {count(self.size)}: loading {kind.title}")
            contender = kind(Road(self.lab, self.build, f"{self.number}{number}"))
            self.there.append(contender)  # at once: whatever stops the loading, it is unloaded
            try:
                contender.load(self.family, self.prefixes, self.path)
            except contenders.Skip as reason:
                contender.unload()
                self.there.remove(contender)
                self.skipped.append((contender, str(reason)))

    def run(self, rounds):
        for mode, own in MODES.items():
            for contender in self.there:
                contender.road.set_thread(own)
            for turn in range(rounds):
                for contender in self.there:
                    progress(f"IPv{self.family}, {count(self.size)}: round {turn + 1} of {rounds}, {contender.title}")
                    found = contender.road.flood(self.family, contender.sources or self.path, SECONDS)
                    self.found.setdefault((contender.name, mode), []).append(found)
        progress("")

    def unload(self):
        for contender in self.there:
            contender.unload()

    def rows(self):
        for contender in self.there:
            row = {"family": self.family, "prefixes": self.size, "who": contender.name, "title": contender.title,
                   "load_s": contender.load_s, "kernel_mib": contender.kernel_mib,
                   "process_mib": contender.process_mib, "note": contender.note}
            for mode in MODES:
                found = self.found[contender.name, mode]
                rates = [f["rate"] for f in found]
                row[mode] = {"pps": statistics.median(rates), "spread": spread(rates), "rounds": rates,
                             "passed": max(f["passed"] for f in found)}
                if MODES[mode]:
                    row[mode]["cpu_ns"] = statistics.median(f["cpu_ns"] for f in found)
                    row[mode]["busy"] = statistics.median(f["busy"] for f in found)
                    row[mode]["sender_limited"] = row[mode]["busy"] < BUSY
                    row[mode]["cpu_spread"] = spread([f["cpu_ns"] for f in found])
                row[mode]["noisy"] = row[mode].get("cpu_spread", row[mode]["spread"]) > NOISY
            yield row
        for contender, reason in self.skipped:
            yield {"family": self.family, "prefixes": self.size, "who": contender.name, "title": contender.title,
                   "skipped": reason}


def number(value, form):
    return "-" if value is None else format(value, form)


def show(row):
    if "skipped" in row:
        say(f"IPv{row['family']:<3} {count(row['prefixes']):>5}  {row['title']:<24} {row['skipped']}")
        return
    shared, own = row["shared"], row["own"]
    noisy = "  noisy" if shared["noisy"] or own["noisy"] else ""
    past = max(shared["passed"], own["passed"])
    leak = f" {past:.2%} got past" if past else ""
    note = f"  ({row['note']})" if row["note"] else ""
    say(COLUMNS.format(f"IPv{row['family']}", count(row["prefixes"]), row["title"], number(row["load_s"], ".2f"),
                       number(row["kernel_mib"], ".1f"), number(row["process_mib"], ".0f"),
                       f"{shared['pps'] / 1e6:.2f}", f"{shared['spread']:.0%}", f"{own['pps'] / 1e6:.2f}",
                       f"{own['cpu_ns']:.0f}", f"{own['cpu_spread']:.0%}", f"{own['busy']:.0%}") + noisy + leak + note)
