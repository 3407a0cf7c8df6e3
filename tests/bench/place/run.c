// SPDX-License-Identifier: MIT
/* Events, one by one. */
#include "config.h"

#include "run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"

/* Source: the condition of good placement in HACKING.md. */
#define WAIT_MAX 0.01
#define WAIT95_MAX 0.05

struct tune
tune_default(void)
{
	return (struct tune){.width = 1, .term = -1, .weight = 1, .rounds = 150};
}

/* Milliseconds of CPU time: the machine may be shared. */
static double
cpu_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- memory ---- */

static void
put_memory(const struct topo *t, double *row, unsigned int node_id, double share)
{
	int node = topo_node_index(t, node_id);

	if (node != TOPO_NONE)
		row[node] += share;
}

/* Memory that is there before any vCPU runs. */
static void
first_memory(const struct site *s, struct site_vm *vm)
{
	const struct replay_start *start = vm->start;
	unsigned int n = s->topo->n_nodes;
	double total = 0;

	if (start->n_resident == 0 && start->host_nodes == NULL)
		return;
	vm->touched = true;
	vm->memory = xcalloc((size_t)vm->n_nodes * n, sizeof(*vm->memory));
	for (unsigned int i = 0; i < start->n_resident; i++)
		total += start->resident[i].value;
	for (unsigned int k = 0; k < vm->n_nodes; k++) {
		double *row = &vm->memory[k * n];

		for (unsigned int i = 0; i < start->n_resident; i++)
			put_memory(s->topo, row, start->resident[i].id,
				start->resident[i].value / total);
		if (start->host_nodes == NULL)
			continue;
		cpuset_foreach (id, &start->host_nodes[k])
			put_memory(s->topo, row, id,
				1.0 / cpuset_count(&start->host_nodes[k]));
	}
}

/* ---- events ---- */

static struct site_vm *
begin_vm(struct site *s, const struct replay_event *e)
{
	struct site_vm *vm = site_add(s, e->id, e->start.n_vcpus);

	vm->start = &e->start;
	vm->memory_gib = e->start.memory_gib;
	if (e->start.has_affinity) {
		struct cpuset limit = site_limit(s, vm);

		vm->limit = e->start.affinity;
		limit = site_limit(s, vm);
		site_give(s, vm, &limit);
		vm->pinned = false;
	}
	if (e->start.n_guest_nodes > 1) {
		vm->n_nodes = e->start.n_guest_nodes;
		vm->node_vcpus = e->start.guest_vcpus;
	}
	first_memory(s, vm);
	return vm;
}

/* The part of an event that happens without any policy. */
static struct site_vm *
happen(struct site *s, const struct replay_event *e)
{
	struct site_vm *vm = NULL;

	switch (e->kind) {
	case REPLAY_START:
		return begin_vm(s, e);
	case REPLAY_HOTPLUG:
		vm = site_find(s, e->id);
		site_plug(vm, e->n_vcpus);
		return vm;
	case REPLAY_STOP:
		site_remove(s, site_find(s, e->id));
		return NULL;
	case REPLAY_CPU_OFFLINE:
		site_offline(s, e->cpu);
		return NULL;
	case REPLAY_CPU_ONLINE:
		site_online(s, e->cpu);
		return NULL;
	default:
		return NULL;
	}
}

/* ---- moves ---- */

/* What the VMs had before an event. */
struct before {
	unsigned int n;
	const char **ids;
	unsigned int *n_vcpus;
	struct cpuset *masks; /* of all, one VM after the other */
};

static struct before
remember(const struct site *s)
{
	struct before b = {.n = s->n};
	size_t at = 0;

	b.ids = xcalloc(s->n, sizeof(*b.ids));
	b.n_vcpus = xcalloc(s->n, sizeof(*b.n_vcpus));
	b.masks = xcalloc(site_vcpus(s), sizeof(*b.masks));
	for (unsigned int i = 0; i < s->n; i++) {
		const struct site_vm *vm = &s->vms[i];

		b.ids[i] = vm->id;
		b.n_vcpus[i] = vm->n_vcpus;
		memcpy(&b.masks[at], vm->masks, vm->n_vcpus * sizeof(*vm->masks));
		at += vm->n_vcpus;
	}
	return b;
}

