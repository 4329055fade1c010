// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * Hello World in eBPF: the kernel runs this for each packet that arrives on an interface. It says so and counts.
 *
 * This file and the object made of it need nothing of Sluice. As root, with the name of your interface for eth0:
 *
 *   clang -O2 -g -target bpf -mcpu=v3 -c hello.bpf.c -o hello.bpf.o     compile (on Debian and Ubuntu add
 *                                                                       -I/usr/include/$(uname -m)-linux-gnu)
 *   ip link set dev eth0 xdp obj hello.bpf.o sec xdp                    check, load and attach
 *   cat /sys/kernel/tracing/trace_pipe                                  read what it says
 *   bpftool map dump name hello.bss                                     read the counter
 *   ip link set dev eth0 xdp off                                        detach; nobody holds it any more: unloaded
 *
 * `sluice hello eth0` does the same in small steps and shows what happens inside.
 */

/* The kernel's side of the contract: struct xdp_md, XDP_PASS. */
#include <linux/bpf.h>
/* libbpf's side: SEC, bpf_printk, and a declaration for each function that the kernel offers to BPF programs. */
#include <bpf/bpf_helpers.h>

/*
 * A program cannot keep anything in itself from one packet to the next: whatever lasts is in a map. For a global
 * variable the compiler and the loader make one: an array with a single element, called hello.bss. It is shared by all
 * CPUs, lives as long as somebody holds it, and can be read from outside while packets pass.
 */
__u64 packets;

/*
 * The section says what the program is for: "xdp" runs it in the network driver, as soon as a packet has arrived and
 * before the kernel has done anything with it. The argument says where the bytes of the packet are; this program does
 * not look.
 */
SEC("xdp")
int hello(struct xdp_md *ctx)
{
	/* Several CPUs can be here at the same time, each with a packet of its own. Adding
	 * and reading in one atomic step gives each packet a number of its own;
	 * `packets++` would lose some. */
	__u64 number = __sync_fetch_and_add(&packets, 1) + 1;

	/* Calls the kernel's bpf_trace_printk, which writes a line into the trace. Good for
	 * learning and for finding mistakes; too slow for each packet of a busy interface,
	 * and every program on the machine writes into the same trace. */
	bpf_printk("Hello World %llu", number);

	/* The verdict: let the packet go on its way. The others are XDP_DROP, XDP_TX (send it
	 * back out), XDP_REDIRECT, and XDP_ABORTED (a mistake: drop it and leave a trace). */
	return XDP_PASS;
}

/* bpf_trace_printk is only for programs whose licence goes with the kernel's. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";
