// SPDX-License-Identifier: MIT
/*
 * Hard rules of placement, one function each. A VM that cannot have what it asks for
 * may still be kept off cores that are others' alone: all its vCPUs then have what is
 * left of its limit, and rules about its own place do not apply.
 */
#include "config.h"

#include "invariants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "vmrules.h"

/* One plan while it is looked at. */
struct look {
	struct invariants *v;
	const struct plan_input *in;
	const struct plan *p;
	bool regrouped;
	struct cpuset ordinary; /* online, not reserved, not isolated */
	struct cpuset *alone;	/* of each VM: CPUs of cores that are its alone */
	bool *kept_off;		/* of each VM: has no place of its own, see above */
};

static bool
check(const struct look *l, enum invariant i, unsigned int vm, bool ok)
{
	char a[48];
	char b[48];
	char what[PLAN_WHY_MAX + 160];
	const struct plan_result *r = &l->p->results[vm];
	const struct plan_vm *in = &l->in->vms[vm];

	if (ok) {
		l->v->checked[i]++;
		return true;
	}
	(void)snprintf(what, sizeof(what), "%s, had %s, gets %s: %s",
		(unsigned int)in->mode < PLACE_N_MODES ? place_mode_name(in->mode)
						       : "?",
		in->n_current > 0 ? cpuset_format(in->current, a, sizeof(a)) : "",
		cpuset_format(&r->domain, b, sizeof(b)), r->why);
	return invariant_check(l->v, i, ok, in->id, what);
}

static struct cpuset
alone_of_others(const struct look *l, unsigned int vm)
{
	struct cpuset s = CPUSET_NONE;

	for (unsigned int i = 0; i < l->p->n; i++) {
		if (i != vm)
			s = cpuset_or(&s, &l->alone[i]);
	}
	return s;
}

static bool
wants_cores(const struct plan_vm *vm)
{
	return vm->mode != PLACE_OFF && vm->mode != PLACE_OBSERVE &&
	       (vm->mode == PLACE_DEDICATED || vm->smt == PLACE_SMT_ISOLATE);
}

static bool
has_cores(const struct plan_result *r)
{
	return r->n_vcpus > 0 && r->own;
}

/* CPUs that it has: also when it is refused, and stays where it is. */
static struct cpuset
cpus_of(const struct look *l, unsigned int vm)
{
	const struct plan_vm *in = &l->in->vms[vm];
	struct cpuset cpus = l->p->results[vm].domain;

	for (unsigned int v = 0; l->p->results[vm].n_vcpus == 0 && v < in->n_current;
		v++) {
		struct cpuset may = vmrules_may(l->in, in, v);

		may = cpuset_and(&may, &in->current[v]);
		cpus = cpuset_or(&cpus, &may);
	}
	return cpus;
}

static bool
is_used_by_others(const struct look *l, unsigned int vm, const struct cpuset *core)
{
	for (unsigned int i = 0; i < l->p->n; i++) {
		const struct plan_result *r = &l->p->results[i];

		if (i != vm && r->apply && cpuset_overlap(&r->domain, core))
			return true;
	}
	return false;
}

/* Of one that is refused nobody says which of its cores it may keep as its own (a node
 * may have fewer to give away by now): those that are, the others are kept off. */
static void
find_alone(struct look *l)
{
	const struct topo *t = l->in->topo;

	for (unsigned int i = 0; i < l->p->n; i++) {
		const struct plan_result *r = &l->p->results[i];
		struct cpuset cpus = cpus_of(l, i);

		if (!wants_cores(&l->in->vms[i]) || !r->own)
			continue;
		cpuset_foreach (cpu, &cpus) {
			const struct topo_pu *pu = topo_pu_of(t, cpu);
			const struct cpuset *core =
				pu != NULL ? &t->cores[pu->core].cpus : NULL;

			if (core != NULL &&
				(r->n_vcpus > 0 || !is_used_by_others(l, i, core)))
				l->alone[i] = cpuset_or(&l->alone[i], core);
		}
	}
}

static bool
same_masks(const struct plan_result *r, const struct cpuset *mask)
{
	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		if (!cpuset_equal(&r->vcpus[v], mask))
			return false;
	}
	return r->n_vcpus > 0;
}

