# SPDX-License-Identifier: BSD-2-Clause
"""Each pin in turn is missing, of another size, or somebody else's: what is attached goes on, no command crashes, and one
that refuses says a way out that works."""
import dataclasses
import itertools
import os
import re
import shutil

import foreign
import kernel
import pytest
from ground import eventually
from lab import sh

FORWARD = ("generations/{current}/description", "generations/{current}/interfaces/eth0")
BACK = ("generations/{previous}/description", "generations/{previous}/interfaces/eth0")
STATE = ("state/eth0/counters", "state/eth0/rules", "state/eth0/top", "state/eth0/talkers")
LINK = ("links/eth0",)
SETS = ("sets/banned/entries", "sets/banned/head", "sets/banned", "sets")
GATES = ("gate/deadline", "gate/interfaces/eth0/program", "gate/interfaces/eth0/generations", "gate/interfaces/eth0",
         "gate/interfaces", "gate")
FOLDERS = ("links", "state", "state/eth0", "generations", "generations/{current}", "generations/{current}/interfaces",
           "generations/{previous}", "generations/{previous}/interfaces")
SUBSTITUTES = ("nothing", "array", "hash", "percpu_array", "larger", "XDP program", "other program", "link", "folder",
               "broken symlink")
VERBS = ("apply", "apply again", "rollback", "down", "down eth0", "show", "stats")


@dataclasses.dataclass
class Strangers:
    """Things that Sluice did not make, pinned outside of its root."""
    folder: str
    interface: str

    def put(self, what, path):
        """Pins one of them at a path where something was."""
        if os.path.isdir(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
        if what == "folder":
            os.makedirs(os.path.join(path, "inner"))
        elif what == "broken symlink":
            os.symlink("/nowhere", path)
        elif what in ("XDP program", "other program"):
            sh("bpftool", "prog", "pin", "pinned", f"{self.folder}/{'xdp' if what == 'XDP program' else 'filter'}", path)
        elif what == "link":
            sh("bpftool", "link", "pin", "pinned", f"{self.folder}/link", path)
        elif what != "nothing":
            kind, size, entries = {"larger": ("percpu_array", 16, 100000)}.get(what, (what, 8, 1))
            sh("bpftool", "map", "create", path, "type", kind, "key", 4, "value", size, "entries", entries, "name", "odd")


@pytest.fixture(scope="module")
def strangers(disturber, tmp_path_factory):
    """An XDP program, a program of another kind, and the first one's link on an interface of its own."""
    lab, box = disturber.ground.lab, disturber.ground.box
    folder = lab.pins + "-strangers"
    os.mkdir(folder)
    lab.cable(box, "other0", lab.hosts[1], "other0")
    xdp = foreign.build(tmp_path_factory.mktemp("foreign"))
    sh("bpftool", "prog", "load", xdp, f"{folder}/xdp", "type", "xdp")
    sh("bpftool", "prog", "load", xdp, f"{folder}/filter", "type", "classifier")
    with box.inside():
        program = kernel.libbpf.bpf_obj_get(f"{folder}/xdp".encode())
        link = kernel.libbpf.bpf_link_create(program, box.link("other0")["ifindex"], foreign.BPF_XDP, None)
    assert link >= 0 and kernel.libbpf.bpf_obj_pin(link, f"{folder}/link".encode()) == 0
    os.close(program)
    os.close(link)
    yield Strangers(folder, "other0")
    shutil.rmtree(folder)


@pytest.fixture
def ground(disturber):
    yield disturber.ground
    clear(disturber.ground)


def clear(ground):
    """Whatever a test left pinned goes, also what Sluice refuses to touch."""
    sh("find", ground.lab.pins, "-depth", "-delete", check=False)
    assert eventually(lambda: [found for found in ground.attached().values() if found]) == []


def words(ground, verb):
    if verb.startswith("apply"):
        return ["apply", ground.path(2 if verb == "apply again" else 3)]
    return verb.split()


def follow_advice(result, said):
    """Does what the message says, to the letter."""
    command = re.search(r": rm (-r )?(/\S+)$", result.stderr, re.M)
    assert command, f"{said}\nsays no way out"
    sh("rm", *(["-r"] if command[1] else []), command[2])


def check(ground, strangers, pin, substitute, verb):
    clear(ground)
    for number in (1, 2):
        ground.sluice("apply", ground.path(number))
    if pin in GATES:
        ground.sluice("apply", "--confirm", "60s", ground.path(3))
    shown = ground.show()
    top = os.path.join(ground.lab.pins, next(path for path in os.listdir(ground.lab.pins)))
    path = os.path.join(top, pin.format(current=shown["current"]["number"], previous=shown["previous"]["number"]))
    strangers.put(substitute, path)
    eventually(lambda: [] if pin not in ("links", *LINK) or not ground.attached()["eth0"] else ["still attached"])
    attached, judges = ground.attached(), ground.judges()
    result = ground.sluice(*words(ground, verb), check=False)
    said = f"{substitute} in place of {pin}, {verb}: exit {result.returncode}:\n{result.stdout}{result.stderr}"
    assert result.returncode in (0, 1), said
    if result.returncode == 1:
        assert result.stdout == "" and result.stderr, said
        if not verb.startswith("down"):
            assert ground.attached() == attached, said
        assert set(ground.judges().values()) <= {*judges.values(), 0}, said
    for _ in range(4):  # there may be more than one thing in the way
        result = ground.sluice("apply", ground.path(3), check=False)
        if result.returncode == 0:
            break
        said += f"then apply: {result.stderr}"
        if "waits to be confirmed" in result.stderr:
            ground.sluice("rollback")
        else:
            follow_advice(result, said)
    assert result.returncode == 0, said
    assert eventually(ground.settled) == [], f"{said}then apply: {result.stdout}"
    assert set(ground.judges().values()) == {3}, said
    result = ground.sluice("down")
    assert eventually(ground.settled) == [], said


PINS = {"link": LINK, "state": STATE, "what runs": FORWARD, "the way back": BACK, "folders": FOLDERS, "sets": SETS,
        "gates": GATES}


@pytest.mark.parametrize("what", PINS)
@pytest.mark.parametrize("substitute", SUBSTITUTES)
def test_strange_pin_is_survived_with_a_way_out(ground, strangers, whole, what, substitute):
    troubles = []
    cases = list(itertools.product(PINS[what], VERBS))
    if not whole:
        shift = SUBSTITUTES.index(substitute)
        cases = [case for number, case in enumerate(cases) if (number + shift) % 20 == 0]
    for pin, verb in cases:
        try:
            check(ground, strangers, pin, substitute, verb)
        except AssertionError as trouble:
            troubles.append(str(trouble))
    assert not troubles, "\n".join(troubles)
