// SPDX-License-Identifier: MIT
/*
 * First each vCPU finds its seat: the smallest group that holds its mask, or each node
 * it may run on. Then lines are written, alike ones as one. Loads are spread evenly
 * over a mask, as the kernel would.
 */
#include "config.h"

#include "cli/hostpicture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

#define COLUMNS_MIN 80u
/* Of a VM's id. */
#define ID_MAX 12
#define BAR 8u
/* For the CPUs that are in no node. */
#define NO_NODE UINT32_MAX
/* Of a line's CPUs; longer lists are cut at an item. */
#define CPUS_MAX 23u
/* Lines of VMs of one group; the table below has all of them. */
#define VM_LINES_MAX 3u

/* A node or L3 group. */
struct unit {
	struct cpuset cpus;
	unsigned int n_cpus; /* without reserved ones, as the load is */
	unsigned int id;     /* node: the kernel's; L3 group: its index in the node */
	int parent;	     /* of an L3 group: index of its node; -1: a node */
	double load;	     /* vCPUs that run there */
	unsigned int here;   /* vCPUs of the VM that is being seated */
	bool wide;	     /* and they may run on other nodes */
	struct strbuf vms;   /* "100(4) 101(2)" */
};

struct picture {
	const struct hostpicture *h;
	unsigned int n;
	struct unit *units; /* each node, then its L3 groups */
	unsigned int label_width;
	unsigned int cpus_width;
	bool any_wide;
	struct strbuf out;
};

/* ---- who sits where ---- */

static struct unit *
add_unit(struct picture *p, const struct cpuset *cpus, unsigned int id, int parent)
{
	struct unit *u = &p->units[p->n++];
	struct cpuset usable = cpuset_minus(cpus, &p->h->reserved);

	*u = (struct unit){.cpus = *cpus,
		.n_cpus = cpuset_count(&usable),
		.id = id,
		.parent = parent};
	return u;
}

/* The parts of a node, if it has several. */
static void
add_groups(struct picture *p, int node)
{
	const struct cpuset whole = p->units[node].cpus;
	const struct topo *t = p->h->topo;
	unsigned int first = p->n;

	for (unsigned int i = 0; i < t->n_l3; i++) {
		if (cpuset_within(&t->l3[i].cpus, &whole))
			(void)add_unit(p, &t->l3[i].cpus, p->n - first, node);
	}
	if (p->n == first + 1 && cpuset_equal(&p->units[first].cpus, &whole))
		p->n = first;
}

static void
add_units(struct picture *p)
{
	const struct topo *t = p->h->topo;
	struct cpuset rest = t->online;

	p->units = xcalloc((size_t)t->n_nodes + t->n_l3 + 1, sizeof(*p->units));
	for (unsigned int i = 0; i < t->n_nodes; i++) {
		const struct cpuset *cpus = &t->nodes[i].cpus;

		if (cpuset_empty(cpus))
			continue;
		(void)add_unit(p, cpus, t->nodes[i].id, -1);
		add_groups(p, (int)p->n - 1);
		rest = cpuset_minus(&rest, cpus);
	}
	if (cpuset_empty(&rest))
		return;
	(void)add_unit(p, &rest, NO_NODE, -1);
	add_groups(p, (int)p->n - 1);
}

/* The L3 group or node that holds it, or -1. */
static int
seat_of(const struct picture *p, const struct cpuset *mask)
{
	int found = -1;

	for (unsigned int i = 0; i < p->n; i++) {
		if (cpuset_within(mask, &p->units[i].cpus))
			found = (int)i; /* groups come after their node */
	}
	return found;
}

/* @n vCPUs that have the same mask. */
static void
seat(struct picture *p, const struct cpuset *mask, unsigned int n)
{
	unsigned int all = cpuset_count(mask);
	int own = seat_of(p, mask);

	for (unsigned int i = 0; i < p->n; i++) {
		struct unit *u = &p->units[i];
		struct cpuset part = cpuset_and(mask, &u->cpus);
		struct cpuset usable;

		if (cpuset_empty(&part))
			continue;
		usable = cpuset_minus(&part, &p->h->reserved);
		u->load += (double)n * cpuset_count(&usable) / all;
		if ((int)i == own || (own < 0 && u->parent < 0))
			u->here += n;
		if (own < 0 && u->parent < 0)
			u->wide = p->any_wide = true;
	}
}

