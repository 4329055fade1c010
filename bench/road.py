# SPDX-License-Identifier: BSD-2-Clause
"""A veth between two namespaces of our own: the generator at one end, what judges packets at the other."""
import json
import os
import re

from lab import sh

CPUS = sorted(os.sched_getaffinity(0))
RECEIVER_CPU, SENDER_CPU = CPUS[0], CPUS[-1]
ADDRESS = {4: "198.18.0.1", 6: "2001:db8:bec::1"}
TRIES = 3
ROOM = {4: "198.18.0.1/24", 6: "2001:db8:bec::1/64"}


class Road:
    """`box` receives on self.interface. With a thread of its own the kernel's receive loop (NAPI) has a CPU for itself,
    as with a network card; without, it runs on the sender's CPU in turn with the generator, as a veth does."""

    def __init__(self, lab, build, number):
        self.build = build
        self.box, self.peer = lab.host(f"box{number}"), lab.host(f"peer{number}")
        self.interface = f"slb{os.getpid() % 100000}-{number}"
        lab.cable(self.box, self.interface, self.peer, "out")
        self.box.address(self.interface, *ROOM.values())
        self.mac = self.box.mac(self.interface)
        self.thread = None

    def set_thread(self, own):
        path = f"/sys/class/net/{self.interface}/threaded"
        self.box.run("unshare", "-m", "sh", "-c", f"mount -t sysfs sysfs /sys && echo {int(own)} > {path}")
        self.thread = self._find_thread() if own else None
        if self.thread:
            sh("taskset", "-pc", RECEIVER_CPU, self.thread)

    def _find_thread(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/comm") as file:
                    if file.read().startswith(f"napi/{self.interface}-"):
                        return pid
            except OSError:
                pass
        raise RuntimeError(f"{self.interface}: the kernel has made no thread for NAPI")

    def _busy(self):
        """Nanoseconds that the receiving thread has run."""
        with open(f"/proc/{self.thread}/schedstat") as file:
            return int(file.read().split()[0])

    def _received(self):
        link = json.loads(self.box.ip("-s", "-j", "link", "show", "dev", self.interface).stdout)[0]
        return link["stats64"]["rx"]["packets"]

    def _past(self):
        """UDP packets that got past everything: to port 9, where nobody listens."""
        text = self.box.run("cat", "/proc/net/snmp").stdout + self.box.run("cat", "/proc/net/snmp6").stdout
        plain = re.findall(r"^Udp: (\d+) (\d+)", text, re.M)
        return sum(map(int, plain[0])) + int(re.search(r"^Udp6NoPorts\s+(\d+)", text, re.M).group(1))

    def flood(self, family, sources, seconds):
        """Sends flat out. Packets per second that the box received, the share that nothing dropped; and with a thread of
        its own what each packet took of its CPU, and the share of the time that this was busy."""
        for _ in range(TRIES):
            found = self._flood_once(family, sources, seconds)
            if found:
                return found
        raise RuntimeError(f"{self.interface}: nothing arrived in {TRIES} floods of {seconds} s")

    def _flood_once(self, family, sources, seconds):
        before, busy, past = self._received(), self.thread and self._busy(), self._past()
        command = [os.path.join(self.build, "bench/generator"), self.peer.netns, "out", "--to", ADDRESS[family],
                   "--mac", self.mac, "--cpu", SENDER_CPU, "--seconds", seconds]
        if sources:
            command += ["--sources", sources]
        sent = json.loads(sh(*command).stdout)
        received = self._received() - before
        if not received or not sent["seconds"]:  # the sender did not get its CPU
            return None
        busy = self._busy() - busy if self.thread else None
        return {
            "rate": received / sent["seconds"],
            "cpu_ns": busy / received if self.thread else None,
            "busy": busy / 1e9 / sent["seconds"] if self.thread else None,
            "passed": (self._past() - past) / received,
        }
