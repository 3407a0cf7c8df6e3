// SPDX-License-Identifier: MIT
/*
 * Events and what follows from them: order, time, masks, memory; and that an event that
 * is refused leaves no trace.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "fleet.h"
#include "place/replay.h"

/* The host of a replay. */
struct ground {
	const struct host_spec *spec;
	bool broken;	   /* the next host cannot be made */
	bool no_memory[8]; /* of the node */
	struct topo *topo; /* the last one, the replay's */
	unsigned int made;
};

static int
make_host(void *owner, const struct cpuset *offline, struct topo **topo,
	struct ranking **ranking, float **ns, struct err *e)
{
	struct cpuset none = CPUSET_NONE;
	struct ground *g = owner;
	struct host h;

	if (g->broken)
		return err_set(e, -EIO, "", 0, "no host today");
	h = host_make(g->spec, offline, &none);
	for (unsigned int i = 0; i < h.topo->n_nodes && i < 8; i++) {
		if (g->no_memory[i])
			h.topo->nodes[i].mem_kib = 0;
	}
	g->made++;
	g->topo = h.topo;
	*topo = h.topo;
	*ranking = h.ranking;
	*ns = h.ns;
	return 0;
}

static struct replay *
replay_on(struct ground *g, const struct replay_settings *s)
{
	struct replay_settings defaults = replay_settings_default();
	struct replay *r = NULL;
	struct err e = ERR_NONE;

	if (replay_new(s != NULL ? s : &defaults, make_host, g, &r, &e) < 0)
		fail_msg("%s", e.text);
	return r;
}

static struct replay_event
event_of(enum replay_kind kind, const char *id)
{
	struct replay_event e = {.kind = kind, .t_s = NAN};

	str_copy(e.id, sizeof(e.id), id);
	return e;
}

static struct replay_event
start_of(const char *id, unsigned int n_vcpus)
{
	struct replay_event e = event_of(REPLAY_START, id);

	e.start.n_vcpus = n_vcpus;
	e.start.max_vcpus = n_vcpus;
	e.start.memory_gib = 8;
	return e;
}

static struct replay_event
cpu_event(enum replay_kind kind, unsigned int cpu)
{
	struct replay_event e = event_of(kind, "");

	e.cpu = cpu;
	return e;
}

static struct replay_event
plug_of(const char *id, unsigned int n_vcpus)
{
	struct replay_event e = event_of(REPLAY_HOTPLUG, id);

	e.n_vcpus = n_vcpus;
	return e;
}

static void
step(struct replay *r, struct replay_event event)
{
	struct err e = ERR_NONE;

	if (replay_step(r, &event, &e) < 0)
		fail_msg("event %d %s: %s", (int)event.kind, event.id, e.text);
}

static struct cpuset
cpus(const char *text)
{
	struct cpuset s = CPUSET_NONE;

	assert_int_equal(cpuset_parse(text, &s), 0);
	return s;
}

static const struct plan_vm *
vm_of(const struct replay *r, unsigned int vm)
{
	return &replay_input(r)->vms[vm];
}

static const char *
why_of(const struct replay *r, unsigned int vm)
{
	return replay_plan(r)->results[vm].why;
}

static void
add_set(struct strbuf *out, const char *name, const struct cpuset *s)
{
	char text[CPUSET_TEXT_MAX];

	strbuf_addf(out, " %s=%s", name, cpuset_format(s, text, sizeof(text)));
}

/* All that one can see. */
static char *
picture(const struct replay *r)
{
	const struct plan_input *in = replay_input(r);
	struct strbuf b = {0};

	strbuf_addf(&b, "t=%g moved=%u vms=%u", replay_now_s(r), replay_moved(r),
		in->n_vms);
	add_set(&b, "online", &in->topo->online);
	for (unsigned int i = 0; in->node_free_gib && i < in->topo->n_nodes; i++)
		strbuf_addf(&b, " free=%g", in->node_free_gib[i]);
	for (unsigned int i = 0; in->background && i < in->topo->n_pus; i++)
		strbuf_addf(&b, " %g", in->background[i]);
	for (unsigned int i = 0; i < in->n_vms; i++) {
		const struct plan_vm *vm = &in->vms[i];
		struct cpuset emulator = replay_emulator(r, i);

		strbuf_addf(&b, "\n%s %u:", vm->id, vm->n_vcpus);
		for (unsigned int v = 0; v < vm->n_vcpus && v < PLAN_VCPUS_MAX; v++) {
			struct cpuset mask = replay_mask(r, i, v);

			add_set(&b, "", &mask);
		}
		add_set(&b, "emu", &emulator);
		for (unsigned int n = 0; vm->memory_share && n < in->topo->n_nodes; n++)
			strbuf_addf(&b, " mem=%g", vm->memory_share[n]);
		strbuf_addf(&b, " %s", why_of(r, i));
	}
	return strbuf_take(&b);
}

