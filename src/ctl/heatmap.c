// SPDX-License-Identifier: MIT
/* The order of a picture's CPUs; the pictures are in heatmap_svg.c and heatmap_text.c.
 */
#include "config.h"

#include "ctl/heatmap.h"

#include <string.h>

#include "ctl/axis.h"

void
heatmap_order(const struct ctl_latency *l, unsigned int *out)
{
	struct axis a;

	axis_init(&a, l);
	if (a.n > 0)
		memcpy(out, a.row, a.n * sizeof(*out));
	axis_fini(&a);
}
