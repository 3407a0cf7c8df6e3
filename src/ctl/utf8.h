// SPDX-License-Identifier: MIT
/* Characters of texts from outside. Pure: the locale has no say. */
#ifndef QMPIN_CTL_UTF8_H
#define QMPIN_CTL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The character that @text begins with and its length in bytes; 0: it is not UTF-8.
 * @text is NUL-terminated; the end of it is the character 0 of one byte. */
size_t utf8_decode(const char *text, uint32_t *out);

/** Neither breaks what it is written into nor misleads who reads it: no control
 * character, no change of direction, nothing invisible. */
bool utf8_is_plain(uint32_t c);

/** On a terminal: 2 for wide characters, else 1, also for those that take none. */
unsigned int utf8_columns(uint32_t c);

#endif
