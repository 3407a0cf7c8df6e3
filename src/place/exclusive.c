// SPDX-License-Identifier: MIT
/*
 * The order of the first stage: everybody keeps what he has; then those who need more;
 * then those who are new, who has the least choice first. Others are not asked, they
 * give way; but each keeps a CPU that is nobody's alone.
 */
#include "config.h"

#include "place/exclusive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/held.h"
#include "place/settled.h"

struct stage {
	const struct plan_input *in;
	struct entries *e;
	struct cores *cores;
	struct own *owns;
	unsigned int n_seats;
	struct seat *seats; /* in the order of the VMs */
};

static bool
is_concerned(const struct world_vm *vm)
{
	if (vm->role != WORLD_FLOAT && vm->role != WORLD_PIN)
		return false;
	return vm->exclusive || !cpuset_empty(&vm->isolated);
}

/* Returns false when no VM is concerned. */
static bool
seat_all(struct stage *s)
{
	unsigned int n_owns = 0;

	for (unsigned int i = 0; i < s->in->n_vms; i++) {
		s->n_seats += is_concerned(&s->e->vms[i]);
		n_owns += is_concerned(&s->e->vms[i]) ? s->e->vms[i].n_groups : 0;
	}
	if (s->n_seats == 0)
		return false;
	s->seats = xcalloc(s->n_seats, sizeof(*s->seats));
	s->owns = xcalloc(n_owns, sizeof(*s->owns));
	s->n_seats = 0;
	n_owns = 0;
	for (unsigned int i = 0; i < s->in->n_vms; i++) {
		struct world_vm *vm = &s->e->vms[i];
		struct seat *seat = &s->seats[s->n_seats];

		if (!is_concerned(vm))
			continue;
		*seat = (struct seat){
			.vm = vm, .n_owns = vm->n_groups, .owns = s->owns + n_owns};
		for (unsigned int g = vm->first_group;
			g < vm->first_group + vm->n_groups; g++)
			s->owns[n_owns++] =
				own_of(&s->e->groups[g], vm, g, s->in->topo);
		s->n_seats++;
	}
	return true;
}

/* Some vCPU of a pin VM has an ordinary CPU for itself. */
static bool
has_ordinary_pin(const struct seat *seat)
{
	const struct plan_vm *in = seat->vm->in;

	for (unsigned int v = 0; in->placed && v < in->n_current; v++) {
		if (cpuset_count(&in->current[v]) == 1 &&
			cpuset_within(&in->current[v], &seat->vm->allowed))
			return true;
	}
	return false;
}

/* All its vCPUs have this mask. */
static bool
has_mask(const struct plan_vm *in, const struct cpuset *mask)
{
	for (unsigned int v = 0; v < in->n_current; v++) {
		if (!cpuset_equal(&in->current[v], mask))
			return false;
	}
	return in->n_current > 0;
}

/* All its vCPUs have one mask with fewer CPUs. */
static bool
is_cramped(const struct plan_vm *in)
{
	return in->n_current > 0 && has_mask(in, &in->current[0]) &&
	       cpuset_count(&in->current[0]) < in->n_vcpus;
}

static void
adopt(struct stage *s, struct seat *seat)
{
	for (unsigned int i = 0; i < seat->n_owns; i++)
		seat->adopted |= own_adopt(s->cores, &seat->owns[i]);
	/* isolated CPUs are for those who come; nobody is moved there */
	seat->later = !seat->adopted && !seat->vm->exclusive && has_ordinary_pin(seat);
}

static unsigned int
missing(const struct seat *seat)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < seat->n_owns; i++)
		n += own_missing(&seat->owns[i]);
	return n;
}

static bool
may_use_others(const struct seat *seat)
{
	for (unsigned int i = 0; i < seat->n_owns; i++) {
		if (cpuset_empty(&seat->owns[i].g->allowed))
			return false;
	}
	return true;
}

static void
drop_all(struct stage *s, struct seat *seat)
{
	for (unsigned int i = 0; i < seat->n_owns; i++)
		own_drop(s->cores, &seat->owns[i]);
}

