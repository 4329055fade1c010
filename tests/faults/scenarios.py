# SPDX-License-Identifier: BSD-2-Clause
"""The changes that the harness disturbs: how each begins, what it does, and which policy judges what before and after."""
import dataclasses

from ground import INTERFACES

ONE = ("eth0",)


@dataclasses.dataclass
class Scenario:
    name: str
    begin: list  # commands from anywhere to where the change begins; ("apply", number, interfaces) or words
    change: tuple
    before: tuple  # the policy that judges on each of INTERFACES, 0: none
    after: tuple
    refused: bool = False  # the kernel refuses the change half way: `after` is `before`

    def expected(self, interface):
        at = INTERFACES.index(interface)
        return self.before[at], self.after[at]


FIRST, SECOND = ("apply", 1, INTERFACES), ("apply", 2, INTERFACES)
THIRD = ("apply", 3, INTERFACES)
DOWN = ("down",)

SCENARIOS = [
    Scenario("apply changed", [FIRST, SECOND], THIRD, (2, 2), (3, 3)),
    Scenario("apply of one interface", [DOWN, ("apply", 1, ONE), ("apply", 2, ONE)], ("apply", 3, ONE), (2, 0), (3, 0)),
    Scenario("apply new", [DOWN], THIRD, (0, 0), (3, 3)),
    Scenario("apply with one interface more", [DOWN, ("apply", 1, ONE), ("apply", 2, ONE)], THIRD, (2, 0), (3, 3)),
    Scenario("apply with one interface less", [FIRST, SECOND], ("apply", 3, ONE), (2, 2), (3, 0)),
    Scenario("apply refused half way", [FIRST, SECOND], ("apply", 3, (*INTERFACES, "bridge0")), (2, 2), (2, 2), True),
    Scenario("apply that changes nothing", [FIRST, SECOND], SECOND, (2, 2), (2, 2)),
    Scenario("rollback", [FIRST, SECOND], ("rollback",), (2, 2), (1, 1)),
    Scenario("rollback forwards", [FIRST, SECOND, ("rollback",)], ("rollback",), (1, 1), (2, 2)),
    Scenario("rollback with one interface more", [FIRST, ("apply", 2, ONE)], ("rollback",), (2, 0), (1, 1)),
    Scenario("rollback with one interface less", [DOWN, ("apply", 1, ONE), SECOND], ("rollback",), (2, 2), (1, 0)),
    Scenario("down of one interface", [FIRST, SECOND], ("down", "eth1"), (2, 2), (2, 0)),
    Scenario("down", [FIRST, SECOND], DOWN, (2, 2), (0, 0)),
]

