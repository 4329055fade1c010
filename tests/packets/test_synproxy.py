# SPDX-License-Identifier: BSD-2-Clause
"""The synproxy, byte for byte: what a SYN becomes, which ACKs it lets through, what it leaves alone. Sockets are those of a
host of the lab, in whose network namespace the packets are judged."""
import socket
import struct

import pytest
from scapy.layers.inet import IP, TCP, IPOption_NOP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from judging import DESTINATION4, DESTINATION6, IP4, IP6, SOURCE4, SOURCE6, ether, ipv4, judge, tag
from lab import Lab

HOST = "synproxy { tcp dport 80 }"
GATEWAY = "synproxy { tcp dport 80 gateway }"
MTU, WINDOW, WSCALE = 1500, 32768, 7
MILLISECONDS = 1700000000000  # when the first packet of a capture came, by judging.write_capture

OPTIONS = {
    "none": ([], []),
    "mss": ([("MSS", 1000)], []),
    "linux": ([("MSS", 1460), ("SAckOK", b""), ("Timestamp", (77, 0)), ("NOP", None), ("WScale", 9)],
              ["sack", "wscale"]),
    "windows": ([("MSS", 1460), ("NOP", None), ("WScale", 8), ("NOP", None), ("NOP", None), ("SAckOK", b"")], None),
    "no sack": ([("Timestamp", (0xfffffffe, 5)), ("WScale", 0), ("NOP", None)], ["wscale"]),
    "no wscale": ([("SAckOK", b""), ("Timestamp", (1, 0))], ["sack"]),
    "a scale too large": ([("NOP", None), ("WScale", 200), ("Timestamp", (9, 0)), ("NOP", None), ("NOP", None)],
                          ["wscale"]),
    "unknown ones": ([(254, b"abcd"), ("NOP", None), (30, b"\0"), ("Timestamp", (3, 0))], []),
    "ends early": ([("Timestamp", (4, 0)), ("EOL", None), ("EOL", None), ("WScale", 3)], []),
}


@pytest.fixture(scope="module")
def host():
    """With services on port 80, which has all addresses, and 81, which has one; timestamps without offsets."""
    with Lab() as lab:
        made = lab.host("packets")
        made.run("sysctl", "-qw", "net.ipv4.tcp_syncookies=2", "net.ipv4.tcp_timestamps=2",
                 "net.ipv4.tcp_rmem=4096 131072 6291456")
        made.ip("link", "set", "lo", "mtu", MTU)
        listener = made.socket(socket.AF_INET6, socket.SOCK_STREAM)
        listener.bind(("::", 80))
        listener.listen(16)
        yield made


def base(version):
    return IP4 if version == 4 else IP6


def mss(version):
    return MTU - (40 if version == 4 else 60)


def back(version, segment):
    """A frame the other way round: own hop limit, don't fragment, no identification."""
    packet = IP(src=DESTINATION4, dst=SOURCE4, id=0, flags="DF", ttl=64) if version == 4 else IPv6(
        src=DESTINATION6, dst=SOURCE6, hlim=64)
    return bytes(Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / packet / segment)


def timestamp(agreed, milliseconds=MILLISECONDS):
    """net/ipv4/syncookies.c, cookie_init_timestamp."""
    now = milliseconds & 0xffffffff
    made = now & ~63 | agreed
    return (made if made <= now else made - 64) & 0xffffffff


def segment_of(frame, version, tags=0):
    """The TCP header of an answer."""
    at = 14 + 4 * tags + (20 if version == 4 else 40)
    return TCP(frame[at:])


def answer(host, body, frame):
    line, = judge(body, [frame], host=host)
    return line["verdict"], line["reason"], bytes.fromhex(line.get("output", ""))


def agreed_options(offered, agreed, version):
    """What the answer to these options says, as scapy writes it, and what the timestamp has in its low bits."""
    said = [("MSS", mss(version))]
    values = dict(offered)
    if agreed is None or "Timestamp" not in values:
        return said
    bits = min(values["WScale"], 14) if "wscale" in agreed else 15
    stamps = (timestamp(bits | 16 * ("sack" in agreed)), values["Timestamp"][0])
    said += ([("SAckOK", b"")] if "sack" in agreed else [("NOP", None)] * 2) + [("Timestamp", stamps)]
    if "wscale" in agreed:
        said += [("NOP", None), ("WScale", WSCALE)]
    return said


