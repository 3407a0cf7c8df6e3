// SPDX-License-Identifier: MIT
/* What the daemon says, read by tests. */
#include "config.h"

#include "logcatch.h"

#include <err.h>
#include <string.h>

static ssize_t
on_write(void *cookie, const char *bytes, size_t n)
{
	struct logcatch *c = cookie;

	strbuf_add(&c->text, bytes, n);
	(void)fwrite(bytes, 1, n, c->before);
	return (ssize_t)n;
}

void
logcatch_init(struct logcatch *c)
{
	FILE *f = fopencookie(c, "w", (cookie_io_functions_t){.write = on_write});

	if (f == NULL || setvbuf(f, NULL, _IOLBF, 0) != 0)
		err(99, "fopencookie");
	*c = (struct logcatch){.before = stderr};
	stderr = f;
}

void
logcatch_fini(struct logcatch *c)
{
	fclose(stderr);
	stderr = c->before;
	strbuf_fini(&c->text);
}

unsigned int
logcatch_count(const struct logcatch *c, const char *text)
{
	unsigned int n = 0;

	for (const char *at = strbuf_text(&c->text); (at = strstr(at, text)) != NULL;
		at += strlen(text))
		n++;
	return n;
}

void
logcatch_forget(struct logcatch *c)
{
	strbuf_fini(&c->text);
	c->text = (struct strbuf){0};
}
