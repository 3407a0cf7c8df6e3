// SPDX-License-Identifier: MIT
/*
 * Reads UTF-8 strictly (no overlong forms, no surrogates) and lets through only what
 * neither breaks a document nor misleads who reads it.
 *
 * Sources: XML 1.0 section 2.2; RFC 3629 section 4.
 */
#include "config.h"

#include "ctl/xml.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS "\xe2\x80\xa6"

/* The character at @s and its length; 0 bytes: not UTF-8. */
static size_t
decode(const unsigned char *s, uint32_t *out)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80	 ? 1
		     : s[0] >> 5 == 0x6	 ? 2
		     : s[0] >> 4 == 0xe	 ? 3
		     : s[0] >> 3 == 0x1e ? 4
					 : 0;
	uint32_t c = len <= 1 ? s[0] : s[0] & (0x7fu >> len);

	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	if (len > 1 && (c < lowest[len] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff))
		return 0;
	*out = c;
	return len;
}

/* Control characters, direction marks and overrides, line and paragraph separators,
 * the two noncharacters that XML forbids. */
static bool
is_bad(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
	       c == 0x61c || c == 0xfeff || c == 0xfffe || c == 0xffff;
}

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
		if (is_bad(c))
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
		size_t len = decode((const unsigned char *)text, &c);

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
