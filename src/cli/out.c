// SPDX-License-Identifier: MIT
/*
 * What the commands write. Invariant: no byte from the daemon reaches a terminal but
 * through out_safe, out_text, out_json or err_set.
 */
#include "config.h"

#include "cli/out.h"

#include <errno.h>
#include <float.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/wrap.h"

/* When nothing tells how wide a line may be; and the widest: lines of a picture are
 * built in memory. */
#define COLUMNS_DEFAULT 80u
#define COLUMNS_MAX 10000u

void
out_error(const struct err *e)
{
	char text[sizeof(*e) + 16];

	(void)fprintf(stderr, "qmpin: %s\n", err_format(e, text, sizeof(text)));
}

void
out_note(const char *fmt, ...)
{
	va_list ap;

	(void)fputs("qmpin: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

/* ASCII: bytes that some terminals take for control characters stay out. Numbers as
 * they came: 12.3 is not 12.300000000000001. */
void
out_json(const json_t *value, enum args_format format)
{
	size_t flags = JSON_ENSURE_ASCII | JSON_REAL_PRECISION(DBL_DIG);

	flags |= format == ARGS_JSON_PRETTY ? JSON_INDENT(2) : JSON_COMPACT;
	(void)json_dumpf(value, stdout, flags);
	(void)putchar('\n');
}

/* Marks and overrides of writing direction, invisible spaces: printable to the C
 * library, but able to make one name look like another. */
static bool
is_disguise(wchar_t wc)
{
	return (wc >= 0x200b && wc <= 0x200f) || (wc >= 0x2028 && wc <= 0x202e) ||
	       (wc >= 0x2060 && wc <= 0x2069) || wc == 0xfeff || wc == 0x061c;
}

/* Bytes of the character at @text that may be printed as they are; 0: escape one byte.
 */
static size_t
printable(const char *text, size_t len)
{
	mbstate_t state = {0};
	wchar_t wc;
	size_t n = mbrtowc(&wc, text, len, &state);

	if (n == 0 || n > len || *text == '\\' || !iswprint((wint_t)wc) ||
		is_disguise(wc))
		return 0;
	return n;
}

char *
out_safe(const char *text)
{
	struct strbuf b = {0};
	size_t len = strlen(text);

	while (len > 0) {
		size_t n = printable(text, len);
		char escaped[8];

		if (n > 0) {
			strbuf_add(&b, text, n);
		} else {
			n = 1;
			strbuf_adds(&b, str_escape(text, 1, escaped, sizeof(escaped)));
		}
		text += n;
		len -= n;
	}
	return strbuf_take(&b);
}

void
out_text(const char *text)
{
	size_t len = strlen(text);

	if (isatty(STDOUT_FILENO) == 0) {
		(void)fwrite(text, 1, len, stdout);
		return;
	}
	while (len > 0) {
		size_t n = *text == '\n' || *text == '\\' ? 1 : printable(text, len);

		if (n > 0)
			(void)fwrite(text, 1, n, stdout);
		else
			(void)putchar('?');
		text += n > 0 ? n : 1;
		len -= n > 0 ? n : 1;
	}
}

/* 0: as long as it likes. */
static size_t
line_width(void)
{
	return isatty(STDOUT_FILENO) != 0 ? out_columns() : 0;
}

void
out_line(size_t hang, const char *fmt, ...)
{
	auto_free char *wrapped = NULL;
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	wrapped = wrap_line(text, hang, line_width());
	(void)fputs(wrapped, stdout);
	free(text);
}

void
out_page(const char *text)
{
	auto_free char *filled = wrap_page(text, line_width());

	(void)fputs(filled, stdout);
}

char *
out_member(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);

	switch (v != NULL ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING:
		return out_safe(
			*json_string_value(v) != '\0' ? json_string_value(v) : "-");
	case JSON_INTEGER:
		return xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(v));
	case JSON_REAL:
		return xasprintf("%.1f", json_real_value(v));
	case JSON_TRUE:
		return xstrdup("yes");
	case JSON_FALSE:
		return xstrdup("no");
	default:
		return xstrdup("-");
	}
}

void
out_time(const json_t *us, char *buf, size_t size)
{
	time_t s = (time_t)(json_integer_value(us) / 1000000);
	struct tm tm;

	if (!json_is_integer(us) || localtime_r(&s, &tm) == NULL ||
		strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		str_copy(buf, size, "never");
}

bool
out_colors(void)
{
	const char *off = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (off != NULL && *off != '\0')
		return false;
	return isatty(STDOUT_FILENO) != 0 && term != NULL && strcmp(term, "dumb") != 0;
}

unsigned int
out_columns(void)
{
	const char *env = getenv("COLUMNS");
	struct winsize size;
	uint64_t n;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	if (env != NULL && str_parse_uint(env, COLUMNS_MAX, &n) == 0 && n > 0)
		return (unsigned int)n;
	return COLUMNS_DEFAULT;
}

bool
out_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

enum cmd_exit
out_finish(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return CMD_OK;
	out_note("cannot write: %s", errno != 0 ? strerror(errno) : "output error");
	return CMD_FAILED;
}
