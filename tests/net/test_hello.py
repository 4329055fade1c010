# SPDX-License-Identifier: BSD-2-Clause
"""hello: the walk on a real interface, from the first step to the last."""
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hello_walk import PROMPT, STEPS, TIMEOUT, Link, Walk, commands, installed, only_tools, step_text, steps, trace
from lab import sh, wait_until

pytestmark = pytest.mark.xdist_group("hello")  # one trace and one kind of program on the whole machine

NATIVE, GENERIC = 1, 2  # XDP_ATTACHED_DRV, XDP_ATTACHED_SKB in linux/if_link.h


@pytest.fixture
def link(lab):
    link = Link(lab)
    before = link.leftovers()
    yield link
    # The kernel frees programs a little after they were let go.
    assert wait_until(lambda: link.leftovers() == before), link.leftovers()


def test_all_steps_in_order_with_what_the_tools_say(link):
    with link.traffic():
        result = link.hello()
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    headings = re.findall(r"^(\d+)/12  (.*)$", result.stdout, re.M)
    assert headings == [(str(number), title) for number, title in enumerate(STEPS, 1)]
    text = steps(result.stdout)
    program = re.search(r"bpftool prog show id (\d+)", text[4])[1]

    assert "ELF 64-bit LSB relocatable" in text[1]
    assert 'bpf_printk("Hello World %llu", number);' in text[1]
    assert "R_BPF_64_64" in text[2] and "packets" in text[2]
    assert re.search(r"went through \d+ instructions and accepted it", text[3])
    assert f"{program}: xdp  name hello  tag " in text[4]
    assert "name hello.bss" in text[4] and "name hello.rodata" in text[4]
    assert "call bpf_trace_printk#" in text[5]
    assert "# bpf_trace_printk" in text[6]
    assert "Attached to h0 in native mode" in text[7]
    assert f"prog/xdp id {program} name hello" in text[8]
    numbers = [int(number) for number in re.findall(r"Hello World (\d+)$", text[9], re.M)]
    assert numbers == list(range(1, 11))
    assert "… and so on" in text[9]
    counted = int(re.search(r"The program has counted (\d+) packets\.", text[10])[1])
    assert counted >= 10 and '"packets": ' in text[10]
    assert "prog/xdp" not in text[11] and f"{program}: xdp  name hello" in text[11]
    assert f"get by id ({program}): No such file or directory" in text[12] and "It is gone." in text[12]
    assert result.stdout.endswith("\nEverything is as it was before.\n")


def test_says_everything_itself_where_no_tool_is_installed(link):
    with link.traffic(), only_tools() as path:
        result = link.hello("--seconds", "3", PATH=path)
    assert result.returncode == 0, result.stderr
    text = steps(result.stdout)
    program = re.search(r"id (\d+)  type xdp  name hello  tag [0-9a-f]{16}  xlated \d+ bytes", text[4])[1]

    for name in ("file", "llvm-objdump", "bpftool", "ip"):
        assert f"({name} is not in PATH here; what Sluice reads itself:)" in result.stdout
    assert "machine 247 (BPF)" in text[1] and re.search(r"xdp +\d+ bytes", text[1])
    assert "r3 = atomic_fetch_add((u64 *)(r1 + 0), r3)" in text[2]
    assert "call 6\n" in text[2]
    maps = re.search(r"map_ids (\d+),(\d+)\n", text[4])
    assert f"id {maps[1]}  type array  name hello.bss  key 4 bytes  value 8 bytes  elements 1" in text[4]
    assert f"id {maps[2]}  type array  name hello.rodata" in text[4]
    assert f"r1 = map[id:{maps[1]}][0]+0" in text[5] and "call bpf_trace_printk\n" in text[5]
    assert "(Neither objdump nor llvm-mc is installed here; the bytes as they are:)" in text[6]
    assert re.search(r"^ +0:( [0-9a-f]{2}){16}$", text[6], re.M)
    assert f"h0 has program {program}, native" in text[8]
    assert "Hello World 1\n" in text[9]
    assert re.search(r"has counted \d+ packets?\.", text[10])
    assert "h0 has no XDP program" in text[11] and f"id {program}  type xdp" in text[11]
    assert "the kernel has no such program" in text[12] and "It is gone." in text[12]


