# SPDX-License-Identifier: BSD-2-Clause
import os
import sys

import pytest

sys.path[:0] = [os.path.join(os.path.dirname(__file__), folder) for folder in ("..", "../net")]

import harness  # noqa: E402
from ground import Ground  # noqa: E402
from lab import SLUICE, WHOLE, Lab  # noqa: E402
from scene import Scene  # noqa: E402
from tracing import Tracer  # noqa: E402


@pytest.fixture
def lab():
    with Lab() as made:
        yield made


@pytest.fixture
def quiet(lab):
    return Scene(lab, ipv6=False)


@pytest.fixture(scope="session")
def whole():
    return WHOLE


@pytest.fixture(scope="module")
def disturber():
    """One harness, on one ground, for all tests of a file: making the ground takes longer than a case."""
    with Lab() as made:
        ground = Ground(made)
        program = [SLUICE, "-n", ground.box.netns]
        tracer = Tracer(program, made.environment, os.path.join(made.folder.name, "strace.log"), made.pins)
        yield harness.Harness(ground, tracer)


def pytest_terminal_summary(terminalreporter):
    if harness.figures:
        terminalreporter.write_line("crash safety: " + "\n".join(harness.summary()))
    for line in harness.swaps:
        terminalreporter.write_line(f"atomicity: {line}")