static void
same_picture(const struct replay *a, const struct replay *b)
{
	auto_free char *pa = picture(a);
	auto_free char *pb = picture(b);

	assert_string_equal(pa, pb);
}

static void
vms_are_in_the_order_of_their_ids(void **state)
{
	static const char *const started[] = {"1000", "web", "20", "100", "db", "99",
		"0100", "1e3", "123456789012345678901234567890"};
	static const char *const wanted[] = {"20", "99", "0100", "100", "1000",
		"123456789012345678901234567890", "1e3", "db", "web"};
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(started); i++)
		step(r, start_of(started[i], 2));
	assert_int_equal(replay_plan(r)->n, ARRAY_LEN(wanted));
	for (unsigned int i = 0; i < ARRAY_LEN(wanted); i++)
		assert_string_equal(vm_of(r, i)->id, wanted[i]);
	step(r, event_of(REPLAY_STOP, "100"));
	assert_string_equal(vm_of(r, 2)->id, "0100");
	assert_string_equal(vm_of(r, 3)->id, "1000");
	replay_free(r);
}

static void
a_new_replay_shows_an_empty_host(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);

	(void)state;
	assert_int_equal(g.made, 1);
	assert_int_equal(replay_plan(r)->n, 0);
	assert_int_equal(replay_input(r)->n_vms, 0);
	assert_int_equal(replay_input(r)->topo->n_pus, 64);
	assert_null(replay_input(r)->background);
	assert_null(replay_input(r)->node_free_gib);
	assert_true(replay_now_s(r) == 0);
	replay_free(r);
	replay_free(NULL);
}

static void
a_host_that_cannot_be_made_makes_no_replay(void **state)
{
	struct replay_settings s = replay_settings_default();
	struct ground g = {.spec = &host_9354, .broken = true};
	struct replay *r = NULL;
	struct err e = ERR_NONE;

	(void)state;
	assert_int_equal(replay_new(&s, make_host, &g, &r, &e), -EIO);
	assert_null(r);
	assert_string_equal(e.text, "no host today");
}

static void
time_is_what_events_say_or_a_minute_later(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);
	struct replay_event late = start_of("101", 2);

	(void)state;
	step(r, start_of("100", 2));
	assert_true(replay_now_s(r) == 0);
	late.t_s = 1000;
	step(r, late);
	assert_true(replay_now_s(r) == 1000);
	assert_true(replay_input(r)->policy->now_s == 1000);
	step(r, event_of(REPLAY_STOP, "101"));
	assert_true(replay_now_s(r) == 1060);
	late.t_s = 1060; /* at the same time is not back */
	step(r, late);
	assert_true(replay_now_s(r) == 1060);
	replay_free(r);
}

static void
the_plan_is_what_vms_have_next(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);
	struct cpuset was;
	const struct plan_vm *vm;

	(void)state;
	step(r, start_of("100", 4));
	assert_false(vm_of(r, 0)->placed);
	assert_int_equal(vm_of(r, 0)->n_current, 0);
	was = replay_mask(r, 0, 3);
	assert_true(cpuset_equal(&was, &replay_plan(r)->results[0].vcpus[3]));
	step(r, start_of("99", 4));
	vm = vm_of(r, 1);
	assert_true(vm->placed);
	assert_int_equal(vm->n_current, 4);
	assert_true(cpuset_equal(&vm->current[3], &was));
	assert_true(vm->changed_s == 0);
	assert_true(vm_of(r, 0)->changed_s == PLAN_NEVER_S);
	replay_free(r);
}

static void
hotplug_adds_new_vcpus_and_drops_the_last(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);
	struct replay_event event = start_of("100", 2);

	(void)state;
	event.start.max_vcpus = 8;
	step(r, event);
	step(r, plug_of("100", 6));
	assert_int_equal(vm_of(r, 0)->n_vcpus, 6);
	assert_int_equal(vm_of(r, 0)->n_current, 2);
	assert_int_equal(replay_plan(r)->results[0].n_vcpus, 6);
	step(r, plug_of("100", 1));
	assert_int_equal(vm_of(r, 0)->n_current, 1);
	assert_int_equal(replay_plan(r)->results[0].n_vcpus, 1);
	assert_int_equal(replay_moved(r), 0);
	replay_free(r);
}

static struct replay_event
two_nodes_of(const char *id, struct cpuset *vcpus, struct cpuset *hosts)
{
	struct replay_event e = start_of(id, 4);

	e.start.max_vcpus = 8;
	e.start.numa = true;
	e.start.n_guest_nodes = 2;
	e.start.guest_vcpus = vcpus;
	e.start.host_nodes = hosts;
	return e;
}

