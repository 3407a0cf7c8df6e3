// SPDX-License-Identifier: MIT
/* What each VM is to the planner. */
#include "config.h"

#include "daemon/seating.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "daemon/adopt.h"
#include "daemon/engine.h"
#include "daemon/latecomer.h"
#include "daemon/memory.h"
#include "daemon/rebalancing.h"
#include "daemon/recall.h"
#include "daemon/smp.h"
#include "daemon/survey.h"
#include "daemon/undo.h"
#include "daemon/vmmode.h"

#define KIB_PER_GIB (1024.0 * 1024.0)
#define DEMAND_MIN 0.0625 /* what the planner counts in */

/* vCPUs by index, those that already have a place first. */
static void
order_vcpus(struct seat *seat)
{
	struct vm *vm = seat->vm;
	struct vm_task **all = xcalloc(vm->n_tasks, sizeof(struct vm_task *));
	size_t n = vm_vcpus(vm, all);

	seat->vcpus = xcalloc(n, sizeof(struct vm_task *));
	for (size_t i = 0; i < n; i++) {
		if (all[i]->wanted)
			seat->vcpus[seat->n++] = all[i];
	}
	for (size_t i = 0; i < n; i++) {
		if (!all[i]->wanted)
			seat->vcpus[seat->n++] = all[i];
	}
	free(all);
}

/* Masks the planner shall take for given: what we want of placed vCPUs, else what the
 * kernel has. Returns how many. */
static unsigned int
current_masks(struct seat *seat, bool keep_wants)
{
	unsigned int n = 0;

	seat->current = xcalloc(seat->n, sizeof(struct cpuset));
	for (unsigned int i = 0; i < seat->n; i++) {
		const struct vm_task *t = seat->vcpus[i];

		if (keep_wants && !t->wanted)
			break; /* newly plugged: inherited a mask that means nothing */
		seat->current[n++] = keep_wants ? t->want : t->have;
	}
	return n;
}

static struct cpuset *
homes_of_vcpus(const struct seat *seat, unsigned int n)
{
	struct cpuset *home = NULL;

	for (unsigned int i = 0; i < n; i++) {
		const struct vm_thread *t = &seat->vcpus[i]->thread;
		const struct record_thread *known =
			record_find(&seat->vm->record, t->tid, t->start_ticks);

		if (known == NULL || known->home == NULL)
			continue;
		if (home == NULL)
			home = xcalloc(n, sizeof(*home));
		home[i] = *known->home;
	}
	return home;
}

/* What QEMU says of its memory is what runs; a configuration that says otherwise will
 * count with the next start. */
static struct cpuset
host_nodes_of(const struct vm *vm, unsigned int node, unsigned int n_nodes)
{
	if (n_nodes == 0 || memory_is_told(vm, node, n_nodes))
		return memory_host_nodes(vm, node, n_nodes);
	return wishes_host_nodes(vm, node);
}

/* A guest without nodes of its own whose memory is bound has one for that. */
static void
describe_nodes(const struct seat *seat, unsigned int n_nodes, struct plan_vm *out)
{
	unsigned int n = n_nodes > 0 ? n_nodes : 1;
	bool bound = false;

	for (unsigned int i = 0; i < n; i++) {
		struct plan_guest_node *node = &seat->guest_nodes[i];

		node->host_nodes = host_nodes_of(seat->vm, i, n_nodes);
		bound = bound || !cpuset_empty(&node->host_nodes);
	}
	out->n_guest_nodes = n_nodes > 0 || !bound ? n_nodes : 1;
	out->guest_nodes = out->n_guest_nodes > 0 ? seat->guest_nodes : NULL;
}

/* The guest's nodes and cores in the planner's order of vCPUs. A thread that the facts
 * do not name is one of a core of its own. */
static void
describe_guest(struct seat *seat, struct plan_vm *out)
{
	const struct qmp_facts *facts = &seat->vm->facts;
	struct smp guest;

	smp_init(&guest, facts);
	seat->guest_node_of = xcalloc(seat->n, sizeof(*seat->guest_node_of));
	seat->guest_core_of = xcalloc(seat->n, sizeof(*seat->guest_core_of));
	seat->guest_nodes = xcalloc(guest.n_nodes + 1, sizeof(*seat->guest_nodes));
	for (unsigned int k = 0; k < seat->n; k++) {
		int at = smp_find(facts, (unsigned int)seat->vcpus[k]->thread.index);

		seat->guest_node_of[k] = at >= 0 ? guest.node_of[at] : 0;
		seat->guest_core_of[k] =
			at >= 0 ? guest.core_of[at] : facts->n_vcpus + k;
	}
	describe_nodes(seat, guest.n_nodes, out);
	out->threads_per_core = guest.threads_per_core;
	out->guest_node_of = guest.n_nodes > 0 ? seat->guest_node_of : NULL;
	out->guest_core_of = seat->guest_core_of;
	smp_fini(&guest);
}

