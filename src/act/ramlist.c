// SPDX-License-Identifier: MIT
/*
 * "7f0000000000-7f0040000000 rw-p 00000000 00:00 0    NAME". What has a name on a disk
 * is page cache, what has one in brackets is QEMU's own.
 */
#include "config.h"

#include "act/ramlist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

/* Words in front of the name. */
#define WORDS 5

static bool
is_in_memory(const char *name)
{
	static const char *const places[] = {"/memfd:", "/dev/shm/", "/dev/hugepages",
		"/run/hugepages", "/anon_hugepage", "/dev/zero", "/SYSV"};

	if (name[0] == '\0')
		return true;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (str_has_prefix(name, places[i]))
			return true;
	}
	return false;
}

/* A hexadecimal number up to @end. */
static int
read_hex(const char **p, char end, uint64_t *out)
{
	uint64_t n = 0;
	unsigned int digits = 0;

	for (; **p != end; (*p)++, digits++) {
		char c = **p;

		if (digits == 16)
			return -EINVAL;
		if (c >= '0' && c <= '9')
			n = n << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		else
			return -EINVAL;
	}
	(*p)++;
	*out = n;
	return digits > 0 ? 0 : -EINVAL;
}

/* Returns 1 (may be the guest's), 0 or -EINVAL. */
static int
read_line(const char *line, struct ram_range *out)
{
	const char *p = line;
	const char *flags;

	if (read_hex(&p, '-', &out->start) < 0 || read_hex(&p, ' ', &out->end) < 0 ||
		out->end < out->start || strlen(p) < 4)
		return -EINVAL;
	flags = p;
	for (unsigned int i = 1; i < WORDS; i++) {
		p += strcspn(p, " ");
		p += strspn(p, " ");
	}
	out->shared = flags[3] == 's';
	return flags[0] == 'r' && flags[1] == 'w' &&
	       out->end - out->start >= RAMLIST_BYTES_MIN && is_in_memory(p);
}

ssize_t
ramlist_parse(const char *text, struct ram_range **out)
{
	auto_free char *copy = xstrdup(text);
	auto_free struct ram_range *list = NULL;
	char *rest = NULL;
	size_t cap = 0;
	size_t n = 0;

	for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		struct ram_range range;
		int r = read_line(line, &range);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (n == RAMLIST_MAX)
			return -E2BIG;
		list = xgrow(list, n, &cap, sizeof(*list));
		list[n++] = range;
	}
	*out = take_ptr(&list);
	return (ssize_t)n;
}
