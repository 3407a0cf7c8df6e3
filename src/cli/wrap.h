// SPDX-License-Identifier: MIT
/* How wide text is on the screen, and where its lines are broken. Pure, but for the
 * locale, which says what a character is. */
#ifndef QMPIN_CLI_WRAP_H
#define QMPIN_CLI_WRAP_H

#include <stddef.h>

#include "base/attr.h"

/**
 * Bytes of the longest beginning of @text that fills at most @max columns of the
 * screen, which are counted in @width. Colours fill none.
 */
size_t wrap_measure(const char *text, size_t max, size_t *width);

/** Columns of the screen that all of @text fills. */
size_t wrap_width(const char *text);

/**
 * Break a line at blanks, so that none is longer than @width if words allow it.
 *
 * @hang   blanks that lines after the first begin with; fewer where there is no room
 * @width  0: it stays as it is
 *
 * Returns a new string that ends in a newline; free() it.
 */
MUST_CHECK char *wrap_line(const char *text, size_t hang, size_t width);

/**
 * Fill the paragraphs of a page anew where a line of it is longer than @width. What is
 * behind two blanks or more in a line is a column, which goes on in the lines below.
 *
 * Returns a new string; free() it.
 */
MUST_CHECK char *wrap_page(const char *text, size_t width);

#endif
