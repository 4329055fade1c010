# SPDX-License-Identifier: BSD-2-Clause
"""The numbers that Sluice promises, as ratios of what one run measured."""
from cost import TYPICAL
from screen import say

MILLION = 1000000
KINDS = ("acl", "fw", "ipc")
COLUMNS = "{:<75} {:>9} {:>12} {:>4}"


class Results:
    def __init__(self, cost, block, filter_cost=(), road=(), attack=(), limit=(), syns=()):
        self.cost_rows = {(r["policy"], r["family"], r["sources"], r["flows"]): r for r in cost}
        self.block_rows = {(r["family"], r["prefixes"], r["who"]): r for r in block if "skipped" not in r}
        self.filter_rows = {(r["kind"], r["family"], r["rules"], r["flows"]): r for r in filter_cost}
        self.road_rows = {(r["kind"], r["rules"], r["who"]): r for r in road if "skipped" not in r}
        self.attack_rows = {(r["flood"], r["who"]): r for r in attack}
        self.limit_rows = {(r["limit"], r["family"], r["flows"]): r for r in limit}
        self.syn_rows = {r["who"]: r for r in syns}
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
        """By how much that is more than what code of the same rules takes."""
        return self.rules(size) - self.rules(size, "straight_ns")

    def road(self, size, who, other):
        """A packet's CPU time of one, times the other's, the mean of the kinds."""
        pairs = [(self.road_rows[kind, size, who], self.road_rows[kind, size, other]) for kind in KINDS]
        self._doubt("noisy", any(row["noisy"] for pair in pairs for row in pair))
        return sum(one["cpu_ns"] / two["cpu_ns"] for one, two in pairs) / len(pairs)

    def limit(self, flows, name="packets", family=4):
        row = self.limit_rows[name, family, flows]
        self._doubt("noisy", row["noisy"])
        return row["cost_ns"]

    def syns(self, who):
        return self.syn_rows[who]["pps"]

    def answered(self, flood, who="sluice"):
        """Percent of the requests that are answered without a flood."""
        return 100 * self.attack_rows[flood, who]["answered"] / self.attack_rows["quiet", "none"]["answered"]

    def floods(self, flood, who):
        return self.attack_rows[flood, who]["pps"]

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
    ("a limit per source takes, one source", at_most(60), lambda r: r.limit(1), "ns"),
    ("a limit per source takes with a million sources, times one", at_most(2), lambda r: r.limit(1048576) / r.limit(1), "x"),
    ("SYNs that one CPU answers, times the kernel's listener with cookies", at_least(2),
     lambda r: r.syns("host") / r.syns("kernel"), "x"),
    ("requests answered in a flood of SYNs, of those without", at_least(95), lambda r: r.answered("syn"), "%"),
    ("malformed packets that one CPU takes, times the same without Sluice", at_least(2),
     lambda r: r.floods("malformed", "sluice") / r.floods("malformed", "none"), "x"),
    ("requests answered in a flood of UDP", at_least(95), lambda r: r.answered("udp"), "%"),
    ("requests answered in a flood of malformed packets", at_least(95), lambda r: r.answered("malformed"), "%"),
)


def judge(cost, block, filter_cost=(), road=(), attack=(), limit=(), syns=()):
    """What this run says of each claim. One whose rows were not measured has no value; one that rests on a row that is in
    doubt has its value, but is neither met nor not."""
    results = Results(cost, block, filter_cost, road, attack, limit, syns)
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
