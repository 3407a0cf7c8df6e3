// SPDX-License-Identifier: MIT
/* A progress bar: what it looks like, and when it is drawn. */
#include "config.h"

#include "cli/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

/* Often enough to be seen to move. */
#define REDRAW_US 100000u

#define BAR_MAX 30u
/* Below this the bar says nothing, and there is only the percentage. */
#define BAR_MIN 5u
/* "[]  100 %  " */
#define AROUND_BAR 11u
/* Room for the text, "96 of 2016 pairs, more pairs of each kind", before the bar takes
 * all it can. */
#define TEXT_WANTED 40u

#define WIDTH_UNKNOWN 80u

static size_t
add(char *out, size_t len, size_t room, char c)
{
	if (len < room)
		out[len++] = c;
	return len;
}

static size_t
add_text(char *out, size_t len, size_t room, const char *text)
{
	for (; *text != '\0'; text++)
		len = add(out, len, room, *text >= ' ' && *text <= '~' ? *text : '?');
	return len;
}

static size_t
bar_width(size_t room)
{
	size_t rest =
		room > AROUND_BAR + TEXT_WANTED ? room - AROUND_BAR - TEXT_WANTED : 0;

	if (rest < BAR_MIN)
		return 0;
	return rest < BAR_MAX ? rest : BAR_MAX;
}

size_t
progress_render(
	uint64_t done, uint64_t total, const char *text, size_t width, char *out)
{
	/* the last column stays free: some terminals wrap there */
	size_t room = width > PROGRESS_TEXT_MAX ? PROGRESS_TEXT_MAX - 1
		      : width > 0		? width - 1
						: 0;
	double share =
		total > 0 ? (double)(done < total ? done : total) / (double)total : 0;
	size_t bar = bar_width(room);
	char percent[16];
	size_t len = 0;

	if (bar > 0) {
		size_t full = (size_t)(share * (double)bar);

		len = add(out, len, room, '[');
		for (size_t i = 0; i < bar; i++)
			len = add(out, len, room, i < full ? '#' : '.');
		len = add_text(out, len, room, "]  ");
	}
	(void)snprintf(
		percent, sizeof(percent), "%3u %%  ", (unsigned int)(share * 100));
	len = add_text(out, len, room, percent);
	len = add_text(out, len, room, text);
	out[len] = '\0';
	return len;
}

static bool
is_wanted(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) != 0 &&
	       !(term != NULL && strcmp(term, "dumb") == 0);
}

/* 0 in some terminals that do not know. */
static size_t
terminal_width(void)
{
	struct winsize size = {.ws_col = 0};

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return WIDTH_UNKNOWN;
	return size.ws_col;
}

void
progress_show(struct progress *p, uint64_t done, uint64_t total, const char *text)
{
	uint64_t now_us = clock_now_us(clock_system());
	char line[PROGRESS_TEXT_MAX];
	size_t len;

	if (now_us < p->next_us || !is_wanted())
		return;
	len = progress_render(done, total, text, terminal_width(), line);
	/* blanks over the end of a longer line before */
	(void)fprintf(stderr, "\r%-*s", (int)(p->shown > len ? p->shown : len), line);
	p->shown = len;
	p->next_us = now_us + REDRAW_US;
}

void
progress_erase(struct progress *p)
{
	if (p->shown > 0)
		(void)fprintf(stderr, "\r%*s\r", (int)p->shown, "");
	p->shown = 0;
	p->next_us = 0;
}
