# SPDX-License-Identifier: BSD-2-Clause
"""A web server that is flooded, without Sluice and with it: requests of a real client, over the same cable."""
import json
import subprocess

import pytest

from lab import SLUICE, reads_events, wait_until
from siege import POLICY, Siege

RATE = 40  # requests a second
SECONDS = 2.5


@pytest.fixture
def siege(lab):
    made = Siege(lab)
    made.cookies(0)
    made.serve()
    return made


def share(siege, kind, *options):
    """Of the requests during a flood those that were answered; and how much was sent."""
    with siege.attack(kind, *options) as said:
        asked = siege.ask(RATE, SECONDS)
    assert said["sent"] > 10000
    return asked["answered"] / asked["asked"], said["sent"]


def service(siege):
    (found,) = siege.box.stats()["services"].values()
    return found


def test_a_flood_of_syns(siege):
    """The backlog is full at once, and stays so; until the program answers in the server's place."""
    assert share(siege, "syn", "--rate", 20000)[0] < 0.5
    siege.cookies(2)
    siege.box.apply(POLICY)
    events = siege.lab.keep(subprocess.Popen(
        [SLUICE, "-n", siege.box.netns, "events", "-j"], stdout=subprocess.PIPE, text=True, env=siege.lab.environment,
        start_new_session=True))
    assert wait_until(lambda: reads_events(events, "eth0"))
    assert share(siege, "syn", "--rate", 20000)[0] >= 0.95
    flooded = service(siege)
    assert flooded["armed"] and flooded["answered"] > 10000 and flooded["valid"] >= 0.9 * RATE * SECONDS

    def stands_down():  # ten seconds after the flood, when a client comes
        siege.ask(10, 0.1)
        return not service(siege)["armed"]

    assert wait_until(stands_down, 20, 1)
    events.terminate()
    kinds = [json.loads(line)["event"] for line in events.communicate(timeout=10)[0].splitlines()]
    assert [kind for kind in kinds if kind != "drop"] == ["armed", "stood-down"]


@pytest.mark.parametrize("kind, stages", [("udp", {"limit": 0.5}), ("malformed", {"malformed-": 0.5, "filter-rule": 0.2})])
def test_other_floods_do_not_get_as_far_as_the_server(siege, kind, stages):
    """The kernel would survive these, at this rate; what is to be seen is that it has none of them."""
    siege.cookies(2)
    siege.box.apply(POLICY)
    answered, sent = share(siege, kind, "--rate", 50000)
    assert answered >= 0.95
    stats = siege.box.stats()
    assert stats["verdicts"]["drop"]["packets"] >= 0.99 * sent
    for stage, part in stages.items():
        found = sum(entry["packets"] for name, entry in stats["reasons"].items() if name.startswith(stage))
        assert found >= part * sent, stage
