// SPDX-License-Identifier: MIT
/*
 * Tables of latencies: the lines first, which say how large the table is, then cell by
 * cell. A table has labels when its first line cannot be a row of latencies.
 */
#include "config.h"

#include "probe/latcsv.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "probe/lattable.h"
#include "probe/number.h"

/* Rows, and the header. */
#define LINES_MAX (CPUSET_CAP + 1u)

/* A piece of the text. */
struct piece {
	const char *p;
	const char *end;
};

struct line {
	struct piece text;
	unsigned int number;
};

struct csv {
	const char *name;
	struct err *e;
	char separator;
	unsigned int n_lines;
	struct line *lines; /* without comments and what is empty at the end */
	struct lattable table;
};

static struct piece
trimmed(struct piece s)
{
	while (s.p < s.end && (*s.p == ' ' || *s.p == '\t'))
		s.p++;
	while (s.p < s.end && (s.end[-1] == ' ' || s.end[-1] == '\t'))
		s.end--;
	return s;
}

static bool
piece_equal(const struct piece *s, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(s->end - s->p) == len && memcmp(s->p, text, len) == 0;
}

/* Take the first cell off a line; false when there is none left. */
static bool
next_cell(const struct csv *c, struct piece *line, struct piece *cell)
{
	const char *end;

	if (line->p > line->end)
		return false;
	end = memchr(line->p, c->separator, (size_t)(line->end - line->p));
	if (end == NULL)
		end = line->end;
	*cell = trimmed((struct piece){line->p, end});
	if (cell->end - cell->p >= 2 && *cell->p == '"' && cell->end[-1] == '"')
		*cell = trimmed((struct piece){cell->p + 1, cell->end - 1});
	line->p = end + 1;
	return true;
}

static bool
is_empty(const struct piece *cell)
{
	return cell->p == cell->end;
}

/* A number, or 0 for "no result"; false when it is neither. */
static bool
read_latency(struct piece cell, double *ns)
{
	*ns = 0;
	if (is_empty(&cell) || piece_equal(&cell, "-") || piece_equal(&cell, "nan") ||
		piece_equal(&cell, "NaN"))
		return true;
	return number_read(&cell.p, cell.end, ns) == 0 && is_empty(&cell);
}

static int
refuse_cell(const struct csv *c, const struct line *line, struct piece cell,
	const char *what)
{
	int len = cell.end - cell.p < 40 ? (int)(cell.end - cell.p) : 40;

	(void)err_set(c->e, -EINVAL, c->name, line->number, "\"%.*s\" is not %s", len,
		cell.p, what);
	return -EINVAL;
}

static int
read_label(const struct csv *c, const struct line *line, struct piece cell,
	unsigned int *cpu)
{
	struct piece rest = cell;
	uint64_t value;

	if (number_read_uint(&rest.p, rest.end, CPUSET_CAP - 1, &value) < 0 ||
		!is_empty(&rest))
		return refuse_cell(c, line, cell, "the number of a CPU");
	*cpu = (unsigned int)value;
	return 0;
}

static int
add_line(struct csv *c, struct piece text, unsigned int number)
{
	if (text.p < text.end && text.end[-1] == '\r')
		text.end--;
	if (text.p < text.end && *text.p == '#')
		return 0;
	if (c->n_lines == LINES_MAX)
		return err_set(c->e, -EINVAL, c->name, number,
			"no table of latencies: more than %u lines", LINES_MAX);
	c->lines[c->n_lines++] = (struct line){text, number};
	return 0;
}

static int
split_lines(struct csv *c, struct piece text)
{
	unsigned int number = 0;

	c->lines = xcalloc(LINES_MAX, sizeof(*c->lines));
	while (text.p < text.end) {
		const char *end = memchr(text.p, '\n', (size_t)(text.end - text.p));
		int r;

		if (end == NULL)
			end = text.end;
		r = add_line(c, (struct piece){text.p, end}, ++number);
		if (r < 0)
			return r;
		text.p = end + (end < text.end);
	}
	while (c->n_lines > 0) {
		struct piece last = trimmed(c->lines[c->n_lines - 1].text);

		if (!is_empty(&last))
			break;
		c->n_lines--;
	}
	if (c->n_lines == 0)
		return err_set(c->e, -EINVAL, c->name, 0,
			"there is no table of latencies in it");
	return 0;
}

static char
find_separator(const struct csv *c)
{
	static const char candidates[] = ",;\t";

	for (const char *s = candidates; *s != '\0'; s++) {
		for (unsigned int i = 0; i < c->n_lines; i++) {
			struct piece text = c->lines[i].text;

			if (memchr(text.p, *s, (size_t)(text.end - text.p)) != NULL)
				return *s;
		}
	}
	return ',';
}

