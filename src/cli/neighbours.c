// SPDX-License-Identifier: MIT
/* The ranking of one CPU's neighbours, for people and as JSON. */
#include "config.h"

#include "cli/neighbours.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/out.h"
#include "cli/table.h"
#include "topo/lat.h"

static const struct table_column columns[] = {
	{.name = "CPU", .right = true},
	{.name = "NS", .right = true},
	{.name = "TIER", .right = true},
};

int
neighbours_parse(const char *text, unsigned int *cpu, struct err *e)
{
	uint64_t number;

	if (str_parse_uint(text, CPUSET_CAP - 1, &number) < 0)
		return err_set(e, -EINVAL, NULL, 0,
			"'%.60s' is no number of a CPU (0 to %u)", text,
			CPUSET_CAP - 1);
	*cpu = (unsigned int)number;
	return 0;
}

/* All pairs; what has no value is farthest. New array. */
static float *
view_of(const struct matrix *m)
{
	float *ns = xcalloc((size_t)m->n * m->n, sizeof(*ns));

	for (unsigned int i = 0; i < m->n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			float v = matrix_at(m, i, j)->ns;

			v = v > 0 ? v : FLT_MAX;
			ns[(size_t)i * m->n + j] = v;
			ns[(size_t)j * m->n + i] = v;
		}
	}
	return ns;
}

/* The nearest tier in which both are in one domain, from 1. */
static unsigned int
common_tier(const struct ctl_latency *l, unsigned int a, unsigned int b)
{
	for (unsigned int t = 0; t < l->n_tiers; t++) {
		for (unsigned int d = 0; d < l->tiers[t].n_domains; d++) {
			const struct cpuset *domain = &l->tiers[t].domains[d];

			if (cpuset_has(domain, a) && cpuset_has(domain, b))
				return t + 1;
		}
	}
	return l->n_tiers;
}

static void
print_table(const struct ctl_latency *l, unsigned int row, const unsigned int *order,
	bool heading)
{
	const struct matrix *m = l->matrix;
	struct table *t = table_new(columns, ARRAY_LEN(columns));

	for (unsigned int i = 0; i + 1 < m->n; i++) {
		float ns = matrix_at(m, row, order[i])->ns;
		unsigned int tier = common_tier(l, m->cpus[row], m->cpus[order[i]]);

		table_row(t);
		table_set(t, 0, xasprintf("%u", m->cpus[order[i]]));
		table_set(t, 1, ns > 0 ? xasprintf("%.1f", (double)ns) : xstrdup("-"));
		table_set(t, 2, xasprintf("%u", tier));
	}
	table_print(t, heading);
	table_free(t);
}

static void
print_json(const struct ctl_latency *l, unsigned int row, const unsigned int *order,
	enum args_format format)
{
	const struct matrix *m = l->matrix;
	json_t *list = json_array();
	auto_json json_t *reply = NULL;

	for (unsigned int i = 0; i + 1 < m->n; i++) {
		float ns = matrix_at(m, row, order[i])->ns;
		json_t *value = json_null();

		if (ns > 0)
			value = json_real(round((double)ns * 10) / 10);
		json_array_append_new(
			list, json_pack("{s:i, s:o}", "cpu", (int)m->cpus[order[i]],
				      "ns", value));
	}
	reply = json_pack("{s:i, s:o}", "cpu", (int)m->cpus[row], "neighbours", list);
	out_json(reply, format);
}

int
neighbours_print(const struct ctl_latency *l, unsigned int cpu, const struct args *args,
	struct err *e)
{
	int row = matrix_index(l->matrix, cpu);
	auto_free float *ns = NULL;
	auto_free unsigned int *order = NULL;
	struct lat_view view;

	if (row < 0)
		return err_set(e, -ENOENT, NULL, 0, "CPU %u is not among them", cpu);
	ns = view_of(l->matrix);
	view = (struct lat_view){ns, l->matrix->n};
	order = xcalloc(l->matrix->n, sizeof(*order));
	lat_neighbours(&view, (unsigned int)row, order);
	if (args->format == ARGS_TEXT)
		print_table(l, (unsigned int)row, order, args->heading);
	else
		print_json(l, (unsigned int)row, order, args->format);
	return 0;
}
