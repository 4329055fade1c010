# SPDX-License-Identifier: BSD-2-Clause
"""What a limit costs per packet over an empty policy, by the number of sources that send; SYNs that one CPU answers; and how
soon a source that is over its limit is dropped by the block."""
import json
import os
import re
import statistics
import time

from filter_rules import bench, write
from lab import SLUICE, SweptLab, sh
from screen import count, progress, say
from siege import BOX, FLOOD_CPU, GENERATOR, Siege
from attack import CONTENDERS

FLOWS = (1, 4096, 65536, 1048576)
LIMITS = {
    "packets": "all 1000/s burst 1000000 per source",
    "bytes": "all 100mbit/s burst 100mbyte per source",
    "net": "all 1000/s burst 1000000 per source/24/48",
    "rule": "all 10000000/s burst 1000000",
    "slow": "all 10/s burst 1000000 per source",
}
TIMES = {False: (5, 2.0), True: (1, 0.5)}  # rounds, seconds
COST_COLUMNS = "{:<8} {:<6} {:>8} {:>9} {:>9} {:>8} {:>18}"
SYN_COLUMNS = "{:<34} {:>16}"


def measure_cost(build, folder, quick):
    rows = []
    say(COST_COLUMNS.format("limit", "family", "sources", "empty ns", "cost ns", "spread", "LRU of buckets ns"))
    empty = write(os.path.join(folder, "limit-empty.policy"), "interface eth0 { }\n")
    for family in (4,) if quick else (4, 6):
        flows = FLOWS[:2] if quick else FLOWS
        without = bench(build, empty, family, "bucket", flows)
        for name, limit in list(LIMITS.items())[:2 if quick else None]:
            progress(f"{limit}, IPv{family}")
            policy = write(os.path.join(folder, "limit.policy"), f"interface eth0 {{ limit {{ {limit} }} }}\n")
            judged = bench(build, policy, family, "bucket", flows)
            progress("")
            for number in flows:
                rows.append(cost_row(name, family, judged[number], without[number]))
                show_cost(rows[-1])
    return rows


def cost_row(name, family, row, bare):
    """The peer is beyond a program that does nothing; its time has the parsing in it."""
    return {"limit": name, "family": family, "flows": row["flows"], "empty_ns": bare["cost_ns"],
            "cost_ns": row["cost_ns"] - bare["cost_ns"], "bucket_ns": row["bucket_cost_ns"], "dropped": row["dropped"],
            "spread_ns": max(row["spread_ns"], bare["spread_ns"]), "noisy": row["noisy"] or bare["noisy"]}


def show_cost(row):
    say(COST_COLUMNS.format(row["limit"], f"IPv{row['family']}", count(row["flows"]), f"{row['empty_ns']:.1f}",
                            f"{row['cost_ns']:.1f}", f"{row['spread_ns']:.1f}", f"{row['bucket_ns']:.1f}") +
        ("  noisy" if row["noisy"] else ""))


GATEWAY = "interface eth0 { synproxy { tcp dport 80 gateway } }\n"
HOST = "interface eth0 { synproxy { tcp dport 80 } }\n"


def netstat(siege, name):
    """A counter of /proc/net/netstat."""
    text = siege.box.run("cat", "/proc/net/netstat").stdout
    names, values = re.search(rf"^TcpExt:.*\b{name}\b.*\n^TcpExt:.*", text, re.M)[0].splitlines()
    return int(values.split()[names.split().index(name)])


def by_kernel(siege):
    return netstat(siege, "SyncookiesSent")


def by_nftables(siege):
    """Of all CPUs, in hexadecimal: the second number of each line is of the SYNs that came, all of them answered."""
    lines = siege.box.run("cat", "/proc/net/stat/synproxy").stdout.splitlines()[1:]
    return sum(int(line.split()[1], 16) for line in lines)


def by_sluice(siege):
    return siege.box.stats()["verdicts"]["tx"]["packets"]


