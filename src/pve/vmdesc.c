// SPDX-License-Identifier: MIT
/* Percent signs and what they mean. The text is anybody's; the result is not longer
 * than three times of it. */
#include "config.h"

#include "pve/vmdesc.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The byte that "%XX" at @s stands for, or -1. */
static int
escaped_byte(const char *s, size_t len)
{
	int high = len >= 3 && s[0] == '%' ? str_hex_digit(s[1]) : -1;
	int low = high >= 0 ? str_hex_digit(s[2]) : -1;

	return low >= 0 ? high * 16 + low : -1;
}

/* Bytes before the next one that means another one. */
static size_t
plain_length(struct pvetext t)
{
	size_t n = 0;

	while (n < t.len && t.s[n] != '\0' && t.s[n] != '%')
		n++;
	return n;
}

void
vmdesc_decode(struct pvetext text, struct strbuf *out)
{
	while (text.len > 0) {
		size_t n = plain_length(text);
		int byte;
		char c;

		strbuf_add(out, text.s, n);
		text.s += n;
		text.len -= n;
		if (text.len == 0)
			return;
		byte = escaped_byte(text.s, text.len);
		n = byte >= 0 ? 3 : 1;
		c = byte >= 0 ? (char)byte : text.s[0];
		if (c == '\0')
			strbuf_adds(out, REPLACEMENT);
		else
			strbuf_add(out, &c, 1);
		text.s += n;
		text.len -= n;
	}
}

char *
vmdesc_take(struct strbuf *b)
{
	if (b->len == 0)
		return NULL;
	if (b->s[b->len - 1] != '\n')
		strbuf_add(b, "\n", 1);
	return strbuf_take(b);
}
