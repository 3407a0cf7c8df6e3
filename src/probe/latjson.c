// SPDX-License-Identifier: MIT
/* JSON tables of latencies: numbers of CPUs first, then row by row. */
#include "config.h"

#include "probe/latjson.h"

#include <errno.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "probe/cache.h"
#include "probe/lattable.h"

/* The object, its rows, each an object again, and their numbers; and as many of those
 * as the largest host has pairs, with some room for what else is told. */
static const struct json_caps caps = {
	.bytes = CACHE_BYTES_MAX, .depth = 5, .values = CPUSET_CAP * (CPUSET_CAP + 8)};

/* A table of whatever form: the i-th row's numbers, and CPUs where they are told. */
struct form {
	const json_t *rows;
	const json_t *cpus; /* NULL: each row is {cpu, ns}, or nothing tells */
	bool objects;
};

static int
read_form(const json_t *o, struct form *f, const char *name, struct err *e)
{
	const char *unit = "ns";
	json_t *rows = NULL;
	json_t *cpus = NULL;
	int r;

	r = json_get_string(o, "unit", &unit);
	if (r == -EINVAL || !str_equal(unit, "ns"))
		return err_set(e, -EINVAL, name, 0, "\"unit\" is not \"ns\"");
	r = json_get_array(o, "cpus", &cpus);
	if (r == -EINVAL)
		return err_set(e, -EINVAL, name, 0, "\"cpus\" is not an array");
	r = json_get_array(o, "matrix", &rows);
	f->objects = r == -ENOENT;
	if (f->objects)
		r = json_get_array(o, "rows", &rows);
	if (r < 0 || json_array_size(rows) == 0)
		return err_set(
			e, -EINVAL, name, 0, "\"matrix\" is not an array of rows");
	if (json_array_size(rows) > CPUSET_CAP)
		return err_set(e, -EINVAL, name, 0, "%zu rows, at most %u are known",
			json_array_size(rows), CPUSET_CAP);
	if (cpus != NULL && json_array_size(cpus) != json_array_size(rows))
		return err_set(e, -EINVAL, name, 0, "%zu CPUs, but %zu rows",
			json_array_size(cpus), json_array_size(rows));
	f->rows = rows;
	f->cpus = cpus;
	return 0;
}

static int
read_cpu(const struct form *f, size_t i, unsigned int *cpu)
{
	const json_t *value =
		f->objects ? json_object_get(json_array_get(f->rows, i), "cpu")
			   : json_array_get(f->cpus, i);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number >= (json_int_t)CPUSET_CAP)
		return -EINVAL;
	*cpu = (unsigned int)number;
	return 0;
}

static int
start_table(const struct form *f, const struct cpuset *online, struct lattable *t,
	const char *name, struct err *e)
{
	unsigned int n = (unsigned int)json_array_size(f->rows);
	auto_free unsigned int *cpus = xcalloc(n, sizeof(*cpus));
	bool told = f->objects || f->cpus != NULL;
	struct err why = ERR_NONE;
	int r;

	for (unsigned int i = 0; told && i < n; i++) {
		if (read_cpu(f, i, &cpus[i]) < 0)
			return err_set(e, -EINVAL, name, 0,
				"row %u: not the number of a CPU", i);
	}
	r = lattable_init(t, told ? cpus : NULL, n, online, &why);
	if (r < 0)
		return err_set(e, r, name, 0, "%s", why.text);
	return 0;
}

static int
read_row(const struct form *f, struct lattable *t, unsigned int i, const char *name,
	struct err *e)
{
	const json_t *row = json_array_get(f->rows, i);

	if (f->objects)
		row = json_object_get(row, "ns");
	if (!json_is_array(row))
		return err_set(e, -EINVAL, name, 0, "row %u: not an array", i);
	if (!lattable_fits(t, i, json_array_size(row)))
		return err_set(e, -EINVAL, name, 0,
			"row %u: %zu values, neither the lower triangle of %u CPUs nor all",
			i, json_array_size(row), t->n);
	for (unsigned int j = 0; j < json_array_size(row); j++) {
		const json_t *value = json_array_get(row, j);

		if ((!json_is_number(value) && !json_is_null(value)) ||
			lattable_set(t, i, j, json_number_value(value)) < 0)
			return err_set(e, -EINVAL, name, 0,
				"row %u, column %u: not a latency in nanoseconds", i,
				j);
	}
	return 0;
}

int
latjson_parse(const char *text, size_t len, const struct cpuset *online,
	const char *name, struct matrix **out, struct err *e)
{
	auto_json json_t *o = NULL;
	struct lattable t = {0};
	struct err why = ERR_NONE;
	struct form f = {0};
	int r;

	if (json_parse_object(text, len, &caps, &o, &why) < 0)
		return err_set(e, -EINVAL, name, 0, "%s", why.text);
	r = read_form(o, &f, name, e);
	if (r == 0)
		r = start_table(&f, online, &t, name, e);
	for (unsigned int i = 0; r == 0 && i < t.n; i++)
		r = read_row(&f, &t, i, name, e);
	if (r == 0)
		*out = take_ptr(&t.matrix);
	lattable_fini(&t);
	return r;
}
