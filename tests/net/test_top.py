# SPDX-License-Identifier: BSD-2-Clause
"""top: rates and heaviest talkers under traffic whose mix is known, on a terminal and as JSON."""
import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import time

import pytest
from scapy.all import IP, TCP, UDP, IPv6

from lab import SLUICE, sh, wait_until
from scene import policy
from terminal import Terminal

WINDOW = 1 << 30  # nanoseconds: include/sluice/top.h
HEAVY4, HEAVY6, LIGHT4 = "203.0.113.5", "2001:db8::7", "198.51.100.9"
BOX4, BOX6 = "198.51.100.1", "2001:db8::1"
POLICY = policy("block { from 203.0.113.0/24 }")
TABLES = ("sources", "destinations", "source_ports", "destination_ports")


def frames(scene):
    """Of ten frames six are dropped UDP from port 53, three are IPv6, one is a light source's."""
    heavy4 = scene.ethernet() / IP(src=HEAVY4, dst=BOX4) / UDP(sport=53, dport=9) / bytes(458)
    heavy6 = scene.ethernet() / IPv6(src=HEAVY6, dst=BOX6) / TCP(sport=1024, dport=443) / bytes(26)
    light4 = scene.ethernet() / IP(src=LIGHT4, dst=BOX4) / UDP(sport=1025, dport=123) / bytes(58)
    made = [heavy4, heavy6, heavy4, heavy4, light4, heavy4, heavy6, heavy4, heavy6, heavy4]
    assert [len(bytes(f)) for f in (heavy4, heavy6, light4)] == [500, 100, 100]
    return made


def flows(scene, count=256):
    """UDP from as many sources, which come round and round: more packets each than a tenth of a percent."""
    sources = [f"10.0.{i >> 8}.{i & 255}" for i in range(count)]
    return [scene.ethernet() / IP(src=source, dst=BOX4) / UDP(sport=7, dport=7) for source in sources]


@pytest.fixture
def guarded(quiet):
    quiet.box.apply(POLICY)
    return quiet


@contextlib.contextmanager
def flooded(scene, made):
    flood = scene.flood(*map(bytes, made))
    try:
        yield
    finally:
        flood.stop()


def once(scene, *arguments):
    result = scene.box.sluice("top", *arguments, "-j", "--once")
    assert result.stderr == "" and result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def switch(scene):
    """The words of the switch in the data path: until when packets are counted, nanoseconds, and the seed."""
    path = os.path.join(scene.lab.pins, next(p for p in scene.lab.pinned() if p.endswith("state/eth0/top")))
    dump = json.loads(sh("bpftool", "-j", "map", "lookup", "pinned", path, "key", "0", "0", "0", "0").stdout)
    return struct.unpack("=QQ", bytes(int(byte, 16) for byte in dump["value"]))


def is_on(scene):
    return switch(scene)[0] > time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def near(value, expected, percent):
    assert abs(value - expected) <= expected * percent / 100, (value, expected)


