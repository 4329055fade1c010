# SPDX-License-Identifier: BSD-2-Clause
"""What policies cost per packet: BUILD/bench/cost runs the real program, an empty one and the kernel's LPM trie over the
same frames, in turn."""
import json
import os
import subprocess

import lists
from screen import count, say

FLOWS = (1, 4096, 65536, 1048576)
TYPICAL = 65536  # flows of the rows that are compared
COLUMNS = "{:<16} {:<6} {:<8} {:>6} {:>9} {:>10} {:>9} {:>8} {:>9} {:>8}"


def policies(folder, quick):
    """(name, path of the policy)"""
    sizes = (100,) if quick else (1000, 100000, 1000000)
    yield "empty", write(folder, "empty", {})
    for size in sizes:
        yield f"block-{count(size)}", write(folder, f"block-{count(size)}", {
            4: lists.blocklist4(size), 6: lists.blocklist6(size)})
    yield f"except-{count(sizes[-1])}", write_except(folder, sizes[-1])
    if not quick:
        yield "lengths-1M", write(folder, "lengths-1M", {4: lists.lengths4(1000000)})


def write_set(folder, name, prefixes, family):
    """Returns the line of the policy."""
    lists.write(os.path.join(folder, f"{name}.{family}"), prefixes, family)
    return f'set {name}-{family} file "{name}.{family}"\n'


def write_policy(folder, name, sets, block):
    path = os.path.join(folder, name + ".policy")
    with open(path, "w") as out:
        out.write(f"{sets}interface eth0 {{ {block} }}\n")
    return path


def write(folder, name, prefixes):
    """A policy that blocks from a set for each family that has prefixes."""
    sets = "".join(write_set(folder, name, prefixes[family], family) for family in prefixes)
    names = ", ".join(f"@{name}-{family}" for family in prefixes)
    return write_policy(folder, name, sets, f"block {{ from {names} }}" if names else "")


def write_except(folder, size):
    """The same list in two sets, the halves of it, and a tenth of it again as an exception: three values, which an image
    has to tell apart."""
    sets, names, kept = "", [], []
    for family, prefixes in (4, lists.blocklist4(size)), (6, lists.blocklist6(size)):
        for name, part in ("odd", prefixes[::2]), ("even", prefixes[1::2]), ("kept", prefixes[::10]):
            sets += write_set(folder, f"{name}-{count(size)}", part, family)
            (kept if name == "kept" else names).append(f"@{name}-{count(size)}-{family}")
    return write_policy(folder, f"except-{count(size)}", sets,
                        f"block {{ from {', '.join(names)}; except {', '.join(kept)} }}")


def words(name, quick):
    """Rows to measure, in the words of the program: without a list there is nothing to be listed in."""
    flows = [str(n) for n in FLOWS[:2 if quick else None]]
    for family in ("ipv4",) if name.startswith("lengths") else ("ipv4", "ipv6"):
        if name == "empty":
            yield from (family, "random", *flows)
        else:
            yield from (family, "listed", "trie", *flows)
            for sources in () if quick else ("random", "mixed"):
                yield from (sources, str(TYPICAL))


def measure(build, folder, quick):
    rows = []
    say(COLUMNS.format("policy", "family", "sources", "flows", "bare ns", "policy ns", "cost ns", "spread",
                       "trie ns", "dropped"))
    for name, path in policies(folder, quick):
        command = [os.path.join(build, "bench/cost"), path, *words(name, quick)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                rows.append({"policy": name, **json.loads(line)})
                show(rows[-1])
        if process.returncode:
            raise SystemExit(process.returncode)
    return rows


def show(row):
    trie = f"{row['trie_cost_ns']:.1f}" if "trie_ns" in row else "-"
    say(COLUMNS.format(row["policy"], f"IPv{row['family']}", row["sources"], count(row["flows"]),
                       f"{row['bare_ns']:.1f}", f"{row['policy_ns']:.1f}", f"{row['cost_ns']:.1f}",
                       f"{row['spread_ns']:.1f}", trie, f"{row['dropped']:.0%}") + ("  noisy" if row["noisy"] else ""))