static void
vcpus_that_no_guest_node_names_are_in_the_first(void **state)
{
	struct cpuset vcpus[2] = {cpus("0"), cpus("1,3,6")};
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);
	static const uint16_t wanted[] = {0, 1, 0, 1, 0, 0, 1, 0};

	(void)state;
	step(r, two_nodes_of("100", vcpus, NULL));
	assert_int_equal(vm_of(r, 0)->n_guest_nodes, 2);
	for (unsigned int v = 0; v < 4; v++)
		assert_int_equal(vm_of(r, 0)->guest_node_of[v], wanted[v]);
	step(r, plug_of("100", 8));
	for (unsigned int v = 0; v < 8; v++)
		assert_int_equal(vm_of(r, 0)->guest_node_of[v], wanted[v]);
	replay_free(r);
}

/* Cases of VMs that make no sense, each with a word of the reason. */
static struct cpuset overlapping[2];
static struct replay_amount somewhere[1];

static void
vms_that_make_no_sense_run_anywhere_and_say_why(void **state)
{
	static const struct {
		const char *why;
		unsigned int n_vcpus;
		unsigned int n_guest_nodes;
		const char *vcpus[2];
		double memory_gib;
		double weight;
		double cpulimit;
		struct replay_amount resident;
	} cases[] = {
		{"no vCPU", 0, 0, {"", ""}, 8, 0, 0, {0, 0}},
		{"starts with 9 vCPUs", 9, 0, {"", ""}, 8, 0, 0, {0, 0}},
		{"vCPU 2 is in two", 4, 2, {"0-2", "2-3"}, 8, 0, 0, {0, 0}},
		{"node 1 has vCPU 8", 4, 2, {"0-1", "2-8"}, 8, 0, 0, {0, 0}},
		{"at most 128", 4, 4000, {"", ""}, 8, 0, 0, {0, 0}},
		{"memory -1", 4, 0, {"", ""}, -1, 0, 0, {0, 0}},
		{"memory nan", 4, 0, {"", ""}, NAN, 0, 0, {0, 0}},
		{"weight inf", 4, 0, {"", ""}, 8, INFINITY, 0, {0, 0}},
		{"cpulimit -2", 4, 0, {"", ""}, 8, 0, -2, {0, 0}},
		{"on a node -1", 4, 0, {"", ""}, 8, 0, 0, {0, -1}},
		{"node 7, which is not there", 4, 0, {"", ""}, 8, 0, 0, {7, 1}},
	};
	struct ground g = {.spec = &host_9354};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct replay *r = replay_on(&g, NULL);
		struct replay_event event = start_of("100", cases[i].n_vcpus);
		struct cpuset mask;

		overlapping[0] = cpus(cases[i].vcpus[0]);
		overlapping[1] = cpus(cases[i].vcpus[1]);
		somewhere[0] = cases[i].resident;
		event.start.max_vcpus = 8;
		event.start.n_guest_nodes = cases[i].n_guest_nodes;
		event.start.guest_vcpus = overlapping;
		event.start.memory_gib = cases[i].memory_gib;
		event.start.weight = cases[i].weight;
		event.start.cpulimit = cases[i].cpulimit;
		event.start.n_resident = 1;
		event.start.resident = somewhere;
		step(r, start_of("99", 4));
		step(r, event);
		if (strstr(why_of(r, 1), cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].why, why_of(r, 1));
		assert_int_equal(replay_plan(r)->results[1].verdict, PLAN_LEAVE);
		assert_int_equal(vm_of(r, 1)->mode, PLACE_AUTO);
		mask = replay_mask(r, 1, 0);
		assert_int_equal(cpuset_count(&mask), 64);
		assert_int_equal(replay_plan(r)->results[0].verdict, PLAN_KEEP);
		step(r, event_of(REPLAY_STOP, "100"));
		replay_free(r);
	}
}

static void
an_affinity_is_a_limit_where_it_names_a_cpu(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);
	struct replay_event event = start_of("100", 2);
	struct cpuset limit = cpus("8-15,70");
	struct cpuset mask;

	(void)state;
	event.start.has_affinity = true;
	event.start.affinity = limit;
	step(r, event);
	limit = cpus("8-15");
	mask = replay_mask(r, 0, 0);
	assert_true(cpuset_within(&mask, &limit));
	assert_true(cpuset_equal(&vm_of(r, 0)->limit, &limit));
	event = start_of("101", 2);
	event.start.has_affinity = true;
	event.start.affinity = cpus("70-75");
	event.start.has_mode = true;
	event.start.mode = PLACE_OFF;
	step(r, event);
	mask = replay_mask(r, 1, 1);
	assert_int_equal(cpuset_count(&mask), 64);
	replay_free(r);
}

