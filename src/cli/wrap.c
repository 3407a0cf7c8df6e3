// SPDX-License-Identifier: MIT
/* Lines for a window: words stay whole, also those that are wider than it, since a list
 * of CPUs that is broken is two. */
#include "config.h"

#include "cli/wrap.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/str.h"

/* Where a line has no room for what it should hang by. */
#define HANG_NARROW 4u

/* Bytes of the colour that @text begins with: an escape up to its m. */
static size_t
colour_length(const char *text)
{
	const char *end = *text == '\033' ? strchr(text, 'm') : NULL;

	return end != NULL ? (size_t)(end - text) + 1 : 0;
}

size_t
wrap_measure(const char *text, size_t max, size_t *width)
{
	mbstate_t state = {0};
	size_t used = 0;

	*width = 0;
	while (text[used] != '\0') {
		size_t colour = colour_length(text + used);
		wchar_t wc;
		size_t n = mbrtowc(&wc, text + used, MB_CUR_MAX, &state);
		int w = n <= MB_CUR_MAX ? wcwidth(wc) : 1;

		if (colour > 0) {
			used += colour;
			continue;
		}
		if (*width + (size_t)(w > 0 ? w : 0) > max)
			break;
		used += n <= MB_CUR_MAX ? n : 1;
		*width += (size_t)(w > 0 ? w : 0);
	}
	return used;
}

size_t
wrap_width(const char *text)
{
	size_t width;

	(void)wrap_measure(text, SIZE_MAX, &width);
	return width;
}

/* Bytes of @text for a line: up to the last blank that leaves a word before it. */
static size_t
line_length(const char *text, size_t width)
{
	size_t lead = strspn(text, " ");
	size_t unused;
	size_t most = wrap_measure(text, width, &unused);
	size_t n = most;

	if (text[most] == '\0')
		return most;
	while (n > lead && text[n] != ' ')
		n--;
	if (n <= lead)
		n = lead + strcspn(text + lead, " ");
	while (n > lead && text[n - 1] == ' ')
		n--;
	return n;
}

/* As wrap_line, behind what is there. */
static void
add_lines(struct strbuf *out, const char *text, size_t hang, size_t width)
{
	size_t room = width;

	if (hang * 2 > width)
		hang = HANG_NARROW * 2 > width ? 0 : HANG_NARROW;
	do {
		size_t n = line_length(text, room);

		strbuf_add(out, text, n);
		strbuf_adds(out, "\n");
		text += n + strspn(text + n, " ");
		room = width - hang;
		if (*text != '\0')
			strbuf_addf(out, "%*s", (int)hang, "");
	} while (*text != '\0');
}

char *
wrap_line(const char *text, size_t hang, size_t width)
{
	struct strbuf out = {0};

	if (width > 0)
		add_lines(&out, text, hang, width);
	else
		strbuf_addf(&out, "%s\n", text);
	return strbuf_take(&out);
}

/* ---- pages ---- */

static bool
is_wider(const char *text, size_t width)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		if (len > width) /* pages are ASCII */
			return true;
		text += len + (text[len] != '\0');
	}
	return false;
}

/* Where the last column of a line begins; without columns its first word. */
static size_t
column_of(const char *line, size_t len)
{
	size_t column = strspn(line, " ");

	for (size_t i = column; i + 2 < len; i++) {
		if (line[i] == ' ' && line[i + 1] == ' ' && line[i + 2] != ' ')
			column = i + 2;
	}
	return column;
}

/* A paragraph as one line: its first, and those below that go on in its last column.
 * Returns where the next one begins. */
static const char *
take_paragraph(const char *text, struct strbuf *line, size_t *hang)
{
	size_t len = strcspn(text, "\n");

	*hang = column_of(text, len);
	strbuf_add(line, text, len);
	text += len + (text[len] != '\0');
	while (strspn(text, " ") == *hang && text[*hang] != '\n' &&
		text[*hang] != '\0') {
		text += *hang;
		len = strcspn(text, "\n");
		strbuf_adds(line, " ");
		strbuf_add(line, text, len);
		text += len + (text[len] != '\0');
	}
	return text;
}

char *
wrap_page(const char *text, size_t width)
{
	struct strbuf out = {0};
	struct strbuf line = {0};

	if (width == 0 || !is_wider(text, width)) {
		strbuf_adds(&out, text);
		return strbuf_take(&out);
	}
	while (*text != '\0') {
		size_t hang;

		if (*text == '\n') {
			strbuf_adds(&out, "\n");
			text++;
			continue;
		}
		strbuf_drop(&line, line.len);
		text = take_paragraph(text, &line, &hang);
		add_lines(&out, strbuf_text(&line), hang, width);
	}
	strbuf_fini(&line);
	return strbuf_take(&out);
}
