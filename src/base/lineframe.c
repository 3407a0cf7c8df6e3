// SPDX-License-Identifier: MIT
/* The buffer, and where its next line ends. A line that was looked at has a NUL in
 * place of its newline. */
#include "config.h"

#include "base/lineframe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void
lineframe_fini(struct lineframe *f)
{
	free(f->buf);
	*f = (struct lineframe){.status = 0};
}

int
lineframe_add(struct lineframe *f, const struct lineframe_caps *caps, const char *bytes,
	size_t len)
{
	size_t kept = f->len - f->done;

	if (f->status < 0)
		return f->status;
	if (len > caps->buffer - kept) {
		f->status = -EPROTO;
		return f->status;
	}
	if (f->done > 0) {
		memmove(f->buf, f->buf + f->done, kept);
		f->len = kept;
		f->done = 0;
	}
	if (f->len == 0 && f->cap > caps->kept) {
		free(f->buf);
		f->buf = NULL;
		f->cap = 0;
	}
	if (len > f->cap - f->len) {
		f->cap = f->len + len > 2 * f->cap ? f->len + len : 2 * f->cap;
		f->buf = xrealloc(f->buf, f->cap, 1);
	}
	if (len > 0)
		memcpy(f->buf + f->len, bytes, len);
	f->len += len;
	return 0;
}

static int
refuse(struct lineframe *f, const char *line, size_t len, struct err *e)
{
	f->status = -EPROTO;
	return err_set(e, -EPROTO, NULL, 0, "not a message: '%.*s'",
		(int)(len > 60 ? 60 : len), line);
}

int
lineframe_line(struct lineframe *f, const struct lineframe_caps *caps, char **line,
	size_t *len, struct err *e)
{
	size_t there = f->len - f->done;
	size_t most = there < caps->line ? there : caps->line;
	char *start;
	char *end;

	if (f->status < 0)
		return err_set(e, f->status, NULL, 0, "not what was agreed upon");
	if (most == 0)
		return 0; /* there may be no buffer yet */
	start = f->buf + f->done;
	end = memchr(start, '\n', most);
	if (end == NULL)
		return most == caps->line ? refuse(f, start, most, e) : 0;
	f->line = (size_t)(end - start);
	if (memchr(start, '\0', f->line) != NULL)
		return refuse(f, start, f->line, e);
	*end = '\0';
	*line = start;
	*len = f->line;
	return 1;
}

bool
lineframe_take(struct lineframe *f, size_t n, const char **bytes)
{
	size_t after = f->done + f->line + 1;

	if (f->len - after < n) {
		f->buf[after - 1] = '\n';
		return false;
	}
	*bytes = f->buf + after;
	f->done = after + n;
	return true;
}

int
lineframe_refuse(struct lineframe *f, struct err *e)
{
	return refuse(f, f->buf + f->done, f->line, e);
}
