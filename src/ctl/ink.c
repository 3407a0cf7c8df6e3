// SPDX-License-Identifier: MIT
/*
 * ANSI colours: 24 bits, or the nearest of 256.
 *
 * Source: ECMA-48 section 8.3.117 (SGR), ISO 8613-6 for 38 and 48.
 */
#include "config.h"

#include "ctl/ink.h"

#include <string.h>

static bool
is_same(bool set, const struct palette_rgb *now, const struct palette_rgb *want)
{
	if (!set || want == NULL)
		return !set && want == NULL;
	return memcmp(now, want, sizeof(*now)) == 0;
}

/* @code  38 for what is written, 48 for what is behind */
static void
choose(struct ink *ink, unsigned int code, struct palette_rgb c)
{
	if (ink->colours > 256)
		strbuf_addf(ink->out, "\033[%u;2;%u;%u;%um", code, c.r, c.g, c.b);
	else
		strbuf_addf(ink->out, "\033[%u;5;%um", code, palette_256(c));
}

void
ink_set(struct ink *ink, const struct palette_rgb *fg, const struct palette_rgb *bg)
{
	if (ink->colours == 0)
		return;
	if ((fg == NULL && ink->fg_set) || (bg == NULL && ink->bg_set)) {
		strbuf_adds(ink->out, "\033[0m");
		ink->fg_set = ink->bg_set = false;
	}
	if (!is_same(ink->fg_set, &ink->fg, fg))
		choose(ink, 38, *fg);
	if (!is_same(ink->bg_set, &ink->bg, bg))
		choose(ink, 48, *bg);
	ink->fg_set = fg != NULL;
	ink->bg_set = bg != NULL;
	if (fg != NULL)
		ink->fg = *fg;
	if (bg != NULL)
		ink->bg = *bg;
}
