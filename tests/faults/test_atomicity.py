# SPDX-License-Identifier: BSD-2-Clause
"""Swaps under traffic: nothing that both generations let pass is lost, none judges again once its successor has, nothing
is judged by a mixture of the two, and every packet is counted once.

Four policies take turns. Policy n lets pass frame P(n) and none of the other P. D no policy lets pass, but even ones block
its source and odd ones its destination. E pass all policies: the even ones exempt the source of one and block its
destination, the odd ones know neither; sources of an odd table with destinations of an even one would drop it. For the
other E it is the other way round. S is in a dynamic set that all policies block, put there once, before the first swap. A,
the last, is nobody's business."""
import json
import mmap
import os
import statistics
import struct
import subprocess
import sys
import time

import harness
import pytest
from lab import SLUICE
from scapy.all import IP, UDP, Ether
from scene import policy

POLICIES = 4
NEVER = 2  # frames of the kinds D and S
BANNED = "10.80.0.1"
FRAMES = [*((f"10.60.{number}.1", "10.99.0.1") for number in range(POLICIES)), ("10.70.0.1", "10.71.0.1"),
          (BANNED, "10.99.0.1"),
          ("10.50.0.1", "10.52.0.1"), ("10.51.0.1", "10.53.0.1"), ("10.98.0.1", "10.99.0.1")]


def numbered(number, mode, interfaces):
    odd = number % 2
    others = [f"from 10.60.{other}.1" for other in range(POLICIES) if other != number]
    statements = ["block {", "from @banned", f"except 10.5{odd}.0.1", *others, "to 10.71.0.1" if odd else "from 10.70.0.1",
                  f"to 10.5{2 + odd}.0.1", "}"]
    return "set banned dynamic size 100 timeout never\n" + "".join(
        policy(*statements, interface=interface, mode=mode) for interface in interfaces)


FILLER = 10000  # rules about other packets


