# SPDX-License-Identifier: BSD-2-Clause
"""hello.bpf.c and its object in the hands of other loaders, with nothing of Sluice around."""
import json
import os
import re
from pathlib import Path

import pytest
from hello_walk import installed, object_of, trace
from lab import sh
from test_hello import link  # noqa: F401, a fixture

pytestmark = pytest.mark.xdist_group("hello")  # one trace and one kind of program on the whole machine

SOURCE = Path(__file__).resolve().parents[2] / "bpf" / "hello.bpf.c"


def says_hello_and_counts(link):
    """Packets through whatever is attached: lines in the trace, and the counter in its map as the proof that they are of
    this program."""
    program = link.program()["prog"]["id"]
    maps = json.loads(sh("bpftool", "-j", "prog", "show", "id", program).stdout)["map_ids"]
    (bss,) = [one for one in maps if json.loads(sh("bpftool", "-j", "map", "show", "id", one).stdout)["name"] == "hello.bss"]

    def counter():
        (element,) = json.loads(sh("bpftool", "-j", "map", "dump", "id", bss).stdout)
        return element["formatted"]["value"][".bss"][0]["packets"]

    before = counter()
    with trace() as lines:
        link.ping(5)
    assert counter() - before >= 5
    said = {int(number) for number in re.findall(r"bpf_trace_printk: Hello World (\d+)$", "".join(lines), re.M)}
    assert set(range(before + 1, before + 6)) <= said


def test_loads_with_ip(link, tmp_path):
    path = object_of(link, tmp_path)
    link.box.ip("link", "set", "dev", "h0", "xdp", "obj", path, "sec", "xdp")
    says_hello_and_counts(link)
    link.box.ip("link", "set", "dev", "h0", "xdp", "off")
    assert link.program() is None


def test_loads_with_bpftool(link, tmp_path):
    path = object_of(link, tmp_path)
    pin = Path(f"/sys/fs/bpf/sl-test-{os.getpid()}")
    sh("bpftool", "prog", "load", path, pin)
    try:
        link.box.run("bpftool", "net", "attach", "xdp", "pinned", pin, "dev", "h0")
        says_hello_and_counts(link)
        link.box.run("bpftool", "net", "detach", "xdp", "dev", "h0")
    finally:
        pin.unlink()
    assert link.program() is None


def test_loads_with_xdp_loader(link, tmp_path):
    path = object_of(link, tmp_path)
    link.box.run("xdp-loader", "load", "-m", "native", "h0", path)
    says_hello_and_counts(link)
    link.box.run("xdp-loader", "unload", "h0", "--all")
    assert link.program() is None


def test_source_stands_alone(link, tmp_path):
    """It includes nothing of Sluice, and the command in its first lines compiles it to something that loads."""
    text = SOURCE.read_text()
    assert set(re.findall(r"#include (.*)", text)) == {"<linux/bpf.h>", "<bpf/bpf_helpers.h>"}
    (tmp_path / "hello.bpf.c").write_text(text)
    command = re.search(r"clang .* -o hello\.bpf\.o", text)[0].split()
    include = Path(f"/usr/include/{os.uname().machine}-linux-gnu")
    extra = [f"-I{include}"] if include.is_dir() else []
    sh(installed("clang", "clang-19", "clang-14"), *command[1:], *extra, cwd=tmp_path)
    link.box.ip("link", "set", "dev", "h0", "xdp", "obj", tmp_path / "hello.bpf.o", "sec", "xdp")
    says_hello_and_counts(link)
    link.box.ip("link", "set", "dev", "h0", "xdp", "off")