def cookie_answer(version, syn, options, sequence, flags="SA"):
    return back(version, TCP(sport=80, dport=syn.sport, flags=flags, seq=sequence, ack=(syn.seq + 1) & 0xffffffff,
                             window=WINDOW, options=options))


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("version", [4, 6])
def test_a_syn_becomes_the_syn_ack_that_answers_it(host, version, name):
    offered, agreed = OPTIONS[name]
    syn = TCP(sport=1234, dport=80, flags="S", seq=0xffffffff, options=offered)
    verdict, reason, out = answer(host, HOST, ether(base(version) / syn))
    assert (verdict, reason) == ("tx", "synproxy-cookie")
    options = agreed_options(offered, agreed, version)
    assert out.hex() == cookie_answer(version, syn, options, segment_of(out, version).seq).hex()


LINUX = OPTIONS["linux"][0]
SYN = TCP(sport=1234, dport=80, flags="S", seq=1000, options=LINUX)


def expected(version, out, tags=0, **fields):
    return cookie_answer(version, SYN, agreed_options(LINUX, ["sack", "wscale"], version),
                         segment_of(out, version, tags).seq, **fields)


@pytest.mark.parametrize("tags", [(5,), ((0x88a8, 6), 7), (5, 6)])
@pytest.mark.parametrize("version", [4, 6])
def test_tags_stay_and_padding_goes(host, version, tags):
    frame = tag(ether(base(version) / SYN), *tags) + bytes([0xaa] * 9)
    verdict, _, out = answer(host, HOST, frame)
    assert verdict == "tx"
    assert out.hex() == tag(expected(version, out, len(tags)), *tags).hex()


def test_with_and_without_dont_fragment_and_with_options_of_ip(host):
    for packet in (IP(src=SOURCE4, dst=DESTINATION4, flags=0, id=7, tos=0xb8, ttl=3),
                   IP(src=SOURCE4, dst=DESTINATION4, flags="DF"),
                   IP(src=SOURCE4, dst=DESTINATION4, options=[IPOption_NOP()] * 8),
                   IP(src=SOURCE4, dst=DESTINATION4, options=[IPOption_NOP()] * 40)):
        verdict, _, out = answer(host, HOST, ether(packet / SYN))
        assert (verdict, out.hex()) == ("tx", expected(4, out).hex())
    verdict, _, out = answer(host, HOST, ether(IP6 / IPv6ExtHdrDestOpt() / SYN))
    assert (verdict, out.hex()) == ("tx", expected(6, out).hex())


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 1300])
@pytest.mark.parametrize("version", [4, 6])
def test_data_of_a_syn_is_left_for_later(host, version, size):
    """The client sends it again: what is acknowledged is the SYN alone."""
    data = bytes(n % 251 for n in range(size))
    verdict, _, out = answer(host, HOST, ether(base(version) / SYN / Raw(data)))
    assert (verdict, out.hex()) == ("tx", expected(version, out).hex())


def test_ecn_is_agreed_on(host):
    syn = SYN.copy()
    syn.flags = "SEC"
    _, _, out = answer(host, HOST, ether(IP4 / syn))
    options = agreed_options(LINUX, ["sack", "wscale"], 4)
    stamps = (timestamp(9 | 16 | 32), 77)
    options = [(name, stamps if name == "Timestamp" else value) for name, value in options]
    assert out.hex() == cookie_answer(4, syn, options, segment_of(out, 4).seq, flags="SAE").hex()


def broken(frame, at):
    return frame[:at] + bytes([frame[at] ^ 0x10]) + frame[at + 1:]


