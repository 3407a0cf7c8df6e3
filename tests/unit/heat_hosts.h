// SPDX-License-Identifier: MIT
/* Latencies whose pictures are known, VMs with bad names, and looking for text. */
#ifndef QMPIN_TESTS_HEAT_HOSTS_H
#define QMPIN_TESTS_HEAT_HOSTS_H

#include <stddef.h>

#include "ctl/heatmap.h"

/** Add a tier of @n domains, cpulists. */
void heat_tier(
	struct ctl_latency *l, double ns, const char *const *domains, unsigned int n);

/** @n CPUs (16, 24, 32 ...), the second half siblings of the first: 8 ns between
 * siblings, 25 in groups of eight, 100 in halves, 220 beyond. ctl_latency_fini it. */
struct ctl_latency heat_host(unsigned int n);

/** All pairs alike, no tiers. */
struct ctl_latency heat_plain(unsigned int n, float ns);

/* A name that tries everything. */
extern const char heat_hostile[];

/** Three VMs, two of them with that name or id. */
const struct heatmap_vm *heat_vms(void);

/** How often @what is in @text. */
size_t heat_count(const char *text, const char *what);

void heat_expect_has(const char *text, const char *what);
void heat_expect_lacks(const char *text, const char *what);

#endif
