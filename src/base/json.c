// SPDX-License-Identifier: MIT
/* JSON from outside: caps before parsing, typed access after it. Pure. */
#include "config.h"

#include "base/json.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

void
json_cleanup(json_t **value)
{
	json_decref(*value);
}

/* Count nesting and separators outside strings: cheap, no allocation, and wrong only in
 * the safe direction on text that is not JSON. */
static int
check_caps(const char *text, size_t len, const struct json_caps *caps, struct err *e)
{
	unsigned int depth = 0;
	size_t values = 0;
	bool quoted = false;

	if (len > caps->bytes)
		return err_set(e, -E2BIG, NULL, 0,
			"%zu bytes of JSON, at most %zu are read", len, caps->bytes);
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
			continue;
		}
		if (c == '"')
			quoted = true;
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
		if (c == ',' || c == '{' || c == '[')
			values++;
		if (depth > caps->depth)
			return err_set(e, -E2BIG, NULL, 0,
				"JSON nested deeper than %u levels", caps->depth);
		if (values > caps->values)
			return err_set(e, -E2BIG, NULL, 0,
				"JSON with more than %zu values", caps->values);
	}
	return 0;
}

int
json_parse_object(const char *text, size_t len, const struct json_caps *caps,
	json_t **out, struct err *e)
{
	json_error_t why;
	json_t *value;
	int r;

	r = check_caps(text, len, caps, e);
	if (r < 0)
		return r;
	value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (value == NULL)
		return err_set(e, -EBADMSG, NULL, 0, "not JSON: %s at byte %d",
			why.text, why.position);
	if (!json_is_object(value)) {
		json_decref(value);
		return err_set(e, -EBADMSG, NULL, 0, "JSON, but not an object");
	}
	*out = value;
	return 0;
}

static int
find(const json_t *obj, const char *key, json_t **out)
{
	json_t *v = json_object_get(obj, key);

	if (v == NULL || json_is_null(v))
		return -ENOENT;
	*out = v;
	return 0;
}

int
json_get_uint(const json_t *obj, const char *key, uint64_t max, uint64_t *out)
{
	json_int_t n;
	json_t *v;
	int r = find(obj, key, &v);

	if (r < 0)
		return r;
	if (!json_is_integer(v))
		return -EINVAL;
	n = json_integer_value(v);
	if (n < 0 || (uint64_t)n > max)
		return -ERANGE;
	*out = (uint64_t)n;
	return 0;
}

int
json_get_bool(const json_t *obj, const char *key, int *out)
{
	json_t *v;
	int r = find(obj, key, &v);

	if (r < 0)
		return r;
	if (!json_is_boolean(v))
		return -EINVAL;
	*out = json_is_true(v);
	return 0;
}

int
json_get_string(const json_t *obj, const char *key, const char **out)
{
	json_t *v;
	int r = find(obj, key, &v);

	if (r < 0)
		return r;
	if (!json_is_string(v))
		return -EINVAL;
	*out = json_string_value(v);
	return 0;
}

int
json_get_array(const json_t *obj, const char *key, json_t **out)
{
	json_t *v;
	int r = find(obj, key, &v);

	if (r < 0)
		return r;
	if (!json_is_array(v))
		return -EINVAL;
	*out = v;
	return 0;
}

int
json_get_object(const json_t *obj, const char *key, json_t **out)
{
	json_t *v;
	int r = find(obj, key, &v);

	if (r < 0)
		return r;
	if (!json_is_object(v))
		return -EINVAL;
	*out = v;
	return 0;
}
