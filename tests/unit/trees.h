// SPDX-License-Identifier: MIT
/*
 * Small sysfs trees in a temporary directory, for tests that spoil them. A failing step
 * ends the test program.
 */
#ifndef QMPIN_TESTS_TREES_H
#define QMPIN_TESTS_TREES_H

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

#define TREES_SYSTEM "sys/devices/system/"

/* A new directory; remove it with trees_remove. */
static inline char *
trees_new(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = xasprintf("%s/qmpin-test-XXXXXX", tmp != NULL ? tmp : "/tmp");

	if (mkdtemp(dir) == NULL)
		abort();
	return dir;
}

static inline int
trees_remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void
trees_cut(const char *dir, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);

	(void)nftw(path, trees_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void
trees_remove(char *dir)
{
	(void)nftw(dir, trees_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(dir);
}

/* The path of a file whose directories exist now. */
static inline char *
trees_path(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);

	for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			abort();
		*p = '/';
	}
	return path;
}

static inline void
trees_write_bytes(const char *dir, const char *name, const void *bytes, size_t len)
{
	auto_free char *path = trees_path(dir, name);
	FILE *f = fopen(path, "w");

	if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
		abort();
}

static inline void
trees_write(const char *dir, const char *name, const char *text)
{
	trees_write_bytes(dir, name, text, strlen(text));
}

/* The file @file of CPU or node @id. */
static inline void
trees_write_of(
	const char *dir, const char *kind, int id, const char *file, const char *text)
{
	auto_free char *name = xasprintf(TREES_SYSTEM "%s%d/%s", kind, id, file);

	trees_write(dir, name, text);
}

/* Two cores of two threads (0,2 and 1,3) with one L3, each a node; node 1 is id 4. */
static inline void
trees_write_host(const char *dir)
{
	static const char *const siblings[] = {"5\n", "a\n"};
	static const char *const distances[] = {"10 21\n", "21 10\n"};

	trees_write(dir, TREES_SYSTEM "cpu/online", "0-3\n");
	trees_write(dir, TREES_SYSTEM "node/online", "0,4\n");
	for (int i = 0; i < 4; i++) {
		trees_write_of(
			dir, "cpu/cpu", i, "topology/core_cpus", siblings[i % 2]);
		trees_write_of(dir, "cpu/cpu", i, "topology/package_cpus", "f\n");
		trees_write_of(
			dir, "cpu/cpu", i, "topology/physical_package_id", "0\n");
		trees_write_of(dir, "cpu/cpu", i, "cache/index3/level", "3\n");
		trees_write_of(dir, "cpu/cpu", i, "cache/index3/type", "Unified\n");
		trees_write_of(dir, "cpu/cpu", i, "cache/index3/size", "8192K\n");
		trees_write_of(dir, "cpu/cpu", i, "cache/index3/shared_cpu_map", "f\n");
	}
	for (int i = 0; i < 2; i++) {
		trees_write_of(dir, "node/node", i * 4, "cpumap", siblings[i]);
		trees_write_of(dir, "node/node", i * 4, "distance", distances[i]);
		trees_write_of(dir, "node/node", i * 4, "meminfo",
			"Node 0 MemTotal:       2048 kB\nNode 0 MemFree:  1000 kB\n");
	}
}

/* cmocka's setups and teardown; *state is an empty directory, or that of such a host.
 */
static inline int
trees_setup(void **state)
{
	*state = trees_new();
	return 0;
}

static inline int
trees_setup_host(void **state)
{
	*state = trees_new();
	trees_write_host(*state);
	return 0;
}

static inline int
trees_teardown(void **state)
{
	trees_remove(*state);
	return 0;
}

#endif
