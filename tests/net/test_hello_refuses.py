# SPDX-License-Identifier: BSD-2-Clause
"""hello: what it refuses, what the kernel keeps from it, what breaks under it; each time with its message, and each time
nothing is left behind."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from hello_walk import TIMEOUT, Link, Walk, commands, installed, object_of, only_tools, step_text, steps
from lab import SLUICE, sh, wait_until
from test_hello import in_own_mounts, link  # noqa: F401, a fixture

pytestmark = pytest.mark.xdist_group("hello")  # one trace and one kind of program on the whole machine


def test_usage():
    for arguments in ([], ["h0", "h1"], ["h0", "--nonsense"], ["h0", "--seconds"]):
        result = sh(SLUICE, "hello", *arguments, check=False)
        assert result.returncode == 2 and "usage: sluice hello IFACE" in result.stderr and not result.stdout


@pytest.mark.parametrize("text", ["0", "-1", "3601", "ten", "1s", "", "99999999999999999999"])
def test_seconds_out_of_range(text):
    result = sh(SLUICE, "hello", "h0", "--seconds", text, check=False)
    assert result.returncode == 2
    assert f'--seconds takes a whole number from 1 to 3600, not "{text}"' in result.stderr


def test_needs_root(link):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        binary = shutil.copy(SLUICE, folder)
        result = link.box.run("setpriv", "--reuid=65534", "--clear-groups", binary, "hello", "h0", check=False)
    assert result.returncode == 1
    assert "hello needs root: it loads a program into the kernel" in result.stderr
    assert "run: sudo sluice hello h0" in result.stderr


def test_unknown_interface(link):
    result = link.hello(device="h00")
    assert result.returncode == 1 and result.stdout == ""
    assert "there is no interface h00 here" in result.stderr and "did you mean h0?" in result.stderr
    result = link.hello(device="wlp59s0")
    assert result.returncode == 1 and "`ip link` lists the interfaces" in result.stderr


@pytest.mark.parametrize("mode, hook", [("native", "xdpdrv"), ("generic", "xdpgeneric")])
def test_never_replaces_a_foreign_program(link, tmp_path, mode, hook):
    link.box.ip("link", "set", "dev", "h0", hook, "obj", object_of(link, tmp_path), "sec", "xdp")
    before = link.program()["prog"]["id"]
    result = link.hello()
    assert result.returncode == 1 and result.stdout == ""
    assert re.search(rf"h0 .*\bid {before}, name hello\b.*\bmode {mode}", result.stderr)
    assert "sluice down h0" in result.stderr
    assert link.program()["prog"]["id"] == before
    link.box.ip("link", "set", "dev", "h0", hook, "off")


def test_foreign_program_that_comes_in_between(link, tmp_path):
    path = object_of(link, tmp_path)
    with Walk(link) as walk:
        walk.to(6)
        link.box.ip("link", "set", "dev", "h0", "xdpdrv", "obj", path, "sec", "xdp")
        code, _, stderr = walk.end()
        assert code == 1 and f"id {link.program()['prog']['id']}, name hello" in stderr
    link.box.ip("link", "set", "dev", "h0", "xdpdrv", "off")


def test_two_at_once(link):
    with Walk(link) as walk:
        walk.next()
        result = link.hello()
        assert result.returncode == 1
        assert "another sluice hello is at work on h0" in result.stderr
        assert walk.end()[0] == 0


def test_two_at_once_on_two_interfaces(link):
    link.box.ip("link", "add", "v0.7", "type", "veth", "peer", "name", "v1")
    with Walk(link) as walk:
        walk.to(8)
        result = link.hello("--seconds", "1", device="v0.7")
        assert result.returncode == 0 and "Cleaned up" not in result.stdout
        link.ping(1)
        assert walk.end()[0] == 0


def test_no_silent_fallback_to_generic_mode(link):
    link.box.ip("link", "add", "b0", "type", "bridge")
    result = link.hello(device="b0")
    assert result.returncode == 1
    assert "the kernel refused to attach to b0 in native mode: Operation not supported" in result.stderr
    assert "the kernel says: Underlying driver does not support XDP in native mode" in result.stderr
    assert "sluice hello b0 --generic" in result.stderr
    result = link.hello("--generic", "--seconds", "1", device="b0")
    assert result.returncode == 0 and "Attached to b0 in generic mode" in result.stdout


def test_the_drivers_own_words(link):
    link.client.ip("link", "set", "dev", "h1", "mtu", "9000")
    result = link.hello()
    assert result.returncode == 1 and re.search("the kernel says: .*Peer MTU is too large", result.stderr)


def test_no_folder_for_the_files(link):
    result = link.hello(TMPDIR="/nonexistent")
    assert result.returncode == 1
    assert "cannot make a folder /nonexistent/sluice-hello-" in result.stderr


def test_no_room_for_the_files(link):
    result = link.hello(prefix=in_own_mounts("mount -t tmpfs -o size=4k t $TMPDIR"))
    assert result.returncode == 1
    assert re.search(r"cannot write /\S+/sluice-hello-\w+/hello\.bpf\.\w: No space left on device", result.stderr)


def test_no_place_for_pins(link):
    result = link.hello(SLUICE_BPFFS="/tmp/sl-no-bpffs")
    assert result.returncode == 1 and "no BPF file system" in result.stderr
    link.pins.mkdir()
    result = link.hello(prefix=in_own_mounts("mount -o remount,bind,ro /sys/fs/bpf"))
    assert result.returncode == 1
    assert re.search(rf"cannot make {link.pins}/hello-\S+: Read-only file system", result.stderr)
    link.pins.rmdir()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP])
@pytest.mark.parametrize("step", [1, 3, 8, 11])
def test_a_signal_undoes_everything(link, number, step):
    with Walk(link) as walk:
        walk.to(min(step, 8))
        if step > 8:
            link.ping(1)
            walk.to(step)
        code, _, stderr = walk.stop(number)
        assert code == 1
        assert f"ended by {number.name}; everything is detached, unloaded and removed" in stderr
        assert link.program() is None


def test_a_signal_ends_a_tool_that_hangs(link):
    with only_tools(file="#!/bin/sh\nexec /bin/sleep 60\n") as path:
        process = subprocess.Popen(
            link.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**link.environment, "PATH": path}
        )
        for line in process.stdout:
            if b"$ file" in line:
                break
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=TIMEOUT)
    assert b"ended by SIGTERM" in stderr and b"itself" not in stdout


def test_nobody_reads_the_output(link):
    result = link.hello("--seconds", "1", prefix=("sh", "-c", '"$0" "$@" | head -1; exit 0'))
    assert "cannot write the output" in result.stderr


def test_killed_hello_attaches_nothing_and_the_next_one_cleans_up(link):
    with Walk(link) as walk:
        walk.to(8)
        walk.process.kill()
        walk.process.wait()
        shutil.rmtree(walk.folder)  # nothing tells later whose it was
    assert wait_until(lambda: link.program() is None)
    stale = next(pin for pin in link.lab.pinned() if pin.startswith("hello-"))
    assert f"sluice-{stale}" in link.leftovers()["instances"]
    link.box.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    result = link.hello("--seconds", "1", device="v0")
    assert result.returncode == 0
    assert f"Cleaned up what a killed run had left: {stale}." in result.stdout


def test_the_interface_goes_away(link):
    with Walk(link) as walk:
        walk.to(7)
        link.box.ip("link", "del", "dev", "h0")
        code, output, stderr = walk.end()
    assert code == 1
    assert "(ip failed; what Sluice reads itself:)" in output
    assert "h0 is gone" in stderr


# What the kernel keeps from those who may not see it.


def without(*capabilities):
    """Root, but without these."""
    return ("setpriv", "--bounding-set", ",".join(f"-{name}" for name in capabilities))


def test_without_the_right_to_load(link):
    result = link.box.run(*without("sys_admin", "bpf"), SLUICE, "hello", "h0", check=False, env=link.environment)
    assert result.returncode == 1
    assert "the kernel refused to load hello.bpf.o: Operation not permitted" in result.stderr


def test_without_the_right_to_see_addresses(link):
    # kernel/ksyms_common.c, kallsyms_show_value: without CAP_SYSLOG it depends on two settings of the machine.
    paranoid, restrict = (int(Path(f"/proc/sys/kernel/{name}").read_text())
                          for name in ("perf_event_paranoid", "kptr_restrict"))
    secret = restrict > 0 or paranoid > 1
    result = link.hello("--seconds", "1", prefix=without("syslog"))
    assert result.returncode == 0
    assert ("it keeps its addresses secret (kernel.kptr_restrict)" in step_text(result.stdout, 6)) == secret


def test_without_the_right_to_mount_and_to_ask_for_ids(link):
    unmounted = ["unshare", "-m", "sh", "-c", 'umount -l /sys/kernel/tracing /sys/kernel/debug 2>&-; exec "$@"', "sh"]
    with only_tools("nsenter", "setpriv", "unshare", "umount", "sh") as path, link.traffic():
        environment = {**link.environment, "PATH": path}
        command = [*unmounted, *without("sys_admin"), SLUICE, "hello", "h0"]
        result = link.box.run(*command, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    text = steps(result.stdout)
    assert "tracefs is not mounted, and the kernel does not let Sluice see it: Operation not permitted" in text[9]
    assert "The counter, in the next step, has the proof." in text[9]
    assert re.search(r"has counted [1-9]\d* packets?", text[10])
    assert "the kernel does not say: Operation not permitted" in text[12]


def test_somebody_else_holds_the_program(link):
    pin = Path(f"/sys/fs/bpf/sl-test-{os.getpid()}")
    with Walk(link) as walk:
        program = re.search(r"bpftool prog show id (\d+)", walk.to(4))[1]
        sh("bpftool", "prog", "pin", "id", program, pin)
        try:
            link.ping(1)
            code, output, _ = walk.end()
            assert code == 0
            assert f"somebody else holds it: id {program}, name hello, pinned at {pin}" in output
        finally:
            pin.unlink()


# Tools that do not do what they should.


def test_tools_that_fail(link):
    with only_tools(
        file="no program at all",
        bpftool="#!/bin/sh\necho no bpftool for this kernel\nexit 2\n",
        objdump="#!/bin/sh\necho no such machine\nexit 1\n",
    ) as path:
        result = link.hello("--seconds", "1", PATH=path)
    assert result.returncode == 0
    text = steps(result.stdout)
    assert "(file did not run: Exec format error; what Sluice reads itself:)" in text[1]
    assert "machine 247 (BPF)" in text[1]
    assert "no bpftool for this kernel" in text[4] and "type xdp  name hello" in text[4]
    assert "(bpftool failed; what Sluice reads itself:)" in text[4]
    assert "no such machine" in text[6] and "(It failed; the bytes as they are:)" in text[6]
    assert re.search(r"^ +0:( [0-9a-f]{2}){16}$", text[6], re.M)


def test_a_tool_that_hangs_is_given_up(link):
    with only_tools(file="#!/bin/sh\nexec /bin/sleep 60\n") as path:
        result = link.hello("--seconds", "1", PATH=path)
    assert result.returncode == 0
    assert "(file did not run: Connection timed out; what Sluice reads itself:)" in result.stdout


def test_disassembles_with_llvm_too(link):
    name = installed("llvm-mc", "llvm-mc-19", "llvm-mc-14")
    with only_tools(name) as path:
        text = step_text(link.hello("--seconds", "1", PATH=path).stdout, 6)
    assert f"{name} --disassemble hello.jited.hex" in commands(text)
    assert re.search(r"^ +\t(push|mov|stp)", text, re.M)


def test_finds_tools_of_llvm_by_their_version(link):
    with only_tools(**{"llvm-objdump-15": "#!/bin/sh\necho fifteen\n", "llvm-objdump-9": "#!/bin/sh\n"}) as path:
        text = step_text(link.hello("--seconds", "1", PATH=path).stdout, 2)
    assert "$ llvm-objdump-15 -d -r hello.bpf.o\n    fifteen\n" in text


def test_long_output_is_trimmed(link):
    with only_tools(file="#!/bin/sh\ni=0; while [ $i -lt 100 ]; do i=$((i+1)); echo line $i; done\n") as path:
        text = step_text(link.hello("--seconds", "1", PATH=path).stdout, 1)
    assert "line 40\n    … 60 more lines\n" in text and "line 41" not in text


# System calls that fail.

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>

/* bpf(FAIL_COMMAND, …) fails with EIO, from call number FAIL_FROM on. */
long syscall(long number, ...)
{
	static long (*real)(long, ...);
	static int calls;
	long a[6];
	va_list list;

	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == __NR_bpf && (int)a[0] == atoi(getenv("FAIL_COMMAND")) && ++calls >= atoi(getenv("FAIL_FROM"))) {
		errno = EIO;
		return -1;
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
"""
# linux/bpf.h
BPF_MAP_LOOKUP_ELEM, BPF_OBJ_PIN, BPF_OBJ_GET_INFO_BY_FD, BPF_LINK_DETACH = 1, 6, 15, 34


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    sh("cc", "-shared", "-fPIC", "-o", folder / "shim.so", folder / "shim.c")
    return folder / "shim.so"


