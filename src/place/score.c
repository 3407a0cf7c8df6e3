// SPDX-License-Identifier: MIT
/*
 * The objective of masks that somebody else may have made. Latencies, loads and nodes
 * are counted CPU by CPU, whatever the masks are; only what is around a mask is looked
 * up in the domain tree, and waiting is the world's.
 */
#include "config.h"

#include "place/score.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "place/entry.h"
#include "place/float.h"
#include "place/residency.h"

/* vCPUs of one group that have the same mask. */
struct part {
	const struct world_group *group;
	struct cpuset cpus; /* usable, not empty */
	unsigned int n_vcpus;
	double demand;
	unsigned int n_pus; /* one for each of its cores */
	unsigned int *pus;
};

/* All VMs' parts, each VM's and each group's side by side. */
struct tally {
	struct world *w;
	struct wait_need (*need_of)(const char *id, int32_t units);
	unsigned int n_parts;
	size_t cap_parts;
	struct part *parts;
	double *load; /* of each PU */
};

static struct cpuset
mask_of(const struct world *w, const struct world_group *g, unsigned int vcpu)
{
	struct cpuset cpus = CPUSET_NONE;

	if (vcpu < g->in->n_current)
		cpus = cpuset_and(&g->in->current[vcpu], &w->usable);
	return cpuset_empty(&cpus) ? g->allowed : cpus;
}

static void
add_load(struct tally *t, const struct cpuset *cpus, double demand)
{
	double each = demand / cpuset_count(cpus);

	cpuset_foreach (cpu, cpus)
		t->load[t->w->in->topo->pu_of_cpu[cpu]] += each;
}

static void
add_vcpu(struct tally *t, const struct world_group *g, unsigned int first,
	const struct cpuset *cpus)
{
	struct part *p;

	for (unsigned int i = first; i < t->n_parts; i++) {
		if (!cpuset_equal(&t->parts[i].cpus, cpus))
			continue;
		t->parts[i].n_vcpus++;
		return;
	}
	t->parts = xgrow(t->parts, t->n_parts, &t->cap_parts, sizeof(*t->parts));
	p = &t->parts[t->n_parts++];
	*p = (struct part){.group = g, .cpus = *cpus, .n_vcpus = 1};
	p->pus = xcalloc(cpuset_count(cpus), sizeof(*p->pus));
	cpuset_foreach (cpu, cpus) {
		const struct topo *topo = t->w->in->topo;
		const struct topo_pu *pu = topo_pu_of(topo, cpu);
		struct cpuset mine = cpuset_and(&topo->cores[pu->core].cpus, cpus);

		if (cpuset_next(&mine, 0) == cpu)
			p->pus[p->n_pus++] = (unsigned int)topo->pu_of_cpu[cpu];
	}
}

/* What the part wants runs on its CPUs; it could run wherever its group may. */
static void
lay_part(struct tally *t, struct part *p)
{
	const struct world_group *g = p->group;
	struct world_load_on on = {.cpus = p->cpus};

	p->demand = g->demand * p->n_vcpus / g->n_vcpus;
	on.demand = p->demand;
	on.need = t->need_of(g->in->id, (int32_t)(p->demand * WAIT_UNIT + 0.5));
	world_enter_within(t->w, &g->allowed, &on);
	add_load(t, &p->cpus, p->demand);
}

static void
lay_group(struct tally *t, const struct world_group *g)
{
	unsigned int first = t->n_parts;

	if (cpuset_empty(&g->allowed))
		return; /* on isolated CPUs only, which are in no domain */
	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		struct cpuset cpus = mask_of(t->w, g, g->vcpus[v]);

		add_vcpu(t, g, first, &cpus);
	}
	for (unsigned int i = first; i < t->n_parts; i++)
		lay_part(t, &t->parts[i]);
}

