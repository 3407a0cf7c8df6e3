// SPDX-License-Identifier: MIT
/*
 * The picture as an SVG document of fixed size: nothing runs in it, nothing is fetched
 * for it. Lays the page out; the parts draw themselves.
 */
#include "config.h"

#include "ctl/heatmap.h"

#include "base/xalloc.h"
#include "ctl/legend.h"
#include "ctl/svg_cells.h"
#include "ctl/svg_legend.h"
#include "ctl/svg_page.h"
#include "ctl/svg_vms.h"
#include "ctl/xml.h"

/* The matrix is about as large as a window, its cells are whole pixels. */
#define SIDE_WANTED 896u
#define CELL_MAX 64u
/* From here on a cell is one pixel. */
#define TINY_CELLS 640u

#define WIDTH_MIN 760u
#define MARGIN 24u
#define LEFT_MIN 76u
#define HEAD 82u       /* title, source, facts */
#define LABEL_GAP 13u  /* between the baselines of two labels */
#define FLAT_LABEL 30u /* cells that are wide enough for a label that lies */

#define NAME_ROW 16u
#define NAME_COLUMN 200u
#define NAME_ROWS_MIN 14u
#define NAME_COLUMNS_MAX 3u

/* Characters of a width of 7 pixels each. */
#define CHAR_WIDTH 7u

static const char style[] =
	"<style>\n"
	"svg{font:12px \"DejaVu Sans\",Verdana,Arial,sans-serif}\n"
	".bg{fill:#fff}.ink{fill:#1d232a}.dim{fill:#5a646e}\n"
	".title{font-size:18px;font-weight:bold}\n"
	".line{stroke:#8a949e;fill:none}.mark{fill:#1d232a}\n"
	".tick,.number,.id,.top{text-anchor:middle}.side{text-anchor:end}\n"
	".up{text-anchor:start}.tick,.label{fill:#1d232a;font-size:11px}\n"
	".number,.id{font-size:10px;pointer-events:none}\n"
	".on-light{fill:#000}.on-dark{fill:#fff}\n"
	".self{fill:#9a9a9a}.stripe{stroke:#9a9a9a;stroke-width:1.5}\n"
	".pixels{image-rendering:crisp-edges;image-rendering:pixelated}\n"
	".blocks{fill:#000;fill-opacity:0}\n"
	".border{fill:none;pointer-events:none}.swatch{stroke:#8a949e}\n"
	"@media (prefers-color-scheme:dark){\n"
	".bg{fill:#15191e}.ink,.mark,.tick,.label{fill:#e4e8ec}.dim{fill:#a3adb7}\n"
	"}\n"
	"</style>\n";

static unsigned int
digits_of(const struct axis *a)
{
	unsigned int highest = 0;
	unsigned int n = 1;

	for (unsigned int at = 0; at < a->n; at++)
		highest = a->cpu[at] > highest ? a->cpu[at] : highest;
	while ((highest /= 10) > 0)
		n++;
	return n;
}

static void
layout_matrix(struct svg_page *p)
{
	unsigned int n = p->axis.n;
	unsigned int digits = digits_of(&p->axis);
	unsigned int labels;

	p->cell = n > TINY_CELLS ? 1 : 2;
	if (n > 0 && SIDE_WANTED / n > p->cell)
		p->cell = SIDE_WANTED / n < CELL_MAX ? SIDE_WANTED / n : CELL_MAX;
	if (p->cell < LABEL_GAP)
		p->small = 4 + digits * p->cell * 6 / 10;
	labels = p->small + digits * CHAR_WIDTH + 10;
	p->left = MARGIN + labels > LEFT_MIN ? MARGIN + labels : LEFT_MIN;
	p->top = HEAD + labels;
	p->side = n * p->cell;
}

static void
layout(struct svg_page *p)
{
	unsigned int n_vms = (unsigned int)p->h->n_vms;
	unsigned int bottom;

	layout_matrix(p);
	p->lanes_left = p->left + p->side + 12;
	p->lane = p->lanes.n <= 16 ? 14 : 7;
	p->names_left = p->lanes_left + p->lanes.n * p->lane + 14;
	p->name_rows = p->side / NAME_ROW;
	if (p->name_rows < NAME_ROWS_MIN)
		p->name_rows = NAME_ROWS_MIN;
	p->name_columns = (n_vms + p->name_rows - 1) / p->name_rows;
	if (p->name_columns > NAME_COLUMNS_MAX)
		p->name_columns = NAME_COLUMNS_MAX;
	p->width = p->left + p->side + MARGIN;
	if (n_vms > 0)
		p->width = p->names_left + p->name_columns * NAME_COLUMN;
	if (p->width < WIDTH_MIN)
		p->width = WIDTH_MIN;
	bottom = p->side;
	if (n_vms > 0 && p->name_rows * NAME_ROW > bottom)
		bottom = (n_vms < p->name_rows ? n_vms : p->name_rows) * NAME_ROW;
	if (bottom < p->side)
		bottom = p->side;
	p->legend_top = p->top + bottom + 16;
	p->height = p->legend_top + svg_legend_height(p) + MARGIN / 2;
}

