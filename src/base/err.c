// SPDX-License-Identifier: MIT
/* Where and why something failed; first error wins. */
#include "config.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

bool
err_is_set(const struct err *e)
{
	return e != NULL && e->text[0] != '\0';
}

void
err_clear(struct err *e)
{
	e->source[0] = '\0';
	e->line = 0;
	e->text[0] = '\0';
}

int
err_set(struct err *e, int ret, const char *source, unsigned int line, const char *fmt,
	...)
{
	char raw[sizeof(e->text)];
	va_list ap;

	if (e == NULL || err_is_set(e))
		return ret;
	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	str_escape(raw, strlen(raw), e->text, sizeof(e->text));
	if (e->text[0] == '\0')
		str_copy(e->text, sizeof(e->text), "failed");
	str_escape(source != NULL ? source : "", source != NULL ? strlen(source) : 0,
		e->source, sizeof(e->source));
	e->line = line;
	return ret;
}

const char *
err_format(const struct err *e, char *buf, size_t size)
{
	if (e->source[0] == '\0')
		(void)snprintf(buf, size, "%s", e->text);
	else if (e->line == 0)
		(void)snprintf(buf, size, "%s: %s", e->source, e->text);
	else
		(void)snprintf(buf, size, "%s:%u: %s", e->source, e->line, e->text);
	return buf;
}
