// SPDX-License-Identifier: MIT
/* Texts of cgroup files, a line at a time. Pure. */
#include "config.h"

#include "host/cgrouptext.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"

/* A day of quota in a period of a second: more than any host has CPUs. */
#define TIME_US_MAX UINT64_C(86400000000)

/* What a line has behind @key and a separator; NULL: another line. */
static const char *
behind(const char *line, const char *key, char separator)
{
	size_t len = strlen(key);

	return strncmp(line, key, len) == 0 && line[len] == separator ? line + len + 1
								      : NULL;
}

static const char *
next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end != NULL ? end + 1 : NULL;
}

/* @len digits at @p. Returns 0 or -EINVAL. */
static int
read_number(const char *p, size_t len, uint64_t max, uint64_t *out)
{
	char digits[24];

	if (len == 0 || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, p, len);
	digits[len] = '\0';
	return str_parse_uint(digits, max, out) < 0 ? -EINVAL : 0;
}

static int
check_path(const char *path, size_t len)
{
	if (len == 0 || *path != '/')
		return -EINVAL;
	if (len >= 3 && memcmp(path, "/..", 3) == 0)
		return -ENODATA;
	/* the kernel writes none of these; a path is joined to a directory */
	for (size_t i = 0; i + 2 < len; i++) {
		if (memcmp(&path[i], "/..", 3) == 0)
			return -EINVAL;
	}
	return 0;
}

int
cgrouptext_path(const char *text, char *out, size_t size)
{
	static const char gone[] = " (deleted)";
	const char *path = NULL;
	size_t len;
	int r;

	for (const char *line = text; line != NULL && path == NULL;
		line = next_line(line))
		path = behind(line, "0:", ':');
	if (path == NULL)
		return -ENODATA;
	len = strcspn(path, "\n");
	if (len >= sizeof(gone) - 1 &&
		memcmp(path + len - (sizeof(gone) - 1), gone, sizeof(gone) - 1) == 0)
		return -ENODATA;
	r = check_path(path, len);
	if (r < 0)
		return r;
	if (len >= size)
		return -E2BIG;
	memcpy(out, path, len);
	out[len] = '\0';
	return 0;
}

int
cgrouptext_quota(const char *text, double *out_cpus)
{
	size_t len = strcspn(text, " \n");
	uint64_t period;
	uint64_t quota;

	if (text[len] != ' ')
		return -EINVAL;
	if (read_number(text + len + 1, strcspn(text + len + 1, "\n"), TIME_US_MAX,
		    &period) < 0 ||
		period == 0)
		return -EINVAL;
	if (len == 3 && memcmp(text, "max", 3) == 0) {
		*out_cpus = 0;
		return 0;
	}
	if (read_number(text, len, TIME_US_MAX, &quota) < 0 || quota == 0)
		return -EINVAL;
	*out_cpus = (double)quota / (double)period;
	return 0;
}

int
cgrouptext_value(const char *text, const char *key, uint64_t *out)
{
	for (const char *line = text; line != NULL; line = next_line(line)) {
		const char *value = behind(line, key, ' ');

		if (value != NULL)
			return read_number(
				value, strcspn(value, "\n"), UINT64_MAX, out);
	}
	return -ENODATA;
}

/* "N3=4096", @len bytes. */
static int
add_node(const char *word, size_t len, uint64_t *bytes, unsigned int *n_nodes)
{
	const char *equals = memchr(word, '=', len);
	uint64_t value;
	uint64_t node;

	if (*word != 'N' || equals == NULL)
		return -EINVAL;
	if (read_number(word + 1, (size_t)(equals - word) - 1, UINT64_MAX, &node) < 0 ||
		read_number(equals + 1, len - (size_t)(equals + 1 - word), UINT64_MAX,
			&value) < 0)
		return -EINVAL;
	if (node >= CGROUPTEXT_NODES_MAX || value > UINT64_MAX - bytes[node])
		return -ERANGE;
	bytes[node] += value;
	if (node >= *n_nodes)
		*n_nodes = (unsigned int)node + 1;
	return 0;
}

static int
add_nodes(const char *words, uint64_t *bytes, unsigned int *n_nodes)
{
	int r = 0;

	while (r == 0 && *words != '\0' && *words != '\n') {
		size_t len = strcspn(words, " \n");

		if (len > 0)
			r = add_node(words, len, bytes, n_nodes);
		words += len;
		words += *words == ' ' ? 1 : 0;
	}
	return r;
}

int
cgrouptext_nodes(
	const char *text, const char *key, uint64_t *bytes, unsigned int *n_nodes)
{
	for (const char *line = text; line != NULL; line = next_line(line)) {
		const char *sum = behind(line, key, '=');
		const char *words = sum != NULL ? sum + strcspn(sum, " \n")
						: behind(line, key, ' ');

		if (words != NULL)
			return add_nodes(
				words + (*words == ' ' ? 1 : 0), bytes, n_nodes);
		if (sum != NULL)
			return 0; /* a sum of no nodes */
	}
	return -ENODATA;
}
