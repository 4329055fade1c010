# SPDX-License-Identifier: BSD-2-Clause
"""Killed at any system call, or with any of them failing, a change has happened whole or not at all, and the next
command copes."""
import pytest

import harness
from scenarios import SCENARIOS


def check(disturb, scenario, most):
    before = len(harness.broken)
    disturb(scenario, most)
    assert not harness.broken[before:], "\n\n".join(harness.broken[before:])


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_killed_at_any_call(disturber, whole, scenario):
    check(disturber.kill_all, scenario, None if whole else 3)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_failing_at_any_call(disturber, whole, scenario):
    check(disturber.fail_all, scenario, None if whole else 4)


def test_a_program_that_is_too_large_says_what_makes_it_smaller(disturber):
    """As the verifier says it: no policy of these tests is."""
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == "apply with a filter")
    call = next(call for call in disturber.calls(scenario) if call.what.startswith("BPF_PROG_LOAD") and
                'prog_name="sluice"' in call.text)
    disturber.begin(scenario)
    result, _ = disturber.tracer.run(disturber.words(scenario.change), f"bpf:error=E2BIG:when={call.nth}+")  # libbpf tries again
    assert result.returncode == 1
    assert "sluice: the kernel refused the program: Argument list too long\n" in result.stderr
    assert "looks at a million instructions" in result.stderr and "fewer with fewer groups of rules" in result.stderr


def test_nothing_of_all_this_is_left_in_the_kernel(disturber):
    assert disturber.left_over() == {}
