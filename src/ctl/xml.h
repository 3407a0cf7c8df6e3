// SPDX-License-Identifier: MIT
/* Text from outside as text of an XML document. Pure. */
#ifndef QMPIN_CTL_XML_H
#define QMPIN_CTL_XML_H

#include <stddef.h>

#include "base/str.h"

/**
 * Append @text, safe as content and as attribute value. Bytes that are not UTF-8,
 * characters that XML does not allow, control characters and those that change the
 * direction of text become U+FFFD.
 *
 * @max  longer text is cut to that many characters, the last of them an ellipsis
 */
void xml_add(struct strbuf *b, const char *text, size_t max);

#endif
