// SPDX-License-Identifier: MIT
/* Random events and what must hold of the plans after them. */
#include "config.h"

#include "trials.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "surely.h"
#include "wild.h"

/* Rounds until rebalance has nothing more to do. */
#define ROUNDS_MAX 60u
/* A gain is counted in numbers of single precision here and there. */
#define SCORE_SAME_NS 0.02

static struct plan *
plan_of(struct trials *t, struct wild *w)
{
	struct plan_input in = wild_input(w);

	t->plans++;
	return surely_plan(&in);
}

static struct score
score_of(struct wild *w)
{
	struct plan_input in = wild_input(w);

	return surely_score(&in);
}

/* Whether it gets cores of its own depends on what others were given before it. */
static bool
wants_luck(const struct plan_vm *vm)
{
	return vm->mode == PLACE_DEDICATED || vm->smt == PLACE_SMT_ISOLATE;
}

static void
look(struct trials *t, struct wild *w, const struct plan *p)
{
	struct plan_input in = wild_input(w);
	bool excused[WILD_VMS] = {false};

	for (unsigned int i = 0; i < w->n; i++)
		/* what one has that waits for cores of its own is no place */
		excused[i] = w->vms[i]->excused ||
			     (wants_luck(&w->vms[i]->in) && !w->vms[i]->has_cores);
	invariants_of_plan(&t->inv, &in, p, excused, w->regrouped);
}

/* The first vCPU that differs, the emulator or the whole; and why. */
static void
expect_result(struct trials *t, enum invariant i, const char *vm, bool ok,
	const struct plan_result *a, const struct plan_result *b)
{
	char what[PLAN_WHY_MAX + 160];
	char from[40];
	char to[40];
	unsigned int v = 0;
	bool vcpus = a->n_vcpus == b->n_vcpus;

	while (vcpus && v < a->n_vcpus && cpuset_equal(&a->vcpus[v], &b->vcpus[v]))
		v++;
	vcpus = vcpus && v < a->n_vcpus;
	(void)snprintf(what, sizeof(what), "vCPU %d of %u %s -> %s: %s",
		vcpus ? (int)v : -1, b->n_vcpus,
		cpuset_format(vcpus ? &a->vcpus[v] : &a->emulator, from, sizeof(from)),
		cpuset_format(vcpus ? &b->vcpus[v] : &b->emulator, to, sizeof(to)),
		b->why);
	invariant_check(&t->inv, i, ok, vm, what);
}

/* What a plan was made of and what it says, for the reader of a failure. */
static void
show(const struct trials *t, struct wild *w, const char *what, const struct plan *p)
{
	if (t->show == NULL)
		return;
	fprintf(t->show, "%s %lu\n", what, t->events);
	wild_print(w, p, t->show);
}

static void
expect_same(struct trials *t, const struct wild *w, enum invariant i,
	const struct plan *a, const struct plan *b)
{
	for (unsigned int k = 0; k < w->n; k++)
		expect_result(t, i, w->vms[k]->id,
			invariants_same(&a->results[k], &b->results[k], true),
			&a->results[k], &b->results[k]);
}

static void
try_again(struct trials *t, struct wild *w, const struct plan *p)
{
	struct plan *again = plan_of(t, w);

	expect_same(t, w, INV_REPEATS, p, again);
	plan_free(again);
}

/* VMs listed in another order. */
static void
try_order(struct trials *t, struct wild *w, struct chance *c, const struct plan *p)
{
	struct wild *other = wild_copy(w);
	struct plan *got;
	struct plan sorted = {.n = p->n};
	unsigned int at[WILD_VMS];

	for (unsigned int i = 0; i < w->n; i++)
		at[i] = i;
	for (unsigned int i = w->n; i > 1; i--) {
		unsigned int k = chance_below(c, i);
		struct wild_vm *vm = other->vms[k];
		unsigned int from = at[k];

		other->vms[k] = other->vms[i - 1];
		at[k] = at[i - 1];
		other->vms[i - 1] = vm;
		at[i - 1] = from;
	}
	got = plan_of(t, other);
	sorted.results = xcalloc(p->n, sizeof(*sorted.results));
	for (unsigned int i = 0; i < w->n; i++)
		sorted.results[at[i]] = got->results[i];
	expect_same(t, w, INV_ORDER, p, &sorted);
	free(sorted.results);
	plan_free(got);
	wild_free(other);
}

