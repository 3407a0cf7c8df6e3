// SPDX-License-Identifier: MIT
/*
 * The files of a host's configuration as texts. They are kept, so that settings can be
 * made of them anew when only what lies under them, the cluster's file, has changed.
 */
#ifndef QMPIN_CONF_SOURCES_H
#define QMPIN_CONF_SOURCES_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "conf/settings.h"

struct source {
	char *name; /* of the file */
	char *text; /* @len bytes, not terminated */
	size_t len;
};

/* Zeroed there are none. */
struct sources {
	size_t n; /* the strongest last */
	size_t cap;
	struct source *list;
};

/** Read the files that settings_load reads; arguments and errors as there. */
MUST_CHECK int sources_read(
	const char *root, const char *file, struct sources *out, struct err *e);
void sources_fini(struct sources *s);

/** Make settings of the defaults, of @under (the cluster's file, NULL: none), and of @s
 * above it. @out and errors as settings_load. */
MUST_CHECK int sources_parse(const struct sources *s, const struct source *under,
	struct settings *out, struct err *e);

#endif
