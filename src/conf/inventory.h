// SPDX-License-Identifier: MIT
/*
 * All settings, one by one, as they are in force: for people who ask what counts and
 * where it was said. Pure.
 */
#ifndef QMPIN_CONF_INVENTORY_H
#define QMPIN_CONF_INVENTORY_H

#include "conf/settings.h"

/* Borrowed for the call. */
struct inventory_item {
	const char *key;   /* "mode", "weights.memory", "vm 103.mode" */
	const char *value; /* as it may be written in a file */
	const char *file;  /* where it was set; NULL: it is the default */
	unsigned int line;
	const char *text; /* what it is, in one line */
};

typedef void inventory_handle(void *arg, const struct inventory_item *item);

/** Hand over every key of [qmpin] and [weights] in the order of the sample file, then
 * what is set of each VM, by id. */
void inventory_each(const struct settings *c, inventory_handle *handle, void *arg);

#endif
