# SPDX-License-Identifier: BSD-2-Clause
"""XDP programs of somebody else: a trivial one, and the ways in which it gets onto an interface.

Run as a program, `foreign.py PIN INTERFACE`, it holds the pinned program there by a bpf_link until its input ends."""
import ctypes
import os
import socket
import subprocess
import sys

BPF_XDP = 37  # enum bpf_attach_type

SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int foreign(struct xdp_md *ctx) { return XDP_PASS; }
char LICENSE[] SEC("license") = "GPL";
"""


def build(folder):
    path = os.path.join(folder, "foreign.bpf.o")
    include = "/usr/include/" + os.uname().machine + "-linux-gnu"
    command = ["clang-19", "-O2", "-g", "-target", "bpf", "-mcpu=v3", f"-I{include}", "-x", "c", "-", "-c", "-o", path]
    subprocess.run(command, input=SOURCE.encode(), check=True)
    return path


def by_ip(host, interface, program, kind="xdpdrv"):
    host.ip("link", "set", "dev", interface, kind, "obj", program, "sec", "xdp")


def by_bpftool(host, interface, program, pin, kind="xdpdrv"):
    host.run("bpftool", "prog", "load", program, pin, "type", "xdp")
    host.run("bpftool", "net", "attach", kind, "pinned", pin, "dev", interface)


def by_xdp_loader(host, interface, program):
    host.run("xdp-loader", "load", "-m", "native", interface, program)


def by_process(host, interface, program, pin):
    """Returns the process that holds it."""
    host.run("bpftool", "prog", "load", program, pin, "type", "xdp")
    holder = host.start("/usr/bin/python3", __file__, pin, interface, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"attached\n"
    return holder


def main():
    libbpf = ctypes.CDLL("libbpf.so.1")
    program = libbpf.bpf_obj_get(sys.argv[1].encode())
    link = libbpf.bpf_link_create(program, socket.if_nametoindex(sys.argv[2]), BPF_XDP, None)
    os.close(program)
    print("attached" if link >= 0 else f"refused: {link}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
