# SPDX-License-Identifier: BSD-2-Clause
"""The ground that the harness works on: a box with two guarded interfaces, numbered policies, and packets that tell by
which of these they are judged."""
import json
import os
import re
import time

import kernel
from lab import SLUICE, sh
from scene import PACKET_OUTGOING, policy
from scapy.all import IP, UDP, Ether

INTERFACES = ("eth0", "eth1")
NUMBERS = (1, 2, 3, 4)
CLEAN_FROM, CLEAN_TO = "10.100.0.1", "10.200.0.1"
MIXTURE = "a mixture"


def numbered(number, interfaces=INTERFACES, size=100, filtered=False):
    """Policy `number`: it alone blocks sources in 10.NUMBER and destinations in 10.1NUMBER; all block 10.9, and what is
    in the dynamic set `banned`, which has room for `size`. `filtered`: a filter does that, with all that it and a
    synproxy keep."""
    statements = [f"block {{ from 10.9.0.0/16, 10.{number}.0.0/16; to 10.1{number}.0.0/16; from @banned }}"]
    if filtered:
        statements = ["fragments track", "synproxy { tcp dport 80 above 1000/s gateway }", "filter {", f"drop from 10.9.0.0/16, 10.{number}.0.0/16 log count blocked",
                      f"drop to 10.1{number}.0.0/16 log 1/2", "drop from @banned",
                      "accept udp limit 1000000/s burst 1000 per source log 1/3", "}"]
    return f"set banned dynamic size {size} timeout 1h\n" + "".join(
        policy(*statements, interface=interface) for interface in interfaces)


# (source, destination): the first of each pair is judged by a table of sources, the second by one of destinations; the
# last is for tests to put into the set.
BANNED = "10.8.0.1"
PROBES = [("10.9.0.1", CLEAN_TO)] + [pair for number in NUMBERS for pair in
                                     ((f"10.{number}.0.1", CLEAN_TO), (CLEAN_FROM, f"10.1{number}.0.1"))] + [
                                         (BANNED, CLEAN_TO)]
WITH_SET = 10  # added to the number of a policy while BANNED is in the set
PASSED_BY = {0: set(range(len(PROBES)))} | {
    number: set(range(len(PROBES))) - {0, 2 * number - 1, 2 * number} for number in NUMBERS}
PASSED_BY |= {WITH_SET + number: PASSED_BY[number] - {len(PROBES) - 1} for number in NUMBERS}
SENT = len(PROBES) + 1  # and one that all let through, to know that those before it have arrived


