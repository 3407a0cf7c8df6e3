// SPDX-License-Identifier: MIT
/*
 * In the place of host/cgroup.c and host/nodemem.c: slices and scopes as on a Proxmox
 * host, one container that is bound to a few CPUs, and memory by nodes. And of
 * host/load.c and host/hostid.c: hosts come from hosts.h.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/cgroup.h"
#include "host/hostid.h"
#include "host/load.h"
#include "host/nodemem.h"
#include "seam.h"

#define SLICE "/qemu.slice"
#define OTHERS "/system.slice"
#define CONTAINERS "/lxc"
#define CONTAINER "/lxc/900"
#define CONTAINER_CPUS 2u /* what it is bound to, and uses half of */

static struct guest *
guest_at(const char *path)
{
	struct model *m = seam()->model;

	for (unsigned int i = 0; i < m->n_guests; i++) {
		if (m->guests[i].qemu != NULL && str_equal(m->guests[i].scope, path))
			return &m->guests[i];
	}
	return NULL;
}

/* Returns 0 or -ENOENT. */
static int
find(const char *path, struct guest **out)
{
	static const char *const fixed[] = {"/", SLICE, OTHERS, CONTAINERS, CONTAINER};

	*out = guest_at(path);
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		if (str_equal(fixed[i], path))
			return 0;
	}
	return *out != NULL ? 0 : -ENOENT;
}

int
cgroup_of_process(int procfd, pid_t pid, char path[CGROUP_PATH_MAX])
{
	const struct process *p = model_process(seam()->model, pid);

	(void)procfd;
	if (!seam_alive() || p == NULL)
		return -ESRCH;
	str_copy(path, CGROUP_PATH_MAX, p->guest != NULL ? p->guest->scope : OTHERS);
	return 0;
}

static struct cpuset
container_cpus(const struct model *m)
{
	struct cpuset cpus = CPUSET_NONE;
	unsigned int cpu = 0;

	for (unsigned int i = 0; i < CONTAINER_CPUS; i++) {
		cpu = cpuset_next(&m->online, cpu + 1);
		if (cpu < CPUSET_CAP)
			cpuset_add(&cpus, cpu);
	}
	return cpus;
}

int
cgroup_cpus(int cgroupfd, const char *path, struct cpuset *out)
{
	const struct model *m = seam()->model;
	struct guest *g;

	(void)cgroupfd;
	if (!seam_alive() || find(path, &g) < 0)
		return -ENOENT;
	if (!m->has_cpusets)
		return -ENODATA;
	if (str_equal(path, CONTAINER))
		*out = container_cpus(m);
	else
		*out = masks_effective(m, g);
	if (str_equal(path, SLICE) && cpuset_overlap(&m->slice, &m->online))
		*out = cpuset_and(&m->slice, &m->online);
	return 0;
}

int
cgroup_quota(int cgroupfd, const char *path, double *out_cpus)
{
	struct guest *g;

	(void)cgroupfd;
	if (!seam_alive() || find(path, &g) < 0)
		return -ENOENT;
	*out_cpus = g != NULL ? g->quota_cpus : 0;
	return 0;
}

/* The container is as busy all the time. */
static uint64_t
container_us(const struct model *m)
{
	return model_now_us(m) * CONTAINER_CPUS / 2;
}

static uint64_t
guests_us(struct model *m)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < m->n_guests; i++) {
		if (m->guests[i].qemu != NULL)
			sum += load_process_ns(m, m->guests[i].qemu) / 1000;
	}
	return sum;
}

int
cgroup_used_us(int cgroupfd, const char *path, uint64_t *out)
{
	struct model *m = seam()->model;
	struct guest *g;

	(void)cgroupfd;
	if (!seam_alive() || find(path, &g) < 0)
		return -ENOENT;
	if (g != NULL)
		*out = load_process_ns(m, g->qemu) / 1000;
	else if (str_equal(path, CONTAINERS) || str_equal(path, CONTAINER))
		*out = container_us(m);
	else if (str_equal(path, SLICE))
		*out = guests_us(m);
	else if (str_equal(path, OTHERS))
		*out = model_now_us(m) / 5;
	else
		*out = guests_us(m) + container_us(m) + model_now_us(m) / 4;
	return 0;
}

