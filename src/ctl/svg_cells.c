// SPDX-License-Identifier: MIT
/*
 * Few pairs are drawn one by one, with their numbers. Many are one image: as shapes of
 * their own, those of 512 CPUs would be 10 MB and seconds in a browser.
 */
#include "config.h"

#include "ctl/svg_cells.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "ctl/legend.h"
#include "ctl/png.h"

/* CPUs up to which pairs are drawn one by one: 4096 shapes, 300 kB. */
#define SINGLE_MAX 64u

/* A number fits in a cell of this side. */
#define NUMBER_SIDE 24u

/* Blocks with a text of their own, in each direction. */
#define BLOCKS_MAX 64u

/* Domains that are smaller on the page get no border. */
#define BORDER_SIDE 10u

static void
add_pair(struct svg_page *p, unsigned int y, unsigned int x)
{
	double ns = svg_page_ns(p, y, x);
	struct palette_rgb c = palette_heat(scale_at(&p->scale, ns));
	const unsigned int *cpu = p->axis.cpu;
	char text[32];

	strbuf_addf(&p->out, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" ",
		p->left + x * p->cell, p->top + y * p->cell, p->cell, p->cell);
	if (ns <= 0) {
		strbuf_addf(&p->out,
			"fill=\"url(#none)\"><title>CPUs %u and %u: no result"
			"</title></rect>\n",
			cpu[y], cpu[x]);
		return;
	}
	strbuf_addf(&p->out,
		"fill=\"#%02x%02x%02x\"><title>CPUs %u and %u: %.1f ns</title></rect>\n",
		c.r, c.g, c.b, cpu[y], cpu[x], ns);
	if (p->cell >= NUMBER_SIDE)
		strbuf_addf(&p->out,
			"<text class=\"number %s\" x=\"%u\" y=\"%u\">%s</text>\n",
			palette_is_light(c) ? "on-light" : "on-dark",
			p->left + x * p->cell + p->cell / 2,
			p->top + y * p->cell + p->cell / 2 + 4,
			legend_number(ns, text, sizeof(text)));
}

static void
add_pairs(struct svg_page *p)
{
	for (unsigned int y = 0; y < p->axis.n; y++) {
		for (unsigned int x = 0; x < p->axis.n; x++) {
			if (x != y)
				add_pair(p, y, x);
		}
	}
}

static void
add_image(struct svg_page *p)
{
	unsigned int n = p->axis.n;
	auto_free uint8_t *pixels = xcalloc((size_t)n * n, 1);
	struct palette_rgb colours[PALETTE_LEVELS];

	for (unsigned int y = 0; y < n; y++) {
		for (unsigned int x = 0; x < n; x++) {
			double ns = x == y ? 0 : svg_page_ns(p, y, x);
			unsigned int level = PALETTE_LEVELS;

			if (ns > 0)
				level = palette_level(scale_at(&p->scale, ns));
			pixels[(size_t)y * n + x] = (uint8_t)level;
		}
	}
	for (unsigned int i = 0; i < PALETTE_LEVELS; i++)
		colours[i] = palette_of_level(i);
	strbuf_addf(&p->out,
		"<image class=\"pixels\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" "
		"preserveAspectRatio=\"none\" href=\"",
		p->left, p->top, p->side, p->side);
	png_add_uri(&p->out, pixels, n, colours, PALETTE_LEVELS);
	strbuf_adds(&p->out, "\"/>\n");
}

/* --- Blocks of pairs that are alike ------------------------------------------------
 */

/* A run of positions; a tier cuts the axis into them. */
struct run {
	unsigned int from;
	unsigned int to;
};

static int
compare_ns(const void *va, const void *vb)
{
	const double *a = va;
	const double *b = vb;

	return *a < *b ? -1 : *a > *b;
}

static void
add_block_title(struct svg_page *p, const struct run *ry, const struct run *rx)
{
	struct cpuset cpus_y = axis_cpus(&p->axis, ry->from, ry->to);
	struct cpuset cpus_x = axis_cpus(&p->axis, rx->from, rx->to);
	char text_y[64];
	char text_x[64];

	cpuset_format(&cpus_y, text_y, sizeof(text_y));
	cpuset_format(&cpus_x, text_x, sizeof(text_x));
	if (rx == ry)
		strbuf_addf(&p->out, "<title>CPUs %s: ", text_y);
	else
		strbuf_addf(&p->out, "<title>CPUs %s and %s: ", text_y, text_x);
}

