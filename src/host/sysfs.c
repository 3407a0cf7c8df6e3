// SPDX-License-Identifier: MIT
/*
 * The reader of the kernel's CPU and node files, of this host or below another root.
 * Kernels since 2.6.16 differ in which of them exist; a file that exists but cannot be
 * understood is an error, never a guess. Caches and packages are left to hwloc.
 */
#include "config.h"

#include "host/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/nodemem.h"
#include "host/textfile.h"

/* Longer than any of these files: a distance row of 1024 nodes or a map of 8192 CPUs
 * has a few kilobytes, the kernel's own limit is a page. */
#define FILE_BYTES_MAX (64u << 10)

/* The kernel writes ACPI's bytes; more is not a distance. */
#define DISTANCE_MAX 65535u

#define PARTITIONS "/sys/fs/cgroup/cpuset.cpus.isolated"

/* One reading: where, and whom to tell. */
struct reader {
	const char *root;
	struct err *e;
};

/* Of a file of CPUs and nodes; or a name from the root. */
static char *
path_of(const struct reader *r, const char *name)
{
	if (name[0] == '/')
		return xasprintf("%s%s", r->root, name);
	return xasprintf("%s/sys/devices/system/%s", r->root, name);
}

static int
read_text(const struct reader *r, const char *name, char **text)
{
	auto_free char *path = path_of(r, name);

	return textfile_read(path, FILE_BYTES_MAX, text, r->e);
}

/* Say which file is wrong; @why of -ERANGE is the same for all. */
static int
bad_file(const struct reader *r, const char *name, int error, const char *why)
{
	auto_free char *path = path_of(r, name);

	return err_set(r->e, error, path, 0, "%s",
		error == -ERANGE ? "a number is larger than this program can handle"
				 : why);
}

/* Empty files are the empty set: some kernels write them so. */
static int
read_list(const struct reader *r, const char *name, struct cpuset *out)
{
	auto_free char *text = NULL;
	int error = read_text(r, name, &text);

	if (error < 0)
		return error;
	error = cpuset_parse(text, out);
	return error < 0 ? bad_file(r, name, error, "not a list of numbers") : 0;
}

static int
read_map(const struct reader *r, const char *name, struct cpuset *out)
{
	auto_free char *text = NULL;
	int error = read_text(r, name, &text);

	if (error < 0)
		return error;
	if (*text == '\0') {
		*out = CPUSET_NONE;
		return 0;
	}
	error = cpuset_parse_map(text, out);
	return error < 0 ? bad_file(r, name, error, "not a map of CPUs") : 0;
}

/* "cpu12" -> 12 for prefix "cpu". Returns 0, -ENOENT (another name) or -ERANGE. */
static int
number_in_name(
	const char *name, const char *prefix, unsigned int cap, unsigned int *out)
{
	uint64_t n;
	int error;

	if (!str_has_prefix(name, prefix))
		return -ENOENT;
	error = str_parse_uint(name + strlen(prefix), cap - 1, &n);
	if (error == -EINVAL)
		return -ENOENT;
	if (error == 0)
		*out = (unsigned int)n;
	return error;
}

/* The numbers of the subdirectories @prefixN of @name. */
static int
scan_dir(const struct reader *r, const char *name, const char *prefix, unsigned int cap,
	struct cpuset *out)
{
	auto_free char *path = path_of(r, name);
	struct cpuset found = CPUSET_NONE;
	const struct dirent *entry;
	DIR *dir = opendir(path);
	int error = 0;

	if (dir == NULL && errno == ENOENT)
		return -ENOENT;
	if (dir == NULL)
		return err_set(
			r->e, -errno, path, 0, "cannot be read: %s", strerror(errno));
	while (error == 0 && (entry = readdir(dir)) != NULL) {
		unsigned int n = 0;

		error = number_in_name(entry->d_name, prefix, cap, &n);
		if (error == -ERANGE)
			error = err_set(r->e, error, path, 0, "%s: at most %u is known",
				entry->d_name, cap - 1);
		else if (error == -ENOENT)
			error = 0;
		else
			cpuset_add(&found, n);
	}
	(void)closedir(dir);
	if (error == 0)
		*out = found;
	return error;
}

/* Without cpu/online (kernels before 2.6.28): an absent or empty cpuN/online means that
 * the CPU cannot be switched off. */
static int
scan_online(const struct reader *r, const struct cpuset *present, struct cpuset *out)
{
	*out = *present;
	cpuset_foreach (cpu, present) {
		char name[32];
		auto_free char *text = NULL;
		int error;

		(void)snprintf(name, sizeof(name), "cpu/cpu%u/online", cpu);
		error = read_text(r, name, &text);
		if (error == -ENOENT)
			continue;
		if (error < 0)
			return error;
		if (str_equal(text, "0"))
			cpuset_remove(out, cpu);
		else if (*text != '\0' && !str_equal(text, "1"))
			return bad_file(r, name, -EINVAL, "neither 0 nor 1");
	}
	return 0;
}

