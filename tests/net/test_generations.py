# SPDX-License-Identifier: BSD-2-Clause
"""A change happens whole or not at all: under a stream of packets, when several happen at once, and when something strange
is pinned where Sluice keeps its own. When it is killed, or a step of it fails: see faults/."""
import os
import re
import struct
import subprocess

import pytest
from scapy.all import IP, UDP

from lab import SLUICE, sh, wait_until
from scene import BLOCK, BLOCKED4, BOX4, Scene, policy


def datagram(scene, source):
    return scene.ethernet() / IP(src=source, dst=BOX4) / UDP(sport=1, dport=9) / b"x"


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_first_packet_after_attaching_is_judged_by_full_tables(quiet, mode):
    """Counters begin when the program is attached: had it been there before its tables, something would have passed."""
    many = [f"10.{i // 256}.{i % 256}.0/24" for i in range(20000)]
    quiet.lab.file("many.txt", "\n".join([*many, "192.0.2.0/24"]))
    text = 'set many file "many.txt"\n' + policy("block { from @many }", mode=mode)
    flood = quiet.flood(datagram(quiet, BLOCKED4))
    for _ in range(8):
        quiet.box.apply(text)
        assert wait_until(lambda: "drop" in quiet.count())
        counts = quiet.count()
        quiet.box.sluice("down")
        assert counts["drop"][0] > 0 and counts["many"][0] > 0
        assert "pass" not in counts
    assert flood.stop() > 0


def test_growing_tables_under_load_never_open(quiet):
    """Each generation has tables of its own, filled before it takes over."""
    quiet.box.apply(policy(BLOCK))
    flood = quiet.flood(datagram(quiet, BLOCKED4))
    for i in range(10):
        prefixes = ", ".join(f"10.{i}.{j}.0/24" for j in range(0, 250, i + 1))
        quiet.box.apply(policy(f"block {{ from {{ {prefixes}, 192.0.2.0/24 }} }}"))
    sent = flood.stop()
    counts = quiet.count()
    assert counts["drop"][0] == sent and "pass" not in counts


def test_remains_of_a_generation_are_no_hindrance(quiet):
    """As a `down` leaves them that was killed half way: the description still there, its program not."""
    quiet.box.apply(policy(BLOCK))
    os.unlink(find(quiet.lab, "/links/eth0"))
    os.unlink(find(quiet.lab, "/interfaces/eth0"))
    assert quiet.box.program("eth0") is None
    quiet.box.apply(policy(BLOCK))
    interface, = quiet.box.show()["interfaces"]
    assert interface["generation"] and interface["program"]["id"] == quiet.box.program("eth0")
    assert quiet.box.apply(policy(BLOCK)).stdout.startswith("nothing to change")


# Several at once.