/* Each vCPU could be somewhere, also beside all that is others' alone. */
static bool
is_possible(const struct look *l, unsigned int vm)
{
	const struct plan_vm *in = &l->in->vms[vm];
	struct cpuset others = alone_of_others(l, vm);

	if (in->n_vcpus == 0 || in->n_vcpus > PLAN_VCPUS_MAX || in->mode == PLACE_OFF)
		return false;
	for (unsigned int v = 0; v < in->n_vcpus; v++) {
		struct cpuset may = vmrules_may(l->in, in, v);

		may = cpuset_and(&may, &l->ordinary);
		may = cpuset_minus(&may, &others);
		if (cpuset_empty(&may))
			return false;
	}
	return true;
}

static void
find_kept_off(struct look *l)
{
	for (unsigned int i = 0; i < l->p->n; i++) {
		const struct plan_vm *in = &l->in->vms[i];
		struct cpuset others = alone_of_others(l, i);
		struct cpuset rest = vmrules_limit(l->in, in);

		if (in->mode != PLACE_OFF)
			rest = cpuset_and(&rest, &l->ordinary);
		rest = cpuset_minus(&rest, &others);
		l->kept_off[i] = same_masks(&l->p->results[i], &rest) &&
				 !has_cores(&l->p->results[i]) &&
				 (wants_cores(in) || !is_possible(l, i));
	}
}

static void
look_at_shape(const struct look *l, unsigned int vm)
{
	const struct plan_result *r = &l->p->results[vm];
	struct cpuset all = CPUSET_NONE;
	bool ok = r->why[0] != '\0' && memchr(r->why, '\0', sizeof(r->why)) != NULL;

	if (r->verdict == PLAN_LEAVE) {
		check(l, INV_SHAPE, vm, ok && r->n_vcpus == 0 && r->vcpus == NULL);
		return;
	}
	ok = ok && r->n_vcpus == l->in->vms[vm].n_vcpus && r->n_vcpus > 0;
	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		ok = ok && !cpuset_empty(&r->vcpus[v]);
		all = cpuset_or(&all, &r->vcpus[v]);
	}
	check(l, INV_SHAPE, vm, ok && cpuset_equal(&all, &r->domain));
}

static void
look_at_verdict(const struct look *l, unsigned int vm)
{
	const struct plan_vm *in = &l->in->vms[vm];
	const struct plan_result *r = &l->p->results[vm];
	bool same = r->n_vcpus == in->n_current;

	check(l, INV_HOME, vm, invariants_homes_ok(in, r));
	if (r->verdict == PLAN_LEAVE) {
		check(l, INV_VERDICT, vm, !r->apply && !r->rebalanced);
		check(l, INV_NOT_REFUSED, vm, !is_possible(l, vm) || wants_cores(in));
		return;
	}
	for (unsigned int v = 0; same && v < r->n_vcpus; v++)
		same = cpuset_equal(&r->vcpus[v], &in->current[v]);
	check(l, INV_VERDICT, vm, r->apply || in->mode == PLACE_OBSERVE);
	check(l, INV_VERDICT, vm, r->verdict != PLAN_KEEP || same);
	check(l, INV_VERDICT, vm, r->verdict != PLAN_PLACE || !same || !in->placed);
	check(l, INV_VERDICT, vm,
		in->mode != PLACE_OFF || (!in->off_by_admin && l->kept_off[vm]));
}

static void
look_at_masks(const struct look *l, unsigned int vm)
{
	const struct plan_vm *in = &l->in->vms[vm];
	const struct plan_result *r = &l->p->results[vm];
	struct cpuset limit = vmrules_limit(l->in, in);

	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		struct cpuset may = vmrules_may(l->in, in, v);

		check(l, INV_INSIDE, vm, cpuset_within(&r->vcpus[v], &limit));
		if (in->mode != PLACE_OFF)
			check(l, INV_RESERVED, vm,
				!cpuset_overlap(
					&r->vcpus[v], &l->in->policy->reserved));
		if (!l->kept_off[vm])
			check(l, INV_HOST_NODES, vm, cpuset_within(&r->vcpus[v], &may));
	}
}

static void
look_at_isolated(const struct look *l)
{
	unsigned int users[CPUSET_CAP] = {0};

	for (unsigned int i = 0; i < l->p->n; i++) {
		const struct plan_result *r = &l->p->results[i];
		enum place_mode mode = l->in->vms[i].mode;

		for (unsigned int v = 0; v < r->n_vcpus && mode != PLACE_OFF; v++) {
			struct cpuset here =
				cpuset_and(&r->vcpus[v], &l->in->topo->isolated);

			if (cpuset_empty(&here))
				continue;
			check(l, INV_ISOLATED, i,
				mode == PLACE_PIN || mode == PLACE_DEDICATED);
			check(l, INV_ISOLATED, i, cpuset_count(&r->vcpus[v]) == 1);
			check(l, INV_ISOLATED, i,
				cpuset_within(&here, &l->in->policy->isolated_usable));
			check(l, INV_ISOLATED, i, users[cpuset_next(&here, 0)]++ == 0);
		}
	}
}

