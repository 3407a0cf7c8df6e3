// SPDX-License-Identifier: MIT
/* Real latencies for tests. The data are of others and stay where they are. */
#include "config.h"

#include "measured.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

bool
measured_available(void)
{
	const char *dir = getenv("QMPIN_SHARED");
	auto_free char *path = NULL;
	FILE *file;

	if (dir == NULL)
		return false;
	path = xasprintf("%s/latency/README.md", dir);
	file = fopen(path, "r");
	if (file != NULL)
		(void)fclose(file);
	return file != NULL;
}

static void
read_row(struct matrix *m, unsigned int row, char *line)
{
	char *save = NULL;
	unsigned int column = 0;

	for (char *cell = strtok_r(line, ",\n", &save); cell != NULL && column < row;
		cell = strtok_r(NULL, ",\n", &save))
		*matrix_at(m, row, column++) =
			(struct matrix_cell){strtof(cell, NULL), 4, 100};
	if (column != row)
		abort();
}

struct matrix *
measured_load(const char *name)
{
	auto_free char *command = xasprintf(
		"xz -dc '%s/latency/%s.csv.xz'", getenv("QMPIN_SHARED"), name);
	auto_free char **lines = NULL;
	struct cpuset cpus;
	struct matrix *m;
	FILE *pipe = popen(command, "r");
	char *line = NULL;
	size_t size = 0;
	size_t cap = 0;
	size_t n = 0;

	if (pipe == NULL)
		abort();
	for (; getline(&line, &size, pipe) > 0; line = NULL) {
		lines = xgrow(lines, n, &cap, sizeof(*lines));
		lines[n++] = line;
	}
	free(line);
	if (pclose(pipe) != 0 || n == 0)
		abort();
	cpus = cpuset_below((unsigned int)n);
	m = matrix_new(&cpus);
	for (unsigned int i = 0; i < n; i++) {
		read_row(m, i, lines[i]);
		free(lines[i]);
	}
	return m;
}

/* 0 <= x < 1; the same for a seed everywhere. Source: xorshift64* (Vigna 2016). */
static double
draw(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (double)((*state * UINT64_C(2685821657736338717)) >> 11) / 0x1p53;
}

struct matrix *
measured_disturb(const struct matrix *m, const struct measured_trouble *t)
{
	struct cpuset cpus = matrix_cpus(m);
	struct matrix *out = matrix_select(m, &cpus);
	uint64_t state = t->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

	for (size_t i = 0; i < matrix_pairs(m->n); i++) {
		double factor = 1 + t->noise * (2 * draw(&state) - 1);

		if (draw(&state) < t->outliers)
			factor *= 0.3 + 4.7 * draw(&state);
		out->cells[i].ns *= (float)factor;
		if (draw(&state) < t->missing)
			out->cells[i] = (struct matrix_cell){0};
	}
	return out;
}

static int64_t
group(unsigned int core, unsigned int size, unsigned int shift)
{
	return size > 0 ? (int64_t)((core + shift) / size) : TOPO_NONE;
}

static enum topo_kind
kind_of(const struct measured_tree *tree, unsigned int core, unsigned int n_double)
{
	if (!tree->kinds)
		return TOPO_KIND_UNKNOWN;
	return core < n_double ? TOPO_KIND_PERFORMANCE : TOPO_KIND_EFFICIENCY;
}

struct topo *
measured_topo(const struct measured_tree *tree)
{
	unsigned int n_cores =
		(tree->n_cpus + (tree->threads - 1) * tree->singles) / tree->threads;
	unsigned int n_double = n_cores - tree->singles;
	struct topo_facts f = {.n_cpus = tree->n_cpus};
	struct topo *t = NULL;

	f.cpus = xcalloc(f.n_cpus, sizeof(*f.cpus));
	f.nodes = xcalloc(n_cores, sizeof(*f.nodes));
	for (unsigned int i = 0; i < f.n_cpus; i++) {
		unsigned int core = i < n_cores ? i : i - n_cores;

		if (tree->adjacent)
			core = i < n_double * tree->threads
				       ? i / tree->threads
				       : i - n_double * (tree->threads - 1);
		f.cpus[i] = (struct topo_cpu_facts){
			.cpu = i,
			.core_key = core,
			.l2_key = tree->l2 == 0 || core < n_double
					  ? (int64_t)core
					  : 1000 + group(core - n_double, tree->l2, 0),
			.l3_key = group(core, tree->l3, tree->shift_l3),
			.node_id = (int)group(core, tree->node, 0),
			.package_id = group(core, tree->package, 0),
			.kind = kind_of(tree, core, n_double),
		};
		if (f.cpus[i].node_id >= (int)f.n_nodes)
			f.nodes[f.n_nodes] = (struct topo_node_facts){.id = f.n_nodes};
		if (f.cpus[i].node_id >= (int)f.n_nodes)
			f.n_nodes++;
	}
	if (topo_build(&f, &t, NULL) < 0)
		abort();
	topo_facts_fini(&f);
	return t;
}

struct ranking *
measured_rank(const struct topo *t, const struct matrix *m)
{
	auto_free float *ns = lat_measured_matrix(t, lat_classes_default(), m);
	struct lat_view lat = {ns, t->n_pus};

	return ranking_from_matrix(t, m, &lat);
}

char *
measured_tiers(const struct ranking *r)
{
	struct strbuf out = {0};

	for (unsigned int k = 0; k < r->n_tiers; k++)
		strbuf_addf(&out, "%s%s %u", k > 0 ? " | " : "", r->tiers[k].name,
			r->tiers[k].n_domains);
	return strbuf_take(&out);
}

char *
measured_levels(const struct ranking *r)
{
	struct strbuf out = {0};

	strbuf_adds(&out, ""); /* also without any level */
	for (unsigned int k = 0; k < r->n_levels; k++) {
		const struct ranking_level *v = &r->levels[k];

		strbuf_addf(&out, "%s%s %s %u/%u", k > 0 ? ", " : "", v->name,
			ranking_verdict_name(v->verdict), v->n_agree, v->n_groups);
	}
	return strbuf_take(&out);
}

bool
measured_same(const struct ranking *a, const struct ranking *b)
{
	if (a->n_tiers != b->n_tiers || a->n_domains != b->n_domains)
		return false;
	for (unsigned int k = 0; k < a->n_tiers; k++) {
		if (!str_equal(a->tiers[k].name, b->tiers[k].name))
			return false;
	}
	for (unsigned int d = 0; d < a->n_domains; d++) {
		if (!cpuset_equal(&a->domains[d].cpus, &b->domains[d].cpus) ||
			a->domains[d].parent != b->domains[d].parent)
			return false;
	}
	return true;
}
