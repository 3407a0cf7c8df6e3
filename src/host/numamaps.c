// SPDX-License-Identifier: MIT
/*
 * A line is an address, a policy and words; "N0=12" are pages of the size that
 * "kernelpagesize_kB=4" tells at its end. Mapped files have a "file=" that is neither
 * huge nor deleted nor in /dev/shm: page cache, which is not the guest's.
 */
#include "config.h"

#include "host/numamaps.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/textfile.h"

/* Some thousand mappings. */
#define FILE_BYTES_MAX (1u << 20)
#define STATM_BYTES_MAX 256u
#define PAGES_MAX (UINT64_C(1) << 40)
#define PAGE_KIB_MAX (UINT64_C(16) << 20)

/* What a line says, before it is known how large its pages are. */
struct line {
	bool huge;
	bool cache;
	uint64_t page_kib;
};

static bool
is_cache(const char *word)
{
	static const char file[] = "file=";

	if (!str_has_prefix(word, file))
		return false;
	word += strlen(file);
	/* a name's blanks are written as octal numbers */
	return strstr(word, "(deleted)") == NULL && !str_has_prefix(word, "/dev/shm/");
}

static int
read_line(const char *line, struct line *out)
{
	static const char size[] = "kernelpagesize_kB=";
	auto_free char *copy = xstrdup(line);
	char *rest = NULL;

	*out = (struct line){.page_kib = 4};
	for (char *word = strtok_r(copy, " ", &rest); word != NULL;
		word = strtok_r(NULL, " ", &rest)) {
		out->huge = out->huge || strcmp(word, "huge") == 0;
		out->cache = out->cache || is_cache(word);
		if (str_has_prefix(word, size) &&
			str_parse_uint(
				word + strlen(size), PAGE_KIB_MAX, &out->page_kib) < 0)
			return -EINVAL;
	}
	out->cache = out->cache && !out->huge;
	return 0;
}

/* "N12=345". Returns 1, 0 (another word) or a negative errno. */
static int
read_pages(char *word, unsigned int *node, uint64_t *pages)
{
	char *equals = strchr(word, '=');
	uint64_t n;

	if (word[0] != 'N' || equals == NULL || word[1] < '0' || word[1] > '9')
		return 0;
	*equals = '\0';
	if (str_parse_uint(word + 1, NUMAMAPS_NODES_MAX - 1, &n) < 0 ||
		str_parse_uint(equals + 1, PAGES_MAX, pages) < 0)
		return -ERANGE;
	*node = (unsigned int)n;
	return 1;
}

static int
add_line(char *line, uint64_t *bytes, unsigned int *n_nodes)
{
	struct line kind;
	char *rest = NULL;
	int r = read_line(line, &kind);

	if (r < 0 || kind.cache)
		return r;
	for (char *word = strtok_r(line, " ", &rest); word != NULL;
		word = strtok_r(NULL, " ", &rest)) {
		unsigned int node = 0;
		uint64_t pages = 0;

		r = read_pages(word, &node, &pages);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (kind.page_kib > 0 && pages > PAGES_MAX / kind.page_kib)
			return -ERANGE;
		bytes[node] += pages * kind.page_kib * 1024;
		if (node >= *n_nodes)
			*n_nodes = node + 1;
	}
	return 0;
}

int
numamaps_add(const char *text, uint64_t *bytes, unsigned int *n_nodes)
{
	auto_free char *copy = xstrdup(text);
	char *rest = NULL;
	int r = 0;

	for (char *line = strtok_r(copy, "\n", &rest); line != NULL && r == 0;
		line = strtok_r(NULL, "\n", &rest))
		r = add_line(line, bytes, n_nodes);
	return r;
}

/* "size resident ..." in pages. */
static int
check_size(int procfd, pid_t pid)
{
	auto_free char *text = NULL;
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	unsigned long long resident;
	char name[32];
	int r;

	(void)snprintf(name, sizeof(name), "%d/statm", (int)pid);
	r = textfile_read_at(procfd, name, STATM_BYTES_MAX, &text, NULL);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	if (sscanf(text, "%*u %llu", &resident) != 1)
		return -EINVAL;
	return resident > NUMAMAPS_RSS_MAX / page_bytes ? -EFBIG : 0;
}

int
numamaps_read(int procfd, pid_t pid, struct cgroup_memory *out)
{
	struct cgroup_memory m = {0};
	auto_free char *text = NULL;
	char name[32];
	int r = check_size(procfd, pid);

	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), "%d/numa_maps", (int)pid);
	r = textfile_read_at(procfd, name, FILE_BYTES_MAX, &text, NULL);
	if (r < 0)
		return r == -ERANGE ? -EFBIG : r;
	m.bytes = xcalloc(NUMAMAPS_NODES_MAX, sizeof(*m.bytes));
	r = numamaps_add(text, m.bytes, &m.n_nodes);
	if (r < 0)
		cgroup_memory_fini(&m);
	else
		*out = m;
	return r;
}
