// SPDX-License-Identifier: MIT
/* Random events that keep the load within a band. */
#include "config.h"

#include "scenario.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "rnd.h"

#define RUNNING_MAX 4096u
#define SIZE_MAX_VCPUS 32u
/* The load it tends to changes after so many events. */
#define EVENTS_PER_TARGET 10u
#define EVENT_S 60.0

/* What the events so far have made. */
struct day {
	const struct topo *topo;
	const struct scenario_band *band;
	struct rnd rnd;
	struct scenario *out;
	size_t cap;
	unsigned int running[RUNNING_MAX]; /* events that started them */
	unsigned int vcpus_of[RUNNING_MAX];
	unsigned int n_running;
	unsigned int vcpus;
	unsigned int next_id;
	struct cpuset offline;
	double gib_per_vcpu; /* so that the host's memory is never overcommitted */
};

static bool
chance(struct day *d, unsigned int percent)
{
	return rnd_below(&d->rnd, 100) < percent;
}

static struct replay_event *
new_event(struct day *d, enum replay_kind kind)
{
	struct scenario *s = d->out;
	struct replay_event *e;

	s->events = xgrow(s->events, s->n, &d->cap, sizeof(*s->events));
	e = &s->events[s->n];
	*e = (struct replay_event){.kind = kind, .t_s = EVENT_S * ++s->n};
	return e;
}

static unsigned int
vcpus_at(const struct day *d, unsigned int percent)
{
	return percent * d->topo->n_pus / 100;
}

/* Sizes as Proxmox hosts have them, few of them large; at most what the host has CPUs.
 */
static unsigned int
random_size(struct day *d)
{
	static const unsigned int sizes[20] = {
		1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 8, 8, 8, 16};
	unsigned int size = chance(d, 2) ? 32 : sizes[rnd_below(&d->rnd, 20)];

	return size < d->topo->n_pus ? size : d->topo->n_pus;
}

/* A node with memory and CPUs. */
static unsigned int
random_node(struct day *d)
{
	unsigned int n = d->topo->n_nodes;
	unsigned int node = rnd_below(&d->rnd, n);

	while (cpuset_empty(&d->topo->nodes[node].cpus))
		node = (node + 1) % n;
	return node;
}

/* Memory that is there already: on one node, or half on another. */
static void
place_memory(struct day *d, struct replay_start *s)
{
	unsigned int first = random_node(d);
	unsigned int second = chance(d, 30) ? random_node(d) : first;

	s->n_resident = first == second ? 1 : 2;
	s->resident = xcalloc(2, sizeof(*s->resident));
	s->resident[0] = (struct replay_amount){
		d->topo->nodes[first].id, s->memory_gib / s->n_resident};
	s->resident[1] = (struct replay_amount){
		d->topo->nodes[second].id, s->memory_gib / s->n_resident};
}

/* Two NUMA nodes of half of the vCPUs each, sometimes bound to host nodes. */
static void
make_guest_nodes(struct day *d, struct replay_start *s)
{
	unsigned int half = s->max_vcpus / 2;
	struct cpuset all = cpuset_below(s->max_vcpus);

	s->numa = true;
	s->n_guest_nodes = 2;
	s->guest_vcpus = xcalloc(2, sizeof(*s->guest_vcpus));
	s->guest_vcpus[0] = cpuset_below(half);
	s->guest_vcpus[1] = cpuset_minus(&all, &s->guest_vcpus[0]);
	if (d->topo->n_nodes < 2 || !chance(d, 25))
		return;
	s->host_nodes = xcalloc(2, sizeof(*s->host_nodes));
	s->host_nodes[0] = cpuset_of(d->topo->nodes[random_node(d)].id);
	s->host_nodes[1] = cpuset_of(d->topo->nodes[random_node(d)].id);
}

/* The CPUs of a package, or of a node that is large enough. */
static void
make_affinity(struct day *d, struct replay_start *s)
{
	const struct topo *t = d->topo;

	if (t->n_packages > 1)
		s->affinity = t->packages[rnd_below(&d->rnd, t->n_packages)].cpus;
	else if (t->n_nodes > 0)
		s->affinity = t->nodes[random_node(d)].cpus;
	s->has_affinity = cpuset_count(&s->affinity) >= s->max_vcpus;
}

static void
make_start(struct day *d, struct replay_start *s, unsigned int size)
{
	static const double sizes[3] = {0.5, 1, 1.5};

	s->n_vcpus = size;
	s->max_vcpus = size < SIZE_MAX_VCPUS && chance(d, 25) ? 2 * size : size;
	s->threads_per_core = size >= 4 && chance(d, 15) ? 2 : 1;
	s->memory_gib = size * sizes[rnd_below(&d->rnd, 3)] * d->gib_per_vcpu;
	/* whole 16ths: the same number when it was printed */
	s->memory_gib = ceil(s->memory_gib * 16) / 16;
	if (size >= 8 && chance(d, 20))
		make_guest_nodes(d, s);
	else if (chance(d, 5))
		make_affinity(d, s);
	if (d->topo->n_nodes > 1 && s->n_guest_nodes == 0 && chance(d, 28))
		place_memory(d, s);
}

