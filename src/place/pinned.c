// SPDX-License-Identifier: MIT
/*
 * A mask of several CPUs counts as spread over them. The load of CPUs that the world
 * does not know (isolated ones, cores of its own) is the VM's.
 */
#include "config.h"

#include "place/pinned.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "place/residency.h"

struct view {
	const struct pinned_host *h;
	const struct world_vm *vm;
	const struct cpuset *masks;
	double *on;  /* of each PU: vCPUs */
	double *has; /* of each PU: vCPUs that the world has there */
	/* Guest nodes, n_nodes of topo for each: shares of their vCPUs' CPUs, and of
	 * their memory. */
	unsigned int n_guest;
	unsigned int *vcpus; /* of each */
	float *from;
	double *to;
	bool placed; /* some of its memory is somewhere */
};

struct pinned_host
pinned_host_of(const struct plan_input *in, struct world *w)
{
	struct pinned_host h = {.in = in, .w = w, .worst_ns = TREE_WORST_MIN_NS};

	h.remote = residency_costs(in->topo);
	if (w != NULL)
		h.worst_ns = w->tree->worst_ns;
	for (unsigned int i = 0; w == NULL && i < in->latency.n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			double ns = (double)lat_ns(&in->latency, i, j);

			h.worst_ns = ns > h.worst_ns ? ns : h.worst_ns;
		}
	}
	return h;
}

void
pinned_fini(struct pinned_host *h)
{
	free(h->remote);
}

static unsigned int
guest_node_of(const struct plan_vm *in, unsigned int vcpu)
{
	if (in->n_guest_nodes < 2 || in->guest_node_of == NULL)
		return 0;
	return in->guest_node_of[vcpu];
}

static void
read_masks(struct view *v)
{
	const struct topo *topo = v->h->in->topo;

	for (unsigned int k = 0; k < v->vm->in->n_vcpus; k++) {
		unsigned int guest = guest_node_of(v->vm->in, k);
		double each = 1.0 / cpuset_count(&v->masks[k]);

		v->vcpus[guest]++;
		cpuset_foreach (cpu, &v->masks[k]) {
			unsigned int pu = (unsigned int)topo->pu_of_cpu[cpu];
			int node = topo->pus[pu].node;

			v->on[pu] += each;
			if (node != TOPO_NONE)
				v->from[guest * topo->n_nodes + (unsigned int)node] +=
					(float)each;
		}
	}
}

/* Memory of a guest node: where it was found, where it is bound to, where it will be
 * touched. */
static void
read_memory(struct view *v, unsigned int guest)
{
	const struct topo *topo = v->h->in->topo;
	const struct plan_vm *in = v->vm->in;
	const struct plan_guest_node *g =
		guest < in->n_guest_nodes ? &in->guest_nodes[guest] : NULL;
	const double *share = in->memory_share;
	unsigned int bound = 0;

	if (g != NULL && g->memory_share != NULL)
		share = g->memory_share;
	for (unsigned int i = 0; g != NULL && i < topo->n_nodes; i++)
		bound += cpuset_has(&g->host_nodes, topo->nodes[i].id);
	if (g != NULL && g->memory_share != NULL)
		bound = 0;
	v->placed |= share != NULL || bound > 0;
	for (unsigned int i = 0; i < topo->n_nodes; i++) {
		double *to = &v->to[guest * topo->n_nodes + i];

		if (bound > 0)
			*to = cpuset_has(&g->host_nodes, topo->nodes[i].id)
				      ? 1.0 / bound
				      : 0;
		else if (share != NULL)
			*to = share[i];
		else
			*to = (double)v->from[guest * topo->n_nodes + i];
	}
}

/* Where the world has it. */
static void
read_pins(struct view *v)
{
	const struct world_vm *vm = v->vm;

	for (unsigned int i = 0; vm->role == WORLD_PIN && i < vm->n_groups; i++) {
		const struct world_group *g = &v->h->w->groups[vm->first_group + i];

		for (unsigned int k = 0; k < g->n_vcpus; k++)
			v->has[g->pins[k]] += 1;
	}
}