@pytest.mark.parametrize("body", [HOST, GATEWAY])
def test_what_has_a_wrong_checksum_is_not_answered(host, body):
    """Of IP, of TCP, in its data, in its pseudo header; and what is longer than a SYN has reason to be."""
    four, six = ether(IP4 / SYN / Raw(b"odd")), ether(IP6 / SYN / Raw(b"odd"))
    frames = [broken(four, 14 + 8), broken(four, 14 + 20 + 13 + 5), broken(four, len(four) - 1), broken(six, 14 + 40 + 20),
              broken(six, 14 + 10), broken(six, len(six) - 1), ether(IP6 / SYN / Raw(bytes(1500)))]
    lines = judge(body, frames, host=host)
    assert [(line["verdict"], line["reason"]) for line in lines] == [("drop", "synproxy-checksum")] * len(frames)
    assert not any("output" in line for line in lines)


def test_a_partial_checksum_is_a_wrong_one(host):
    """As a veth has it between two namespaces unless `ethtool -K DEV tx off`: the sum of the pseudo header alone."""
    whole = bytes(IP4 / SYN)
    pseudo = whole[12:20] + struct.pack("!HH", 6, len(whole) - 20)
    total = sum(struct.unpack(f"!{len(pseudo) // 2}H", pseudo))
    syn = SYN.copy()
    syn.chksum = (total & 0xffff) + (total >> 16)
    assert answer(host, HOST, ether(IP4 / syn))[:2] == ("drop", "synproxy-checksum")


PASSED = {
    "another port": TCP(sport=1, dport=81, flags="S"),
    "a syn and ack": None,
    "a reset": TCP(sport=1, dport=80, flags="R"),
    "a reset with ack": TCP(sport=1, dport=80, flags="RA"),
    "no flags": TCP(sport=1, dport=80, flags=0),
    "fin alone": TCP(sport=1, dport=80, flags="F"),
    "syn and fin": TCP(sport=1, dport=80, flags="SF"),  # the kernel gives no cookie for that, and drops it
    "the source port": TCP(sport=80, dport=9, flags="S"),
}


@pytest.mark.parametrize("name", [name for name in PASSED if PASSED[name]])
@pytest.mark.parametrize("version", [4, 6])
def test_what_is_neither_a_syn_nor_an_ack_of_the_service_passes(host, version, name):
    assert answer(host, HOST, ether(base(version) / PASSED[name])) == ("pass", "default", b"")


def test_a_service_that_nobody_listens_for_passes(host):
    """The kernel refuses the connection; and ACKs of nobody get its reset."""
    body = "synproxy { tcp dport 90-99 }"
    for flags in ("S", "A"):
        assert answer(host, body, ether(IP4 / TCP(dport=95, flags=flags))) == ("pass", "default", b"")


def test_fragments_and_odd_addresses_pass(host):
    first = ipv4(bytes(IP4 / SYN)[20:], 6, flags="MF")
    frames = [first, *(ether(IP(src=source, dst=target) / SYN) for source, target in (
        ("127.0.0.1", DESTINATION4), ("224.0.0.1", DESTINATION4), ("255.255.255.255", DESTINATION4),
        (SOURCE4, "255.255.255.255"), ("0.0.0.0", DESTINATION4))), ether(IPv6(src="ff02::1", dst=DESTINATION6) / SYN)]
    to_all, from_group = b"\xff" * 6 + ether(IP4 / SYN)[6:], ether(IP4 / SYN)[:6] + b"\1" + ether(IP4 / SYN)[7:]
    frames += [to_all, from_group]
    for body in (HOST, GATEWAY):
        assert [line["reason"] for line in judge(body, frames, host=host)] == ["default"] * len(frames)


@pytest.mark.parametrize("source", ["240.0.0.1", "255.255.255.254", "0.0.0.1", "0.255.255.255", "10.0.0.1"])
def test_addresses_that_the_kernel_makes_connections_with_are_answered(host, source):
    """RFC 1122 calls the first four reserved, Linux takes them: else they would be a way past an armed service."""
    frame = ether(IP(src=source, dst=DESTINATION4) / SYN)
    assert answer(host, HOST, frame)[:2] == ("tx", "synproxy-cookie")
    assert answer(host, GATEWAY, frame)[:2] == ("tx", "synproxy-question")


