# SPDX-License-Identifier: BSD-2-Clause
"""Kills and failures of every system call of a change, and what is to be true after each."""
import collections
import errno
import os
import re
import time

import kernel
from ground import INTERFACES, MIXTURE, SENT, WITH_SET, eventually
from scenarios import CONFIRM, DOWN, ROLLBACK, SECOND, Apply, Shadow, verb
from tracing import Moved

ERRORS = ("ENOMEM", "EPERM", "E2BIG", "ENOSPC")
ERRORS_OF = {  # beyond those
    "bpf": ("EBUSY", "EAGAIN"), "flock": ("EINTR",), "openat": ("EINTR",), "rmdir": ("EBUSY",),
    "rename": ("EBUSY",), "sendto": ("EAGAIN", "EINTR"), "recvmsg": ("EAGAIN", "EINTR", "EBUSY"), "getdents64": ("EINTR",),
}

figures = collections.Counter()  # of the whole run: how many of what, and how they ended
broken = []  # a paragraph each
swaps = []  # a line each, of test_atomicity.py


FOUND = "cut off|not confirmed in time"  # in what the next command says

VISIBLE = "OBJ_PIN|LINK_|MAP_UPDATE|mkdir|rename|unlink|rmdir|mmap|write"

Snapshot = collections.namedtuple("Snapshot", "attached pinned counts")


class Broken(Exception):
    pass


def expect(condition, complaint):
    if not condition:
        raise Broken(complaint)