static void
start(struct day *d, unsigned int size)
{
	struct replay_event *e = new_event(d, REPLAY_START);

	(void)snprintf(e->id, sizeof(e->id), "%u", d->next_id++);
	make_start(d, &e->start, size);
	d->running[d->n_running] = d->out->n - 1;
	d->vcpus_of[d->n_running++] = size;
	d->vcpus += size;
}

static void
stop(struct day *d)
{
	unsigned int k = rnd_below(&d->rnd, d->n_running);
	struct replay_event *e = new_event(d, REPLAY_STOP);

	memcpy(e->id, d->out->events[d->running[k]].id, sizeof(e->id));
	d->vcpus -= d->vcpus_of[k];
	d->n_running--;
	d->running[k] = d->running[d->n_running];
	d->vcpus_of[k] = d->vcpus_of[d->n_running];
}

/* One of the VMs that can gets some of the vCPUs that it lacks. */
static bool
hotplug(struct day *d)
{
	unsigned int first = rnd_below(&d->rnd, d->n_running);
	struct replay_event *e;

	for (unsigned int i = 0; i < d->n_running; i++) {
		unsigned int k = (first + i) % d->n_running;
		unsigned int from = d->running[k];
		unsigned int max = d->out->events[from].start.max_vcpus;
		unsigned int more = max - d->vcpus_of[k];

		more = more > 0 ? 1 + rnd_below(&d->rnd, more) : 0;
		if (more == 0 || d->vcpus + more > vcpus_at(d, d->band->high_pct))
			continue;
		e = new_event(d, REPLAY_HOTPLUG);
		memcpy(e->id, d->out->events[from].id, sizeof(e->id));
		d->vcpus_of[k] += more;
		d->vcpus += more;
		e->n_vcpus = d->vcpus_of[k];
		return true;
	}
	return false;
}

/* A CPU goes, or the first one that went comes back. At most an eighth is away. */
static void
toggle_cpu(struct day *d)
{
	unsigned int away = cpuset_count(&d->offline);
	unsigned int most = d->topo->n_pus / 8;
	struct replay_event *e;
	unsigned int cpu;

	if (away > 0 && (away >= (most < 6 ? most : 6) || chance(d, 50))) {
		cpu = cpuset_next(&d->offline, 0);
		cpuset_remove(&d->offline, cpu);
		e = new_event(d, REPLAY_CPU_ONLINE);
	} else {
		/* CPU 0 stays, as on most hosts */
		cpu = d->topo->pus[1 + rnd_below(&d->rnd, d->topo->n_pus - 1)].cpu;
		if (cpuset_has(&d->offline, cpu))
			return;
		cpuset_add(&d->offline, cpu);
		e = new_event(d, REPLAY_CPU_OFFLINE);
	}
	e->cpu = cpu;
}

/* A start or a stop that brings the load nearer to @target, mostly. */
static void
come_or_go(struct day *d, unsigned int target)
{
	bool up = d->vcpus < target;
	unsigned int size = random_size(d);

	if (chance(d, 20))
		up = !up;
	while (d->vcpus + size > vcpus_at(d, d->band->high_pct) && size > 1)
		size /= 2;
	if ((up && d->vcpus + size <= vcpus_at(d, d->band->high_pct) &&
		    d->n_running < RUNNING_MAX) ||
		d->n_running < 2)
		start(d, size);
	else
		stop(d);
}

static void
fill(struct day *d, unsigned int target)
{
	while (d->vcpus < target) {
		unsigned int size = random_size(d);

		start(d, size < target - d->vcpus ? size : target - d->vcpus);
	}
	d->out->n_fill = d->out->n;
}

static unsigned int
random_target(struct day *d)
{
	unsigned int width = d->band->high_pct - d->band->low_pct;

	return vcpus_at(d, d->band->low_pct + rnd_below(&d->rnd, width + 1));
}

static double
host_gib(const struct topo *t)
{
	double kib = 0;

	for (unsigned int i = 0; i < t->n_nodes; i++)
		kib += (double)t->nodes[i].mem_kib;
	return kib / 0x1p20;
}

struct scenario
scenario_make(const struct topo *t, const struct scenario_band *band, uint64_t seed,
	unsigned int n_events)
{
	struct scenario s = {0};
	struct day *d = xcalloc(1, sizeof(*d));
	unsigned int target;

	*d = (struct day){.topo = t, .band = band, .out = &s, .next_id = 100};
	d->rnd = rnd_new(seed);
	d->gib_per_vcpu = 0.6 * host_gib(t) / vcpus_at(d, band->high_pct);
	if (!(d->gib_per_vcpu > 0.25))
		d->gib_per_vcpu = 0.25;
	target = random_target(d);
	fill(d, target);
	while (s.n < s.n_fill + n_events) {
		unsigned int what = rnd_below(&d->rnd, 100);

		if ((s.n - s.n_fill) % EVENTS_PER_TARGET == 0)
			target = random_target(d);
		if (what < 8 && t->n_pus > 8)
			toggle_cpu(d);
		else if (what >= 18 || !hotplug(d))
			come_or_go(d, target);
	}
	free(d);
	return s;
}

void
scenario_fini(struct scenario *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		replay_event_fini(&s->events[i]);
	free(s->events);
	*s = (struct scenario){0};
}
