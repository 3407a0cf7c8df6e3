// SPDX-License-Identifier: MIT
/* The scale of colours lies under the matrix, tiers are numbered above it. */
#include "config.h"

#include "ctl/svg_legend.h"

#include <math.h>
#include <stdlib.h>

#include "base/attr.h"
#include "ctl/legend.h"
#include "ctl/palette.h"

#define BAR_WIDTH 480u
#define BAR_TOP 26u
#define BAR_HEIGHT 16u
#define LINE_HEIGHT 18u
#define FIRST_LINE 84u /* of the tiers */

/* Labels under the bar and marks above it are at least so far apart. */
#define TICK_GAP 34.0
#define MARK_GAP 14.0

unsigned int
svg_legend_height(const struct svg_page *p)
{
	return FIRST_LINE + LINE_HEIGHT * p->axis.n_tiers;
}

static void
add_bar(struct svg_page *p)
{
	strbuf_adds(&p->out, "<defs><linearGradient id=\"scale\">");
	for (unsigned int i = 0; i <= 20; i++) {
		struct palette_rgb c = palette_heat(i / 20.0);

		strbuf_addf(&p->out,
			"<stop offset=\"%u%%\" stop-color=\"#%02x%02x%02x\"/>", i * 5,
			c.r, c.g, c.b);
	}
	strbuf_addf(&p->out,
		"</linearGradient></defs>\n<rect fill=\"url(#scale)\" x=\"%u\" "
		"y=\"%u\" width=\"%u\" height=\"%u\"/>\n",
		p->left, p->legend_top + BAR_TOP, BAR_WIDTH, BAR_HEIGHT);
}

static double
place_of(const struct svg_page *p, double ns)
{
	return p->left + BAR_WIDTH * scale_at(&p->scale, ns);
}

static void
add_ticks(struct svg_page *p)
{
	unsigned int y = p->legend_top + BAR_TOP + BAR_HEIGHT;
	double ticks[32];
	size_t n = scale_ticks(&p->scale, ticks, ARRAY_LEN(ticks));
	double last = -TICK_GAP;

	for (size_t i = 0; i < n; i++) {
		double x = place_of(p, ticks[i]);

		if (x - last < TICK_GAP)
			continue;
		last = x;
		strbuf_addf(&p->out,
			"<path class=\"line\" d=\"M%.1f %uv5\"/><text class=\"tick\" "
			"x=\"%.1f\" y=\"%u\">%g</text>\n",
			x, y, x, y + 18, ticks[i]);
	}
	strbuf_addf(&p->out, "<text class=\"dim\" x=\"%u\" y=\"%u\">ns%s%s</text>\n",
		p->left + BAR_WIDTH + 16, y - 3, p->scale.log ? ", logarithmic" : "",
		p->scale.cut ? ", a few are above the scale" : "");
}

/* Where each tier's latency lies on the bar. */
static void
add_marks(struct svg_page *p)
{
	double last = -MARK_GAP;

	for (unsigned int t = 0; t < p->axis.n_tiers; t++) {
		double ns = p->h->latency->tiers[t].latency_ns;
		double x = place_of(p, ns);
		double text = fmax(x, last + MARK_GAP);
		unsigned int y = p->legend_top + BAR_TOP;

		if (ns <= 0)
			continue;
		last = text;
		strbuf_addf(&p->out,
			"<path class=\"mark\" d=\"M%.1f %ul-4 -7h8z\"/><text "
			"class=\"tick\" x=\"%.1f\" y=\"%u\">%u</text>\n",
			x, y - 1, text, y - 11, t + 1);
	}
}

static void
add_tiers(struct svg_page *p)
{
	for (unsigned int t = 0; t < p->axis.n_tiers; t++) {
		auto_free char *text = legend_tier(p->h->latency, &p->axis, t);

		strbuf_addf(&p->out,
			"<text class=\"ink\" x=\"%u\" y=\"%u\">%s</text>\n", p->left,
			p->legend_top + FIRST_LINE + t * LINE_HEIGHT, text);
	}
}

static void
add_none(struct svg_page *p)
{
	unsigned int y = p->legend_top + BAR_TOP + BAR_HEIGHT + 6;
	unsigned int x = p->left + BAR_WIDTH + 16;

	if (p->scale.n_none == 0)
		return;
	strbuf_addf(&p->out,
		"<rect fill=\"url(#none)\" class=\"swatch\" x=\"%u\" y=\"%u\" "
		"width=\"14\" height=\"14\"/><text class=\"dim\" x=\"%u\" y=\"%u\">no "
		"result</text>\n",
		x, y, x + 20, y + 11);
}

void
svg_legend_add(struct svg_page *p)
{
	strbuf_adds(&p->out, "<g id=\"legend\">\n");
	if (p->scale.n_results > 0) {
		add_bar(p);
		add_ticks(p);
		add_marks(p);
	}
	add_none(p);
	add_tiers(p);
	strbuf_adds(&p->out, "</g>\n");
}