/* Its mode; off is the administrator's word unless the VM itself says it, and what is
 * not ours to touch is as good as that. */
static void
choose_mode(const struct engine *e, const struct vm *vm, struct plan_vm *out)
{
	enum settings_origin origin;

	out->mode = vmmode_of(e, vm, &origin);
	out->off_by_admin =
		origin != SETTINGS_ORIGIN_TAG && origin != SETTINGS_ORIGIN_DESCRIPTION;
	if (((vm->foreign || vm->wishes.unheard) && vm->asked != VM_ASKED_BY_NAME) ||
		(vm->asked == VM_NOT_ASKED && (undo_holds(vm) || adopt_waits(e, vm)))) {
		out->mode = PLACE_OFF;
		out->off_by_admin = true;
	}
}

/* What is left alone counts by what it really uses, where that is known; not by
 * nothing, which would stand for all its vCPUs. */
static double
demand_of(const struct engine *e, const struct vm *vm, enum place_mode mode)
{
	double used = mode == PLACE_OFF ? background_of_vm(e, vm) : -1;

	return used < 0 ? 0 : used < DEMAND_MIN ? DEMAND_MIN : used;
}

/* A VM that somebody else moves too, that does not run or that could not be set last
 * time is not moved for a gain: as if its place had changed just now, whatever the
 * dwell. One that rests for longer has changed so much later. What was before the
 * daemon began is not known: as if then. */
static double
changed_s(const struct engine *e, const struct vm *vm)
{
	uint64_t changed_us = vm->changed_us > 0 ? vm->changed_us : e->start_us;
	uint64_t waited_us = squeeze_rests_until_us(vm);
	uint64_t moved_us = rebalancing_rests_until_us(vm);
	double at_s = (double)changed_us / 1e6;
	double rests_s = (double)(waited_us > moved_us ? waited_us : moved_us) / 1e6 -
			 e->config.rebalance_dwell_s;

	if (vm->peace_until_us != 0 || vm->rest > 0 ||
		(vm->has_facts && !vm->facts.running))
		return -PLAN_NEVER_S;
	return rests_s > at_s ? rests_s : at_s;
}

static void
take_seat(const struct engine *e, struct vm *vm, struct seat *seat, struct plan_vm *out)
{
	struct cpuset limit = vm_vcpu_limit(vm);
	bool keep_wants;

	seat->vm = vm;
	order_vcpus(seat);
	/* what is only thought of (observe, dry run) is not where it runs */
	keep_wants = vm->placed && !vm->observe_only && !e->dry_run && seat->n > 0 &&
		     seat->vcpus[0]->wanted;
	*out = (struct plan_vm){
		.id = vm->id,
		.smt = wishes_smt(e, vm),
		.emulator = wishes_emulator(e, vm),
		.n_vcpus = seat->n,
		.limit = survey_reach(e, &limit),
		.affinity = wishes_affinity(vm),
		.cgroup = vm->confine.bounded ? &vm->confine.cpus : NULL,
		.cpulimit = vm->confine.quota_cpus,
		.placed = vm->placed,
		.could = vm->could,
		.own = vm->own,
		.changed_s = changed_s(e, vm),
		.waited = squeeze_waited(vm),
		.pci_nodes = wishes_pci_nodes(vm),
	};
	seat->memory_share = memory_share(e, vm);
	out->memory_share = seat->memory_share;
	out->memory_gib = memory_gib(vm);
	vm->wishes.unheard = recall_waits(e, vm);
	choose_mode(e, vm, out);
	out->demand_vcpus = demand_of(e, vm, out->mode);
	describe_guest(seat, out);
	out->n_current = current_masks(seat, keep_wants);
	out->current = seat->current;
	out->home = seat->home = homes_of_vcpus(seat, out->n_current);
}

/* The cores that its vCPUs touch. */
static struct cpuset
cores_of(const struct topo *topo, const struct plan_vm *vm)
{
	struct cpuset all = CPUSET_NONE;
	struct cpuset cores = CPUSET_NONE;

	for (unsigned int v = 0; v < vm->n_current; v++)
		all = cpuset_or(&all, &vm->current[v]);
	cpuset_foreach (cpu, &all) {
		const struct topo_pu *pu = topo_pu_of(topo, cpu);

		if (pu != NULL)
			cores = cpuset_or(&cores, &topo->cores[pu->core].cpus);
	}
	return cores;
}

