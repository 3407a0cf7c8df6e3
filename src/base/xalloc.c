// SPDX-License-Identifier: MIT
/*
 * Allocation that ends the process instead of failing, and the cleanup functions
 * behind auto_free and auto_close.
 */
#include "config.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
cleanup_free(void *pp)
{
	void *p;

	memcpy(&p, pp, sizeof(p));
	free(p);
}

void
cleanup_close(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static _Noreturn void
no_memory(void)
{
	static const char text[] = "out of memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		errno = ENOMEM; /* nobody reads it */
	abort();
}

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(n > 0 ? n : 1, size > 0 ? size : 1);

	if (p == NULL)
		no_memory();
	return p;
}

void *
xmalloc(size_t size)
{
	return xrealloc(NULL, size, 1);
}

void *
xresize(void *p, size_t size)
{
	return xrealloc(p, size, 1);
}

void *
xrealloc(void *p, size_t n, size_t size)
{
	void *q = reallocarray(p, n > 0 ? n : 1, size > 0 ? size : 1);

	if (q == NULL)
		no_memory();
	return q;
}

void *
xgrow(void *items, size_t len, size_t *cap, size_t size)
{
	if (len < *cap)
		return items;
	*cap = *cap > 0 ? *cap * 2 : 8;
	return xrealloc(items, *cap, size);
}

char *
xstrdup(const char *s)
{
	return xmemdupz(s, strlen(s));
}

char *
xmemdupz(const char *s, size_t len)
{
	char *p = xcalloc(len + 1, 1);

	if (len > 0)
		memcpy(p, s, len);
	return p;
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (r < 0)
		no_memory();
	return p;
}

void
xfree_texts(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

void *
take_ptr(void *pp)
{
	void *none = NULL;
	void *p;

	memcpy(&p, pp, sizeof(p));
	memcpy(pp, &none, sizeof(none));
	return p;
}

int
take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}
