// SPDX-License-Identifier: MIT
/* Expected latencies between groups, expected accesses to other nodes. */
#include "config.h"

#include "distance.h"

#include "base/xalloc.h"

/* A guest with NUMA nodes uses its own for so much of its accesses. */
#define OWN_NODE_SHARE 0.8

/* Expected latency between a vCPU of each group; both on one CPU only where there is no
 * other way. */
static double
latency_between(const struct site *s, const struct group *a, const struct group *b)
{
	double sum = 0;
	double pairs = 0;

	for (unsigned int i = 0; i < a->n; i++) {
		double here = 0;
		double weight = 0;

		if (a->got[i] <= 0)
			continue;
		for (unsigned int j = 0; j < b->n; j++) {
			double f = a->pus[i] == b->pus[j] ? 0 : b->got[j];

			here += f * (double)lat_ns(&s->lat, a->pus[i], b->pus[j]);
			weight += f;
		}
		sum += a->got[i] * here;
		pairs += a->got[i] * weight;
	}
	return pairs > 0 ? sum / pairs : s->worst_ns;
}

/* Latency between the vCPUs of one part. Where it has fewer CPUs than vCPUs, some pairs
 * are on one CPU. */
static double
latency_within(const struct filled *f, double *within, const struct part *p)
{
	double *ns = &within[p->group]; /* negative: not known yet */
	double doubled = (double)p->n / p->width - 1;

	if (*ns < 0)
		*ns = latency_between(f->site, &f->parts.groups[p->group],
			&f->parts.groups[p->group]);
	doubled = doubled > 0 ? doubled / (p->n - 1) : 0;
	return doubled * f->site->worst_ns + (1 - doubled) * *ns;
}

/* Mean over the pairs of vCPUs of the VM whose parts are @first to @last - 1. */
static double
latency_of(
	const struct filled *f, double *within, unsigned int first, unsigned int last)
{
	const struct parts *all = &f->parts;
	double sum = 0;
	double pairs = 0;

	for (unsigned int i = first; i < last; i++) {
		const struct part *a = &all->parts[i];
		double n = a->n * (a->n - 1.0) / 2;

		if (a->n > 1)
			sum += n * latency_within(f, within, a);
		pairs += n;
		for (unsigned int j = first; j < i; j++) {
			const struct part *b = &all->parts[j];

			n = (double)a->n * b->n;
			sum += n * latency_between(f->site, &all->groups[a->group],
					   &all->groups[b->group]);
			pairs += n;
		}
	}
	return pairs > 0 ? sum / pairs : 0;
}

/* Share of the accesses of a part that go to another node. */
static double
remote_of(const struct filled *f, const struct part *p)
{
	const struct site_vm *vm = &f->site->vms[p->vm];
	unsigned int n = f->site->topo->n_nodes;
	const double *here = &f->nodes[(size_t)p->group * n];
	double local = 0;

	if (n == 0)
		return 0;
	for (unsigned int k = 0; k < vm->n_nodes; k++) {
		double uses = k == p->guest_node
				      ? OWN_NODE_SHARE
				      : (1 - OWN_NODE_SHARE) / (vm->n_nodes - 1);

		if (vm->n_nodes == 1)
			uses = 1;
		for (unsigned int i = 0; i < n; i++)
			local += uses * here[i] * vm->memory[k * n + i];
	}
	return 1 - local;
}

struct distance
distance_judge(const struct filled *f)
{
	auto_free double *within = xcalloc(f->parts.n_groups, sizeof(*within));
	struct distance d = {0};
	unsigned int last;

	for (unsigned int k = 0; k < f->parts.n_groups; k++)
		within[k] = -1;
	for (unsigned int first = 0; first < f->parts.n; first = last) {
		const struct site_vm *vm = &f->site->vms[f->parts.parts[first].vm];

		last = filled_end_of_vm(f, first);
		d.lat_ns += vm->n_vcpus / f->vcpus * latency_of(f, within, first, last);
		for (unsigned int i = first; i < last; i++)
			d.remote += f->parts.parts[i].n / f->vcpus *
				    remote_of(f, &f->parts.parts[i]);
	}
	return d;
}
