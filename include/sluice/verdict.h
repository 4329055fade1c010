/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* What XDP tells the kernel. The numbers are those of enum xdp_action (linux/bpf.h). */
#ifndef SLUICE_VERDICT_H
#define SLUICE_VERDICT_H

/* X(number, SYMBOL, name) */
#define SLUICE_VERDICTS(X) \
	X(0, ABORTED, "aborted") \
	X(1, DROP, "drop") \
	X(2, PASS, "pass") \
	X(3, TX, "tx") \
	X(4, REDIRECT, "redirect")

#define X(number, symbol, name) VERDICT_##symbol = (number),
enum verdict {
	SLUICE_VERDICTS(X)
	/* How many there are. */
	VERDICT_COUNT,
	/* A stage that does not decide: the packet goes on to the next one. */
	NEXT = VERDICT_COUNT,
};
#undef X

#endif
