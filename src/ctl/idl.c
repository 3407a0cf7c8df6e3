// SPDX-License-Identifier: MIT
/*
 * Reads a varlink interface description. A position in the text stands for the type
 * that is written there. Pure.
 */
#include "config.h"

#include "ctl/idl.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

/* A name of the description; longer ones do not match anything. */
#define NAME_MAX_LEN 64

static bool check_type(const char *text, const char *p, json_t *value);
static bool check_struct(
	const char *text, const char *p, json_t *value, char *bad, size_t size);

static const char *
skip_blank(const char *p)
{
	for (;;) {
		while (isspace((unsigned char)*p))
			p++;
		if (*p != '#')
			return p;
		p += strcspn(p, "\n");
	}
}

static size_t
name_length(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || p[n] == '_')
		n++;
	return n;
}

/* Reads a name into @name and returns the text behind it and blanks. */
static const char *
take_name(const char *p, char name[NAME_MAX_LEN])
{
	size_t n = name_length(p);

	str_copy(name, n < NAME_MAX_LEN ? n + 1 : NAME_MAX_LEN, p);
	return skip_blank(p + n);
}

/* Behind the parenthesis that matches the one at @p. */
static const char *
skip_parens(const char *p)
{
	unsigned int depth = 0;

	for (; *p != '\0'; p = skip_blank(p + 1)) {
		if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return p;
}

static const char *
skip_type(const char *p)
{
	for (p = skip_blank(p); *p == '?' || *p == '['; p = skip_blank(p))
		p = *p == '?' ? p + 1 : p + strcspn(p, "]") + 1;
	return *p == '(' ? skip_parens(p) : p + name_length(p);
}

/* @line begins with @word; the text behind @name if that is what it declares, or NULL.
 */
static const char *
match(const char *line, const char *word, const char *name)
{
	const char *p = line + strlen(word);
	size_t len = strlen(name);

	if (name_length(p) != len || memcmp(p, name, len) != 0)
		return NULL;
	return skip_blank(p + len);
}

/* The opening parenthesis of the part, or NULL. Declarations begin a line. */
static const char *
find(const char *text, enum idl_part part, const char *name)
{
	static const char *const words[] = {
		[IDL_TYPE] = "type ",
		[IDL_METHOD_IN] = "method ",
		[IDL_METHOD_OUT] = "method ",
		[IDL_ERROR] = "error ",
	};
	const char *line = text;

	while (*line != '\0') {
		const char *p = NULL;

		if (str_has_prefix(line, words[part]))
			p = match(line, words[part], name);
		if (p != NULL)
			return part == IDL_METHOD_OUT ? strchr(skip_parens(p), '(') : p;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return NULL;
}

/* One of the words in the parenthesis at @p. */
static bool
check_enum(const char *p, json_t *value)
{
	char name[NAME_MAX_LEN];

	if (!json_is_string(value))
		return false;
	for (p = skip_blank(p + 1); *p != ')' && *p != '\0';
		p = skip_blank(p + (*p == ','))) {
		p = take_name(p, name);
		if (strcmp(name, json_string_value(value)) == 0)
			return true;
	}
	return false;
}

static bool
check_array(const char *text, const char *p, json_t *value)
{
	json_t *item;
	size_t i;

	if (!json_is_array(value))
		return false;
	json_array_foreach (value, i, item) {
		if (!check_type(text, p, item))
			return false;
	}
	return true;
}

static bool
check_parens(const char *text, const char *p, json_t *value)
{
	char name[NAME_MAX_LEN];
	char bad[NAME_MAX_LEN];

	if (*take_name(skip_blank(p + 1), name) == ':' || *skip_blank(p + 1) == ')')
		return check_struct(text, p, value, bad, sizeof(bad));
	return check_enum(p, value);
}

static bool
check_name(const char *text, const char *p, json_t *value)
{
	char name[NAME_MAX_LEN];
	const char *type;

	(void)take_name(p, name);
	if (strcmp(name, "bool") == 0)
		return json_is_boolean(value);
	if (strcmp(name, "int") == 0)
		return json_is_integer(value);
	if (strcmp(name, "float") == 0)
		return json_is_number(value);
	if (strcmp(name, "string") == 0)
		return json_is_string(value);
	if (strcmp(name, "object") == 0)
		return json_is_object(value);
	type = find(text, IDL_TYPE, name);
	return type != NULL && check_parens(text, type, value);
}

/* @value (NULL: absent) has the type written at @p. */
static bool
check_type(const char *text, const char *p, json_t *value)
{
	p = skip_blank(p);
	if (*p == '?') {
		if (value == NULL || json_is_null(value))
			return true;
		p = skip_blank(p + 1);
	}
	if (value == NULL)
		return false;
	if (str_has_prefix(p, "[]"))
		return check_array(text, p + 2, value);
	return *p == '(' ? check_parens(text, p, value) : check_name(text, p, value);
}

/* The parenthesis at @p declares a member called @key. */
static bool
declares(const char *p, const char *key)
{
	char name[NAME_MAX_LEN];

	for (p = skip_blank(p + 1); *p != ')' && *p != '\0';
		p = skip_blank(p + (*p == ','))) {
		p = take_name(p, name);
		if (strcmp(name, key) == 0)
			return true;
		p = skip_blank(skip_type(p + 1));
	}
	return false;
}

static bool
check_known(const char *p, json_t *value, char *bad, size_t size)
{
	const char *key;
	json_t *member;

	json_object_foreach (value, key, member) {
		if (!declares(p, key)) {
			str_copy(bad, size, key);
			return false;
		}
	}
	return true;
}

static bool
check_struct(const char *text, const char *start, json_t *value, char *bad, size_t size)
{
	const char *p;
	char name[NAME_MAX_LEN];

	str_copy(bad, size, "");
	if (!json_is_object(value))
		return false;
	for (p = skip_blank(start + 1); *p != ')' && *p != '\0';
		p = skip_blank(p + (*p == ','))) {
		p = take_name(p, name);
		if (!check_type(text, p + 1, json_object_get(value, name))) {
			str_copy(bad, size, name);
			return false;
		}
		p = skip_blank(skip_type(p + 1));
	}
	return check_known(start, value, bad, size);
}

bool
idl_has(const char *description, enum idl_part part, const char *name)
{
	return find(description, part, name) != NULL;
}

bool
idl_check(const char *description, enum idl_part part, const char *name, json_t *value,
	char *bad, size_t size)
{
	const char *p = find(description, part, name);

	str_copy(bad, size, "");
	return p != NULL && check_struct(description, p, value, bad, size);
}
