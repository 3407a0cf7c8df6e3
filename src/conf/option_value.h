// SPDX-License-Identifier: MIT
/*
 * What an option of the settings may be, and the one way to read its value. Pure but
 * for the text of the sample file.
 */
#ifndef QMPIN_CONF_OPTION_VALUE_H
#define QMPIN_CONF_OPTION_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/err.h"
#include "conf/inifile.h"

enum option_type {
	OPTION_UINT,	/* unsigned int */
	OPTION_FACTOR,	/* double, decimals allowed; min and max as they are */
	OPTION_WORD,	/* an enum or int */
	OPTION_CPULIST, /* struct cpuset */
	OPTION_GROUP,	/* char[SETTINGS_GROUP_MAX], name of a group */
};

/* One key of a section. */
struct option_def {
	const char *key;
	const char *section; /* NULL: "qmpin" */
	enum option_type type;
	const char *fallback; /* the default, as it would be written in the file */
	const char *text;     /* one line for people */
	unsigned int min;     /* OPTION_UINT, OPTION_FACTOR */
	unsigned int max;
	const char *unit;	    /* "ms"; NULL: a plain number */
	const char *const *words;   /* OPTION_WORD: all words, NULL-terminated */
	int (*parse)(const char *); /* word to value; NULL: its index in words */
	bool fixed;		    /* a reload does not change it */
	size_t offset;		    /* of the member in struct settings */
	size_t vm_offset;	    /* in struct settings_vm, 0: not for [vm ID] */
	size_t vm_has;		    /* its bool has_... there */
};

/**
 * Read item->value into @member, a member of the option's type.
 *
 * Returns 0, or -EINVAL with the item's place and what would be right in @e; @member is
 * written only on success.
 */
MUST_CHECK int option_value_read(const struct option_def *o,
	const struct inifile_item *item, void *member, struct err *e);

/** The value in @member as it may be written behind the key; new text. */
char *option_value_text(const struct option_def *o, const void *member);

/** What may be written behind the key, as a line of the sample file. */
void option_value_describe(const struct option_def *o, FILE *out);

#endif
