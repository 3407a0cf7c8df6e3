// SPDX-License-Identifier: MIT
/* The memory of the host's nodes: two numbers out of a small file. */
#include "config.h"

#include "host/nodemem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/textfile.h"

#define FILE_BYTES_MAX (64u << 10)

/* "Node 0 MemTotal:       16318124 kB" -> 16318124; false when there is no such line.
 */
static bool
value_of(const char *text, const char *key, uint64_t *kib)
{
	const char *p = strstr(text, key);
	char *end;

	if (p == NULL)
		return false;
	p += strlen(key);
	p += strspn(p, " \t");
	if (*p < '0' || *p > '9')
		return false;
	errno = 0;
	*kib = strtoull(p, &end, 10);
	return errno == 0 && str_has_prefix(end, " kB");
}

int
nodemem_parse(const char *text, struct nodemem *out)
{
	struct nodemem m = {.total_kib = 0};

	if (!value_of(text, "MemTotal:", &m.total_kib))
		return -EINVAL;
	if (!value_of(text, "MemFree:", &m.free_kib))
		m.free_kib = m.total_kib;
	*out = m;
	return 0;
}

int
nodemem_read(const char *root, unsigned int node, struct nodemem *out)
{
	auto_free char *path =
		xasprintf("%s/sys/devices/system/node/node%u/meminfo", root, node);
	auto_free char *text = NULL;
	int r = textfile_read(path, FILE_BYTES_MAX, &text, NULL);

	if (r < 0)
		return r;
	return text[0] == '\0' ? -ENOENT : nodemem_parse(text, out);
}
