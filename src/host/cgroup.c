// SPDX-License-Identifier: MIT
/*
 * Reading the unified cgroup hierarchy below an open directory. Paths come from the
 * kernel and are checked all the same: none leads out of the hierarchy.
 */
#include "config.h"

#include "host/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/cgrouptext.h"
#include "host/textfile.h"

/* The longest, numa_stat on a host of 1024 nodes, has 30 lines of 1024 numbers. */
#define FILE_BYTES_MAX (1u << 20)
#define PROCESSES "cgroup.procs"
#define LINE_BYTES_MAX 16u /* a pid and its newline */
/* Room for all of a VM's. The kernel looks no further than it has room, and a group of
 * a thousand processes takes it milliseconds. */
#define PROCESSES_BYTES_MAX 1024u

/* Version 1 has no such file. */
static bool
is_unified(int fd)
{
	return faccessat(fd, "cgroup.controllers", R_OK, 0) == 0;
}

int
cgroup_open(const char *root, struct err *e)
{
	static const char *const places[] = {"", "/unified"}; /* alone, beside v1 */

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		auto_free char *path = xasprintf("%s/sys/fs/cgroup%s", root, places[i]);
		auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && is_unified(fd))
			return take_fd(&fd);
		if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
			return err_set(e, -errno, path, 0, "cannot be opened: %s",
				strerror(errno));
	}
	return -ENODATA;
}

int
cgroup_of_process(int procfd, pid_t pid, char path[CGROUP_PATH_MAX])
{
	auto_free char *text = NULL;
	char name[32];
	int r;

	(void)snprintf(name, sizeof(name), "%d/cgroup", (int)pid);
	r = textfile_read_at(procfd, name, FILE_BYTES_MAX, &text, NULL);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	return cgrouptext_path(text, path, CGROUP_PATH_MAX);
}

/* File @name of the group, "./" for the root. */
static int
read_file(int cgroupfd, const char *path, const char *name, size_t cap, char **text)
{
	auto_free char *full = xasprintf(".%s/%s", path, name);

	return textfile_read_at(cgroupfd, full, cap, text, NULL);
}

static bool
group_exists(int cgroupfd, const char *path)
{
	auto_free char *full = xasprintf(".%s", path);

	return faccessat(cgroupfd, full, F_OK, 0) == 0;
}

/* Why a file is not there. */
static int
missing(int cgroupfd, const char *path)
{
	return group_exists(cgroupfd, path) ? -ENODATA : -ENOENT;
}

/* Cut the last component off. Returns false when @path was the root. */
static bool
go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL || path[1] == '\0')
		return false;
	slash[slash == path ? 1 : 0] = '\0';
	return true;
}

int
cgroup_cpus(int cgroupfd, const char *path, struct cpuset *out)
{
	auto_free char *at = xstrdup(path);
	bool exists = false; /* mostly told by the file that is there */

	do {
		auto_free char *text = NULL;
		int r = read_file(
			cgroupfd, at, "cpuset.cpus.effective", FILE_BYTES_MAX, &text);

		if (r == 0)
			return cpuset_parse(text, out);
		if (r != -ENOENT)
			return r;
		if (!exists && !group_exists(cgroupfd, path))
			return -ENOENT;
		exists = true;
	} while (go_up(at));
	return -ENODATA;
}

int
cgroup_quota(int cgroupfd, const char *path, double *out_cpus)
{
	auto_free char *at = xstrdup(path);
	double least = 0;

	if (!group_exists(cgroupfd, path))
		return -ENOENT;
	do {
		auto_free char *text = NULL;
		double cpus = 0;
		int r = read_file(cgroupfd, at, "cpu.max", FILE_BYTES_MAX, &text);

		if (r == 0)
			r = cgrouptext_quota(text, &cpus);
		if (r < 0 && r != -ENOENT)
			return r;
		if (cpus > 0 && (least <= 0 || cpus < least))
			least = cpus;
	} while (go_up(at));
	*out_cpus = least;
	return 0;
}

int
cgroup_used_us(int cgroupfd, const char *path, uint64_t *out)
{
	auto_free char *text = NULL;
	int r = read_file(cgroupfd, path, "cpu.stat", FILE_BYTES_MAX, &text);

	if (r == -ENOENT)
		return missing(cgroupfd, path);
	return r < 0 ? r : cgrouptext_value(text, "usage_usec", out);
}

/* Add one file's line, when both are there. */
static int
add_memory(int cgroupfd, const char *path, const char *name, const char *key,
	struct cgroup_memory *m)
{
	auto_free char *text = NULL;
	int r = read_file(cgroupfd, path, name, FILE_BYTES_MAX, &text);

