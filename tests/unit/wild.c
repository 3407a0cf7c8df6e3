// SPDX-License-Identifier: MIT
/* Random hosts, VMs and events. */
#include "config.h"

#include "wild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static struct cpuset
draw_cpus(const struct wild *w, struct chance *c, unsigned int percent)
{
	struct cpuset all = wildhost_cpus(&w->facts);
	struct cpuset s = CPUSET_NONE;

	cpuset_foreach (cpu, &all) {
		if (chance_of(c, percent))
			cpuset_add(&s, cpu);
	}
	return s;
}

/* A set as people write it: a range, a node, scattered CPUs, CPUs that are not there.
 */
static struct cpuset
draw_rule(const struct wild *w, struct chance *c)
{
	struct cpuset all = wildhost_cpus(&w->facts);
	struct cpuset s = CPUSET_NONE;
	int node = -1;
	unsigned int from;

	switch (chance_below(c, 5)) {
	case 0:
		return draw_cpus(w, c, 10 + chance_below(c, 80));
	case 1:
		node = w->facts.cpus[chance_below(c, w->facts.n_cpus)].node_id;
		for (unsigned int i = 0; i < w->facts.n_cpus; i++) {
			if (w->facts.cpus[i].node_id == node)
				cpuset_add(&s, w->facts.cpus[i].cpu);
		}
		return s;
	case 2: /* CPUs that are not there, and perhaps some that are */
		s = chance_of(c, 80) ? draw_cpus(w, c, 50) : CPUSET_NONE;
		cpuset_add(&s, WILD_CPU_END + 7);
		return s;
	default:
		from = chance_below(c, WILD_CPUS);
		for (unsigned int i = 0, n = 1 + chance_below(c, 32); i < n; i++)
			cpuset_add(&s, from + i);
		return cpuset_overlap(&s, &all) ? s : all;
	}
}

static enum place_mode
draw_mode(struct chance *c)
{
	static const enum place_mode modes[16] = {PLACE_AUTO, PLACE_AUTO, PLACE_AUTO,
		PLACE_AUTO, PLACE_AUTO, PLACE_FLOAT, PLACE_FLOAT, PLACE_FLOAT,
		PLACE_PIN, PLACE_PIN, PLACE_CORE, PLACE_CORE, PLACE_DEDICATED,
		PLACE_DEDICATED, PLACE_OBSERVE, PLACE_OFF};

	return modes[chance_below(c, 16)];
}

static void
draw_shares(const struct wild *w, struct chance *c, double *out)
{
	double sum = 0;

	for (unsigned int i = 0; i < w->facts.n_nodes; i++) {
		out[i] = chance_below(c, 4);
		sum += out[i];
	}
	if (sum <= 0)
		out[0] = sum = 1;
	for (unsigned int i = 0; i < w->facts.n_nodes; i++)
		out[i] /= sum;
}

static struct cpuset
draw_nodes(const struct wild *w, struct chance *c)
{
	struct cpuset ids = CPUSET_NONE;

	if (w->facts.n_nodes == 0)
		return ids;
	for (unsigned int i = 1 + chance_below(c, 2); i > 0; i--)
		cpuset_add(&ids, w->facts.nodes[chance_below(c, w->facts.n_nodes)].id);
	return ids;
}

static void
draw_guest(const struct wild *w, struct chance *c, struct wild_vm *vm)
{
	unsigned int n = 1 + chance_below(c, WILD_GUEST_NODES);
	unsigned int each = vm->in.n_vcpus / n + 1;
	bool scattered = chance_of(c, 20);

	vm->in.n_guest_nodes = n;
	vm->in.guest_nodes = vm->nodes;
	vm->in.guest_node_of = chance_of(c, 90) ? vm->node_of : NULL;
	for (unsigned int v = 0; v < WILD_VCPUS; v++) {
		unsigned int node = scattered ? chance_below(c, n) : v / each;

		vm->node_of[v] = (uint16_t)(node < n ? node : n - 1);
	}
	for (unsigned int g = 0; g < n; g++) {
		if (chance_of(c, 45))
			vm->nodes[g].host_nodes = draw_nodes(w, c);
		if (chance_of(c, 2))
			cpuset_add(&vm->nodes[g].host_nodes, 99);
		if (w->facts.n_nodes == 0 || !chance_of(c, 20))
			continue;
		draw_shares(w, c, vm->node_share[g]);
		vm->nodes[g].memory_share = vm->node_share[g];
	}
}

