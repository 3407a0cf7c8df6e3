// SPDX-License-Identifier: MIT
/*
 * What the commands write: JSON, text that is safe for a terminal, one-line errors.
 */
#ifndef QMPIN_CLI_OUT_H
#define QMPIN_CLI_OUT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "cli/args.h"
#include "cli/cmd.h"

/** "qmpin: ..." on stderr. */
void out_error(const struct err *e);
void out_note(const char *fmt, ...) PRINTF_LIKE(1, 2);

/** @value on stdout, in ASCII, with a newline. */
void out_json(const json_t *value, enum args_format format);

/**
 * Make text from the daemon safe to print: what the locale cannot show, control and
 * direction characters and the backslash are escaped as \xNN (\\).
 *
 * Returns a new string; free() it.
 */
MUST_CHECK char *out_safe(const char *text);

/**
 * The member as safe text for people: strings as they are, numbers, yes or no; "-" when
 * it is null, absent or anything else.
 *
 * Returns a new string; free() it.
 */
MUST_CHECK char *out_member(const json_t *obj, const char *key);

/** Lines that are for programs too: as they are, but on a terminal, where ? stands for
 * what is not safe to print. */
void out_text(const char *text);

/** A line for people, which must be safe to print: on a terminal it is broken at blanks
 * where that is too narrow, and goes on behind @hang blanks. */
void out_line(size_t hang, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** A page of help: on a terminal its paragraphs are filled anew where it is too narrow.
 */
void out_page(const char *text);

/** Microseconds since 1970 as "2025-11-21 10:00:00" in local time, or "never". */
void out_time(const json_t *us, char *buf, size_t size);

/** stdout is a terminal that shows colours, and the user wants them. */
bool out_colors(void);

/** How wide a line on stdout may be, 80 where nothing tells. */
unsigned int out_columns(void);

/** The locale's characters are UTF-8. */
bool out_utf8(void);

/** Flush stdout. CMD_OK, or CMD_FAILED with a message when it cannot be written. */
enum cmd_exit out_finish(void);

#endif
