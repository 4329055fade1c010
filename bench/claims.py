# SPDX-License-Identifier: BSD-2-Clause
"""The numbers that Sluice promises, as ratios of what one run measured."""
from cost import TYPICAL
from screen import say

MILLION = 1000000
KINDS = ("acl", "fw", "ipc")
COLUMNS = "{:<75} {:>9} {:>12} {:>4}"


class Results:
    def __init__(self, cost, block, filter_cost=(), road=()):
        self.cost_rows = {(r["policy"], r["family"], r["sources"], r["flows"]): r for r in cost}
        self.block_rows = {(r["family"], r["prefixes"], r["who"]): r for r in block if "skipped" not in r}
        self.filter_rows = {(r["kind"], r["family"], r["rules"], r["flows"]): r for r in filter_cost}
        self.road_rows = {(r["kind"], r["rules"], r["who"]): r for r in road if "skipped" not in r}
        self.doubts = set()  # why what was asked for since this was emptied does not decide a claim

    def cost(self, family, policy="block-1M", key="cost_ns"):
        row = self.cost_rows[policy, family, "listed", TYPICAL]
        self._doubt("noisy", row["noisy"])
        return row[key]

    def rate(self, family, who, mode):
        """Packets per second of one sender that were dropped."""
        row = self.block_rows[family, MILLION, who][mode]
        self._doubt("noisy", row["noisy"])
        self._doubt("sender-limited", row.get("sender_limited"))
        return row["pps"]

    def cpu(self, family, who):
        """Nanoseconds of the receiving CPU for each packet."""
        row = self.block_rows[family, MILLION, who]["own"]
        self._doubt("noisy", row["noisy"])
        return row["cpu_ns"]

    def load(self, family, key, who="sluice"):
        return self.block_rows[family, MILLION, who][key]

    def rules(self, size, key="cost_ns", family=4):
        """Nanoseconds that so many rules take, the mean of the kinds."""
        rows = [self.filter_rows[kind, family, size, TYPICAL] for kind in KINDS]
        self._doubt("noisy", any(row["noisy"] for row in rows))
        return sum(row[key] for row in rows) / len(rows)

    def over_code(self, size):
        """By how much that is more than what code of the same rules takes, in the same rounds."""
        return self.rules(size, "straight_sluice_ns") - self.rules(size, "straight_ns")

    def road(self, size, who, other):
        """A packet's CPU time of one, times the other's, the mean of the kinds."""
        pairs = [(self.road_rows[kind, size, who], self.road_rows[kind, size, other]) for kind in KINDS]
        self._doubt("noisy", any(row["noisy"] for pair in pairs for row in pair))
        return sum(one["cpu_ns"] / two["cpu_ns"] for one, two in pairs) / len(pairs)

    def _doubt(self, word, there):
        if there:
            self.doubts.add(word)


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
    ("CPU time of a packet that bare XDP_DROP takes, of Sluice's (a million)", at_least(90),
     lambda r: 100 * r.cpu(4, "bare") / r.cpu(4, "sluice"), "%"),
    ("CPU time of a packet, nftables at the netdev hook, times Sluice (a million)", at_least(5),
     lambda r: r.cpu(4, "nft-netdev") / r.cpu(4, "sluice"), "x"),
    ("CPU time of a packet, nftables at input, times Sluice (a million)", at_least(5),
     lambda r: r.cpu(4, "nft-input") / r.cpu(4, "sluice"), "x"),
    ("apply of a million takes (IPv4)", at_most(2), lambda r: r.load(4, "load_s"), "s"),
    ("tables of a million take in the kernel (IPv4)", at_most(128), lambda r: r.load(4, "kernel_mib"), "MiB"),
    ("apply of a million takes at most of user memory (IPv4)", at_most(128), lambda r: r.load(4, "process_mib"), "MiB"),
    ("IPv6 costs, times IPv4 (a million)", at_most(2), lambda r: r.cost(6) / r.cost(4), "x"),
    ("apply of a million IPv6 prefixes takes", at_most(4), lambda r: r.load(6, "load_s"), "s"),
    ("tables of a million IPv6 prefixes take in the kernel", at_most(256), lambda r: r.load(6, "kernel_mib"), "MiB"),
    ("32 rules take more than code made of them", at_most(5), lambda r: r.over_code(32), "ns"),
    ("10,000 rules take", at_most(50), lambda r: r.rules(10000), "ns"),
    ("100,000 rules take", at_most(70), lambda r: r.rules(100000), "ns"),
    ("10,000 IPv6 rules take, times IPv4", at_most(2), lambda r: r.rules(10000, family=6) / r.rules(10000), "x"),
    ("a walk over 10,000 rules takes, times Sluice", at_least(50), lambda r: r.rules(10000, "walk_ns") / r.rules(10000), "x"),
    ("CPU time of a packet, nftables with 10,000 rules in turn, times Sluice", at_least(400),
     lambda r: r.road(10000, "nft-linear", "sluice"), "x"),
    ("CPU time of a packet that bare XDP_DROP takes, of Sluice's (10,000 rules)", at_least(65),
     lambda r: 100 * r.road(10000, "bare", "sluice"), "%"),
    ("CPU time of a packet that bare XDP_DROP takes, of Sluice's (100,000 rules)", at_least(55),
     lambda r: 100 * r.road(100000, "bare", "sluice"), "%"),
)


def judge(cost, block, filter_cost=(), road=()):
    """What this run says of each claim. One whose rows were not measured has no value; one that rests on a row that is in
    doubt has its value, but is neither met nor not."""
    results = Results(cost, block, filter_cost, road)
    judged = []
    for text, (limit, meets, wanted), value_of, unit in CLAIMS:
        results.doubts = set()
        try:
            value = value_of(results)
        except KeyError:
            value = None
        doubt = ", ".join(sorted(results.doubts)) if value is not None else ""
        judged.append({"claim": text, "wanted": wanted, "limit": limit, "value": value, "unit": unit, "doubt": doubt,
                       "met": None if value is None or doubt else meets(value)})
    return judged


def show(judged):
    say(COLUMNS.format("", "wanted", "measured", "met"))
    for row in judged:
        value = "not measured" if row["value"] is None else f"{row['value']:.2f} {row['unit']}"
        met = {True: "yes", False: "NO", None: row["doubt"]}[row["met"]]
        say(COLUMNS.format(row["claim"], row["wanted"], value, met))
