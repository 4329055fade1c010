# SPDX-License-Identifier: BSD-2-Clause
"""stats: the same counters as a table, as JSON, and again and again."""
import json
import os
import re
import select
import subprocess
import time

import pytest
from scapy.all import IP, UDP

from lab import SLUICE
from scene import BLOCK, BLOCKED4, BOX4, CLIENT4, policy

POLICY = """set bogons { 192.0.2.0/24, 2001:db8:bad::/48 }
set own { 198.51.100.9 }

interface eth0 {
    block { from @bogons, 203.0.113.0/24
            to @own }
    fragments drop
}
"""


def frame(scene, source=CLIENT4, target=BOX4, size=60, **fields):
    made = scene.ethernet() / IP(src=source, dst=target, **fields) / UDP(sport=1, dport=9)
    return made / bytes(size - len(made))


@pytest.fixture
def counted(quiet):
    """Three packets of 60 bytes for each of the first set and the second rule, two for the second set, four fragments,
    one malformed, seven that pass; the last of them is Scene.last()."""
    quiet.box.apply(POLICY)
    quiet.send(*[frame(quiet, BLOCKED4)] * 3, *[frame(quiet, "203.0.113.4")] * 3,
               *[frame(quiet, target="198.51.100.9")] * 2,
               *[frame(quiet, frag=9)] * 4, frame(quiet, ihl=3), *[frame(quiet)] * 6)
    return quiet


def entry(packets, size=60):
    return {"packets": packets, "bytes": packets * size}


def test_json_has_the_five_tables_of_the_contract(counted):
    output = counted.box.sluice("stats", "-j").stdout
    assert output.count("\n") == 1 and output.endswith("}\n")
    stats = json.loads(output)
    assert list(stats) == ["verdicts", "reasons", "rules", "sets", "counters", "services"]
    assert stats["verdicts"] == {"aborted": entry(0), "drop": entry(13), "pass": {"packets": 7, "bytes": 6 * 60 + 42},
                                 "tx": entry(0), "redirect": entry(0)}
    counted_reasons = {name: e for name, e in stats["reasons"].items() if e["packets"]}
    assert counted_reasons == {"block-source": entry(6), "block-destination": entry(2), "fragment": entry(4),
                               "malformed-ipv4": entry(1), "default": {"packets": 7, "bytes": 6 * 60 + 42}}
    path = f"{counted.lab.folder.name}/test.policy"
    assert stats["rules"] == {f"{path}:5": dict(entry(6), text="from @bogons; from 203.0.113.0/24"),
                              f"{path}:6": dict(entry(2), text="to @own")}
    assert stats["sets"] == {"bogons": entry(3), "own": entry(2)}
    assert stats["services"] == {}


def test_every_reason_is_in_the_json_also_without_packets(quiet):
    quiet.box.apply(policy())
    reasons = quiet.box.stats()["reasons"]
    with open(__file__.replace("tests/net/test_stats.py", "include/sluice/reason.h")) as header:
        names = re.findall(r'X\(\d+, \w+, "[\w-]+", "([\w-]+)"', header.read())
    assert len(names) > 10
    assert list(reasons) == names


def test_every_packet_is_in_one_verdict_and_one_reason(counted):
    stats = counted.box.stats()
    for unit in ("packets", "bytes"):
        assert sum(e[unit] for e in stats["verdicts"].values()) == sum(e[unit] for e in stats["reasons"].values())
    assert sum(e["packets"] for e in stats["verdicts"].values()) == 20


def test_table(counted):
    path = f"{counted.lab.folder.name}/test.policy"
    assert counted.box.sluice("stats").stdout == (
        f"{'':33} {'packets':>14} {'bytes':>16}\n" + "".join(
            f"{title:8} {name:24} {packets:14} {size:16}{text}\n" for title, name, packets, size, text in (
                ("verdict", "aborted", 0, 0, ""),
                ("verdict", "drop", 13, 780, ""),
                ("verdict", "pass", 7, 402, ""),
                ("verdict", "tx", 0, 0, ""),
                ("verdict", "redirect", 0, 0, ""),
                ("reason", "default", 7, 402, ""),
                ("reason", "malformed-ipv4", 1, 60, ""),
                ("reason", "block-source", 6, 360, ""),
                ("reason", "block-destination", 2, 120, ""),
                ("reason", "fragment", 4, 240, ""),
                ("rule", f"{path}:5", 6, 360, "  from @bogons; from 203.0.113.0/24"),
                ("rule", f"{path}:6", 2, 120, "  to @own"),
                ("set", "bogons", 3, 180, ""),
                ("set", "own", 2, 120, ""))))