static bool
is_on_isolated(const struct stage *s, const struct seat *seat)
{
	for (unsigned int i = 0; i < seat->n_owns; i++) {
		const struct world_group *g = seat->owns[i].g;

		for (unsigned int v = 0; g->pins != NULL && v < g->n_vcpus; v++) {
			if (g->pins[v] >= 0 &&
				cpuset_has(
					&g->isolated, s->in->topo->pus[g->pins[v]].cpu))
				return true;
		}
	}
	return false;
}

/* Places for the vCPUs that have none. */
static void
find_missing(struct stage *s, struct seat *seat)
{
	seat->later = false;
	seat->failed = false;
	for (unsigned int i = 0; i < seat->n_owns; i++) {
		struct own *o = &seat->owns[i];

		/* a vCPU on an ordinary CPU has a place as good */
		if (own_missing(o) > 0 && !cpuset_empty(&o->g->isolated) &&
			(o->alone || !has_ordinary_pin(seat)))
			own_extend(s->cores, o, &o->g->isolated);
		if (own_missing(o) > 0 && o->alone)
			own_extend(s->cores, o, &o->g->allowed);
		if (own_missing(o) == 0)
			continue;
		if (!o->alone)
			seat->later = true;
		else if (!own_share(s->cores, o))
			seat->failed = true;
	}
	seat->failed |= seat->later && !may_use_others(seat);
}

/* More vCPUs than it had, or fewer CPUs. Returns whether it has given up what it had:
 * others may have that now, and it is one that comes. */
static bool
extend(struct stage *s, struct seat *seat)
{
	find_missing(s, seat);
	if (!seat->failed)
		return false;
	/* what was found for some of its vCPUs is of no use */
	drop_all(s, seat);
	seat->adopted = false;
	adopt(s, seat);
	/* on isolated CPUs it stays, and nobody else may come there */
	if (is_on_isolated(s, seat))
		return false;
	drop_all(s, seat);
	seat->adopted = false;
	seat->later = false;
	seat->failed = false;
	return true;
}

static unsigned int
choice_of_own(const struct own *o)
{
	return cpuset_count(&o->g->allowed) + cpuset_count(&o->g->isolated);
}

/* Its guest nodes, who has the least choice first: whether all find cores is not to
 * depend on where others happen to be. */
static struct own **
in_order(const struct seat *seat)
{
	struct own **order = xcalloc(seat->n_owns, sizeof(struct own *));

	for (unsigned int i = 0; i < seat->n_owns; i++) {
		unsigned int at = i;

		for (; at > 0 &&
			choice_of_own(order[at - 1]) > choice_of_own(&seat->owns[i]);
			at--)
			order[at] = order[at - 1];
		order[at] = &seat->owns[i];
	}
	return order;
}

/* All its vCPUs on isolated CPUs, or all on others. Returns false, and it has nothing,
 * when they do not suffice. */
static bool
fill_on(struct stage *s, struct seat *seat, bool isolated, bool first_ones)
{
	auto_free struct own **order = in_order(seat);

	for (unsigned int i = 0; i < seat->n_owns; i++) {
		struct own *o = order[i];

		o->first_ones = first_ones;
		own_extend(s->cores, o, isolated ? &o->g->isolated : &o->g->allowed);
		o->first_ones = false;
		if (own_missing(o) == 0)
			continue;
		drop_all(s, seat);
		return false;
	}
	return true;
}

/* The same; whether they suffice does not depend on which cores are the best for its
 * first guest nodes, and so not on what others have. */
static bool
place_on(struct stage *s, struct seat *seat, bool isolated)
{
	if (seat->n_owns == 1)
		return fill_on(s, seat, isolated, false);
	if (!fill_on(s, seat, isolated, true))
		return false;
	drop_all(s, seat);
	return fill_on(s, seat, isolated, false) || fill_on(s, seat, isolated, true);
}

static void
place(struct stage *s, struct seat *seat)
{
	seat->placed = !cpuset_empty(&seat->vm->isolated) && place_on(s, seat, true);
	if (!seat->placed && !seat->vm->exclusive)
		seat->later = may_use_others(seat);
	else if (!seat->placed)
		seat->placed = place_on(s, seat, false);
	seat->failed = !seat->placed && !seat->later;
}

static unsigned int
choice_of(const struct seat *seat)
{
	return cpuset_count(&seat->vm->allowed) + cpuset_count(&seat->vm->isolated);
}