@pytest.mark.parametrize("more", ["", "\ntcp to 192.0.2.77 dport 80 gateway"])
def test_a_service_of_an_empty_set_is_of_no_address(host, more):
    line, = judge(f"synproxy {{ tcp to @none dport 80 gateway{more} }}", [ether(IP4 / SYN)], sets='set none file "none.txt"',
                  files={"none.txt": "# nobody today\n"}, host=host)
    assert (line["verdict"], line["reason"]) == ("pass", "default")


def test_a_gateway_asks_syns_with_fin_too(host):
    """FreeBSD makes connections of them."""
    assert answer(host, GATEWAY, ether(IP4 / TCP(sport=1, dport=80, flags="SF")))[1] == "synproxy-question"


@pytest.mark.parametrize("version", [4, 6])
def test_only_an_ack_with_our_cookie_passes(host, version):
    _, _, out = answer(host, HOST, ether(base(version) / SYN))
    cookie = segment_of(out, version).seq

    def ack(number, flags="A", sequence=1001, sport=1234, data=b""):
        return ether(base(version) / TCP(sport=sport, dport=80, flags=flags, seq=sequence,
                                         ack=number & 0xffffffff) / Raw(data))

    valid = [ack(cookie + 1), ack(cookie + 1, "PA", data=b"GET /"), ack(cookie + 1, "FA")]
    wrong = [ack(cookie - 99), ack(cookie + 101), ack(0), ack(cookie + 1, sport=1235), ack(cookie + 1, sequence=5000),
             ack(cookie + 1, "SA"), ack(cookie + 0x1000000, "PA", data=b"x")]
    lines = judge(HOST, valid + wrong, host=host)
    assert [line["reason"] for line in lines] == ["default"] * len(valid) + ["synproxy-invalid"] * len(wrong)
    assert {line["verdict"] for line in lines[len(valid):]} == {"drop"}
    assert {line["rule"] for line in lines[len(valid):]} == {"test.policy:3"}


def test_a_socket_that_gave_out_no_cookie_takes_none(host):
    """tcp_synq_no_recent_overflow: why the cookie is made with the socket (docs/architecture.md)."""
    def listen():
        made = host.socket(socket.AF_INET6, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("::", 85))
        made.listen(16)
        return made

    body, first = "synproxy { tcp dport 85 }", listen()
    _, _, out = answer(host, body, ether(IP4 / TCP(sport=1234, dport=85, flags="S", seq=1000)))
    ack = ether(IP4 / TCP(sport=1234, dport=85, flags="A", seq=1001, ack=segment_of(out, 4).seq + 1))
    assert answer(host, body, ack)[1] == "default"
    first.close()
    listen()
    assert answer(host, body, ack)[1] == "synproxy-invalid"


def question(version, number):
    return back(version, TCP(sport=80, dport=1234, flags="SA", seq=0, ack=number, window=0))


@pytest.mark.parametrize("tags", [(), (5,)])
@pytest.mark.parametrize("version", [4, 6])
def test_a_gateway_asks_and_admits_who_answers(host, version, tags):
    """RFC 9293, section 3.10.7.3: the reset to a SYN-ACK that acknowledges the wrong number has that number."""
    syn = tag(ether(base(version) / SYN), *tags)
    verdict, reason, out = answer(host, GATEWAY, syn)
    number = segment_of(out, version, len(tags)).ack
    assert (verdict, reason, out.hex()) == ("tx", "synproxy-question", tag(question(version, number), *tags).hex())

    def reset(sequence, flags="R", **fields):
        return tag(ether(base(version) / TCP(sport=1234, dport=80, flags=flags, seq=sequence & 0xffffffff, **fields)),
                   *tags)

    frames = [reset(number + 100), reset(number, "RA"), reset(number, chksum=1), syn, reset(number), syn, reset(number)]
    lines = judge(GATEWAY, frames, host=host)
    assert [line["reason"] for line in lines] == [
        "default", "default", "default", "synproxy-question", "synproxy-admitted", "default", "synproxy-admitted"]
    assert lines[4]["verdict"] == "drop"