static void
observed_and_unmanaged_vms_have_their_limit(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);
	struct replay_event event = start_of("100", 2);
	struct cpuset limit = cpus("0-15");
	struct cpuset emulator;

	(void)state;
	event.start.has_affinity = true;
	event.start.affinity = limit;
	event.start.has_mode = true;
	event.start.mode = PLACE_OBSERVE;
	step(r, event);
	str_copy(event.id, sizeof(event.id), "101");
	event.start.mode = PLACE_OFF;
	step(r, event);
	step(r, start_of("102", 2));
	for (unsigned int i = 0; i < 2; i++) {
		struct cpuset mask = replay_mask(r, i, 1);

		emulator = replay_emulator(r, i);
		assert_true(cpuset_equal(&mask, &limit));
		assert_true(cpuset_equal(&emulator, &limit));
		assert_false(vm_of(r, i)->placed);
	}
	replay_free(r);
}

static void
masks_lose_offline_cpus_and_get_them_back_without_a_move(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);
	struct cpuset before;
	struct cpuset now;
	unsigned int cpu;

	(void)state;
	step(r, start_of("100", 4));
	before = replay_mask(r, 0, 0);
	cpu = cpuset_next(&before, 0);
	step(r, cpu_event(REPLAY_CPU_OFFLINE, cpu));
	assert_int_equal(replay_input(r)->topo->n_pus, 63);
	assert_int_equal(replay_input(r)->latency.n, 63);
	assert_true(cpuset_equal(&vm_of(r, 0)->current[0], &before));
	now = replay_mask(r, 0, 0);
	assert_false(cpuset_has(&now, cpu));
	assert_int_equal(replay_moved(r), 0);
	step(r, cpu_event(REPLAY_CPU_ONLINE, cpu));
	assert_true(vm_of(r, 0)->changed_s == 0); /* also not by that */
	now = replay_mask(r, 0, 0);
	assert_true(cpuset_within(&before, &now));
	assert_int_equal(replay_moved(r), 0);
	assert_int_equal(replay_input(r)->topo->n_pus, 64);
	step(r, start_of("101", 4));
	assert_true(vm_of(r, 0)->changed_s == 0);
	replay_free(r);
}

static void
a_vcpu_whose_last_cpu_went_is_not_moved_but_changed(void **state)
{
	struct replay_settings s = replay_settings_default();
	struct ground g = {.spec = &host_9354};
	struct replay *r;
	struct cpuset mask;

	(void)state;
	s.mode = PLACE_PIN;
	r = replay_on(&g, &s);
	step(r, start_of("100", 4));
	mask = replay_mask(r, 0, 2);
	assert_int_equal(cpuset_count(&mask), 1);
	step(r, cpu_event(REPLAY_CPU_OFFLINE, cpuset_next(&mask, 0)));
	mask = replay_mask(r, 0, 2);
	assert_int_equal(cpuset_count(&mask), 1);
	assert_int_equal(replay_moved(r), 0);
	step(r, start_of("101", 1));
	assert_true(vm_of(r, 0)->changed_s == 60);
	replay_free(r);
}

static void
a_vm_without_a_cpu_gets_all_and_its_place_when_they_return(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);
	struct replay_event event = start_of("100", 1);
	struct cpuset mask;

	(void)state;
	event.start.has_affinity = true;
	event.start.affinity = cpus("5,6");
	step(r, event);
	step(r, cpu_event(REPLAY_CPU_OFFLINE, 5));
	mask = replay_mask(r, 0, 0);
	assert_int_equal(cpuset_count(&mask), 1);
	step(r, cpu_event(REPLAY_CPU_OFFLINE, 6));
	assert_int_equal(replay_plan(r)->results[0].verdict, PLAN_LEAVE);
	assert_non_null(strstr(why_of(r, 0), "no online CPU"));
	mask = replay_mask(r, 0, 0);
	assert_true(cpuset_equal(&mask, &replay_input(r)->topo->online));
	assert_int_equal(replay_moved(r), 0);
	step(r, cpu_event(REPLAY_CPU_ONLINE, 6));
	mask = replay_mask(r, 0, 0);
	assert_true(cpuset_has(&mask, 6));
	assert_int_equal(cpuset_count(&mask), 1);
	assert_int_equal(replay_moved(r), 0);
	replay_free(r);
}

static struct replay_event
host_event(struct replay_amount *free_gib, unsigned int n_free,
	struct replay_amount *background, unsigned int n_background)
{
	struct replay_event e = event_of(REPLAY_HOST, "");

