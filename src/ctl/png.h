// SPDX-License-Identifier: MIT
/* A square of pixels as a PNG image inside a document. Pure. */
#ifndef QMPIN_CTL_PNG_H
#define QMPIN_CTL_PNG_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "ctl/palette.h"

/**
 * Append "data:image/png;base64,...".
 *
 * @pixels   @side * @side indexes into @colours, row by row; @side at least 1
 * @n        colours, at most 255; pixels with the index @n are transparent
 */
void png_add_uri(struct strbuf *b, const uint8_t *pixels, unsigned int side,
	const struct palette_rgb *colours, unsigned int n);

#endif
