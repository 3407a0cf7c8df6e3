// SPDX-License-Identifier: MIT
/*
 * The picture in characters. A few CPUs are a table of numbers; with colours, a
 * character is two pairs, one above the other; without, a pair is two characters side
 * by side. Either way pairs are about square, and the denser or lighter the nearer.
 */
#include "config.h"

#include "ctl/heatmap.h"

#include <string.h>

#include "base/xalloc.h"
#include "ctl/axis.h"
#include "ctl/ink.h"
#include "ctl/legend.h"
#include "ctl/palette.h"
#include "ctl/scale.h"
#include "ctl/utf8.h"

#define COLUMNS_MIN 20u
#define NUMBERS_MAX 16u
#define ID_MAX 12u
#define BAR_MAX 40u

#define UPPER_HALF "\xe2\x96\x80"
#define LOWER_HALF "\xe2\x96\x84"
#define FULL_BLOCK "\xe2\x96\x88"

/* Near to far. */
static const char shades[] = "@#*+=-:.";
#define N_SHADES (sizeof(shades) - 1)

struct picture {
	const struct heatmap *h;
	struct axis axis;
	struct scale scale;
	struct strbuf out;
	struct ink ink;
	unsigned int columns;
	unsigned int digits; /* of the highest CPU */
	unsigned int gutter; /* before the matrix, with the blank behind it */
	bool numbers;
	unsigned int bin; /* CPUs that share a cell, in each direction */
	unsigned int n_bins;
	unsigned int cell; /* columns */
};

/* --- Layout ------------------------------------------------------------------------
 */

static unsigned int
digits_of(unsigned int number)
{
	unsigned int n = 1;

	while ((number /= 10) > 0)
		n++;
	return n;
}

static unsigned int
digits_of_all(const struct axis *a)
{
	unsigned int widest = 1;

	for (unsigned int at = 0; at < a->n; at++) {
		if (digits_of(a->cpu[at]) > widest)
			widest = digits_of(a->cpu[at]);
	}
	return widest;
}

static unsigned int
gutter_of(const struct picture *p)
{
	unsigned int widest = p->digits;

	for (size_t i = 0; i < p->h->n_vms; i++) {
		size_t len = strnlen(p->h->vms[i].id, ID_MAX);

		if (len > widest)
			widest = (unsigned int)len;
	}
	return widest + 1;
}

/* A number and a blank. */
static unsigned int
number_width(const struct picture *p)
{
	const struct matrix *m = p->h->latency->matrix;
	size_t widest = p->digits > 3 ? p->digits : 3;
	char text[32];

	for (unsigned int y = 1; p->axis.n <= NUMBERS_MAX && y < p->axis.n; y++) {
		for (unsigned int x = 0; x < y; x++) {
			double ns = (double)matrix_at(m, y, x)->ns;
			size_t len = strlen(legend_number(ns, text, sizeof(text)));

			widest = len > widest ? len : widest;
		}
	}
	return (unsigned int)widest + 1;
}

static void
layout(struct picture *p)
{
	unsigned int n = p->axis.n;
	unsigned int room;

	p->digits = digits_of_all(&p->axis);
	p->gutter = gutter_of(p);
	if (p->gutter > p->columns / 2)
		p->gutter = p->columns / 2;
	room = p->columns - p->gutter;
	p->cell = number_width(p);
	p->numbers = n <= NUMBERS_MAX && n * p->cell <= room;
	p->bin = 1;
	if (!p->numbers)
		p->cell = p->ink.colours > 0 ? 1 : 2;
	while ((n + p->bin - 1) / p->bin * p->cell > room)
		p->bin++;
	p->n_bins = (n + p->bin - 1) / p->bin;
}

/* --- Lines -------------------------------------------------------------------------
 */

static void
end_line(struct picture *p)
{
	ink_set(&p->ink, NULL, NULL);
	while (p->out.len > 0 && p->out.s[p->out.len - 1] == ' ')
		p->out.len--;
	strbuf_adds(&p->out, "\n");
}

static void
add_blanks(struct picture *p, unsigned int n)
{
	while (n-- > 0)
		strbuf_adds(&p->out, " ");
}

