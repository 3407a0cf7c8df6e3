// SPDX-License-Identifier: MIT
/*
 * The host's files and events: cgroups, where memory is, events about CPUs, files of
 * any kind, and XML before hwloc gets it. hwloc itself is a library: it runs in a child
 * process, and is not fuzzed here.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/cgrouptext.h"
#include "host/hwscan.h"
#include "host/mounts.h"
#include "host/nodemem.h"
#include "host/numamaps.h"
#include "host/textfile.h"
#include "host/uevent.h"
#include "parts.h"

#define SHORT_PATH 24u

static void
check_path(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	auto_free char *path = xcalloc(SHORT_PATH, 1);
	int r = cgrouptext_path(text, path, SHORT_PATH);

	assert(r == 0 || r == -ENODATA || r == -EINVAL || r == -E2BIG);
	if (r < 0)
		return;
	assert(strnlen(path, SHORT_PATH) < SHORT_PATH && path[0] == '/');
	assert(strstr(path, "/..") == NULL && strchr(path, '\n') == NULL);
	assert(strstr(text, path) != NULL);
}

static void
check_values(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	uint64_t value = 7;
	double cpus = -7;
	int r = cgrouptext_quota(text, &cpus);

	assert(r == 0 || r == -EINVAL);
	assert(r == 0 ? isfinite(cpus) && cpus >= 0 : cpus == -7);
	r = cgrouptext_value(text, "usage_usec", &value);
	assert(r == 0 || r == -ENODATA || r == -EINVAL);
	assert(r == 0 || value == 7);
	assert(r != 0 || strstr(text, "usage_usec ") != NULL);
}

/* What was added is below @n. */
static void
check_nodes(const uint64_t *bytes, unsigned int n, unsigned int max)
{
	assert(n <= max);
	for (unsigned int i = n; i < max; i++)
		assert(bytes[i] == 0);
}

static void
check_numa_stat(const char *bytes, size_t len)
{
	static const char *const keys[] = {"anon", "total"};
	auto_free char *text = xmemdupz(bytes, len);

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		auto_free uint64_t *sum = xcalloc(CGROUPTEXT_NODES_MAX, sizeof(*sum));
		unsigned int n = 0;

		if (cgrouptext_nodes(text, keys[i], sum, &n) < 0)
			continue;
		check_nodes(sum, n, CGROUPTEXT_NODES_MAX);
		assert(strstr(text, keys[i]) != NULL);
	}
}

static void
check_numa_maps(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	auto_free uint64_t *sum = xcalloc(NUMAMAPS_NODES_MAX, sizeof(*sum));
	unsigned int n = 0;

	if (numamaps_add(text, sum, &n) == 0)
		check_nodes(sum, n, NUMAMAPS_NODES_MAX);
}

static void
check_meminfo(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	struct nodemem m = {7, 7};

	if (nodemem_parse(text, &m) < 0)
		assert(m.total_kib == 7 && m.free_kib == 7);
	else
		assert(strstr(text, "MemTotal:") != NULL);
}

/* The keys are not looked at. */
static void
check_event(const char *bytes, size_t len)
{
	size_t line = strnlen(bytes, len);

	if (uevent_concerns_cpus(bytes, len))
		assert(memmem(bytes, len, "/devices/system/", 16) != NULL);
	assert(uevent_concerns_cpus(bytes, len) == uevent_concerns_cpus(bytes, line));
}

/* Of any bytes a text: up to a NUL, without blanks at its end. */
static void
check_file(const char *bytes, size_t len)
{
	const size_t cap = 4096 + 100;
	auto_free char *path = NULL;
	auto_free char *text = NULL;
	auto_close int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct err e = ERR_NONE;
	size_t end = strnlen(bytes, len);
	int r;

	assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	path = xasprintf("/proc/self/fd/%d", fd);
	r = textfile_read(path, cap, &text, &e);
	assert(r == (len > cap ? -ERANGE : 0) && (r < 0) == err_is_set(&e));
	while (end > 0 && strchr(" \t\r\n", bytes[end - 1]) != NULL)
		end--;
	assert(r < 0 || (strlen(text) == end && memcmp(text, bytes, end) == 0));
}

static void
check_xml(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	struct err e = ERR_NONE;
	int r = hwscan_check_xml(text, "fuzz", &e);

	assert(r == 0 || r == -EINVAL || r == -ERANGE);
	assert((r < 0) == err_is_set(&e));
}

/* A path, a line break, and a mountinfo. */
static void
check_mounts(const char *bytes, size_t len)
{
	auto_free char *path = xmemdupz(bytes, len);
	auto_free char *line = NULL;
	char *text = strchr(path, '\n');

	if (text == NULL)
		return;
	*text++ = '\0';
	(void)mounts_listed(text, path);
	if (path[0] != '/' || strpbrk(path, " \t\\") != NULL)
		return;
	line = xasprintf(
		"22 1 0:21 / %s rw,nosuid - fuse /dev/fuse rw\n%s", path, text);
	assert(mounts_listed(line, path));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static parts_check *const parts[] = {check_path, check_values, check_numa_stat,
		check_numa_maps, check_meminfo, check_event, check_file, check_xml,
		check_mounts};

	parts_run(parts, ARRAY_LEN(parts), data, size);
	return 0;
}