/*
 * Records do not say whose cores are whose. After a restart a VM is taken for the owner
 * of cores on which no other VM was placed: wrong or right, nobody loses a place by it.
 */
static void
guess_owners(struct seating *s)
{
	struct cpuset used = CPUSET_NONE;
	struct cpuset shared = CPUSET_NONE;
	auto_free struct cpuset *cores = xcalloc(s->in.n_vms, sizeof(*cores));

	for (unsigned int i = 0; i < s->in.n_vms; i++) {
		struct cpuset both;

		if (!s->vms[i].placed)
			continue;
		cores[i] = cores_of(s->in.topo, &s->vms[i]);
		both = cpuset_and(&used, &cores[i]);
		shared = cpuset_or(&shared, &both);
		used = cpuset_or(&used, &cores[i]);
	}
	for (unsigned int i = 0; i < s->in.n_vms; i++) {
		if (!s->seats[i].vm->own_known)
			s->vms[i].own =
				s->vms[i].placed && !cpuset_overlap(&cores[i], &shared);
	}
}

/* While others are awaited. Where nothing is left of it (CPUs went) the limit stays. */
static void
bind_placed(struct seating *s)
{
	for (unsigned int i = 0; i < s->in.n_vms; i++) {
		struct cpuset cpus = latecomer_bound(s->seats[i].vm);

		if (s->vms[i].placed && !cpuset_empty(&cpus))
			s->vms[i].limit = cpus;
	}
}

static double *
free_memory(const struct topo *topo)
{
	double *gib = xcalloc(topo->n_nodes, sizeof(*gib));

	for (unsigned int i = 0; i < topo->n_nodes; i++) {
		const struct topo_node *node = &topo->nodes[i];

		gib[i] = node->mem_known ? (double)node->free_kib / KIB_PER_GIB : -1;
	}
	return gib;
}

double
seating_now_s(const struct engine *e)
{
	return (double)clock_now_us(e->clock) / 1e6;
}

void
seating_init(struct seating *s, const struct engine *e)
{
	bool guess = false;

	*s = (struct seating){
		.policy = settings_policy(&e->config),
		.node_free_gib = free_memory(e->host.topo),
		.background = background_of_pus(e),
		.vms = xcalloc(e->n_vms, sizeof(struct plan_vm)),
		.seats = xcalloc(e->n_vms, sizeof(struct seat)),
	};
	s->policy.rebalance = false;
	s->policy.now_s = seating_now_s(e);
	s->in = (struct plan_input){.topo = e->host.topo,
		.ranking = e->host.ranking,
		.latency = hostmodel_latency(&e->host),
		.policy = &s->policy,
		.background = s->background,
		.node_free_gib = s->node_free_gib,
		.vms = s->vms};
	for (size_t i = 0; i < e->n_vms; i++) {
		unsigned int n = s->in.n_vms;

		if (!e->vms[i]->surveyed)
			continue;
		take_seat(e, e->vms[i], &s->seats[n], &s->vms[n]);
		s->in.n_vms++;
		guess |= e->vms[i]->placed && !e->vms[i]->own_known;
	}
	if (guess)
		guess_owners(s);
	s->late = latecomer_is_due(e);
	if (s->late)
		bind_placed(s);
}

void
seating_fini(struct seating *s)
{
	for (unsigned int i = 0; i < s->in.n_vms; i++) {
		free(s->seats[i].vcpus);
		free(s->seats[i].current);
		free(s->seats[i].home);
		free(s->seats[i].guest_nodes);
		free(s->seats[i].memory_share);
		free(s->seats[i].guest_node_of);
		free(s->seats[i].guest_core_of);
	}
	free(s->seats);
	free(s->vms);
	free(s->node_free_gib);
	free(s->background);
	*s = (struct seating){.in.n_vms = 0};
}

int
seating_find(const struct seating *s, const struct vm *vm)
{
	for (unsigned int i = 0; i < s->in.n_vms; i++) {
		if (s->seats[i].vm == vm)
			return (int)i;
	}
	return -1;
}

struct cpuset
seating_taken(const struct seating *s, unsigned int seat)
{
	struct cpuset taken = CPUSET_NONE;

	for (unsigned int i = 0; i < s->in.n_vms; i++) {
		const struct plan_vm *vm = &s->vms[i];
		struct cpuset cores;

		if (i == seat || !vm->placed || !vm->own ||
			(vm->mode != PLACE_DEDICATED && vm->smt != PLACE_SMT_ISOLATE))
			continue;
		cores = cores_of(s->in.topo, &s->vms[i]);
		taken = cpuset_or(&taken, &cores);
	}
	return taken;
}
