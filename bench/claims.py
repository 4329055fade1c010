# SPDX-License-Identifier: BSD-2-Clause
"""The numbers that Sluice promises, as ratios of what one run measured."""
from cost import TYPICAL
from screen import say

MILLION = 1000000
COLUMNS = "{:<72} {:>9} {:>12} {:>4}"


class Results:
    def __init__(self, cost, block):
        self.cost_rows = {(r["policy"], r["family"], r["sources"], r["flows"]): r for r in cost}
        self.block_rows = {(r["family"], r["prefixes"], r["who"]): r for r in block if "skipped" not in r}

    def cost(self, family, policy="block-1M", key="cost_ns"):
        return self.cost_rows[policy, family, "listed", TYPICAL][key]

    def rate(self, family, who, mode):
        """Packets per second of one sender that were dropped."""
        return self.block_rows[family, MILLION, who][mode]["pps"]

    def capacity(self, family, who):
        """Packets per second that one CPU can receive and drop."""
        return self.block_rows[family, MILLION, who]["own"]["capacity_pps"]

    def load(self, family, key, who="sluice"):
        return self.block_rows[family, MILLION, who][key]


def at_most(limit):
    return limit, lambda value: value <= limit, f"<= {limit:g}"


def at_least(limit):
    return limit, lambda value: value >= limit, f">= {limit:g}"


# What is claimed, what is wanted, how it follows from the results, unit.
CLAIMS = (
    ("a million prefixes cost, times a thousand (IPv4)", at_most(1.5),
     lambda r: r.cost(4) / r.cost(4, "block-1k"), "x"),
    ("the kernel's LPM trie costs, times Sluice (IPv4, a million)", at_least(5),
     lambda r: r.cost(4, key="trie_cost_ns") / r.cost(4), "x"),
    ("the kernel's LPM trie costs, times Sluice (IPv6, a million)", at_least(5),
     lambda r: r.cost(6, key="trie_cost_ns") / r.cost(6), "x"),
    ("rate of bare XDP_DROP that is kept, sender on another CPU (a million)", at_least(90),
     lambda r: 100 * r.rate(4, "sluice", "own") / r.rate(4, "bare", "own"), "%"),
    ("rate of bare XDP_DROP that is kept, sender on the same CPU (a million)", at_least(90),
     lambda r: 100 * r.rate(4, "sluice", "shared") / r.rate(4, "bare", "shared"), "%"),
    ("what a CPU that does nothing else drops, of bare XDP_DROP (a million)", at_least(90),
     lambda r: 100 * r.capacity(4, "sluice") / r.capacity(4, "bare"), "%"),
    ("Sluice drops, times nftables at the netdev hook (a million)", at_least(5),
     lambda r: r.capacity(4, "sluice") / r.capacity(4, "nft-netdev"), "x"),
    ("Sluice drops, times nftables at input (a million)", at_least(5),
     lambda r: r.capacity(4, "sluice") / r.capacity(4, "nft-input"), "x"),
    ("apply of a million takes (IPv4)", at_most(2), lambda r: r.load(4, "load_s"), "s"),
    ("tables of a million take in the kernel (IPv4)", at_most(128), lambda r: r.load(4, "kernel_mib"), "MiB"),
    ("apply of a million takes at most of user memory (IPv4)", at_most(128), lambda r: r.load(4, "process_mib"), "MiB"),
    ("IPv6 costs, times IPv4 (a million)", at_most(2), lambda r: r.cost(6) / r.cost(4), "x"),
    ("apply of a million IPv6 prefixes takes", at_most(4), lambda r: r.load(6, "load_s"), "s"),
    ("tables of a million IPv6 prefixes take in the kernel", at_most(256), lambda r: r.load(6, "kernel_mib"), "MiB"),
)


def judge(cost, block):
    """What this run says of each claim; a claim whose rows were not measured has no value."""
    results = Results(cost, block)
    judged = []
    for text, (limit, meets, wanted), value_of, unit in CLAIMS:
        try:
            value = value_of(results)
        except KeyError:
            value = None
        judged.append({"claim": text, "wanted": wanted, "limit": limit, "value": value, "unit": unit,
                       "met": None if value is None else meets(value)})
    return judged


def show(judged):
    say(COLUMNS.format("", "wanted", "measured", "met"))
    for row in judged:
        value = "not measured" if row["value"] is None else f"{row['value']:.2f} {row['unit']}"
        say(COLUMNS.format(row["claim"], row["wanted"], value, {True: "yes", False: "NO", None: ""}[row["met"]]))
