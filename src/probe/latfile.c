// SPDX-License-Identifier: MIT
/*
 * Which format a file has, and writing those that others read. What a format means is
 * the business of latcsv.c, latjson.c and cache_parse.c.
 */
#include "config.h"

#include "probe/latfile.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "probe/cache.h"
#include "probe/cache_text.h"
#include "probe/latcsv.h"
#include "probe/latjson.h"
#include "probe/number.h"

/* What some exporters put ahead of UTF-8. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

static bool
begins_with(const char *text, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static int
parse_cache(const char *text, size_t len, const char *name, struct matrix **out,
	struct err *e)
{
	struct cache c;
	int r = cache_parse(text, len, name, &c, e);

	if (r < 0)
		return r;
	*out = take_ptr(&c.matrix);
	cache_fini(&c);
	return 0;
}

int
latfile_parse(const char *text, size_t len, const struct cpuset *online,
	const char *name, struct matrix **out, struct err *e)
{
	const char *p = text;

	if (len > CACHE_BYTES_MAX)
		return err_set(e, -EINVAL, name, 0, "%zu bytes, at most %u are read",
			len, CACHE_BYTES_MAX);
	if (memchr(text, '\0', len) != NULL)
		return err_set(e, -EINVAL, name, 0, "not a text");
	if (begins_with(text, len, CACHE_FIRST_LINE))
		return parse_cache(text, len, name, out, e);
	if (begins_with(text, len, BYTE_ORDER_MARK))
		p += strlen(BYTE_ORDER_MARK);
	len -= (size_t)(p - text);
	text = p;
	while (p < text + len && strchr(" \t\r\n", *p) != NULL)
		p++;
	if (p < text + len && *p == '{')
		return latjson_parse(text, len, online, name, out, e);
	return latcsv_parse(text, len, online, name, out, e);
}

/* Cells of a row, with @nothing for pairs without a result. */
static void
add_row(struct strbuf *b, const struct matrix *m, unsigned int i, const char *nothing)
{
	char number[NUMBER_NS_TEXT_MAX];

	for (unsigned int j = 0; j < m->n; j++) {
		if (j > 0)
			strbuf_add(b, ",", 1);
		if (j == i)
			strbuf_add(b, "0", 1);
		else if (matrix_at(m, i, j)->ns > 0)
			strbuf_add(b, number,
				number_write_ns(matrix_at(m, i, j)->ns, number));
		else
			strbuf_adds(b, nothing);
	}
}

char *
latfile_csv(const struct matrix *m)
{
	struct strbuf b = {0};

	strbuf_adds(&b, "cpu");
	for (unsigned int i = 0; i < m->n; i++)
		strbuf_addf(&b, ",%u", m->cpus[i]);
	strbuf_adds(&b, "\n");
	for (unsigned int i = 0; i < m->n; i++) {
		strbuf_addf(&b, "%u,", m->cpus[i]);
		add_row(&b, m, i, "");
		strbuf_adds(&b, "\n");
	}
	return strbuf_take(&b);
}

char *
latfile_json(const struct matrix *m)
{
	struct strbuf b = {0};

	strbuf_adds(&b, "{\"unit\":\"ns\",\"cpus\":[");
	for (unsigned int i = 0; i < m->n; i++)
		strbuf_addf(&b, "%s%u", i > 0 ? "," : "", m->cpus[i]);
	strbuf_adds(&b, "],\"matrix\":[");
	for (unsigned int i = 0; i < m->n; i++) {
		strbuf_adds(&b, i > 0 ? ",\n[" : "\n[");
		add_row(&b, m, i, "null");
		strbuf_adds(&b, "]");
	}
	strbuf_adds(&b, "]}\n");
	return strbuf_take(&b);
}
