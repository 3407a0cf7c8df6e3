// SPDX-License-Identifier: MIT
/*
 * Spans of a text. What Proxmox would not read is no value here either, but blanks
 * inside lists do no harm.
 */
#include "config.h"

#include "pve/pvetext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define BLANKS " \t\r\f\v"
#define SHORT_RANGE 64u

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

bool
pvetext_is(struct pvetext t, const char *word)
{
	return t.len == strlen(word) && memcmp(t.s, word, t.len) == 0;
}

struct pvetext
pvetext_trim(struct pvetext t)
{
	while (t.len > 0 && is_one_of(t.s[0], BLANKS)) {
		t.s++;
		t.len--;
	}
	while (t.len > 0 && is_one_of(t.s[t.len - 1], BLANKS))
		t.len--;
	return t;
}

char *
pvetext_dup(struct pvetext t, size_t max)
{
	if (t.len > max || memchr(t.s, '\0', t.len) != NULL)
		return NULL;
	return xmemdupz(t.s, t.len);
}

/* The first @len bytes of @rest; they and @more bytes are gone from it. */
static struct pvetext
cut(struct pvetext *rest, size_t len, size_t more)
{
	struct pvetext piece = {rest->s, len};

	rest->s += len + more;
	rest->len -= len + more;
	return piece;
}

bool
pvetext_line(struct pvetext *rest, struct pvetext *line)
{
	const char *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->s, '\n', rest->len);
	*line = end != NULL ? cut(rest, (size_t)(end - rest->s), 1)
			    : cut(rest, rest->len, 0);
	return true;
}

bool
pvetext_item(struct pvetext *rest, const char *separators, struct pvetext *item)
{
	size_t n = 0;

	if (rest->len == 0)
		return false;
	while (n < rest->len && !is_one_of(rest->s[n], separators))
		n++;
	*item = cut(rest, n, n < rest->len);
	return true;
}

/* [a-z][a-z_-]*[0-9]* and a colon. Returns its length, 0: it is none. */
static size_t
key_length(struct pvetext line)
{
	size_t n = 0;

	if (line.len == 0 || !is_lower(line.s[0]))
		return 0;
	while (n < line.len &&
		(is_lower(line.s[n]) || line.s[n] == '_' || line.s[n] == '-'))
		n++;
	while (n < line.len && is_digit(line.s[n]))
		n++;
	return n < line.len && line.s[n] == ':' ? n : 0;
}

bool
pvetext_split(struct pvetext line, struct pvetext *key, struct pvetext *value)
{
	size_t n = key_length(line);

	if (n == 0)
		return false;
	*key = cut(&line, n, 1);
	*value = pvetext_trim(line);
	return true;
}

bool
pvetext_is_section(struct pvetext line)
{
	const char *end =
		line.len > 0 && line.s[0] == '[' ? memchr(line.s, ']', line.len) : NULL;

	if (end == NULL)
		return false;
	(void)cut(&line, (size_t)(end - line.s) + 1, 0);
	return pvetext_trim(line).len == 0;
}

int
pvetext_property(
	struct pvetext value, const char *key, bool is_default, struct pvetext *out)
{
	struct pvetext part;
	struct pvetext found = {NULL, 0};

	while (pvetext_item(&value, ",", &part)) {
		struct pvetext name = part;
		struct pvetext rest = part;

		(void)pvetext_item(&rest, "=", &name);
		if (name.len == part.len) {
			if (!is_default || pvetext_trim(part).len == 0)
				continue;
			rest = part;
		} else if (!pvetext_is(pvetext_trim(name), key)) {
			continue;
		}
		if (found.s != NULL)
			return -EEXIST;
		found = pvetext_trim(rest);
	}
	if (found.s == NULL)
		return -ENOENT;
	*out = found;
	return 0;
}

/* A number from the beginning of @t on, UINT64_MAX for what is above. Returns its
 * digits. */
static size_t
read_digits(struct pvetext t, uint64_t *out)
{
	uint64_t value = 0;
	size_t n;

	for (n = 0; n < t.len && is_digit(t.s[n]); n++) {
		uint64_t digit = (uint64_t)(t.s[n] - '0');

		value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX
							  : value * 10 + digit;
	}
	*out = value;
	return n;
}