/* What was planned is there: nothing is left to do. */
static void
try_settled(struct trials *t, struct wild *w, const struct plan *p)
{
	struct plan *again = plan_of(t, w);

	show(t, w, "settled", again);
	for (unsigned int i = 0; i < w->n; i++) {
		struct plan_result was = p->results[i];
		const struct plan_result *r = &again->results[i];

		if (!r->apply && r->verdict != PLAN_LEAVE)
			continue; /* a report: it has not come */
		was.verdict = r->verdict;
		was.rebalanced = false;
		was.tier = r->tier;
		expect_result(t, INV_SETTLES, w->vms[i]->id,
			invariants_same(&was, r, false) &&
				(r->verdict != PLAN_PLACE || !r->apply),
			&was, r);
	}
	plan_free(again);
}

/* A VM that hardly runs comes to what is there. */
static void
try_newcomer(struct trials *t, const struct wild *w, struct chance *c)
{
	struct wild *more = wild_copy(w);
	struct wild_vm *vm;
	struct plan *p;
	unsigned int at;

	more->simple = true; /* no rules, and not for itself */
	at = wild_add(more, c);
	if (at < WILD_VMS) {
		vm = more->vms[at];
		vm->in.demand_vcpus = 0.01;
		p = plan_of(t, more);
		for (unsigned int i = 0; i < w->n; i++) {
			const struct plan_result *r = &p->results[i];
			const struct plan_vm *in = &w->vms[i]->in;
			bool ok = true;

			if (!in->placed || !r->apply)
				continue;
			for (unsigned int v = 0; v < in->n_current; v++)
				ok &= cpuset_within(&in->current[v], &r->vcpus[v]);
			invariant_check(&t->inv, INV_NEWCOMER, ok, in->id, r->why);
		}
		plan_free(p);
	}
	wild_free(more);
}

static void
map_cpus(struct cpuset *s, const unsigned int *to)
{
	struct cpuset out = CPUSET_NONE;

	cpuset_foreach (cpu, s)
		cpuset_add(&out, cpu < WILD_CPU_END ? to[cpu] : cpu);
	*s = out;
}

static void
renumber(struct wild *w, const unsigned int *to)
{
	double load[WILD_CPU_END] = {0};

	for (unsigned int cpu = 0; cpu < WILD_CPU_END; cpu++)
		load[to[cpu]] = w->load_of_cpu[cpu];
	memcpy(w->load_of_cpu, load, sizeof(load));
	wildhost_renumber(&w->facts, to);
	map_cpus(&w->offline, to);
	map_cpus(&w->policy.reserved, to);
	map_cpus(&w->policy.isolated_usable, to);
	for (unsigned int i = 0; i < w->n; i++) {
		struct wild_vm *vm = w->vms[i];

		map_cpus(&vm->waited.idle, to);
		map_cpus(&vm->in.limit, to);
		map_cpus(&vm->affinity, to);
		map_cpus(&vm->cgroup, to);
		for (unsigned int v = 0; v < vm->in.n_current; v++)
			map_cpus(&vm->masks[v], to);
	}
	wild_rebuild(w);
}

/* A random permutation of the host's numbers; 0 is special and stays. */
static void
draw_numbers(const struct wildhost *h, struct chance *c, unsigned int *to)
{
	unsigned int n = h->n_cpus;

	for (unsigned int cpu = 0; cpu < WILD_CPU_END; cpu++)
		to[cpu] = cpu;
	for (unsigned int i = n; i > 1; i--) {
		unsigned int a = h->cpus[i - 1].cpu;
		unsigned int b = h->cpus[chance_below(c, i)].cpu;
		unsigned int swap = to[a];

		if (a == 0 || b == 0)
			continue;
		to[a] = to[b];
		to[b] = swap;
	}
}

