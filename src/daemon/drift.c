// SPDX-License-Identifier: MIT
/*
 * What a change of masks looks like. The most telling explanation comes first: a cause
 * that is known (the host's CPUs, the cgroup) before the shape of the change alone.
 */
#include "config.h"

#include "daemon/drift.h"

#include <stdio.h>

/* Room for masks in a line that people read; longer ones end in "...". */
#define CPUS_MAX 64

/* What the threads of a VM have in common. */
struct tally {
	unsigned int threads;
	unsigned int changed;
	unsigned int vcpus;
	unsigned int vcpus_changed;
	bool one_mask; /* all changed ones have the same */
	struct cpuset mask;
	bool rest_has_it; /* the others had that mask already */
};

static bool
is_changed(const struct drift_thread *t, const struct cpuset *online)
{
	struct cpuset shown = cpuset_and(t->want, online);

	return !cpuset_equal(t->have, t->want) && !cpuset_equal(t->have, &shown);
}

static void
count(struct tally *y, const struct drift_thread *t, bool changed)
{
	bool vcpu = t->class == THREAD_VCPU;

	y->threads++;
	y->vcpus += vcpu;
	if (!changed)
		return;
	if (y->changed++ == 0)
		y->mask = *t->have;
	y->one_mask = y->one_mask && cpuset_equal(t->have, &y->mask);
	y->vcpus_changed += vcpu;
}

static struct tally
tally_of(const struct drift_thread *threads, size_t n, const struct cpuset *online)
{
	struct tally y = {.one_mask = true, .rest_has_it = true};

	for (size_t i = 0; i < n; i++)
		count(&y, &threads[i], is_changed(&threads[i], online));
	for (size_t i = 0; i < n; i++)
		y.rest_has_it = y.rest_has_it &&
				(is_changed(&threads[i], online) ||
					cpuset_equal(threads[i].have, &y.mask));
	return y;
}

/* Whole nodes with CPUs, but not all of them. */
static bool
is_nodes(const struct topo *topo, const struct cpuset *cpus)
{
	struct cpuset all = CPUSET_NONE;

	for (unsigned int i = 0; i < topo->n_nodes; i++) {
		const struct cpuset *node = &topo->nodes[i].cpus;

		if (cpuset_within(node, cpus))
			all = cpuset_or(&all, node);
	}
	return !cpuset_empty(&all) && cpuset_equal(&all, cpus) &&
	       !cpuset_within(&topo->online, cpus);
}

/* Kernels before 6.2 give each thread the whole cpuset, later ones what is common to
 * the cpuset and the mask that was asked for, or all of it where that is nothing. */
static bool
is_by_cpuset(
	const struct drift_thread *threads, size_t n, const struct drift_host *host)
{
	const struct cpuset *allowed = &host->allowed;

	if (cpuset_empty(allowed) || cpuset_within(&host->topo->online, allowed))
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct drift_thread *t = &threads[i];
		struct cpuset common = cpuset_and(t->want, allowed);

		if (!cpuset_equal(t->have, allowed) && !cpuset_equal(t->have, &common))
			return false;
	}
	return true;
}

/* A thread none of whose CPUs is left gets all that are allowed. */
static bool
is_by_kernel(const struct tally *y, const struct drift_host *host)
{
	struct cpuset all = host->topo->online;

	if (!host->shaken || !y->one_mask)
		return false;
	if (!cpuset_empty(&host->allowed))
		all = cpuset_and(&all, &host->allowed);
	return cpuset_equal(&y->mask, &all);
}

/* All threads have the same mask now. Few that now have the mask of the many were not
 * set with them, unless they are the vCPUs, which nobody else would give that mask. */
static bool
is_all_at_once(const struct tally *y)
{
	if (!y->one_mask || !y->rest_has_it || y->changed < 2)
		return false;
	return y->changed >= y->threads - y->changed ||
	       (y->vcpus > 0 && y->vcpus_changed == y->vcpus);
}

