# SPDX-License-Identifier: BSD-2-Clause
"""A web server under attack (tests/siege.py): how many requests of a real client it answers, in each of the ways to defend
it. The flood is as fast as one CPU goes that sends it and also receives it, as a veth does, and softirqs of the box with
it; the server and the client have the other CPU."""
import statistics

from lab import SweptLab
from screen import progress, say
from siege import POLICY, Siege

RATE = 200  # requests a second, so few that without a flood all are answered
TIMES = {False: (3, 4.0), True: (1, 1.0)}  # rounds, seconds
KINDS = ("syn", "udp", "malformed")
COLUMNS = "{:<11} {:<34} {:>9} {:>12} {:>9}"

# The same with what Debian has. Cookies for every SYN: synproxy of nftables has no rate above which it begins.
NFTABLES = """
table inet siege {
    chain first {
        type filter hook prerouting priority raw; policy accept;
        udp dport != 0 limit rate over 5000/second burst 1000 packets drop
        tcp flags & (fin | syn | rst | ack) == 0x0 drop
        tcp flags & (fin | syn) == (fin | syn) drop
        tcp flags & (syn | rst) == (syn | rst) drop
        tcp flags & (fin | ack) == fin drop
        tcp dport 80 tcp flags & (fin | syn | rst | ack) == syn notrack
    }
    chain second {
        type filter hook input priority filter; policy accept;
        tcp dport 80 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
        ct state invalid drop
    }
}
"""


def no_defence(siege):
    siege.cookies(0)


def kernel_cookies(siege):
    siege.cookies(1)


def nftables(siege):
    siege.cookies(1)
    siege.box.run("nft", "-f", siege.lab.file("siege.nft", NFTABLES))
    # Or it takes the ACK with the cookie for one of a connection that it has missed the beginning of.
    siege.box.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_loose=0")


def sluice(siege):
    siege.cookies(2)
    siege.box.apply(POLICY)


CONTENDERS = (("none", "nothing", no_defence), ("cookies", "the kernel's SYN cookies", kernel_cookies),
              ("nftables", "nftables: synproxy, limit, flags", nftables), ("sluice", "Sluice", sluice))


def besieged(kind, defend, seconds):
    """In hosts of its own: what the kernel remembers of one flood is not to be in the way of the next."""
    with SweptLab("bench") as lab:
        siege = Siege(lab)
        siege.serve()
        if not kind:
            asked = siege.ask(RATE, seconds)
            return asked["answered"] / asked["asked"], 0
        defend(siege)
        with siege.attack(kind) as said:
            asked = siege.ask(RATE, seconds)
        return asked["answered"] / asked["asked"], said["sent"] / said["seconds"]


def measure(quick):
    """Rows: of each flood and each defence the share of requests that were answered, and packets that came in a second;
    the first row is without a flood."""
    rounds, seconds = TIMES[quick]
    kinds = KINDS[:1] if quick else KINDS
    cases = [("", CONTENDERS[0])] + [(kind, contender) for kind in kinds for contender in CONTENDERS]
    found = {}
    for number in range(rounds):
        for kind, (who, title, defend) in cases:
            progress(f"round {number + 1} of {rounds}: {kind or 'no flood'}, {title}")
            found.setdefault((kind, who), []).append(besieged(kind, defend, seconds))
    progress("")
    rows = []
    for (kind, who), values in found.items():
        shares, rates = zip(*values)
        rows.append({"flood": kind or "quiet", "who": who, "answered": statistics.median(shares), "least": min(shares),
                     "pps": statistics.median(rates)})
    show(rows)
    return rows


def show(rows):
    titles = {who: title for who, title, _ in CONTENDERS}
    say(COLUMNS.format("flood", "defence", "answered", "worst round", "Mpps in"))
    for row in rows:
        say(COLUMNS.format(row["flood"], titles[row["who"]], f"{100 * row['answered']:.1f} %", f"{100 * row['least']:.1f} %",
                           f"{row['pps'] / 1e6:.2f}"))
