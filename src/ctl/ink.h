// SPDX-License-Identifier: MIT
/*
 * Coloured characters for a terminal, with no more escape sequences than needed. Pure.
 */
#ifndef QMPIN_CTL_INK_H
#define QMPIN_CTL_INK_H

#include <stdbool.h>

#include "base/str.h"
#include "ctl/palette.h"

/* Colours as they were chosen last. Zero-initialise but for the first two. */
struct ink {
	struct strbuf *out;
	unsigned int colours; /* as for heatmap_text */
	bool fg_set, bg_set;
	struct palette_rgb fg, bg;
};

/** Choose colours; NULL: the terminal's own. Nothing happens where there are none. */
void ink_set(
	struct ink *ink, const struct palette_rgb *fg, const struct palette_rgb *bg);

#endif
