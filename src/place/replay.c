// SPDX-License-Identifier: MIT
/*
 * Events, one after the other: change the scene or the list of VMs, plan, and then
 * either keep all of it or take the change back. What VMs have is what the last plan
 * says (its rows are the VMs in the order of their ids), so no mask is kept twice.
 */
#include "config.h"

#include "place/replay.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "place/tenant.h"
#include "place/moves.h"
#include "place/scene.h"

#define EVENT_GAP_S 60.0
#define TIME_MAX_S 1e12 /* 30 000 years */

/* What a step planned. */
struct outcome {
	struct plan_policy policy;
	struct plan_input input;
	struct plan_vm *vms; /* input.vms */
	struct plan *plan;
};

struct replay {
	struct replay_settings settings;
	replay_host_fn *host;
	void *owner;
	struct scene scene;
	struct tenant **guests; /* in the order of their ids */
	unsigned int n_guests;
	size_t cap;
	struct allowance allowance;
	double now_s;
	bool begun;
	struct cpuset could; /* online at the step before */
	struct outcome last;
	struct plan *before; /* of the step before: last's current masks */
	unsigned int moved;
};

/* How to take an event back. */
struct undo {
	struct scene scene;
	struct tenant *guest; /* the event's; for a stop no more in the list */
	unsigned int at;      /* its place there */
	unsigned int n_vcpus;
};

struct replay_settings
replay_settings_default(void)
{
	return (struct replay_settings){
		.policy = plan_policy_default(),
		.rebalance_vms_per_min = 2,
		.rebalance_vcpus_per_min = 1,
		.mode = PLACE_AUTO,
	};
}

static int run_planner(const struct replay *r, double now_s, struct allowance *a,
	struct outcome *out, struct err *e);

static void
drop_outcome(struct outcome *o)
{
	plan_free(o->plan);
	free(o->vms);
}

/* The policy has its place in the replay. */
static void
keep_outcome(struct replay *r, const struct outcome *o)
{
	r->last = *o;
	r->last.input.policy = &r->last.policy;
}

int
replay_new(const struct replay_settings *s, replay_host_fn *host, void *owner,
	struct replay **out, struct err *e)
{
	struct replay *r = xcalloc(1, sizeof(*r));
	struct allowance unused = allowance_new();
	struct outcome o;
	int ret;

	r->settings = *s;
	r->host = host;
	r->owner = owner;
	r->allowance = allowance_new();
	ret = scene_init(&r->scene, host, owner, e);
	if (ret < 0) {
		free(r);
		return ret;
	}
	ret = run_planner(r, 0, &unused, &o, e);
	if (ret < 0) {
		replay_free(r);
		return ret;
	}
	keep_outcome(r, &o);
	*out = r;
	return 0;
}

void
replay_free(struct replay *r)
{
	if (r == NULL)
		return;
	for (unsigned int i = 0; i < r->n_guests; i++)
		tenant_free(r->guests[i]);
	free(r->guests);
	drop_outcome(&r->last);
	plan_free(r->before);
	scene_fini(&r->scene);
	free(r);
}

