# SPDX-License-Identifier: BSD-2-Clause
"""What filter rules cost: per packet in the program, over an empty policy, for packets that some rule is about, beside a walk
over the same rules and code made of them; and on the road, from load to verdict, beside nftables with the same rules."""
import json
import os
import random
import shutil
import statistics
import subprocess

import contenders
import lists
import rules
from contenders import Skip, maps_mebibytes, timed
from lab import SLUICE, sh
from road import Road
from screen import count, progress, say, spread

FLOWS = (1, 4096, 65536)
NOISY = 0.1  # a spread above that share of the median
SECONDS = 0.4
LINEAR_MAX = 10000  # rules that nftables is asked to go through one by one: beyond, a packet takes milliseconds
STRAIGHT_MAX = 1000  # rules that are tried as code
COST_COLUMNS = "{:<5} {:<6} {:>6} {:>6} {:>9} {:>10} {:>9} {:>8} {:>9} {:>9} {:>8}"
ROAD_COLUMNS = "{:<5} {:>6}  {:<24} {:>8} {:>7} {:>8} {:>9} {:>7} {:>6}"


def scenes(quick):
    """(kind, rules, family)"""
    sizes, kinds = ((100,), ("acl",)) if quick else ((32, 1000, 10000, 100000), ("acl", "fw", "ipc"))
    return [(kind, size, family) for kind in kinds for size in sizes for family in ((4,) if quick else (4, 6))]


def address(rng, prefix, family):
    """An address that the prefix covers, as an integer."""
    bits = 32 if family == 4 else 128
    base, length = prefix or (0, 0)
    if not length:  # somewhere that is an address of a host
        return rng.randrange(1 << 24, 224 << 24) if family == 4 else 0x2 << 124 | rng.getrandbits(125)
    return base | rng.getrandbits(bits - length) if length < bits else base


def write(path, text):
    with open(path, "w") as out:
        out.write(text)
    return path


def bench(build, policy, family, peer, flows=FLOWS):
    """Rows by the number of flows, each inside of what a rule is about, all rules alike. `peer` is a word of bench/cost. Raises
    Skip when the peer cannot be loaded."""
    ended = sh(os.path.join(build, "bench/cost"), policy, f"ipv{family}", "listed", peer, *map(str, flows), check=False)
    if ended.returncode and peer == "straight" and "cannot load" in ended.stderr:
        raise Skip(ended.stderr.strip())
    if ended.returncode:
        raise SystemExit(ended.stderr)
    return {row["flows"]: row for row in map(json.loads, ended.stdout.splitlines())}


def peers(size, family):
    """IPv4 alone is what they know."""
    return [] if family == 6 else ["walk", "straight"] if size <= STRAIGHT_MAX else ["walk"]


def measure_cost(build, folder, quick):
    rows = []
    say(COST_COLUMNS.format("kind", "family", "rules", "flows", "empty ns", "policy ns", "cost ns", "spread", "walk ns",
                            "code ns", "dropped"))
    bare = write(os.path.join(folder, "filter-empty.policy"), "interface eth0 { }\n")
    without = {peer: bench(build, bare, 4, peer) for peer in ("walk", "straight")}
    for kind, size, family in scenes(quick):
        progress(f"{kind}, {count(size)} rules, IPv{family}")
        policy = write(os.path.join(folder, "filter.policy"), rules.policy(rules.generate(kind, size, family)))
        judged = {}
        for peer in ["empty", *peers(size, family)]:
            try:
                judged[peer] = bench(build, policy, family, peer)
            except Skip as reason:
                say(f"{kind:<5} {count(size):>6} rules as code: {reason}")
        progress("")
        for flows in FLOWS:
            rows.append(cost_row(kind, size, family, flows, judged, without))
            show_cost(rows[-1])
    return rows


def cost_row(kind, size, family, flows, judged, without):
    """What each takes beyond the same program without rules: Sluice for the same packets in the same rounds; the peers, which
    without rules look at nothing of a packet, beyond that."""
    row = judged["empty"][flows]
    made = {"kind": kind, "family": family, "rules": size, "flows": flows, "bare_ns": row["bare_ns"],
            "empty_ns": row["empty_cost_ns"], "policy_ns": row["cost_ns"], "cost_ns": row["cost_ns"] - row["empty_cost_ns"],
            "spread_ns": row["spread_ns"], "dropped": row["dropped"], "noisy": row["noisy"]}
    for peer in without:
        if peer in judged:
            made[f"{peer}_ns"] = judged[peer][flows][f"{peer}_cost_ns"] - without[peer][flows][f"{peer}_cost_ns"]
    return made


def show_cost(row):
    walk, straight = (f"{row[name]:.1f}" if name in row else "-" for name in ("walk_ns", "straight_ns"))
    say(COST_COLUMNS.format(row["kind"], f"IPv{row['family']}", count(row["rules"]), count(row["flows"]),
                            f"{row['empty_ns']:.1f}", f"{row['policy_ns']:.1f}", f"{row['cost_ns']:.1f}",
                            f"{row['spread_ns']:.1f}", walk, straight, f"{row['dropped']:.0%}") +
        ("  noisy" if row["noisy"] else ""))


