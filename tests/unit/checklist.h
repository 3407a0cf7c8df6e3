// SPDX-License-Identifier: MIT
/* Asks of a list of findings, for tests. */
#ifndef QMPIN_TESTS_CHECKLIST_H
#define QMPIN_TESTS_CHECKLIST_H

#include <stdio.h>
#include <string.h>

#include "base/checks.h"
#include "base/str.h"

/* The line of that name whose text begins like this, or NULL. */
static inline const struct check *
checklist_find(const struct checks *c, const char *name, const char *text)
{
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->list[i].name, name) == 0 &&
			str_has_prefix(c->list[i].text, text))
			return &c->list[i];
	}
	return NULL;
}

static inline bool
checklist_has_name(const struct checks *c, const char *name)
{
	return checklist_find(c, name, "") != NULL;
}

/* Shows the list where it is not as wanted; @level -1: no line has this name. With a
 * warning or a problem comes what to do. */
static inline bool
checklist_is(const struct checks *c, const char *name, int level, const char *text)
{
	const struct check *found = checklist_find(c, name, level < 0 ? "" : text);
	bool right = found == NULL
			     ? level < 0
			     : (int)found->level == level && strlen(found->text) < 400;

	for (size_t i = 0; !right && i < c->n; i++)
		(void)fprintf(stderr, "%s %s: %s\n",
			checks_level_name(c->list[i].level), c->list[i].name,
			c->list[i].text);
	if (!right)
		(void)fprintf(stderr, "wanted %d %s: %s\n", level, name, text);
	return right;
}

#endif