static enum drift_kind
kind_of(const struct tally *y, const struct drift_thread *threads, size_t n,
	const struct drift_host *host, enum thread_class first)
{
	if (y->changed == 0)
		return DRIFT_NONE;
	if (is_by_kernel(y, host))
		return DRIFT_KERNEL;
	if (is_by_cpuset(threads, n, host))
		return DRIFT_CPUSET;
	if (is_all_at_once(y))
		return is_nodes(host->topo, &y->mask) ? DRIFT_NODE : DRIFT_ALL;
	if (y->changed == 1)
		return first == THREAD_EMULATOR ? DRIFT_MAIN : DRIFT_THREAD;
	if (y->changed == y->vcpus_changed && y->changed == y->vcpus)
		return DRIFT_VCPUS;
	return DRIFT_SOME;
}

void
drift_judge(const struct drift_thread *threads, size_t n, const struct drift_host *host,
	struct drift *out)
{
	const struct cpuset *online = &host->topo->online;
	struct tally y = tally_of(threads, n, online);
	size_t first = 0;

	*out = (struct drift){.threads = y.threads, .changed = y.changed};
	if (y.changed == 0)
		return;
	while (!is_changed(&threads[first], online))
		first++;
	out->class = threads[first].class;
	if (y.one_mask)
		out->to = y.mask;
	out->kind = kind_of(&y, threads, n, host, out->class);
}

bool
drift_alike(const struct drift *a, const struct drift *b)
{
	return a->kind == b->kind && a->kind >= DRIFT_VCPUS &&
	       cpuset_equal(&a->to, &b->to);
}

const char *
drift_name(enum drift_kind kind)
{
	static const char *const names[DRIFT_N_KINDS] = {
		[DRIFT_NONE] = "none",
		[DRIFT_THREAD] = "thread",
		[DRIFT_MAIN] = "main",
		[DRIFT_SOME] = "some",
		[DRIFT_VCPUS] = "vcpus",
		[DRIFT_ALL] = "all",
		[DRIFT_NODE] = "node",
		[DRIFT_CPUSET] = "cpuset",
		[DRIFT_KERNEL] = "kernel",
	};

	return names[kind];
}

/* What leaves such a trace, with a comma before it. */
static const char *
suspect(const struct drift *d, unsigned int n_vms)
{
	switch (d->kind) {
	case DRIFT_THREAD:
	case DRIFT_MAIN:
		return ", as taskset -p does";
	case DRIFT_VCPUS:
		return ", as another manager of vCPUs does";
	case DRIFT_ALL:
		return n_vms > 1 ? ", as a cpuset of their slice does"
				 : ", as taskset -a does";
	case DRIFT_NODE:
		return ", the CPUs of whole nodes, as numad does";
	case DRIFT_CPUSET:
		return ", the cpuset of its cgroup";
	case DRIFT_KERNEL:
		return ": the kernel widens threads whose CPUs go offline";
	default:
		return "";
	}
}

/* "all 12 threads", "3 of 12 threads", "all 8 vCPUs", "only the main thread". */
static void
who(const struct drift *d, char *buf, size_t size)
{
	if (d->kind == DRIFT_MAIN)
		(void)snprintf(buf, size, "only the main thread");
	else if (d->changed == 1)
		(void)snprintf(buf, size, "only one %s",
			d->class == THREAD_VCPU ? "vCPU" : thread_class_name(d->class));
	else if (d->kind == DRIFT_VCPUS)
		(void)snprintf(buf, size, "all %u vCPUs, nothing else,", d->changed);
	else if (d->kind == DRIFT_ALL || d->kind == DRIFT_NODE ||
		 d->changed == d->threads)
		(void)snprintf(buf, size, "all %u threads", d->threads);
	else
		(void)snprintf(buf, size, "%u of %u threads", d->changed, d->threads);
}

char *
drift_text(const struct drift *d, unsigned int n_vms, char *buf, size_t size)
{
	char subject[64];
	char cpus[CPUS_MAX];
	char vms[32] = "";

	who(d, subject, sizeof(subject));
	cpuset_format(&d->to, cpus, sizeof(cpus));
	if (n_vms > 1)
		(void)snprintf(vms, sizeof(vms), " in %u VMs", n_vms);
	(void)snprintf(buf, size, "%s set to %s%s%s%s", subject,
		cpus[0] != '\0' ? cpus : "different CPUs",
		d->changed > 1 || n_vms > 1 ? " at once" : "", vms, suspect(d, n_vms));
	return buf;
}