def started(host, *arguments):
    return subprocess.Popen([SLUICE, "-n", host.netns, *arguments], env=host.lab.environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finished(processes):
    return [(*process.communicate(timeout=30), process.returncode) for process in processes]


def test_applies_at_once_happen_one_after_the_other(quiet):
    for round_ in range(3):
        texts = [policy(f"block {{ from 10.{round_}.{i}.0/24 }}") for i in range(5)]
        paths = [quiet.lab.file(f"{i}.policy", text) for i, text in enumerate(texts)]
        results = finished([started(quiet.box, "apply", path) for path in paths])
        assert [(status, error) for _, error, status in results] == [(0, "")] * 5
        numbers = sorted(int(re.match(r"generation (\d+)", output)[1]) for output, _, _ in results)
        assert numbers == list(range(round_ * 5 + 1, round_ * 5 + 6))
        shown = quiet.box.show()
        last = next(i for i, r in enumerate(results) if r[0].startswith(f"generation {numbers[-1]}"))
        assert shown["current"]["number"] == shown["interfaces"][0]["generation"] == numbers[-1]
        assert shown["current"]["path"] == paths[last]
        assert shown["previous"]["number"] == numbers[-2]
        assert shown["interfaces"][0]["program"]["id"] == quiet.box.program("eth0")
        assert {p.split("/")[2] for p in quiet.lab.pinned() if "/generations/" in p} == set(map(str, numbers[-2:]))


def test_changes_and_readers_at_once(quiet):
    """down takes away the folder that the others wait for; nobody is confused by that."""
    path = quiet.lab.file("test.policy", policy(BLOCK))
    nothing = {"sluice: nothing of Sluice runs here\n",
               "sluice: there is no previous generation to go back to\nnothing is applied\n",
               "sluice: there is no previous generation to go back to\ngeneration 1 is the only one\n"}
    for _ in range(10):
        commands = [["apply", path], ["down"], ["apply", path], ["show", "-j"], ["stats", "-j"], ["rollback"], ["down"]]
        for output, error, status in finished([started(quiet.box, *command) for command in commands]):
            assert (status, error) == (0, "") or (status == 1 and error in nothing), (status, error, output)
    quiet.box.sluice("apply", path)
    shown = quiet.box.show()
    assert shown["interfaces"][0]["program"]["id"] == quiet.box.program("eth0")
    quiet.box.sluice("down")
    assert quiet.box.program("eth0") is None and quiet.lab.pinned() == []


# Something strange in place.


def find(lab, ending):
    return os.path.join(lab.pins, next(pin for pin in lab.pinned() if pin.endswith(ending)))


def replace(path, kind, value=bytes(8)):
    """Pins a map of that kind, with this as its only value, in place of what is there."""
    os.unlink(path)
    sh("bpftool", "map", "create", path, "type", kind, "key", 4, "value", len(value), "entries", 1, "name", "odd")
    if kind in ("array", "hash"):
        sh("bpftool", "map", "update", "pinned", path, "key", 0, 0, 0, 0, "value", *value)


def header(magic=0x43554c53, schema=3, length=0):
    return struct.pack("<IIII", magic, schema, length, 0)


DESCRIPTIONS = {
    "other schema": ("array", header(schema=7), "schema 7; this version of Sluice reads and writes schema 3"),
    "no magic": ("array", bytes(16), "this is not a description by Sluice"),
    "too small": ("array", b"SLUC" + bytes(4), "this is not a description by Sluice"),
    "other kind of map": ("hash", header(), "this is not a description by Sluice"),
    "no json": ("array", header(length=4) + b"oops", "the description is damaged"),
    "empty json": ("array", header(length=2) + b"{}", "the description is damaged"),
    "longer than it is": ("array", header(length=4000) + b"{}", "the description is damaged"),
}


@pytest.mark.parametrize("what", DESCRIPTIONS)
def test_strange_description_is_refused_with_a_way_out(quiet, what):
    kind, value, why = DESCRIPTIONS[what]
    quiet.box.apply(policy(BLOCK))
    program, path = quiet.box.program("eth0"), find(quiet.lab, "/description")
    replace(path, kind, value)
    policy_path = quiet.lab.file("test.policy", policy())
    pins = quiet.lab.pinned()
    for verb in (["apply", policy_path], ["rollback"], ["down"], ["show"], ["stats"]):
        result = quiet.box.sluice(*verb, check=False)
        assert (result.returncode, result.stdout) == (1, ""), verb
        assert result.stderr.startswith(f"sluice: {path}: {why}\n"), verb
        assert "remove the folder it is in" in result.stderr, verb
        assert (quiet.box.program("eth0"), quiet.lab.pinned()) == (program, pins), verb
    sh("rm", "-r", os.path.dirname(path))  # the way out
    quiet.box.sluice("apply", policy_path)
    assert quiet.box.program("eth0") not in (None, program)
    quiet.box.sluice("down")
    assert quiet.lab.pinned() == []


@pytest.mark.parametrize("kind", ["hash", "percpu_array", "program"])
def test_something_else_in_place_of_a_link_is_refused_with_a_way_out(quiet, kind):
    """Maps, programs and links each number their types: 6 is an XDP link, an XDP program and a per-CPU array."""
    quiet.box.apply(policy(BLOCK))
    path = find(quiet.lab, "/links/eth0")
    program = find(quiet.lab, "/interfaces/eth0")
    if kind == "program":
        os.unlink(path)
        sh("bpftool", "prog", "pin", "pinned", program, path)
    else:
        replace(path, kind)
    for verb in (["show"], ["stats"], ["apply", quiet.lab.file("test.policy", policy(BLOCK))], ["down"]):
        result = quiet.box.sluice(*verb, check=False)
        assert (result.returncode, result.stdout, result.stderr) == (1, "", (
            f"sluice: {path}: not a BPF link\nsomething else pinned it; remove it and apply again: rm {path}\n")), verb
    os.unlink(path)
    quiet.box.apply(policy())
    assert quiet.box.program("eth0")


@pytest.mark.parametrize("kind", ["hash", "percpu_array", "link"])
def test_something_else_in_place_of_a_program_is_refused_with_a_way_out(quiet, kind):
    quiet.box.apply(policy(BLOCK))
    running = quiet.box.program("eth0")
    path = find(quiet.lab, "/interfaces/eth0")
    if kind == "link":
        os.unlink(path)
        sh("bpftool", "link", "pin", "pinned", find(quiet.lab, "/links/eth0"), path)
    else:
        replace(path, kind)
    result = quiet.box.sluice("show", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", (
        f"sluice: {path}: not a BPF program\nsomething else pinned it; remove it and apply again: rm {path}\n"))
    assert quiet.box.program("eth0") == running
    os.unlink(path)
    quiet.box.apply(policy())
    assert quiet.box.program("eth0") not in (None, running)


