// SPDX-License-Identifier: MIT
/*
 * A picture in the making: what is shown, where things lie, what is written so far.
 * Lengths are pixels. Pure.
 */
#ifndef QMPIN_CTL_SVG_PAGE_H
#define QMPIN_CTL_SVG_PAGE_H

#include "base/str.h"
#include "ctl/axis.h"
#include "ctl/heatmap.h"
#include "ctl/lanes.h"
#include "ctl/scale.h"

struct svg_page {
	const struct heatmap *h;
	struct axis axis;
	struct scale scale;
	struct lanes lanes;
	unsigned int cell;  /* side of a pair */
	unsigned int small; /* length of the small labels; 0: there are none */
	unsigned int left;  /* of the matrix */
	unsigned int top;
	unsigned int side;	 /* of the matrix */
	unsigned int lanes_left; /* VMs, right of the matrix */
	unsigned int lane;	 /* width of one */
	unsigned int names_left; /* names of VMs */
	unsigned int name_rows;	 /* in a column */
	unsigned int name_columns;
	unsigned int legend_top; /* below all that */
	unsigned int width;
	unsigned int height;
	struct strbuf out;
};

/** Latency of two positions; 0: no result. */
static inline double
svg_page_ns(const struct svg_page *p, unsigned int y, unsigned int x)
{
	return (double)matrix_at(p->h->latency->matrix, p->axis.row[y], p->axis.row[x])
		->ns;
}

#endif