def nftables(siege):
    dict((who, defend) for who, _, defend in CONTENDERS)["nftables"](siege)


def kernel(siege):
    siege.cookies(2)


def apply(text):
    def applied(siege):
        siege.cookies(2)
        siege.box.apply(text)
    return applied


ANSWERING = (("kernel", "the kernel's listener, cookies", kernel, by_kernel), ("nftables", "nftables synproxy", nftables, by_nftables),
             ("host", "Sluice, cookies of this host", apply(HOST), by_sluice),
             ("gateway", "Sluice, questions of a gateway", apply(GATEWAY), by_sluice))


def answered(defend, counter, seconds):
    """SYNs answered per second by the CPU that also sends them."""
    with SweptLab("bench") as lab:
        siege = Siege(lab)
        siege.serve()
        defend(siege)
        before = counter(siege)
        said = json.loads(sh(GENERATOR, siege.router.netns, "eth0", *siege.flood("syn"), "--cpu", FLOOD_CPU, "--seconds",
                             seconds).stdout)
        return (counter(siege) - before) / said["seconds"]


def measure_syns(quick):
    rounds, seconds = TIMES[quick]
    found = {}
    for number in range(rounds):
        for who, title, defend, counter in ANSWERING:
            progress(f"round {number + 1} of {rounds}: {title}")
            found.setdefault(who, []).append(answered(defend, counter, seconds))
    progress("")
    rows = [{"who": who, "pps": statistics.median(rates), "rates": rates} for who, rates in found.items()]
    say(SYN_COLUMNS.format("SYNs answered by", "a second"))
    for (_, title, _, _), row in zip(ANSWERING, rows):
        say(SYN_COLUMNS.format(title, f"{row['pps']:,.0f}"))
    return rows


BAN = """set banned dynamic size 1000
interface eth0 {{ block {{ from @banned }} {stage} }}
"""
BY_ITSELF = BAN.format(stage="limit { udp 1/d burst 1 per source ban @banned }")
BY_A_WATCHER = BAN.format(stage="filter { drop udp log; }")
LONE = "192.0.2.7"  # who sends


def wait_for_ban(siege, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if siege.box.stats()["reasons"]["block-source"]["packets"]:
            return
        time.sleep(0.05)
    raise RuntimeError("nobody was banned")


def latency(siege, text, watcher):
    """Packets of one source, flat out, that something else than the block dropped or let through, and the time that is."""
    siege.box.apply(text)
    if watcher:
        siege.box.start("sh", "-c", f"{SLUICE} -n {siege.box.netns} events -j | sed -u 's/.*\"src\": *\"\\([^\"]*\\)\".*/\\1/' | "
                        f"while read -r source; do {SLUICE} -n {siege.box.netns} set add banned $source; done", env=siege.lab.environment)
        time.sleep(0.5)
    path = siege.lab.file("lone", LONE + "\n")
    with siege.attack("udp", "--sources", path) as said:
        wait_for_ban(siege)
    reasons = siege.box.stats()["reasons"]
    late = said["sent"] - said["lost"] - reasons["block-source"]["packets"]
    return {"packets": late, "ms": 1000 * late * said["seconds"] / said["sent"]}


def measure_bans(quick):
    rows = []
    for who, text, watcher in (("limit", BY_ITSELF, False), ("watcher", BY_A_WATCHER, True)):
        found = []
        for _ in range(TIMES[quick][0]):
            with SweptLab("bench") as lab:
                found.append(latency(Siege(lab), text, watcher))
        rows.append({"who": who, **{key: statistics.median(one[key] for one in found) for key in ("packets", "ms")}})
    for row in rows:
        title = {"limit": "a ban by the limit", "watcher": "events, a shell loop, `set add`"}[row["who"]]
        say(f"{title}: {row['packets']:,.0f} packets, {row['ms']:.4f} ms until the block drops the source")
    return rows