/* A VM that is not planned is load and nothing else. */
static void
lay_other(struct tally *t, struct world_vm *vm)
{
	struct cpuset cpus = CPUSET_NONE;

	if (vm->in->n_current == 0)
		cpus = vm->in->limit;
	for (unsigned int v = 0; v < vm->in->n_current; v++)
		cpus = cpuset_or(&cpus, &vm->in->current[v]);
	cpus = cpuset_and(&cpus, &t->w->usable);
	if (cpuset_empty(&cpus) || vm->in->n_vcpus == 0)
		return;
	vm->fixed.cpus = cpus;
	vm->fixed.demand =
		vm->demand < cpuset_count(&cpus) ? vm->demand : cpuset_count(&cpus);
	vm->fixed.need =
		t->need_of(vm->in->id, (int32_t)(vm->fixed.demand * WAIT_UNIT + 0.5));
	world_enter_fixed(t->w, &vm->fixed);
	add_load(t, &cpus, vm->fixed.demand);
}

/* Mean latency between a vCPU of each part. */
static double
between_ns(const struct tally *t, const struct part *a, const struct part *b)
{
	const struct topo *topo = t->w->in->topo;
	const struct lat_view *lat = &t->w->in->latency;
	double sum = 0;
	double pairs = 0;

	for (unsigned int i = 0; i < a->n_pus; i++) {
		for (unsigned int j = 0; j < b->n_pus; j++) {
			unsigned int x = a->pus[i];
			unsigned int y = b->pus[j];

			if (topo->pus[x].core == topo->pus[y].core)
				continue;
			sum += (double)lat_ns(lat, x, y);
			pairs += 1;
		}
	}
	if (pairs > 0)
		return sum / pairs;
	/* on one core: as siblings, or one after the other on one CPU */
	if (a->pus[0] != b->pus[0])
		return (double)lat_ns(lat, a->pus[0], b->pus[0]);
	return cpuset_count(&a->cpus) > 1 ? 0 : t->w->tree->worst_ns;
}

/* Mean latency from a vCPU of part @i to the VM's others. [@first, @end): its parts. */
static double
communication(
	const struct tally *t, unsigned int i, unsigned int first, unsigned int end)
{
	const struct part *p = &t->parts[i];
	double n = p->group->in->n_vcpus;
	double sum = 0;

	if (n <= 1)
		return p->n_pus > 1 ? between_ns(t, p, p) : 0;
	for (unsigned int k = first; k < end; k++) {
		const struct part *other = &t->parts[k];
		double there = other->n_vcpus - (k == i ? 1.0 : 0.0);

		if (there > 0)
			sum += there * between_ns(t, p, other);
	}
	return sum / (n - 1);
}

/* Share of CPU time on each node of all parts of @g among [first, end). */
static void
cpu_shares(const struct tally *t, const struct world_group *g, unsigned int first,
	unsigned int end, float *out)
{
	const struct topo *topo = t->w->in->topo;

	for (unsigned int i = 0; i < topo->n_nodes; i++)
		out[i] = 0;
	for (unsigned int k = first; k < end; k++) {
		const struct part *p = &t->parts[k];

		for (unsigned int i = 0; i < topo->n_nodes && p->group == g; i++) {
			struct cpuset here = cpuset_and(&p->cpus, &topo->nodes[i].cpus);

			out[i] += (float)cpuset_count(&here) /
				  (float)cpuset_count(&p->cpus) * (float)p->n_vcpus /
				  (float)g->n_vcpus;
		}
	}
}

/* Cost of an access from @from to the memory of @g; not known: where its vCPUs are. */
static double
access_cost(const struct tally *t, const float *from, const struct world_group *g,
	unsigned int first, unsigned int end)
{
	struct world *w = t->w;
	unsigned int n = w->in->topo->n_nodes;
	auto_free float *at = xcalloc(n, sizeof(*at));

	if (g->memory_share != NULL)
		return residency_mean(w->remote, n, from, g->memory_share);
	cpu_shares(t, g, first, end, at);
	for (unsigned int i = 0; i < n; i++)
		w->touched[i] = (double)at[i];
	return residency_mean(w->remote, n, from, w->touched);
}