def test_own_byte_code_reading_is_what_llvm_says(link):
    objdump = installed("llvm-objdump", "llvm-objdump-19", "llvm-objdump-14")
    with Walk(link) as walk:
        walk.next()
        theirs = sh(objdump, "-d", "--no-show-raw-insn", walk.folder / "hello.bpf.o").stdout
    with only_tools() as path:
        ours = step_text(link.hello("--seconds", "1", PATH=path).stdout, 2)
    pattern = re.compile(r"^ *(\d+):\s+(.*\S)$", re.M)
    # From version 18 on LLVM writes numbers in hex.
    theirs = re.sub(r"\b0x[0-9a-f]+", lambda number: str(int(number[0], 16)), theirs)
    assert pattern.findall(ours) == pattern.findall(theirs)
    assert len(pattern.findall(ours)) >= 8


def test_generic_mode(link):
    with Walk(link, "--generic") as walk:
        text = walk.to(7)
        assert "Attached to h0 in generic mode" in text and "net attach xdpgeneric pinned" in text
        assert link.program()["mode"] == GENERIC
        assert "xdpgeneric" in walk.next()
        link.ping(3)
        assert "Hello World 1\n" in walk.next()
        assert walk.end()[0] == 0


def test_the_counter_counts_what_arrived(link):
    with Walk(link) as walk:
        walk.to(8)
        link.ping(20)
        walk.next()
        counted = int(re.search(r"has counted (\d+) packets", walk.next())[1])
        assert 20 <= counted <= 24  # neighbours may ask for each other once more
        assert walk.end()[0] == 0


def test_each_step_does_what_it_says_and_the_last_ones_undo_it(link):
    with Walk(link) as walk:
        pin = Path(re.search(r"bpftool prog load hello\.bpf\.o (\S+)", walk.to(3))[1])
        assert pin.exists() and pin.parent.parent == link.pins and pin.parent.name.startswith("hello-")
        assert link.program() is None
        walk.to(7)
        assert link.program()["mode"] == NATIVE
        link.ping(1)
        walk.to(11)
        assert link.program() is None
        assert pin.exists()
        code, output, _ = walk.end()
        assert code == 0 and "It is gone." in output
        assert not pin.exists() and not walk.folder.exists()


@pytest.mark.parametrize(
    "environment, colour",
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_step_takes_a_key_on_a_terminal(link, environment, colour):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        link.command("--step", "--seconds", "1"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**link.environment, "TERM": "xterm", **environment},
    )
    os.close(slave)
    output = b""
    asked = 0
    try:
        while select.select([master], [], [], TIMEOUT)[0]:
            try:
                output += os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if output.count(PROMPT.encode()) > asked:
                asked += 1
                os.write(master, b"\x05")  # a key that the walk itself never prints
        assert process.wait(TIMEOUT) == 0
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
        os.close(master)
    assert asked == len(STEPS) - 1
    assert (b"\033[1m" in output) == colour
    assert b"\x05" not in output and b"^E" not in output  # no echo


def test_no_colour_in_a_pipe(link):
    result = link.hello("--seconds", "1", TERM="xterm")
    assert "\033" not in result.stdout and result.returncode == 0


def test_shown_commands_work_by_hand(link):
    """The compiler's command makes an object, which the other commands load, attach and detach."""
    own_pin = Path(f"/sys/fs/bpf/sl-test-{os.getpid()}")
    with Walk(link) as walk:
        walk.to(11)
        shown = {number: commands(step_text(walk.output, number)) for number in range(1, 12)}
        compiler = next(command for command in shown[1] if command.startswith("clang ")).split()
        sh(installed("clang", "clang-19", "clang-14"), *compiler[1:], cwd=walk.folder)
        (load,), (attach,) = shown[3], shown[7]
        detach = next(command for command in shown[11] if "net detach" in command)
        pin = load.split()[-1]
        try:
            sh(*load.replace(pin, str(own_pin)).split(), cwd=walk.folder)
            sh(*attach.replace(pin, str(own_pin)).split())
            assert link.program()["prog"]["name"] == "hello"
            sh(*detach.split())
            assert link.program() is None
        finally:
            own_pin.unlink(missing_ok=True)
        assert walk.end()[0] == 0