	e.free = free_gib;
	e.n_free = n_free;
	e.background = background;
	e.n_background = n_background;
	return e;
}

static void
load_by_others_stays_with_its_cpu(void **state)
{
	struct replay_amount load[] = {{3, 0.5}, {63, 1}};
	struct replay_amount less[] = {{3, 0}};
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);

	(void)state;
	step(r, host_event(NULL, 0, load, 2));
	assert_true(replay_input(r)->background[3] == 0.5);
	step(r, cpu_event(REPLAY_CPU_OFFLINE, 1));
	assert_true(replay_input(r)->background[2] == 0.5);
	assert_true(replay_input(r)->background[62] == 1);
	step(r, host_event(NULL, 0, less, 1));
	assert_true(replay_input(r)->background[2] == 0);
	assert_true(replay_input(r)->background[62] == 1);
	step(r, cpu_event(REPLAY_CPU_OFFLINE, 63));
	assert_null(replay_input(r)->background);
	step(r, cpu_event(REPLAY_CPU_ONLINE, 63));
	assert_true(replay_input(r)->background[62] == 1);
	replay_free(r);
}

/* The VM is bound to two CPUs of node 1 and one of node 2. */
static struct replay_event
between_nodes(const char *id)
{
	struct replay_event e = start_of(id, 1);

	e.start.memory_gib = 9;
	e.start.has_affinity = true;
	e.start.affinity = cpus("8,9,16");
	e.start.has_mode = true;
	e.start.mode = PLACE_OFF;
	return e;
}

static void
near(double a, double b)
{
	if (fabs(a - b) > 1e-9)
		fail_msg("%.12g is not %.12g", a, b);
}

static void
memory_is_first_touched_where_the_vcpus_may_run(void **state)
{
	struct replay_amount free_gib[] = {{1, 20}, {2, 2}};
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);
	const double *left;

	(void)state;
	step(r, host_event(free_gib, 2, NULL, 0));
	step(r, between_nodes("100"));
	step(r, start_of("101", 1));
	near(vm_of(r, 0)->memory_share[0], 0);
	near(vm_of(r, 0)->memory_share[1], 2.0 / 3);
	near(vm_of(r, 0)->memory_share[2], 1.0 / 3);
	near(vm_of(r, 0)->memory_share[3], 0);
	left = replay_input(r)->node_free_gib;
	near(left[1], 14);
	near(left[2], 0);	  /* not below */
	assert_true(left[0] < 0); /* unknown stays unknown */
	step(r, event_of(REPLAY_STOP, "100"));
	left = replay_input(r)->node_free_gib;
	near(left[1], 20);
	near(left[2], 2); /* what there was to take, no more */
	assert_true(left[0] < 0);
	replay_free(r);
}

static void
memory_stays_where_it_was_touched(void **state)
{
	struct replay_settings s = replay_settings_default();
	struct ground g = {.spec = &host_9354};
	struct replay *r;
	struct cpuset mask;

	(void)state;
	s.mode = PLACE_PIN;
	r = replay_on(&g, &s);
	step(r, start_of("100", 1));
	mask = replay_mask(r, 0, 0);
	assert_true(cpuset_has(
		&replay_input(r)->topo->nodes[0].cpus, cpuset_next(&mask, 0)));
	for (unsigned int cpu = 0; cpu < 64; cpu++) {
		if (cpuset_has(&replay_input(r)->topo->nodes[0].cpus, cpu))
			step(r, cpu_event(REPLAY_CPU_OFFLINE, cpu));
	}
	near(vm_of(r, 0)->memory_share[0], 1);
	assert_int_equal(replay_input(r)->topo->n_nodes, 4);
	replay_free(r);
}

static void
resident_memory_is_where_it_is_and_comes_back(void **state)
{
	struct replay_amount free_gib[] = {{0, 10}, {3, 10}};
	struct replay_amount resident[] = {{3, 6}, {0, 2}};
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);
	struct replay_event event = start_of("100", 2);

	(void)state;
	event.start.n_resident = 2;
	event.start.resident = resident;
	step(r, host_event(free_gib, 2, NULL, 0));
	step(r, event);
	near(vm_of(r, 0)->memory_share[3], 0.75);
	near(vm_of(r, 0)->memory_share[0], 0.25);
	near(replay_input(r)->node_free_gib[3], 10);
	step(r, event_of(REPLAY_STOP, "100"));
	near(replay_input(r)->node_free_gib[3], 16);
	near(replay_input(r)->node_free_gib[0], 12);
	replay_free(r);
}

