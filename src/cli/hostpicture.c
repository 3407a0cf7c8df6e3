// SPDX-License-Identifier: MIT
/*
 * First each VM is seated, then lines are written: alike ones as one, or with each
 * core. Widths depend on the host alone: who sits there is fitted into what is left.
 */
#include "config.h"

#include "cli/hostpicture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/coremap.h"
#include "cli/hostseats.h"

#define COLUMNS_MIN 60u
/* Narrower screens have no bars, and shorter lists. */
#define COLUMNS_BARS 80u
/* Of a VM's id. */
#define ID_MAX 12
#define BAR 8u
#define KIB_PER_GIB 1048576.0
/* Of a line's CPUs; longer lists are cut at an item. */
#define CPUS_MAX 23u
#define CPUS_MAX_NARROW 16u
/* Lines of VMs of one group; of a plan, the table below has all of them. */
#define VM_LINES_MAX 3u
#define VM_LINES_MAX_CORES 8u
/* "4.0/8", and of what a VM has of a group. */
#define LOAD_WIDTH 10u
#define PART_MAX 24u
/* For " and 123 more" where the last line of VMs ends. */
#define MORE_WIDTH 13u

struct picture {
	const struct hostpicture *h;
	struct hostseats seats;
	bool bars;
	unsigned int label_width;
	unsigned int cpus_width;
	bool any_wide;
	bool any_part;
	struct strbuf out;
};

/* ---- who sits where ---- */

/* Room for VMs in a line. */
static unsigned int
vms_room(const struct picture *p, unsigned int at)
{
	return p->h->columns > at + 20 ? p->h->columns - at : 20;
}

static unsigned int
vms_column(const struct picture *p, unsigned int load_width)
{
	unsigned int width = load_width > LOAD_WIDTH ? load_width : LOAD_WIDTH;

	return p->label_width + 1 + p->cpus_width + 1 + (p->bars ? BAR + 1 : 0) +
	       width + 1;
}

/* "@0,32" where the vCPUs may not run on all of the unit, as far as there is room. */
static void
add_part(struct picture *p, struct hostseats_unit *u, size_t used)
{
	struct cpuset odd = cpuset_or(&p->h->reserved, &p->h->topo->isolated);
	struct cpuset usual = cpuset_minus(&u->cpus, &odd);
	size_t room = vms_room(p, vms_column(p, 0));
	char list[PART_MAX];
	size_t size;

	if (!p->h->cores || cpuset_within(&usual, &u->part) || used + 9 > room)
		return;
	size = room - used < sizeof(list) ? room - used : sizeof(list);
	strbuf_addf(&u->vms, "@%s", cpuset_format(&u->part, list, size));
	p->any_part = true;
}

static void
add_vm(struct picture *p, struct hostseats_unit *u, const char *id)
{
	size_t before;

	strbuf_adds(&u->vms, u->vms.len > 0 ? " " : "");
	before = u->vms.len;
	strbuf_addf(&u->vms, "%.*s(%u)%s", ID_MAX, id, u->here, u->wide ? "+" : "");
	add_part(p, u, u->vms.len - before);
}

static void
seat_vm(struct picture *p, const struct hostpicture_vm *vm)
{
	hostseats_add(&p->seats, vm->vcpus, vm->n_vcpus);
	for (unsigned int i = 0; i < p->seats.n; i++) {
		struct hostseats_unit *u = &p->seats.units[i];

		if (u->here > 0)
			add_vm(p, u, vm->id);
		p->any_wide = p->any_wide || u->wide;
	}
}

/* ---- lines ---- */

