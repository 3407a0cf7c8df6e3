// SPDX-License-Identifier: MIT
/* What the colours of an SVG picture mean. Pure. */
#ifndef QMPIN_CTL_SVG_LEGEND_H
#define QMPIN_CTL_SVG_LEGEND_H

#include "ctl/svg_page.h"

/** Height of the legend. */
unsigned int svg_legend_height(const struct svg_page *p);

/** From legend_top: the scale with the tiers' marks, the tiers. */
void svg_legend_add(struct svg_page *p);

#endif