	if (r == 0)
		r = cgrouptext_nodes(text, key, m->bytes, &m->n_nodes);
	return r;
}

/* hugetlb.SIZE.numa_stat of every size the kernel has. */
static int
add_huge_pages(int cgroupfd, const char *path, struct cgroup_memory *m)
{
	auto_free char *full = xasprintf(".%s", path);
	int fd = openat(cgroupfd, full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	int r = 0;

	if (dir == NULL) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (!str_has_prefix(entry->d_name, "hugetlb.") ||
			!str_equal(dot, ".numa_stat"))
			continue;
		r = add_memory(cgroupfd, path, entry->d_name, "total", m);
		if (r == -ENOENT || r == -ENODATA)
			r = 0;
	}
	(void)closedir(dir);
	return r;
}

int
cgroup_memory(int cgroupfd, const char *path, struct cgroup_memory *out)
{
	struct cgroup_memory m = {
		.bytes = xcalloc(CGROUPTEXT_NODES_MAX, sizeof(*m.bytes))};
	int r = add_memory(cgroupfd, path, "memory.numa_stat", "anon", &m);

	if (r == 0)
		r = add_memory(cgroupfd, path, "memory.numa_stat", "shmem", &m);
	if (r == 0)
		r = add_huge_pages(cgroupfd, path, &m);
	if (r < 0) {
		cgroup_memory_fini(&m);
		return r == -ENOENT ? missing(cgroupfd, path) : r;
	}
	*out = m;
	return 0;
}

void
cgroup_memory_fini(struct cgroup_memory *m)
{
	free(m->bytes);
	*m = (struct cgroup_memory){.n_nodes = 0};
}

static int
compare_pids(const void *a, const void *b)
{
	const pid_t *x = a;
	const pid_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* A process of another pid namespace is listed as 0: nothing of ours. */
static ssize_t
parse_processes(char *text, pid_t **pids)
{
	auto_free pid_t *list = xcalloc(1, sizeof(*list));
	char *rest = NULL;
	size_t cap = 1;
	size_t n = 0;

	for (char *word = strtok_r(text, "\n", &rest); word != NULL;
		word = strtok_r(NULL, "\n", &rest)) {
		uint64_t pid;

		if (str_parse_uint(word, INT_MAX, &pid) < 0)
			return -EINVAL;
		list = xgrow(list, n, &cap, sizeof(*list));
		if (pid > 0)
			list[n++] = (pid_t)pid;
	}
	qsort(list, n, sizeof(*list), compare_pids);
	*pids = take_ptr(&list);
	return (ssize_t)n;
}

int
cgroup_processes_open(int cgroupfd, const char *path)
{
	auto_free char *full = xasprintf(".%s/%s", path, PROCESSES);
	int fd = openat(cgroupfd, full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	/* cppcheck-suppress resourceLeak ; the caller's */
	return fd < 0 ? -errno : fd;
}

/* The kernel gives whole lines as far as there is room. */
ssize_t
cgroup_processes_reread(int fd, pid_t **pids)
{
	char text[PROCESSES_BYTES_MAX];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return errno == ENODEV ? -ENOENT : -errno;
	if ((size_t)n > sizeof(text) - LINE_BYTES_MAX)
		return -E2BIG; /* perhaps not all */
	text[n] = '\0';
	return parse_processes(text, pids);
}

ssize_t
cgroup_processes(int cgroupfd, const char *path, pid_t **pids)
{
	auto_close int fd = cgroup_processes_open(cgroupfd, path);

	return fd < 0 ? fd : cgroup_processes_reread(fd, pids);
}

static bool
is_group(int dirfd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_name[0] == '.')
		return false;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

ssize_t
cgroup_children(int cgroupfd, const char *path, char ***paths)
{
	auto_free char *full = xasprintf(".%s", path);
	int fd = openat(cgroupfd, full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	char **list = NULL;
	size_t cap = 0;
	size_t n = 0;

	if (dir == NULL) {
		int r = -errno;

		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	while ((entry = readdir(dir)) != NULL && n <= CGROUP_CHILDREN_MAX) {
		if (!is_group(fd, entry))
			continue;
		list = xgrow(list, n, &cap, sizeof(*list));
		list[n++] =
			xasprintf("%s/%s", path[1] == '\0' ? "" : path, entry->d_name);
	}
	(void)closedir(dir);
	if (n > CGROUP_CHILDREN_MAX) {
		xfree_texts(list, n);
		return -E2BIG;
	}
	*paths = list != NULL ? list : xcalloc(1, sizeof(*list));
	return (ssize_t)n;
}
