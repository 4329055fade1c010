# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of hello share: an interface with a peer, a walk that the test takes step by step, the trace."""
import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from lab import SLUICE, end, sh

PROMPT = "(a key for the next step, Ctrl-C to end)"
STEPS = [
    "The compiled object",
    "Byte code",
    "Load and pin",
    "What the kernel made of it",
    "Translated byte code",
    "Machine code",
    "Attach",
    "Seen on the interface",
    "The trace, live",
    "The counter",
    "Detach",
    "Unload",
]
TIMEOUT = 60


class Link:
    """A veth: `device` with 10.77.0.1 in the namespace of `box`, its peer with 10.77.0.2 in that of `client`. Nothing is on
    it but what the test sends."""

    def __init__(self, lab):
        self.lab = lab
        self.device = "h0"
        self.box, self.client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
        lab.cable(self.box, self.device, self.client, "h1")
        self.box.address(self.device, "10.77.0.1/24")
        self.client.address("h1", "10.77.0.2/24")
        self.pins = Path(lab.pins)
        self.folders = Path(lab.folder.name, "folders")
        self.folders.mkdir()
        self.environment = {**lab.environment, "TMPDIR": str(self.folders)}
        self.ping(1)  # the neighbours know each other from here on

    def ping(self, count):
        self.client.run("ping", "-q", "-c", count, "-i", "0.05", "-W", "2", "10.77.0.1")

    @contextlib.contextmanager
    def traffic(self):
        """Five packets a second, until the end of the block."""
        process = self.client.start("ping", "-q", "-i", "0.2", "-c", "300", "10.77.0.1")
        try:
            yield
        finally:
            end(process)

    def command(self, *arguments, device=None):
        return [SLUICE, "-n", self.box.netns, "hello", device or self.device, *arguments]

    def hello(self, *arguments, prefix=(), device=None, **environment):
        return sh(
            *prefix, *self.command(*arguments, device=device), check=False, env={**self.environment, **environment}
        )

    def program(self):
        """What the kernel says of XDP on the device, None when nothing is attached."""
        return self.box.link(self.device).get("xdp")

    def leftovers(self):
        """What a walk can leave: pins, folders, instances of the trace, programs."""
        return {
            "pins": self.lab.pinned(),
            "folders": sorted(path.name for path in self.folders.iterdir()),
            "instances": sorted(name for name in instances() if name.startswith("sluice-hello-")),
            "programs": sorted(number for number, name in programs() if name == "hello"),
        }


def programs():
    return [(one["id"], one.get("name")) for one in json.loads(sh("bpftool", "-j", "prog", "show").stdout)]


def instances():
    """Names of the instances of the trace; where it is mounted or not."""
    script = "mountpoint -q /sys/kernel/tracing || mount -t tracefs t /sys/kernel/tracing; ls /sys/kernel/tracing/instances"
    return sh("unshare", "-m", "sh", "-c", script).stdout.split()


class Walk:
    """A walk with --step, taken by the test."""

    def __init__(self, link, *arguments):
        self.process = subprocess.Popen(
            link.command("--step", "--seconds", "2", *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=link.environment,
        )
        self.output = ""
        self.asked = False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        """Ends it as a user would, so that a failed test leaves nothing either."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=TIMEOUT)

    def next(self):
        """Takes a step; returns what it printed, with the question for a key."""
        if self.asked:
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
        deadline = time.monotonic() + TIMEOUT
        step = b""
        while PROMPT.encode() not in step:
            assert select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0], step.decode()
            read = os.read(self.process.stdout.fileno(), 65536)
            assert read, f"ended early: {step.decode()}{self.process.stderr.read().decode()}"
            step += read
        self.asked = True
        self.output += step.decode()
        return step.decode()

    def to(self, number):
        """Takes all steps up to that one, and returns what it printed."""
        while True:
            step = self.next()
            if f"\n{number}/{len(STEPS)}  " in step:
                return step

    def end(self):
        """Takes the rest of the walk at once: the end of the input counts as a key for each step."""
        stdout, stderr = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, stdout.decode(), stderr.decode()

    def stop(self, number):
        self.process.send_signal(number)
        return self.end()

    @property
    def folder(self):
        return Path(re.search(r"^  \$ cd (\S+)$", self.output, re.M)[1])


def step_text(output, number):
    """What the walk printed under one heading."""
    begin = output.index(f"\n{number}/{len(STEPS)}  {STEPS[number - 1]}\n")
    following = output.find(f"\n{number + 1}/{len(STEPS)}  ", begin)
    return output[begin : following if following >= 0 else None]


def steps(output):
    return {number: step_text(output, number) for number in range(1, len(STEPS) + 1)}


def commands(text):
    return [line[len("  $ ") :] for line in text.splitlines() if line.startswith("  $ ")]


def installed(*names):
    """The first of these tools that is there."""
    return next(name for name in names if shutil.which(name))


@contextlib.contextmanager
def only_tools(*names, **scripts):
    """A PATH with only these tools, by their names, and these files."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            Path(folder, name).symlink_to(shutil.which(name))
        for name, text in scripts.items():
            path = Path(folder, name)
            path.write_text(text)
            path.chmod(0o755)
        yield folder


@contextlib.contextmanager
def trace():
    """Lines of bpf_printk, as they are at the end of the block, read in a trace instance of the test's own."""
    name = f"sl-test-{os.getpid()}"
    script = f"""
        {{ mountpoint -q /sys/kernel/tracing || mount -t tracefs t /sys/kernel/tracing; }} && cd /sys/kernel/tracing/instances && mkdir {name} || exit 1
        echo 1 > {name}/events/bpf_trace/bpf_trace_printk/enable
        cat {name}/trace_pipe & echo ready
        read end
        kill $!; wait; rmdir {name}"""
    lines = []
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield lines
        time.sleep(0.3)  # the reader gets the last lines
    finally:
        output, _ = process.communicate("end\n", timeout=TIMEOUT)
        lines += output.splitlines(keepends=True)


def object_of(link, folder):
    """A copy of the object that is built into sluice."""
    with Walk(link) as walk:
        walk.next()
        return shutil.copy(walk.folder / "hello.bpf.o", folder)
