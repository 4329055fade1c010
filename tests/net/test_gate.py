# SPDX-License-Identifier: BSD-2-Clause
"""Several interfaces change at the same instant, whatever happens to the command that changes them, and no packet is lost on
the way."""
import os
import re
import signal
import threading

import pytest
from scapy.all import IP, UDP, Ether

from lab import SLUICE, WHOLE, sh, wait_until
from scene import Flood, received
from twins import INTERFACES, Twins, new_policy, old_policy


class Observer(threading.Thread):
    """Asks again and again, one interface after the other, which policy judges."""

    def __init__(self, twins):
        super().__init__()
        self.twins, self.answers, self.goes_on = twins, [], True
        self.start()

    def run(self):
        while self.goes_on:
            for name in INTERFACES:
                self.answers.append((name, self.twins.judged(name)))

    def look(self):
        """Returns when both interfaces have been asked once more."""
        asked = len(self.answers)
        assert wait_until(lambda: len(self.answers) > asked + len(INTERFACES), step=0.001)

    def stop(self):
        self.goes_on = False
        self.join()
        return self.answers


def changes(answers):
    """How often the judge changed, over both interfaces in the order in which they were asked."""
    judges = [judge for _, judge in answers if judge in ("old", "new")]
    return sum(before != after for before, after in zip(judges, judges[1:]))


def between(answers):
    """How often the judge changed just between the two packets of one question."""
    return sum(judge in ("both", "none") for _, judge in answers)


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_two_interfaces_change_at_the_same_instant(lab, mode):
    """Were one later than the other, an observer who goes to and fro between them would see old, new, old, new."""
    twins = Twins(lab, mode)
    twins.apply(twins.old)
    twins.apply(twins.new)
    observer = Observer(twins)
    swaps = 0
    for _ in range(12):
        for command in (["rollback"], ["apply", "--confirm", "1h", twins.new], ["rollback"], ["apply", twins.new]):
            twins.box.sluice(*command)
            observer.look()
            swaps += 1
    answers = observer.stop()
    assert len(answers) > 20 * swaps
    assert changes(answers) == swaps and between(answers) <= swaps


def test_the_time_is_over_at_the_same_instant_on_both_interfaces(lab):
    twins = Twins(lab)
    twins.apply(twins.old)
    for _ in range(4):
        twins.apply(twins.new, "--confirm", "1s")
        observer = Observer(twins)
        observer.join(1.2)
        answers = observer.stop()
        assert changes(answers) == 1 and answers[-1][1] == "old" and between(answers) <= 1
        assert twins.box.sluice("confirm", check=False).returncode == 1


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_no_packet_is_lost_while_gates_come_and_go(lab, mode):
    """Of three kinds of packets one is let through by both policies, one by none, one by the new one only."""
    twins = Twins(lab, mode)
    always, never = "10.0.0.1", "10.9.0.1"
    texts = [text.replace("block {", f"block {{ from {never};") for text in (old_policy(mode=mode), new_policy(mode=mode))]
    old, new = (lab.file(name, text) for name, text in zip(("old", "new"), texts))
    twins.box.address("eth0", "198.51.100.1/24")
    twins.apply(old)
    twins.apply(new)
    base = twins.box.stats()["verdicts"]
    before = received(twins.box)
    ethernet = Ether(src=twins.client.mac("eth0"), dst=twins.box.mac("eth0"))
    flood = Flood(twins.client, "eth0", [ethernet / IP(src=source, dst="198.51.100.1") / UDP(sport=1, dport=9) / b"x"
                                         for source in (always, never, "192.0.2.2")])
    for _ in range(15 if WHOLE else 4):
        twins.box.sluice("rollback")
        twins.apply(new, "--confirm", "1h")
        twins.box.sluice("confirm")
        twins.apply(old)
        twins.apply(new, "--confirm", "1h")
        twins.box.sluice("rollback")
        twins.apply(new)
    sent = flood.stop()
    verdicts = {name: entry["packets"] - base[name]["packets"] for name, entry in twins.box.stats()["verdicts"].items()}
    assert sent > 1000
    assert verdicts["pass"] + verdicts["drop"] == 3 * sent  # each judged once: no gate had nothing behind it
    assert sent < verdicts["pass"] < 2 * sent  # all of `always`, none of `never`, the third at times
    assert verdicts["aborted"] == verdicts["tx"] == verdicts["redirect"] == 0
    assert received(twins.box) - before == verdicts["pass"]


CALLS = "bpf,mkdir,rename,unlink,rmdir,write"
CHANGES = "MAP_CREATE|MAP_UPDATE|PROG_LOAD|OBJ_PIN|LINK|^(mkdir|rename|unlink|rmdir).*= 0$|^write.1"


class Killed:
    """A command that is killed at one system call after the other."""

    def __init__(self, lab, before, command):
        self.twins = Twins(lab)
        self.before, self.command = before, command

    def begin(self):
        self.twins.box.sluice("down", check=False)
        for command in self.before:
            self.twins.box.sluice(*self.words(command))

    def words(self, command):
        return [{"old": self.twins.old, "new": self.twins.new}.get(word, word) for word in command]

    def traced(self, *inject):
        log = os.path.join(self.twins.lab.folder.name, "strace.log")
        result = sh("strace", "-o", log, "-e", f"trace={CALLS}", *inject, SLUICE, "-n", self.twins.box.netns,
                    *self.words(self.command), env=self.twins.lab.environment, check=False)
        with open(log) as file:
            return result, file.read().splitlines()

    def calls(self):
        """(system call, its how many-th, line) of those that change something: all that change what is on an interface
        and what follows them, and some of the others, or all of them."""
        self.begin()
        result, lines = self.traced()
        assert result.returncode == 0, result.stderr
        counts, found = {}, []
        for line in lines:
            name = re.match(r"\w+", line)
            if not name or name[0] not in CALLS.split(","):
                continue
            counts[name[0]] = counts.get(name[0], 0) + 1
            if re.search(CHANGES, line) and "SOCKET_FILTER" not in line:
                found.append((name[0], counts[name[0]], line))
        close = {i + after for i, call in enumerate(found) for after in (0, 1) if re.search("LINK|rename|write", call[2])}
        return [call for i, call in enumerate(found) if WHOLE or i in close or i % 8 == 0]

    def kill(self, call, nth):
        result, _ = self.traced("-e", f"inject={call}:signal=KILL:when={nth}")
        assert result.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), (call, nth)


