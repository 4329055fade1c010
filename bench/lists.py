# SPDX-License-Identifier: BSD-2-Clause
"""Lists of prefixes to block: the same on every machine, none twice, a million in a few seconds. A prefix is (address,
length), the address an integer."""
import random

SEED = 1
FIRST4, LAST4 = 1 << 24, 224 << 24  # unicast: below is "this network", above multicast
LENGTHS6 = {32: 5, 40: 5, 48: 20, 56: 10, 64: 40, 128: 20}  # per cent
FEW = 8  # at most one in so many of the prefixes that there are of a length


def _drawn(rng, length, count, found):
    """Adds `count` IPv4 prefixes of one length that are not in `found`, and none of 127.0.0.0/8, which no wire brings."""
    wanted = len(found) + count
    shift, room = 32 - length, LAST4 - FIRST4
    while len(found) < wanted:
        address = FIRST4 + int(rng.random() * room) >> shift << shift
        if address >> 24 != 127 and address >= FIRST4:
            found.add((address, length))


def blocklist4(count):
    """As published lists are: 85 % single addresses, 12 % /24, the rest every other length from /16 to /31."""
    rng, found = random.Random(SEED), set()
    rest = [length for length in range(16, 32) if length != 24]
    for length in rest:
        _drawn(rng, length, max(1, count * 3 // 100 // len(rest)), found)
    _drawn(rng, 24, count * 12 // 100, found)
    _drawn(rng, 32, count - len(found), found)
    return sorted(found)


def lengths4(count):
    """Every length from /8 to /32 alike, as far as there are so many; one inside another, again and again."""
    rng, found = random.Random(SEED), set()
    for length in range(8, 33):
        share = (count - len(found)) // (33 - length)
        _drawn(rng, length, min(share, 2**length // FEW), found)
    return sorted(found)


def blocklist6(count):
    """Networks and hosts in 2000::/3."""
    rng, found = random.Random(SEED), set()
    wanted = 0
    for length, share in LENGTHS6.items():
        wanted = count if length == 128 else wanted + count * share // 100
        shift = 128 - length
        while len(found) < wanted:
            found.add(((0x2 << 124 | rng.getrandbits(125)) >> shift << shift, length))
    return sorted(found)


def text(prefix, family):
    address, length = prefix
    if family == 4:
        return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}/{length}"
    groups = f"{address:032x}"
    return ":".join(groups[i:i + 4] for i in range(0, 32, 4)) + f"/{length}"


def apart(prefixes, family):
    """Those that no other one covers: nftables takes no interval inside another. `prefixes` is sorted."""
    bits, end = 32 if family == 4 else 128, -1
    for address, length in prefixes:
        if address > end:
            end = address + (1 << bits - length) - 1
            yield address, length


def write(path, prefixes, family):
    """Shuffled: a list from the world is in no order that helps anyone."""
    lines = [text(p, family) for p in prefixes]
    random.Random(SEED).shuffle(lines)
    with open(path, "w") as out:
        out.write("\n".join(lines) + "\n")
