// SPDX-License-Identifier: MIT
/* Settings by a text alone. Include it behind cmocka.h. */
#ifndef QMPIN_TESTS_SETTINGS_TEXT_H
#define QMPIN_TESTS_SETTINGS_TEXT_H

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "conf/settings.h"

static inline int
settings_text_parse(struct settings *c, const char *text, struct err *e)
{
	return settings_parse(c, text, strlen(text), "f", SETTINGS_ORIGIN_CONFIG, e);
}

/* Fails when it is refused. */
static inline struct settings
settings_text_new(const char *text)
{
	struct err e = ERR_NONE;
	struct settings c;

	settings_init(&c);
	if (settings_text_parse(&c, text, &e) != 0)
		fail_msg("%s\nline %u: %s", text, e.line, e.text);
	return c;
}

/* For this reason, at this line. */
static inline void
settings_text_refused(const char *text, unsigned int line, const char *reason)
{
	struct err e = ERR_NONE;
	struct settings c;
	int r;

	settings_init(&c);
	r = settings_text_parse(&c, text, &e);
	settings_fini(&c);
	if (r != -EINVAL || e.line != line || strstr(e.text, reason) == NULL)
		fail_msg("%s\nr = %d, line %u: %s", text, r, e.line, e.text);
}

#endif