static void
draw_rules(const struct wild *w, struct chance *c, struct wild_vm *vm)
{
	if (chance_of(c, 20))
		vm->in.limit = draw_rule(w, c);
	if (chance_of(c, 20)) {
		vm->affinity = draw_rule(w, c);
		vm->in.affinity = &vm->affinity;
	}
	if (chance_of(c, 12)) {
		vm->cgroup = draw_rule(w, c);
		vm->in.cgroup = &vm->cgroup;
	}
	if (chance_of(c, 25))
		draw_guest(w, c, vm);
}

static void
draw_guest_cores(struct chance *c, struct wild_vm *vm)
{
	static const unsigned int threads[4] = {0, 1, 2, 3};

	vm->in.threads_per_core = threads[chance_below(c, 4)];
	if (!chance_of(c, 20))
		return;
	vm->in.guest_core_of = vm->core_of;
	for (unsigned int v = 0; v < WILD_VCPUS; v++)
		vm->core_of[v] = chance_of(c, 50) ? v / 2 : chance_below(c, 8);
}

static void
draw_wants(const struct wild *w, struct chance *c, struct wild_vm *vm)
{
	static const double weights[4] = {0.01, 0.3, 0.5, 1};

	if (chance_of(c, 30))
		vm->in.demand_vcpus = weights[chance_below(c, 4)] * vm->in.n_vcpus;
	if (chance_of(c, 12))
		vm->in.cpulimit = 0.5 * (1 + chance_below(c, 8));
	if (chance_of(c, 60))
		vm->in.memory_gib = 1 + chance_below(c, 64);
	if (chance_of(c, 15))
		vm->in.pci_nodes = draw_nodes(w, c);
	if (w->facts.n_nodes == 0 || !chance_of(c, 25))
		return;
	draw_shares(w, c, vm->share);
	vm->in.memory_share = vm->share;
}

static unsigned int
draw_size(struct chance *c)
{
	static const unsigned int sizes[16] = {
		1, 1, 1, 2, 2, 2, 2, 3, 4, 4, 4, 4, 6, 8, 8, 16};

	if (chance_of(c, 2))
		return 0;
	if (chance_of(c, 3))
		return WILD_VCPUS;
	return sizes[chance_below(c, 16)];
}

/* Masks that nobody planned: as somebody else left them. */
static void
draw_foreign(const struct wild *w, struct chance *c, struct wild_vm *vm)
{
	vm->in.n_current = chance_below(c, vm->in.n_vcpus + 1);
	for (unsigned int v = 0; v < vm->in.n_current; v++)
		vm->masks[v] =
			v > 0 && chance_of(c, 80) ? vm->masks[0] : draw_rule(w, c);
	vm->in.placed = chance_of(c, 30);
	vm->excused = true;
}

unsigned int
wild_add(struct wild *w, struct chance *c)
{
	struct wild_vm *vm;

	if (w->n == WILD_VMS)
		return WILD_VMS;
	vm = xcalloc(1, sizeof(*vm));
	/* ids that are in another order than the VMs come */
	(void)snprintf(vm->id, sizeof(vm->id), "%u", 100 + w->next_id++ * 37 % 900);
	vm->in.id = vm->id;
	vm->in.current = vm->masks;
	vm->in.n_vcpus = draw_size(c);
	vm->in.limit = wildhost_cpus(&w->facts);
	vm->in.changed_s = PLAN_NEVER_S;
	vm->in.mode = w->simple ? PLACE_AUTO : draw_mode(c);
	if (!w->simple) {
		draw_rules(w, c, vm);
		draw_guest_cores(c, vm);
		vm->in.off_by_admin = chance_of(c, 50);
		if (chance_of(c, 25))
			vm->in.smt = (enum place_smt)chance_below(c, PLACE_N_SMT);
		vm->in.emulator =
			(enum place_emulator)chance_below(c, PLACE_N_EMULATOR);
		if (chance_of(c, 8))
			draw_foreign(w, c, vm);
	}
	draw_wants(w, c, vm);
	w->vms[w->n++] = vm;
	return w->n - 1;
}