FINISHED = "sluice: a change that was cut off was finished: generation {} runs\n"
TAKEN_BACK = "sluice: a change that was cut off was taken back: generation {} runs\n"

# What comes before the command that is killed; the command; who judges before and after the first system call of it that
# changes something (a store into memory is none, and ends the waiting).
CASES = {
    "apply": ([["apply", "new"], ["apply", "old"]], ["apply", "new"], "old", "new"),
    "apply --confirm": ([["apply", "old"]], ["apply", "--confirm", "1h", "new"], "old", "new"),
    "confirm": ([["apply", "old"], ["apply", "--confirm", "1h", "new"]], ["confirm"], "new", "new"),
    "rollback": ([["apply", "new"], ["apply", "old"]], ["rollback"], "old", "new"),
    "rollback of what waits": ([["apply", "old"], ["apply", "--confirm", "1h", "new"]], ["rollback"], "old", "old"),
    "first apply": ([], ["apply", "new"], "both", "new"),
}


def what_was_cut_off(number):
    change = "a change that was cut off was (finished|taken back)"
    if number:
        return f"({change}|an earlier change was cut off; cleaned up what it left): generation {number} runs"
    return f"{change}: nothing runs|an earlier change was cut off, and no generation runs; apply takes up what is still " \
        "pinned, down removes it"


@pytest.mark.parametrize("case", CASES)
def test_killed_at_any_step_one_generation_judges_all_interfaces_and_goes_on_to(lab, case):
    before, command, old, new = CASES[case]
    killed = Killed(lab, before, command)
    twins = killed.twins
    outcomes = set()
    for call, nth, line in killed.calls():
        where = f"{case} killed at {call} number {nth}: {line}"
        killed.begin()
        killed.kill(call, nth)
        judges = twins.judges()
        assert judges in ([old, old], [new, new]), where
        shown = twins.box.show()
        numbers = {interface["generation"] for interface in shown["interfaces"]}
        assert len(numbers) <= 1, where
        waits = shown.get("change", {}).get("waits", False)
        outcomes.add((judges[0], waits))
        # What comes next settles it, and says so; who judges stays who judged.
        result = twins.box.sluice("confirm", check=False)
        assert (result.returncode == 0) == waits, where + result.stderr
        assert twins.judges() == judges, where
        assert twins.gates() == [] and "new" not in twins.generations(), where
        assert twins.box.sluice("confirm", check=False).stderr.startswith("sluice: nothing waits"), where
        number = shown["current"]["number"] if "current" in shown else 0
        if not waits and "cut off" in result.stderr:
            said = result.stderr.splitlines(keepends=True)[0]
            assert re.fullmatch(f"sluice: ({what_was_cut_off(number)})\n", said), where
        elif not waits:
            assert "change" not in shown, where  # nothing was there to be told
    assert {judge for judge, _ in outcomes} == {old, new}, outcomes


def test_what_was_cut_off_is_told_by_the_next_command(lab):
    killed = Killed(lab, *CASES["rollback"][:2])
    twins = killed.twins
    links = [(call, nth) for call, nth, line in killed.calls() if "LINK_UPDATE" in line]
    assert len(links) == 4  # a gate for each program, a program for each gate
    for (call, nth), said, judge in zip(links, [TAKEN_BACK] * 2 + [FINISHED] * 2, ["old"] * 2 + ["new"] * 2):
        killed.begin()
        killed.kill(call, nth)
        assert "a change was cut off; the next one settles it\n" in twins.box.sluice("show").stdout
        result = twins.apply(getattr(twins, judge))
        number = {"old": 2, "new": 1}[judge]
        assert result.stderr == said.format(number)
        assert result.stdout == f"nothing to change: generation {number} runs\n"
        assert twins.judges() == [judge, judge] and twins.gates() == []


def test_change_that_fails_half_way_is_taken_back_at_once(lab):
    """A bridge has no native XDP: it fails when eth0 and eth1 have their gates already."""
    twins = Twins(lab)
    twins.apply(twins.old)
    before = lab.pinned(), twins.programs()
    twins.box.ip("link", "add", "zbridge", "type", "bridge")
    result = twins.box.sluice("apply", lab.file("three", new_policy("eth0", "eth1", "zbridge")), check=False)
    assert result.returncode == 1 and "zbridge" in result.stderr
    assert (lab.pinned(), twins.programs(), twins.judges()) == (*before, ["old", "old"])


def test_one_interface_needs_no_gate(lab):
    """One system call is atomic by itself: nothing of a gate is ever made."""
    killed = Killed(lab, [], ["apply", "new"])
    twins = killed.twins
    twins.new = lab.file("one", new_policy("eth0"))
    twins.box.sluice("apply", lab.file("other", old_policy("eth0")))
    _, lines = killed.traced()
    assert not [line for line in lines if re.search("gate.*= [0-9]+$", line)]
    assert len([line for line in lines if "LINK_UPDATE" in line]) == 1
    assert twins.judged("eth0") == "new"