int
pvetext_uint(struct pvetext t, uint64_t max, uint64_t *out)
{
	uint64_t value;

	if (t.len == 0 || read_digits(t, &value) < t.len)
		return -EINVAL;
	if (value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

int
pvetext_number(struct pvetext t, double max, double *out)
{
	uint64_t whole;
	double value;
	double unit = 1;
	size_t n = read_digits(t, &whole);

	if (n == 0 || (n < t.len && (t.s[n] != '.' || n + 1 == t.len)))
		return -EINVAL;
	value = (double)whole;
	for (n++; n < t.len; n++) {
		if (!is_digit(t.s[n]))
			return -EINVAL;
		unit /= 10;
		value += unit * (t.s[n] - '0');
	}
	if (value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

static bool
is_word(struct pvetext t, const char *word)
{
	size_t n = 0;

	while (n < t.len && word[n] != '\0' && lower(t.s[n]) == word[n])
		n++;
	return n == t.len && word[n] == '\0';
}

int
pvetext_bool(struct pvetext t, bool *out)
{
	static const char *const words[2][4] = {
		{"0", "off", "no", "false"}, {"1", "on", "yes", "true"}};

	for (size_t i = 0; i < 8; i++) {
		if (is_word(t, words[i / 4][i % 4])) {
			*out = i >= 4;
			return 0;
		}
	}
	return -EINVAL;
}

/* By words: a hostile text may have very many of these. */
static void
add_long_range(unsigned int from, unsigned int to, struct cpuset *set)
{
	struct cpuset upto = cpuset_below(to + 1);
	struct cpuset below = cpuset_below(from);

	upto = cpuset_minus(&upto, &below);
	*set = cpuset_or(set, &upto);
}

/* "8" or "0-3". */
static int
add_range(struct pvetext t, struct cpuset *set)
{
	uint64_t from;
	uint64_t to;
	size_t n = read_digits(t, &from);

	if (n == 0)
		return -EINVAL;
	to = from;
	if (n < t.len) {
		struct pvetext rest = {t.s + n + 1, t.len - n - 1};

		if (t.s[n] != '-' || pvetext_uint(rest, UINT64_MAX, &to) < 0 ||
			to < from)
			return -EINVAL;
	}
	if (from >= CPUSET_CAP)
		return 0;
	if (to >= CPUSET_CAP)
		to = CPUSET_CAP - 1;
	if (to - from < SHORT_RANGE) {
		for (; from <= to; from++)
			cpuset_add(set, (unsigned int)from);
	} else {
		add_long_range((unsigned int)from, (unsigned int)to, set);
	}
	return 0;
}

int
pvetext_set(struct pvetext t, const char *separators, struct cpuset *out)
{
	struct cpuset set = CPUSET_NONE;
	struct pvetext item;

	if (pvetext_trim(t).len == 0)
		return -EINVAL;
	while (pvetext_item(&t, separators, &item)) {
		int r = add_range(pvetext_trim(item), &set);

		if (r < 0)
			return r;
	}
	if (cpuset_empty(&set))
		return -ERANGE;
	*out = set;
	return 0;
}

/* [A-Za-z0-9_][A-Za-z0-9_+.-]* */
static bool
is_tag(struct pvetext t)
{
	for (size_t i = 0; i < t.len; i++) {
		char c = lower(t.s[i]);

		if (!is_lower(c) && !is_digit(c) && c != '_' &&
			(i == 0 || !is_one_of(c, "+.-")))
			return false;
	}
	return true;
}

static char *
lower_dup(struct pvetext t)
{
	char *s = xmemdupz(t.s, t.len);

	for (char *p = s; *p != '\0'; p++)
		*p = lower(*p);
	return s;
}

void
pvetext_tags(struct pvetext t, size_t max, char ***out, size_t *n, size_t *n_bad)
{
	struct pvetext item;
	char **list = NULL;
	size_t cap = 0;

	*n = 0;
	*n_bad = 0;
	while (pvetext_item(&t, ";," BLANKS, &item)) {
		if (item.len == 0)
			continue;
		if (*n == max || !is_tag(item)) {
			*n_bad += 1;
			continue;
		}
		list = xgrow(list, *n, &cap, sizeof(*list));
		list[(*n)++] = lower_dup(item);
	}
	*out = list;
}
