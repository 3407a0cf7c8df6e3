// SPDX-License-Identifier: MIT
/*
 * The text of a measurement, read. What is damaged, cut short or not in the writer's
 * order is refused with its line; nothing is allocated by a number that has not been
 * checked against its cap.
 */
#include "config.h"

#include "probe/cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "probe/cache_text.h"
#include "probe/number.h"

/* A line at a time: p moves through it, end is its newline. */
struct reader {
	const char *p;
	const char *end;
	const char *next; /* the line after it */
	const char *last; /* end of the text */
	unsigned int line;
	const char *name;
	struct err *e;
};

static int
refuse(const struct reader *r, const char *what)
{
	(void)err_set(r->e, -EINVAL, r->name, r->line, "%s", what);
	return -EINVAL;
}

static int
next_line(struct reader *r)
{
	const char *end;

	r->line++;
	if (r->next == r->last)
		return refuse(r, "ends too early");
	end = memchr(r->next, '\n', (size_t)(r->last - r->next));
	if (end == NULL)
		return refuse(r, "the last line is cut short");
	r->p = r->next;
	r->end = end;
	r->next = end + 1;
	return 0;
}

static bool
skip_text(struct reader *r, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(r->end - r->p) < len || memcmp(r->p, text, len) != 0)
		return false;
	r->p += len;
	return true;
}

static bool
comes_next(const struct reader *r, const char *key)
{
	size_t len = strlen(key);

	return (size_t)(r->last - r->next) >= len && memcmp(r->next, key, len) == 0;
}

/* The next line, which begins with @key. */
static int
next_keyed(struct reader *r, const char *key)
{
	int error = next_line(r);

	if (error == 0 && !skip_text(r, key))
		return err_set(r->e, -EINVAL, r->name, r->line,
			"not a line that begins with \"%s\"", key);
	return error;
}

/* The line ends here; otherwise @what is wrong. */
static int
end_line(const struct reader *r, const char *what)
{
	return r->p == r->end ? 0 : refuse(r, what);
}

/* The rest of the line, printable, into @out; "-" stands for nothing. */
static int
read_text(const struct reader *r, char *out, size_t size)
{
	size_t len = (size_t)(r->end - r->p);

	if (len == 0 || len >= size)
		return refuse(r, "no text, or too much of it");
	for (size_t i = 0; i < len; i++) {
		if (r->p[i] < ' ' || r->p[i] > '~')
			return refuse(r, "a character that is none");
	}
	memcpy(out, r->p, len);
	out[len] = '\0';
	if (str_equal(out, "-"))
		out[0] = '\0';
	return 0;
}

static int
check_sum(struct reader *r)
{
	char want[HASH_TEXT_MAX];
	int error = next_keyed(r, CACHE_CHECKSUM_LINE);

	if (error < 0)
		return error;
	hash_text(r->next, (size_t)(r->last - r->next), want);
	if (!skip_text(r, want) || r->p != r->end)
		return refuse(r, "wrong checksum: the text was changed or cut short");
	return 0;
}

static int
read_fingerprint(struct reader *r, struct cache *c)
{
	size_t len;
	int error = next_keyed(r, CACHE_FINGERPRINT_LINE);

	if (error == 0)
		error = read_text(r, c->fingerprint, sizeof(c->fingerprint));
	if (error < 0)
		return error;
	len = strlen(c->fingerprint);
	if (strspn(c->fingerprint, CACHE_HEXADECIMAL) != len ||
		(len != 0 && len != sizeof(c->fingerprint) - 1))
		return refuse(r, "not a fingerprint");
	return 0;
}

static int
read_head(struct reader *r, struct cache *c)
{
	uint64_t version;
	int error = next_keyed(r, CACHE_FIRST_LINE);

	if (error < 0)
		return error;
	if (number_read_uint(&r->p, r->end, UINT32_MAX, &version) < 0 || r->p != r->end)
		return refuse(r, "not a version");
	if (version != CACHE_VERSION)
		return err_set(r->e, -EINVAL, r->name, r->line,
			"format %" PRIu64 ", but only %u is known", version,
			CACHE_VERSION);
	error = check_sum(r);
	if (error == 0)
		error = read_fingerprint(r, c);
	if (error == 0)
		error = next_keyed(r, CACHE_HOST_LINE);
	if (error == 0)
		error = read_text(r, c->host, sizeof(c->host));
	if (error == 0)
		error = next_keyed(r, CACHE_MEASURED_LINE);
	if (error < 0)
		return error;
	if (number_read_uint(&r->p, r->end, UINT64_MAX, &c->measured_s) < 0)
		return refuse(r, "not a time");
	return end_line(r, "not a time");
}

/* A CPU at the cursor that is below the cap. */
static int
read_cpu(struct reader *r, unsigned int *cpu)
{
	uint64_t value;

	if (number_read_uint(&r->p, r->end, CPUSET_CAP - 1, &value) < 0)
		return refuse(r, "not a CPU number");
	*cpu = (unsigned int)value;
	return 0;
}

/* The same, and it must be the one that belongs here. */
static int
read_this_cpu(struct reader *r, unsigned int cpu)
{
	unsigned int found = 0;
	int error = read_cpu(r, &found);

	if (error == 0 && found != cpu)
		return err_set(r->e, -EINVAL, r->name, r->line,
			"about CPU %u, not CPU %u", found, cpu);
	return error;
}

