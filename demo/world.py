# SPDX-License-Identifier: BSD-2-Clause
"""The demo's little world: a client and an attacker on one wire, a gateway with Sluice on it, a server behind.

      client ──┐
               wire ── outside [box] inside ── server
      attacker ┘
"""
import json
import os
import shutil
import sys

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
sys.path.insert(0, os.path.join(TOP, "tests"))
from lab import SLUICE, SweptLab, reads_events, sh, stop_on_signals, wait_until  # noqa: E402,F401

NAME = "www.sluice.test"
WEB4, WEB6 = "192.0.2.80", "2001:db8:2::80"
LARGE = 24 << 20  # bytes of the file that is downloaded while the policy changes

# What the client's commands get: no proxies, no configuration of whoever runs the demo.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


class World(SweptLab):
    def __init__(self):
        super().__init__("demo")

    def build(self):
        self.client, self.attacker, self.wire, self.box, self.server = map(
            self.host, ("client", "attacker", "wire", "box", "server"))
        self.lay_wire()
        self.give_addresses()
        self.copy_examples()
        self.prefixes = {"client": self.resolver()}

    def lay_wire(self):
        """A bridge that hands on every frame as it is, so that the attacker can send what it likes."""
        wire = self.wire.netns
        sh("ip", "-n", wire, "link", "add", "bridge", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        sh("ip", "-n", wire, "link", "set", "bridge", "up")
        for host, interface in ((self.client, "eth0"), (self.attacker, "eth0"), (self.box, "outside")):
            self.cable(self.wire, host.name, host, interface)
            # A tag belongs into the frame: beside it, in the kernel's own notes, no XDP program could see it.
            self.wire.run("ethtool", "-K", host.name, "txvlan", "off", "tx-vlan-stag-hw-insert", "off")
            sh("ip", "-n", wire, "link", "set", host.name, "master", "bridge")
        for table in ("ip", "ip6", "arp"):  # netfilter on bridges would drop malformed packets before Sluice
            knob = f"net.bridge.bridge-nf-call-{table}tables"
            if self.wire.run("sysctl", "-n", knob, check=False).returncode == 0:
                self.wire.run("sysctl", "-qw", f"{knob}=0")
        self.cable(self.box, "inside", self.server, "eth0")

    def give_addresses(self):
        self.client.address("eth0", "198.51.100.10/24", "2001:db8:1::10/64", "203.0.113.7/32", "2001:db8:bad::7/128")
        self.attacker.address("eth0", "198.51.100.66/24", "2001:db8:1::66/64")
        self.box.address("outside", "198.51.100.1/24", "2001:db8:1::1/64")
        self.box.address("inside", "192.0.2.1/24", "2001:db8:2::1/64")
        self.server.address("eth0", f"{WEB4}/24", f"{WEB6}/64", "192.0.2.200/24", "2001:db8:2::200/64")
        self.box.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        routes = [(self.client, "default", "198.51.100.1"), (self.client, "default", "2001:db8:1::1"),
                  (self.attacker, "default", "198.51.100.1"), (self.attacker, "default", "2001:db8:1::1"),
                  (self.server, "default", "192.0.2.1"), (self.server, "default", "2001:db8:2::1"),
                  (self.box, "203.0.113.7", "198.51.100.10"), (self.box, "2001:db8:bad::7", "2001:db8:1::10")]
        for host, destination, gateway in routes:
            family = "-6" if ":" in gateway else "-4"
            sh("ip", family, "-n", host.netns, "route", "add", destination, "via", gateway)

    def copy_examples(self):
        """A copy, because the demo changes them."""
        folder = os.path.join(TOP, "examples")
        for name in os.listdir(folder):
            shutil.copy(os.path.join(folder, name), self.folder.name)

    def resolver(self):
        """A prefix for commands that shall ask our name server: getent and curl know it by these two files, which a
        mount namespace of their own replaces."""
        self.file("resolv.conf", f"nameserver {WEB4}\nnameserver {WEB6}\noptions timeout:1 attempts:3\n")
        self.file("nsswitch.conf", "hosts: files dns\n")
        mounts = [f"mount --bind {self.folder.name}/{name} $(readlink -f /etc/{name})"
                  for name in ("resolv.conf", "nsswitch.conf")]
        return ["unshare", "--mount", "sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh"]

    def start_services(self):
        """A web server, a name server; returns when both serve."""
        folder = os.path.join(self.folder.name, "www")
        os.mkdir(folder)
        with open(os.path.join(folder, "index.html"), "w") as page:
            page.write("<h1>Hello from behind Sluice</h1>\n")
        with open(os.path.join(folder, "large"), "wb") as large:
            large.write(os.urandom(LARGE))
        self.server.start("/usr/bin/python3", "-m", "http.server", "80", "--bind", "::", "--directory", folder)
        self.server.start(os.path.join(TOP, "demo/nameserver"), NAME, WEB4, WEB6)
        return wait_until(lambda: self.listening() == {"tcp", "udp"}, seconds=10)

    def listening(self):
        sockets = self.server.run("ss", "-Hlntu").stdout.splitlines()
        return {s.split()[0] for s in sockets if s.split()[4].rsplit(":", 1)[1] in ("53", "80")}

    def on(self, host, command, **options):
        """Runs a command line of a host, failed or not."""
        prefix = self.prefixes.get(host.name, [])
        return sh(*host.command(*prefix, *command), check=False, env=ENVIRONMENT, cwd=self.folder.name, **options)

    def mac(self, host, interface):
        return json.loads(sh("ip", "-j", "-n", host.netns, "link", "show", interface).stdout)[0]["address"]
