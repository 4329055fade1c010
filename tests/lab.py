# SPDX-License-Identifier: BSD-2-Clause
"""Hosts of our own: network namespaces joined by veth pairs, gone again when the lab closes, also after a failure.

    with Lab() as lab:
        box, client = lab.host("box"), lab.host("client")
        lab.cable(box, "eth0", client, "eth0")
        box.address("eth0", "198.51.100.1/24")
        client.run("ping", "-c1", "198.51.100.1")
"""
import json
import os
import signal
import subprocess
import tempfile
import time

SLUICE = os.path.abspath(os.environ.get("SLUICE", os.path.join(os.path.dirname(__file__), "../build/sluice")))


def sh(*command, check=True, timeout=60, **options):
    """Runs a command; what it printed is in the result. A failure raises with the command's own words."""
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout, **options)
    if check and result.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result


class Host:
    """One network namespace. `ip netns exec` would hide /sys/fs/bpf, hence nsenter."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.netns = f"sl-{lab.tag}-{name}"

    def command(self, *command):
        return ["nsenter", f"--net=/run/netns/{self.netns}", *map(str, command)]

    def run(self, *command, **options):
        return sh(*self.command(*command), **options)

    def start(self, *command, **options):
        """A process that goes on; ended by pid when the lab closes."""
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        process = subprocess.Popen(self.command(*command), start_new_session=True, **options)
        self.lab.processes.append(process)
        return process

    def sluice(self, *arguments, check=True, **options):
        options.setdefault("env", self.lab.environment)
        return sh(SLUICE, "-n", self.netns, *arguments, check=check, **options)

    def apply(self, text, name="test.policy", check=True):
        path = self.lab.file(name, text)
        return self.sluice("apply", path, check=check)

    def stats(self, *arguments):
        return json.loads(self.sluice("stats", "-j", *arguments).stdout)

    def address(self, interface, *addresses):
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []  # usable at once
            sh("ip", "-n", self.netns, "addr", "add", address, "dev", interface, *nodad)


class Lab:
    def __init__(self, tag=None):
        self.tag = tag or str(os.getpid())
        self.hosts = []
        self.processes = []
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-lab-")
        self.pins = f"/sys/fs/bpf/sluice-{self.tag}"
        self.environment = dict(os.environ, SLUICE_BPFFS=self.pins)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def host(self, name):
        host = Host(self, name)
        sh("ip", "netns", "add", host.netns)
        self.hosts.append(host)
        # No router advertisements, no duplicate address detection: only what a test sends is on the wire.
        host.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.router_solicitations=0")
        sh("ip", "-n", host.netns, "link", "set", "lo", "up")
        return host

    def cable(self, a, interface_a, b, interface_b):
        """A veth pair with native XDP in mind: NAPI on (gro) and no partial checksums (tx off) on both ends."""
        sh("ip", "link", "add", interface_a, "netns", a.netns, "type", "veth", "peer", "name", interface_b, "netns", b.netns)
        for host, interface in ((a, interface_a), (b, interface_b)):
            host.run("ethtool", "-K", interface, "gro", "on", "tx", "off")
            sh("ip", "-n", host.netns, "link", "set", interface, "up")

    def file(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for host in self.hosts:
            sh(SLUICE, "-n", host.netns, "down", check=False, env=self.environment)
            sh("ip", "netns", "del", host.netns, check=False)
        self.hosts, self.processes = [], []
        if os.path.isdir(self.pins):
            sh("find", self.pins, "-depth", "-delete", check=False)
        self.folder.cleanup()


def wait_until(condition, seconds=5, step=0.02):
    """True as soon as the condition holds; False when it does not within the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(step)
    return bool(condition())