static struct view
view_of(const struct pinned_host *h, const struct world_vm *vm,
	const struct cpuset *masks)
{
	const struct topo *topo = h->in->topo;
	unsigned int n = vm->in->n_guest_nodes > 1 ? vm->in->n_guest_nodes : 1;
	size_t cells = (size_t)n * topo->n_nodes;
	struct view v = {.h = h, .vm = vm, .masks = masks, .n_guest = n};

	v.on = xcalloc(topo->n_pus, sizeof(*v.on));
	v.has = xcalloc(topo->n_pus, sizeof(*v.has));
	v.vcpus = xcalloc(n, sizeof(*v.vcpus));
	v.from = xcalloc(cells, sizeof(*v.from));
	v.to = xcalloc(cells, sizeof(*v.to));
	read_masks(&v);
	read_pins(&v);
	for (unsigned int g = 0; g < n; g++) {
		for (unsigned int i = 0; i < topo->n_nodes && v.vcpus[g] > 0; i++)
			v.from[g * topo->n_nodes + i] /= (float)v.vcpus[g];
		read_memory(&v, g);
	}
	return v;
}

static void
view_fini(struct view *v)
{
	free(v->on);
	free(v->has);
	free(v->vcpus);
	free(v->from);
	free(v->to);
}

/* Mean cost of an access, over all vCPUs; the local share into @local. */
static double
memory(const struct view *v, double *local)
{
	unsigned int nodes = v->h->in->topo->n_nodes;
	unsigned int all = v->vm->in->n_vcpus;
	double sum = 0;

	*local = 0;
	for (unsigned int g = 0; g < v->n_guest; g++) {
		const float *from = v->from + (size_t)g * nodes;
		const double *own = v->to + (size_t)g * nodes;
		double others = 0;
		double mine = residency_mean(v->h->remote, nodes, from, own);

		for (unsigned int o = 0; o < v->n_guest; o++) {
			if (o != g && v->vcpus[g] < all)
				others += residency_mean(v->h->remote, nodes, from,
						  v->to + (size_t)o * nodes) *
					  v->vcpus[o] / (all - v->vcpus[g]);
		}
		for (unsigned int i = 0; i < nodes; i++)
			*local += (double)from[i] * own[i] * v->vcpus[g] / all;
		if (v->vcpus[g] < all)
			mine = OWN_MEMORY_SHARE * mine +
			       (1 - OWN_MEMORY_SHARE) * others;
		sum += mine * v->vcpus[g] / all;
	}
	return sum;
}

/* Latencies within one vCPU's mask: no two vCPUs. */
static double
within(const struct view *v, const struct cpuset *mask)
{
	const struct plan_input *in = v->h->in;
	unsigned int n = cpuset_count(mask);
	double sum = 0;

	if (n == 1)
		return 0;
	cpuset_foreach (a, mask) {
		cpuset_foreach (b, mask)
			sum += (double)lat_ns(&in->latency,
				(unsigned int)in->topo->pu_of_cpu[a],
				(unsigned int)in->topo->pu_of_cpu[b]);
	}
	return sum / n / n;
}

/* Mean latency between two of its vCPUs. */
static double
communication(const struct view *v)
{
	const struct plan_input *in = v->h->in;
	unsigned int n = v->vm->in->n_vcpus;
	double sum = 0;
	double same = 0;

	if (n < 2)
		return 0;
	for (unsigned int i = 0; i < in->topo->n_pus; i++) {
		for (unsigned int j = 0; j < in->topo->n_pus && v->on[i] > 0; j++)
			sum += v->on[i] * v->on[j] * (double)lat_ns(&in->latency, i, j);
	}
	for (unsigned int k = 0; k < n; k++) {
		if (k == 0 || !cpuset_equal(&v->masks[k], &v->masks[k - 1]))
			same = within(v, &v->masks[k]);
		sum -= same;
	}
	sum /= (double)n * (n - 1);
	return sum > 0 ? sum : 0;
}