/* Where the id is in the list, or would be. Returns whether it is there. */
static bool
find(const struct replay *r, const char *id, unsigned int *at)
{
	unsigned int low = 0;
	unsigned int high = r->n_guests;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (tenant_compare_ids(r->guests[mid]->id, id) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*at = low;
	return low < r->n_guests && strcmp(r->guests[low]->id, id) == 0;
}

static void
insert(struct replay *r, struct tenant *g, unsigned int at)
{
	r->guests = xgrow(r->guests, r->n_guests, &r->cap, sizeof(struct tenant *));
	memmove(r->guests + at + 1, r->guests + at,
		(r->n_guests - at) * sizeof(struct tenant *));
	r->guests[at] = g;
	r->n_guests++;
}

static void
take_out(struct replay *r, unsigned int at)
{
	r->n_guests--;
	memmove(r->guests + at, r->guests + at + 1,
		(r->n_guests - at) * sizeof(struct tenant *));
}

static int
start(struct replay *r, const struct replay_event *event, struct undo *u, struct err *e)
{
	if (event->id[0] == '\0' || strnlen(event->id, REPLAY_ID_MAX) == REPLAY_ID_MAX)
		return err_set(e, -EINVAL, "", 0, "an id has 1 to %u characters",
			REPLAY_ID_MAX - 1);
	if (find(r, event->id, &u->at))
		return err_set(e, -EEXIST, "", 0, "vm %s runs already", event->id);
	if (r->n_guests >= PLAN_VMS_MAX)
		return err_set(
			e, -EINVAL, "", 0, "at most %u VMs can run", PLAN_VMS_MAX);
	u->guest = tenant_new(event, &r->settings, &r->scene);
	insert(r, u->guest, u->at);
	return 0;
}

static int
find_running(const struct replay *r, const struct replay_event *event, struct undo *u,
	struct err *e)
{
	if (strnlen(event->id, REPLAY_ID_MAX) == REPLAY_ID_MAX ||
		!find(r, event->id, &u->at))
		return err_set(e, -ENOENT, "", 0, "vm %.*s does not run",
			(int)REPLAY_ID_MAX, event->id);
	u->guest = r->guests[u->at];
	return 0;
}

static int
hotplug(struct replay *r, const struct replay_event *event, struct undo *u,
	struct err *e)
{
	int ret = find_running(r, event, u, e);

	if (ret < 0)
		return ret;
	if (event->n_vcpus == 0 || event->n_vcpus > u->guest->max_vcpus)
		return err_set(e, -EINVAL, "", 0,
			"vm %s can have 1 to %u vCPUs, not %u", event->id,
			u->guest->max_vcpus, event->n_vcpus);
	u->n_vcpus = u->guest->vm.n_vcpus;
	u->guest->vm.n_vcpus = event->n_vcpus;
	return 0;
}

static int
stop(struct replay *r, const struct replay_event *event, struct undo *u, struct err *e)
{
	int ret = find_running(r, event, u, e);

	if (ret < 0)
		return ret;
	take_out(r, u->at);
	if (u->guest->memory_gib != NULL)
		scene_with_memory(&u->scene, u->guest->memory_gib, &r->scene);
	return 0;
}

/* Nothing is changed on failure. */
static int
apply(struct replay *r, const struct replay_event *event, struct undo *u, struct err *e)
{
	*u = (struct undo){.scene = r->scene};
	switch (event->kind) {
	case REPLAY_HOST:
		return scene_with_amounts(&u->scene, event, &r->scene, e);
	case REPLAY_START:
		return start(r, event, u, e);
	case REPLAY_HOTPLUG:
		return hotplug(r, event, u, e);
	case REPLAY_STOP:
		return stop(r, event, u, e);
	case REPLAY_CPU_OFFLINE:
	case REPLAY_CPU_ONLINE:
		return scene_with_cpu(
			&u->scene, event, r->host, r->owner, &r->scene, e);
	case REPLAY_N_KINDS:
		break;
	}
	return err_set(e, -EINVAL, "", 0, "no such event");
}

static void
take_back(struct replay *r, enum replay_kind kind, struct undo *u)
{
	if (kind == REPLAY_START) {
		take_out(r, u->at);
		tenant_free(u->guest);
	} else if (kind == REPLAY_HOTPLUG) {
		u->guest->vm.n_vcpus = u->n_vcpus;
	} else if (kind == REPLAY_STOP) {
		insert(r, u->guest, u->at);
	}
	scene_drop(&r->scene, &u->scene);
	r->scene = u->scene;
}

/* The VM as the planner is to see it. One that makes no sense is only load. */
static struct plan_vm
to_plan(const struct replay *r, const struct tenant *g)
{
	struct plan_vm vm = g->vm;

	if (g->bad[0] != '\0')
		vm.mode = PLACE_OFF;
	if (g->placed) {
		const struct plan_result *had = &r->last.plan->results[g->row];

		vm.placed = true;
		vm.could = r->could;
		vm.own = had->own;
		vm.current = had->vcpus;
		vm.home = had->home;
		vm.n_current = had->n_vcpus < vm.n_vcpus ? had->n_vcpus : vm.n_vcpus;
	}
	return vm;
}

static int
run_planner(const struct replay *r, double now_s, struct allowance *a,
	struct outcome *out, struct err *e)
{
	const struct scene *s = &r->scene;
	struct outcome o = {
		.policy = r->settings.policy,
		.vms = xcalloc(r->n_guests, sizeof(*o.vms)),
	};
	int ret;

	o.policy.now_s = now_s;
	allowance_give(a, now_s, r->settings.rebalance_vms_per_min,
		r->settings.rebalance_vcpus_per_min, &o.policy);
	for (unsigned int i = 0; i < r->n_guests; i++)
		o.vms[i] = to_plan(r, r->guests[i]);
	o.input = (struct plan_input){
		.topo = s->topo,
		.ranking = s->ranking,
		.latency = {.ns = s->ns, .n = s->topo->n_pus},
		.policy = &o.policy,
		.background = s->loaded ? s->load : NULL,
		.node_free_gib = s->free_known ? s->free_gib : NULL,
		.explain = r->settings.explain,
		.n_vms = r->n_guests,
		.vms = o.vms,
	};
	ret = planner_run(&o.input, &o.plan, e);
	if (ret < 0) {
		free(o.vms);
		return ret;
	}
	allowance_take(a, &o.input, o.plan);
	*out = o;
	return 0;
}

/* CPUs that are a VM's alone after the step. */
static struct cpuset
all_exclusive(const struct outcome *o)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int i = 0; i < o->plan->n; i++) {
		struct cpuset own = moves_exclusive(
			o->input.topo, &o->vms[i], &o->plan->results[i]);

		cpus = cpuset_or(&cpus, &own);
	}
	return cpus;
}