def test_a_gateway_admits_an_address_or_a_network_of_ipv6(host):
    def syn(source):
        return ether((IPv6 if ":" in source else IP)(src=source, dst=DESTINATION6 if ":" in source else DESTINATION4) / SYN)

    def admit(source):
        _, _, out = answer(host, GATEWAY, syn(source))
        version = 6 if ":" in source else 4
        kind = IPv6 if version == 6 else IP
        return ether(kind(src=source, dst=DESTINATION6 if version == 6 else DESTINATION4)
                     / TCP(sport=1234, dport=80, flags="R", seq=segment_of(out, version).ack))

    frames = [admit("192.0.2.1"), admit("2001:db8:1:2::3"), syn("192.0.2.1"), syn("192.0.2.2"), syn("2001:db8:1:2:3::4"),
              syn("2001:db8:1:3::3")]
    assert [line["reason"] for line in judge(GATEWAY, frames, host=host)] == [
        "synproxy-admitted", "synproxy-admitted", "default", "synproxy-question", "default", "synproxy-question"]


def test_a_proof_buys_so_many_syns(host):
    """A host whose address somebody else writes into SYNs answers the question as well."""
    syn = ether(IP4 / SYN)
    number = segment_of(answer(host, GATEWAY, syn)[2], 4).ack
    reset = ether(IP4 / TCP(sport=1234, dport=80, flags="R", seq=number))
    frames = [reset] + [syn] * 52 + [reset, syn]
    assert [line["reason"] for line in judge(GATEWAY, frames, host=host)] == [
        "synproxy-admitted"] + ["default"] * 50 + ["synproxy-question"] * 2 + ["synproxy-admitted", "synproxy-question"]


def test_acks_of_a_gateways_services_pass(host):
    assert answer(host, GATEWAY, ether(IP4 / TCP(sport=1, dport=80, flags="A")))[1] == "default"


MANY = "\n".join(f"tcp to 198.51.100.{n}, 2001:db8:ffff::{n:x} dport {{ 80, {1000 + n}-{1002 + n} }} gateway"
                 for n in range(1, 65))


def test_the_first_service_with_the_address_and_the_port_has_the_word(host):
    """64 services, as many as there can be, with addresses within addresses and ports within ports."""
    def line_of(frame, body):
        line, = judge(body, [frame], host=host)
        return int(line["rule"].split(":")[1]) if "rule" in line else None

    body = f"synproxy {{\n{MANY}\n}}"
    for n in (1, 2, 33, 64):
        for destination in (f"198.51.100.{n}", f"2001:db8:ffff::{n:x}"):
            packet = (IPv6 if ":" in destination else IP)(src=SOURCE6 if ":" in destination else SOURCE4, dst=destination)
            for port in (80, 1000 + n, 1002 + n):
                assert line_of(ether(packet / TCP(sport=1, dport=port, flags="S")), body) == 3 + n
            assert line_of(ether(packet / TCP(sport=1, dport=1003 + n, flags="S")), body) is None
    nested = ("synproxy {\ntcp to 198.51.100.7 dport 80 gateway\ntcp to 198.51.100.0/24 dport { 80, 81 } gateway\n"
              "tcp to 2001:db8::/32 dport 80 gateway\ntcp dport 1-65535 gateway\n}")
    for destination, port, line in (("198.51.100.7", 80, 4), ("198.51.100.7", 81, 5), ("198.51.100.8", 80, 5),
                                    ("198.51.101.8", 80, 7), ("198.51.100.7", 0, None), ("198.51.100.7", 82, 7)):
        assert line_of(ether(IP(src=SOURCE4, dst=destination) / TCP(sport=1, dport=port, flags="S")), nested) == line
    assert line_of(ether(IP6 / TCP(sport=1, dport=80, flags="S")), nested) == 6


def test_a_rate_arms_with_the_packet_that_is_over_it(host):
    """20 a second: ten at once are let through. The capture has a thousand packets a second apart by a microsecond."""
    frames = [ether(IP4 / TCP(sport=n, dport=80, flags="S")) for n in range(1, 16)]
    lines = judge("synproxy { tcp dport 80 above 20/s }", frames, host=host)
    assert [line["reason"] for line in lines] == ["default"] * 10 + ["synproxy-cookie"] * 5
