// SPDX-License-Identifier: MIT
/*
 * The one table of settings: it drives the parser, the defaults, the messages and the
 * sample file. Pure.
 */
#ifndef QMPIN_CONF_OPTION_TABLE_H
#define QMPIN_CONF_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "conf/option_value.h"

/** The table, in the order of the sample file; *n its length. */
const struct option_def *option_table(size_t *n);

/** The option with that key in that section ("qmpin", "weights"), or NULL. */
const struct option_def *option_table_find(const char *section, const char *key);

/** The place of an option in the table, and among those that a VM may have. */
unsigned int option_table_index(const struct option_def *o);
unsigned int option_table_vm_index(const struct option_def *o);

/** Its section: "qmpin" or "weights". */
const char *option_table_section(const struct option_def *o);

/** A key of [qmpin] that is documented for a later version: it has no effect in this
 * one. */
bool option_table_is_planned(const char *key);

/** The sample file: every option with its text, range and default. */
void option_table_write_sample(FILE *out);

#endif