def test_leaves_the_trace_to_other_readers(link):
    with trace() as lines, link.traffic():
        result = link.hello()
    shown = re.findall(r"Hello World \d+$", result.stdout, re.M)
    assert len(shown) == 10
    assert set(shown) <= set(re.findall(r"Hello World \d+$", "".join(lines), re.M))


def mounts(process="self"):
    """All but the names of network namespaces, which other tests make and remove."""
    return [line for line in Path(f"/proc/{process}/mounts").read_text().splitlines() if line.split()[2] != "nsfs"]


def in_own_mounts(script):
    """For what is run after it: a mount namespace of its own, in which the script has been run before."""
    return ("unshare", "-m", "sh", "-c", f'{script} && exec "$0" "$@"')


HIDE_TRACEFS = "for t in /sys/kernel/debug /sys/kernel/tracing; do ! [ -d $t ] || mount -t tmpfs t $t || exit 1; done"


def test_reads_the_trace_without_mounting_it(link):
    with link.traffic():
        result = link.hello(prefix=in_own_mounts(HIDE_TRACEFS))
    text = step_text(result.stdout, 9)
    assert "tracefs is not mounted here" in text and "Hello World 1\n" in text
    assert commands(text) == ["mount -t tracefs tracefs /sys/kernel/tracing", "cat /sys/kernel/tracing/trace_pipe"]


def test_mounts_nothing(link):
    before = mounts()
    with Walk(link) as walk:
        for number in range(1, 9):
            walk.to(number)
            assert mounts() == mounts(walk.process.pid) == before
        link.ping(2)
        assert "Hello World 1\n" in walk.next()
        assert mounts() == mounts(walk.process.pid) == before


@pytest.mark.parametrize("place", ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"])
def test_reads_tracefs_where_it_is_mounted(link, place):
    with link.traffic():
        result = link.hello(prefix=in_own_mounts(f"{HIDE_TRACEFS}; mkdir -p {place} && mount -t tracefs t {place}"))
    text = step_text(result.stdout, 9)
    assert "not mounted" not in text
    assert commands(text) == [f"cat {place}/trace_pipe"]
    assert "Hello World 1\n" in text


def test_no_packets(link):
    result = link.hello("--seconds", "1")
    assert result.returncode == 0
    text = step_text(result.stdout, 9)
    assert "No packet arrived on h0 within 1 second." in text
    assert "while Sluice waits: ping 10.77.0.1\n" in text
    assert "The program has counted 0 packets." in step_text(result.stdout, 10)


def test_no_packets_without_an_address(link):
    link.box.ip("address", "flush", "dev", "h0")
    assert "ping an address behind it\n" in link.hello("--seconds", "1").stdout


def test_no_packets_on_an_interface_that_is_down(link):
    link.box.ip("link", "set", "dev", "h0", "down")
    text = link.hello("--seconds", "2").stdout
    assert "No packet arrived on h0 within 2 seconds." in text
    assert "It is down; turn it on with: ip link set dev h0 up" in text


def test_only_looks_at_its_own_words_in_the_trace(link):
    """Others write to the trace too: here a program that says something else for each packet of another interface."""
    source = Path(link.folders.parent, "other.bpf.c")
    source.write_text(
        '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n'
        'SEC("xdp") int other(struct xdp_md *ctx) { bpf_printk("Good Bye"); return XDP_PASS; }\n'
        'char LICENSE[] SEC("license") = "GPL";\n'
    )
    include = f"-I/usr/include/{os.uname().machine}-linux-gnu"
    target = source.with_suffix(".o")
    sh(installed("clang", "clang-19"), "-O2", "-g", "-target", "bpf", include, "-c", source, "-o", target)
    link.client.ip("link", "set", "dev", "h1", "xdpdrv", "obj", target, "sec", "xdp")
    with trace() as lines, link.traffic():
        result = link.hello("--seconds", "2")
    assert "Good Bye" in "".join(lines)
    assert "Good Bye" not in result.stdout and "Hello World 1\n" in result.stdout


def test_a_signal_ends_the_wait_for_packets(link):
    with subprocess.Popen(
        link.command("--seconds", "60"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=link.environment
    ) as process:
        for line in process.stdout:
            if b"/trace_pipe" in line:
                break
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert b"ended by SIGINT" in process.communicate(timeout=TIMEOUT)[1]
        assert process.returncode == 1 and time.monotonic() - begin < 5
