// SPDX-License-Identifier: MIT
/*
 * A topology from wherever it is. hwloc says which CPUs share cores, caches and
 * packages; the kernel's files say which CPUs are online and what the NUMA nodes are,
 * and win where both speak.
 */
#include "config.h"

#include "host/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/xalloc.h"
#include "host/hwtree.h"
#include "host/sysfs.h"
#include "host/sysroot.h"
#include "host/textfile.h"

/* The largest machines have 2 MB, with all their devices. */
#define XML_BYTES_MAX (32u << 20)

/* So often a host is read whose CPUs come and go meanwhile. */
#define TRIES 3

/* Keep the CPUs that are online; all of them must be known to hwloc. */
static int
keep_online(struct topo_facts *f, const struct cpuset *online, const char *name,
	struct err *e)
{
	struct cpuset missing = *online;
	unsigned int n = 0;

	for (unsigned int i = 0; i < f->n_cpus; i++) {
		if (!cpuset_has(online, f->cpus[i].cpu))
			continue;
		cpuset_remove(&missing, f->cpus[i].cpu);
		f->cpus[n++] = f->cpus[i];
	}
	f->n_cpus = n;
	if (!cpuset_empty(&missing))
		return err_set(e, -EINVAL, name, 0,
			"CPU %u is online, but there is no topology of it",
			cpuset_next(&missing, 0));
	return 0;
}

static int
node_with(const struct sysfs_facts *kernel, unsigned int cpu)
{
	for (unsigned int i = 0; i < kernel->n_nodes; i++) {
		if (cpuset_has(&kernel->nodes[i].cpus, cpu))
			return (int)kernel->nodes[i].facts.id;
	}
	return TOPO_NONE;
}

/* hwloc's nodes are replaced: it makes one up where there are none, and gives
 * memory-only nodes the CPUs of others. */
static int
correct(struct topo_facts *f, struct sysfs_facts *kernel, const char *name,
	struct err *e)
{
	struct cpuset seen = CPUSET_NONE;
	int r;

	r = keep_online(f, &kernel->online, name, e);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < kernel->n_nodes; i++) {
		struct cpuset mine =
			cpuset_and(&kernel->nodes[i].cpus, &kernel->online);

		if (cpuset_overlap(&mine, &seen))
			return err_set(e, -EINVAL, name, 0,
				"node %u has CPUs of another node",
				kernel->nodes[i].facts.id);
		seen = cpuset_or(&seen, &mine);
	}
	free(f->nodes);
	free(f->distances);
	f->n_nodes = kernel->n_nodes;
	f->nodes = xcalloc(f->n_nodes, sizeof(*f->nodes));
	for (unsigned int i = 0; i < f->n_nodes; i++)
		f->nodes[i] = kernel->nodes[i].facts;
	for (unsigned int i = 0; i < f->n_cpus; i++) {
		struct topo_cpu_facts *c = &f->cpus[i];

		c->node_id = node_with(kernel, c->cpu);
		if (kernel->core_of[c->cpu] != TOPO_NONE)
			c->core_key = kernel->core_of[c->cpu];
	}
	f->distances = take_ptr(&kernel->distances);
	f->isolated = kernel->isolated;
	f->offline = kernel->offline;
	f->isolcpus = kernel->isolcpus;
	return 0;
}

/* @root: "" for this machine. The kernel's files come first: their caps protect hwloc
 * from CPU and node numbers it would allocate by. @online: what they said. */
static int
read_once(
	const char *root, struct topo_facts *out, struct cpuset *online, struct err *e)
{
	const char *name = *root != '\0' ? root : "this machine";
	struct sysfs_facts kernel = {0};
	struct topo_facts f = {0};
	int r;

	r = sysfs_read(root, &kernel, e);
	if (r < 0)
		return r;
	*online = kernel.online;
	r = hwtree_read(*root != '\0' ? root : NULL, &f, e);
	if (r == 0)
		r = correct(&f, &kernel, name, e);
	sysfs_fini(&kernel);
	if (r < 0)
		topo_facts_fini(&f);
	else
		*out = f;
	return r;
}

static bool
has_changed(const char *root, const struct cpuset *online)
{
	struct cpuset now;

	return sysfs_online(root, &now, NULL) == 0 && !cpuset_equal(&now, online);
}

/* hwloc looks some time after the kernel's files were read: a CPU that went in between
 * is none of a host that contradicts itself. */
static int
read_kernel(const char *root, struct topo_facts *out, struct err *e)
{
	struct err why = ERR_NONE;
	int r = -EAGAIN;

	for (int i = 0; i < TRIES; i++) {
		struct cpuset online = CPUSET_NONE;

		err_clear(&why);
		r = read_once(root, out, &online, &why);
		if (r == 0 || !has_changed(root, &online))
			break;
	}
	return r < 0 ? err_set(e, r, why.source, why.line, "%s", why.text) : 0;
}

static int
read_tree(const char *path, struct topo_facts *out, struct err *e)
{
	auto_free char *root = NULL;
	int r;

	r = sysroot_check(path, &root, e);
	return r < 0 ? r : read_kernel(root, out, e);
}

static int
read_xml(const char *path, struct topo_facts *out, struct err *e)
{
	auto_free char *text = NULL;
	int r;

	r = textfile_read(path, XML_BYTES_MAX, &text, e);
	if (r < 0)
		return err_set(e, r, path, 0, "cannot be read: %s", strerror(-r));
	return hwtree_parse_xml(text, path, out, e);
}

int
host_load(const char *path, struct topo **out, struct err *e)
{
	struct topo_facts f = {0};
	struct err why = ERR_NONE;
	struct stat st;
	int r;

	if (path == NULL)
		r = read_kernel("", &f, e);
	else if (stat(path, &st) < 0)
		r = err_set(e, -errno, path, 0, "cannot be read: %s", strerror(errno));
	else if (S_ISDIR(st.st_mode))
		r = read_tree(path, &f, e);
	else
		r = read_xml(path, &f, e);
	if (r < 0)
		return r;
	r = topo_build(&f, out, &why);
	topo_facts_fini(&f);
	if (r < 0)
		return err_set(
			e, r, path != NULL ? path : "this machine", 0, "%s", why.text);
	return 0;
}
