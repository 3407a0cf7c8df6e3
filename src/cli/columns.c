// SPDX-License-Identifier: MIT
/* Which columns of a table are shown. */
#include "config.h"

#include "cli/columns.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

static void
add(struct columns *c, const struct table_column *all, size_t index, bool named)
{
	c->given[c->n] = index;
	c->shown[c->n] = all[index];
	if (named)
		c->shown[c->n].drop = 0;
	c->n++;
}

static bool
has(const struct columns *c, size_t index)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->given[i] == index)
			return true;
	}
	return false;
}

static int
refuse(const struct table_column *all, size_t n, const char *name, size_t len,
	struct err *e)
{
	struct strbuf names = {0};
	int r;

	for (size_t i = 0; i < n; i++) {
		strbuf_addf(&names, "%s", i > 0 ? ", " : "");
		for (const char *p = all[i].name; *p != '\0'; p++)
			strbuf_addf(&names, "%c", tolower((unsigned char)*p));
	}
	r = err_set(e, -EINVAL, NULL, 0, "no column '%.*s': there are %s",
		len < 40 ? (int)len : 40, name, strbuf_text(&names));
	strbuf_fini(&names);
	return r;
}

/* One that is there already stays where it is. */
static int
add_named(struct columns *c, const struct table_column *all, size_t n, const char *name,
	size_t len, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(all[i].name) == len &&
			strncasecmp(all[i].name, name, len) == 0) {
			if (!has(c, i))
				add(c, all, i, true);
			return 0;
		}
	}
	return refuse(all, n, name, len, e);
}

int
columns_choose(const struct table_column *all, size_t n, const char *names, bool every,
	struct columns *out, struct err *e)
{
	struct columns c = {.n = 0};
	bool besides = names != NULL && *names == '+';
	int r = 0;

	assert(n <= TABLE_COLUMNS_MAX);
	for (size_t i = 0; i < n && (names == NULL || besides); i++) {
		if (every || !all[i].extra)
			add(&c, all, i, false);
	}
	if (besides)
		names++;
	while (r == 0 && names != NULL) {
		size_t len = strcspn(names, ",");

		r = add_named(&c, all, n, names, len, e);
		names = names[len] == ',' ? names + len + 1 : NULL;
	}
	if (r == 0)
		*out = c;
	return r;
}
