// SPDX-License-Identifier: MIT
/* Texts given as spans of bytes, and texts that were written. Include it behind
 * cmocka.h. */
#ifndef QMPIN_TESTS_SPANS_H
#define QMPIN_TESTS_SPANS_H

#include <string.h>

#include "base/str.h"
#include "qmp/frame.h"

static inline struct frame_span
span(const char *text)
{
	return (struct frame_span){text, strlen(text)};
}

/* @out is empty afterwards. */
static inline void
expect_written(struct strbuf *out, const char *wanted)
{
	assert_string_equal(strbuf_text(out), wanted);
	strbuf_fini(out);
}

#endif
