// SPDX-License-Identifier: MIT
/*
 * What was found when something was looked over, for people: a line each, how bad it
 * is, and what to do about it (io.qmpin's Check). Pure.
 */
#ifndef QMPIN_BASE_CHECKS_H
#define QMPIN_BASE_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

enum checks_level { CHECKS_OK, CHECKS_NOTE, CHECKS_WARNING, CHECKS_PROBLEM };

struct check {
	const char
		*name; /* of what was looked at, static; several lines may share it */
	enum checks_level level;
	char *text;
	char *advice; /* NULL: there is nothing to be done */
};

/* In the order in which they were found. Zero-initialise; checks_fini it. */
struct checks {
	size_t n;
	size_t cap;
	struct check *list;
};

void checks_add(struct checks *c, const char *name, enum checks_level level,
	const char *fmt, ...) PRINTF_LIKE(4, 5);

/** What to do about the last one. */
void checks_advise(struct checks *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** The words of io.qmpin: "ok", "note", "warning", "problem". */
const char *checks_level_name(enum checks_level level);

/** The level with that name, or -1. */
int checks_level_parse(const char *name);

void checks_fini(struct checks *c);

/* VMs that have something in common: how many, and the ids of the first. */
struct checks_group {
	size_t n;
	size_t named;
	char ids[160];
};

#define CHECKS_GROUP_TEXT_MAX 200u

/** @id is safe to print. */
void checks_group_add(struct checks_group *g, const char *id);

/** "VM 101", "VMs 101, 102 and 7 more"; there is one at least. Returns @buf. */
const char *checks_group_text(
	const struct checks_group *g, char buf[CHECKS_GROUP_TEXT_MAX]);

#endif