static int
by_choice(const void *a, const void *b)
{
	const struct seat *x = *(struct seat *const *)a;
	const struct seat *y = *(struct seat *const *)b;

	if (choice_of(x) != choice_of(y))
		return choice_of(x) < choice_of(y) ? -1 : 1;
	if (x->vm->in->n_vcpus != y->vm->in->n_vcpus)
		return x->vm->in->n_vcpus > y->vm->in->n_vcpus ? -1 : 1;
	return x < y ? -1 : x > y; /* by id */
}

/* What one gives up may be what another one lacks. */
static void
extend_all(struct stage *s)
{
	bool freed = true;

	while (freed) {
		freed = false;
		for (unsigned int i = 0; i < s->n_seats; i++) {
			struct seat *seat = &s->seats[i];

			if (seat->adopted && missing(seat) > 0)
				freed |= extend(s, seat);
		}
	}
}

/* Those who come. Returns whether one was placed that was not before. */
static bool
place_all(struct stage *s)
{
	auto_free struct seat **new = xcalloc(s->n_seats, sizeof(struct seat *));
	bool placed = false;
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->n_seats; i++) {
		struct seat *seat = &s->seats[i];

		if (!seat->adopted && !seat->later && !seat->placed)
			new[n++] = seat;
	}
	qsort(new, n, sizeof(struct seat *), by_choice);
	for (unsigned int i = 0; i < n; i++) {
		place(s, new[i]);
		placed |= new[i]->placed;
	}
	return placed;
}

/* Who did not get his cores tries again, as the next plan would: with fewer to choose
 * from one may choose better. */
static void
seat_them(struct stage *s)
{
	for (unsigned int i = 0; i < s->n_seats; i++)
		adopt(s, &s->seats[i]);
	do
		extend_all(s);
	while (place_all(s));
}

static void
leave(struct world_vm *vm)
{
	vm->role = WORLD_LEAVE;
	vm->n_groups = 0;
}

static void
assign_roles(struct stage *s)
{
	for (unsigned int i = 0; i < s->n_seats; i++) {
		struct seat *seat = &s->seats[i];

		/* one that failed may still be on isolated CPUs */
		seat->vm->out->own =
			seat->vm->exclusive && (!seat->failed || seat->adopted);
		if (seat->failed) {
			settled_refuse(s->cores, seat);
			leave(seat->vm);
		} else if (!seat->later) {
			seat->vm->role = WORLD_SETTLED;
			seat->vm->n_groups = 0;
		}
	}
}

/* Others lose the cores that are somebody's alone. */
static void
cut(struct stage *s, struct world_vm *vm, const struct cpuset *alone)
{
	struct cpuset was = vm->allowed;
	char text[60];
	bool empty = false;

	if (vm->role == WORLD_LEAVE || vm->role == WORLD_SETTLED)
		return;
	vm->allowed = cpuset_minus(&vm->allowed, alone);
	for (unsigned int i = 0; i < vm->n_groups; i++) {
		struct world_group *g = &s->e->groups[vm->first_group + i];

		if (cpuset_within(&g->allowed, alone)) {
			was = g->allowed;
			empty = true;
		}
		g->allowed = cpuset_minus(&g->allowed, alone);
	}
	if (!empty)
		return;
	(void)snprintf(vm->out->why, PLAN_WHY_MAX,
		"all CPUs it may use are other VMs' alone: %s",
		cpuset_format(&was, text, sizeof(text)));
	leave(vm);
}

static bool
runs_on(const struct plan_vm *in, const struct cpuset *limit, const struct cpuset *cpus)
{
	for (unsigned int v = 0; v < in->n_current; v++) {
		if (cpuset_overlap(&in->current[v], cpus))
			return true;
	}
	return in->n_current == 0 && cpuset_overlap(limit, cpus);
}

/*
 * A VM without a plan of its own goes off others' cores; else it is left alone. One
 * that is off has all it may use again when they are gone.
 */
