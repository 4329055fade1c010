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
    check(disturber.kill_all, scenario, None if whole else 4)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_failing_at_any_call(disturber, whole, scenario):
    check(disturber.fail_all, scenario, None if whole else 6)


def test_nothing_of_all_this_is_left_in_the_kernel(disturber):
    assert disturber.left_over() == {}
