# SPDX-License-Identifier: BSD-2-Clause
"""import: rule sets of many thousand rules and addresses, in bounded time and memory."""
import ipaddress
import json
import random
import re

import pytest

from lab import SLUICE, sh
from test_import import importing, rules


def bounded(kind, text, seconds=10, megabytes=400):
    """The rules of an import that has so much time and memory."""
    result = sh("prlimit", f"--cpu={seconds}", f"--as={megabytes << 20}", SLUICE, "import", kind, input=text, check=False)
    assert result.returncode == 0, result.stderr[-300:]
    return rules(result.stdout.splitlines()), result.stderr.splitlines()


def whole(*lines):
    return "\n".join(["*filter", ":INPUT DROP [0:0]", *(f"-A INPUT {line}" for line in lines), "COMMIT\n"])


def test_thousands_of_limits():
    made, messages = bounded("iptables", whole(*(f"-p tcp --dport {i} -m limit --limit 5/sec -j ACCEPT" for i in range(1, 6001))))
    assert len(made) == 6001 and not messages


@pytest.mark.parametrize("limit, reason", [
    ("--limit 20000000/sec", "20000000/s is faster than a limit can count"),
    ("--limit 7100000/sec", "7100000/s cannot be kept to a thousandth"),
    ("--limit 1/day --limit-burst 1000", "a burst of 1000 takes longer than 20 days to come back"),
    ("--limit 5/sec --limit-burst 2000000", "`2000000` is not a burst"),
])
def test_limits_that_a_policy_cannot_have_are_listed(limit, reason):
    made, messages = bounded("iptables", whole(f"-p tcp -m limit {limit} -j ACCEPT"))
    assert not any("limit" in rule for rule in made) and reason in messages[0]


def test_limits_that_take_too_long_to_settle_are_listed():
    limits = [f"-p tcp --dport {i} -m limit --limit 5/sec -j ACCEPT" for i in range(1, 4001)]
    drops = [f"-s 10.{i // 250}.{i % 250}.0/24 -j DROP" for i in range(4000)]
    made, messages = bounded("iptables", whole(*limits, *drops))
    assert len(made) + len(messages) == 8001 and len(messages) > 1000
    assert all("it would take too long to tell" in message for message in messages)
    assert "accept ipv4 tcp dport 4000 limit 5/s burst 5" in made


def test_thousands_of_logs():
    pair = "-p tcp --sport {0} --dport 22 -j LOG\n-A INPUT -p tcp --sport {0} --dport 22 -j DROP"
    made, messages = bounded("iptables", whole(*(pair.format(i) for i in range(1, 30001))))
    assert len(made) == 30001 and made[7] == "drop ipv4 tcp sport 8 dport 22 log" and not messages


def test_thousands_of_listed_rules_for_several_interfaces():
    made, messages = bounded("iptables", whole(*(f"-p tcp --sport {i} -m mark --mark 5 -j DROP" for i in range(1, 40001)),
                                               "-i a -j ACCEPT", "-i b -j ACCEPT"))
    assert len(messages) == 40000 and len(made) == 4


def test_thousands_of_sets_and_rules_that_name_others():
    """Each set was looked for in each rule."""
    made, messages = bounded("iptables", whole(*(f"-m set --match-set s{i} src -j DROP" for i in range(8000)),
                                               *(f"-s 10.{i >> 16}.{i >> 8 & 255}.{i & 255} -m set --match-set s0 dst -j DROP"
                                                 for i in range(100000))))
    assert len(made) == 100005 and len(messages) == 7996


def address_rule(op, prefixes, verdict):
    values = [{"prefix": {"addr": str(p.network_address), "len": p.prefixlen}} for p in prefixes]
    match = {"match": {"op": op, "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"set": values}}}
    return [match, verdict]


@pytest.mark.parametrize("op", ["==", "!="])
@pytest.mark.parametrize("count", [5, 20000])
def test_two_lists_of_addresses(op, count):
    """One list inside another, or outside: as ipaddress of Python has it."""
    rng = random.Random(count)
    spread = max(1, (1 << 21) // count)
    one = [ipaddress.ip_network((i * spread << 11, rng.randrange(22, 30))) for i in range(count)]
    two = [ipaddress.ip_network(((n.network_address._ip + rng.choice((0, 0, 4 << 10))) >> 9 << 9, rng.randrange(23, 33)))
           for n in rng.sample(one, count * 9 // 10)]
    rows = [("c", address_rule("==", one, {"jump": {"target": "d"}})), ("d", address_rule(op, two, {"drop": None}))]
    base = {"family": "ip", "table": "t"}
    text = json.dumps({"nftables": [{"chain": {**base, "name": "c", "hook": "input", "type": "filter", "prio": 0}},
                                    {"chain": {**base, "name": "d"}},
                                    *({"rule": {**base, "chain": c, "handle": 1, "expr": e}} for c, e in rows)]})
    made, messages = bounded("nft", text)
    assert len(made) == 1 and not messages
    printed = map(ipaddress.ip_network, re.findall(r"[0-9./]+\.[0-9./]+", made[0]))
    got, first, second = ({int(n.network_address) + i for n in ns for i in range(n.num_addresses)} for ns in (printed, one, two))
    assert got == (first & second if op == "==" else first - second)


def test_chains_that_double_the_way_have_an_end():
    """40 chains of which each jumps to the next twice: 2 to the 40th ways."""
    chains = [f"c{i}" for i in range(40)]
    text = "*filter\n:INPUT ACCEPT\n" + "".join(f":{name} -\n" for name in chains) + "-A INPUT -j c0\n"
    text += "".join(f"-A {a} -j {b}\n" * 2 for a, b in zip(chains, chains[1:])) + "-A c39 -p tcp\nCOMMIT\n"
    lines, messages = importing("iptables", text, status=1)
    assert not lines and "the ways through these chains are more than 1048576 rules" in messages[0]
