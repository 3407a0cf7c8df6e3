// SPDX-License-Identifier: MIT
/* Each VM is a band of its colour at the rows of its CPUs, and a line in a list. */
#include "config.h"

#include "ctl/svg_vms.h"

#include <string.h>

#include "ctl/palette.h"
#include "ctl/xml.h"

#define ROW_HEIGHT 16u
#define COLUMN_WIDTH 200u
#define TEXT_MAX 26u /* characters that fit in a column */
#define ID_MAX 64u

/* Width of a band that can carry the VM's id, and of one of its characters. */
#define ID_LANE 12u
#define ID_WIDTH 7u

static void
add_title(struct svg_page *p, const struct heatmap_vm *vm)
{
	char cpus[200];

	strbuf_adds(&p->out, "<title>VM ");
	xml_add(&p->out, vm->id, ID_MAX);
	if (vm->name != NULL) {
		strbuf_adds(&p->out, " ");
		xml_add(&p->out, vm->name, 100);
	}
	if (cpuset_empty(&vm->cpus))
		strbuf_adds(&p->out, ": on no CPU</title>");
	else
		strbuf_addf(&p->out, ": CPUs %s</title>",
			cpuset_format(&vm->cpus, cpus, sizeof(cpus)));
}

static void
add_id(struct svg_page *p, const struct heatmap_vm *vm, struct palette_rgb c,
	unsigned int x, unsigned int y)
{
	strbuf_addf(&p->out,
		"<text class=\"id %s\" transform=\"translate(%u %u) "
		"rotate(-90)\">",
		palette_is_light(c) ? "on-light" : "on-dark", x + p->lane / 2 + 4, y);
	xml_add(&p->out, vm->id, ID_MAX);
	strbuf_adds(&p->out, "</text>\n");
}

static void
add_bands(struct svg_page *p, size_t i)
{
	const struct heatmap_vm *vm = &p->h->vms[i];
	unsigned int x = p->lanes_left + (unsigned int)p->lanes.of[i] * p->lane;
	struct palette_rgb c = palette_vm(i);
	bool named = p->lane < ID_LANE;

	strbuf_addf(&p->out, "<g fill=\"#%02x%02x%02x\">", c.r, c.g, c.b);
	add_title(p, vm);
	for (unsigned int at = 0, end; at < p->axis.n; at = end) {
		bool in = cpuset_has(&vm->cpus, p->axis.cpu[at]);
		unsigned int height;

		for (end = at + 1; end < p->axis.n; end++) {
			if (cpuset_has(&vm->cpus, p->axis.cpu[end]) != in)
				break;
		}
		height = (end - at) * p->cell;
		if (!in)
			continue;
		strbuf_addf(&p->out,
			"<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\"/>\n", x,
			p->top + at * p->cell, p->lane - 1, height);
		if (!named && height >= (strlen(vm->id) + 1) * ID_WIDTH)
			add_id(p, vm, c, x, p->top + at * p->cell + height / 2);
		named = named || height >= (strlen(vm->id) + 1) * ID_WIDTH;
	}
	strbuf_adds(&p->out, "</g>\n");
}

static void
add_line(struct svg_page *p, size_t i, unsigned int place)
{
	const struct heatmap_vm *vm = &p->h->vms[i];
	struct palette_rgb c = palette_vm(i);
	unsigned int x = p->names_left + place / p->name_rows * COLUMN_WIDTH;
	unsigned int y = p->top + place % p->name_rows * ROW_HEIGHT;
	bool drawn = p->lanes.of[i] >= 0;
	struct strbuf text = {0};

	strbuf_adds(&text, vm->id);
	if (vm->name != NULL)
		strbuf_addf(&text, " %s", vm->name);
	if (drawn)
		strbuf_addf(&p->out,
			"<rect fill=\"#%02x%02x%02x\" x=\"%u\" y=\"%u\" "
			"width=\"12\" height=\"12\"/>",
			c.r, c.g, c.b, x, y);
	else
		strbuf_addf(&p->out,
			"<rect class=\"line\" x=\"%u.5\" y=\"%u.5\" width=\"11\" "
			"height=\"11\"/>",
			x, y);
	strbuf_addf(&p->out, "<text class=\"%s\" x=\"%u\" y=\"%u\">",
		drawn ? "ink" : "dim", x + 18, y + 10);
	xml_add(&p->out, strbuf_text(&text), TEXT_MAX);
	add_title(p, vm);
	strbuf_adds(&p->out, "</text>\n");
	strbuf_fini(&text);
}

static void
add_rest(struct svg_page *p, size_t n, unsigned int place)
{
	strbuf_addf(&p->out,
		"<text class=\"dim\" x=\"%u\" y=\"%u\">and %zu more, not listed</text>\n",
		p->names_left + place / p->name_rows * COLUMN_WIDTH,
		p->top + place % p->name_rows * ROW_HEIGHT + 10, n);
}

/* Under the bands; there is room for it where there are that many. */
static void
add_note(struct svg_page *p)
{
	if (p->lanes.n_left > 0)
		strbuf_addf(&p->out,
			"<text class=\"dim\" x=\"%u\" y=\"%u\">%zu VM%s without a band, "
			"with an empty square: at most %u fit</text>\n",
			p->lanes_left, p->legend_top + 4, p->lanes.n_left,
			p->lanes.n_left == 1 ? "" : "s", LANES_MAX);
}

void
svg_vms_add(struct svg_page *p)
{
	unsigned int room = p->name_rows * p->name_columns;

	if (p->h->n_vms == 0)
		return;
	strbuf_adds(&p->out, "<g id=\"vms\">\n");
	for (size_t i = 0; i < p->h->n_vms; i++) {
		if (p->lanes.of[i] >= 0)
			add_bands(p, i);
	}
	for (size_t i = 0; i < p->h->n_vms; i++) {
		if (i + 1 == room && p->h->n_vms > room) {
			add_rest(p, p->h->n_vms - i, (unsigned int)i);
			break;
		}
		add_line(p, i, (unsigned int)i);
	}
	add_note(p);
	strbuf_adds(&p->out, "</g>\n");
}