/* Directories are looked through even where the list is there: hwloc allocates by the
 * number in any name. Only the running kernel is trusted; it may have some for CPUs
 * that will never be plugged. */
static int
read_online(const struct reader *r, struct cpuset *out)
{
	struct cpuset present = CPUSET_NONE;
	int listed = read_list(r, "cpu/online", out);
	int error = 0;

	if (listed < 0 && listed != -ENOENT)
		return listed;
	if (listed == -ENOENT || *r->root != '\0')
		error = scan_dir(r, "cpu", "cpu", CPUSET_CAP, &present);
	if (error == -ENOENT)
		return bad_file(r, "cpu", error, "no such directory");
	if (error == 0 && listed == -ENOENT)
		error = scan_online(r, &present, out);
	if (error < 0)
		return error;
	if (cpuset_empty(out))
		return bad_file(r, "cpu/online", -EINVAL, "no CPU is online");
	return 0;
}

/* For people only: where it cannot be read, nothing is told. */
static struct cpuset
read_offline(const struct reader *r, const struct cpuset *online)
{
	const struct reader quiet = {r->root, NULL};
	auto_free char *text = NULL;
	struct cpuset present;

	if (read_text(&quiet, "cpu/present", &text) == 0) {
		if (cpuset_parse(text, &present) < 0)
			return CPUSET_NONE;
	} else if (scan_dir(&quiet, "cpu", "cpu", CPUSET_CAP, &present) < 0) {
		return CPUSET_NONE;
	}
	return cpuset_minus(&present, online);
}

/* SMT siblings under their old and new names. core_id is of no use: it is not unique in
 * a package on several machines. */
static int
read_siblings(const struct reader *r, unsigned int cpu, struct cpuset *out)
{
	static const struct {
		const char *name;
		int (*read)(
			const struct reader *r, const char *name, struct cpuset *out);
	} forms[] = {
		{"thread_siblings_list", read_list},
		{"thread_siblings", read_map},
		{"core_cpus_list", read_list},
		{"core_cpus", read_map},
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		char name[64];
		int error;

		(void)snprintf(name, sizeof(name), "cpu/cpu%u/topology/%s", cpu,
			forms[i].name);
		error = forms[i].read(r, name, out);
		if (error != -ENOENT)
			return error;
	}
	return -ENOENT;
}

static int
read_cores(const struct reader *r, struct sysfs_facts *f)
{
	f->core_of = xcalloc(CPUSET_CAP, sizeof(*f->core_of));
	for (unsigned int cpu = 0; cpu < CPUSET_CAP; cpu++)
		f->core_of[cpu] = TOPO_NONE;
	cpuset_foreach (cpu, &f->online) {
		struct cpuset siblings;
		int error = read_siblings(r, cpu, &siblings);

		if (error == -ENOENT)
			continue;
		if (error < 0)
			return error;
		siblings = cpuset_and(&siblings, &f->online);
		if (!cpuset_empty(&siblings))
			f->core_of[cpu] = (int)cpuset_next(&siblings, 0);
	}
	return 0;
}

/* Add the CPUs of one list to @set. Kernels write "(null)" where nothing was
 * configured. */
static int
add_isolated(const struct reader *r, const char *name, struct cpuset *set)
{
	auto_free char *text = NULL;
	struct cpuset cpus;
	int error = read_text(r, name, &text);

	if (error == -ENOENT || (error == 0 && strstr(text, "(null)") != NULL))
		return 0;
	if (error < 0)
		return error;
	error = cpuset_parse(text, &cpus);
	if (error < 0)
		return bad_file(r, name, error, "not a list of numbers");
	*set = cpuset_or(set, &cpus);
	return 0;
}

/* Three lists. That of isolated partitions of cgroups is there since Linux 6.7, and
 * names CPUs that are offline too. */
static int
read_isolated(const struct reader *r, struct sysfs_facts *f)
{
	int error = add_isolated(r, "cpu/isolated", &f->isolcpus);

	f->isolated = f->isolcpus;
	if (error == 0)
		error = add_isolated(r, "cpu/nohz_full", &f->isolated);
	if (error == 0)
		error = add_isolated(r, PARTITIONS, &f->isolated);
	return error;
}

