# SPDX-License-Identifier: BSD-2-Clause
"""Hosts of our own: network namespaces joined by veth pairs, gone again when the lab closes, also after a failure.

    with Lab() as lab:
        box, client = lab.host("box"), lab.host("client")
        lab.cable(box, "eth0", client, "eth0")
        box.address("eth0", "198.51.100.1/24")
        client.run("ping", "-c1", "198.51.100.1")
"""
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

SLUICE = os.path.abspath(os.environ.get("SLUICE", os.path.join(os.path.dirname(__file__), "../build/sluice")))

# Every system call of a change, with every error, instead of a part that takes a minute: `make faults`.
WHOLE = bool(os.environ.get("FAULTS_WHOLE"))

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
libc = ctypes.CDLL(None, use_errno=True)


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

    def ip(self, *arguments, **options):
        return sh("ip", "-n", self.netns, *arguments, **options)

    def start(self, *command, **options):
        """A process that goes on; ended by pid when the lab closes."""
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        return self.lab.keep(subprocess.Popen(self.command(*command), start_new_session=True, **options))

    @contextlib.contextmanager
    def inside(self):
        """This thread is in the host's namespace; sockets made meanwhile stay in it."""
        with open("/proc/thread-self/ns/net") as outside, open(f"/run/netns/{self.netns}") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                libc.setns(outside.fileno(), CLONE_NEWNET)

    def socket(self, *arguments, timeout=2):
        """A socket of this host; closed with the lab at the latest."""
        with self.inside():
            made = socket.socket(*arguments)
        made.settimeout(timeout)
        self.lab.sockets.append(made)
        return made

    def wire(self, interface, timeout=2):
        """A packet socket that sends frames as they are and sees what the host's kernel sees: what XDP let through."""
        made = self.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL), timeout=timeout)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        with self.inside():
            made.bind((interface, ETH_P_ALL))
        return made

    def sluice(self, *arguments, check=True, **options):
        options.setdefault("env", self.lab.environment)
        return sh(SLUICE, "-n", self.netns, *arguments, check=check, **options)

    def apply(self, text, name="test.policy", check=True):
        path = self.lab.file(name, text)
        return self.sluice("apply", path, check=check)

    def stats(self, *arguments):
        return json.loads(self.sluice("stats", "-j", *arguments).stdout)

    def show(self):
        return json.loads(self.sluice("show", "-j").stdout)

    def address(self, interface, *addresses):
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []  # usable at once
            sh("ip", "-n", self.netns, "addr", "add", address, "dev", interface, *nodad)

    def link(self, interface):
        """What `ip -d -j link` says of it."""
        return json.loads(self.ip("-d", "-j", "link", "show", "dev", interface).stdout)[0]

    def mac(self, interface):
        return self.link(interface)["address"]

    def program(self, interface):
        """The id of the XDP program on an interface, whoever put it there; None when there is none."""
        xdp = self.link(interface).get("xdp")
        return xdp["prog"]["id"] if xdp else None