def test_rates_and_talkers_of_a_known_mix(guarded):
    with flooded(guarded, frames(guarded)):
        top = once(guarded, "eth0")
    assert list(top) == ["interface", "seconds", "verdicts", "reasons", "rules", "talkers"]
    assert 1 < top["seconds"] < 1.3 and top["interface"] == "eth0"
    drop, passed = top["verdicts"]["drop"], top["verdicts"]["pass"]
    assert passed["packets"] > 1000
    near(drop["packets"], passed["packets"] * 6 / 4, 5)
    near(drop["bytes"], drop["packets"] * 500, 0.1)
    (rule, counted), = top["rules"].items()
    assert rule.endswith("test.policy:3") and counted["text"] == "from 203.0.113.0/24"
    for unit in ("packets", "bytes"):  # counters that are not read at the same moment
        near(top["reasons"]["block-source"][unit], drop[unit], 5)
        near(counted[unit], drop[unit], 5)
    total = drop["packets"] + passed["packets"]
    talkers = top["talkers"]
    assert list(talkers) == ["seconds", "packets", "counted", "estimated", *TABLES, "hidden"]
    near(talkers["packets"], total, 10)
    seen = talkers["packets"]
    assert [row["address"] for row in talkers["sources"]] == [HEAVY4, HEAVY6, LIGHT4]
    assert [row["address"] for row in talkers["destinations"]] == [BOX4, BOX6]
    assert [(row["protocol"], row["port"]) for row in talkers["source_ports"]] == [
        ("udp", 53), ("tcp", 1024), ("udp", 1025)]
    assert [(row["protocol"], row["port"]) for row in talkers["destination_ports"]] == [
        ("udp", 9), ("tcp", 443), ("udp", 123)]
    # Estimates of one packet in 16: some thousand samples of the light one, whose deviation is 2 percent.
    for table, shares in (("sources", (0.6, 0.3, 0.1)), ("destinations", (0.7, 0.3)),
                          ("source_ports", (0.6, 0.3, 0.1))):
        for row, share in zip(talkers[table], shares):
            near(row["packets"], seen * share, 10 if share < 0.2 else 5)
            assert row["more"] == 0
    for row, size, dropped in zip(talkers["sources"], (500, 100, 100), (True, False, False)):
        near(row["bytes"], row["packets"] * size, 0.1)
        assert row["dropped_packets"] == (row["packets"] if dropped else 0)
        assert row["dropped_bytes"] == (row["bytes"] if dropped else 0)
    assert talkers["hidden"] == {table: 0 for table in TABLES}


def test_few_packets_are_counted_one_by_one(guarded):
    """Below 16,384 in a window nothing is an estimate."""
    reader = guarded.box.start(SLUICE, "top", "eth0", "-j", stdout=subprocess.PIPE, env=guarded.lab.environment)
    wire = guarded.client.wire("eth0")
    reader.stdout.readline()
    frame = bytes(frames(guarded)[0])
    for _ in range(700):  # over two windows at most
        wire.send(frame)
        time.sleep(0.0005)
    counted = 0
    for _ in range(5):
        talkers = json.loads(reader.stdout.readline())["talkers"]
        assert not talkers["estimated"] and talkers["packets"] == talkers["counted"]
        rows = [row for row in talkers["sources"] if row["address"] == HEAVY4]
        if rows:
            assert rows[0]["more"] == 0
            counted += round(rows[0]["packets"] * WINDOW / 1e9)
    assert counted == 700


def test_a_flood_of_sources_hides_no_heavy_one(guarded):
    """4,096 sources, eight for each place of the sketch, and one with 3 percent of the packets."""
    flood = flows(guarded, 4096)
    light = frames(guarded)[4]
    for at in range(0, 4096, 32):
        flood.insert(at, light)
    with many_flooded(guarded, flood):
        talkers = once(guarded)["talkers"]
    assert talkers["sources"][0]["address"] == LIGHT4
    near(talkers["sources"][0]["packets"] + talkers["sources"][0]["more"] / 2, talkers["packets"] * 3 / 100, 25)
    assert talkers["sources"][1]["packets"] < talkers["sources"][0]["packets"] / 3
    assert talkers["hidden"]["sources"] < talkers["packets"] / 200


@contextlib.contextmanager
def many_flooded(scene, made):
    """More frames than a command line holds."""
    wire = scene.client.wire("eth0")
    packets = [bytes(f) for f in made]
    pid = os.fork()
    if not pid:
        while True:
            for packet in packets:
                with contextlib.suppress(OSError):
                    wire.send(packet)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_nothing_is_counted_while_nobody_looks(guarded):
    assert switch(guarded)[0] == 0 and switch(guarded)[1] != 0
    guarded.send(*frames(guarded))
    assert switch(guarded)[0] == 0
    once(guarded)
    assert is_on(guarded)
    assert wait_until(lambda: not is_on(guarded), seconds=4)
    guarded.send(*frames(guarded))
    assert switch(guarded)[0] == 0  # the data path has taken it back