def filtered(number, mode, interfaces):
    """The same in rules of a filter, among ten thousand that are other ones in each policy."""
    odd = number % 2
    others = [f"drop from 10.60.{other}.1" for other in range(POLICIES) if other != number]
    filler = [f"drop tcp from 10.{number}.{rule >> 8}.{rule & 255} dport {1 + rule * 7 % 60000}" for rule in range(FILLER)]
    statements = ["filter {", "drop from @banned", f"accept from 10.5{odd}.0.1", *filler[:FILLER // 2], *others,
                  "drop to 10.71.0.1" if odd else "drop from 10.70.0.1", f"drop to 10.5{2 + odd}.0.1",
                  *filler[FILLER // 2:], "}"]
    return "set banned dynamic size 100 timeout never\n" + "".join(
        policy(*statements, interface=interface, mode=mode) for interface in interfaces)


class Traffic:
    """The train, and the policies that take turns under it."""

    def __init__(self, lab, mode, interfaces, numbered=numbered):
        self.lab, self.interfaces = lab, interfaces
        self.box, client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
        wires = []
        for interface in interfaces:
            lab.cable(self.box, interface, client, interface)
            out, seen = client.wire(interface), self.box.wire(interface)
            frames = [bytes(Ether(src=client.mac(interface), dst=self.box.mac(interface)) / IP(src=source, dst=to) /
                            UDP(sport=number, dport=9, chksum=0) / bytes(16)).hex()
                      for number, (source, to) in enumerate(FRAMES)]
            wires.append([out.fileno(), seen.fileno(), frames])
        self.paths = [lab.file(f"{number}.policy", numbered(number, mode, interfaces)) for number in range(POLICIES)]
        self.current, self.previous = 0, None
        self.sequence = [0]
        self.commands = []  # how long each took
        self.box.sluice("apply", self.paths[0])
        self.box.sluice("set", "add", "banned", BANNED)
        with open(lab.file("turns", "\0" * 8), "r+b") as file:
            self.turns = mmap.mmap(file.fileno(), 8)
            asked = {"wires": wires, "policies": POLICIES, "never": NEVER, "together": True, "turns": file.name}
        self.process = lab.keep(subprocess.Popen(
            [sys.executable, os.path.join(os.path.dirname(__file__), "train.py"), json.dumps(asked)],
            pass_fds=[descriptor for wire in wires for descriptor in wire[:2]], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, start_new_session=True))
        self.wait()

    def wait(self):
        """Until the train has passed at least once as a whole under what runs now."""
        wanted = self.turn() + 2
        end = time.monotonic() + 10
        while self.turn() < wanted:
            assert self.process.poll() is None and time.monotonic() < end
            time.sleep(0.0002)

    def turn(self):
        return struct.unpack("=Q", self.turns[:])[0]

    def swap(self, back):
        words = ["rollback"] if back else ["apply", self.paths[(self.current + 1) % POLICIES]]
        began = time.monotonic()
        result = subprocess.run([SLUICE, "-n", self.box.netns, *words], env=self.lab.environment, capture_output=True,
                                text=True, timeout=20)
        self.commands.append(time.monotonic() - began)
        assert result.returncode == 0, result.stderr
        to = self.previous if back else (self.current + 1) % POLICIES
        self.current, self.previous = to, self.current
        self.sequence.append(to)
        self.wait()

    def command_ms(self):
        return statistics.median(self.commands) * 1000

    def stop(self):
        return json.loads(self.process.communicate(timeout=20)[0])

    def dropped_by_rule(self, interface):
        """{frame: packets} dropped by the rules of what runs and of the generation before: no rule is in neither."""
        dropped = {}
        for _ in range(2):
            for entry in self.box.stats(interface)["rules"].values():
                for index, pair in enumerate(FRAMES[:POLICIES + NEVER]):
                    for way, address in zip(("from", "to"), pair):
                        if entry["text"] == ("from @banned" if address == BANNED else f"{way} {address}"):
                            dropped[index, way] = entry["packets"]
            self.box.sluice("rollback")
        sums = {}
        for (index, _), packets in dropped.items():
            sums[index] = sums.get(index, 0) + packets
        return sums


def check(traffic, saw):
    for interface, there in zip(traffic.interfaces, saw["interfaces"]):
        assert (there["lost"], there["mixed"], there["disorder"]) == (0, 0, 0), interface
        assert there["sequence"] == traffic.sequence, interface
        stats = traffic.box.stats(interface)
        counted = {name: entry["packets"] for name, entry in stats["reasons"].items() if entry["packets"]}
        sent, passed = saw["turns"] * len(FRAMES), sum(there["arrivals"])
        assert counted["default"] == stats["verdicts"]["pass"]["packets"] == passed
        assert stats["verdicts"]["drop"]["packets"] == counted["block-source"] + counted["block-destination"] == \
            sum(counted.values()) - passed == sent - passed
        assert traffic.dropped_by_rule(interface) == {
            index: saw["turns"] - there["arrivals"][index] for index in range(POLICIES + NEVER)}


@pytest.mark.parametrize("mode, interfaces, part, all_of_it", [
    ("native", ["eth0"], 100, 10000), ("generic", ["eth0"], 60, 1000), ("native", ["eth0", "eth1"], 40, 1000),
], ids=["native", "generic", "two interfaces"])
def test_swaps_under_traffic_lose_nothing_and_mix_nothing(lab, whole, mode, interfaces, part, all_of_it):
    traffic = Traffic(lab, mode, interfaces)
    links = [interface["link"] for interface in traffic.box.show()["interfaces"]]
    began, count = time.monotonic(), all_of_it if whole else part
    for number in range(count):
        traffic.swap(back=number % 10 == 9)
    seconds = time.monotonic() - began
    saw = traffic.stop()
    check(traffic, saw)
    assert [interface["link"] for interface in traffic.box.show()["interfaces"]] == links  # never detached
    sent = saw["turns"] * len(FRAMES) * len(interfaces)
    harness.swaps.append(f"{mode}, {len(interfaces)} interface{'s' * (len(interfaces) > 1)}: {count:,} swaps in "
                         f"{seconds:.0f} s under {sent:,} packets ({sent / seconds:,.0f}/s), 0 lost, 0 mixed")


def test_ten_thousand_rules_are_swapped_ten_times_a_second(lab, whole):
    """Between two generations that are loaded, back and forth; each way is a change as any other."""
    traffic = Traffic(lab, "native", ["eth0"], filtered)
    traffic.swap(back=False)
    began, count = time.monotonic(), 600 if whole else 30
    for number in range(count):
        traffic.swap(back=True)
        time.sleep(max(0, began + (number + 1) / 10 - time.monotonic()))
    seconds = time.monotonic() - began
    saw = traffic.stop()
    (there,) = saw["interfaces"]
    assert (there["lost"], there["mixed"], there["disorder"]) == (0, 0, 0)
    assert there["sequence"] == traffic.sequence
    harness.swaps.append(f"native, a filter of {FILLER:,} rules: {count:,} swaps in {seconds:.0f} s under "
                         f"{saw['turns'] * len(FRAMES):,} packets, 0 lost, 0 mixed; of each swap {traffic.command_ms():.0f} ms "
                         f"are the command")