/* The first line names CPUs: its first cell is no number, and others are not empty. */
static bool
has_header(const struct csv *c)
{
	struct piece line = c->lines[0].text;
	struct piece cell;
	double ns;

	if (!next_cell(c, &line, &cell))
		return false;
	if (!is_empty(&cell))
		return !read_latency(cell, &ns);
	while (next_cell(c, &line, &cell)) {
		if (!is_empty(&cell))
			return true;
	}
	return false;
}

static int
read_header(struct csv *c)
{
	auto_free unsigned int *cpus = xcalloc(CPUSET_CAP, sizeof(*cpus));
	const struct line *line = &c->lines[0];
	struct piece rest = line->text;
	struct err why = ERR_NONE;
	unsigned int n = 0;
	struct piece cell;
	int r = 0;

	(void)next_cell(c, &rest, &cell);
	while (r == 0 && next_cell(c, &rest, &cell)) {
		if (is_empty(&cell) && rest.p > rest.end)
			break; /* a separator at the end of each line */
		if (n == CPUSET_CAP)
			return err_set(c->e, -EINVAL, c->name, line->number,
				"more than %u CPUs", CPUSET_CAP);
		r = read_label(c, line, cell, &cpus[n++]);
	}
	if (r < 0)
		return r;
	if (n == 0)
		return err_set(c->e, -EINVAL, c->name, line->number,
			"no table of latencies: neither these nor numbers of CPUs");
	if (n != c->n_lines - 1)
		return err_set(c->e, -EINVAL, c->name, line->number,
			"%u columns, but %u rows", n, c->n_lines - 1);
	r = lattable_init(&c->table, cpus, n, NULL, &why);
	if (r < 0)
		(void)err_set(c->e, r, c->name, line->number, "%s", why.text);
	return r;
}

/* Cells behind the label into row @i; @nth row of the file. */
static int
read_cells(struct csv *c, const struct line *line, struct piece rest, unsigned int i,
	unsigned int nth)
{
	struct piece cell;
	unsigned int j = 0;
	double ns;

	for (; next_cell(c, &rest, &cell); j++) {
		if (j >= c->table.n && is_empty(&cell))
			break;
		if (j >= c->table.n)
			return err_set(c->e, -EINVAL, c->name, line->number,
				"more cells than the %u CPUs", c->table.n);
		if (!read_latency(cell, &ns) || lattable_set(&c->table, i, j, ns) < 0)
			return refuse_cell(c, line, cell, "a latency in nanoseconds");
	}
	if (!lattable_fits(&c->table, nth, j))
		return err_set(c->e, -EINVAL, c->name, line->number,
			"%u cells, neither the lower triangle of %u CPUs nor all", j,
			c->table.n);
	return 0;
}

static int
read_labelled(struct csv *c)
{
	struct cpuset seen = CPUSET_NONE;
	int r = read_header(c);

	for (unsigned int i = 1; r == 0 && i < c->n_lines; i++) {
		const struct line *line = &c->lines[i];
		struct piece rest = line->text;
		struct piece label = {NULL, NULL};
		unsigned int cpu = 0;
		int row;

		(void)next_cell(c, &rest, &label);
		r = read_label(c, line, label, &cpu);
		if (r < 0)
			return r;
		row = lattable_find(&c->table, cpu);
		if (row < 0 || cpuset_has(&seen, cpu))
			return refuse_cell(c, line, label,
				"a CPU of the header that had no row yet");
		cpuset_add(&seen, cpu);
		r = read_cells(c, line, rest, (unsigned int)row, i - 1);
	}
	return r;
}

static int
read_plain(struct csv *c, const struct cpuset *online)
{
	struct err why = ERR_NONE;
	int r = lattable_init(&c->table, NULL, c->n_lines, online, &why);

	if (r < 0)
		return err_set(c->e, r, c->name, 0, "%s", why.text);
	for (unsigned int i = 0; r == 0 && i < c->n_lines; i++) {
		struct piece text = trimmed(c->lines[i].text);

		/* the first row of a triangle may be, others have been lost */
		if (i > 0 && is_empty(&text))
			return err_set(c->e, -EINVAL, c->name, c->lines[i].number,
				"an empty line in the table");
		r = read_cells(c, &c->lines[i], c->lines[i].text, i, i);
	}
	return r;
}

int
latcsv_parse(const char *text, size_t len, const struct cpuset *online,
	const char *name, struct matrix **out, struct err *e)
{
	struct csv c = {.name = name, .e = e};
	auto_free struct line *lines = NULL;
	int r = split_lines(&c, (struct piece){text, text + len});

	lines = c.lines;
	if (r < 0)
		return r;
	c.separator = find_separator(&c);
	r = has_header(&c) ? read_labelled(&c) : read_plain(&c, online);
	if (r == 0)
		*out = take_ptr(&c.table.matrix);
	lattable_fini(&c.table);
	return r;
}