def failing(link, shim, command, first=1):
    return link.hello("--seconds", "1", LD_PRELOAD=str(shim), FAIL_COMMAND=str(command), FAIL_FROM=str(first))


@pytest.mark.parametrize(
    "command, message",
    [
        (BPF_OBJ_PIN, "cannot pin the program at /.*/hello: Input/output error"),
        (BPF_MAP_LOOKUP_ELEM, "cannot read the counter: Input/output error"),
        (BPF_LINK_DETACH, "cannot detach from h0: Input/output error"),
    ],
)
def test_failing_system_calls(link, shim, command, message):
    result = failing(link, shim, command)
    assert result.returncode == 1
    assert re.search(message, result.stderr), result.stderr
    assert link.program() is None


def test_failing_questions_to_the_kernel(link, shim):
    """Whichever of them is the first to fail, the walk says so or goes on without, and leaves nothing."""
    messages = set()
    for first in range(1, 60):
        result = failing(link, shim, BPF_OBJ_GET_INFO_BY_FD, first)
        assert link.program() is None
        if result.returncode == 0:
            break
        assert result.returncode == 1 and result.stderr.startswith("sluice: ")
        messages.add(re.sub(r"^sluice: (.*): Input/output error\n.*", r"\1", result.stderr, flags=re.S))
    assert result.returncode == 0
    assert {"cannot read the machine code", "cannot read the link", "cannot read the map of the counter"} <= messages
