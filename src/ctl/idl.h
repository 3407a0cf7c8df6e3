// SPDX-License-Identifier: MIT
/*
 * Reads a varlink interface description: what is declared, and whether a JSON object
 * has the declared shape. The description is our own (it is compiled in), the object is
 * from outside. Pure.
 *
 * Source: varlink.org, "Interface Definition".
 */
#ifndef QMPIN_CTL_IDL_H
#define QMPIN_CTL_IDL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* A parenthesis of the description. */
enum idl_part {
	IDL_TYPE,	/* type NAME (...) */
	IDL_METHOD_IN,	/* method NAME(...) */
	IDL_METHOD_OUT, /* method NAME(...) -> (...) */
	IDL_ERROR,	/* error NAME (...) */
};

/** The part is declared under this name. */
bool idl_has(const char *description, enum idl_part part, const char *name);

/**
 * @value is an object of the declared shape: every member that is not nullable is
 * there, none is unknown, and each has its type. A null member counts as absent.
 *
 * @bad  on false: the first member of @value (or of the declaration) that is wrong, cut
 *       to @size bytes
 */
MUST_CHECK bool idl_check(const char *description, enum idl_part part, const char *name,
	json_t *value, char *bad, size_t size);

#endif
