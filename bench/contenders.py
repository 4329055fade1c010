# SPDX-License-Identifier: BSD-2-Clause
"""Who drops the same packets at the same place: each has a `road` of its own, gets the list of prefixes, and says how
long it took to load. Contender.skip is why it does not take part, in its own words where it has said something."""
import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
import time

import lists
from lab import SLUICE, sh

LOAD_LIMIT = 120  # seconds
HERE = os.path.dirname(os.path.abspath(__file__))
ADDRESSES_MAX = 1000  # for xdp-filter: one call each


class Skip(Exception):
    pass


def timed(command, **options):
    """Runs a command to its end: seconds, and MiB of memory that it had at most."""
    ended = json.loads(sh("/usr/bin/python3", os.path.join(HERE, "timed.py"), LOAD_LIMIT, *command,
                          timeout=2 * LOAD_LIMIT, **options).stdout)
    if ended["status"] is None:
        raise Skip(f"not loaded within {LOAD_LIMIT} seconds")
    if ended["status"]:
        raise Skip(own_words(ended["said"].strip() or f"exit {ended['status']}"))
    return ended["seconds"], ended["mib"]


def bpftool(*arguments):
    return json.loads(sh("bpftool", "-j", *arguments).stdout)


def maps_mebibytes(road):
    """What the kernel has allotted for the maps of the program on the interface, and for the maps in those."""
    total = 0
    ids = bpftool("prog", "show", "id", road.box.program(road.interface))["map_ids"]
    while ids:
        found = bpftool("map", "show", "id", ids.pop())
        total += found["bytes_memlock"]
        if found["type"].endswith("_of_maps"):
            ids += [int.from_bytes((int(byte, 16) for byte in entry["value"]), sys.byteorder)
                    for entry in bpftool("map", "dump", "id", found["id"]) if "value" in entry]
    return total / 2**20


def own_words(said):
    """The first line that says what is wrong, without the place in a script."""
    lines = [line.strip() for line in said.splitlines() if re.search(r"error|cannot|fail|not ", line, re.I)]
    return f"does not run on this kernel: {re.sub(r'^/[^ ]*: ', '', (lines or [said])[0])[:150]}"


class Contender:
    name = None
    title = None

    def __init__(self, road):
        self.road = road
        self.load_s = self.kernel_mib = self.process_mib = None
        self.sources = None  # a list of its own, where it cannot have all of it
        self.note = None

    def load(self, family, prefixes, path):
        """`path` has the prefixes as text. Raises Skip."""
        raise NotImplementedError

    def unload(self):
        """What does not go with the namespace."""


class Sluice(Contender):
    name, title = "sluice", "Sluice"

    def load(self, family, prefixes, path):
        policy = path + ".policy"
        with open(policy, "w") as out:
            out.write(f'set list file "{os.path.basename(path)}"\n'
                      f"interface {self.road.interface} {{ block {{ from @list }} }}\n")
        box = self.road.box
        self.load_s, self.process_mib = timed([SLUICE, "-n", box.netns, "apply", policy], env=box.lab.environment)
        self.kernel_mib = maps_mebibytes(self.road)


class SluiceDynamic(Contender):
    name, title = "sluice-dynamic", "Sluice, dynamic set"

    def load(self, family, prefixes, path):
        if not re.search(r"^  set\b", sh(SLUICE, "-h").stdout, re.M):
            raise Skip("this Sluice has no verb `set`")
        box = self.road.box
        self.sources = path + ".dynamic"
        held = [p for p in prefixes if family == 6 or p[1] in (24, 32)]  # it holds few different lengths at a time
        lists.write(self.sources, held, family)
        if len(held) < len(prefixes):
            self.note = f"{len(held)} of the list: /24 and /32"
        policy = box.lab.file("dynamic.policy", "set banned dynamic size 1000000 timeout 1h\n"
                              f"interface {self.road.interface} {{ block {{ from @banned }} }}\n")
        timed([SLUICE, "-n", box.netns, "apply", policy], env=box.lab.environment)
        with open(self.sources) as addresses:
            self.load_s, self.process_mib = timed([SLUICE, "-n", box.netns, "set", "add", "banned", "-"],
                                                  env=box.lab.environment, stdin=addresses)
        self.kernel_mib = maps_mebibytes(self.road)