static unsigned int
min_uint(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static void
set_colour(struct picture *p, const char *code)
{
	if (p->h->colours)
		strbuf_addf(&p->out, "\x1b[%sm", code);
}

static void
add_bar(struct picture *p, double share)
{
	unsigned int full = share >= 1 ? BAR : (unsigned int)(share * BAR + 0.5);

	if (full == 0 && share > 0.001)
		full = 1;
	set_colour(p, share > 1.5 ? "31" : share > 1.001 ? "33" : "32");
	for (unsigned int i = 0; i < BAR; i++) {
		if (p->h->blocks)
			strbuf_adds(
				&p->out, i < full ? "\xe2\x96\x88" : "\xe2\x96\x91");
		else
			strbuf_adds(&p->out, i < full ? "#" : ".");
	}
	set_colour(p, "0");
}

/* Words of @text in lines that begin at column @at; the first one is begun. */
static void
add_words(struct picture *p, const char *text, unsigned int at)
{
	unsigned int last = p->h->cores ? VM_LINES_MAX_CORES : VM_LINES_MAX;
	unsigned int room = vms_room(p, at);
	unsigned int line = 1;
	unsigned int used = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (line < last && used > 0 && used + 1 + len > room) {
			strbuf_addf(&p->out, "\n%*s", (int)at, "");
			line++;
			used = 0;
		}
		if (line == last && used + 1 + len > room - MORE_WIDTH)
			break;
		strbuf_addf(&p->out, "%s%.*s", used > 0 ? " " : "", (int)len, text);
		used += (unsigned int)len + (used > 0);
		text += len + (text[len] == ' ');
	}
	if (*text != '\0') {
		unsigned int left = 1;

		for (; *text != '\0'; text++)
			left += *text == ' ';
		strbuf_addf(&p->out, " and %u more", left);
	}
}

static void
end_line(struct picture *p)
{
	while (p->out.len > 0 && p->out.s[p->out.len - 1] == ' ')
		p->out.len--;
	strbuf_adds(&p->out, "\n");
}

static char *
label_of(const struct picture *p, const struct hostseats_unit *first,
	const struct hostseats_unit *last)
{
	const char *name = first->parent < 0 ? "node" : "  L3";

	if (first->id == HOSTSEATS_NO_NODE)
		return xstrdup(p->h->topo->n_nodes > 0 ? "no node" : "host");
	if (first == last)
		return xasprintf("%s %u", name, first->id);
	return xasprintf("%s %u-%u", name, first->id, last->id);
}

/* Room for a line's CPUs. */
static size_t
list_size(const struct picture *p)
{
	return (p->h->columns < COLUMNS_BARS ? CPUS_MAX_NARROW : CPUS_MAX) + 1;
}

/* The units from @a to @b of the same rank as one line. */
static void
add_line(struct picture *p, const struct hostseats_unit *a,
	const struct hostseats_unit *b)
{
	auto_free char *label = label_of(p, a, b);
	struct cpuset cpus = CPUSET_NONE;
	char list[CPUS_MAX + 1];
	char load[48];

	for (const struct hostseats_unit *u = a; u <= b; u++)
		cpus = cpuset_or(&cpus, &u->cpus);
	(void)cpuset_format(&cpus, list, list_size(p));
	(void)snprintf(load, sizeof(load), "%.1f/%u%s", a->load, a->n_cpus,
		a != b ? " each" : "");
	strbuf_addf(&p->out, "%-*s %-*s ", (int)p->label_width, label,
		(int)p->cpus_width, list);
	if (p->bars)
		add_bar(p, a->n_cpus > 0 ? a->load / a->n_cpus : 0);
	strbuf_addf(&p->out, "%s%-*s ", p->bars ? " " : "", (int)LOAD_WIDTH, load);
	add_words(p, strbuf_text(&a->vms), vms_column(p, (unsigned int)strlen(load)));
	end_line(p);
}

/* They would look the same but for their CPUs. */
static bool
alike(const struct picture *p, const struct hostseats_unit *a,
	const struct hostseats_unit *b)
{
	double difference = a->load - b->load;

	return !p->h->cores && a->parent == b->parent && a->n_cpus == b->n_cpus &&
	       a->vms.len == 0 && b->vms.len == 0 && difference < 0.05 &&
	       difference > -0.05;
}

