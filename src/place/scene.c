// SPDX-License-Identifier: MIT
/* The host, from change to change. */
#include "config.h"

#include "place/scene.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define FREE_GIB_MAX 1e9 /* an exbibyte */

static bool
same_nodes(const struct topo *a, const struct topo *b)
{
	if (a->n_nodes != b->n_nodes)
		return false;
	for (unsigned int i = 0; i < a->n_nodes; i++) {
		if (a->nodes[i].id != b->nodes[i].id)
			return false;
	}
	return true;
}

static void
drop_hardware(struct scene *s)
{
	topo_free(s->topo);
	ranking_free(s->ranking);
	free(s->ns);
}

static void
drop_amounts(struct scene *s)
{
	free(s->load_of_cpu);
	free(s->load);
	free(s->free_gib);
}

/* From numbers of CPUs to the order of the PUs. */
static void
arrange_load(struct scene *s)
{
	s->load = xcalloc(s->topo->n_pus, sizeof(*s->load));
	s->loaded = false;
	for (unsigned int i = 0; i < s->topo->n_pus; i++) {
		s->load[i] = s->load_of_cpu[s->topo->pus[i].cpu];
		s->loaded |= s->load[i] > 0;
	}
}

/* Amounts of its own, for the hardware that is in @out. */
static void
copy_amounts(const struct scene *old, struct scene *out)
{
	size_t n_free = out->topo->n_nodes * sizeof(*out->free_gib);

	out->load_of_cpu = xcalloc(CPUSET_CAP, sizeof(*out->load_of_cpu));
	memcpy(out->load_of_cpu, old->load_of_cpu,
		CPUSET_CAP * sizeof(*out->load_of_cpu));
	out->free_gib = xcalloc(out->topo->n_nodes, sizeof(*out->free_gib));
	memcpy(out->free_gib, old->free_gib, n_free);
	arrange_load(out);
}

int
scene_init(struct scene *out, replay_host_fn *host, void *owner, struct err *e)
{
	struct scene s = {.offline = CPUSET_NONE};
	int r = host(owner, &s.offline, &s.topo, &s.ranking, &s.ns, e);

	if (r < 0)
		return r;
	s.all = s.topo->online;
	s.load_of_cpu = xcalloc(CPUSET_CAP, sizeof(*s.load_of_cpu));
	s.free_gib = xcalloc(s.topo->n_nodes, sizeof(*s.free_gib));
	for (unsigned int i = 0; i < s.topo->n_nodes; i++)
		s.free_gib[i] = -1;
	arrange_load(&s);
	*out = s;
	return 0;
}

void
scene_fini(struct scene *s)
{
	drop_hardware(s);
	drop_amounts(s);
}

void
scene_drop(struct scene *gone, const struct scene *kept)
{
	if (gone->topo != kept->topo)
		drop_hardware(gone);
	if (gone->load_of_cpu != kept->load_of_cpu)
		drop_amounts(gone);
}

static int
set_load(struct scene *s, const struct replay_amount *a, struct err *e)
{
	if (!cpuset_has(&s->all, a->id))
		return err_set(
			e, -EINVAL, "", 0, "background: CPU %u is not there", a->id);
	if (!(a->value >= 0 && a->value <= 1))
		return err_set(e, -EINVAL, "", 0,
			"background of CPU %u: %g is not a share from 0 to 1", a->id,
			a->value);
	s->load_of_cpu[a->id] = a->value;
	return 0;
}

static int
set_free(struct scene *s, const struct replay_amount *a, struct err *e)
{
	int node = topo_node_index(s->topo, a->id);

	if (node == TOPO_NONE)
		return err_set(
			e, -EINVAL, "", 0, "free memory: node %u is not there", a->id);
	if (!(a->value >= 0 && a->value <= FREE_GIB_MAX))
		return err_set(e, -EINVAL, "", 0,
			"free memory of node %u: %g GiB is out of range", a->id,
			a->value);
	s->free_gib[node] = a->value;
	s->free_known = true;
	return 0;
}

int
scene_with_amounts(const struct scene *old, const struct replay_event *event,
	struct scene *out, struct err *e)
{
	struct scene s = *old;
	int r = 0;

	copy_amounts(old, &s);
	for (unsigned int i = 0; r == 0 && i < event->n_background; i++)
		r = set_load(&s, &event->background[i], e);
	for (unsigned int i = 0; r == 0 && i < event->n_free; i++)
		r = set_free(&s, &event->free[i], e);
	free(s.load);
	arrange_load(&s);
	if (r < 0) {
		drop_amounts(&s);
		return r;
	}
	*out = s;
	return 0;
}

/* What stays offline after the event. */
static int
next_offline(const struct scene *s, const struct replay_event *event,
	struct cpuset *offline, struct err *e)
{
	unsigned int cpu = event->cpu;
	bool online = event->kind == REPLAY_CPU_ONLINE;

	if (!cpuset_has(&s->all, cpu))
		return err_set(e, -EINVAL, "", 0, "CPU %u is not there", cpu);
	if (cpuset_has(&s->offline, cpu) != online)
		return err_set(e, -EINVAL, "", 0, "CPU %u is %s already", cpu,
			online ? "online" : "offline");
	*offline = s->offline;
	if (online)
		cpuset_remove(offline, cpu);
	else
		cpuset_add(offline, cpu);
	if (cpuset_equal(offline, &s->all))
		return err_set(e, -EINVAL, "", 0, "CPU %u is the last one online", cpu);
	return 0;
}

int
scene_with_cpu(const struct scene *old, const struct replay_event *event,
	replay_host_fn *host, void *owner, struct scene *out, struct err *e)
{
	struct scene s = *old;
	int r;

	r = next_offline(old, event, &s.offline, e);
	if (r < 0)
		return r;
	r = host(owner, &s.offline, &s.topo, &s.ranking, &s.ns, e);
	if (r < 0)
		return r;
	if (!same_nodes(s.topo, old->topo)) {
		drop_hardware(&s);
		return err_set(
			e, -EINVAL, "", 0, "the host has other nodes than before");
	}
	copy_amounts(old, &s);
	*out = s;
	return 0;
}

void
scene_with_memory(const struct scene *old, const double *gib, struct scene *out)
{
	struct scene s = *old;

	copy_amounts(old, &s);
	for (unsigned int i = 0; i < s.topo->n_nodes; i++) {
		if (s.free_gib[i] >= 0)
			s.free_gib[i] += gib[i];
	}
	*out = s;
}

void
scene_take(struct scene *s, double *gib)
{
	for (unsigned int i = 0; i < s->topo->n_nodes; i++) {
		if (s->free_gib[i] < 0)
			continue;
		if (gib[i] > s->free_gib[i])
			gib[i] = s->free_gib[i];
		s->free_gib[i] -= gib[i];
	}
}