void
wild_remove(struct wild *w, unsigned int index)
{
	free(w->vms[index]);
	w->n--;
	memmove(&w->vms[index], &w->vms[index + 1],
		(w->n - index) * sizeof(struct wild_vm *));
}

void
wild_rebuild(struct wild *w)
{
	if (w->host.topo != NULL)
		host_fini(&w->host);
	w->host = wildhost_build(&w->facts, &w->offline);
	for (unsigned int i = 0; i < w->host.topo->n_pus; i++)
		w->background[i] = w->load_of_cpu[w->host.topo->pus[i].cpu];
}

static void
draw_policy(struct wild *w, struct chance *c)
{
	w->policy = plan_policy_default();
	if (chance_of(c, 20))
		w->policy.reserved = draw_cpus(w, c, 15);
	w->policy.isolated_usable =
		chance_of(c, 50) ? w->facts.isolated : draw_cpus(w, c, 50);
	if (chance_of(c, 30))
		w->policy.dedicated_max_pct = chance_below(c, 101);
	w->has_background = chance_of(c, 15);
	w->has_free = w->facts.n_nodes > 0 && chance_of(c, 30);
	for (unsigned int i = 0; w->has_background && i < w->facts.n_cpus; i++)
		w->load_of_cpu[w->facts.cpus[i].cpu] = 0.25 * chance_below(c, 5);
	for (unsigned int i = 0; w->has_free && i < w->facts.n_nodes; i++)
		w->free_gib[i] = (double)chance_below(c, 40) - 1;
}

struct wild *
wild_new(struct chance *c)
{
	struct wild *w = xcalloc(1, sizeof(*w));

	wildhost_draw(&w->facts, c);
	w->simple = chance_of(c, 35);
	draw_policy(w, c);
	if (chance_of(c, 20))
		w->offline = draw_cpus(w, c, 20);
	cpuset_remove(&w->offline, w->facts.cpus[0].cpu);
	wild_rebuild(w);
	for (unsigned int n = 1 + chance_below(c, 10); n > 0; n--)
		(void)wild_add(w, c);
	return w;
}

void
wild_free(struct wild *w)
{
	for (unsigned int i = 0; i < w->n; i++)
		free(w->vms[i]);
	host_fini(&w->host);
	free(w);
}

/* Pointers into the VM it was copied from lead into itself. */
static void
own_pointers(struct wild_vm *vm)
{
	struct plan_vm *in = &vm->in;

	in->id = vm->id;
	in->current = vm->masks;
	in->affinity = in->affinity != NULL ? &vm->affinity : NULL;
	in->cgroup = in->cgroup != NULL ? &vm->cgroup : NULL;
	in->waited = in->waited != NULL ? &vm->waited : NULL;
	in->memory_share = in->memory_share != NULL ? vm->share : NULL;
	in->guest_nodes = in->guest_nodes != NULL ? vm->nodes : NULL;
	in->guest_node_of = in->guest_node_of != NULL ? vm->node_of : NULL;
	in->guest_core_of = in->guest_core_of != NULL ? vm->core_of : NULL;
	for (unsigned int g = 0; g < WILD_GUEST_NODES; g++) {
		if (vm->nodes[g].memory_share != NULL)
			vm->nodes[g].memory_share = vm->node_share[g];
	}
}

struct wild *
wild_copy(const struct wild *w)
{
	struct wild *copy = xcalloc(1, sizeof(*copy));

	*copy = *w;
	copy->host.topo = NULL;
	wild_rebuild(copy);
	for (unsigned int i = 0; i < w->n; i++) {
		copy->vms[i] = xcalloc(1, sizeof(*copy->vms[i]));
		*copy->vms[i] = *w->vms[i];
		own_pointers(copy->vms[i]);
	}
	return copy;
}