/* Of the same rank: beyond the parts of a node. */
static struct hostseats_unit *
next_unit(const struct picture *p, struct hostseats_unit *u)
{
	const struct hostseats_unit *end = p->seats.units + p->seats.n;
	int parent = u->parent;

	do
		u++;
	while (u < end && parent < 0 && u->parent >= 0);
	return u;
}

/* Nobody sits in its parts. */
static bool
is_plain(const struct picture *p, const struct hostseats_unit *node)
{
	const struct hostseats_unit *end = p->seats.units + p->seats.n;

	for (const struct hostseats_unit *u = node + 1; u < end && u->parent >= 0;
		u++) {
		if (!alike(p, node + 1, u))
			return false;
	}
	return true;
}

static struct coremap
map_of(const struct picture *p)
{
	return (struct coremap){.topo = p->h->topo,
		.reserved = p->h->reserved,
		.load = p->seats.load,
		.columns = p->h->columns,
		.indent = p->label_width + 1,
		.colours = p->h->colours};
}

static void
add_map(struct picture *p, const struct cpuset *cpus)
{
	struct coremap map = map_of(p);

	if (p->h->cores)
		coremap_add(&map, cpus, &p->out);
}

/* The cores of a node that are in none of its parts. */
static void
add_rest(struct picture *p, const struct hostseats_unit *node)
{
	const struct hostseats_unit *end = p->seats.units + p->seats.n;
	struct cpuset rest = node->cpus;

	for (const struct hostseats_unit *u = node + 1; u < end && u->parent >= 0; u++)
		rest = cpuset_minus(&rest, &u->cpus);
	add_map(p, &rest);
}

/* As much free as there is: nothing tells. */
static void
add_memory(struct picture *p, const struct topo_node *n)
{
	if (!n->mem_known)
		return;
	strbuf_addf(&p->out, "%*smemory %.1f GiB", (int)p->label_width + 1, "",
		(double)n->mem_kib / KIB_PER_GIB);
	if (n->free_kib < n->mem_kib)
		strbuf_addf(
			&p->out, ", %.1f GiB free", (double)n->free_kib / KIB_PER_GIB);
	strbuf_adds(&p->out, "\n");
}

/* What a picture with cores has below the line of a node. */
static void
add_details(struct picture *p, const struct hostseats_unit *u)
{
	int node = u->id != HOSTSEATS_NO_NODE ? topo_node_index(p->h->topo, u->id)
					      : TOPO_NONE;

	if (!p->h->cores)
		return;
	if (node != TOPO_NONE)
		add_memory(p, &p->h->topo->nodes[node]);
	add_rest(p, u);
}

/* Above the first node of a package, where there are several. */
static void
add_package(struct picture *p, const struct hostseats_unit *u, unsigned int *last)
{
	const struct topo *t = p->h->topo;

	for (unsigned int i = 0; p->h->cores && i < t->n_packages; i++) {
		if (t->n_packages == 1 || i == *last ||
			!cpuset_within(&u->cpus, &t->packages[i].cpus))
			continue;
		*last = i;
		strbuf_addf(&p->out, "package %u\n", t->packages[i].id);
	}
}

/* Nodes without CPUs; others have been told. */
static void
add_bare_nodes(struct picture *p)
{
	const struct topo *t = p->h->topo;

	for (unsigned int i = 0; p->h->cores && i < t->n_nodes; i++) {
		if (!cpuset_empty(&t->nodes[i].cpus))
			continue;
		strbuf_addf(&p->out, "node %-*u no CPUs\n", (int)p->label_width - 5,
			t->nodes[i].id);
		add_memory(p, &t->nodes[i]);
	}
}

static void
add_parts(struct picture *p, struct hostseats_unit *node)
{
	struct hostseats_unit *end = p->seats.units + p->seats.n;
	struct hostseats_unit *u = node + 1;

	while (u < end && u->parent >= 0) {
		struct hostseats_unit *last = u;

		while (last + 1 < end && last[1].parent >= 0 && alike(p, u, last + 1))
			last++;
		add_line(p, u, last);
		add_map(p, &u->cpus);
		u = last + 1;
	}
}