/* As lines that fit, broken at blanks where there are any. */
static void
add_paragraph(struct picture *p, const char *text)
{
	size_t left = strlen(text);

	while (left > p->columns) {
		size_t n = p->columns;

		while (n > 0 && text[n] != ' ')
			n--;
		if (n == 0)
			n = p->columns;
		while (n > 1 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--; /* in the middle of a character */
		strbuf_add(&p->out, text, n);
		end_line(p);
		text += n;
		left -= n;
		while (*text == ' ') {
			text++;
			left--;
		}
	}
	strbuf_add(&p->out, text, left);
	end_line(p);
}

/* Text from outside that is harmless on this terminal, whole characters and escapes of
 * it that take no more than that many columns. free() it. */
static char *
safe_text(const struct picture *p, const char *text, unsigned int columns)
{
	struct strbuf b = {0};

	while (*text != '\0') {
		char one[8];
		uint32_t c = 0;
		size_t len = p->h->utf8 ? utf8_decode(text, &c) : 0;
		bool as_is = len > 1 && utf8_is_plain(c);
		unsigned int width;

		if (!as_is)
			str_escape(text, 1, one, sizeof(one));
		width = as_is ? utf8_columns(c) : (unsigned int)strlen(one);
		if (width > columns)
			break;
		columns -= width;
		if (as_is)
			strbuf_add(&b, text, len);
		else
			strbuf_adds(&b, one);
		text += as_is ? len : 1;
	}
	return strbuf_take(&b);
}

static void
add_outside_text(struct picture *p, const char *text)
{
	auto_free char *safe = safe_text(p, text, 1000);

	if (safe[0] != '\0')
		add_paragraph(p, safe);
}

static struct palette_rgb
heat(const struct picture *p, double at)
{
	return p->ink.colours > 256 ? palette_heat(at) : palette_heat_256(at);
}

/* --- The matrix --------------------------------------------------------------------
 */

static unsigned int
bin_end(const struct picture *p, unsigned int bin)
{
	unsigned int end = (bin + 1) * p->bin;

	return end < p->axis.n ? end : p->axis.n;
}

/* Mean of two bins' pairs; the nearest there is for a CPU and itself; 0: no result. */
static double
bin_ns(const struct picture *p, unsigned int by, unsigned int bx)
{
	const struct matrix *m = p->h->latency->matrix;
	double sum = 0;
	unsigned int n = 0;

	if (p->bin == 1 && by == bx)
		return p->scale.lo_ns;
	for (unsigned int y = by * p->bin; y < bin_end(p, by); y++) {
		for (unsigned int x = bx * p->bin; x < bin_end(p, bx); x++) {
			double ns = 0;

			if (x != y)
				ns = (double)matrix_at(
					m, p->axis.row[y], p->axis.row[x])
					     ->ns;
			sum += ns;
			n += ns > 0;
		}
	}
	return n > 0 ? sum / n : 0;
}

static void
add_number(struct picture *p, unsigned int y, unsigned int x)
{
	double ns = bin_ns(p, y, x);
	struct palette_rgb c = heat(p, scale_at(&p->scale, ns));
	struct palette_rgb fg = palette_is_light(c)
					? (struct palette_rgb){0, 0, 0}
					: (struct palette_rgb){255, 255, 255};
	char text[32];

	if (x == y || ns <= 0) {
		ink_set(&p->ink, NULL, NULL);
		strbuf_addf(&p->out, "%*s ", (int)p->cell - 1, x == y ? "-" : "?");
		return;
	}
	ink_set(&p->ink, &fg, &c);
	strbuf_addf(&p->out, "%*s ", (int)p->cell - 1,
		legend_number(ns, text, sizeof(text)));
}

static void
add_shade(struct picture *p, unsigned int by, unsigned int bx)
{
	double ns = bin_ns(p, by, bx);
	size_t i = (size_t)(scale_at(&p->scale, ns) * (double)N_SHADES);
	char c = ns > 0 ? shades[i < N_SHADES ? i : N_SHADES - 1] : '?';
	char two[2] = {c, c};

	strbuf_add(&p->out, two, sizeof(two));
}

/* Two pairs in one character. */
static void
add_halves(struct picture *p, unsigned int by, unsigned int bx)
{
	double upper = bin_ns(p, by, bx);
	double lower = by + 1 < p->n_bins ? bin_ns(p, by + 1, bx) : 0;
	struct palette_rgb up = heat(p, scale_at(&p->scale, upper));
	struct palette_rgb low = heat(p, scale_at(&p->scale, lower));

	if (upper > 0)
		ink_set(&p->ink, &up, lower > 0 ? &low : NULL);
	else
		ink_set(&p->ink, lower > 0 ? &low : NULL, NULL);
	strbuf_adds(&p->out, upper > 0 ? UPPER_HALF : lower > 0 ? LOWER_HALF : "?");
}

static void
add_heading(struct picture *p)
{
	unsigned int blank = 2; /* one is lost where positions share a column */
	unsigned int gap =
		p->numbers ? 1 : ((p->digits + blank) * p->bin + p->cell - 1) / p->cell;
	auto_free bool *labelled = xcalloc(p->axis.n, sizeof(*labelled));
	unsigned int column = 0;

	axis_labels(&p->axis, gap, labelled);
	add_blanks(p, p->gutter);
	for (unsigned int at = 0; at < p->axis.n; at++) {
		unsigned int want = at / p->bin * p->cell;
		unsigned int len = digits_of(p->axis.cpu[at]);

		if (p->numbers)
			want += p->cell - 1 - len;
		if (!labelled[at] || p->gutter + want + len > p->columns)
			continue;
		add_blanks(p, want - column);
		strbuf_addf(&p->out, "%u", p->axis.cpu[at]);
		column = want + len;
	}
	end_line(p);
}

static void
add_matrix(struct picture *p)
{
	bool halves = !p->numbers && p->ink.colours > 0;

	for (unsigned int y = 0; y < p->n_bins; y += halves ? 2 : 1) {
		strbuf_addf(
			&p->out, "%*u ", (int)p->gutter - 1, p->axis.cpu[y * p->bin]);
		for (unsigned int x = 0; x < p->n_bins; x++) {
			if (p->numbers)
				add_number(p, y, x);
			else if (halves)
				add_halves(p, y, x);
			else
				add_shade(p, y, x);
		}
		end_line(p);
	}
}

/* --- VMs ---------------------------------------------------------------------------
 */

static unsigned int
count_in_bin(const struct picture *p, const struct heatmap_vm *vm, unsigned int bin)
{
	unsigned int n = 0;

	for (unsigned int at = bin * p->bin; at < bin_end(p, bin); at++)
		n += cpuset_has(&vm->cpus, p->axis.cpu[at]);
	return n;
}

static void
add_strip(struct picture *p, const struct heatmap_vm *vm)
{
	bool blocks = p->ink.colours > 0;

	for (unsigned int bin = 0; bin < p->n_bins; bin++) {
		unsigned int n = count_in_bin(p, vm, bin);
		bool all = n == bin_end(p, bin) - bin * p->bin;
		const char *mark = n == 0 ? (blocks ? " " : ".")
				   : all  ? (blocks ? FULL_BLOCK : "#")
					  : (blocks ? LOWER_HALF : "+");

		for (unsigned int i = 0; i < p->cell; i++)
			strbuf_adds(&p->out, mark);
	}
}

static void
add_vm(struct picture *p, size_t i)
{
	const struct heatmap_vm *vm = &p->h->vms[i];
	struct palette_rgb c = palette_vm(i);
	unsigned int used = p->gutter + p->n_bins * p->cell + 1;
	char safe[256];

	str_escape(vm->id, strlen(vm->id), safe, sizeof(safe));
	strbuf_addf(&p->out, "%*.*s ", (int)p->gutter - 1, (int)p->gutter - 1, safe);
	ink_set(&p->ink, &c, NULL);
	add_strip(p, vm);
	ink_set(&p->ink, NULL, NULL);
	if (vm->name != NULL && used + 3 < p->columns) {
		auto_free char *name = safe_text(p, vm->name, p->columns - used);

		strbuf_addf(&p->out, " %s", name);
	}
	end_line(p);
}

/* --- Legend ------------------------------------------------------------------------
 */

static void
add_bar(struct picture *p, unsigned int width)
{
	for (unsigned int i = 0; i < width; i++) {
		struct palette_rgb c = heat(p, width > 1 ? (double)i / (width - 1) : 0);

		ink_set(&p->ink, &c, NULL);
		if (p->ink.colours > 0)
			strbuf_adds(&p->out, FULL_BLOCK);
		else
			strbuf_add(&p->out, &shades[i * N_SHADES / width], 1);
	}
	ink_set(&p->ink, NULL, NULL);
}

static void
add_scale(struct picture *p)
{
	static const char log_note[] = ", logarithmic";
	char lo[64];
	char hi[64];
	auto_free char *after =
		xasprintf(" %s ns", legend_number(p->scale.hi_ns, hi, sizeof(hi)));
	size_t taken = strlen(legend_number(p->scale.lo_ns, lo, sizeof(lo))) + 1 +
		       strlen(after);
	size_t room = p->columns > taken ? p->columns - taken : 0;

	strbuf_addf(&p->out, "%s ", lo);
	add_bar(p, room < BAR_MAX ? (unsigned int)room : BAR_MAX);
	strbuf_adds(&p->out, after);
	if (p->scale.log && room >= BAR_MAX + sizeof(log_note))
		strbuf_adds(&p->out, log_note);
	end_line(p);
	if (p->scale.cut)
		add_paragraph(p, "(a few are above the scale)");
	if (p->scale.n_none > 0)
		add_paragraph(p, "? no result");
}

static void
add_legend(struct picture *p)
{
	if (p->scale.n_results > 0)
		add_scale(p);
	for (unsigned int t = 0; t < p->axis.n_tiers; t++) {
		auto_free char *text = legend_tier(p->h->latency, &p->axis, t);

		add_paragraph(p, text);
	}
}

static void
add_head(struct picture *p)
{
	auto_free char *facts = legend_facts(p->h->latency, &p->scale);

	add_outside_text(p, p->h->title);
	add_outside_text(p, p->h->latency->source);
	add_paragraph(p, facts);
	strbuf_adds(&p->out, "\n");
}

char *
heatmap_text(const struct heatmap *h, unsigned int columns, unsigned int colours)
{
	struct picture p = {.h = h};

	p.columns = columns > COLUMNS_MIN ? columns : COLUMNS_MIN;
	p.ink = (struct ink){.out = &p.out, .colours = colours};
	axis_init(&p.axis, h->latency);
	scale_fit(h->latency->matrix, &p.scale);
	layout(&p);
	add_head(&p);
	if (p.axis.n > 0) {
		add_heading(&p);
		add_matrix(&p);
	}
	for (size_t i = 0; i < h->n_vms; i++)
		add_vm(&p, i);
	strbuf_adds(&p.out, "\n");
	add_legend(&p);
	axis_fini(&p.axis);
	return strbuf_take(&p.out);
}