static void
memory_of_guest_nodes_is_on_their_host_nodes(void **state)
{
	struct cpuset vcpus[2] = {cpus("0-1"), cpus("2-3")};
	struct cpuset hosts[2] = {cpus("1"), cpus("2-3")};
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);
	struct replay_event event = two_nodes_of("100", vcpus, hosts);
	const struct plan_guest_node *nodes;

	(void)state;
	event.start.has_mode = true; /* its vCPUs are everywhere */
	event.start.mode = PLACE_OFF;
	step(r, event);
	nodes = vm_of(r, 0)->guest_nodes;
	assert_true(cpuset_equal(&nodes[1].host_nodes, &hosts[1]));
	near(nodes[0].memory_share[1], 1);
	near(nodes[1].memory_share[1], 0);
	near(nodes[1].memory_share[2], 0.5);
	near(nodes[1].memory_share[3], 0.5);
	near(vm_of(r, 0)->memory_share[1], 0.5);
	near(vm_of(r, 0)->memory_share[2], 0.25);
	replay_free(r);
}

static void
a_node_without_memory_takes_it_from_the_nearest(void **state)
{
	struct ground g = {.spec = &host_9354, .no_memory = {[1] = true, [2] = true}};
	struct replay *r = replay_on(&g, NULL);

	(void)state;
	step(r, between_nodes("100"));
	near(vm_of(r, 0)->memory_share[0], 1);
	replay_free(r);
}

static void
a_host_without_nodes_knows_nothing_of_memory(void **state)
{
	struct ground g = {.spec = &host_flat2};
	struct replay *r = replay_on(&g, NULL);

	(void)state;
	step(r, start_of("100", 2));
	step(r, start_of("101", 2));
	assert_null(vm_of(r, 0)->memory_share);
	step(r, event_of(REPLAY_STOP, "100"));
	replay_free(r);
}

struct refused {
	const char *text; /* a part of the message */
	int error;
	struct replay_event event;
};

static struct replay_amount bad_amounts[] = {
	{64, 0.5}, {0, 1.5}, {0, NAN}, {4, 1}, {0, -1}, {0, INFINITY}};

static struct replay_event
at(struct replay_event e, double t_s)
{
	e.t_s = t_s;
	return e;
}

/* Nothing of @bad is in what comes after it. */
static void
check_refused(const struct refused *bad)
{
	struct replay_amount free_gib[] = {{0, 20}};
	struct ground ga = {.spec = &host_9354};
	struct ground gb = {.spec = &host_9354};
	struct replay *a = replay_on(&ga, NULL);
	struct replay *b = replay_on(&gb, NULL);
	struct replay_event first = start_of("100", 4);
	struct err e = ERR_NONE;
	auto_free char *before = NULL;
	auto_free char *after = NULL;

	first.start.max_vcpus = 8;
	for (unsigned int i = 0; i < 2; i++) {
		struct replay *r = i == 0 ? a : b;

		step(r, host_event(free_gib, 1, NULL, 0));
		step(r, first);
		step(r, start_of("7", 3));
		step(r, cpu_event(REPLAY_CPU_OFFLINE, 5));
	}
	before = picture(a);
	if (replay_step(a, &bad->event, &e) != bad->error ||
		strstr(e.text, bad->text) == NULL)
		fail_msg("\"%s\" wanted: %s", bad->text, e.text);
	after = picture(a);
	assert_string_equal(before, after);
	step(a, start_of("8", 20));
	step(b, start_of("8", 20));
	same_picture(a, b);
	step(a, plug_of("100", 8));
	step(b, plug_of("100", 8));
	same_picture(a, b);
	step(a, event_of(REPLAY_STOP, "7"));
	step(b, event_of(REPLAY_STOP, "7"));
	same_picture(a, b);
	replay_free(a);
	replay_free(b);
}