static void
add_nodes(struct picture *p)
{
	const struct hostseats_unit *end = p->seats.units + p->seats.n;
	struct hostseats_unit *u = p->seats.units;
	unsigned int package = UINT32_MAX;

	while (u < end) {
		struct hostseats_unit *next = next_unit(p, u);
		struct hostseats_unit *last = u;

		while (next < end && is_plain(p, u) && is_plain(p, next) &&
			alike(p, u, next)) {
			last = next;
			next = next_unit(p, next);
		}
		add_package(p, u, &package);
		add_line(p, u, last);
		add_details(p, u);
		if (u == last)
			add_parts(p, u);
		u = next;
	}
	add_bare_nodes(p);
}

/* ---- above and below ---- */

static void
add_list(struct picture *p, const char *name, const struct cpuset *cpus)
{
	char list[48];

	if (!cpuset_empty(cpus))
		strbuf_addf(&p->out, "%s %s\n", name,
			cpuset_format(cpus, list, sizeof(list)));
}

static void
add_count(struct picture *p, unsigned int n, const char *one)
{
	if (n > 0)
		strbuf_addf(&p->out, "%s%u %s%s", p->out.len > 0 ? ", " : "", n, one,
			n == 1 ? "" : "s");
}

static void
add_head(struct picture *p)
{
	const struct topo *t = p->h->topo;

	add_count(p, t->n_pus, "CPU");
	add_count(p, t->n_cores, "core");
	add_count(p, t->n_l3, "L3 group");
	add_count(p, t->n_nodes, "node");
	add_count(p, t->n_packages, "package");
	end_line(p);
	add_list(p, "offline ", &p->h->offline);
	add_list(p, "reserved", &p->h->reserved);
	add_list(p, "isolated", &t->isolated);
	strbuf_adds(&p->out, "\n");
}

static void
find_widths(struct picture *p)
{
	for (unsigned int i = 0; i < p->seats.n; i++) {
		auto_free char *label =
			label_of(p, &p->seats.units[i], &p->seats.units[i]);
		char list[CPUS_MAX + 1];
		unsigned int cpus = (unsigned int)strlen(
			cpuset_format(&p->seats.units[i].cpus, list, list_size(p)));
		/* and a second number, where lines are put together */
		unsigned int len = (unsigned int)strlen(label) + 3;

		p->label_width = len > p->label_width ? len : p->label_width;
		p->cpus_width = cpus > p->cpus_width ? cpus : p->cpus_width;
	}
	p->label_width = min_uint(p->label_width, 12);
	/* most lists of groups put together are no longer than that of all */
	if (p->seats.n > 1 && !p->h->cores) {
		char list[CPUS_MAX + 1];
		unsigned int all = (unsigned int)strlen(
			cpuset_format(&p->h->topo->online, list, list_size(p)));

		p->cpus_width = all > p->cpus_width ? all : p->cpus_width;
	}
}

static void
add_legend(struct picture *p)
{
	struct coremap map = map_of(p);

	if (p->h->cores) {
		strbuf_adds(&p->out, "\n");
		coremap_add_legend(&map, &p->out);
	}
	if (p->any_part)
		strbuf_adds(&p->out, "@ only on these CPUs\n");
	if (p->any_wide)
		strbuf_adds(&p->out, "+ also on other nodes\n");
}

char *
hostpicture_text(const struct hostpicture *h)
{
	struct hostpicture wide = *h;
	struct picture p = {.h = h};

	if (h->columns < COLUMNS_MIN) {
		wide.columns = COLUMNS_MIN;
		p.h = &wide;
	}
	p.bars = !h->cores && p.h->columns >= COLUMNS_BARS;
	hostseats_init(&p.seats, h->topo, &h->reserved);
	find_widths(&p);
	for (unsigned int i = 0; i < h->n_vms; i++)
		seat_vm(&p, &h->vms[i]);
	add_head(&p);
	add_nodes(&p);
	add_legend(&p);
	hostseats_fini(&p.seats);
	return strbuf_take(&p.out);
}
