// SPDX-License-Identifier: MIT
/*
 * Reads UTF-8 strictly: no overlong forms, no surrogates. Which characters are harmless
 * is a list of those that are not.
 *
 * Sources: RFC 3629 section 4; Unicode's East Asian Width, by whole blocks.
 */
#include "config.h"

#include "ctl/utf8.h"

#include "base/attr.h"

size_t
utf8_decode(const char *text, uint32_t *out)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *s = (const unsigned char *)text;
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
 * tags that nobody sees, and the two noncharacters that XML forbids. */
bool
utf8_is_plain(uint32_t c)
{
	return !(c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
		 (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
		 c == 0x61c || c == 0xfeff || c == 0xfffe || c == 0xffff ||
		 (c >= 0xe0000 && c <= 0xe007f));
}

unsigned int
utf8_columns(uint32_t c)
{
	static const struct {
		uint32_t first;
		uint32_t last;
	} wide[] = {
		{0x1100, 0x115f},		      /* Hangul's first parts */
		{0x2e80, 0xa4cf},		      /* from the radicals to Yi */
		{0xac00, 0xd7a3},		      /* Hangul */
		{0xf900, 0xfaff},		      /* more ideographs */
		{0xfe30, 0xfe6f},		      /* forms of punctuation */
		{0xff01, 0xff60},		      /* full width */
		{0xffe0, 0xffe6}, {0x1f300, 0x1faff}, /* pictures */
		{0x20000, 0x3fffd},		      /* more ideographs */
	};

	for (size_t i = 0; i < ARRAY_LEN(wide); i++) {
		if (c >= wide[i].first && c <= wide[i].last)
			return 2;
	}
	return 1;
}
