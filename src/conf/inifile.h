// SPDX-License-Identifier: MIT
/*
 * INI text, read strictly: what libinih would cut, join or skip without a word is an
 * error with its line here. Pure.
 *
 * Lines are "[section]", "key = value" (or "key: value"), empty, or a comment after ';'
 * or '#'; a comment may also follow a blank and ';' behind anything. Indenting means
 * nothing; a line is never continued on the next one.
 */
#ifndef QMPIN_CONF_INIFILE_H
#define QMPIN_CONF_INIFILE_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

#define INIFILE_BYTES_MAX (1024u * 1024u)
#define INIFILE_LINE_MAX 4096u	/* without the end of line; a list of 800 CPUs */
#define INIFILE_SECTION_MAX 80u /* with NUL; "vm " and an id of 64 */
#define INIFILE_KEY_MAX 64u	/* with NUL */

/* Borrowed for the call. Strings are as they stand in the file: escape before printing
 * (err_set does). */
struct inifile_item {
	const char *file;
	unsigned int line;
	const char *section;
	const char *key;   /* NULL for the section itself */
	const char *value; /* blanks around it removed; NULL for the section itself */
};

/* Told in the order of the file; a negative answer (with @e set) ends the reading. */
struct inifile_handler {
	int (*on_section)(void *owner, const struct inifile_item *item, struct err *e);
	int (*on_value)(void *owner, const struct inifile_item *item, struct err *e);
};

/**
 * Read a whole file.
 *
 * @text  @len bytes; need not be terminated; a byte order mark is skipped
 * @file  its name, for messages
 *
 * Returns 0, -EINVAL with @e = file, line and reason (over INIFILE_BYTES_MAX or
 * INIFILE_LINE_MAX, NUL or another control character, not UTF-8, missing ']', text
 * behind
 * ']', no key or no '=', a name that is too long, a key before the first section, a key
 * twice in one section) or what a handler answered.
 */
MUST_CHECK int inifile_parse(const char *text, size_t len, const char *file,
	const struct inifile_handler *handler, void *owner, struct err *e);

#endif