static bool
is_to_be_cut(const struct world_vm *vm, const struct cpuset *limit,
	const struct cpuset *rest, const struct cpuset *alone)
{
	const struct plan_vm *in = vm->in;

	if (cpuset_empty(rest) || in->n_vcpus == 0 || in->n_vcpus > PLAN_VCPUS_MAX ||
		in->n_current > in->n_vcpus || (unsigned int)in->mode >= PLACE_N_MODES)
		return false;
	if (in->mode == PLACE_OFF)
		return !in->off_by_admin && (in->placed || runs_on(in, limit, alone));
	if (runs_on(in, limit, alone))
		return true;
	/* it was kept off before, and perhaps has less than it could have by now */
	return in->placed && (has_mask(in, rest) || (vm->exclusive && is_cramped(in)));
}

static void
keep_off(const struct plan_input *in, struct world_vm *vm, const struct cpuset *alone)
{
	struct cpuset limit = entry_limit(in, vm->in);
	struct cpuset gone = cpuset_and(&limit, alone);
	struct cpuset rest = cpuset_minus(&vm->allowed, alone);
	struct plan_result *out = vm->out;
	size_t used = strlen(out->why);
	char text[60];

	/* one that is off may use what no plan would give it */
	if (vm->in->mode == PLACE_OFF)
		rest = cpuset_minus(&limit, alone);
	if (!is_to_be_cut(vm, &limit, &rest, alone))
		return;
	out->n_vcpus = vm->in->n_vcpus;
	out->vcpus = xcalloc(out->n_vcpus, sizeof(*out->vcpus));
	for (unsigned int v = 0; v < out->n_vcpus; v++)
		out->vcpus[v] = rest;
	out->domain = rest;
	out->emulator = rest;
	out->apply = true;
	out->verdict =
		vm->in->placed && entry_has_masks(vm->in, out) ? PLAN_KEEP : PLAN_PLACE;
	if (!cpuset_empty(&gone))
		(void)snprintf(out->why + used, PLAN_WHY_MAX - used,
			"%skept off CPUs %s, which are other VMs' alone",
			used > 0 ? "; " : "", cpuset_format(&gone, text, sizeof(text)));
}

/* All others, now that it is known which cores they lose. */
static void
tell_others(struct stage *s, const struct cpuset *alone)
{
	unsigned int at = 0;

	for (unsigned int i = 0; i < s->in->n_vms; i++) {
		struct world_vm *vm = &s->e->vms[i];
		bool seated = at < s->n_seats && s->seats[at].vm == vm;

		cut(s, vm, alone);
		/* one that failed with cores it had is on its own cores */
		if (vm->role == WORLD_LEAVE && !(seated && s->seats[at].adopted))
			keep_off(s->in, vm, alone);
		at += seated;
	}
}

/* Only groups that are still to be planned stay. */
static void
drop_groups(struct entries *e, unsigned int n_vms)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < n_vms; i++) {
		struct world_vm *vm = &e->vms[i];

		for (unsigned int g = 0; g < vm->n_groups; g++) {
			e->groups[n + g] = e->groups[vm->first_group + g];
			e->groups[n + g].vm = i;
		}
		vm->first_group = n;
		n += vm->n_groups;
	}
	e->n_groups = n;
}

static void
end(struct stage *s)
{
	for (unsigned int i = 0; i < s->n_seats; i++) {
		struct seat *seat = &s->seats[i];

		for (unsigned int k = 0; k < seat->n_owns; k++) {
			struct own *o = &seat->owns[k];

			own_fini(o);
			if (seat->vm->n_groups > 0)
				continue;
			free(o->g->pins);
			o->g->pins = NULL;
		}
	}
	cores_free(s->cores);
	free(s->owns);
	free(s->seats);
}

void
exclusive_settle(const struct plan_input *in, struct entries *e, struct cpuset *usable,
	struct cpuset *alone)
{
	struct stage s = {.in = in, .e = e};

	*alone = CPUSET_NONE;
	if (seat_all(&s)) {
		s.cores = cores_new(in, e, usable);
		seat_them(&s);
		assign_roles(&s);
		*alone = s.cores->alone;
	}
	tell_others(&s, alone);
	for (unsigned int i = 0; i < s.n_seats; i++) {
		if (s.seats[i].vm->role == WORLD_SETTLED)
			settled_write(s.cores, &s.seats[i]);
	}
	end(&s);
	drop_groups(e, in->n_vms);
	*usable = cpuset_minus(usable, alone);
}
