// SPDX-License-Identifier: MIT
/*
 * Which files the configuration is read from: their names, not their content. In a
 * directory qmpin.conf comes first, then conf.d/NAME.conf in byte order of the names,
 * hidden files left out.
 */
#ifndef QMPIN_CONF_CONFFILES_H
#define QMPIN_CONF_CONFFILES_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct conffiles {
	char **paths; /* in the order in which they are read */
	size_t n;
	size_t cap;
	char *dir; /* the conf.d, be it there or not; NULL: a file stands for all */
};

/**
 * List them; arguments as settings_load's. Of a directory those that are there, no
 * conf.d is an empty one; a single file is listed whatever it is.
 *
 * @out  written only on success; conffiles_fini it
 *
 * Returns 0, -EINVAL (too many) or the errno of reading conf.d, with @e.
 */
MUST_CHECK int conffiles_list(
	const char *root, const char *file, struct conffiles *out, struct err *e);
void conffiles_fini(struct conffiles *files);

#endif
