// SPDX-License-Identifier: MIT
/*
 * The description of a VM: comments at the top of its configuration, in which what is
 * not plain ASCII, colons and percent signs are written %XX. Pure.
 */
#ifndef QMPIN_PVE_VMDESC_H
#define QMPIN_PVE_VMDESC_H

#include "base/str.h"
#include "pve/pvetext.h"

/** Append what @text means; a stray percent sign stands for itself. A NUL, which ends
 * strings, becomes U+FFFD. */
void vmdesc_decode(struct pvetext text, struct strbuf *out);

/** Take what was gathered, NULL when that is nothing. It ends in a newline. */
MUST_CHECK char *vmdesc_take(struct strbuf *b);

#endif