/* Load of a PU with the VM's vCPUs as in its masks. */
static double
load_of(const struct view *v, unsigned int pu)
{
	const struct world *w = v->h->w;
	double each = v->vm->demand / v->vm->in->n_vcpus;
	double load = v->on[pu] * each;

	if (w != NULL && w->tree->leaf_of_pu[pu] >= 0)
		load += w->fixed[pu] + world_float_load(w, pu) - v->has[pu] * each;
	return load;
}

/* Shares of the vCPUs that share their core, cannot run, are on efficiency cores. */
static void
crowding(const struct view *v, struct explain_option *o, double *lost)
{
	const struct topo *topo = v->h->in->topo;
	double each = v->vm->demand / v->vm->in->n_vcpus;
	bool both = false;

	for (unsigned int i = 0; i < topo->n_pus; i++)
		both |= topo->pus[i].kind == TOPO_KIND_PERFORMANCE;
	*lost = 0;
	for (unsigned int i = 0; i < topo->n_pus; i++) {
		double part = v->on[i] / v->vm->in->n_vcpus;
		double load = load_of(v, i);
		double core = -each;

		if (v->on[i] <= 0)
			continue;
		cpuset_foreach (cpu, &topo->cores[topo->pus[i].core].cpus)
			core += load_of(v, (unsigned int)topo->pu_of_cpu[cpu]);
		o->shared_share += part * (core < 0 ? 0 : core > 1 ? 1 : core);
		if (both && topo->pus[i].kind == TOPO_KIND_EFFICIENCY)
			o->small_share += part;
		if (load > 1)
			*lost += part * (1 - 1 / load);
		o->load_cpus += load - v->on[i] * each;
	}
	if (o->load_cpus < 0) /* rounding */
		o->load_cpus = 0;
}

static double
pci(const struct view *v)
{
	const struct pinned_host *h = v->h;
	unsigned int nodes = h->in->topo->n_nodes;
	double sum = 0;

	if (cpuset_empty(&v->vm->in->pci_nodes))
		return 0;
	for (unsigned int g = 0; g < v->n_guest; g++)
		sum += residency_nearest(h->in->topo, h->remote,
			       v->from + (size_t)g * nodes, &v->vm->in->pci_nodes) *
		       v->vcpus[g] / v->vm->in->n_vcpus;
	return sum;
}

void
pinned_option(const struct pinned_host *h, const struct world_vm *vm,
	const struct cpuset *masks, struct explain_option *out)
{
	const double *weights = h->in->policy->weights;
	struct view v = view_of(h, vm, masks);
	double avoid = vm->in->smt == PLACE_SMT_AVOID ? COST_SMT_AVOID : 1;
	double *ns = out->terms.ns;
	double local;
	double lost;

	*out = (struct explain_option){.wait_mean = 0};
	for (unsigned int k = 0; k < vm->in->n_vcpus; k++)
		out->cpus = cpuset_or(&out->cpus, &masks[k]);
	ns[TERM_MEMORY] =
		weights[TERM_MEMORY] * COST_REMOTE * h->worst_ns * memory(&v, &local);
	out->local_share = v.placed ? local : -1;
	ns[TERM_COMMUNICATION] = weights[TERM_COMMUNICATION] * communication(&v);
	crowding(&v, out, &lost);
	out->lost_share = lost;
	ns[TERM_WAITING] = weights[TERM_WAITING] * COST_LOST * h->worst_ns * lost;
	ns[TERM_SMT] = weights[TERM_SMT] * h->worst_ns *
		       (COST_SMT * avoid * out->shared_share +
			       COST_SMALL_CORE * out->small_share);
	ns[TERM_PCI] = weights[TERM_PCI] * COST_PCI * h->worst_ns * pci(&v);
	view_fini(&v);
}
