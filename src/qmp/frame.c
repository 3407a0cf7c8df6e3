// SPDX-License-Identifier: MIT
/*
 * Brackets and quotes are counted, nothing more: whether an object is JSON is for the
 * parser to say. An object that lies whole in the input is handed out in place; only
 * one that came in pieces is copied. Pure.
 */
#include "config.h"

#include "qmp/frame.h"

#include <errno.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* One byte inside an object. */
static void
step(struct frame *f, char c)
{
	if (f->escaped) {
		f->escaped = false;
	} else if (f->quoted) {
		f->escaped = c == '\\';
		f->quoted = c != '"';
	} else if (c == '"') {
		f->quoted = true;
	} else if (c == '{' || c == '[') {
		f->depth++;
	} else if (c == '}' || c == ']') {
		f->depth--;
	}
}

static int
check_caps(const struct frame *f, struct err *e)
{
	if (f->seen > FRAME_BYTES_MAX)
		return err_set(e, -E2BIG, NULL, 0, "%u bytes without a whole message",
			FRAME_BYTES_MAX);
	if (f->depth > FRAME_DEPTH_MAX)
		return err_set(e, -E2BIG, NULL, 0,
			"a message nested deeper than %u levels", FRAME_DEPTH_MAX);
	return 0;
}

/* Blanks between objects; then an object or nothing. */
static int
skip_blanks(struct frame *f, struct frame_span *in, struct err *e)
{
	size_t n = 0;

	while (n < in->len && is_blank(in->bytes[n]))
		n++;
	in->bytes += n;
	in->len -= n;
	f->seen += n;
	if (in->len > 0 && in->bytes[0] != '{')
		return err_set(e, -EBADMSG, NULL, 0,
			"byte 0x%02x where a message should begin",
			(unsigned int)(unsigned char)in->bytes[0]);
	return check_caps(f, e);
}

/* The first @n bytes of @in end an object. */
static int
hand_out(struct frame *f, struct frame_span *in, size_t n, struct frame_span *object)
{
	*object = (struct frame_span){in->bytes, n};
	if (f->partial.len > 0) {
		strbuf_add(&f->partial, in->bytes, n);
		*object = (struct frame_span){f->partial.s, f->partial.len};
		f->given = true;
	}
	in->bytes += n;
	in->len -= n;
	f->seen = 0;
	return 1;
}

int
frame_next(struct frame *f, struct frame_span *in, struct frame_span *object,
	struct err *e)
{
	int r;

	if (f->given) {
		strbuf_fini(&f->partial);
		f->given = false;
	}
	if (f->depth == 0) {
		r = skip_blanks(f, in, e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < in->len; i++) {
		step(f, in->bytes[i]);
		f->seen++;
		r = check_caps(f, e);
		if (r < 0)
			return r;
		if (f->depth == 0)
			return hand_out(f, in, i + 1, object);
	}
	if (in->len > 0)
		strbuf_add(&f->partial, in->bytes, in->len);
	in->bytes += in->len;
	in->len = 0;
	return 0;
}

void
frame_fini(struct frame *f)
{
	strbuf_fini(&f->partial);
	*f = (struct frame){0};
}
