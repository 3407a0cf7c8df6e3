// SPDX-License-Identifier: MIT
/*
 * A progress bar on a terminal's stderr; nothing anywhere else. Plain characters and
 * carriage returns: no colours, no escapes.
 */
#ifndef QMPIN_CLI_PROGRESS_H
#define QMPIN_CLI_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

/* The widest bar with all its text, and its NUL. */
#define PROGRESS_TEXT_MAX 128u

/* Zero-initialise. */
struct progress {
	size_t shown;	  /* characters on the screen, to be erased */
	uint64_t next_us; /* not to be drawn again before */
};

/**
 * One line for a terminal: "[#####.....]  50 %  measuring". Pure.
 *
 * @text   what is being done; cut to what room there is, characters that are not
 *         printable ASCII are shown as '?'
 * @width  of the terminal; the line is shorter
 * @out    PROGRESS_TEXT_MAX bytes
 *
 * Returns its length.
 */
size_t progress_render(
	uint64_t done, uint64_t total, const char *text, size_t width, char *out);

/** Draw, a few times a second at most, where stderr is a terminal. */
void progress_show(struct progress *p, uint64_t done, uint64_t total, const char *text);

/** Take it off the screen. Do so before anything else is written. */
void progress_erase(struct progress *p);

#endif