class Ground:
    def __init__(self, lab):
        self.lab = lab
        self.box, client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
        self.wires = {}
        for interface in INTERFACES:
            lab.cable(self.box, interface, client, interface)
            self.wires[interface] = client.wire(interface), self.box.wire(interface)
        self.box.ip("link", "add", "bridge0", "type", "bridge")  # has no native XDP: an apply there is refused late
        self.indices = {interface: self.box.link(interface)["ifindex"] for interface in INTERFACES}
        self.frames = {interface: [
            bytes(Ether(src=client.mac(interface), dst=self.box.mac(interface)) / IP(src=source, dst=to) /
                  UDP(sport=number, dport=9) / b"probe") for number, (source, to) in
            enumerate([*PROBES, (CLEAN_FROM, CLEAN_TO)])] for interface in INTERFACES}

    def path(self, number, interfaces=INTERFACES, size=100, filtered=False):
        name = f"{number}-{'-'.join(interfaces)}-{size}{'-filtered' * filtered}.policy"
        path = os.path.join(self.lab.folder.name, name)
        return path if os.path.exists(path) else self.lab.file(name, numbered(number, interfaces, size, filtered))

    def sluice(self, *arguments, check=True):
        return sh(SLUICE, "-n", self.box.netns, *arguments, env=self.lab.environment, check=check)

    def judged_by(self, interface):
        """The number of the policy that judges packets on the interface now, and WITH_SET if that is so; 0: none,
        MIXTURE: no single one."""
        out, seen = self.wires[interface]
        for frame in self.frames[interface]:
            out.send(frame)
        arrived = set()
        while True:
            frame, address = seen.recvfrom(2048)
            if address[2] == PACKET_OUTGOING:
                continue
            number = int.from_bytes(frame[34:36], "big")  # the source port
            if number == len(PROBES):
                break
            arrived.add(number)
        return next((number for number, passed in PASSED_BY.items() if passed == arrived), MIXTURE)

    def judges(self):
        return {interface: self.judged_by(interface) for interface in INTERFACES}

    def counted(self, interface):
        """{reason or rule: packets} on the interface, without zeros; None when nothing runs there. The sums by verdict
        and by reason agree."""
        result = self.sluice("stats", "-j", interface, check=False)
        if result.returncode and "nothing of Sluice runs on" in result.stderr:
            return None
        stats = json.loads(result.stdout)
        sums = [sum(entry["packets"] for entry in stats[title].values()) for title in ("verdicts", "reasons")]
        assert sums[0] == sums[1], f"{interface}: {sums[0]} by verdict, {sums[1]} by reason"
        return {name: entry["packets"] for name, entry in stats["reasons"].items() if entry["packets"]}

    def attached(self):
        with self.box.inside():
            return {interface: kernel.attached(index) for interface, index in self.indices.items()}

    def pinned(self):
        return kernel.pinned(self.lab.pins)

    def show(self):
        return json.loads(self.sluice("show", "-j").stdout)

    def settled(self):
        """Whether what is pinned and attached is what `show` accounts for, all of it and nothing else, of one
        generation. Returns complaints."""
        shown = self.show()
        there = {path: kind for path, (kind, _) in self.pinned().items()}
        generations = [shown[which] for which in ("current", "previous") if which in shown]
        attachments = [interface["interface"] for interface in shown["interfaces"]]
        if not attachments:
            return [f"pinned though nothing runs: {path}" for path in there]
        namespace = next(path for path in there if "/" not in path)
        wanted = {"": "folder", "/links": "folder", "/state": "folder", "/generations": "folder",
                  "/sets": "folder", "/sets/banned": "folder", "/sets/banned/entries": "map", "/sets/banned/head": "map"}
        wanted |= {f"/links/{interface}": "link" for interface in attachments}
        for generation in generations:
            folder = f"/generations/{generation['number']}"
            wanted |= {folder: "folder", f"{folder}/description": "map", f"{folder}/interfaces": "folder"}
            if "shadow" in generation:
                wanted |= {f"{folder}/shadow": "folder", f"{folder}/shadow/description": "map",
                           f"{folder}/shadow/interfaces": "folder"}
                for interface in generation["shadow"]["interfaces"]:
                    wanted |= {f"{folder}/shadow/interfaces/{interface}{pin}": kind for pin, kind in (
                        ("", "folder"), ("/programs", "map"), ("/pairs", "map"), ("/totals", "map"))}
            for interface in re.findall(r"^interface (\S+)", generation["policy"], re.M):
                wanted |= {f"{folder}/interfaces/{interface}": "prog", f"/state/{interface}": "folder",
                           **{f"/state/{interface}/{pin}": "map" for pin in ("counters", "rules", "top", "talkers")}}
                if "filter" in generation["policy"]:
                    wanted |= {f"/state/{interface}/{pin}": "map" for pin in (
                        "limits", "fragments", "events", "events_lost", "synproxy_states", "synproxy_counts",
                        "synproxy_proven")}
        wanted = {namespace + path: kind for path, kind in wanted.items()}
        complaints = [f"pinned and not accounted for: {path}" for path in there.keys() - wanted.keys()]
        complaints += [f"not pinned: {path}" for path in wanted.keys() - there.keys()]
        programs = {interface["interface"]: interface["program"]["id"] for interface in shown["interfaces"]
                    if "program" in interface}
        for interface, programs_there in self.attached().items():
            if list(programs_there.values()) != [programs[name] for name in programs if name == interface]:
                complaints.append(f"{interface} has {programs_there}, show says {programs.get(interface)}")
        numbers = {interface["generation"] for interface in shown["interfaces"] if interface["ifindex"]}
        if len(numbers) > 1 or 0 in numbers:
            complaints.append(f"interfaces run generations {numbers}")
        return complaints


def eventually(complain, seconds=2):
    """The complaints of a function that returns them, once it has none or the time is up: the kernel lets go of what
    was unpinned a moment later."""
    end = time.monotonic() + seconds
    while (complaints := complain()) and time.monotonic() < end:
        time.sleep(0.02)
    return complaints