class Bare:
    """Drops everything, whatever the rules are."""
    name, title = "bare", "bare XDP_DROP"

    def __init__(self, road, folder):
        self.road, self.process_mib, self.kernel_mib = road, None, None

    def load(self, found):
        peer = contenders.Bare(self.road)
        peer.load(4, [], None)
        self.load_s = peer.load_s


class Sluice:
    name, title = "sluice", "Sluice"

    def __init__(self, road, folder):
        self.road, self.folder, self.kernel_mib = road, folder, None

    def load(self, found):
        """Over a policy that runs: compile, load, swap."""
        box = self.road.box
        box.apply(f"interface {self.road.interface} {{ }}\n")
        path = write(os.path.join(self.folder, "road.policy"), rules.policy(found, self.road.interface))
        self.load_s, self.process_mib = timed([SLUICE, "-n", box.netns, "apply", path], env=box.lab.environment)
        self.kernel_mib = maps_mebibytes(self.road)


class Nft:
    write = None

    def __init__(self, road, folder):
        self.road, self.folder, self.kernel_mib = road, folder, None

    def load(self, found):
        if not shutil.which("nft"):
            raise Skip("not installed")
        self.refuse(found)
        path = write(os.path.join(self.folder, "road.nft"), type(self).write(found, self.road.interface))
        self.load_s, self.process_mib = timed(self.road.box.command("nft", "-f", path))

    def refuse(self, found):
        """Raises Skip for what it is not asked to do."""


class NftLinear(Nft):
    name, title, write = "nft-linear", "nftables, rule by rule", staticmethod(rules.nft)

    def refuse(self, found):
        if len(found) > LINEAR_MAX:
            raise Skip(f"not with more than {count(LINEAR_MAX)} rules: a packet meets them one by one")


class NftMap(Nft):
    name, title, write = "nft-map", "nftables, one map", staticmethod(rules.nft_map)


CONTENDERS = (Bare, Sluice, NftLinear, NftMap)


def sources_of(found, folder):
    """Addresses that rules name as sources, one a line, for the generator."""
    rng = random.Random(rules.SEED)
    named = [rule for rule in found if rule.source] or found
    picked = {address(rng, rng.choice(named).source, 4) for _ in range(65536)}
    path = os.path.join(folder, "road.sources")
    lists.write(path, [(number, 32) for number in sorted(picked)], 4)
    return path


def measure_road(lab, build, folder, quick):
    rows = []
    say(ROAD_COLUMNS.format("kind", "rules", "who", "load s", "MiB", "Mpps", "ns each", "spread", "busy"))
    for number, (kind, size, family) in enumerate(scenes(quick)):
        if family == 4:
            rows += road_scene(lab, build, folder, number, kind, size, 1 if quick else 3)
    return rows


def road_scene(lab, build, folder, number, kind, size, rounds):
    found, rows, there = rules.generate(kind, size), [], []
    sources = sources_of(found, folder)
    for turn, contender in enumerate(CONTENDERS):
        progress(f"{kind}, {count(size)} rules: loading {contender.title}")
        row = {"kind": kind, "rules": size, "who": contender.name, "title": contender.title}
        rows.append(row)
        made = contender(Road(lab, build, f"f{number}{turn}"), folder)
        try:
            made.load(found)
        except Skip as reason:
            row["skipped"] = str(reason)
            continue
        row |= {"load_s": made.load_s, "process_mib": made.process_mib, "kernel_mib": made.kernel_mib}
        made.road.set_thread(True)
        there.append((made, row, []))
    for _ in range(rounds):
        for made, row, floods in there:
            progress(f"{kind}, {count(size)} rules: {made.title}")
            floods.append(made.road.flood(4, sources, SECONDS))
    progress("")
    for made, row, floods in there:
        times = [flood["cpu_ns"] for flood in floods]
        row |= {"cpu_ns": statistics.median(times), "spread": spread(times), "rounds": times,
                "pps": statistics.median(flood["rate"] for flood in floods),
                "busy": statistics.median(flood["busy"] for flood in floods),
                "passed": max(flood["passed"] for flood in floods), "noisy": spread(times) > NOISY}
    for row in rows:
        show_road(row)
    return rows


def show_road(row):
    if "skipped" in row:
        say(f"{row['kind']:<5} {count(row['rules']):>6}  {row['title']:<24} {row['skipped']}")
        return
    mebibytes = "-" if row["kernel_mib"] is None else f"{row['kernel_mib']:.1f}"
    say(ROAD_COLUMNS.format(row["kind"], count(row["rules"]), row["title"], f"{row['load_s']:.3f}", mebibytes,
                            f"{row['pps'] / 1e6:.3f}", f"{row['cpu_ns']:.0f}", f"{row['spread']:.0%}", f"{row['busy']:.0%}") +
        (f"  {row['passed']:.0%} got past" if row["passed"] else ""))
