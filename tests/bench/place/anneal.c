// SPDX-License-Identifier: MIT
/*
 * The reference: simulated annealing on the judge's own number, after each event, from
 * what there was. Moves any VM at will, and memory that is not bound follows. Its draws
 * are not those that it is judged by, or it would fit the draws.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "policies.h"

/* Inside the condition, as it is judged by other draws. */
#define WAIT_GOAL 0.006
#define WAIT95_GOAL 0.03
#define PENALTY 4.0
/* Fewer draws for each chance that a VM is busy fit the draws instead of the load. */
#define DRAWS_EACH 48u
#define DRAWS (WAITS_N_CHANCES * DRAWS_EACH)

/* In units of J: from where most worse steps are taken to where hardly any is. */
#define HOT 0.006
#define COLD 0.0001

struct anneal {
	unsigned int n;
	struct cpuset *masks; /* that a VM may get */
	uint64_t seed;
};

/* ---- what may be chosen ---- */

static void
add_mask(struct anneal *a, size_t *cap, const struct cpuset *mask)
{
	for (unsigned int i = 0; i < a->n; i++) {
		if (cpuset_equal(&a->masks[i], mask))
			return;
	}
	if (cpuset_empty(mask))
		return;
	a->masks = xgrow(a->masks, a->n, cap, sizeof(*a->masks));
	a->masks[a->n++] = *mask;
}

/* Groups, and pairs of them that are within one node or on one package. */
static void
add_groups(struct anneal *a, size_t *cap, const struct topo *t,
	const struct topo_group *groups, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		add_mask(a, cap, &groups[i].cpus);
		for (unsigned int j = 0; j < i; j++) {
			struct cpuset pair =
				cpuset_or(&groups[i].cpus, &groups[j].cpus);
			struct cpuset nodes = topo_nodes_of(t, &pair);

			if (cpuset_count(&nodes) == 1)
				add_mask(a, cap, &pair);
		}
	}
}

static void *
anneal_begin(struct run *r)
{
	const struct topo *t = r->site.topo;
	struct anneal *a = xcalloc(1, sizeof(*a));
	size_t cap = 0;

	add_mask(a, &cap, &t->online);
	add_groups(a, &cap, t, t->l3, t->n_l3);
	for (unsigned int i = 0; i < t->n_nodes; i++) {
		add_mask(a, &cap, &t->nodes[i].cpus);
		for (unsigned int j = 0; j < i; j++) {
			struct cpuset pair =
				cpuset_or(&t->nodes[i].cpus, &t->nodes[j].cpus);

			add_mask(a, &cap, &pair);
		}
	}
	for (unsigned int i = 0; i < t->n_packages; i++)
		add_mask(a, &cap, &t->packages[i].cpus);
	return a;
}

static void
anneal_end(struct run *r)
{
	struct anneal *a = r->memo;

	free(a->masks);
	free(a);
}

/* ---- the search ---- */

static bool
memory_follows(const struct site_vm *vm)
{
	return vm->start->host_nodes == NULL;
}

static double
cost_of(struct run *r)
{
	const struct anneal *a = r->memo;
	float waits[DRAWS];
	double j;

	for (unsigned int i = 0; i < r->site.n; i++) {
		if (memory_follows(&r->site.vms[i]))
			r->site.vms[i].touched = false;
	}
	j = judge_busy(&r->site).of[MEASURE_J];
	waits_draw(&r->site, a->seed, DRAWS_EACH, waits);
	return j + PENALTY * fmax(waits_mean(waits, DRAWS) / WAIT_GOAL - 1, 0) +
	       PENALTY * fmax(waits_p95(waits, DRAWS) / WAIT95_GOAL - 1, 0);
}

/* One VM elsewhere, as a mask and the one it had. Returns whether there is a change. */
static bool
propose(struct run *r, unsigned int *which, struct cpuset *had)
{
	const struct anneal *a = r->memo;
	struct cpuset limit;
	struct cpuset mask;
	struct site_vm *vm;

	*which = rnd_below(&r->rnd, r->site.n);
	vm = &r->site.vms[*which];
	limit = site_limit(&r->site, vm);
	mask = cpuset_and(&a->masks[rnd_below(&r->rnd, a->n)], &limit);
	*had = vm->masks[0];
	if (cpuset_equal(&mask, had) ||
		(cpuset_count(&mask) < vm->n_vcpus && !cpuset_equal(&mask, &limit)))
		return false;
	site_give(&r->site, vm, &mask);
	return true;
}

static void
search(struct run *r)
{
	double now = cost_of(r);
	double heat = HOT;
	double cooling = pow(COLD / HOT, 1.0 / r->tune->rounds);

	for (unsigned int i = 0; i < r->tune->rounds; i++, heat *= cooling) {
		unsigned int which;
		struct cpuset had;
		double next;

		if (!propose(r, &which, &had))
			continue;
		next = cost_of(r);
		if (next <= now || rnd_share(&r->rnd) < exp((now - next) / heat))
			now = next;
		else
			site_give(&r->site, &r->site.vms[which], &had);
	}
	(void)cost_of(r); /* memory is where it belongs now */
}

static double *
copy_memory(const struct site *s)
{
	double *all = xcalloc((size_t)s->n * 2 * s->topo->n_nodes, sizeof(*all));

	for (unsigned int i = 0; i < s->n; i++) {
		const struct site_vm *vm = &s->vms[i];

		if (vm->touched)
			memcpy(&all[(size_t)i * 2 * s->topo->n_nodes], vm->memory,
				vm->n_nodes * s->topo->n_nodes * sizeof(*all));
	}
	return all;
}

static double
moved_gib(const struct site *s, const double *before)
{
	double gib = 0;

	for (unsigned int i = 0; i < s->n; i++) {
		const struct site_vm *vm = &s->vms[i];
		const double *had = &before[(size_t)i * 2 * s->topo->n_nodes];

		for (unsigned int k = 0; k < vm->n_nodes * s->topo->n_nodes; k++)
			gib += fmax(had[k] - vm->memory[k], 0) * vm->memory_gib /
			       vm->n_nodes;
	}
	return gib;
}

static void
anneal_on_event(struct run *r, const struct replay_event *e, struct site_vm *vm)
{
	struct anneal *a = r->memo;
	auto_free double *before = NULL;

	(void)e;
	(void)vm;
	if (r->site.n == 0)
		return;
	/* far from the seeds of the judge */
	a->seed = rnd_next(&r->rnd) | UINT64_C(1) << 63;
	before = copy_memory(&r->site);
	search(r);
	r->moved_gib += moved_gib(&r->site, before);
}

const struct policy policy_anneal = {
	.name = "annealing",
	.what = "a search on the judge's number; moves at will, memory follows",
	.begin = anneal_begin,
	.on_event = anneal_on_event,
	.end = anneal_end,
};