static void
toggle_cpu(struct wild *w, struct chance *c)
{
	unsigned int cpu = w->facts.cpus[chance_below(c, w->facts.n_cpus)].cpu;

	if (cpuset_has(&w->offline, cpu)) {
		cpuset_remove(&w->offline, cpu);
		w->regrouped = true;
	} else if (cpuset_count(&w->offline) + 1 < w->facts.n_cpus) {
		cpuset_add(&w->offline, cpu);
		w->regrouped = true;
	}
}

static void
plug(struct wild *w, struct chance *c)
{
	struct wild_vm *vm = w->vms[chance_below(c, w->n)];
	unsigned int n = vm->in.n_vcpus;

	if (chance_of(c, 60) && n < WILD_VCPUS)
		n += 1 + chance_below(c, WILD_VCPUS - n < 4 ? WILD_VCPUS - n : 4);
	else if (n > 1)
		n--;
	/* with fewer vCPUs it gives cores back; with more it goes where there are
	 * enough, if there are too few beside those it has */
	vm->excused |= vm->has_cores;
	vm->in.n_vcpus = n;
	if (vm->in.n_current > n)
		vm->in.n_current = n;
}

/* The administrator changes his mind. */
static void
change_rules(struct wild *w, struct chance *c)
{
	struct wild_vm *vm = w->vms[chance_below(c, w->n)];

	vm->excused = true;
	if (chance_of(c, 50)) {
		vm->in.mode = draw_mode(c);
		return;
	}
	vm->affinity = draw_rule(w, c);
	vm->in.affinity = chance_of(c, 60) ? &vm->affinity : NULL;
}

/* It waits while others idle, or its rest is over: pins are pinned again. */
static void
make_wait(struct wild *w, struct chance *c)
{
	struct wild_vm *vm = w->vms[chance_below(c, w->n)];

	if (vm->in.waited != NULL && chance_of(c, 60)) {
		vm->in.waited = NULL;
		vm->excused = true;
		return;
	}
	vm->waited = (struct plan_waited){
		.idle = draw_cpus(w, c, 5 + chance_below(c, 60)), .share = 0.25};
	for (unsigned int v = 0; v < vm->in.n_current; v++)
		vm->waited.idle = cpuset_minus(&vm->waited.idle, &vm->masks[v]);
	vm->in.waited = &vm->waited;
	vm->loose = true;
}

void
wild_event(struct wild *w, struct chance *c)
{
	unsigned int kind = chance_below(c, 10);

	for (unsigned int i = 0; i < w->n; i++) {
		/* a loosened one may be pinned again */
		w->vms[i]->excused = w->vms[i]->loose;
		w->regrouped |= w->vms[i]->has_cores;
	}
	if (w->n > 0 && chance_of(c, 20))
		make_wait(w, c);
	if (w->n == 0 || kind < 3) {
		(void)wild_add(w, c);
	} else if (kind < 5) {
		wild_remove(w, chance_below(c, w->n));
	} else if (kind < 7) {
		plug(w, c);
	} else if (kind < 9 || w->simple) {
		for (unsigned int i = 1 + chance_below(c, 4); i > 0; i--)
			toggle_cpu(w, c);
		wild_rebuild(w);
		/* a node with fewer cores has fewer to give away */
		for (unsigned int i = 0; i < w->n; i++)
			w->vms[i]->excused |= w->vms[i]->has_cores;
	} else {
		change_rules(w, c);
	}
}

struct plan_input
wild_input(struct wild *w)
{
	for (unsigned int i = 0; i < w->n; i++)
		w->list[i] = w->vms[i]->in;
	return (struct plan_input){.topo = w->host.topo,
		.ranking = w->host.ranking,
		.latency = w->host.lat,
		.policy = &w->policy,
		.background = w->has_background ? w->background : NULL,
		.node_free_gib = w->has_free ? w->free_gib : NULL,
		.n_vms = w->n,
		.vms = w->list};
}