int
cgroup_memory(int cgroupfd, const char *path, struct cgroup_memory *out)
{
	const struct model *m = seam()->model;
	struct guest *g;

	(void)cgroupfd;
	if (!seam_alive() || find(path, &g) < 0)
		return -ENOENT;
	if (g == NULL)
		return -ENODATA;
	out->n_nodes = m->whole.topo->n_nodes;
	out->bytes = xcalloc(out->n_nodes, sizeof(*out->bytes));
	for (unsigned int i = 0; i < out->n_nodes; i++)
		out->bytes[i] = g->node_kib[i] * 1024;
	return 0;
}

void
cgroup_memory_fini(struct cgroup_memory *m)
{
	free(m->bytes);
	*m = (struct cgroup_memory){.n_nodes = 0};
}

ssize_t
cgroup_processes(int cgroupfd, const char *path, pid_t **pids)
{
	const struct guest *g = guest_at(path);
	size_t n = 0;
	pid_t a;
	pid_t b;

	(void)cgroupfd;
	if (!seam_alive() || g == NULL)
		return -ENOENT;
	a = g->qemu->pid;
	b = g->tpm != NULL ? g->tpm->pid : a;
	*pids = xcalloc(2, sizeof(**pids));
	(*pids)[n++] = a < b ? a : b;
	if (a != b)
		(*pids)[n++] = a < b ? b : a;
	return (ssize_t)n;
}

int
cgroup_processes_open(int cgroupfd, const char *path)
{
	const struct guest *g = guest_at(path);

	(void)cgroupfd;
	if (!seam_alive() || g == NULL)
		return -ENOENT;
	return MODEL_FD + (int)g->qemu->serial;
}

ssize_t
cgroup_processes_reread(int fd, pid_t **pids)
{
	const struct process *p = model_of_fd(seam()->model, fd);

	return p == NULL ? -ENOENT : cgroup_processes(0, p->guest->scope, pids);
}

static void
add_path(char **paths, ssize_t *n, const char *path)
{
	paths[(*n)++] = xstrdup(path);
}

ssize_t
cgroup_children(int cgroupfd, const char *path, char ***paths)
{
	const struct model *m = seam()->model;
	ssize_t n = 0;

	(void)cgroupfd;
	if (!seam_alive())
		return -ENOENT;
	*paths = xcalloc(MODEL_GUESTS_MAX, sizeof(char *));
	if (str_equal(path, "/")) {
		add_path(*paths, &n, SLICE);
		add_path(*paths, &n, OTHERS);
		add_path(*paths, &n, CONTAINERS);
	} else if (str_equal(path, CONTAINERS)) {
		add_path(*paths, &n, CONTAINER);
	}
	for (unsigned int i = 0; str_equal(path, SLICE) && i < m->n_guests; i++) {
		if (m->guests[i].qemu != NULL)
			add_path(*paths, &n, m->guests[i].scope);
	}
	return n;
}

int
nodemem_read(const char *root, unsigned int node, struct nodemem *out)
{
	const struct model *m = seam()->model;
	const struct topo *topo = m->whole.topo;
	uint64_t used = 0;

	(void)root;
	if (!seam_alive() || node >= topo->n_nodes)
		return -ENOENT;
	for (unsigned int i = 0; i < m->n_guests; i++) {
		if (m->guests[i].qemu != NULL)
			used += m->guests[i].node_kib[node];
	}
	out->total_kib = topo->nodes[node].mem_kib;
	out->free_kib = used < out->total_kib ? out->total_kib - used : 0;
	return 0;
}

int
host_load(const char *path, struct topo **out, struct err *e)
{
	(void)out;
	return err_set(e, -ENOTSUP, path, 0, "hosts of the model are not loaded");
}

int
hostid_read(const char *path, struct hostid *out, struct err *e)
{
	(void)out;
	return err_set(e, -ENOTSUP, path, 0, "hosts of the model have no name");
}