class Lab:
    def __init__(self, tag=None):
        self.tag = tag or str(os.getpid())
        self.hosts = []
        self.processes = []
        self.sockets = []
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-lab-")
        self.pins = f"/sys/fs/bpf/sluice-{self.tag}"
        self.environment = dict(os.environ, SLUICE_BPFFS=self.pins)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def host(self, name, ipv6=True):
        """Without ipv6 nothing is on the wire but what the test sends: no multicast reports, no neighbour discovery."""
        host = Host(self, name)
        sh("ip", "netns", "add", host.netns)
        self.hosts.append(host)
        # Only what a test sends is on the wire: no duplicate address detection, no router solicitations, multicast
        # reports at once and then not again for an hour.
        host.run("sysctl", "-qw", *(f"net.ipv6.conf.default.{setting}" for setting in (
            "accept_dad=0", "router_solicitations=0", "force_mld_version=1",
            "mldv1_unsolicited_report_interval=3600000",
            f"disable_ipv6={int(not ipv6)}")))
        sh("ip", "-n", host.netns, "link", "set", "lo", "up")
        return host

    def cable(self, a, interface_a, b, interface_b, mtu=1500):
        """A veth pair with native XDP in mind: NAPI on (gro) and no partial checksums (tx off) on both ends."""
        sh("ip", "link", "add", "name", interface_a, "mtu", mtu, "netns", a.netns, "type", "veth",
           "peer", "name", interface_b, "mtu", mtu, "netns", b.netns)
        for host, interface in ((a, interface_a), (b, interface_b)):
            host.run("ethtool", "-K", interface, "gro", "on", "tx", "off")
            sh("ip", "-n", host.netns, "link", "set", "dev", interface, "up")

    def keep(self, process):
        """A process that is ended by pid when the lab closes. It has to lead a session of its own."""
        self.processes.append(process)
        return process

    def file(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def pinned(self, below=""):
        """Everything under SLUICE_BPFFS, as paths below it; empty when not even that folder is there."""
        top = os.path.join(self.pins, below)
        found = []
        for folder, folders, files in os.walk(top):
            found += [os.path.relpath(os.path.join(folder, name), self.pins) for name in folders + files]
        return sorted(found) + (["."] if os.path.isdir(top) else [])

    def close(self):
        """Every step on its own: one that fails does not keep the others from cleaning up."""
        with contextlib.ExitStack() as steps:  # runs backwards
            steps.callback(self.folder.cleanup)
            steps.callback(sh, "find", self.pins, "-depth", "-delete", check=False)
            for host in self.hosts:
                steps.callback(sh, "ip", "netns", "del", host.netns, check=False)
                steps.callback(host.sluice, "down", check=False)
            for made in self.sockets:
                steps.callback(made.close)
            for process in self.processes:
                steps.callback(end, process)
        self.hosts, self.processes, self.sockets = [], [], []


class SweptLab(Lab):
    """For programs that a person runs and interrupts. Only one at a time has the tag itself; it sweeps up what one that
    was killed outright left behind. Others get a tag of their own."""

    def __init__(self, name):
        tag, self.lock = take_name(name)
        super().__init__(tag)
        self.sweep()

    def close(self):
        for number in SIGNALS:  # children inherit it: nothing interrupts the cleaning
            signal.signal(number, signal.SIG_IGN)
        try:
            super().close()
        finally:
            self.sweep()

    def leftovers(self):
        listed = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
        return [name for name in listed if name.startswith(f"sl-{self.tag}-")]

    def sweep(self):
        """A signal may come between the making of something and the note of it: look at what is really there."""
        for name in self.leftovers():
            for pid in sh("ip", "netns", "pids", name, check=False).stdout.split():
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(int(pid), signal.SIGKILL)
            sh("ip", "netns", "del", name, check=False)
        if os.path.isdir(self.pins):
            sh("find", self.pins, "-depth", "-delete", check=False)


def take_name(name):
    """The name, or another one while somebody has it. An abstract socket is a lock that leaves no file and goes with its
    process."""
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0sluice-{name}")
        return name, lock
    except OSError:
        return f"{name}{os.getpid()}", lock


def stop_on_signals():
    """The first signal becomes an exception, so that everything is taken down on the way out."""
    def interrupted(number, _):
        raise SystemExit(128 + number)

    for number in SIGNALS:
        signal.signal(number, interrupted)


def end(process):
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()


def reads_events(reader, interface):
    """Whether a process of `sluice events` reads those of the interface: it leaves out what came before."""
    folder = f"/proc/{reader.pid}/fd"
    return any(os.readlink(f"{folder}/{name}").endswith(f"/state/{interface}") for name in os.listdir(folder))


def wait_until(condition, seconds=5, step=0.02):
    """True as soon as the condition holds; False when it does not within the time."""
    end_of_time = time.monotonic() + seconds
    while time.monotonic() < end_of_time:
        if condition():
            return True
        time.sleep(step)
    return bool(condition())
