# SPDX-License-Identifier: BSD-2-Clause
"""The changes that the harness disturbs: how each begins, what it does, and which policy judges what before and after."""
import dataclasses

from ground import BANNED, INTERFACES

ONE = ("eth0",)


@dataclasses.dataclass(frozen=True)
class Apply:
    number: int  # of the policy
    interfaces: tuple = INTERFACES
    options: tuple = ()
    size: int = 100  # of its set
    filtered: bool = False  # by a filter


@dataclasses.dataclass(frozen=True)
class Shadow:
    number: int  # of the candidate
    filtered: bool = False


@dataclasses.dataclass
class Scenario:
    name: str
    begin: list  # commands from anywhere to where the change begins: an Apply, words, or seconds to wait
    change: object  # a command
    before: tuple  # the policy that judges on each of INTERFACES, 0: none
    after: tuple
    refused: bool = False  # the kernel refuses the change half way: `after` is `before`
    settles: bool = False  # an earlier change first, so that other programs may run afterwards, alike

    def expected(self, interface):
        at = INTERFACES.index(interface)
        return self.before[at], self.after[at]


def verb(command):
    if isinstance(command, (Apply, Shadow)):
        return type(command).__name__.lower()
    return command[0]


FIRST, SECOND, THIRD = Apply(1), Apply(2), Apply(3)
DOWN, ROLLBACK, CONFIRM = ("down",), ("rollback",), ("confirm",)
BAN = ("set", "add", "banned", BANNED)
TRY = Apply(3, options=("--confirm", "60s"))
TRY_SHORTLY = Apply(3, options=("--confirm", "1s"))

SCENARIOS = [
    Scenario("apply changed", [FIRST, SECOND], THIRD, (2, 2), (3, 3)),
    Scenario("apply of one interface", [DOWN, Apply(1, ONE), Apply(2, ONE)], Apply(3, ONE), (2, 0), (3, 0)),
    Scenario("apply new", [DOWN], THIRD, (0, 0), (3, 3)),
    Scenario("apply with one interface more", [DOWN, Apply(1, ONE), Apply(2, ONE)], THIRD, (2, 0), (3, 3)),
    Scenario("apply with one interface less", [FIRST, SECOND], Apply(3, ONE), (2, 2), (3, 0)),
    Scenario("apply with another interface", [DOWN, Apply(1, ONE), Apply(2, ONE)], Apply(3, ("eth1",)), (2, 0), (0, 3)),
    Scenario("apply refused half way", [FIRST, SECOND], Apply(3, (*INTERFACES, "bridge0")), (2, 2), (2, 2), True),
    Scenario("apply that changes nothing", [FIRST, SECOND], SECOND, (2, 2), (2, 2)),
    Scenario("apply with something in the set", [FIRST, SECOND, BAN], THIRD, (12, 12), (13, 13)),
    Scenario("apply with a larger set", [FIRST, SECOND, BAN], Apply(3, size=200), (12, 12), (13, 13)),
    Scenario("apply to be confirmed", [DOWN, FIRST, SECOND], TRY, (2, 2), (3, 3)),
    Scenario("apply new to be confirmed", [DOWN], TRY, (0, 0), (3, 3)),
    Scenario("confirm", [DOWN, FIRST, SECOND, TRY], CONFIRM, (3, 3), (3, 3)),
    Scenario("rollback of what waits", [DOWN, FIRST, SECOND, TRY], ROLLBACK, (3, 3), (2, 2)),
    Scenario("apply after one not confirmed", [DOWN, FIRST, SECOND, TRY_SHORTLY, 1.1], Apply(4), (2, 2), (4, 4),
             settles=True),
    Scenario("rollback", [FIRST, SECOND], ROLLBACK, (2, 2), (1, 1)),
    Scenario("rollback forwards", [FIRST, SECOND, ROLLBACK], ROLLBACK, (1, 1), (2, 2)),
    Scenario("rollback with one interface more", [FIRST, Apply(2, ONE)], ROLLBACK, (2, 0), (1, 1)),
    Scenario("rollback with one interface less", [DOWN, Apply(1, ONE), SECOND], ROLLBACK, (2, 2), (1, 0)),
    Scenario("shadow", [FIRST, SECOND], Shadow(4), (2, 2), (2, 2)),
    Scenario("apply under a shadow", [FIRST, SECOND, Shadow(4)], THIRD, (2, 2), (3, 3)),
    Scenario("apply with a filter", [DOWN, FIRST, SECOND], Apply(3, filtered=True), (2, 2), (3, 3)),
    Scenario("apply of another filter", [DOWN, Apply(1, filtered=True), Apply(2, filtered=True)], Apply(3, filtered=True),
             (2, 2), (3, 3)),
    Scenario("apply without a filter any more", [DOWN, Apply(1, filtered=True), SECOND], THIRD, (2, 2), (3, 3)),
    Scenario("rollback to a filter", [DOWN, Apply(1, filtered=True), SECOND], ROLLBACK, (2, 2), (1, 1)),
    Scenario("filter to be confirmed", [DOWN, FIRST, SECOND], Apply(3, options=("--confirm", "60s"), filtered=True), (2, 2),
             (3, 3)),
    Scenario("shadow with a filter", [FIRST, SECOND], Shadow(4, filtered=True), (2, 2), (2, 2)),
    Scenario("down of one interface", [FIRST, SECOND], ("down", "eth1"), (2, 2), (2, 0)),
    Scenario("down", [FIRST, SECOND], DOWN, (2, 2), (0, 0)),
    Scenario("set add", [DOWN, FIRST, SECOND], BAN, (2, 2), (12, 12)),
    Scenario("set del", [FIRST, SECOND, BAN], ("set", "del", "banned", BANNED), (12, 12), (2, 2)),
    Scenario("set flush", [FIRST, SECOND, BAN], ("set", "flush", "banned"), (12, 12), (2, 2)),
]