static void
compare_scores(struct trials *t, struct wild *a, struct wild *b)
{
	struct score x = score_of(a);
	struct score y = score_of(b);
	double difference = fabs(x.total_ns - y.total_ns);

	t->renumbered++;
	if (difference <= SCORE_SAME_NS)
		return;
	difference /= fmax(x.total_ns, y.total_ns);
	t->renumbered_differ++;
	t->renumbered_sum += difference;
	t->renumbered_max = fmax(t->renumbered_max, difference);
}

/*
 * The same host and VMs with other CPU numbers. Ties go to the lower CPU, so that later
 * VMs may meet something else: what must be the same is who can be planned, and how a
 * single VM comes off.
 */
static void
try_numbers(
	struct trials *t, const struct wild *w, struct chance *c, const struct plan *p)
{
	struct wild *here = wild_copy(w);
	struct wild *there = wild_copy(w);
	unsigned int to[WILD_CPU_END];
	struct plan *q;
	bool luck = false;

	/* who gets cores of his own takes them from others */
	for (unsigned int i = 0; i < w->n; i++)
		luck |= wants_luck(&w->vms[i]->in);
	draw_numbers(&w->facts, c, to);
	renumber(there, to);
	q = plan_of(t, there);
	for (unsigned int i = 0; i < w->n; i++) {
		bool ok = luck || (p->results[i].verdict == PLAN_LEAVE) ==
					  (q->results[i].verdict == PLAN_LEAVE);

		invariant_check(
			&t->inv, INV_NUMBERS, ok, w->vms[i]->id, q->results[i].why);
	}
	wild_apply(here, p);
	wild_apply(there, q);
	compare_scores(t, here, there);
	plan_free(q);
	wild_free(here);
	wild_free(there);
}

/* Stopped and started again while nobody else is there. */
static void
try_return(struct trials *t, const struct wild *w)
{
	struct wild *one = wild_copy(w);
	struct plan *first;
	struct plan *second;

	while (one->n > 1)
		wild_remove(one, one->n - 1);
	if (one->n == 1 && !one->vms[0]->in.placed) {
		struct plan_vm *in = &one->vms[0]->in;

		in->n_current = 0;
		first = plan_of(t, one);
		wild_apply(one, first);
		in->memory_share =
			w->vms[0]->in.memory_share != NULL ? one->vms[0]->share : NULL;
		memcpy(one->vms[0]->share, w->vms[0]->share,
			sizeof(one->vms[0]->share));
		in->placed = false;
		in->n_current = 0;
		in->changed_s = PLAN_NEVER_S;
		second = plan_of(t, one);
		expect_same(t, one, INV_RETURNS, first, second);
		plan_free(first);
		plan_free(second);
	}
	wild_free(one);
}

/* Nobody has rules of his own: then all costs are known exactly. Where some may use
 * parts of domains only, or have CPUs for themselves, some are known roughly. */
static bool
nobody_has_rules(struct wild *w)
{
	struct cpuset ordinary =
		cpuset_minus(&w->host.topo->online, &w->policy.reserved);
	bool rules = false;

	ordinary = cpuset_minus(&ordinary, &w->host.topo->isolated);
	for (unsigned int i = 0; i < w->n; i++) {
		const struct plan_vm *in = &w->vms[i]->in;

		rules |= (in->mode != PLACE_AUTO && in->mode != PLACE_FLOAT) ||
			 in->smt == PLACE_SMT_ISOLATE ||
			 !cpuset_within(&ordinary, &in->limit) ||
			 in->affinity != NULL || in->cgroup != NULL ||
			 in->n_guest_nodes > 0;
	}
	return !rules;
}

/* What rebalance lowers. In a sum over VMs two that crowd each other are in it twice;
 * rebalance counts them once (total.c). */
static double
lowered_ns(const struct score *s)
{
	return s->total_ns - s->terms.ns[TERM_FRAGMENTATION] / 2;
}