static void
a_refused_event_changes_nothing(void **state)
{
	struct replay_event nameless = start_of("", 2);
	struct replay_event endless = start_of("1", 2);
	struct replay_event endless_stop = event_of(REPLAY_STOP, "1");

	(void)state;
	memset(endless.id, 'x', sizeof(endless.id));
	memset(endless_stop.id, 'x', sizeof(endless_stop.id));
	const struct refused cases[] = {
		{"vm 100 runs already", -EEXIST, start_of("100", 2)},
		{"vm 101 does not run", -ENOENT, plug_of("101", 2)},
		{"vm 101 does not run", -ENOENT, event_of(REPLAY_STOP, "101")},
		{"does not run", -ENOENT, event_of(REPLAY_STOP, "")},
		{"does not run", -ENOENT, endless_stop},
		{"1 to 64 characters", -EINVAL, nameless},
		{"1 to 64 characters", -EINVAL, endless},
		{"1 to 8 vCPUs, not 0", -EINVAL, plug_of("100", 0)},
		{"1 to 8 vCPUs, not 9", -EINVAL, plug_of("100", 9)},
		{"64 is not there", -EINVAL, cpu_event(REPLAY_CPU_OFFLINE, 64)},
		{"4000000000 is not", -EINVAL,
			cpu_event(REPLAY_CPU_ONLINE, 4000000000)},
		{"5 is offline already", -EINVAL, cpu_event(REPLAY_CPU_OFFLINE, 5)},
		{"6 is online already", -EINVAL, cpu_event(REPLAY_CPU_ONLINE, 6)},
		{"goes back", -EINVAL, at(start_of("1", 2), 179)},
		{"goes back", -EINVAL, at(start_of("1", 2), -INFINITY)},
		{"out of range", -EINVAL, at(start_of("1", 2), INFINITY)},
		{"out of range", -EINVAL, at(start_of("1", 2), 1e13)},
		{"no such event", -EINVAL, event_of(REPLAY_N_KINDS, "1")},
		{"CPU 64", -EINVAL, host_event(NULL, 0, &bad_amounts[0], 1)},
		{"share", -EINVAL, host_event(NULL, 0, &bad_amounts[1], 1)},
		{"share", -EINVAL, host_event(NULL, 0, &bad_amounts[2], 1)},
		{"node 4", -EINVAL, host_event(&bad_amounts[3], 1, NULL, 0)},
		{"range", -EINVAL, host_event(&bad_amounts[4], 1, NULL, 0)},
		{"range", -EINVAL, host_event(&bad_amounts[5], 1, NULL, 0)},
		/* the first is right, and is not kept either */
		{"node 4", -EINVAL, host_event(&bad_amounts[2], 2, NULL, 0)},
	};

	bad_amounts[2].value = 7; /* of the last case */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bad_amounts[2].value = i + 1 == ARRAY_LEN(cases) ? 7 : (double)NAN;
		check_refused(&cases[i]);
	}
}

static void
the_last_cpu_stays(void **state)
{
	struct ground g = {.spec = &host_flat2};
	struct replay *r = replay_on(&g, NULL);
	struct replay_event event = cpu_event(REPLAY_CPU_OFFLINE, 1);
	struct err e = ERR_NONE;

	(void)state;
	step(r, cpu_event(REPLAY_CPU_OFFLINE, 0));
	assert_int_equal(replay_step(r, &event, &e), -EINVAL);
	assert_non_null(strstr(e.text, "last"));
	step(r, cpu_event(REPLAY_CPU_ONLINE, 0));
	step(r, event);
	replay_free(r);
}

static void
a_host_that_fails_changes_nothing(void **state)
{
	struct ground g = {.spec = &host_9354};
	struct replay *r = replay_on(&g, NULL);
	struct replay_event event = cpu_event(REPLAY_CPU_OFFLINE, 1);
	auto_free char *before = NULL;
	auto_free char *after = NULL;
	struct err e = ERR_NONE;

	(void)state;
	step(r, start_of("100", 4));
	before = picture(r);
	g.broken = true;
	assert_int_equal(replay_step(r, &event, &e), -EIO);
	after = picture(r);
	assert_string_equal(before, after);
	g.broken = false;
	g.spec = &host_xeon_2s; /* 64 CPUs too, but two nodes */
	err_clear(&e);
	assert_int_equal(replay_step(r, &event, &e), -EINVAL);
	assert_non_null(strstr(e.text, "other nodes"));
	free(after);
	after = picture(r);
	assert_string_equal(before, after);
	g.spec = &host_9354;
	step(r, event);
	replay_free(r);
}

static void
an_event_that_cannot_be_planned_is_taken_back(void **state)
{
	struct replay_amount load[] = {{3, 0.5}};
	const struct replay_event events[] = {
		start_of("99", 4),
		start_of("101", 4),
		plug_of("100", 6),
		event_of(REPLAY_STOP, "100"),
		host_event(NULL, 0, load, 1),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		struct ground g = {.spec = &host_9354};
		struct replay *r = replay_on(&g, NULL);
		struct replay_event first = start_of("100", 4);
		unsigned int n_pus = g.topo->n_pus;
		struct err e = ERR_NONE;
		auto_free char *before = NULL;
		auto_free char *after = NULL;

		first.start.max_vcpus = 8;
		step(r, first);
		before = picture(r);
		g.topo->n_pus = 0; /* the planner refuses such a host */
		assert_int_equal(replay_step(r, &events[i], &e), -EINVAL);
		assert_non_null(strstr(e.text, "no online CPU"));
		g.topo->n_pus = n_pus;
		after = picture(r);
		assert_string_equal(before, after);
		step(r, events[i]);
		assert_true(replay_now_s(r) == 60);
		replay_free(r);
	}
}

