# SPDX-License-Identifier: BSD-2-Clause
"""apply --confirm: what is not confirmed in time goes back by itself, what is confirmed stays and costs nothing, and every
command in between knows what runs."""
import glob
import json
import os
import re
import shutil
import signal
import time

import pytest

from lab import SLUICE, sh, wait_until
from scene import policy
from twins import INTERFACES, Twins, new_policy, old_policy

ALL_OLD, ALL_NEW, NOBODY = ["old", "old"], ["new", "new"], ["both", "both"]


@pytest.fixture
def twins(lab):
    return Twins(lab)


def over(twins, seconds=3):
    """Waits until the time to confirm is over, as `show` tells it."""
    assert wait_until(lambda: not twins.box.show()["change"]["waits"], seconds)


def processes(lab):
    """Of sluice, by the file that runs, at work on this lab's pins."""
    found = []
    pins = f"SLUICE_BPFFS={lab.pins}".encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environment:
                if os.path.samefile(f"/proc/{pid}/exe", SLUICE) and pins in environment.read().split(b"\0"):
                    found.append(pid)
        except OSError:
            pass
    return found


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_without_confirm_traffic_changes_back_by_itself(lab, mode):
    twins = Twins(lab, mode)
    twins.apply(twins.old)
    started = time.monotonic()
    twins.apply(twins.new, "--confirm", "2s")
    applied = time.monotonic()
    assert processes(lab) == []
    pins = lab.pinned()
    while (judges := twins.judges()) == ALL_NEW:
        looked = time.monotonic()
        assert looked < applied + 3
    assert twins.judges() == ALL_OLD, judges
    # The clock of the data path ticks 100 to 1000 times a second.
    assert looked > started + 1.9 and time.monotonic() < applied + 2.2
    assert lab.pinned() == pins and processes(lab) == []  # nobody did it


def test_one_interface_goes_back_too(twins):
    path = twins.lab.file("one", old_policy("eth0"))
    twins.box.sluice("apply", path)
    twins.box.sluice("apply", "--confirm", "1", twins.lab.file("other", new_policy("eth0")))
    assert twins.judged("eth0") == "new"
    over(twins)
    assert twins.judged("eth0") == "old"


def test_killed_right_after_the_change_it_goes_back_all_the_same(twins):
    """The harness of test_generations.py kills at every step; here at the last thing that `apply` does: to say so."""
    twins.apply(twins.old)
    result = sh("strace", "-o", "/dev/null", "-e", "trace=write", "-e", "inject=write:signal=KILL:when=1",
                SLUICE, "-n", twins.box.netns, "apply", "--confirm", "1", twins.new, env=twins.lab.environment,
                check=False)
    assert result.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
    assert twins.judges() == ALL_NEW
    over(twins)
    assert twins.judges() == ALL_OLD


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_confirmed_it_stays_and_nothing_is_left_of_the_waiting(lab, mode):
    twins = Twins(lab, mode)
    twins.apply(twins.old)
    twins.apply(twins.new, "--confirm", "1s")
    gates = [interface["gate"] for interface in twins.box.show()["interfaces"]]
    assert twins.programs() == gates
    assert twins.box.sluice("confirm").stdout == "confirmed: generation 2 stays\n"
    shown = twins.box.show()
    assert "change" not in shown and twins.gates() == [] and twins.generations() == ["1", "2"]
    assert twins.programs() == [interface["program"]["id"] for interface in shown["interfaces"]]
    assert all("gate" not in interface and interface["generation"] == 2 for interface in shown["interfaces"])
    for gate in gates:
        assert wait_until(lambda: sh("bpftool", "prog", "show", "id", gate, check=False).returncode)  # unloaded
    time.sleep(1.1)
    assert twins.judges() == ALL_NEW
    twins.box.sluice("rollback")
    assert twins.judges() == ALL_OLD


