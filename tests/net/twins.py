# SPDX-License-Identifier: BSD-2-Clause
"""A box with two interfaces, both to the same client, and packets that tell which of two policies judged them."""
from scapy.all import ARP, Ether, IP, UDP

from scene import BOX4, policy

INTERFACES = ("eth0", "eth1")
OLD4, NEW4 = "192.0.2.1", "192.0.2.2"  # what the old policy lets through, what the new one does


def old_policy(*interfaces, mode="native"):
    return "".join(policy(f"block {{ from {NEW4} }}", interface=i, mode=mode) for i in interfaces or INTERFACES)


def new_policy(*interfaces, mode="native"):
    return "".join(policy(f"block {{ from {OLD4} }}", interface=i, mode=mode) for i in interfaces or INTERFACES)


class Twins:
    def __init__(self, lab, mode="native"):
        self.lab = lab
        self.box, self.client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
        for name in INTERFACES:
            lab.cable(self.box, name, self.client, name)
        self.old = lab.file("old.policy", old_policy(mode=mode))
        self.new = lab.file("new.policy", new_policy(mode=mode))
        self.out = {name: self.client.wire(name) for name in INTERFACES}
        self.seen = {name: self.box.wire(name) for name in INTERFACES}
        self.frames = {name: self.make_frames(name) for name in INTERFACES}

    def make_frames(self, name):
        """One that the old policy lets through, one that the new one does, and one to know that both have been judged."""
        ethernet = Ether(src=self.client.mac(name), dst=self.box.mac(name))
        return [bytes(ethernet / IP(src=source, dst=BOX4) / UDP(sport=1, dport=9) / b"x") for source in (OLD4, NEW4)] + [
            bytes(ethernet / ARP(op=2, hwsrc=ethernet.src, psrc="0.0.0.0", pdst="0.0.0.0"))]

    def judged(self, name):
        """Who judges the interface now: "old", "new", or "both": nobody, everything passes. An interface that changed
        from one to the other between two packets is "both" or "none"."""
        old, new, last = self.frames[name]
        for frame in (old, new, last):
            self.out[name].send(frame)
        arrived = set()
        while (frame := self.seen[name].recv(2048)) != last:
            arrived.add(frame)
        return {(True, False): "old", (False, True): "new", (True, True): "both", (False, False): "none"}[
            old in arrived, new in arrived]

    def judges(self):
        """The same of all interfaces."""
        return [self.judged(name) for name in INTERFACES]

    def programs(self):
        return [self.box.program(name) for name in INTERFACES]

    def gates(self):
        return [pin for pin in self.lab.pinned() if "/gate" in pin]

    def generations(self):
        """The names under which generations are pinned."""
        return sorted({pin.split("/")[2] for pin in self.lab.pinned() if "/generations/" in pin})

    def apply(self, path, *options, **more):
        return self.box.sluice("apply", path, *options, **more)