static void
seat_vm(struct picture *p, const struct hostpicture_vm *vm)
{
	unsigned int first = 0;

	for (unsigned int v = 1; v <= vm->n_vcpus; v++) {
		if (v < vm->n_vcpus && cpuset_equal(&vm->vcpus[first], &vm->vcpus[v]))
			continue;
		seat(p, &vm->vcpus[first], v - first);
		first = v;
	}
	for (unsigned int i = 0; i < p->n; i++) {
		struct unit *u = &p->units[i];

		if (u->here > 0)
			strbuf_addf(&u->vms, "%s%.*s(%u)%s", u->vms.len > 0 ? " " : "",
				ID_MAX, vm->id, u->here, u->wide ? "+" : "");
		u->here = 0;
		u->wide = false;
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
	unsigned int room = p->h->columns > at + 20 ? p->h->columns - at : 20;
	unsigned int line = 1;
	unsigned int used = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		/* room for " and 123 more" where the last line ends */
		if (used > 0 &&
			used + 1 + len > (line == VM_LINES_MAX ? room - 13 : room)) {
			if (line++ == VM_LINES_MAX)
				break;
			strbuf_addf(&p->out, "\n%*s", (int)at, "");
			used = 0;
		}
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
label_of(const struct picture *p, const struct unit *first, const struct unit *last)
{
	const char *name = first->parent < 0 ? "node" : "  L3";

	if (first->id == NO_NODE)
		return xstrdup(p->h->topo->n_nodes > 0 ? "no node" : "host");
	if (first == last)
		return xasprintf("%s %u", name, first->id);
	return xasprintf("%s %u-%u", name, first->id, last->id);
}

/* The units from @a to @b of the same rank as one line. */
static void
add_line(struct picture *p, const struct unit *a, const struct unit *b)
{
	auto_free char *label = label_of(p, a, b);
	struct cpuset cpus = CPUSET_NONE;
	char list[CPUS_MAX + 1];
	char load[48];
	unsigned int at;

	for (const struct unit *u = a; u <= b; u++)
		cpus = cpuset_or(&cpus, &u->cpus);
	(void)cpuset_format(&cpus, list, sizeof(list));
	(void)snprintf(load, sizeof(load), "%.1f/%u%s", a->load, a->n_cpus,
		a != b ? " each" : "");
	strbuf_addf(&p->out, "%-*s %-*s ", (int)p->label_width, label,
		(int)p->cpus_width, list);
	add_bar(p, a->n_cpus > 0 ? a->load / a->n_cpus : 0);
	strbuf_addf(&p->out, " %-10s ", load);
	at = p->label_width + 1 + p->cpus_width + 1 + BAR + 1 +
	     (unsigned int)(strlen(load) > 10 ? strlen(load) : 10) + 1;
	add_words(p, strbuf_text(&a->vms), at);
	end_line(p);
}

/* They would look the same but for their CPUs. */
static bool
alike(const struct unit *a, const struct unit *b)
{
	double difference = a->load - b->load;

	return a->parent == b->parent && a->n_cpus == b->n_cpus && a->vms.len == 0 &&
	       b->vms.len == 0 && difference < 0.05 && difference > -0.05;
}

/* Of the same rank: beyond the parts of a node. */
static struct unit *
next_unit(const struct picture *p, struct unit *u)
{
	const struct unit *end = p->units + p->n;
	int parent = u->parent;

	do
		u++;
	while (u < end && parent < 0 && u->parent >= 0);
	return u;
}

/* Nobody sits in its parts. */
static bool
is_plain(const struct picture *p, const struct unit *node)
{
	const struct unit *end = p->units + p->n;

	for (const struct unit *u = node + 1; u < end && u->parent >= 0; u++) {
		if (!alike(node + 1, u))
			return false;
	}
	return true;
}

static void
add_parts(struct picture *p, struct unit *node)
{
	struct unit *end = p->units + p->n;
	struct unit *u = node + 1;

	while (u < end && u->parent >= 0) {
		struct unit *last = u;

		while (last + 1 < end && last[1].parent >= 0 && alike(u, last + 1))
			last++;
		add_line(p, u, last);
		u = last + 1;
	}
}

static void
add_nodes(struct picture *p)
{
	const struct unit *end = p->units + p->n;
	struct unit *u = p->units;

	while (u < end) {
		struct unit *next = next_unit(p, u);
		struct unit *last = u;

		while (next < end && is_plain(p, u) && is_plain(p, next) &&
			alike(u, next)) {
			last = next;
			next = next_unit(p, next);
		}
		add_line(p, u, last);
		if (u == last)
			add_parts(p, u);
		u = next;
	}
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
	for (unsigned int i = 0; i < p->n; i++) {
		auto_free char *label = label_of(p, &p->units[i], &p->units[i]);
		char list[CPUS_MAX + 1];
		unsigned int cpus = (unsigned int)strlen(
			cpuset_format(&p->units[i].cpus, list, sizeof(list)));
		/* and a second number, where lines are put together */
		unsigned int len = (unsigned int)strlen(label) + 3;

		p->label_width = len > p->label_width ? len : p->label_width;
		p->cpus_width = cpus > p->cpus_width ? cpus : p->cpus_width;
	}
	p->label_width = min_uint(p->label_width, 12);
	/* most lists of groups put together are no longer than that of all */
	if (p->n > 1) {
		char list[CPUS_MAX + 1];
		unsigned int all = (unsigned int)strlen(
			cpuset_format(&p->h->topo->online, list, sizeof(list)));

		p->cpus_width = all > p->cpus_width ? all : p->cpus_width;
	}
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
	add_units(&p);
	for (unsigned int i = 0; i < h->n_vms; i++)
		seat_vm(&p, &h->vms[i]);
	find_widths(&p);
	add_head(&p);
	add_nodes(&p);
	if (p.any_wide)
		strbuf_adds(&p.out, "+ also on other nodes\n");
	for (unsigned int i = 0; i < p.n; i++)
		strbuf_fini(&p.units[i].vms);
	free(p.units);
	return strbuf_take(&p.out);
}