/* Mean cost of the accesses of one of the group's vCPUs, which are on @from. */
static double
memory(const struct tally *t, const struct world_group *g, const float *from,
	unsigned int first, unsigned int end)
{
	const struct world_vm *vm = &t->w->vms[g->vm];
	double rest = (double)g->in->n_vcpus - g->n_vcpus;
	double own = access_cost(t, from, g, first, end);
	double others = 0;

	if (rest <= 0)
		return own;
	for (unsigned int k = 0; k < vm->n_groups; k++) {
		const struct world_group *other = &t->w->groups[vm->first_group + k];

		if (other != g)
			others += access_cost(t, from, other, first, end) *
				  other->n_vcpus / rest;
	}
	return OWN_MEMORY_SHARE * own + (1 - OWN_MEMORY_SHARE) * others;
}

/* What a vCPU of the part has less than a core for itself. */
static double
core_cost(const struct tally *t, const struct part *p)
{
	const struct topo *topo = t->w->in->topo;
	struct cpuset cores = CPUSET_NONE;
	double load = 0;
	double small = 0;
	double shared;

	cpuset_foreach (cpu, &p->cpus) {
		const struct topo_pu *pu = topo_pu_of(topo, cpu);

		cores = cpuset_or(&cores, &topo->cores[pu->core].cpus);
		small += pu->kind == TOPO_KIND_EFFICIENCY;
	}
	cores = cpuset_and(&cores, &t->w->usable);
	cpuset_foreach (cpu, &cores)
		load += t->load[topo->pu_of_cpu[cpu]];
	shared = COST_SMT * objective_sharing(cpuset_count(&cores), p->n_pus, load);
	if (p->group->in->smt == PLACE_SMT_AVOID)
		shared *= COST_SMT_AVOID;
	if (t->w->tree->nodes[tree_root(t->w->tree)].n_small == 0)
		return shared; /* all cores are alike */
	return shared + COST_SMALL_CORE * small / cpuset_count(&p->cpus);
}

/* Load for each core of @node that is not of the VM whose parts are [first, end). */
static double
crowd(const struct tally *t, unsigned int first, unsigned int end,
	const struct tree_node *node)
{
	double sum = 0;

	cpuset_foreach (cpu, &node->cpus)
		sum += t->load[t->w->in->topo->pu_of_cpu[cpu]];
	for (unsigned int i = first; i < end; i++) {
		const struct part *own = &t->parts[i];
		struct cpuset here = cpuset_and(&own->cpus, &node->cpus);

		sum -= own->demand * cpuset_count(&here) / cpuset_count(&own->cpus);
	}
	return sum / node->n_cores;
}

static double
crowding(const struct tally *t, const struct part *p, unsigned int first,
	unsigned int end)
{
	const struct tree *tree = t->w->tree;
	int n = (int)tree_around(tree, t->w->in->topo, &p->cpus);
	double weight = 1;
	double sum = 0;

	for (; n >= 0; n = tree->nodes[n].parent) {
		if (tree->nodes[n].parent >= 0)
			weight /= 2;
		sum += weight * crowd(t, first, end, &tree->nodes[n]);
	}
	return sum;
}

/* Terms of a part, for all its demand, come to @sum. [@first, @end): its VM's. */
static void
add_terms(const struct tally *t, unsigned int i, unsigned int first, unsigned int end,
	struct terms *sum)
{
	const struct world *w = t->w;
	const struct part *p = &t->parts[i];
	unsigned int n = w->in->topo->n_nodes;
	auto_free float *from = xcalloc(n, sizeof(*from));
	double worst = p->demand * w->tree->worst_ns;

	cpu_shares(t, p->group, first, end, from);
	sum->ns[TERM_COMMUNICATION] += p->demand * communication(t, i, first, end);
	if (n > 0) {
		sum->ns[TERM_MEMORY] +=
			worst * COST_REMOTE * memory(t, p->group, from, first, end);
		sum->ns[TERM_PCI] += worst * COST_PCI *
				     residency_nearest(w->in->topo, w->remote, from,
					     &p->group->in->pci_nodes);
	}
	sum->ns[TERM_SMT] += worst * core_cost(t, p);
	sum->ns[TERM_FRAGMENTATION] += worst * COST_SPREAD * crowding(t, p, first, end);
}

