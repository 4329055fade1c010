# SPDX-License-Identifier: BSD-2-Clause
"""`fragments track` on a real cable: what is too long for it arrives when its first fragment may, and only then."""
import pytest

from scene import BOX4, BOX6, CLIENT4, CLIENT6, policy

LONG = ("-s", "4000")  # three fragments


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_a_long_echo_passes_when_its_type_does(scene, mode):
    rules = ("filter {", "accept icmp type echo-request", "accept icmpv6 type echo-request", "drop", "}")
    for addresses in ((CLIENT4, BOX4), (CLIENT6, BOX6)):
        scene.box.apply(policy("fragments pass", *rules, mode=mode))
        assert not scene.ping(*addresses, *LONG)  # later fragments have no type
        scene.box.apply(policy("fragments track", *rules, mode=mode))
        assert scene.ping(*addresses, *LONG, count=5)


def test_what_the_first_is_refused_the_others_are_too(scene):
    scene.box.apply(policy("fragments track", "filter {", "drop icmp type echo-request count echoes", "}"))
    assert not scene.ping(CLIENT4, BOX4, *LONG)
    assert scene.box.stats()["counters"]["echoes"]["packets"] == 3
    assert scene.ping(CLIENT6, BOX6, *LONG)