def spread(calls, most):
    """At most that many of them, evenly."""
    if not most or len(calls) <= most:
        return calls
    return [calls[(2 * i + 1) * len(calls) // (2 * most)] for i in range(most)]


class Harness:
    def __init__(self, ground, tracer):
        self.ground, self.tracer = ground, tracer
        self.turn = 0  # picks the next command and the next error
        self.listed = {}  # calls by scenario
        self.objects = kernel.all_objects()

    def words(self, command):
        if isinstance(command, Shadow):
            return "shadow", self.ground.path(command.number, filtered=command.filtered)
        if isinstance(command, Apply):
            # Without --force it looks for the session it is run through, among the descriptors of this very process.
            path = self.ground.path(command.number, command.interfaces, command.size, command.filtered)
            return ["apply", "--force", *command.options, path]
        return list(command)

    def run(self, command):
        return self.ground.sluice(*self.words(command), check=False)

    def begin(self, scenario):
        """From anywhere: what a test before may have left waiting or in the set goes."""
        if "change" in self.ground.show():
            self.run(ROLLBACK)
        if scenario.begin[0] != DOWN and WITH_SET <= self.ground.judged_by("eth0"):
            self.run(("set", "flush", "banned"))
        for command in scenario.begin:
            if isinstance(command, float):
                time.sleep(command)
                continue
            result = self.run(command)
            assert command == DOWN or result.returncode == 0, f"{scenario.name} cannot begin: {command}: {result.stderr}"

    def counts(self):
        return {interface: self.ground.counted(interface) for interface in INTERFACES}

    def check_counts(self, before, judges, where):
        """The packets that told the judges were counted once each, on what runs and ran before."""
        after = self.counts()
        for interface in INTERFACES:
            if judges[interface] and before[interface] is not None:
                expect(after[interface] is not None, f"{interface} runs, but stats says it does not {where}")
                counted = sum(after[interface].values()) - sum(before[interface].values())
                expect(counted == SENT, f"{interface}: {SENT} packets sent, {counted} counted {where}")

    def check_judges(self, scenario, judges):
        """All interfaces by one generation; but a `down` of several goes from one to the next."""
        numbers = tuple(judges.values())
        if scenario.change == DOWN:
            expect(all(judges[i] in scenario.expected(i) for i in INTERFACES), f"judged by {judges}")
        else:
            expect(numbers in (scenario.before, scenario.after), f"judged by {judges}")

    def next_command(self, scenario):
        """Another one each time: the same again, a new policy, the policy that ran, back, off; what waits can only be
        kept or taken back."""
        commands = [scenario.change, Apply(4), ROLLBACK, DOWN, scenario.change, SECOND]
        if self.ground.show().get("change", {}).get("waits"):
            commands = [CONFIRM, ROLLBACK]
        self.turn += 1
        return commands[self.turn % len(commands)]

    def found(self):
        """Whether there is something to settle or to clean up; `show` says so too, and only then."""
        odd = [line for line in self.ground.settled() if not line.startswith(("not pinned", "eth"))]
        shown = self.ground.show()
        if shown.get("change", {}).get("waits"):
            return False
        expect(bool(odd) == ("change" in shown or shown["remains"]),
               f"show says: {shown.get('change')}, remains: {shown['remains']}; but there is: {odd}")
        return bool(odd)

    def follow(self, scenario, judges, found):
        """The next command after a cut: it works, says so when something was `found`, and leaves nothing that should not
        be."""
        command = self.next_command(scenario)
        result = self.run(command)
        said = f"then {command}: exit {result.returncode}: {result.stderr}"
        excused = any(words in result.stderr for words in self.excuses(scenario, command, judges))
        expect(result.returncode == 0 or excused, said)
        expect(bool(re.search(FOUND, result.stderr)) == found or verb(command) == "set", f"{said}found: {found}")
        if verb(command) == "set":  # leaves it to the next change
            result = self.run(SECOND)
            expect(result.returncode == 0, f"{said}then {result.stderr}")
        if isinstance(command, Apply) and command.options and result.returncode == 0:
            expect(self.run(CONFIRM).returncode == 0, said)
        if not any(judges.values()) and result.returncode:  # nothing ran, nothing does: left to apply and down
            self.run(DOWN)
        complaints = eventually(self.ground.settled)
        expect(not complaints, said + "\n" + "\n".join(complaints))
        after = self.ground.judges()
        expect(MIXTURE not in after.values(), said)
        if isinstance(command, Apply) and result.returncode == 0:
            kept = WITH_SET * (max(judges.values()) > WITH_SET)  # a dynamic set outlives every change
            expect(all(after[interface] == (command.number + kept) * (interface in command.interfaces)
                       for interface in INTERFACES), f"{said}judged by {after}, was {judges}")
            again = self.ground.sluice(*self.words(command)).stdout
            expect(again.startswith("nothing to change"), f"{said}and once more: {again}")

    @staticmethod
    def excuses(scenario, command, judges):
        """What the command may say that cannot be had any more, or not yet."""
        if command == ROLLBACK:
            return ["there is no previous generation"]
        if command == CONFIRM:
            return ["nothing waits to be confirmed"]
        if command == DOWN and not any(judges.values()):
            return ["nothing of Sluice runs here"]
        if command == ("down", "eth1") and not judges["eth1"]:
            return ["nothing of Sluice runs on eth1"]
        if verb(command) == "set" and max(judges.values()) < WITH_SET:
            return [" is not in "]
        return ["bridge0"] if scenario.refused and command == scenario.change else []

    def kill(self, scenario, call):
        self.begin(scenario)
        counts = self.counts()
        self.tracer.killed(self.words(scenario.change), call)
        judges = self.ground.judges()
        self.check_judges(scenario, judges)
        if any(judges.values()):
            self.ground.sluice("show")
            self.check_counts(counts, judges, "after the kill")
        self.follow(scenario, judges, self.found())
        figures["kills"] += 1
        numbers = tuple(judges.values())
        figures["kills, then old" if numbers == scenario.before else "kills, then new" if numbers == scenario.after
                else "kills of down, then half"] += 1

    def snapshot(self):
        return Snapshot(self.ground.attached(), self.ground.pinned(), self.counts())

    def fail(self, scenario, call, error, before):
        """`before` is how things are, where the change can begin; None: it is to be prepared. Returns how things are
        afterwards when all is as it was before; else None."""
        if not before:
            self.begin(scenario)
            before = self.snapshot()
        result = self.tracer.failing(self.words(scenario.change), call, error)
        figures["failures"] += 1
        said = f"exit {result.returncode}: {result.stdout}{result.stderr}"
        judges = self.ground.judges()
        if result.returncode == 0:
            expect(not scenario.refused, said)
            expect(all(judges[i] == scenario.expected(i)[1] for i in INTERFACES), f"{said}judged by {judges}")
            self.follow(scenario, judges, self.found())
            figures["failures that did not matter"] += 1
            return None
        expect(result.returncode == 1 and result.stdout == "", said)
        errors = [line for line in result.stderr.splitlines() if line.startswith("sluice: ") and
                  not re.search(FOUND, line)]
        expect(len(errors) == 1, said)
        words = [os.strerror(getattr(errno, error))]
        if call.name == "getdents64":  # a folder that seems empty and is not
            words.append(os.strerror(errno.ENOTEMPTY))
        if call.name == "bpf":  # libbpf tried what this kernel can do and drew its conclusion
            words += ["sluice: the kernel refused the program: ", "sluice: not enough memory for set "]
        if "LOOKUP" in call.what:  # by the kernel's own book a look-up fails for one reason only
            words.append(" is not in set ")
        expect(scenario.refused or any(word in result.stderr for word in words), f"without the kernel's words: {said}")
        figures["failures refused"] += 1
        self.check_judges(scenario, judges)
        self.check_counts(before.counts, judges, f"after {said}")
        # A `down` of several interfaces cannot be taken back, only finished; a change that was refused already and then
        # cannot clean up leaves that to the next one.
        if verb(scenario.change) == "down" or scenario.refused or scenario.settles:
            expect(not scenario.refused or self.ground.attached() == before.attached, f"{said}other programs")
            self.follow(scenario, judges, self.found())
            return None
        after = self.snapshot()
        expect(all(judges[i] == scenario.expected(i)[0] for i in INTERFACES), f"{said}judged by {judges}")
        expect(before.attached == after.attached, f"{said}before: {before.attached}\nafter: {after.attached}")
        expect(before.pinned == after.pinned, f"{said}before: {before.pinned}\nafter: {after.pinned}")
        return after

    def guarded(self, where, step, *arguments):
        """What the step returns, None when it breaks."""
        try:
            return step(*arguments)
        except (Broken, Moved, AssertionError, OSError, RuntimeError) as trouble:
            broken.append(f"{where}:\n    " + str(trouble).strip().replace("\n", "\n    "))
            self.run(DOWN)
            return None

    def calls(self, scenario):
        """Of an undisturbed run."""
        if scenario.name not in self.listed:
            self.begin(scenario)
            result, calls = self.tracer.calls(self.words(scenario.change))
            assert result.returncode == bool(scenario.refused), result.stderr
            self.listed[scenario.name] = calls
        return self.listed[scenario.name]

    def kill_all(self, scenario, most):
        """Before every call that changes something; with `most`, before that many of those that others can see."""
        calls = [call for call in self.calls(scenario) if self.tracer.changes(call)]
        if most:
            calls = [call for call in calls if re.search(VISIBLE, call.what)] or calls
        for call in spread(calls, most):
            self.guarded(f"{scenario.name}, killed before {call.text}", self.kill, scenario, call)

    def fail_all(self, scenario, most):
        """Every call with every error, and with one where it changes nothing; with `most`, that many calls with one
        error each."""
        calls = [call for call in self.calls(scenario) if self.tracer.can_fail(call)]
        before = None
        for call in spread(calls, most):
            errors = ERRORS + ERRORS_OF.get(call.name, ())
            if most or not self.tracer.changes(call):
                errors = [errors[self.turn % len(errors)]]
            self.turn += 1
            for error in errors:
                before = self.guarded(f"{scenario.name}, {error} from {call.text}", self.fail, scenario, call, error,
                                      before)
    def left_over(self):
        """What is in the kernel of all that was done, after a last `down`."""
        self.run(DOWN)
        return kernel.left_over(self.objects, self.ground.lab.pins)


def summary():
    """What was done and how it ended, in a few lines."""
    def number(name):
        return f"{figures[name]:,}"
    lines = [f"{number('kills')} kills, {number('failures')} failures injected, {len(broken)} broken"]
    lines.append(f"  after a kill: {number('kills, then old')} times the old generation judged, "
                 f"{number('kills, then new')} times the new, {number('kills of down, then half')} times a down of all "
                 f"had let go of one interface")
    lines.append(f"  failures: {number('failures refused')} refused with all as before, "
                 f"{number('failures that did not matter')} that did not matter")
    return lines
