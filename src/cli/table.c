// SPDX-License-Identifier: MIT
/*
 * Tables: the widths are found here, libsmartcols prints (it would cut all columns
 * alike and without a mark). It fails only without memory.
 */
#include "config.h"

#include "cli/table.h"

#include <assert.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/out.h"
#include "cli/wrap.h"

#define CUT_MARK ".."

/* Of what is below a row. */
#define BELOW_INDENT 4u

struct row {
	char *cells[TABLE_COLUMNS_MAX]; /* NULL: empty */
	bool marked;
};

struct table {
	const struct table_column *columns;
	size_t n;
	struct row *rows;
	size_t n_rows;
	size_t cap_rows;
};

struct table *
table_new(const struct table_column *columns, size_t n)
{
	struct table *t = xcalloc(1, sizeof(*t));

	assert(n <= TABLE_COLUMNS_MAX);
	t->columns = columns;
	t->n = n;
	return t;
}

void
table_free(struct table *t)
{
	for (size_t i = 0; i < t->n_rows; i++) {
		for (size_t c = 0; c < t->n; c++)
			free(t->rows[i].cells[c]);
	}
	free(t->rows);
	free(t);
}

void
table_row(struct table *t)
{
	t->rows = xgrow(t->rows, t->n_rows, &t->cap_rows, sizeof(*t->rows));
	t->rows[t->n_rows++] = (struct row){.marked = false};
}

void
table_set(struct table *t, size_t column, char *text)
{
	char **cell = &t->rows[t->n_rows - 1].cells[column];

	free(*cell);
	*cell = text;
}

void
table_mark(struct table *t)
{
	t->rows[t->n_rows - 1].marked = true;
}

static size_t
width_of(const char *text)
{
	return text != NULL ? wrap_width(text) : 0;
}

static char *
cut(const char *text, size_t width)
{
	size_t mark = strlen(CUT_MARK);
	size_t used;

	if (text == NULL || width_of(text) <= width)
		return xstrdup(text != NULL ? text : "");
	if (width <= mark)
		return xmemdupz(CUT_MARK, width);
	used = wrap_measure(text, width - mark, &(size_t){0});
	return xasprintf("%.*s" CUT_MARK, (int)used, text);
}

/* Of all columns that are shown, with a blank between two; @shrunk: as narrow as they
 * may become. */
static size_t
total(const struct table_column *columns, size_t n, const size_t *widths, bool shrunk)
{
	size_t sum = 0;

	for (size_t c = 0; c < n; c++) {
		size_t w = widths[c];

		if (shrunk && columns[c].min > 0 && columns[c].min < w)
			w = columns[c].min;
		if (w > 0)
			sum += w + (sum > 0);
	}
	return sum;
}

/* The next column to be left out, or n. */
static size_t
least(const struct table_column *columns, size_t n, const size_t *widths)
{
	size_t found = n;

	for (size_t c = 0; c < n; c++) {
		if (columns[c].drop > 0 && widths[c] > 0 &&
			(found == n || columns[c].drop < columns[found].drop))
			found = c;
	}
	return found;
}

void
table_fit(const struct table_column *columns, size_t n, size_t width, size_t *widths)
{
	size_t c = 0;

	while (c < n && total(columns, n, widths, true) > width) {
		c = least(columns, n, widths);
		if (c < n)
			widths[c] = 0;
	}
	for (c = n; c-- > 0 && total(columns, n, widths, false) > width;) {
		size_t excess = total(columns, n, widths, false) - width;
		size_t min = columns[c].min;

		if (min > 0 && min < widths[c])
			widths[c] = widths[c] - min > excess ? widths[c] - excess : min;
	}
}

static void
find_widths(const struct table *t, size_t *widths)
{
	for (size_t c = 0; c < t->n; c++) {
		widths[c] = width_of(t->columns[c].name);
		for (size_t i = 0; i < t->n_rows; i++) {
			size_t w = width_of(t->rows[i].cells[c]);

			widths[c] = w > widths[c] ? w : widths[c];
		}
	}
}

