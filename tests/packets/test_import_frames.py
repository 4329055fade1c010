# SPDX-License-Identifier: BSD-2-Clause
"""import: fragments, as the rules saw them, and what is neither IP nor ARP."""
import pytest

from test_import import iptables, nft


def test_fragments_are_whole_at_input():
    """The kernel puts those of IPv4 together before: what rules say of the first holds for all."""
    track = "    fragments track  # its rules see whole packets: later fragments go with their first"
    assert track in iptables("-p udp --dport 53 -j ACCEPT").lines
    assert track not in iptables("-p udp --dport 53 -j ACCEPT", v6=True).lines  # of IPv6 they are put together later
    assert track in iptables("-p udp -m conntrack --ctstate NEW -j ACCEPT", v6=True).lines  # unless connections are kept
    never = iptables("-j guard", "-p udp -j ACCEPT", "-A guard -f -j RETURN", "-A guard -p tcp -j DROP", chains="guard")
    assert never.rules == ["drop ipv4 tcp", "accept ipv4 udp", "accept ipv6"] and len(never.reasons) == 1


@pytest.mark.parametrize("chain", ["type filter hook prerouting priority 0; policy drop;",
                                   "type filter hook prerouting priority -300; policy drop;"])
def test_fragments_before_input(chain):
    result = nft("ip frag-off & 0x1fff != 0 drop", "ip frag-off & 0x3fff != 0 accept", chain=chain)
    assert result.rules == ["drop ipv4 fragment later", "accept ipv4 fragment any"] and not result.messages
    assert not [line for line in result.lines if "fragments track" in line]


@pytest.mark.parametrize("family, priority, line", [
    ("inet", 0, "    fragments track  # its rules see whole packets: later fragments go with their first"),
    ("ip", -399, "    fragments track  # its rules see whole packets: later fragments go with their first"),
    ("ip6", -300, "    fragments track  # its rules see whole packets: later fragments go with their first"),
    ("inet", -400, None),
    ("inet", -450, None),
])
def test_fragments_behind_connection_tracking(family, priority, line):
    """It puts them together at prerouting, with priority -400."""
    result = nft("ct state established accept", "udp dport 53 accept", family=family,
                 chain=f"type filter hook prerouting priority {priority}; policy drop;")
    assert [found for found in result.lines if "fragments track" in found] == ([line] if line else [])


def test_fragments_where_addresses_are_translated():
    """NAT keeps connections too, whatever else there is."""
    chains = "chain post { type nat hook postrouting priority 100; masquerade; }"
    result = nft("udp dport 53 accept", chain="type filter hook prerouting priority 0; policy drop;", more=chains)
    assert any(line.startswith("    fragments track") for line in result.lines)


def test_fragments_of_both_families_at_input():
    """The kernel joins those of IPv6 behind it; a policy says one thing of both."""
    line, = [line for line in nft("udp dport 53 accept").lines if "fragments track" in line]
    assert line == "    fragments track  # its rules see whole packets: later fragments go with their first; of IPv6 they see each"


def test_fragments_at_input_of_nft():
    result = nft("ip frag-off & 0x1fff != 0 drop", "ip frag-off & 0x3fff != 0 accept", "udp dport 53 accept")
    assert result.rules == ["accept udp dport 53"] and len(result.reasons) == 2
    assert any(line.startswith("    fragments track") for line in result.lines)


@pytest.mark.parametrize("rule, words", [
    ("meta protocol ip drop", ["drop ipv4"]),
    ("meta protocol != { ip, ip6 } ether saddr 02:00:00:00:00:01 drop", None),
    ("meta protocol != ip drop", None),
    ("meta protocol != ip udp dport 53 drop", ["drop ipv6 udp dport 53"]),
    ("meta protocol != ip jump six", ["drop ipv6 tcp dport 22"]),
    ("ether type 0x8809 drop", ["drop ethertype slow"]),
    ("ether type { 0x8847, 0x8848, 0xbeef, arp } drop", ["drop ethertype { mpls, mpls-multicast, 0xbeef }", "drop arp"]),
    ("ether type != { ip, ip6, arp, 0x88cc } drop", ["drop ethertype not lldp"]),
    ("ether type != { ip, 0x88cc, 0x88cd } ether type != { 0x8809, ip6 } drop",
     ["drop ethertype not { slow, lldp, 0x88cd }", "drop arp"]),
    ("ether type 0x8809 tcp dport 1 drop", []),
])
def test_what_is_no_ip_at_ingress(rule, words):
    """`not IPv4` is also ARP, which has a word, and the rest, which has none."""
    result = nft(rule, "udp dport 1 accept", family="netdev", chain="type filter hook ingress device lo priority 0;",
                 more="chain six { tcp dport 22 drop; }", options=("--interface", "lo"))
    assert result.rules == [*(words or []), "accept udp dport 1"]
    assert [r.split(": ")[-1] for r in result.reasons if "never match" not in r] == ([] if words is not None else ["what is neither IP nor ARP has no word of its own"])
    assert nft("meta protocol != ip accept").rules == ["accept ipv6"]


@pytest.mark.parametrize("condition", ["ether type 8021q", "ether type 0x8000-0x9000", "ether type 100"])
def test_ethertypes_without_words(condition):
    result = nft(f"{condition} drop", "udp dport 1 accept", family="netdev",
                 chain="type filter hook ingress device lo priority 0;", options=("--interface", "lo"))
    assert result.rules == ["accept udp dport 1"] and len(result.reasons) == 1