/* Memory comes to be where the vCPUs are. */
static void
touch(const struct wild *w, struct wild_vm *vm)
{
	const struct topo *t = w->host.topo;
	double sum = 0;

	for (unsigned int i = 0; i < t->n_nodes; i++) {
		struct cpuset here = cpuset_and(&t->nodes[i].cpus, &vm->masks[0]);

		vm->share[i] = cpuset_count(&here);
		sum += vm->share[i];
	}
	for (unsigned int i = 0; i < t->n_nodes && sum > 0; i++)
		vm->share[i] /= sum;
	if (sum > 0)
		vm->in.memory_share = vm->share;
}

void
wild_apply(struct wild *w, const struct plan *p)
{
	for (unsigned int i = 0; i < w->n; i++) {
		struct wild_vm *vm = w->vms[i];
		const struct plan_result *r = &p->results[i];
		bool first = !vm->in.placed;

		vm->in.own = vm->has_cores = r->own;
		if (r->verdict == PLAN_LEAVE || !r->apply)
			continue;
		vm->loose = vm->in.waited != NULL;
		memcpy(vm->masks, r->vcpus, r->n_vcpus * sizeof(*vm->masks));
		vm->emulator = r->emulator;
		vm->in.n_current = r->n_vcpus;
		vm->in.placed = true;
		if (r->verdict == PLAN_PLACE)
			vm->in.changed_s = w->policy.now_s;
		/* every other VM's memory is known */
		if (first && vm->in.memory_share == NULL && vm->id[2] % 2 == 0)
			touch(w, vm);
	}
}

static void
print_cpus(FILE *out, const char *name, const struct cpuset *cpus)
{
	char text[CPUSET_TEXT_MAX];

	if (cpus != NULL)
		fprintf(out, " %s=%s", name, cpuset_format(cpus, text, sizeof(text)));
}

static void
print_vm(const struct wild_vm *vm, FILE *out)
{
	const struct plan_vm *in = &vm->in;

	fprintf(out, "vm %s %s smt=%s emulator=%s vcpus=%u threads=%u", in->id,
		place_mode_name(in->mode), place_smt_name(in->smt),
		place_emulator_name(in->emulator), in->n_vcpus, in->threads_per_core);
	fprintf(out, " demand=%g quota=%g gib=%g%s", in->demand_vcpus, in->cpulimit,
		in->memory_gib, in->placed ? " placed" : "");
	print_cpus(out, "limit", &in->limit);
	print_cpus(out, "affinity", in->affinity);
	print_cpus(out, "cgroup", in->cgroup);
	for (unsigned int g = 0; g < in->n_guest_nodes; g++)
		print_cpus(out, "node", &in->guest_nodes[g].host_nodes);
	fprintf(out, "\n   ");
	for (unsigned int v = 0; v < in->n_current; v++)
		print_cpus(out, "had", &in->current[v]);
	fprintf(out, "\n   ");
}

static void
print_result(const struct plan_result *r, FILE *out)
{
	static const char *const verdicts[] = {"leave", "keep", "place"};

	fprintf(out, " %s", verdicts[r->verdict]);
	for (unsigned int v = 0; v < r->n_vcpus; v++)
		print_cpus(out, "gets", &r->vcpus[v]);
	print_cpus(out, "emulator", &r->emulator);
	fprintf(out, ": %s\n", r->why);
}

void
wild_print(const struct wild *w, const struct plan *p, FILE *out)
{
	const struct topo *t = w->host.topo;

	fprintf(out, "host");
	print_cpus(out, "online", &t->online);
	print_cpus(out, "reserved", &w->policy.reserved);
	print_cpus(out, "isolated", &t->isolated);
	print_cpus(out, "usable", &w->policy.isolated_usable);
	for (unsigned int i = 0; i < t->n_nodes; i++)
		print_cpus(out, "node", &t->nodes[i].cpus);
	for (unsigned int i = 0; i < t->n_l3; i++)
		print_cpus(out, "l3", &t->l3[i].cpus);
	fprintf(out, " dedicated_max_pct=%u\n", w->policy.dedicated_max_pct);
	for (unsigned int i = 0; i < w->n; i++) {
		print_vm(w->vms[i], out);
		if (p != NULL)
			print_result(&p->results[i], out);
	}
}