static void
check(int r)
{
	if (r < 0)
		abort();
}

static void
add_columns(const struct table *t, struct libscols_table *out, const size_t *widths)
{
	for (size_t c = 0; c < t->n; c++) {
		int flags = t->columns[c].right ? SCOLS_FL_RIGHT : 0;

		if (widths[c] > 0 && scols_table_new_column(
					     out, t->columns[c].name, 0, flags) == NULL)
			abort();
	}
}

static void
add_row(const struct table *t, const struct row *row, struct libscols_table *out,
	const size_t *widths)
{
	struct libscols_line *line = scols_table_new_line(out, NULL);
	size_t shown = 0;

	if (line == NULL)
		abort();
	for (size_t c = 0; c < t->n; c++) {
		if (widths[c] > 0)
			check(scols_line_refer_data(
				line, shown++, cut(row->cells[c], widths[c])));
	}
	if (row->marked)
		check(scols_line_set_color(line, "red"));
}

/* ---- sentences below their rows ---- */

static void
add_below(struct strbuf *out, const char *text, size_t width)
{
	auto_free char *line = NULL;
	auto_free char *wrapped = NULL;

	if (text == NULL || str_equal(text, "-")) /* nothing to say */
		return;
	line = xasprintf("%*s%s", (int)BELOW_INDENT, "", text);
	wrapped = wrap_line(line, BELOW_INDENT, width);
	strbuf_adds(out, wrapped);
}

/* @text: what was printed of the other columns, a line for each row. */
static void
print_with_below(const struct table *t, const char *text, bool heading, size_t width)
{
	struct strbuf out = {0};
	size_t row = 0;
	bool head = heading;

	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		strbuf_addf(&out, "%.*s\n", (int)len, text);
		text += len + (text[len] != '\0');
		if (!head && row < t->n_rows)
			add_below(&out, t->rows[row++].cells[t->n - 1], width);
		head = false;
	}
	(void)fputs(strbuf_text(&out), stdout);
	strbuf_fini(&out);
}

bool
table_goes_below(
	const struct table_column *columns, size_t n, size_t width, size_t *widths)
{
	size_t fitted[TABLE_COLUMNS_MAX];
	unsigned int below;

	assert(n > 0 && n <= TABLE_COLUMNS_MAX);
	below = columns[n - 1].below;
	memcpy(fitted, widths, n * sizeof(*fitted));
	table_fit(columns, n, width, fitted);
	if (below == 0 || fitted[n - 1] >= widths[n - 1] || fitted[n - 1] >= below)
		return false;
	widths[n - 1] = 0;
	return true;
}

static struct libscols_table *
new_output(bool heading)
{
	struct libscols_table *out = scols_new_table();

	if (out == NULL)
		abort();
	/* Cells are safe already, and would be escaped a second time. */
	check(scols_table_enable_noencoding(out, 1));
	check(scols_table_enable_noheadings(out, !heading));
	check(scols_table_enable_colors(out, out_colors()));
	return out;
}

void
table_print(const struct table *t, bool heading)
{
	struct libscols_table *out = new_output(heading);
	size_t width = scols_table_get_termwidth(out);
	size_t widths[TABLE_COLUMNS_MAX];
	bool below = false;

	find_widths(t, widths);
	if (isatty(STDOUT_FILENO) != 0) {
		below = table_goes_below(t->columns, t->n, width, widths);
		table_fit(t->columns, t->n, width, widths);
	}
	add_columns(t, out, widths);
	for (size_t i = 0; i < t->n_rows; i++)
		add_row(t, &t->rows[i], out, widths);
	if (below) {
		char *text = NULL;

		check(scols_print_table_to_string(out, &text));
		print_with_below(t, text, heading, width);
		free(text);
	} else {
		check(scols_print_table(out));
	}
	scols_unref_table(out);
}
