# SPDX-License-Identifier: BSD-2-Clause
"""A web server under attack:

    client --- router --- box        the generator is in the router, at its end of the cable to the box

So all comes to the box through one queue, as on the only link of a machine."""
import contextlib
import json
import os
import random
import subprocess

from scapy.all import ICMP, IP, TCP, UDP, Ether, Raw, wrpcap

from lab import SLUICE, wait_until

GENERATOR = os.path.join(os.path.dirname(SLUICE), "bench/generator")
ASK, WEB = (os.path.join(os.path.dirname(os.path.abspath(__file__)), name) for name in ("ask.py", "web.py"))
BOX, ROUTER = "198.51.100.1", "198.51.100.2"
GATEWAY, CLIENT = "203.0.113.1", "203.0.113.2"
SERVER_CPU, FLOOD_CPU = (sorted(os.sched_getaffinity(0)) * 2)[:2]
FRAMES = 2000  # of a flood that is made beforehand

POLICY = """
# A flood is held off by whatever stage knows it first; what the server hears of is requests.
set banned dynamic size 100000 timeout 1m

interface eth0 {
    log drops 1/10000
    block { from @banned }
    limit {
        tcp dport 80 flags syn/syn,ack 1000/s burst 2000 per source ban @banned
        udp 10mbit/s burst 256kbyte
    }
    synproxy { tcp dport 80 above 2000/s }
    filter {
        use bogus-tcp
        use bogus-udp
        use bogus-fragments
        accept tcp dport 80
        accept icmp type echo-request limit 100/s
        default drop
    }
}
"""


def patched(frame, **places):
    made = bytearray(frame)
    for place, value in places.items():
        made[int(place[1:])] = value
    return bytes(made)


def broken(ethernet, source, dice):
    """Packets that contradict themselves, that no host sends, or that nobody can put together again."""
    ip = IP(src=source, dst=BOX)
    tcp = {"sport": dice.randrange(1024, 65536), "dport": 80, "seq": dice.getrandbits(32)}
    syn = bytes(ethernet / ip / TCP(flags="S", **tcp))
    piece = {"id": dice.getrandbits(16), "proto": 6, "src": source, "dst": BOX}
    return [
        patched(syn, b14=0x4f), patched(syn, b14=0x43), patched(syn, b14=0x65),  # lengths of headers, version
        patched(syn, b16=5), patched(syn, b17=20), patched(syn, b46=0x10), patched(syn, b46=0xf0),
        syn[:34], syn[:40], syn[:20],
        *(bytes(ethernet / ip / TCP(flags=flags, **tcp)) for flags in ("", "SF", "SR", "FPU", "F", "SFRPAU")),
        bytes(ethernet / ip / TCP(flags="A", ack=dice.getrandbits(32), **tcp)),
        patched(bytes(ethernet / ip / TCP(flags="S", **tcp)), b50=dice.getrandbits(8), b51=dice.getrandbits(8)),
        bytes(ethernet / ip / UDP(sport=53, dport=80, len=4) / Raw(bytes(20))),
        bytes(ethernet / ip / UDP(sport=53, dport=0) / Raw(bytes(20))),
        bytes(ethernet / IP(flags="MF", **piece) / Raw(bytes(8))),  # a first fragment without the flags of TCP
        bytes(ethernet / IP(frag=1, **piece) / Raw(bytes(16))),  # and one that writes over them
        bytes(ethernet / IP(frag=8189, **piece) / Raw(bytes(100))),  # longer than a packet can be
        bytes(ethernet / ip / ICMP(type=dice.randrange(20, 250))),
    ]


class Siege:
    def __init__(self, lab):
        self.lab = lab
        self.box, self.router, self.client = (lab.host(name, ipv6=False) for name in ("box", "router", "client"))
        lab.cable(self.box, "eth0", self.router, "eth0")
        lab.cable(self.router, "eth1", self.client, "eth0")
        self.box.address("eth0", f"{BOX}/24")
        self.router.address("eth0", f"{ROUTER}/24")
        self.router.address("eth1", f"{GATEWAY}/24")
        self.client.address("eth0", f"{CLIENT}/24")
        self.box_mac, self.router_mac = self.box.mac("eth0"), self.router.mac("eth0")
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.router.ip("neigh", "replace", BOX, "lladdr", self.box_mac, "dev", "eth0", "nud", "permanent")
        self.box.ip("neigh", "replace", ROUTER, "lladdr", self.router_mac, "dev", "eth0", "nud", "permanent")
        self.box.ip("route", "add", "default", "via", ROUTER)
        self.client.ip("route", "add", "default", "via", GATEWAY)
        # Answers to sources that are made up end here, as cheaply as out in the Internet.
        self.router.apply(f"interface eth0 {{ block {{ except {CLIENT} to 0.0.0.0/0 }} }}", name="router.policy")
        # The client is always a new one: whom it knows a kernel without cookies lets in as long as it can.
        self.box.run("sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1")
        # Where a packet is put on the cable to the box, there the box receives it: the client's packets are to be put
        # there by the CPU of the flood, so that one CPU has the flood from its sender to the stack, another the rest.
        mask = f"{1 << FLOOD_CPU:x}"
        self.router.run("unshare", "-m", "sh", "-c",
                        f"mount -t sysfs sysfs /sys && echo {mask} > /sys/class/net/eth1/queues/rx-0/rps_cpus")

    def serve(self):
        """A web server; the first page is there when this returns."""
        self.box.start("taskset", "-c", SERVER_CPU, "/usr/bin/python3", WEB, self.lab.folder.name)
        assert wait_until(lambda: self.ask(1, 0.1)["answered"] == 1, 10)

    def cookies(self, value):
        self.box.run("sysctl", "-qw", f"net.ipv4.tcp_syncookies={value}", "net.ipv4.tcp_timestamps=2")

    def ask(self, rate, seconds):
        return json.loads(self.client.run("taskset", "-c", SERVER_CPU, "/usr/bin/python3", ASK, BOX, rate, seconds).stdout)

    def flood(self, kind):
        """The words that make the generator send it."""
        to = ["--to", BOX, "--mac", self.box_mac]
        if kind == "malformed":
            return ["--capture", self.frames()]
        return [*to, *{"syn": ["--tcp", "--port", "80"], "udp": ["--port", "53"]}[kind]]

    def frames(self):
        dice = random.Random(3)
        ethernet = Ether(src=self.router_mac, dst=self.box_mac)
        made = []
        while len(made) < FRAMES:
            source = f"{dice.randrange(11, 126)}.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(1, 255)}"
            made += broken(ethernet, source, dice)
        path = os.path.join(self.lab.folder.name, "malformed.pcap")
        wrpcap(path, made, linktype=1)
        return path

    @contextlib.contextmanager
    def attack(self, kind, *options):
        """For as long as the block lasts. Yields a dictionary that afterwards says what was sent."""
        said = {}
        sender = self.lab.keep(subprocess.Popen(
            [GENERATOR, self.router.netns, "eth0", *map(str, [*self.flood(kind), "--cpu", FLOOD_CPU, *options])], stdout=subprocess.PIPE, text=True,
            start_new_session=True))
        try:
            yield said
        finally:
            sender.terminate()
            said.update(json.loads(sender.communicate(timeout=10)[0] or "{}"))