def test_one_interface_or_all_of_them_together(lab):
    box, client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
    for name in ("eth0", "eth1"):
        lab.cable(box, name, client, name)
    box.apply(policy("default drop") + policy("default drop", interface="eth1"))
    for name, count in (("eth0", 2), ("eth1", 3)):
        wire = client.wire(name)
        for _ in range(count):
            wire.send(bytes(12) + b"\x88\xcc" + bytes(50))
    assert box.stats("eth0")["verdicts"]["drop"] == entry(2, 64)
    assert box.stats("eth1")["verdicts"]["drop"] == entry(3, 64)
    assert box.stats()["verdicts"]["drop"] == entry(5, 64)


def test_rules_of_a_macro_have_their_text_once(lab):
    """Two interfaces have the same lines, and two rules may be on one."""
    box = lab.host("box", ipv6=False)
    for name in ("eth0", "eth1"):
        lab.cable(box, name, lab.host(f"{name}-end", ipv6=False), "eth0")
    box.apply("macro two { drop udp dport 1; drop udp dport 1-9 }\n" +
              "\n".join(f"interface {name} {{ filter {{ use two }} }}" for name in ("eth0", "eth1")))
    assert {rule["text"] for rule in box.stats()["rules"].values()} == {"drop udp dport 1; drop udp dport 1-9"}


def test_counters_are_added_up_over_the_cpus(quiet):
    """Each CPU has counters of its own; senders that are pinned to different ones make them all count."""
    quiet.box.apply(policy(BLOCK))
    data = bytes(frame(quiet, BLOCKED4)).hex()
    send = ("import os,socket,sys;os.sched_setaffinity(0,{int(sys.argv[1])});"
            "s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW,0);s.bind(('eth0',0));"
            "[s.send(bytes.fromhex(sys.argv[2])) for _ in range(100)]")
    cpus = sorted(os.sched_getaffinity(0))
    for cpu in cpus:
        quiet.client.run("/usr/bin/python3", "-c", send, cpu, data)
    assert quiet.count()["drop"] == (100 * len(cpus), 6000 * len(cpus))


def watching(scene, *arguments):
    command = [SLUICE, "-n", scene.box.netns, "stats", *arguments]
    return scene.lab.keep(subprocess.Popen(command, env=scene.lab.environment, stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE, text=True, start_new_session=True))


def line_of(process, seconds=3):
    assert select.select([process.stdout], [], [], seconds)[0], "nothing printed"
    line = process.stdout.readline()
    assert line, f"ended: {process.stderr.read()}"
    return line


def test_watch_prints_a_json_line_at_each_interval(quiet):
    quiet.box.apply(policy(BLOCK))
    process = watching(quiet, "-j", "--watch", "0.2")
    line_of(process)
    started = time.monotonic()
    assert [json.loads(line_of(process))["verdicts"]["drop"]["packets"] for _ in range(3)] == [0, 0, 0]
    assert 0.5 < time.monotonic() - started < 2
    quiet.send(frame(quiet, BLOCKED4))
    for _ in range(10):
        if json.loads(line_of(process))["verdicts"]["drop"] == entry(1):
            break
    else:
        pytest.fail("the packet never showed")
    quiet.box.sluice("down")
    output, error = process.communicate(timeout=3)
    assert (process.returncode, error) == (1, "sluice: nothing of Sluice runs here\n")


def test_watch_prints_tables_with_rates(quiet):
    quiet.box.apply(policy(BLOCK))
    flood = quiet.flood(frame(quiet, BLOCKED4))
    process = watching(quiet, "eth0", "--watch", "0.3")
    tables = [[]]
    while len(tables) < 4:
        line = line_of(process)
        if line == "\n":
            tables.append([])
        else:
            tables[-1].append(line)
    flood.stop()
    assert tables[0][0].split() == ["packets", "bytes"]
    for before, after in zip(tables[0:2], tables[1:3]):
        assert after[0].split() == ["packets", "bytes", "packets/s"]
        drops = [next(line.split() for line in table if line.startswith("verdict  drop")) for table in (before, after)]
        rate = float(drops[1][4].removesuffix("/s"))
        assert rate > 100
        assert rate == pytest.approx((int(drops[1][2]) - int(drops[0][2])) / 0.3, rel=0.5)
    assert not any("\033" in line for table in tables for line in table)  # a pipe is no terminal


@pytest.mark.parametrize("seconds", ["0", "-1", "0.05", "4000", "soon", "1s", "", "nan"])
def test_watch_refuses_what_is_no_interval(quiet, seconds):
    result = quiet.box.sluice("stats", "--watch", seconds, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (
        2, "", f'sluice: --watch takes 0.1 to 3600 seconds, not "{seconds}"\n')
