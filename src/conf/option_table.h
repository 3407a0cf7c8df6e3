// SPDX-License-Identifier: MIT
/*
 * The one table of settings: it drives the parser, the defaults, the messages and the
 * sample file. Pure.
 */
#ifndef QMPIN_CONF_OPTION_TABLE_H
#define QMPIN_CONF_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/err.h"
#include "conf/inifile.h"

enum option_type {
	OPTION_UINT,	/* unsigned int */
	OPTION_WORD,	/* an enum or int */
	OPTION_CPULIST, /* struct cpuset */
	OPTION_GROUP,	/* char[SETTINGS_GROUP_MAX], name of a group */
};

/* One key of [qmpin]. */
struct option_def {
	const char *key;
	enum option_type type;
	const char *fallback; /* the default, as it would be written in the file */
	const char *text;     /* one line for people */
	unsigned int min;     /* OPTION_UINT */
	unsigned int max;
	const char *unit;	      /* "ms"; NULL: a plain number */
	const char *const *words;     /* OPTION_WORD: all words, NULL-terminated */
	int (*parse)(const char *);   /* word to value; NULL: its index in words */
	bool (*supported)(int value); /* NULL: every word is */
	bool fixed;		      /* a reload does not change it */
	size_t offset;		      /* of the member in struct settings */
	size_t vm_offset;	      /* in struct settings_vm, 0: not for [vm ID] */
	size_t vm_has;		      /* its bool has_... there */
};

/** The table, in the order of the sample file; *n its length. */
const struct option_def *option_table(size_t *n);

/** The option with that key, or NULL. */
const struct option_def *option_table_find(const char *key);

/** A key that is documented for a later version: it has no effect in this one. */
bool option_table_is_planned(const char *key);

/**
 * Read item->value into @member, a member of the option's type.
 *
 * Returns 0, or -EINVAL with the item's place and what would be right in @e; @member is
 * written only on success.
 */
MUST_CHECK int option_table_read(const struct option_def *o,
	const struct inifile_item *item, void *member, struct err *e);

/** The sample file: every option with its text, range and default. */
void option_table_write_sample(FILE *out);

#endif
