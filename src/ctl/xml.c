// SPDX-License-Identifier: MIT
/*
 * Lets through only what neither breaks a document nor misleads who reads it.
 *
 * Source: XML 1.0 section 2.2.
 */
#include "config.h"

#include "ctl/xml.h"

#include <stdint.h>

#include "ctl/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS "\xe2\x80\xa6"

static void
add_char(struct strbuf *b, const char *bytes, size_t len, uint32_t c)
{
	switch (c) {
	case '&':
		strbuf_adds(b, "&amp;");
		break;
	case '<':
		strbuf_adds(b, "&lt;");
		break;
	case '>':
		strbuf_adds(b, "&gt;");
		break;
	case '"':
		strbuf_adds(b, "&quot;");
		break;
	case '\'':
		strbuf_adds(b, "&#39;");
		break;
	default:
		if (!utf8_is_plain(c))
			strbuf_adds(b, REPLACEMENT);
		else
			strbuf_add(b, bytes, len);
	}
}

void
xml_add(struct strbuf *b, const char *text, size_t max)
{
	size_t n = 0;
	size_t before_last = b->len;

	while (*text != '\0') {
		uint32_t c = 0;
		size_t len = utf8_decode(text, &c);

		if (n == max) {
			b->len = before_last;
			strbuf_adds(b, ELLIPSIS);
			return;
		}
		before_last = b->len;
		if (len == 0)
			strbuf_adds(b, REPLACEMENT);
		else
			add_char(b, text, len, c);
		text += len == 0 ? 1 : len;
		n++;
	}
}