@pytest.mark.parametrize("counters", ["counters", "rules"])
def test_counters_of_another_layout_are_refused_with_a_way_out(quiet, counters):
    quiet.box.apply(policy(BLOCK))
    program = quiet.box.program("eth0")
    path = find(quiet.lab, f"/state/eth0/{counters}")
    replace(path, "percpu_array")
    policy_path = quiet.lab.file("test.policy", policy(BLOCK, "fragments drop"))
    for verb in (["apply", policy_path], ["stats"]):
        result = quiet.box.sluice(*verb, check=False)
        assert (result.returncode, result.stdout, result.stderr) == (1, "", (
            f"sluice: {path}: not the counters of this version of Sluice\n"
            f"remove it to start counting from zero: rm {path}\n")), verb
    assert quiet.box.program("eth0") == program
    os.unlink(path)
    quiet.box.sluice("apply", policy_path)
    quiet.send(quiet.ethernet(type=0x88cc) / bytes(50))
    assert quiet.count()["pass"] == (2, 64 + 42) if counters == "counters" else quiet.count()["pass"][0] >= 2


def test_missing_counters_are_said_and_made_anew(quiet):
    quiet.box.apply(policy(BLOCK))
    os.unlink(find(quiet.lab, "/state/eth0/rules"))
    result = quiet.box.sluice("stats", check=False)
    assert (result.returncode, result.stderr) == (1, (
        "sluice: the counters of eth0 are not pinned any more\napply the policy again\n"))
    quiet.box.apply(policy(BLOCK))  # the same once more
    assert quiet.box.stats()


def test_forgotten_folder_of_a_namespace_that_is_gone_hurts_nobody(lab):
    gone = Scene(lab, ipv6=False)
    gone.box.apply(policy(BLOCK))
    stranger = lab.host("stranger", ipv6=False)
    lab.cable(stranger, "eth0", lab.host("peer", ipv6=False), "eth0")
    sh("ip", "netns", "del", gone.box.netns)
    lab.hosts.remove(gone.box)
    stranger.apply(policy(BLOCK))
    assert [i["interface"] for i in stranger.show()["interfaces"]] == ["eth0"]
    stranger.sluice("down")
    assert stranger.program("eth0") is None
