# SPDX-License-Identifier: BSD-2-Clause
"""What the kernel holds, asked of the kernel itself and not of Sluice: programs, maps, links, pins, attachments."""
import ctypes
import os
import re
import time

libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)

KINDS = {"anon_inode:bpf-prog": "prog", "anon_inode:bpf-map": "map", "anon_inode:bpf-link": "link",
         "anon_inode:bpf_link": "link"}
NAME_AT = {"prog": 64, "map": 24}  # offset of `name` in struct bpf_prog_info, bpf_map_info; a link has none
MODES = {"native": 1 << 2, "generic": 1 << 1}  # XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE
PROG_ARRAY = 3  # enum bpf_map_type
OURS = re.compile(r"sluice|counters$|rules$|block_|set_|gate|record$")  # names of programs and maps


def info(descriptor):
    """(id, raw struct bpf_*_info); in all three the id is the second word."""
    raw = ctypes.create_string_buffer(256)
    size = ctypes.c_uint32(len(raw))
    if libbpf.bpf_obj_get_info_by_fd(descriptor, raw, ctypes.byref(size)):
        raise OSError(ctypes.get_errno(), "bpf_obj_get_info_by_fd")
    return int.from_bytes(raw[4:8], "little"), raw.raw


def all_objects():
    """{(kind, id)} of everything the kernel has."""
    found = set()
    for kind in ("prog", "map", "link"):
        following = getattr(libbpf, f"bpf_{kind}_get_next_id")
        number = ctypes.c_uint32(0)
        while following(number, ctypes.byref(number)) == 0:
            found.add((kind, number.value))
    return found


def name_of(kind, number):
    """"link" for a link, which has none; None for what is gone, and for a prog array: the kernel loses count of one that
    somebody looks at as it is let go (prog_array_map_clear takes a reference for work that may be queued already), so an
    empty one may be left over."""
    descriptor = getattr(libbpf, f"bpf_{kind}_get_fd_by_id")(number)
    if descriptor < 0:
        return None
    raw = info(descriptor)[1]
    os.close(descriptor)
    if kind == "map" and int.from_bytes(raw[:4], "little") == PROG_ARRAY:
        return None
    at = NAME_AT.get(kind)
    return raw[at:at + 16].split(b"\0")[0].decode() if at else "link"


def pinned(root):
    """{path below root: (kind, id)} of everything pinned there, folders as ("folder", 0), what cannot be opened as
    ("nothing", 0)."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders:
            found[os.path.relpath(os.path.join(folder, name), root)] = "folder", 0
        for name in files:
            path = os.path.join(folder, name)
            descriptor = libbpf.bpf_obj_get(path.encode())
            if descriptor < 0:
                found[os.path.relpath(path, root)] = "nothing", 0
                continue
            kind = KINDS[os.readlink(f"/proc/self/fd/{descriptor}")]
            found[os.path.relpath(path, root)] = kind, info(descriptor)[0]
            os.close(descriptor)
    return found


def attached(ifindex):
    """{mode: id} of the XDP programs on an interface of the namespace this thread is in, whoever put them there."""
    found = {}
    for mode, flag in MODES.items():
        number = ctypes.c_uint32(0)
        if libbpf.bpf_xdp_query_id(ifindex, flag, ctypes.byref(number)):
            raise OSError(ctypes.get_errno(), "bpf_xdp_query_id")
        if number.value:
            found[mode] = number.value
    return found


def held_by_processes():
    """{(kind, id)} that the descriptors of any process hold."""
    found = set()
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            for descriptor in os.listdir(f"/proc/{process}/fd"):
                if os.readlink(f"/proc/{process}/fd/{descriptor}").startswith("anon_inode:bpf"):
                    with open(f"/proc/{process}/fdinfo/{descriptor}") as file:
                        found |= {(kind, int(number)) for kind, number in
                                  re.findall(r"^(prog|map|link)_id:\s*(\d+)", file.read(), re.M)}
        except OSError:
            continue
    return found


def left_over(before, root, seconds=10):
    """{(kind, id): name} of objects by Sluice that appeared since `before`, an answer of all_objects(), and that no
    process and no pin outside of `root` accounts for. The kernel lets go of some a moment late; other runs of Sluice
    come and go meanwhile, with a root of their own."""
    end = time.monotonic() + seconds
    suspects = all_objects() - before
    while suspects and time.monotonic() < end:
        time.sleep(0.5)
        suspects &= all_objects()
        others = held_by_processes()
        for folder in os.listdir("/sys/fs/bpf"):
            path = os.path.join("/sys/fs/bpf", folder)
            if path != root and os.path.isdir(path):
                others |= set(pinned(path).values())
        suspects -= others | behind(others)
    named = {key: name_of(*key) for key in suspects}
    return {key: name for key, name in named.items() if name and (name == "link" or OURS.search(name))}


def behind(objects):
    """The programs of the links among them, and the maps of these and of the programs among them."""
    found, programs = set(), {number for kind, number in objects if kind == "prog"}
    for kind, number in objects:
        if kind == "link":
            descriptor = libbpf.bpf_link_get_fd_by_id(number)
            if descriptor >= 0:
                programs.add(int.from_bytes(info(descriptor)[1][8:12], "little"))
                os.close(descriptor)
    for number in programs:
        descriptor = libbpf.bpf_prog_get_fd_by_id(number)
        if descriptor < 0:
            continue
        found.add(("prog", number))
        raw = ctypes.create_string_buffer(256)
        ids = (ctypes.c_uint32 * 64)()
        raw[52:56] = (64).to_bytes(4, "little")  # nr_map_ids
        raw[56:64] = ctypes.addressof(ids).to_bytes(8, "little")
        size = ctypes.c_uint32(len(raw))
        if not libbpf.bpf_obj_get_info_by_fd(descriptor, raw, ctypes.byref(size)):
            count = int.from_bytes(raw[52:56], "little")
            found |= {("map", ids[i]) for i in range(min(count, 64))}
        os.close(descriptor)
    return found