/* The VM has what the plan says. Returns how many of its vCPUs were moved. */
static unsigned int
settle_guest(struct replay *r, struct tenant *g, unsigned int row,
	const struct cpuset *exclusive)
{
	struct plan_vm *vm = &r->last.vms[row];
	struct plan_result *out = &r->last.plan->results[row];
	struct cpuset own = moves_exclusive(r->scene.topo, vm, out);
	struct cpuset others = cpuset_minus(exclusive, &own);
	struct cpuset may = cpuset_minus(&r->scene.topo->online, &others);
	struct moves moves = moves_of(vm, out, &may);

	g->row = row;
	g->placed = out->verdict != PLAN_LEAVE && out->apply;
	if (g->placed && (!vm->placed || moves.moved > 0 || moves.forced > 0))
		g->vm.changed_s = r->now_s;
	if (g->bad[0] != '\0') {
		vm->mode = g->vm.mode;
		str_copy(out->why, sizeof(out->why), g->bad);
	}
	tenant_touch(g, &r->scene, out->vcpus, g->placed ? out->n_vcpus : 0);
	vm->memory_share = g->vm.memory_share;
	return moves.moved;
}

static void
settle(struct replay *r)
{
	struct cpuset exclusive = all_exclusive(&r->last);

	r->moved = 0;
	for (unsigned int i = 0; i < r->n_guests; i++)
		r->moved += settle_guest(r, r->guests[i], i, &exclusive);
}

static int
time_of(const struct replay *r, const struct replay_event *event, double *t_s,
	struct err *e)
{
	double t = event->t_s;

	if (isnan(t))
		t = r->begun ? r->now_s + EVENT_GAP_S : 0;
	if (t < r->now_s)
		return err_set(e, -EINVAL, "", 0, "time goes back from %g s to %g s",
			r->now_s, t);
	if (t > TIME_MAX_S)
		return err_set(e, -EINVAL, "", 0, "time %g s is out of range", t);
	*t_s = t;
	return 0;
}

int
replay_step(struct replay *r, const struct replay_event *event, struct err *e)
{
	struct allowance a = r->allowance;
	struct outcome o;
	struct undo u;
	double now_s = r->now_s;
	int ret;

	ret = time_of(r, event, &now_s, e);
	if (ret == 0)
		ret = apply(r, event, &u, e);
	if (ret < 0)
		return ret;
	ret = run_planner(r, now_s, &a, &o, e);
	if (ret < 0) {
		take_back(r, event->kind, &u);
		return ret;
	}
	if (event->kind == REPLAY_STOP)
		tenant_free(u.guest);
	scene_drop(&u.scene, &r->scene);
	plan_free(r->before);
	r->before = r->last.plan;
	free(r->last.vms);
	keep_outcome(r, &o);
	r->allowance = a;
	r->now_s = now_s;
	r->begun = true;
	r->could = r->scene.topo->online;
	settle(r);
	return 0;
}

const struct plan_input *
replay_input(const struct replay *r)
{
	return &r->last.input;
}

const struct plan *
replay_plan(const struct replay *r)
{
	return r->last.plan;
}

double
replay_now_s(const struct replay *r)
{
	return r->now_s;
}

struct cpuset
replay_mask(const struct replay *r, unsigned int vm, unsigned int vcpu)
{
	const struct tenant *g = r->guests[vm];

	if (!g->placed)
		return tenant_anywhere(g, r->scene.topo);
	return r->last.plan->results[vm].vcpus[vcpu];
}

struct cpuset
replay_emulator(const struct replay *r, unsigned int vm)
{
	const struct tenant *g = r->guests[vm];

	if (!g->placed)
		return tenant_anywhere(g, r->scene.topo);
	return r->last.plan->results[vm].emulator;
}

unsigned int
replay_moved(const struct replay *r)
{
	return r->moved;
}