class Peer(Contender):
    """A program of BUILD/bench/peer, which goes when its standard input ends."""
    process = None

    def start(self, *arguments):
        command = [os.path.join(self.road.build, "bench/peer"), self.road.box.netns, self.road.interface, *arguments]
        self.process = self.road.box.lab.keep(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                                               stderr=subprocess.STDOUT, text=True,
                                                               start_new_session=True))
        said = self.process.stdout.readline()
        try:
            self.load_s = json.loads(said)["load_s"]
        except ValueError:
            raise Skip(own_words(said)) from None

    def unload(self):
        if self.process:
            self.process.communicate(timeout=60)


class Bare(Peer):
    name, title = "bare", "bare XDP_DROP"

    def load(self, family, prefixes, path):
        self.start("drop-all")


class Trie(Peer):
    name, title = "trie", "kernel LPM trie in XDP"

    def load(self, family, prefixes, path):
        self.start("drop-listed", path)
        self.kernel_mib = maps_mebibytes(self.road)


class XdpFilter(Contender):
    name, title = "xdp-filter", "xdp-filter (hosts only)"
    pins = "/sys/fs/bpf/xdp-filter"
    loaded = False

    def load(self, family, prefixes, path):
        hosts = [p for p in prefixes if p[1] == (32 if family == 4 else 128)]
        if len(hosts) > ADDRESSES_MAX:
            raise Skip("holds addresses and no prefixes, and takes one a call: not with more than a thousand")
        if not shutil.which("xdp-filter"):
            raise Skip("not installed")
        if os.path.exists(self.pins):
            raise Skip("in use on this machine already, and there can be one only")
        self.sources = path + ".hosts"
        lists.write(self.sources, hosts, family)
        self.note = f"{len(hosts)} hosts of the list only"
        command = self.road.box.command
        timed(command("xdp-filter", "load", "-m", "native", "-p", "allow", "-f", "ipv4,ipv6", self.road.interface))
        self.loaded = True
        start = time.monotonic()
        for address, _ in hosts:
            kind = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
            added = sh(*command("xdp-filter", "ip", "-m", "src", kind(address)), check=False)
            if added.returncode:
                raise Skip(own_words(added.stdout + added.stderr))
        self.load_s = time.monotonic() - start

    def unload(self):
        if self.loaded:
            self.road.box.run("xdp-filter", "unload", self.road.interface, check=False)


class Nftables(Contender):
    chain = table = None

    def load(self, family, prefixes, path):
        if not shutil.which("nft"):
            raise Skip("not installed")
        kind, word = ("ipv4_addr", "ip") if family == 4 else ("ipv6_addr", "ip6")
        script = f"{path}.{self.name}"
        elements = ",\n".join(lists.text(p, family) for p in lists.apart(prefixes, family))
        with open(script, "w") as out:
            out.write(f"table {self.table} bench {{\n\tset listed {{\n\t\ttype {kind}; flags interval\n\t\telements = {{\n"
                      f"{elements}\n}}\n\t}}\n\tchain judge {{\n"
                      f"\t\ttype filter hook {self.chain.format(self.road.interface)} priority 0\n"
                      f"\t\t{word} saddr @listed drop\n\t}}\n}}\n")
        self.load_s, self.process_mib = timed(self.road.box.command("nft", "-f", script))


class NftNetdev(Nftables):
    name, title, table, chain = "nft-netdev", "nftables, netdev ingress", "netdev", 'ingress device "{}"'


class NftInput(Nftables):
    name, title, table, chain = "nft-input", "nftables, inet input", "inet", "input"


ALL = (Bare, Sluice, SluiceDynamic, Trie, XdpFilter, NftNetdev, NftInput)