/* One round of rebalance from a settled world. Returns how many VMs it moved. */
static unsigned int
rebalance_once(struct trials *t, struct wild *w)
{
	struct score before = score_of(w);
	struct score after;
	struct plan *p = plan_of(t, w);
	unsigned int moved = 0;
	double worse;
	char what[120];

	show(t, w, "rebalance", p);
	look(t, w, p);
	for (unsigned int i = 0; i < p->n; i++)
		moved += p->results[i].rebalanced;
	wild_apply(w, p);
	after = score_of(w);
	(void)snprintf(what, sizeof(what), "%.3f -> %.3f ns, %u moved",
		lowered_ns(&before), lowered_ns(&after), moved);
	worse = fmax(lowered_ns(&after) / fmax(lowered_ns(&before), 1) - 1, 0);
	if (moved > 0 && !nobody_has_rules(w)) {
		t->limited++;
		t->limited_worse += worse > 1e-4;
		t->limited_max = fmax(t->limited_max, worse);
	} else {
		invariant_check(&t->inv, INV_NOT_WORSE, worse <= 1e-4, NULL, what);
	}
	t->rebalanced += moved;
	plan_free(p);
	return moved;
}

static void
try_rebalance(struct trials *t, struct wild *w, struct chance *c)
{
	unsigned int moved = 1;

	for (unsigned int i = 0; i < w->n; i++)
		w->vms[i]->excused = false;
	w->policy.rebalance = true;
	w->policy.rebalance_vms = 1 + chance_below(c, 4);
	w->policy.rebalance_vcpus = 4 + chance_below(c, 60);
	for (unsigned int round = 0; round < ROUNDS_MAX && moved > 0; round++) {
		w->policy.now_s += 400;
		moved = rebalance_once(t, w);
		if (t->inv.broken)
			return;
	}
	invariant_check(&t->inv, INV_COMES_TO_REST, moved == 0, NULL, "still moving");
}

/* Few VMs are left, which want little and have siblings: they may be given whole
 * cores. */
static void
quiet_down(struct wild *w, struct chance *c)
{
	unsigned int n = 1 + chance_below(c, 3);

	while (w->n > n)
		wild_remove(w, chance_below(c, w->n));
	for (unsigned int i = 0; i < w->n; i++) {
		struct plan_vm *vm = &w->vms[i]->in;

		vm->mode = chance_of(c, 80) ? PLACE_AUTO : PLACE_FLOAT;
		vm->n_vcpus = vm->n_vcpus > 8 ? 8 : vm->n_vcpus;
		vm->n_current = vm->n_current > 8 ? 8 : vm->n_current;
		vm->threads_per_core = 2;
		vm->guest_core_of = NULL;
		vm->demand_vcpus = vm->n_vcpus / 2.0;
		vm->smt = PLACE_SMT_SHARE;
		w->vms[i]->excused = true;
	}
	w->policy.rebalance_gain_pct = 0;
	w->policy.weights[TERM_MOVING] = 0;
}

static void
one_event(struct trials *t, struct wild *w, struct chance *c)
{
	struct plan *p = plan_of(t, w);

	t->events++;
	show(t, w, "event", p);
	look(t, w, p);
	try_again(t, w, p);
	try_order(t, w, c, p);
	if (chance_of(c, 30))
		try_numbers(t, w, c, p);
	try_return(t, w);
	wild_apply(w, p);
	try_settled(t, w, p);
	try_newcomer(t, w, c);
	plan_free(p);
}

/* Whole cores are given, and then things happen. */
static void
try_quiet(struct trials *t, struct wild *w, struct chance *c)
{
	w->policy.rebalance = false;
	quiet_down(w, c);
	one_event(t, w, c);
	if (!t->inv.broken)
		try_rebalance(t, w, c);
	for (unsigned int i = 0; i < 3 && !t->inv.broken; i++) {
		w->policy.now_s += 60;
		w->policy.rebalance = false;
		wild_event(w, c);
		one_event(t, w, c);
	}
}

void
trials_run(struct trials *t, struct chance *c, unsigned int events)
{
	struct wild *w = wild_new(c);

	for (unsigned int i = 0; i < events && !t->inv.broken; i++) {
		w->policy.now_s += 60;
		if (i > 0)
			wild_event(w, c);
		one_event(t, w, c);
	}
	if (!t->inv.broken && chance_of(c, 50))
		try_rebalance(t, w, c);
	if (!t->inv.broken && chance_of(c, 50))
		try_quiet(t, w, c);
	wild_free(w);
}
