# SPDX-License-Identifier: BSD-2-Clause
"""Reading captures without libpcap, for an independent look at the same bytes: pcap and pcapng, either byte order.

The file formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
"""
import struct

SECTION, INTERFACE, SIMPLE, ENHANCED = 0x0a0d0d0a, 1, 3, 6
PCAP_ORDER = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}


def read_pcap(data):
    order = PCAP_ORDER[data[:4]]
    link_type = struct.unpack_from(order + "I", data, 20)[0] & 0x03ffffff  # above are the length of an FCS and more
    snap_length = struct.unpack_from(order + "I", data, 16)[0] or len(data)  # a packet with more is taken without it
    packets = []
    at = 24
    while at < len(data):
        captured, length = struct.unpack_from(order + "II", data, at + 8)
        packets.append((data[at + 16:at + 16 + min(captured, snap_length)], length))
        at += 16 + captured
    return link_type, packets


def read_pcapng(data):
    interfaces, packets = [], []
    order = "<"
    at = 0
    while at < len(data):
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        block, size = struct.unpack_from(order + "II", data, at)
        if block == INTERFACE:
            link_type, _, snap_length = struct.unpack_from(order + "HHI", data, at + 8)
            interfaces.append((link_type, snap_length))
        elif block == ENHANCED:
            _, _, _, captured, length = struct.unpack_from(order + "IIIII", data, at + 8)
            packets.append((data[at + 28:at + 28 + captured], length))
        elif block == SIMPLE:
            length, = struct.unpack_from(order + "I", data, at + 8)
            packets.append((data[at + 12:at + 12 + min(length, interfaces[0][1] or length)], length))
        elif block != SECTION:
            assert block in (4, 5, 10) or block >> 31, f"block {block}"  # names, statistics, secrets, private ones
        at += size
    assert len({link_type for link_type, _ in interfaces}) == 1
    return interfaces[0][0], packets


def read_capture(path):
    """(link type, packets), each packet its bytes and its length on the wire, which some files put below the bytes."""
    with open(path, "rb") as file:
        data = file.read()
    link_type, packets = read_pcapng(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else read_pcap(data)
    return link_type, [(frame, max(length, len(frame))) for frame, length in packets]


def write_pcapng(path, frames, order="<"):
    """One section, one Ethernet interface, an enhanced packet block for each frame (bytes, or bytes and length)."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)

    with open(path, "wb") as out:
        out.write(block(SECTION, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1)))
        out.write(block(INTERFACE, struct.pack(order + "HHI", 1, 0, 262144)))
        for frame in frames:
            data, length = frame if isinstance(frame, tuple) else (frame, len(frame))
            out.write(block(ENHANCED, struct.pack(order + "IIIII", 0, 0, 0, len(data), length) + data))