static void
rebalance_gets_the_credit_of_the_time_that_passed(void **state)
{
	struct replay_settings s = replay_settings_default();
	struct ground g = {.spec = &host_9354};
	struct replay *r;
	const struct plan_policy *p;

	(void)state;
	s.rebalance_vms_per_min = 0.5;
	s.rebalance_vcpus_per_min = 2;
	r = replay_on(&g, &s);
	step(r, at(start_of("100", 2), 0));
	p = replay_input(r)->policy;
	assert_int_equal(p->rebalance_vms, 0);
	assert_int_equal(p->rebalance_vcpus, 0);
	step(r, start_of("101", 2));
	p = replay_input(r)->policy;
	assert_int_equal(p->rebalance_vms, 0);
	assert_int_equal(p->rebalance_vcpus, 2);
	step(r, start_of("102", 2));
	p = replay_input(r)->policy;
	assert_int_equal(p->rebalance_vms, 1);
	assert_int_equal(p->rebalance_vcpus, 4);
	replay_free(r);
}

static void
a_thousand_vms_come_and_go(void **state)
{
	struct replay_settings s = replay_settings_default();
	struct ground g = {.spec = &host_9354};
	struct replay *r;
	char id[16];

	(void)state;
	s.mode = PLACE_OFF; /* it is not the planner that is tested */
	r = replay_on(&g, &s);
	for (unsigned int i = 0; i < 1000; i++) {
		(void)snprintf(id, sizeof(id), "%u", 100 + i * 7919 % 1000);
		step(r, start_of(id, 2));
	}
	assert_int_equal(replay_plan(r)->n, 1000);
	for (unsigned int i = 0; i < 1000; i++) {
		(void)snprintf(id, sizeof(id), "%u", 100 + i);
		assert_string_equal(vm_of(r, 0)->id, id);
		step(r, event_of(REPLAY_STOP, id));
	}
	assert_int_equal(replay_plan(r)->n, 0);
	replay_free(r);
}

static void
an_event_frees_what_it_owns(void **state)
{
	struct replay_event e = event_of(REPLAY_START, "100");

	(void)state;
	e.start.guest_vcpus = xcalloc(1, sizeof(*e.start.guest_vcpus));
	e.start.host_nodes = xcalloc(1, sizeof(*e.start.host_nodes));
	e.start.resident = xcalloc(1, sizeof(*e.start.resident));
	e.free = xcalloc(1, sizeof(*e.free));
	e.background = xcalloc(1, sizeof(*e.background));
	replay_event_fini(&e);
	assert_null(e.start.guest_vcpus);
	assert_null(e.background);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vms_are_in_the_order_of_their_ids),
		cmocka_unit_test(a_new_replay_shows_an_empty_host),
		cmocka_unit_test(a_host_that_cannot_be_made_makes_no_replay),
		cmocka_unit_test(time_is_what_events_say_or_a_minute_later),
		cmocka_unit_test(the_plan_is_what_vms_have_next),
		cmocka_unit_test(hotplug_adds_new_vcpus_and_drops_the_last),
		cmocka_unit_test(vcpus_that_no_guest_node_names_are_in_the_first),
		cmocka_unit_test(vms_that_make_no_sense_run_anywhere_and_say_why),
		cmocka_unit_test(an_affinity_is_a_limit_where_it_names_a_cpu),
		cmocka_unit_test(observed_and_unmanaged_vms_have_their_limit),
		cmocka_unit_test(
			masks_lose_offline_cpus_and_get_them_back_without_a_move),
		cmocka_unit_test(a_vcpu_whose_last_cpu_went_is_not_moved_but_changed),
		cmocka_unit_test(
			a_vm_without_a_cpu_gets_all_and_its_place_when_they_return),
		cmocka_unit_test(load_by_others_stays_with_its_cpu),
		cmocka_unit_test(memory_is_first_touched_where_the_vcpus_may_run),
		cmocka_unit_test(memory_stays_where_it_was_touched),
		cmocka_unit_test(resident_memory_is_where_it_is_and_comes_back),
		cmocka_unit_test(memory_of_guest_nodes_is_on_their_host_nodes),
		cmocka_unit_test(a_node_without_memory_takes_it_from_the_nearest),
		cmocka_unit_test(a_host_without_nodes_knows_nothing_of_memory),
		cmocka_unit_test(a_refused_event_changes_nothing),
		cmocka_unit_test(the_last_cpu_stays),
		cmocka_unit_test(a_host_that_fails_changes_nothing),
		cmocka_unit_test(an_event_that_cannot_be_planned_is_taken_back),
		cmocka_unit_test(rebalance_gets_the_credit_of_the_time_that_passed),
		cmocka_unit_test(a_thousand_vms_come_and_go),
		cmocka_unit_test(an_event_frees_what_it_owns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