static int
read_place(struct reader *r, struct cache_place *place)
{
	for (enum cache_field i = 0; i < CACHE_FIELDS; i++) {
		uint64_t value;

		*cache_field(place, i) = TOPO_NONE;
		if (skip_text(r, " -1"))
			continue;
		if (!skip_text(r, " ") ||
			number_read_uint(&r->p, r->end, INT32_MAX, &value) < 0)
			return refuse(r, "not the place of a CPU");
		*cache_field(place, i) = (int)value;
	}
	return end_line(r, "not the place of a CPU");
}

/* One line for each CPU, ascending; they say how large everything else is. */
static int
read_places(struct reader *r, struct cache *c)
{
	struct cpuset cpus = CPUSET_NONE;
	unsigned int least = 0;
	unsigned int n = 0;

	c->places = xcalloc(CPUSET_CAP, sizeof(*c->places));
	while (comes_next(r, CACHE_PLACE_LINE)) {
		unsigned int cpu = 0;
		int error = next_keyed(r, CACHE_PLACE_LINE);

		if (error == 0)
			error = read_cpu(r, &cpu);
		if (error == 0 && cpu < least)
			error = refuse(r, "CPUs are not in ascending order");
		if (error == 0)
			error = read_place(r, &c->places[n++]);
		if (error < 0)
			return error;
		cpuset_add(&cpus, cpu);
		least = cpu + 1;
	}
	c->places = xrealloc(c->places, n, sizeof(*c->places));
	c->matrix = matrix_new(&cpus);
	return 0;
}

/* Value of a character, or -1. */
static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'z' ? c - 'a' + 36 : -1;
}

static int
read_digit(char c, enum cache_digits kind, struct matrix_cell *cell)
{
	int value = digit_value(c);

	if (value < 0)
		return -EINVAL;
	if (kind == CACHE_VISITS) {
		cell->visits = (uint8_t)value;
		return 0;
	}
	value *= (int)CACHE_CONFIDENCE_STEP_PCT;
	if (value > 100)
		return -EINVAL;
	cell->confidence_pct = (uint8_t)value;
	return 0;
}

static int
read_digits(struct reader *r, struct matrix *m, enum cache_digits kind)
{
	for (unsigned int i = 1; i < m->n; i++) {
		int error = next_keyed(r, cache_digits_line(kind));

		if (error == 0)
			error = read_this_cpu(r, m->cpus[i]);
		if (error < 0)
			return error;
		if (!skip_text(r, " ") || (size_t)(r->end - r->p) != i)
			return refuse(r, "not one character for each pair");
		for (unsigned int j = 0; j < i; j++) {
			if (read_digit(r->p[j], kind, matrix_at(m, i, j)) < 0)
				return refuse(r, "a character that is none");
		}
	}
	return 0;
}

static int
read_cell(struct reader *r, struct matrix_cell *cell)
{
	double ns;

	if (r->p == r->end || *r->p == ',')
		return 0;
	if (number_read(&r->p, r->end, &ns) < 0 || !(ns > 0 && ns <= NUMBER_NS_MAX))
		return refuse(r, "not a latency");
	cell->ns = (float)ns;
	return 0;
}

static int
read_row(struct reader *r, struct matrix *m, unsigned int row)
{
	int error = next_line(r);

	if (error == 0)
		error = read_this_cpu(r, m->cpus[row]);
	for (unsigned int j = 0; j < m->n; j++) {
		if (error == 0 && !skip_text(r, ","))
			error = refuse(r, "not one cell for each CPU");
		if (error == 0 && j < row)
			error = read_cell(r, matrix_at(m, row, j));
		if (error < 0)
			return error;
	}
	return end_line(r, "more cells than CPUs, or some above the diagonal");
}

static int
read_table(struct reader *r, struct matrix *m)
{
	int error = next_keyed(r, "cpu");

	for (unsigned int i = 0; error == 0 && i < m->n; i++) {
		if (!skip_text(r, ","))
			return refuse(r, "not one column for each CPU");
		error = read_this_cpu(r, m->cpus[i]);
	}
	if (error == 0)
		error = end_line(r, "not one column for each CPU");
	for (unsigned int i = 0; error == 0 && i < m->n; i++)
		error = read_row(r, m, i);
	if (error == 0 && r->next != r->last)
		return refuse(r, "more text after the table");
	return error;
}

int
cache_parse(const char *text, size_t len, const char *name, struct cache *out,
	struct err *e)
{
	struct reader r = {.next = text, .last = text + len, .name = name, .e = e};
	struct cache c = {0};
	int error;

	if (len > CACHE_BYTES_MAX)
		return err_set(e, -EINVAL, name, 0, "%zu bytes, at most %u are read",
			len, CACHE_BYTES_MAX);
	error = read_head(&r, &c);
	if (error == 0)
		error = read_places(&r, &c);
	if (error == 0)
		error = read_digits(&r, c.matrix, CACHE_VISITS);
	if (error == 0)
		error = read_digits(&r, c.matrix, CACHE_CONFIDENCE);
	if (error == 0)
		error = read_table(&r, c.matrix);
	if (error < 0) {
		cache_fini(&c);
		return error;
	}
	*out = c;
	return 0;
}
