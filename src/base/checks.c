// SPDX-License-Identifier: MIT
/* Lists of what was found. Pure. */
#include "config.h"

#include "base/checks.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* More is cut: a line that nobody reads to its end tells nothing. */
#define TEXT_MAX 512u
/* Of a group; of more it is said how many. */
#define NAMED_MAX 8u

static const char *const level_names[] = {
	[CHECKS_OK] = "ok",
	[CHECKS_NOTE] = "note",
	[CHECKS_WARNING] = "warning",
	[CHECKS_PROBLEM] = "problem",
};

static char *format(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static char *
format(const char *fmt, va_list ap)
{
	char text[TEXT_MAX];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	return xstrdup(text);
}

void
checks_add(struct checks *c, const char *name, enum checks_level level, const char *fmt,
	...)
{
	va_list ap;

	c->list = xgrow(c->list, c->n, &c->cap, sizeof(*c->list));
	va_start(ap, fmt);
	c->list[c->n++] = (struct check){name, level, format(fmt, ap), NULL};
	va_end(ap);
}

void
checks_advise(struct checks *c, const char *fmt, ...)
{
	struct check *last = &c->list[c->n - 1];
	va_list ap;

	assert(c->n > 0 && last->advice == NULL);
	va_start(ap, fmt);
	last->advice = format(fmt, ap);
	va_end(ap);
}

const char *
checks_level_name(enum checks_level level)
{
	return level_names[level];
}

int
checks_level_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcmp(level_names[i], name) == 0)
			return (int)i;
	}
	return -1;
}

void
checks_fini(struct checks *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->list[i].text);
		free(c->list[i].advice);
	}
	free(c->list);
	*c = (struct checks){0};
}

void
checks_group_add(struct checks_group *g, const char *id)
{
	size_t used = strlen(g->ids);
	size_t room = sizeof(g->ids) - used;

	g->n++;
	if (g->named + 1 < g->n || g->named == NAMED_MAX || strlen(id) + 3 > room)
		return; /* none behind one that was left out */
	(void)snprintf(g->ids + used, room, "%s%s", used > 0 ? ", " : "", id);
	g->named++;
}

const char *
checks_group_text(const struct checks_group *g, char buf[CHECKS_GROUP_TEXT_MAX])
{
	const char *s = g->n > 1 ? "s" : "";

	assert(g->n > 0);
	if (g->named == 0)
		(void)snprintf(buf, CHECKS_GROUP_TEXT_MAX, "%zu VM%s", g->n, s);
	else if (g->n > g->named)
		(void)snprintf(buf, CHECKS_GROUP_TEXT_MAX, "VM%s %s and %zu more", s,
			g->ids, g->n - g->named);
	else
		(void)snprintf(buf, CHECKS_GROUP_TEXT_MAX, "VM%s %s", s, g->ids);
	return buf;
}
