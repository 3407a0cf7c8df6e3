// SPDX-License-Identifier: MIT
/*
 * Pinned vCPUs whose CPUs went: where they were, and that they return when nothing
 * speaks against it for hours. Which place is worth how much is the planner's to say:
 * here it is one on the node that has their memory.
 */
#include "config.h"

#include "daemon/engine.h"
#include "judge.h"
#include "loop.h"

/* Who rests, is over the rate or is widened for a while comes to it by then. */
#define PATIENCE_US (2 * UINT64_C(60) * MINUTE_US)
#define MOST_OF_IT 0.8

static bool
is_pinned(const struct guest *g)
{
	enum place_mode mode = g->has_mode ? g->hand : g->mode;

	return mode == PLACE_PIN || mode == PLACE_CORE || mode == PLACE_DEDICATED;
}

void
exile_note(struct judge *j, struct thread *t, const struct cpuset *want)
{
	if (t->class != THREAD_VCPU)
		return;
	if (!is_pinned(t->of->guest) || cpuset_overlap(&t->home, want))
		t->home = CPUSET_NONE;
	else if (t->has_ours && cpuset_empty(&t->home) &&
		 !cpuset_overlap(&t->ours, &j->model->online) &&
		 !cpuset_overlap(&t->ours, want))
		t->home = t->ours;
	t->home_us = 0;
}

void
exile_forget(const struct model *m, const struct guest *only)
{
	for (unsigned int tid = 0; tid < MODEL_PIDS; tid++) {
		struct thread *t = m->by_tid[tid];

		if (t != NULL && (only == NULL || t->of->guest == only))
			t->home = CPUSET_NONE;
	}
}

/* Some vCPU of another pinned VM is there, or of its own. */
static bool
is_taken(const struct model *m, const struct thread *t)
{
	for (unsigned int tid = 0; tid < MODEL_PIDS; tid++) {
		const struct thread *o = m->by_tid[tid];

		if (o == NULL || o == t || o->class != THREAD_VCPU || !o->has_ours ||
			o->of->guest == NULL || !cpuset_overlap(&o->ours, &t->home))
			continue;
		if (is_pinned(o->of->guest))
			return true;
	}
	return false;
}

/* Of some of its vCPUs: the others would be far from these. */
static bool
is_any_taken(const struct model *m, const struct guest *g)
{
	for (size_t i = 0; i < g->qemu->n; i++) {
		const struct thread *t = g->qemu->threads[i];

		if (!cpuset_empty(&t->home) && is_taken(m, t))
			return true;
	}
	return false;
}

/* Where nobody can see its memory it is where its vCPUs were at first. */
static double
memory_on(const struct guest *g, const struct cpuset *cpus, unsigned int node)
{
	double kib = 0;

	for (unsigned int n = 0; n < MODEL_NODES_MAX; n++)
		kib += (double)g->node_kib[n];
	if (kib > 0)
		return (double)g->node_kib[node];
	for (size_t i = 0; i < g->qemu->n; i++) {
		const struct thread *t = g->qemu->threads[i];
		const struct cpuset *was = cpuset_empty(&t->home) ? &t->ours : &t->home;

		kib += t->class == THREAD_VCPU && cpuset_overlap(was, cpus);
	}
	return kib;
}

static double
share_of_memory(const struct model *m, const struct guest *g, const struct cpuset *cpus)
{
	const struct topo *topo = m->whole.topo;
	double here = 0;
	double all = 0;

	for (unsigned int n = 0; n < topo->n_nodes; n++) {
		double kib = memory_on(g, &topo->nodes[n].cpus, n);

		all += kib;
		if (cpuset_overlap(&topo->nodes[n].cpus, cpus))
			here += kib;
	}
	return all > 0 ? here / all : 0;
}

/* Nothing speaks against it that can be told from outside. */
static bool
could_return(const struct judge *j, const struct thread *t)
{
	const struct guest *g = t->of->guest;
	const struct vm *vm = engine_find(j->engine, g->id);
	struct cpuset may = masks_effective(j->model, g);
	uint64_t now = model_now_us(j->model);

	return vm != NULL && vm->placed && vm->peace_until_us == 0 && !g->paused &&
	       !g->restored && vm->squeeze.until_us < now &&
	       cpuset_within(&t->home, &may) &&
	       cpuset_within(&t->home, &t->of->vcpu_limit) &&
	       !is_any_taken(j->model, g) &&
	       share_of_memory(j->model, g, &t->home) > MOST_OF_IT &&
	       share_of_memory(j->model, g, &t->ours) < 1 - MOST_OF_IT;
}

void
exile_look(struct judge *j)
{
	uint64_t now = model_now_us(j->model);

	for (unsigned int tid = 0; tid < MODEL_PIDS; tid++) {
		struct thread *t = j->model->by_tid[tid];
		char home[64];
		char has[64];

		if (t == NULL || cpuset_empty(&t->home))
			continue;
		if (!could_return(j, t)) {
			t->home_us = 0;
			continue;
		}
		if (t->home_us == 0)
			t->home_us = now;
		if (!judge_check(j, RULE_HOME, now - t->home_us <= PATIENCE_US))
			judge_break(j, RULE_HOME, "vm %s: %s has %s, had %s",
				t->of->guest->id, t->comm,
				cpuset_format(&t->ours, has, sizeof(has)),
				cpuset_format(&t->home, home, sizeof(home)));
	}
}
