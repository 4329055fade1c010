# SPDX-License-Identifier: BSD-2-Clause
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import foreign  # noqa: E402
from lab import Lab  # noqa: E402
from scene import Scene  # noqa: E402


@pytest.fixture
def lab():
    with Lab() as made:
        yield made


@pytest.fixture
def scene(lab):
    """A box and a client that can talk, with addresses of both families."""
    made = Scene(lab)
    made.settle()
    return made


@pytest.fixture
def quiet(lab):
    """A box and a client without addresses: nothing is on the cable but what the test sends."""
    return Scene(lab, ipv6=False)


@pytest.fixture(scope="session")
def foreign_object(tmp_path_factory):
    """The compiled program of foreign.py."""
    return foreign.build(tmp_path_factory.mktemp("foreign"))


@pytest.fixture
def foreign_pin(lab):
    """A path on the BPF file system outside of SLUICE_BPFFS."""
    path = lab.pins + "-foreign"
    yield path
    if os.path.exists(path):
        os.unlink(path)
