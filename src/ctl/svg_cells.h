// SPDX-License-Identifier: MIT
/* The matrix of an SVG picture. Pure. */
#ifndef QMPIN_CTL_SVG_CELLS_H
#define QMPIN_CTL_SVG_CELLS_H

#include "ctl/svg_page.h"

/** The pairs, and the text that a pointer resting on them brings up. */
void svg_cells_add(struct svg_page *p);

/** Squares around the domains. */
void svg_cells_add_borders(struct svg_page *p);

#endif