def test_a_reader_that_was_killed_leaves_nothing_on(guarded):
    reader = guarded.box.start(SLUICE, "top", "-j", stdout=subprocess.PIPE, env=guarded.lab.environment)
    assert json.loads(reader.stdout.readline())["talkers"]["packets"] == 0
    pins = guarded.lab.pinned()
    reader.kill()
    reader.wait()
    assert is_on(guarded)
    assert wait_until(lambda: not is_on(guarded), seconds=4)
    guarded.send(*frames(guarded))
    assert switch(guarded)[0] == 0 and guarded.lab.pinned() == pins


def test_several_readers_say_the_same_and_do_not_end_one_another(guarded):
    with flooded(guarded, frames(guarded)):
        readers = [guarded.box.start(SLUICE, "top", "-j", stdout=subprocess.PIPE, env=guarded.lab.environment)
                   for _ in range(3)]
        told = [[json.loads(reader.stdout.readline())["talkers"] for _ in range(2)] for reader in readers]
        assert any(talkers in told[1] for talkers in told[0])
        readers[0].kill()
        for _ in range(5):
            last = json.loads(readers[1].stdout.readline())["talkers"]
            assert last["sources"][0]["address"] == HEAVY4


def test_a_reader_goes_on_with_another_generation(guarded):
    with flooded(guarded, frames(guarded)):
        reader = guarded.box.start(SLUICE, "top", "-j", stdout=subprocess.PIPE, env=guarded.lab.environment)
        first = json.loads(reader.stdout.readline())
        guarded.box.apply(policy("block { from 2001:db8::/64 }"), name="other.policy")
        for _ in range(3):
            last = json.loads(reader.stdout.readline())
    assert first["talkers"]["sources"][0]["dropped_packets"] > 0
    by_address = {row["address"]: row for row in last["talkers"]["sources"]}
    assert by_address[HEAVY4]["dropped_packets"] == 0
    assert by_address[HEAVY6]["dropped_packets"] == by_address[HEAVY6]["packets"] > 0


def test_all_interfaces_together_or_one(lab):
    box, client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
    for name in ("eth0", "eth1"):
        lab.cable(box, name, client, name)
    box.apply(policy() + policy(interface="eth1"))
    reader = box.start(SLUICE, "top", "-j", stdout=subprocess.PIPE, env=lab.environment)
    one = box.start(SLUICE, "top", "eth1", "-j", stdout=subprocess.PIPE, env=lab.environment)
    wires = [client.wire(name) for name in ("eth0", "eth1")]
    frame = bytes(IPv6(src=HEAVY6, dst=BOX6) / UDP(sport=5, dport=6))
    frame = bytes(12) + b"\x86\xdd" + frame
    counts = {reader: 0, one: 0}
    for process in counts:
        process.stdout.readline()
    for wire, count in zip(wires, (20, 30)):
        for _ in range(count):
            wire.send(frame)
    for process, expected in ((reader, 50), (one, 30)):
        for _ in range(4):
            talkers = json.loads(process.stdout.readline())["talkers"]
            counts[process] += sum(round(row["packets"] * WINDOW / 1e9) for row in talkers["sources"])
            if counts[process] >= expected:
                break
        assert counts[process] == expected
    result = box.sluice("top", "eth9", "-j", "--once", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "sluice: nothing of Sluice runs on eth9\n")