/* @ns  scratch for the values of the block */
static void
add_block(struct svg_page *p, const struct run *ry, const struct run *rx, double *ns)
{
	size_t n = 0;

	for (unsigned int y = ry->from; y < ry->to; y++) {
		for (unsigned int x = rx->from; x < rx->to; x++) {
			if (x != y && svg_page_ns(p, y, x) > 0)
				ns[n++] = svg_page_ns(p, y, x);
		}
	}
	qsort(ns, n, sizeof(*ns), compare_ns);
	strbuf_addf(&p->out, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\">",
		p->left + rx->from * p->cell, p->top + ry->from * p->cell,
		(rx->to - rx->from) * p->cell, (ry->to - ry->from) * p->cell);
	add_block_title(p, ry, rx);
	if (n == 0)
		strbuf_adds(&p->out, "no result");
	else
		strbuf_addf(&p->out, "median %.1f ns, %.1f to %.1f", ns[n / 2], ns[0],
			ns[n - 1]);
	strbuf_adds(&p->out, "</title></rect>\n");
}

/* The nearest tier that has few enough domains; -1: none. */
static int
block_tier(const struct svg_page *p)
{
	for (unsigned int t = 0; t < p->axis.n_tiers; t++) {
		if (axis_runs(&p->axis, t) <= BLOCKS_MAX)
			return (int)t;
	}
	return -1;
}

static void
add_blocks(struct svg_page *p)
{
	int tier = block_tier(p);
	struct run runs[BLOCKS_MAX];
	unsigned int n = 0;
	auto_free double *ns = xcalloc((size_t)p->axis.n * p->axis.n, sizeof(*ns));

	if (tier < 0)
		return;
	for (unsigned int at = 0; at < p->axis.n; at = runs[n++].to)
		runs[n] = (struct run){at, axis_end(&p->axis, (unsigned int)tier, at)};
	strbuf_adds(&p->out, "<g class=\"blocks\">\n");
	for (unsigned int y = 0; y < n; y++) {
		for (unsigned int x = 0; x < n; x++)
			add_block(p, &runs[y], &runs[x], ns);
	}
	strbuf_adds(&p->out, "</g>\n");
}

/* --- All of it ---------------------------------------------------------------------
 */

static void
add_diagonal(struct svg_page *p)
{
	strbuf_adds(&p->out, "<path class=\"self\" d=\"");
	for (unsigned int i = 0; i < p->axis.n; i++)
		strbuf_addf(&p->out, "M%u %uh%uv%uh-%uz", p->left + i * p->cell,
			p->top + i * p->cell, p->cell, p->cell, p->cell);
	strbuf_adds(&p->out, "\"/>\n");
}

void
svg_cells_add(struct svg_page *p)
{
	if (p->axis.n == 0)
		return;
	strbuf_addf(&p->out,
		"<g id=\"matrix\" shape-rendering=\"crispEdges\">\n<rect "
		"fill=\"url(#none)\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\"/>\n",
		p->left, p->top, p->side, p->side);
	if (p->axis.n <= SINGLE_MAX) {
		add_pairs(p);
		add_diagonal(p);
	} else {
		add_image(p);
		add_diagonal(p);
		add_blocks(p);
	}
	strbuf_adds(&p->out, "</g>\n");
}

static void
add_border_path(struct svg_page *p, unsigned int tier)
{
	for (unsigned int at = 0, end; at < p->axis.n; at = end) {
		unsigned int side;

		end = axis_end(&p->axis, tier, at);
		side = (end - at) * p->cell;
		if (end - at > 1 && side >= BORDER_SIDE)
			strbuf_addf(&p->out, "M%u %uh%uv%uh-%uz",
				p->left + at * p->cell, p->top + at * p->cell, side,
				side, side);
	}
}

void
svg_cells_add_borders(struct svg_page *p)
{
	/* On small cells thin ones, that hide no pair. */
	double scale = p->cell < 12 ? 0.4 : 1;

	for (unsigned int t = 0; t < p->axis.n_tiers; t++) {
		double width = scale * (t < 2 ? t + 1 : 3);

		if (axis_runs(&p->axis, t) <= 1)
			continue;
		strbuf_addf(&p->out, "<defs><path id=\"tier%u\" d=\"", t + 1);
		add_border_path(p, t);
		/* Light in dark: to be seen on every colour of the scale. */
		strbuf_addf(&p->out,
			"\"/></defs>\n<g class=\"border\"><use href=\"#tier%u\" "
			"stroke=\"#000\" stroke-width=\"%.1f\"/><use "
			"href=\"#tier%u\" stroke=\"#fff\" "
			"stroke-width=\"%.1f\"/></g>\n",
			t + 1, width + 2 * scale, t + 1, width);
	}
}