static void
before_fini(struct before *b)
{
	free(b->ids);
	free(b->n_vcpus);
	free(b->masks);
}

/* vCPUs that were moved though nothing forced it: all that they had is still there, and
 * they have lost some of it. */
static unsigned int
count_moved(const struct site *s, const struct before *b)
{
	unsigned int moved = 0;
	unsigned int now = 0;
	const struct cpuset *had = b->masks;

	/* the order is kept, so that one walk finds all */
	for (unsigned int i = 0; i < b->n; had += b->n_vcpus[i++]) {
		const struct site_vm *vm = &s->vms[now];

		if (now == s->n || vm->id != b->ids[i])
			continue; /* stopped */
		now++;
		for (unsigned int v = 0; v < b->n_vcpus[i]; v++) {
			if (cpuset_within(&had[v], &s->online) &&
				!cpuset_within(&had[v], &vm->masks[v]))
				moved++;
		}
	}
	return moved;
}

/* ---- the whole ---- */

static void
add_verdict(struct score *s, const struct verdict *v)
{
	s->steps++;
	for (unsigned int m = 0; m < N_MEASURES; m++)
		s->sums[m] += v->of[m];
	for (unsigned int i = 0; i < JUDGE_DRAWS; i++) {
		s->waits =
			xgrow(s->waits, s->n_waits, &s->cap_waits, sizeof(*s->waits));
		s->waits[s->n_waits++] = v->wait[i];
	}
}

static void
run_event(const struct policy *p, struct run *r, const struct replay_event *e,
	bool judged, struct score *score)
{
	struct before b = remember(&r->site);
	struct site_vm *vm = happen(&r->site, e);
	double start = cpu_ms();

	p->on_event(r, e, vm);
	if (judged) {
		score->ms += cpu_ms() - start;
		score->moved += count_moved(&r->site, &b);
	}
	before_fini(&b);
}

void
run_scenario(const struct policy *p, struct bench_host *h, const struct tune *tune,
	const struct scenario *sc, struct score *score)
{
	struct run r = {.host = h, .tune = tune, .rnd = rnd_new(sc->n)};

	r.site = site_new(h->topo, bench_host_lat(h));
	if (p->begin != NULL)
		r.memo = p->begin(&r);
	for (unsigned int i = 0; i < sc->n; i++) {
		bool judged = tune->from_empty || i >= sc->n_fill;
		struct verdict v;

		run_event(p, &r, &sc->events[i], judged, score);
		if (!judged) {
			judge_touch(&r.site);
			r.moved_gib = 0;
			continue;
		}
		if (r.site.n == 0)
			continue;
		v = judge_site(&r.site, i);
		add_verdict(score, &v);
	}
	score->moved_gib += r.moved_gib;
	score->refused += r.refused;
	for (unsigned int i = 0; i < sc->n; i++)
		score->starts += sc->events[i].kind == REPLAY_START;
	if (p->end != NULL)
		p->end(&r);
	site_fini(&r.site);
}

double
score_mean(const struct score *s, enum measure m)
{
	return s->sums[m] / s->steps;
}

static int
ascending(const void *a, const void *b)
{
	float x = *(const float *)a;
	float y = *(const float *)b;

	return x < y ? -1 : x > y;
}

double
score_p95(const struct score *s)
{
	auto_free float *all = xcalloc(s->n_waits, sizeof(*all));

	memcpy(all, s->waits, s->n_waits * sizeof(*all));
	qsort(all, s->n_waits, sizeof(*all), ascending);
	return waits_p95(all, s->n_waits);
}

bool
score_meets(const struct score *s)
{
	return score_mean(s, MEASURE_WAIT) <= WAIT_MAX &&
	       score_mean(s, MEASURE_WAIT95) <= WAIT95_MAX &&
	       score_p95(s) <= WAIT95_MAX;
}

void
score_fini(struct score *s)
{
	free(s->waits);
	*s = (struct score){0};
}