static void
look_at_waiting(const struct look *l, unsigned int vm)
{
	const struct plan_vm *in = &l->in->vms[vm];
	const struct plan_result *r = &l->p->results[vm];
	struct cpuset others = alone_of_others(l, vm);

	if (!vmrules_may_widen(l->in, in) || l->kept_off[vm])
		return;
	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		struct cpuset may = vmrules_may(l->in, in, v);

		may = cpuset_and(&may, &l->ordinary);
		may = cpuset_minus(&may, &others);
		may = cpuset_and(&may, &in->waited->idle);
		if (!cpuset_empty(&may))
			check(l, INV_WIDENED, vm,
				r->widened && cpuset_overlap(&r->vcpus[v], &may));
	}
}

static void
look_at_pins(const struct look *l, unsigned int vm)
{
	const struct plan_vm *in = &l->in->vms[vm];
	const struct plan_result *r = &l->p->results[vm];
	const struct topo *t = l->in->topo;

	if (l->kept_off[vm] || vmrules_may_widen(l->in, in))
		return;
	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		const struct topo_pu *pu = topo_pu_of(t, cpuset_next(&r->vcpus[v], 0));

		if (in->mode == PLACE_PIN || in->mode == PLACE_DEDICATED)
			check(l, INV_ONE_CPU, vm, cpuset_count(&r->vcpus[v]) == 1);
		if (in->mode == PLACE_CORE && pu != NULL)
			check(l, INV_ONE_CORE, vm,
				cpuset_within(&r->vcpus[v], &t->cores[pu->core].cpus));
	}
}

/* Every core that the vCPU may use has so many CPUs for it. */
static bool
cores_have(const struct look *l, const struct cpuset *may, unsigned int n)
{
	const struct topo *t = l->in->topo;

	for (unsigned int i = 0; i < t->n_cores; i++) {
		struct cpuset here = cpuset_and(&t->cores[i].cpus, may);

		if (!cpuset_empty(&here) && cpuset_count(&here) < n)
			return false;
	}
	return true;
}

/* Mode core: one mask for vCPUs of one guest core (within a guest node), if any host
 * core has as many threads. */
static void
look_at_guest_cores(const struct look *l, unsigned int vm)
{
	const struct plan_vm *in = &l->in->vms[vm];
	const struct plan_result *r = &l->p->results[vm];
	struct cpuset others = alone_of_others(l, vm);

	if (in->mode != PLACE_CORE || l->kept_off[vm] || vmrules_may_widen(l->in, in))
		return;
	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		struct cpuset may = vmrules_may(l->in, in, v);
		unsigned int n = 0;
		bool together = true;

		may = cpuset_minus(&may, &others);
		for (unsigned int k = 0; k < r->n_vcpus; k++) {
			if (vmrules_guest_core(in, v) != vmrules_guest_core(in, k) ||
				vmrules_guest_node(in, v) != vmrules_guest_node(in, k))
				continue;
			n++;
			together &= cpuset_equal(&r->vcpus[v], &r->vcpus[k]);
		}
		if (n > 1 && cores_have(l, &may, n))
			check(l, INV_GUEST_THREADS, vm, together);
	}
}

static void
look_at_exclusive(const struct look *l, unsigned int vm)
{
	for (unsigned int i = 0; i < l->p->n; i++) {
		const struct plan_result *r = &l->p->results[i];

		if (i == vm || !r->apply || cpuset_empty(&l->alone[vm]))
			continue;
		check(l, INV_ALONE, i, !cpuset_overlap(&r->domain, &l->alone[vm]));
		check(l, INV_ALONE, i, !cpuset_overlap(&r->emulator, &l->alone[vm]));
	}
	if (!cpuset_empty(&l->alone[vm]))
		check(l, INV_CPU0, vm, !cpuset_has(&l->alone[vm], 0));
}

static void
look_at_node_share(const struct look *l)
{
	const struct topo *t = l->in->topo;
	struct cpuset alone = CPUSET_NONE;

	/* what one that is refused has may be beyond what a node gives away by now */
	for (unsigned int i = 0; i < l->p->n; i++) {
		if (l->p->results[i].n_vcpus > 0)
			alone = cpuset_or(&alone, &l->alone[i]);
	}
	for (unsigned int i = 0; i < t->n_nodes && !cpuset_empty(&alone); i++) {
		struct cpuset here = cpuset_and(&t->nodes[i].cpus, &alone);
		unsigned int all = topo_count_cores(t, &t->nodes[i].cpus);

		check(l, INV_NODE_SHARE, 0,
			topo_count_cores(t, &here) * 100 <=
				all * l->in->policy->dedicated_max_pct);
	}
}

