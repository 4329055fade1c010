# SPDX-License-Identifier: BSD-2-Clause
"""The scene of most tests here: a box that Sluice guards, a client, and one cable between them, eth0 to eth0."""
import os
import subprocess

from scapy.all import ARP, Ether

BOX4, BOX6 = "198.51.100.1", "2001:db8::1"
CLIENT4, CLIENT6 = "198.51.100.2", "2001:db8::2"
BLOCKED4, BLOCKED6 = "192.0.2.66", "2001:db8:bad::66"  # the client has these addresses too
BLOCK = "block { from 192.0.2.0/24, 2001:db8:bad::/48 }"

PACKET_OUTGOING = 4  # linux/if_packet.h
TITLES = ("verdicts", "reasons", "rules", "sets", "counters", "services")


def policy(*statements, interface="eth0", mode="native"):
    """Each statement has a line of its own; the first is line 3."""
    return "\n".join([f"interface {interface} {{", f"    mode {mode}", *(f"    {s}" for s in statements), "}", ""])


def received(host):
    """IPv4 packets that got as far as the host's IP layer."""
    lines = host.run("cat", "/proc/net/snmp").stdout.splitlines()
    names, values = [line.split() for line in lines if line.startswith("Ip:")]
    return int(values[names.index("InReceives")])


class Scene:
    def __init__(self, lab, ipv6=True, mtu=1500):
        self.lab = lab
        self.box, self.client = lab.host("box", ipv6=ipv6), lab.host("client", ipv6=ipv6)
        lab.cable(self.box, "eth0", self.client, "eth0", mtu=mtu)
        self.box_mac, self.client_mac = self.box.mac("eth0"), self.client.mac("eth0")

    def settle(self):
        """Addresses, and neighbours that know one another: a test that counts has no ARP and no NDP in its way."""
        self.box.address("eth0", f"{BOX4}/24", f"{BOX6}/64")
        self.client.address("eth0", f"{CLIENT4}/24", f"{CLIENT6}/64", f"{BLOCKED4}/24", f"{BLOCKED6}/64")
        self.box.ip("route", "add", "192.0.2.0/24", "dev", "eth0")
        self.box.ip("route", "add", "2001:db8:bad::/48", "dev", "eth0")
        for address in (CLIENT4, CLIENT6, BLOCKED4, BLOCKED6):
            self.box.ip("neigh", "replace", address, "lladdr", self.client_mac, "dev", "eth0", "nud", "permanent")
        for address in (BOX4, BOX6):
            self.client.ip("neigh", "replace", address, "lladdr", self.box_mac, "dev", "eth0", "nud", "permanent")

    def ethernet(self, **fields):
        return Ether(src=self.client_mac, dst=self.box_mac, **fields)

    def last(self):
        """A frame that every policy lets through, to know that those before it have arrived."""
        return bytes(self.ethernet() / ARP(op=2, hwsrc=self.client_mac, psrc="0.0.0.0", pdst="0.0.0.0"))

    def send(self, *frames):
        """Sends frames from the client; returns those that the box's kernel got to see. The last() is counted too."""
        out, seen = self.client.wire("eth0"), self.box.wire("eth0")
        arrived = []
        for frame in frames:
            out.send(bytes(frame))
        out.send(self.last())
        while True:
            frame, address = seen.recvfrom(65536)
            if address[2] == PACKET_OUTGOING:
                continue
            if frame == self.last():
                break
            arrived.append(frame)
        out.close()
        seen.close()
        return arrived

    def count(self, since=None):
        """What the counters say: {"drop": (packets, bytes), "block-source": …, "test.policy:3": …} without zeros; with
        `since`, an earlier answer, what they have said since then."""
        stats = self.box.stats()
        counts = {}
        for title in TITLES:
            for name, entry in stats[title].items():
                before = (since or {}).get(os.path.basename(name), (0, 0))
                more = entry["packets"] - before[0], entry["bytes"] - before[1]
                if any(more):
                    counts[os.path.basename(name)] = more
        return counts

    def ping(self, source, target, *options, count=1):
        """True when every echo came back."""
        result = self.client.run("ping", "-n", "-q", "-i0.01", "-W0.3", f"-c{count}", "-I", source, *options, target,
                                 check=False)
        return f" {count} received" in result.stdout

    def flood(self, *frames):
        return Flood(self.client, "eth0", frames)


class Flood:
    """A sender that goes on as fast as it can until stop(), which returns how often each frame was sent."""

    def __init__(self, host, interface, frames):
        program = os.path.join(os.path.dirname(__file__), "flood.py")
        self.process = host.start("/usr/bin/python3", program, interface, *(bytes(f).hex() for f in frames),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"sending\n"

    def stop(self):
        return int(self.process.communicate(timeout=10)[0])

