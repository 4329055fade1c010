# SPDX-License-Identifier: BSD-2-Clause
"""Plots as SVG, by hand: lines over a few places on the x axis, a logarithmic y axis. Colours follow the reader's
theme; a viewer that does not know it gets such as are legible on both."""
import math
from xml.sax.saxutils import escape

from screen import count

WIDTH, HEIGHT = 760, 430
LEFT, RIGHT, TOP, BOTTOM = 70, 215, 50, 60
STYLE = """
.frame { stroke: #8a8f98; } .grid { stroke: #8a8f98; stroke-opacity: .25; }
text { font: 12px system-ui, sans-serif; fill: #768390; } .title { font-size: 15px; font-weight: 600; }
.c0 { stroke: #0a6ebd; fill: #0a6ebd; } .c1 { stroke: #1a7f37; fill: #1a7f37; } .c2 { stroke: #bc4c00; fill: #bc4c00; }
.c3 { stroke: #8250df; fill: #8250df; } .c4 { stroke: #bf3989; fill: #bf3989; } .c5 { stroke: #7d6608; fill: #7d6608; }
.c6 { stroke: #57606a; fill: #57606a; }
@media (prefers-color-scheme: light) { text { fill: #1f2328; } }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.c0 { stroke: #58a6ff; fill: #58a6ff; } .c1 { stroke: #3fb950; fill: #3fb950; } .c2 { stroke: #f0883e; fill: #f0883e; }
.c3 { stroke: #bc8cff; fill: #bc8cff; } .c4 { stroke: #f778ba; fill: #f778ba; } .c5 { stroke: #e3b341; fill: #e3b341; }
.c6 { stroke: #afb8c1; fill: #afb8c1; }
}
.line { fill: none; stroke-width: 2; } .dashed { stroke-dasharray: 6 4; }
"""
COLOURS = 7
LABEL = 16  # pixels from one label to the next


class Plot:
    """`places` are the labels of the x axis; a line is (name, [value or None for each place], colour, dashed)."""

    def __init__(self, title, x_label, y_label, places, lines):
        self.places, self.lines = places, lines
        values = [v for _, line, _, _ in lines for v in line if v]
        self.low = math.floor(math.log10(min(values)) * 3) / 3
        self.high = math.ceil(math.log10(max(values)) * 3) / 3
        self.out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
                    f'height="{HEIGHT}" role="img"><title>{escape(title)}</title><style>{STYLE}</style>']
        self.text(LEFT, 24, title, kind="title")
        self.text(LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 14, x_label, anchor="middle")
        self.text(LEFT, TOP - 8, y_label)
        self.axes()
        self.draw()
        self.out.append("</svg>\n")

    def text(self, x, y, words, anchor="start", kind=None):
        style = f' class="{kind}"' if kind else ""
        self.out.append(f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{style}>{escape(words)}</text>')

    def x(self, place):
        room = WIDTH - LEFT - RIGHT
        return LEFT + room * (place + .5) / len(self.places)

    def y(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def ticks(self):
        for exponent in range(math.floor(self.low), math.ceil(self.high) + 1):
            for step in (1, 2, 5):
                if self.low - 1e-9 <= math.log10(step * 10.0**exponent) <= self.high + 1e-9:
                    yield step * 10.0**exponent

    def axes(self):
        for value in self.ticks():
            y = self.y(value)
            self.out.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
            self.text(LEFT - 8, y + 4, f"{value:g}", anchor="end")
        for place, name in enumerate(self.places):
            self.text(self.x(place), HEIGHT - BOTTOM + 20, name, anchor="middle")
        self.out.append(f'<path class="frame" fill="none" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')

    def draw(self):
        labels = []
        for name, values, number, dashed in self.lines:
            colour = f"c{number % COLOURS}"
            kind = "line dashed" if dashed else "line"
            points = [(self.x(i), self.y(v)) for i, v in enumerate(values) if v]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
            self.out.append(f'<path class="{colour} {kind}" d="M{path}"/>')
            self.out += [f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points]
            labels.append([points[-1][1], name, colour, points[-1]])
        self.label(labels)

    def label(self, labels):
        """Each line's name stands where the line ends, or below the one before, or where there is room for the rest."""
        labels.sort(key=lambda label: label[0])
        free = TOP
        for number, (y, name, colour, (end_x, end_y)) in enumerate(labels):
            y = min(max(y, free), HEIGHT - BOTTOM - LABEL * (len(labels) - 1 - number))
            free = y + LABEL
            x = WIDTH - RIGHT + 16
            self.out.append(f'<path class="{colour} line" stroke-opacity=".4" d="M{end_x + 5:.1f} {end_y:.1f}L{x - 4} {y:.1f}"/>')
            self.text(x, y + 4, name)

    def __str__(self):
        return "\n".join(self.out)


def block(rows):
    """CPU time of a dropped packet by size of the list, for each contender."""
    there = [r for r in rows if "skipped" not in r and r["family"] == 4]
    sizes = sorted({r["prefixes"] for r in there})
    times = {(r["who"], r["prefixes"]): r["own"]["cpu_ns"] for r in there}
    titles = {r["who"]: r["title"] for r in there}
    lines = [(titles[who], [times.get((who, size)) for size in sizes], number, False)
             for number, who in enumerate(titles)]
    return str(Plot("CPU time from a packet's arrival to its drop, IPv4", "prefixes in the list",
                    "nanoseconds", [count(s) for s in sizes], lines))


def cost(rows):
    """Nanoseconds per packet by number of flows, for each list, Sluice and the trie."""
    flows = sorted({r["flows"] for r in rows})
    lines = []
    for number, policy in enumerate(dict.fromkeys(r["policy"] for r in rows)):
        for who, key in (("Sluice", "cost_ns"), ("LPM trie", "trie_cost_ns")):
            found = {r["flows"]: r[key] for r in rows if r["policy"] == policy and r["family"] == 4 and key in r
                     and r["sources"] in ("listed", "random") and (r["sources"] == "listed" or policy == "empty")}
            if found:
                lines.append((f"{who}, {policy}", [max(found.get(n, 0), 0.1) if n in found else None for n in flows],
                              number, who != "Sluice"))
    return str(Plot("Cost of a packet, IPv4, beyond an empty XDP program", "flows", "nanoseconds",
                    [count(n) for n in flows], lines))