/* Masks of the vCPUs of a guest node, which are one for VMs that float. */
static void
look_at_room(const struct look *l, unsigned int vm)
{
	const struct plan_vm *in = &l->in->vms[vm];
	const struct plan_result *r = &l->p->results[vm];
	struct cpuset others = alone_of_others(l, vm);

	if ((in->mode != PLACE_AUTO && in->mode != PLACE_FLOAT &&
		    in->mode != PLACE_OBSERVE) ||
		l->kept_off[vm])
		return;
	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		struct cpuset may = vmrules_may(l->in, in, v);
		unsigned int n = 0;

		may = cpuset_minus(&may, &others);
		for (unsigned int k = 0; k < r->n_vcpus; k++) {
			if (vmrules_guest_node(in, k) != vmrules_guest_node(in, v))
				continue;
			n++;
			if (in->mode != PLACE_AUTO || in->cpulimit > 0)
				check(l, INV_QUOTA, vm,
					cpuset_equal(&r->vcpus[k], &r->vcpus[v]));
		}
		n = n < cpuset_count(&may) ? n : cpuset_count(&may);
		if (!has_cores(r) && !wants_cores(in) && !invariants_is_narrowed(in, r))
			check(l, INV_ROOM, vm, cpuset_count(&r->vcpus[v]) >= n);
	}
}

/* It floats, and no rule of its own forces its mask. */
static bool
is_free(const struct look *l, unsigned int vm, unsigned int vcpu)
{
	const struct plan_vm *in = &l->in->vms[vm];
	struct cpuset may;

	if ((in->mode != PLACE_AUTO && in->mode != PLACE_FLOAT &&
		    in->mode != PLACE_OBSERVE) ||
		wants_cores(in) || l->kept_off[vm] || (l->regrouped && in->placed) ||
		invariants_is_earlier(in, &l->p->results[vm], vcpu))
		return false;
	may = vmrules_may(l->in, in, vcpu);
	return cpuset_equal(&may, &l->ordinary);
}

static void
look_at_pair(const struct look *l, unsigned int a, unsigned int b)
{
	const struct plan_result *x = &l->p->results[a];
	const struct plan_result *y = &l->p->results[b];

	for (unsigned int v = 0; v < x->n_vcpus; v++) {
		const struct cpuset *m = &x->vcpus[v];

		if ((v > 0 && cpuset_equal(m, &x->vcpus[v - 1])) || !is_free(l, a, v))
			continue;
		for (unsigned int k = 0; k < y->n_vcpus; k++) {
			const struct cpuset *o = &y->vcpus[k];

			if ((k > 0 && cpuset_equal(o, &y->vcpus[k - 1])) ||
				!is_free(l, b, k))
				continue;
			check(l, INV_LAMINAR, a,
				!cpuset_overlap(m, o) || cpuset_within(m, o) ||
					cpuset_within(o, m));
		}
	}
}

static void
look_at_emulator(const struct look *l, unsigned int vm)
{
	const struct plan_vm *in = &l->in->vms[vm];
	const struct plan_result *r = &l->p->results[vm];
	struct cpuset limit = vmrules_limit(l->in, in);
	struct cpuset others = alone_of_others(l, vm);
	struct cpuset unbalanced = cpuset_and(&r->emulator, &l->in->topo->isolated);

	if (r->verdict == PLAN_LEAVE)
		return;
	check(l, INV_EMULATOR, vm, !cpuset_empty(&r->emulator));
	check(l, INV_EMULATOR, vm, cpuset_within(&unbalanced, &r->domain));
	check(l, INV_EMULATOR, vm, cpuset_within(&r->emulator, &limit));
	if (r->apply)
		check(l, INV_EMULATOR, vm, !cpuset_overlap(&r->emulator, &others));
	if (in->emulator == PLACE_EMULATOR_FOLLOW && !l->kept_off[vm])
		check(l, INV_EMULATOR, vm, cpuset_equal(&r->emulator, &r->domain));
}

/*
 * All that it has is the smaller part of a domain that is more than an L3 group. A plan
 * does not remember which CPUs were offline: that may be masks that nobody planned.
 */