static void
lay_all(struct tally *t)
{
	struct world *w = t->w;

	for (unsigned int i = 0; i < w->in->topo->n_pus; i++)
		t->load[i] = w->fixed[i]; /* the background */
	for (unsigned int i = 0; i < w->n_vms; i++) {
		struct world_vm *vm = &w->vms[i];

		for (unsigned int k = 0; k < vm->n_groups; k++)
			lay_group(t, &w->groups[vm->first_group + k]);
		if (vm->n_groups == 0)
			lay_other(t, vm);
	}
	wait_settle(w->wait);
}

static struct score
judge(const struct tally *t)
{
	const struct plan_policy *policy = t->w->in->policy;
	struct wait_cost wait = wait_measure(t->w->wait);
	struct score out = {.wait_mean = wait.mean, .wait_tail = wait.tail};
	double demand = 0;
	unsigned int end;

	for (unsigned int first = 0; first < t->n_parts; first = end) {
		for (end = first; end < t->n_parts &&
				  t->parts[end].group->vm == t->parts[first].group->vm;
			end++)
			demand += t->parts[end].demand;
		for (unsigned int i = first; i < end; i++)
			add_terms(t, i, first, end, &out.terms);
	}
	for (unsigned int i = 0; i < N_TERMS && demand > 0; i++)
		out.terms.ns[i] *= policy->weights[i] / demand;
	if (demand > 0) /* the weight is in it */
		out.terms.ns[TERM_WAITING] = float_wait_cost(t->w, &wait) / demand;
	out.total_ns = terms_sum(&out.terms);
	out.waits_ok = world_waits_ok(t->w, &wait);
	return out;
}

static void
tally_fini(struct tally *t)
{
	for (unsigned int i = 0; i < t->n_parts; i++)
		free(t->parts[i].pus);
	free(t->parts);
	free(t->load);
	world_free(t->w);
}

/* A world in which all have their masks; none when it would have no CPU. */
static int
tally_init(struct tally *t, const struct plan_input *in,
	struct wait_need (*need_of)(const char *id, int32_t units), struct err *e)
{
	auto_free struct plan_result *results =
		xcalloc(in->n_vms, sizeof(struct plan_result));
	struct cpuset usable = entry_usable(in);
	struct entries entries;
	int r;

	*t = (struct tally){.need_of = need_of};
	r = entry_list(in, &usable, results, &entries, e);
	if (r < 0)
		return r;
	if (cpuset_empty(&usable)) {
		entry_free(&entries, in->n_vms);
		return 0;
	}
	t->w = world_new(in, &usable, entries.vms, entries.groups, entries.n_groups);
	for (unsigned int i = 0; i < t->w->n_groups; i++) {
		struct world_group *g = &t->w->groups[i];

		if (!cpuset_empty(&g->allowed))
			g->cls = world_class_of(t->w, &g->allowed);
	}
	t->load = xcalloc(in->topo->n_pus, sizeof(*t->load));
	lay_all(t);
	return 0;
}

/* The condition holds in draws that no plan is fitted to, too. */
static bool
waits_ok_unseen(const struct plan_input *in)
{
	struct tally t;
	bool ok = true;

	if (tally_init(&t, in, wait_need_other, NULL) == 0 && t.w != NULL) {
		struct wait_cost wait = wait_measure(t.w->wait);

		ok = world_waits_ok(t.w, &wait);
	}
	tally_fini(&t);
	return ok;
}

int
score_masks(const struct plan_input *in, struct score *out, struct err *e)
{
	struct tally t = {0};
	int r;

	r = entry_check(in, e);
	if (r == 0)
		r = tally_init(&t, in, wait_need_of, e);
	if (r < 0)
		return r;
	*out = (struct score){.waits_ok = true};
	if (t.w != NULL)
		*out = judge(&t);
	tally_fini(&t);
	out->waits_ok = out->waits_ok && waits_ok_unseen(in);
	return 0;
}
