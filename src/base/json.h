// SPDX-License-Identifier: MIT
/*
 * JSON from outside: caps on bytes, nesting and values before a parser allocates, and
 * typed access that fails instead of guessing. Pure; jansson does the parsing.
 */
#ifndef QMPIN_BASE_JSON_H
#define QMPIN_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/* values: an upper bound on members and elements, counted as separators outside
 * strings. Why: a million bytes of "{}," cost 82 MB of heap in jansson. */
struct json_caps {
	size_t bytes;
	unsigned int depth;
	size_t values;
};

#define auto_json __attribute__((cleanup(json_cleanup)))
void json_cleanup(json_t **value);

/**
 * Read one JSON object. Nothing but white space may follow it. Duplicate keys, NUL
 * characters in strings and anything but an object at the top are refused.
 *
 * @text  @len bytes; need not be terminated
 * @out   new reference, written only on success
 *
 * Returns 0, -E2BIG (over a cap), -EBADMSG (not one JSON object).
 */
MUST_CHECK int json_parse_object(const char *text, size_t len,
	const struct json_caps *caps, json_t **out, struct err *e);

/**
 * Typed members. @out is written only on success; strings and values are borrowed from
 * @obj.
 *
 * Return 0, -ENOENT (absent or null), -EINVAL (other type) or, for numbers, -ERANGE
 * (negative or above @max).
 */
MUST_CHECK int json_get_uint(
	const json_t *obj, const char *key, uint64_t max, uint64_t *out);
MUST_CHECK int json_get_bool(const json_t *obj, const char *key, int *out);
MUST_CHECK int json_get_string(const json_t *obj, const char *key, const char **out);
MUST_CHECK int json_get_array(const json_t *obj, const char *key, json_t **out);
MUST_CHECK int json_get_object(const json_t *obj, const char *key, json_t **out);

#endif