static bool
is_small_part(const struct look *l, const struct cpuset *may, const struct cpuset *has)
{
	const struct topo *t = l->in->topo;
	struct cpuset around = cpuset_and(may, &l->ordinary);

	for (unsigned int i = 0; i < t->n_l3; i++) {
		if (cpuset_within(has, &t->l3[i].cpus))
			return false;
	}
	for (unsigned int i = 0; i < t->n_nodes; i++) {
		if (cpuset_within(has, &t->nodes[i].cpus))
			around = cpuset_and(&around, &t->nodes[i].cpus);
	}
	return cpuset_count(has) * 2 < cpuset_count(&around);
}

/* What it had and may still have, it has. */
static void
look_at_moves(const struct look *l, unsigned int vm)
{
	const struct plan_vm *in = &l->in->vms[vm];
	const struct plan_result *r = &l->p->results[vm];
	struct cpuset others = alone_of_others(l, vm);

	if (!in->placed || !r->apply || r->rebalanced)
		return;
	for (unsigned int v = 0; v < in->n_current && v < r->n_vcpus; v++) {
		struct cpuset may = vmrules_may(l->in, in, v);
		struct cpuset kept = cpuset_minus(&in->current[v], &others);

		kept = cpuset_and(&kept, &may);
		/* what is left of it is the smaller part of a domain */
		if (cpuset_count(&kept) * 2 < cpuset_count(&in->current[v]))
			continue;
		if (l->regrouped && cpuset_equal(&kept, &in->current[v]) &&
			is_small_part(l, &may, &kept))
			continue;
		check(l, INV_MOVED, vm, cpuset_within(&kept, &r->vcpus[v]));
	}
}

static void
look_at_rebalance(const struct look *l)
{
	const struct plan_policy *policy = l->in->policy;
	unsigned int vms = 0;
	unsigned int vcpus = 0;

	for (unsigned int i = 0; i < l->p->n; i++) {
		const struct plan_vm *in = &l->in->vms[i];
		const struct plan_result *r = &l->p->results[i];

		if (!r->rebalanced)
			continue;
		vms++;
		for (unsigned int v = 0; v < r->n_vcpus && v < in->n_current; v++)
			vcpus += !cpuset_within(&in->current[v], &r->vcpus[v]);
		check(l, INV_REBALANCED, i,
			policy->rebalance && in->placed &&
				policy->now_s - in->changed_s >=
					policy->rebalance_dwell_s);
	}
	if (vms > 0)
		check(l, INV_REBALANCED, 0,
			vms <= policy->rebalance_vms &&
				vcpus <= policy->rebalance_vcpus);
}

static void
count(const struct look *l, unsigned int vm)
{
	enum place_mode mode = l->in->vms[vm].mode;

	if ((unsigned int)mode >= PLACE_N_MODES)
		return;
	if (l->p->results[vm].verdict == PLAN_LEAVE || l->kept_off[vm])
		l->v->left[mode]++;
	else
		l->v->planned[mode]++;
}

static void
look_at_vm(const struct look *l, unsigned int vm, bool excused)
{
	count(l, vm);
	look_at_shape(l, vm);
	look_at_verdict(l, vm);
	look_at_masks(l, vm);
	look_at_pins(l, vm);
	look_at_waiting(l, vm);
	look_at_guest_cores(l, vm);
	look_at_exclusive(l, vm);
	look_at_room(l, vm);
	if (!l->kept_off[vm] &&
		invariants_is_narrowed(&l->in->vms[vm], &l->p->results[vm]))
		check(l, INV_WHOLE_CORES, vm, invariants_cores_ok(l->in, l->p, vm));
	look_at_emulator(l, vm);
	for (unsigned int other = 0; other <= vm; other++)
		look_at_pair(l, vm, other);
	if (!excused && !l->kept_off[vm])
		look_at_moves(l, vm);
}

void
invariants_of_plan(struct invariants *v, const struct plan_input *in,
	const struct plan *p, const bool *excused, bool regrouped)
{
	struct look l = {.v = v, .in = in, .p = p, .regrouped = regrouped};

	l.ordinary = vmrules_ordinary(in);
	l.alone = xcalloc(p->n, sizeof(*l.alone));
	l.kept_off = xcalloc(p->n, sizeof(*l.kept_off));
	find_alone(&l);
	find_kept_off(&l);
	for (unsigned int i = 0; i < p->n; i++)
		look_at_vm(&l, i, excused != NULL && excused[i]);
	look_at_isolated(&l);
	look_at_node_share(&l);
	look_at_rebalance(&l);
	free(l.alone);
	free(l.kept_off);
}