static void
add_head(struct svg_page *p)
{
	auto_free char *facts = legend_facts(p->h->latency, &p->scale);
	size_t room = (p->width - MARGIN * 2) / CHAR_WIDTH;

	strbuf_addf(&p->out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg "
		"xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
		"viewBox=\"0 0 %u %u\">\n<title>",
		p->width, p->height, p->width, p->height);
	xml_add(&p->out, p->h->title, 200);
	strbuf_adds(&p->out, "</title>\n");
	strbuf_adds(&p->out, style);
	strbuf_adds(&p->out,
		"<defs><pattern id=\"none\" width=\"6\" height=\"6\" "
		"patternUnits=\"userSpaceOnUse\"><rect class=\"bg\" width=\"6\" "
		"height=\"6\"/><path class=\"stripe\" d=\"M-1 7L7 -1M-1 1L1 -1M5 7L7 "
		"5\"/></pattern></defs>\n"
		"<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n");
	strbuf_addf(&p->out, "<text class=\"ink title\" x=\"%u\" y=\"32\">", MARGIN);
	xml_add(&p->out, p->h->title, room * 2 / 3);
	strbuf_addf(&p->out, "</text>\n<text class=\"dim\" x=\"%u\" y=\"52\">", MARGIN);
	xml_add(&p->out, p->h->latency->source, room);
	strbuf_addf(&p->out,
		"</text>\n<text class=\"dim\" x=\"%u\" y=\"69\">%s</text>\n", MARGIN,
		facts);
}

/* One CPU's number left of the matrix and above it. */
static void
add_label(struct svg_page *p, unsigned int at)
{
	unsigned int middle = at * p->cell + p->cell / 2;
	unsigned int cpu = p->axis.cpu[at];
	/* Behind the small numbers. */
	unsigned int x = p->left - p->small - 6;
	unsigned int y = p->top - p->small - 6;

	strbuf_addf(&p->out, "<text class=\"label side\" x=\"%u\" y=\"%u\">%u</text>",
		x, p->top + middle + 4, cpu);
	if (p->cell >= FLAT_LABEL)
		strbuf_addf(&p->out,
			"<text class=\"label top\" x=\"%u\" y=\"%u\">%u</text>\n",
			p->left + middle, y, cpu);
	else
		strbuf_addf(&p->out,
			"<text class=\"label up\" transform=\"translate(%u %u) "
			"rotate(-90)\">%u</text>\n",
			p->left + middle + 4, y, cpu);
}

/* All numbers, as high as a cell: they can be read when zoomed in. */
static void
add_small_labels(struct svg_page *p)
{
	/* Beyond the borders. */
	double away = 1.5 + p->cell * 0.2;

	strbuf_addf(&p->out, "<g class=\"dim\" style=\"font-size:%.2fpx\">\n",
		p->cell * 0.85);
	for (unsigned int at = 0; at < p->axis.n; at++) {
		double foot = at * p->cell + p->cell * 0.8;

		strbuf_addf(&p->out,
			"<text class=\"side\" x=\"%.1f\" y=\"%.1f\">%u</text><text "
			"transform=\"translate(%.1f %.1f) rotate(-90)\">%u</text>\n",
			p->left - away, p->top + foot, p->axis.cpu[at], p->left + foot,
			p->top - away, p->axis.cpu[at]);
	}
	strbuf_adds(&p->out, "</g>\n");
}

static void
add_labels(struct svg_page *p)
{
	auto_free bool *labelled = xcalloc(p->axis.n, sizeof(*labelled));
	unsigned int gap = (LABEL_GAP + p->cell - 1) / p->cell;

	strbuf_adds(&p->out, "<g id=\"cpus\">\n");
	axis_labels(&p->axis, gap, labelled);
	for (unsigned int at = 0; at < p->axis.n; at++) {
		if (labelled[at])
			add_label(p, at);
	}
	if (gap > 1)
		add_small_labels(p);
	strbuf_adds(&p->out, "</g>\n");
}

char *
heatmap_svg(const struct heatmap *h)
{
	struct svg_page p = {.h = h};

	axis_init(&p.axis, h->latency);
	scale_fit(h->latency->matrix, &p.scale);
	lanes_init(&p.lanes, h, &p.axis);
	layout(&p);
	add_head(&p);
	add_labels(&p);
	svg_cells_add(&p);
	svg_cells_add_borders(&p);
	svg_vms_add(&p);
	svg_legend_add(&p);
	strbuf_adds(&p.out, "</svg>\n");
	lanes_fini(&p.lanes);
	axis_fini(&p.axis);
	return strbuf_take(&p.out);
}
