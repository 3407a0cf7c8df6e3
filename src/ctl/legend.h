// SPDX-License-Identifier: MIT
/* The words beside a picture, the same in a browser and on a terminal. Pure. */
#ifndef QMPIN_CTL_LEGEND_H
#define QMPIN_CTL_LEGEND_H

#include <stddef.h>

#include "base/attr.h"
#include "ctl/axis.h"
#include "ctl/latency.h"
#include "ctl/scale.h"

/** "5.3" or "104". */
char *legend_number(double ns, char *buf, size_t size);

/** "tier 2: 41 ns, 16 domains of 8 CPUs, confidence 98 %"; new string, free() it. */
char *legend_tier(const struct ctl_latency *l, const struct axis *a, unsigned int tier);

/** "512 CPUs, trusted, 3 of 130816 pairs without result"; new string,
 * free() it.
 */
char *legend_facts(const struct ctl_latency *l, const struct scale *s);

#endif