static int
read_memory(const struct reader *r, const char *dir, struct topo_node_facts *node)
{
	auto_free char *name = xasprintf("%s/meminfo", dir);
	auto_free char *text = NULL;
	struct nodemem memory;
	int error = read_text(r, name, &text);

	if (error == -ENOENT || (error == 0 && *text == '\0'))
		return 0;
	if (error < 0)
		return error;
	if (nodemem_parse(text, &memory) < 0)
		return bad_file(r, name, -EINVAL, "no MemTotal");
	node->mem_known = true;
	node->mem_kib = memory.total_kib;
	node->free_kib = memory.free_kib;
	return 0;
}

static int
read_node(const struct reader *r, unsigned int id, struct sysfs_node *node)
{
	auto_free char *dir = xasprintf("node/node%u", id);
	auto_free char *list = xasprintf("%s/cpulist", dir);
	auto_free char *map = xasprintf("%s/cpumap", dir);
	int error;

	node->facts.id = id;
	error = read_list(r, list, &node->cpus);
	if (error == -ENOENT)
		error = read_map(r, map, &node->cpus);
	if (error == -ENOENT)
		return bad_file(r, dir, error, "neither cpulist nor cpumap in it");
	if (error < 0)
		return error;
	return read_memory(r, dir, &node->facts);
}

/* One row: the i-th number belongs to the i-th node, not to node id i. */
static int
parse_distances(const char *text, unsigned int n, unsigned int *row)
{
	for (unsigned int i = 0; i < n; i++) {
		unsigned long d;
		char *end;

		text += strspn(text, " \t\n");
		if (*text < '0' || *text > '9')
			return -EINVAL;
		d = strtoul(text, &end, 10);
		if (d > DISTANCE_MAX)
			return -ERANGE;
		row[i] = (unsigned int)d;
		text = end;
	}
	return text[strspn(text, " \t\n")] == '\0' ? 0 : -EINVAL;
}

/* All rows or none: half a matrix is of no use. */
static int
read_distances(const struct reader *r, struct sysfs_facts *f)
{
	auto_free unsigned int *rows =
		xcalloc((size_t)f->n_nodes * f->n_nodes, sizeof(*rows));

	for (unsigned int i = 0; i < f->n_nodes; i++) {
		auto_free char *name =
			xasprintf("node/node%u/distance", f->nodes[i].facts.id);
		auto_free char *text = NULL;
		int error = read_text(r, name, &text);

		if (error == -ENOENT || (error == 0 && *text == '\0'))
			return 0;
		if (error < 0)
			return error;
		error = parse_distances(
			text, f->n_nodes, &rows[(size_t)i * f->n_nodes]);
		if (error < 0)
			return bad_file(
				r, name, error, "not one distance for each node");
	}
	f->distances = take_ptr(&rows);
	return 0;
}

static int
read_nodes(const struct reader *r, struct sysfs_facts *f)
{
	struct cpuset dirs; /* sets of node ids, not CPUs */
	struct cpuset ids;
	int error = scan_dir(r, "node", "node", TOPO_NODE_ID_CAP, &dirs);

	if (error == -ENOENT)
		return 0;
	if (error < 0)
		return error;
	error = read_list(r, "node/online", &ids);
	if (error == -ENOENT) {
		ids = dirs;
		error = 0;
	}
	if (error == 0 && cpuset_next(&ids, TOPO_NODE_ID_CAP) != CPUSET_CAP)
		error = bad_file(r, "node/online", -ERANGE, NULL);
	if (error < 0)
		return error;
	f->nodes = xcalloc(cpuset_count(&ids), sizeof(*f->nodes));
	cpuset_foreach (id, &ids) {
		error = read_node(r, id, &f->nodes[f->n_nodes++]);
		if (error < 0)
			return error;
	}
	return read_distances(r, f);
}

int
sysfs_online(const char *root, struct cpuset *out, struct err *e)
{
	const struct reader r = {root, e};
	struct cpuset online;
	int error = read_online(&r, &online);

	if (error == 0)
		*out = online;
	return error;
}

int
sysfs_read(const char *root, struct sysfs_facts *out, struct err *e)
{
	const struct reader r = {root, e};
	struct sysfs_facts f = {0};
	int error;

	error = read_online(&r, &f.online);
	if (error == 0)
		error = read_cores(&r, &f);
	f.offline = read_offline(&r, &f.online);
	if (error == 0)
		error = read_isolated(&r, &f);
	if (error == 0)
		error = read_nodes(&r, &f);
	if (error < 0) {
		sysfs_fini(&f);
		return error;
	}
	*out = f;
	return 0;
}

void
sysfs_fini(struct sysfs_facts *f)
{
	free(f->core_of);
	free(f->nodes);
	free(f->distances);
	*f = (struct sysfs_facts){0};
}