def test_a_program_without_a_sketch_is_named(guarded):
    """As one that an older version loaded: what is pinned is not what it has."""
    path = os.path.join(guarded.lab.pins, next(p for p in guarded.lab.pinned() if p.endswith("state/eth0/talkers")))
    os.unlink(path)
    result = guarded.box.sluice("top", "-j", "--once", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (
        1, "", "sluice: the program on eth0 cannot tell who sends most: an older version of Sluice loaded it\n"
        "apply the policy again; until then: sluice stats --watch 1\n")
    guarded.box.apply(POLICY)
    assert "talkers" in once(guarded)


def test_nothing_runs(lab):
    result = lab.host("box").sluice("top", "-j", "--once", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "sluice: nothing of Sluice runs here\n")


def test_no_terminal(guarded):
    result = guarded.box.sluice("top", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (
        1, "", "sluice: top needs a terminal\nfor scripts: sluice top -j --once\n")
    assert switch(guarded)[0] == 0


@contextlib.contextmanager
def terminal(scene, *arguments, **options):
    opened = Terminal([SLUICE, "-n", scene.box.netns, "top", *arguments], environment=scene.lab.environment, **options)
    try:
        yield opened
    finally:
        opened.close()


def ended(opened, seconds=5):
    """Its exit status, once it has left the terminal as it was."""
    assert wait_until(lambda: opened.process.poll() is not None, seconds)
    opened.read(0.2)
    assert opened.restored()
    return opened.process.returncode


def test_screen_and_views(guarded):
    with flooded(guarded, frames(guarded)), terminal(guarded, "eth0") as screen:
        lines = screen.until(r"block-source").split("\n")
        assert re.fullmatch(r"sluice top  eth0  \d+ packets/s  \d+\.\d\d Mbit/s  (59|60|61)% dropped", lines[0])
        assert lines[1] == " verdicts  rules  sources  destinations  ports  source ports"
        assert lines[2].split() == ["packets/s", "bytes/s", "name"]
        assert [line.split()[2] for line in lines[3:7]] == ["drop", "pass", "block-source", "default"]
        assert lines[23].startswith("q quit  tab view  s sort  p pause")
        screen.keys("\t")
        assert re.search(r"\n +\d+ +\d+ +test.policy:3  from 203.0.113.0/24\n", screen.until("test.policy:3"))
        screen.keys("\t")
        lines = screen.until(HEAVY6).split("\n")
        assert [line.split()[2:] for line in lines[3:6]] == [["100%", HEAVY4], ["0%", HEAVY6], ["0%", LIGHT4]]
        assert lines[2].split() == ["packets/s", "bytes/s", "dropped", "name"]
        screen.keys("\t")
        assert [line.split()[3] for line in screen.until(rf"{BOX6}\n").split("\n")[3:5]] == [BOX4, BOX6]
        screen.keys("\t")
        assert [line.split()[3] for line in screen.until("udp/123").split("\n")[3:6]] == ["udp/9", "tcp/443", "udp/123"]
        screen.keys("\t")
        assert [line.split()[3] for line in screen.until("udp/1025").split("\n")[3:6]] == [
            "udp/53", "tcp/1024", "udp/1025"]
        screen.keys("\t")
        screen.until("block-source")
        screen.keys("q")
        assert ended(screen) == 0


def test_sorting(guarded):
    made = frames(guarded)
    small = guarded.ethernet() / IP(src="192.0.2.1", dst=BOX4) / UDP(sport=1, dport=1) / bytes(18)
    with flooded(guarded, made + [small] * 20), terminal(guarded) as screen:
        def order():
            return [line.split()[3] for line in screen.text().split("\n")[3:7] if len(line.split()) > 3]

        def comes(expected):
            assert wait_until(lambda: screen.read(0.05) or order() == expected), screen.text()

        screen.until("block-source")
        screen.keys("\t\t")
        comes(["192.0.2.1", HEAVY4, HEAVY6, LIGHT4])  # by packets
        screen.keys("s")
        comes([HEAVY4, "192.0.2.1", HEAVY6, LIGHT4])  # by bytes
        screen.keys("s")
        comes([HEAVY4, "192.0.2.1", LIGHT4, HEAVY6])  # by what was dropped, then by name
        screen.keys("s")
        comes(["192.0.2.1", LIGHT4, HEAVY4, HEAVY6])  # by name, numbers as numbers
        screen.keys("s")
        comes(["192.0.2.1", HEAVY4, HEAVY6, LIGHT4])


def test_scrolling(guarded):
    with flooded(guarded, flows(guarded, 60)), terminal(guarded) as screen:
        screen.until("default")
        screen.keys("\t\tsss")  # sources by name
        assert "10.0.0.19\n" in screen.until(r"10\.0\.0\.0\n")
        screen.keys("\x1b[B")
        lines = screen.until(r"10\.0\.0\.20\n").split("\n")
        assert (lines[3].split()[3], lines[22].split()[3]) == ("10.0.0.1", "10.0.0.20")
        screen.keys("\x1b[6~")
        assert screen.until(r"10\.0\.0\.40\n").split("\n")[3].split()[3] == "10.0.0.21"
        screen.keys("\x1b[6~\x1b[6~")  # not past the end
        assert screen.until(r"10\.0\.0\.59\n").split("\n")[3].split()[3] == "10.0.0.40"
        screen.keys("\x1b[A")
        screen.until(r"\n *\d+ +\d+ +0% +10\.0\.0\.39\n")
        screen.keys("\x1b[5~\x1b[5~\x1b[5~")
        assert screen.until(r"10\.0\.0\.0\n").split("\n")[3].split()[3] == "10.0.0.0"


def test_a_pause_holds_the_screen_and_counts_nothing(guarded):
    with flooded(guarded, frames(guarded)), terminal(guarded) as screen:
        screen.until("block-source")
        screen.keys("p")
        held = screen.until("PAUSED")
        assert wait_until(lambda: not is_on(guarded), seconds=5)
        screen.read(0.5)
        assert screen.text() == held
        screen.keys("p")
        assert wait_until(lambda: is_on(guarded))
        assert wait_until(
            lambda: screen.read(0.1) or "PAUSED" not in screen.text() and screen.text() != held, seconds=8)


@pytest.mark.parametrize("lines, columns", [(24, 80), (50, 200), (6, 40), (3, 20), (1, 10), (2, 1), (1, 1)])
def test_any_size(guarded, lines, columns):
    with flooded(guarded, frames(guarded)), terminal(guarded, lines=lines, columns=columns) as screen:
        screen.until(re.escape("sluice top  all interfaces"[:columns].rstrip()))
        screen.keys("\t\t")
        if lines > 5:
            screen.until(HEAVY4)
        screen.read(2.3)
        screen.keys("q")
        assert ended(screen) == 0


def test_the_size_changes_while_it_runs(guarded):
    with flooded(guarded, frames(guarded)), terminal(guarded) as screen:
        screen.until("block-source")
        for lines, columns in ((10, 40), (1, 5), (40, 120), (24, 80)):
            screen.resize(lines, columns)
            text = screen.until(re.escape("sluice top  all interfaces"[:columns].rstrip()), seconds=5)
            assert len(text.split("\n")) == lines
            if lines >= 10:
                screen.until("block-source")
                assert screen.until("q quit").split("\n")[lines - 1].startswith("q quit")
        screen.keys("q")
        assert ended(screen) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=lambda n: n.name)
def test_signals_leave_the_terminal_as_it_was(guarded, number):
    with terminal(guarded) as screen:
        screen.until("verdicts")
        assert not screen.restored()
        screen.process.send_signal(number)
        assert ended(screen) == 0


def test_control_c(guarded):
    with terminal(guarded) as screen:
        screen.until("verdicts")
        screen.keys("\x03")
        assert ended(screen) == 0


def test_an_error_is_told_after_the_terminal_was_given_back(guarded):
    with terminal(guarded) as screen:
        screen.until("verdicts")
        guarded.box.sluice("down")
        assert ended(screen) == 1
        assert screen.printed.endswith(b"sluice: nothing of Sluice runs here\r\n")


def test_colour_means_something(guarded):
    with flooded(guarded, frames(guarded)), terminal(guarded) as screen:
        screen.until("block-source")
        assert b"31m" in screen.printed and b"32m" in screen.printed
    environment = dict(guarded.lab.environment, NO_COLOR="1")
    plain = Terminal([SLUICE, "-n", guarded.box.netns, "top"], environment=environment)
    with contextlib.closing(plain), flooded(guarded, frames(guarded)):
        plain.until("block-source")
        assert b"31m" not in plain.printed and b"32m" not in plain.printed


def test_a_terminal_that_nobody_knows(guarded):
    command = ["env", "TERM=nonsense", SLUICE, "-n", guarded.box.netns, "top"]
    with contextlib.closing(Terminal(command, environment=guarded.lab.environment)) as screen:
        assert ended(screen) == 1
        assert screen.text().split("\n")[:2] == [
            'sluice: top does not know this terminal (TERM is "nonsense")', "for scripts: sluice top -j --once"]
