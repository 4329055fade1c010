# SPDX-License-Identifier: BSD-2-Clause
"""A signal at any moment of a change, or nobody there to hear what it says: the change has happened whole or not at all,
and the exit status tells which."""
import os
import signal
import subprocess

import harness
import pytest
from ground import eventually
from lab import SLUICE
from scenarios import DOWN, FIRST, ROLLBACK, SECOND, THIRD, TRY, Scenario

CHANGES = [Scenario("apply", [FIRST, SECOND], THIRD, (2, 2), (3, 3)),
           Scenario("apply to be confirmed", [DOWN, FIRST, SECOND], TRY, (2, 2), (3, 3)),
           Scenario("rollback", [FIRST, SECOND], ROLLBACK, (2, 2), (1, 1)),
           Scenario("down", [FIRST, SECOND], DOWN, (2, 2), (0, 0))]


@pytest.mark.parametrize("scenario", CHANGES, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "PIPE"])
def test_signal_at_any_moment_leaves_one_generation(disturber, whole, scenario, name):
    """It ends the process, as the user wants; what it leaves, the next command settles."""
    calls = [call for call in disturber.calls(scenario)
             if disturber.tracer.changes(call) and call.name != "exit_group"]
    for call in harness.spread(calls, None if whole else 2):
        disturber.begin(scenario)
        counts = disturber.counts()
        disturber.tracer.signalled(disturber.words(scenario.change), call, name)
        judges = disturber.ground.judges()
        disturber.check_judges(scenario, judges)
        if any(judges.values()):
            disturber.check_counts(counts, judges, f"after SIG{name} at {call.text}")
        disturber.follow(scenario, judges, disturber.found())


def unheard(disturber, command, **options):
    return subprocess.run([SLUICE, "-n", disturber.ground.box.netns, *disturber.words(command)],
                          env=disturber.ground.lab.environment, stderr=subprocess.PIPE, text=True, timeout=20, **options)


@pytest.mark.parametrize("scenario", CHANGES, ids=lambda scenario: scenario.name)
def test_change_whose_words_are_lost_has_happened_and_says_so(disturber, scenario):
    """A full disk under standard output, and standard output closed: what is not said is a failure, but of the saying."""
    for how in ("full", "closed"):
        disturber.begin(scenario)
        if how == "full":
            with open("/dev/full", "w") as full:
                result = unheard(disturber, scenario.change, stdout=full)
        else:
            result = unheard(disturber, scenario.change, preexec_fn=lambda: os.close(1))
        assert (result.returncode, result.stderr) == (1, "sluice: cannot write all of the output\n"), how
        assert tuple(disturber.ground.judges().values()) == scenario.after, how
        disturber.follow(scenario, disturber.ground.judges(), False)
        assert eventually(disturber.ground.settled) == []


@pytest.mark.parametrize("scenario", CHANGES, ids=lambda scenario: scenario.name)
def test_change_whose_reader_has_gone_has_happened(disturber, scenario):
    """As in `sluice apply … | head -0`: the signal comes when all is done."""
    disturber.begin(scenario)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        result = unheard(disturber, scenario.change, stdout=gone)
    assert (result.returncode, result.stderr) in ((-signal.SIGPIPE, ""), (1, "sluice: cannot write all of the output\n"))
    judges = disturber.ground.judges()
    assert tuple(judges.values()) == scenario.after
    disturber.follow(scenario, judges, False)