def test_confirm_when_nothing_waits(twins):
    result = twins.box.sluice("confirm", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (
        1, "", "sluice: nothing waits to be confirmed\nnothing is applied\n")
    assert twins.lab.pinned() == []
    twins.apply(twins.old)
    pins, programs = twins.lab.pinned(), twins.programs()
    result = twins.box.sluice("confirm", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (
        1, "", "sluice: nothing waits to be confirmed\ngeneration 1 runs\n")
    assert (twins.lab.pinned(), twins.programs()) == (pins, programs)


def test_confirm_too_late(twins):
    twins.apply(twins.old)
    before = twins.lab.pinned(), twins.programs()
    twins.apply(twins.new, "--confirm", "1s")
    over(twins)
    result = twins.box.sluice("confirm", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (
        1, "", "sluice: generation 2 was not confirmed in time\ngeneration 1 runs\n")
    assert twins.judges() == ALL_OLD
    assert (twins.lab.pinned(), twins.programs()) == before
    assert twins.box.sluice("confirm", check=False).stderr == (
        "sluice: nothing waits to be confirmed\ngeneration 1 runs\n")


@pytest.mark.parametrize("command", ["apply", "apply --confirm 1h", "rollback", "down", "down eth1"])
def test_next_command_clears_away_what_was_not_confirmed(twins, command):
    twins.apply(twins.new)
    twins.apply(twins.old)
    twins.apply(twins.new, "--confirm", "1s")
    over(twins)
    more = [twins.old] if command.startswith("apply") else []
    result = twins.box.sluice(*command.split(), *more)
    assert result.stderr == "sluice: generation 3 was not confirmed in time: generation 2 runs again\n"
    assert twins.gates() == [] and "new" not in twins.generations()
    if command.startswith("apply"):
        assert result.stdout.startswith("nothing to change: generation 2 runs\n")
        assert twins.judges() == ALL_OLD and twins.generations() == ["1", "2"]
    elif command == "rollback":  # who types it now wants what has come back already, not the one before that
        assert result.stdout == "gone back already; `sluice rollback` once more goes further\n"
        assert twins.judges() == ALL_OLD and twins.generations() == ["1", "2"]
        assert twins.box.sluice("rollback").stdout.startswith("generation 1, was 2\n") and twins.judges() == ALL_NEW
    elif command == "down":
        assert twins.programs() == [None, None] and twins.lab.pinned() == []
    else:
        assert twins.judges() == ["old", "both"] and twins.generations() == ["1", "2"]


def test_first_policy_of_all_leaves_nothing_when_it_is_not_confirmed(twins):
    said = twins.apply(twins.new, "--confirm", "1s").stdout
    assert said.endswith("waits 1s for `sluice confirm`, then nothing runs again\n")
    assert twins.judges() == ALL_NEW
    over(twins)
    assert twins.judges() == NOBODY
    shown = twins.box.show()
    assert "current" not in shown and all(i["generation"] == 0 for i in shown["interfaces"])
    assert "eth0  lets everything pass: no generation runs\n" in twins.box.sluice("show").stdout
    assert twins.box.sluice("stats", check=False).stderr == "sluice: nothing of Sluice runs here\n"
    assert twins.box.sluice("rollback").stderr == "sluice: generation 1 was not confirmed in time: nothing runs again\n"
    assert twins.programs() == [None, None] and twins.lab.pinned() == []


def test_first_policy_of_all_confirmed(twins):
    twins.apply(twins.new, "--confirm", "1s")
    twins.box.sluice("confirm")
    time.sleep(1.1)
    assert twins.judges() == ALL_NEW and twins.gates() == [] and twins.generations() == ["1"]


def test_rollback_takes_back_at_once(twins):
    twins.apply(twins.new)
    twins.apply(twins.old)
    before = twins.lab.pinned(), twins.programs()
    twins.apply(twins.new, "--confirm", "1h")
    result = twins.box.sluice("rollback")
    assert result.stdout.startswith("generation 2, was 3\n") and not result.stderr
    assert twins.judges() == ALL_OLD
    assert (twins.lab.pinned(), twins.programs()) == before
    assert twins.box.sluice("rollback").stdout.startswith("generation 1, was 2\n")


def test_rollback_of_the_first_policy_of_all(twins):
    twins.apply(twins.new, "--confirm", "1h")
    assert twins.box.sluice("rollback").stdout == "nothing runs, was generation 1\n"
    assert twins.programs() == [None, None] and twins.lab.pinned() == []


def test_way_back_is_what_ran_before_not_the_highest_number(twins):
    for path in (twins.old, twins.new):
        twins.apply(path)
    twins.box.sluice("rollback")  # 1 runs, 2 is the previous
    twins.apply(twins.lab.file("third", new_policy() + "set unused { 10.0.0.0/8 }"), "--confirm", "1h")
    assert twins.box.show()["previous"]["number"] == 1
    twins.box.sluice("confirm")
    assert twins.generations() == ["1", "3"]
    assert twins.box.sluice("rollback").stdout.startswith("generation 1, was 3\n")


def test_down_while_it_waits(twins):
    twins.apply(twins.old)
    twins.apply(twins.new, "--confirm", "1h")
    assert twins.box.sluice("down").stdout == "detached from 2 interfaces\n"
    assert twins.programs() == [None, None] and twins.lab.pinned() == [] and twins.judges() == NOBODY


@pytest.mark.parametrize("then, judge", [("confirm", "new"), ("rollback", "old")])
def test_down_of_one_interface_while_it_waits(twins, then, judge):
    twins.apply(twins.old)
    twins.apply(twins.new, "--confirm", "1h")
    twins.box.sluice("down", "eth0")
    assert twins.judges() == ["both", "new"]
    twins.box.sluice(then)
    assert twins.judges() == ["both", judge] and twins.gates() == []


def test_apply_is_refused_while_one_waits(twins):
    twins.apply(twins.old)
    twins.apply(twins.new, "--confirm", "1h")
    before = twins.lab.pinned(), twins.programs()
    for options in ([], ["--confirm", "5m"]):
        result = twins.apply(twins.old, *options, check=False)
        assert (result.returncode, result.stdout, result.stderr) == (
            1, "", "sluice: generation 2 waits to be confirmed\n"
                   "first `sluice confirm` keeps it, or `sluice rollback` takes it back\n")
    assert (twins.lab.pinned(), twins.programs(), twins.judges()) == (*before, ALL_NEW)


def test_sets_are_not_read_anew_while_one_waits(twins):
    twins.lab.file("list.txt", "10.0.0.1\n")
    text = 'set list file "list.txt"\n' + new_policy().replace("from", "from @list, ")
    twins.apply(twins.old)
    twins.box.sluice("apply", "--confirm", "1h", twins.lab.file("second", text))
    twins.lab.file("list.txt", "10.0.0.1\n10.0.0.2\n")
    result = twins.box.sluice("set", "reload", "list", check=False)
    assert (result.returncode, result.stderr) == (
        1, "sluice: generation 2 waits to be confirmed\n"
           "first `sluice confirm` keeps it, or `sluice rollback` takes it back\n")
    twins.box.sluice("confirm")
    twins.box.sluice("set", "reload", "list")
    assert twins.judges() == ALL_NEW and twins.generations() == ["1", "2"] and twins.gates() == []
    assert twins.box.show()["current"]["sets"] == {"list": 2}
    twins.box.sluice("rollback")  # past both, to the one before
    assert twins.judges() == ALL_OLD


def test_nothing_to_change_is_nothing_to_confirm(twins):
    twins.apply(twins.old)
    before = twins.lab.pinned(), twins.programs()
    result = twins.apply(twins.old, "--confirm", "1h")
    assert result.stdout == "nothing to change: generation 1 runs\nnothing to confirm\n"
    assert (twins.lab.pinned(), twins.programs()) == before


@pytest.mark.parametrize("text", ["0", "0s", "86401", "25h", "2d", "-5", "1.5h", "60 s", "5x", "", "soon",
                                  "99999999999999999999"])
def test_time_out_of_bounds_or_no_time_at_all_is_refused(twins, text):
    result = twins.apply(twins.old, "--confirm", text, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (
        2, "", f'sluice: --confirm takes 1s to 24h (as 90, 90s, 5m, 1h), not "{text}"\n')
    assert twins.lab.pinned() == []


@pytest.mark.parametrize("text, seconds", [("60s", 60), ("5m", 300), ("1h", 3600), ("90", 90), ("24h", 86400)])
def test_times(twins, text, seconds):
    said = twins.apply(twins.old, "--confirm", text).stdout.splitlines()[-1]
    assert said == f"waits {text if text != '90' else '90s'} for `sluice confirm`, then nothing runs again".replace(
        "24h", "1d").replace("60s", "1m")
    assert seconds - 2 <= twins.box.show()["change"]["seconds_left"] <= seconds


def test_offload_cannot_wait(twins):
    path = twins.lab.file("offload", policy(mode="offload"))
    result = twins.apply(path, "--confirm", "60s", check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("sluice: --confirm cannot be had with mode offload, which eth0 is in\n")
    assert twins.lab.pinned() == []


def test_show_tells_the_time_left(twins):
    twins.apply(twins.old)
    assert "change" not in twins.box.show()
    twins.apply(twins.new, "--confirm", "3s")
    shown = twins.box.show()
    assert shown["change"] == {"waits": True, "generation": 2, "seconds_left": 3, "then": 1}
    assert (shown["current"]["number"], shown["previous"]["number"]) == (2, 1)
    assert re.search(r"^generation 2 waits for `sluice confirm`: [23] s left, then generation 1 comes back$",
                     twins.box.sluice("show").stdout, re.M)
    assert wait_until(lambda: twins.box.show()["change"]["seconds_left"] == 1, 3)
    over(twins)
    shown = twins.box.show()
    assert shown["change"] == {"waits": False, "generation": 2, "seconds_left": 0, "then": 1}
    assert shown["current"]["number"] == 1 and [i["generation"] for i in shown["interfaces"]] == [1, 1]
    assert "generation 2 was not confirmed in time; the next change clears it away\n" in (
        twins.box.sluice("show").stdout)


def explained(twins, interface):
    text = twins.box.sluice("explain", interface, "-j", "udp 192.0.2.2:1 > 198.51.100.1:9").stdout
    return json.loads(text)["verdict"]


def test_readers_know_who_judges(twins):
    twins.apply(twins.old)
    twins.apply(twins.new, "--confirm", "1s")
    assert explained(twins, "eth0") == "pass"
    assert {os.path.basename(rule) for rule in twins.box.stats()["rules"]} == {"new.policy:3", "new.policy:7"}
    over(twins)
    assert explained(twins, "eth0") == "drop"
    assert {os.path.basename(rule) for rule in twins.box.stats()["rules"]} == {"old.policy:3", "old.policy:7"}


def test_counters_go_on_through_all_of_it(twins):
    twins.apply(twins.old)
    judged = 0
    for step in (["apply", "--confirm", "1h", twins.new], ["rollback"], ["apply", "--confirm", "1h", twins.new],
                 ["confirm"], ["rollback"]):
        twins.judges()
        judged += 2
        twins.box.sluice(*step)
    verdicts = twins.box.stats()["verdicts"]
    assert (verdicts["drop"]["packets"], verdicts["pass"]["packets"]) == (judged, 2 * judged)


@pytest.mark.parametrize("then", ["confirm", "rollback", "over"])
def test_dynamic_sets_go_on_through_all_of_it(twins, then):
    """What both policies name keeps what is in it; what only the new one names goes with it."""
    old = "set kept dynamic size 100\n" + old_policy().replace("from", "from @kept, ")
    new = ("set kept dynamic size 100\nset added dynamic size 100\n" +
           new_policy().replace("from", "from @kept, @added, "))
    twins.box.apply(old, name="first")
    twins.box.sluice("set", "add", "kept", "10.0.0.1")
    before = twins.lab.pinned()
    twins.box.sluice("apply", "--confirm", "1s" if then == "over" else "1h", twins.lab.file("second", new))
    twins.box.sluice("set", "add", "kept", "10.0.0.2")
    twins.box.sluice("set", "add", "added", "10.0.0.3")
    assert twins.judges() == ALL_NEW
    if then == "over":
        over(twins)
        assert twins.box.sluice("confirm", check=False).returncode == 1
    else:
        twins.box.sluice(then)
    assert twins.judges() == (ALL_NEW if then == "confirm" else ALL_OLD)
    kept = twins.box.sluice("set", "list", "kept").stdout
    assert "10.0.0.1" in kept and "10.0.0.2" in kept
    if then == "confirm":
        assert "10.0.0.3" in twins.box.sluice("set", "list", "added").stdout
    else:
        assert twins.lab.pinned() == before


@pytest.mark.parametrize("then", ["confirm", "rollback", "over"])
def test_interface_that_the_new_policy_does_not_name_and_one_it_adds(twins, then):
    """Until it is confirmed, the one that is let go lets everything pass and the new one is judged already."""
    twins.box.sluice("apply", twins.lab.file("first", old_policy("eth0")))
    first = twins.box.program("eth0")
    twins.box.sluice("apply", "--confirm", "1s", twins.lab.file("second", new_policy("eth1")))
    assert twins.judges() == ["both", "new"]
    shown = {i["interface"]: i for i in twins.box.show()["interfaces"]}
    assert (shown["eth0"]["generation"], shown["eth1"]["generation"]) == (0, 2)
    assert "program" not in shown["eth0"]
    assert "eth0  lets everything pass: the generation that runs does not name it\n" in (
        twins.box.sluice("show").stdout)
    assert "nothing of Sluice runs on eth0" in (
        twins.box.sluice("explain", "eth0", "udp 192.0.2.2:1 > 198.51.100.1:9", check=False).stderr)
    if then == "over":
        over(twins)
        assert twins.judges() == ["old", "both"]
        twins.box.sluice("apply", twins.lab.file("first", old_policy("eth0")))
    else:
        twins.box.sluice(then)
    if then == "confirm":
        assert twins.judges() == ["both", "new"] and twins.box.program("eth0") is None
    else:
        assert twins.judges() == ["old", "both"] and twins.programs() == [first, None]
        assert not [pin for pin in twins.lab.pinned() if "eth1" in pin]
    assert twins.gates() == []


@pytest.mark.parametrize("then, judge", [("confirm", "new"), ("rollback", "old"), ("over", "old")])
def test_interface_that_vanishes_while_it_waits_is_no_hindrance(twins, then, judge):
    twins.apply(twins.old)
    twins.apply(twins.new, "--confirm", "1s" if then == "over" else "1h")
    twins.box.ip("link", "del", "eth1")
    assert twins.judged("eth0") == "new"
    if then == "over":
        over(twins)
        assert twins.box.sluice("confirm", check=False).returncode == 1
    else:
        twins.box.sluice(then)
    assert twins.judged("eth0") == judge and twins.gates() == []
    shown = twins.box.show()
    assert [i["interface"] for i in shown["interfaces"]] == ["eth0"] and "change" not in shown
    assert twins.box.program("eth0") == shown["interfaces"][0]["program"]["id"]


@pytest.mark.parametrize("then", ["confirm", "rollback", "down"])
def test_only_interface_vanishes_while_it_waits(twins, then):
    twins.box.sluice("apply", "--confirm", "1h", twins.lab.file("one", new_policy("eth1")))
    twins.box.ip("link", "del", "eth1")
    twins.box.sluice(then)
    assert twins.gates() == [] and "new" not in twins.generations()
    if then != "confirm":
        assert twins.lab.pinned() == []
    twins.box.sluice("apply", twins.lab.file("other", old_policy("eth0")))
    assert twins.judged("eth0") == "old"


def test_interface_renamed_while_it_waits(twins):
    twins.apply(twins.old)
    twins.apply(twins.new, "--confirm", "1h")
    for command in (["down"], ["name", "lan0"], ["up"]):
        twins.box.ip("link", "set", "lan0" if command == ["up"] else "eth1", *command)
    twins.box.sluice("confirm")
    assert twins.box.program("lan0") and twins.judged("eth0") == "new" and twins.gates() == []


def test_without_the_deadline_it_says_so_with_a_way_out(twins):
    twins.apply(twins.old)
    twins.apply(twins.new, "--confirm", "1h")
    folder = next(os.path.join(twins.lab.pins, pin) for pin in twins.lab.pinned() if pin.endswith("/gate"))
    os.unlink(f"{folder}/deadline")
    for verb in (["show"], ["confirm"], ["rollback"], ["apply", twins.old]):
        result = twins.box.sluice(*verb, check=False)
        assert (result.returncode, result.stdout) == (1, ""), verb
        assert result.stderr == (
            f"sluice: cannot open {folder}/deadline: No such file or directory\n"
            f"somebody removed it; remove all of it and apply again (until then all packets pass): rm -r {folder}\n"), verb
    assert twins.judges() == ALL_NEW  # the gates hold on to it
    sh("rm", "-r", folder)
    twins.apply(twins.old)
    assert twins.judges() == ALL_OLD and twins.box.show()["interfaces"][0]["generation"]


@pytest.mark.parametrize("pin", ["deadline", "interfaces/eth0/generations", "interfaces/eth0/program"])
def test_something_else_in_place_of_a_gate_is_refused_with_a_way_out(twins, pin):
    twins.apply(twins.old)
    twins.apply(twins.new, "--confirm", "1h")
    path = next(os.path.join(twins.lab.pins, p) for p in twins.lab.pinned() if p.endswith(f"/gate/{pin}"))
    os.unlink(path)
    sh("bpftool", "map", "create", path, "type", "hash", "key", 4, "value", 8, "entries", 1, "name", "odd")
    for verb in (["show"], ["confirm"], ["rollback"], ["apply", twins.old], ["down"]):
        result = twins.box.sluice(*verb, check=False)
        assert (result.returncode, result.stdout) == (1, ""), verb
        assert path in result.stderr and f"remove it and apply again: rm {path}\n" in result.stderr, verb
    os.unlink(path)
    if pin == "deadline":
        sh("rm", "-r", os.path.dirname(path))
    else:
        twins.box.sluice("rollback")
    twins.apply(twins.new)
    assert twins.judges() == ALL_NEW and twins.gates() == []
    assert [i["generation"] > 0 for i in twins.box.show()["interfaces"]] == [True, True]


def test_what_ran_without_a_description_comes_back_too(twins):
    """Somebody removed the folder of the generation that runs, as a message advises where it is damaged."""
    twins.apply(twins.old)
    before = twins.programs()
    folder, = glob.glob(f"{twins.lab.pins}/*/generations/1")
    shutil.rmtree(folder)
    twins.apply(twins.new, "--confirm", "1h")
    assert twins.judges() == ALL_NEW
    twins.box.sluice("rollback")
    assert twins.programs() == before and twins.judges() == ALL_OLD


def test_a_program_that_cannot_be_opened_is_not_replaced_by_nothing(twins):
    """What a change lets go has to be behind its gate while it waits, or nothing would judge there."""
    twins.apply(twins.old)
    before = twins.programs()
    one = twins.lab.file("one.policy", new_policy("eth0"))
    log = os.path.join(twins.lab.folder.name, "strace.log")

    def traced(*options):
        return sh("strace", "-o", log, "-e", "trace=bpf", *options, SLUICE, "-n", twins.box.netns, "apply", one,
                  "--confirm", "1h", env=twins.lab.environment, check=False)

    assert traced().returncode == 0
    with open(log) as file:
        calls = [line for line in file if line.startswith("bpf(")]
    twins.box.sluice("rollback")
    opened = [n for n, line in enumerate(calls, 1) if "BPF_PROG_GET_FD_BY_ID" in line]
    assert len(opened) >= 2
    for n in opened:
        result = traced("-e", f"inject=bpf:error=ENOMEM:when={n}")
        assert result.returncode == 1 and "cannot open the program of" in result.stderr, n
        assert twins.programs() == before and twins.judges() == ALL_OLD
