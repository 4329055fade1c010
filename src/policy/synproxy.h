/* SPDX-License-Identifier: BSD-2-Clause */
/* The synproxy of an interface, as a tree: services in their order, each as its author wrote it. */
#ifndef SLUICE_POLICY_SYNPROXY_H
#define SLUICE_POLICY_SYNPROXY_H

#include "policy/filter.h"

/* Each `where` has line 0 while the service does not have that part. */
struct synproxy_rule {
	struct location where; /* of `tcp` */
	struct filter_addresses destination;
	struct filter_values ports;
	uint32_t above; /* SYNs a second; 0: not written, the service is always armed */
	struct location above_where;
	bool gateway;
	struct location gateway_where;
};

struct synproxy {
	struct location where; /* line 0: the interface has no synproxy stage */
	struct synproxy_rule *rules;
	size_t rule_count, rule_capacity;
};

/* One service in canonical form, on one line without its end. */
void synproxy_print_rule(FILE *out, const struct synproxy_rule *rule);

/* The same without the rate that arms it: what makes two services the same one. */
void synproxy_print_service(FILE *out, const struct synproxy_rule *rule);

/* The same as a text that the caller frees. */
char *synproxy_service_text(const struct synproxy_rule *rule);

/* Refuses a service that is there twice. Returns 0, or -EINVAL with `error` set. */
int synproxy_check(const struct synproxy *synproxy, struct error *error);

void synproxy_free(struct synproxy *synproxy);

#endif
