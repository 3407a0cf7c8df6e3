// SPDX-License-Identifier: MIT
/* VMs that wait and are in no state to be widened, and what becomes of one that was
 * when its mode or the host changes. From counters in files to wants: no threads. */
#include "config.h"

#include "daemon/squeeze.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/planning.h"
#include "layouts.h"
#include "topo/lat.h"
#include "trees.h"
#include "vmtable.h"

#define ROUND_MS 2000u
#define DWELL_US (UINT64_C(300) * 1000000)

struct scene {
	struct vmtable *t;
	char *dir; /* with the counters of 100 */
	uint64_t run_ms;
	uint64_t wait_ms;
};

/* 100 and 101 on node 0, node 1 idles. Only 100 has counters. */
static void
crowd(struct scene *s)
{
	struct cpuset here = cpuset_below(4);

	for (unsigned int i = 0; i < VMTABLE_VMS; i++) {
		struct vm *vm = s->t->vms[i];

		vmtable_place(vm, &here);
		vm->facts.n_vcpus = 0; /* else guest nodes would have a say */
		vm->task_dirfd = -1;
	}
	s->t->vms[2]->surveyed = false;
	s->t->vms[0]->task_dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(s->t->vms[0]->task_dirfd >= 0);
}

static int
setup(void **state)
{
	struct scene *s = xcalloc(1, sizeof(*s));

	(void)vmtable_setup((void **)&s->t);
	s->dir = trees_new();
	*state = s;
	crowd(s);
	return 0;
}

static int
teardown(void **state)
{
	struct scene *s = *state;
	void *t = s->t;

	vmtable_teardown(&t);
	trees_remove(s->dir);
	free(s);
	return 0;
}

/* A round of the audit, in which each vCPU of 100 ran and waited so much. */
static void
audit(struct scene *s, uint64_t run_ms, uint64_t wait_ms)
{
	struct vm *vm = s->t->vms[0];

	s->run_ms += run_ms;
	s->wait_ms += wait_ms;
	for (size_t i = 0; i < vm->n_tasks; i++) {
		auto_free char *name =
			xasprintf("%d/schedstat", (int)vm->tasks[i].thread.tid);
		auto_free char *text = xasprintf("%llu000000 %llu000000 1\n",
			(unsigned long long)s->run_ms, (unsigned long long)s->wait_ms);

		trees_write(s->dir, name, text);
	}
	s->t->now_us += ROUND_MS * 1000;
	squeeze_look(&s->t->engine, vm);
	squeeze_decide(&s->t->engine);
}

/* Rounds that are enough for anybody. */
static void
let_it_wait(struct scene *s)
{
	for (unsigned int i = 0; i < 3; i++)
		audit(s, 1000, 900);
}

/* What a pass does about the causes there are. */
static void
plan(struct scene *s)
{
	struct err e = ERR_NONE;

	if (planning_run(&s->t->engine, false, &e) < 0)
		fail_msg("%s", e.text);
	for (unsigned int i = 0; i < VMTABLE_VMS; i++) {
		struct vm *vm = s->t->vms[i];

		vm->causes = vm->active = 0;
		vm->fresh = false;
		for (size_t k = 0; k < vm->n_tasks; k++) {
			vm->tasks[k].have = vm->tasks[k].want;
			vm->tasks[k].applied = vm->tasks[k].wanted;
		}
	}
}

static void
widen(struct scene *s)
{
	let_it_wait(s);
	assert_int_equal(s->t->vms[0]->causes, cause_bit(CAUSE_WAITING));
	plan(s);
	assert_int_equal(cpuset_count(&s->t->vms[0]->domain), 8);
	assert_true(s->t->vms[0]->record.wide.until_us > 0);
}

/* It waited, that is known, and it is nobody's business. */
static void
check_left_alone(const struct scene *s)
{
	const struct vm *vm = s->t->vms[0];

	assert_true(squeeze_wait_pct(vm) > 40);
	assert_int_equal(vm->causes, 0);
	assert_null(squeeze_waited(vm));
	assert_int_equal(vm->record.wide.until_us, 0);
	assert_string_equal(vm->squeeze.note, "");
	assert_int_equal(logcatch_count(&s->t->log, "wait"), 0);
}

/* It rests no more, nothing was said, and a restart does not think otherwise. */
static void
check_forgotten(const struct scene *s)
{
	const struct vm *vm = s->t->vms[0];

	assert_null(squeeze_waited(vm));
	assert_int_equal(vm->record.wide.until_us, 0);
	assert_true(vm->record_dirty);
	assert_string_equal(vm->squeeze.note, "");
	assert_int_equal(logcatch_count(&s->t->log, "idle"), 0);
}

static void
one_that_runs_and_is_ours_is_widened(void **state)
{
	struct scene *s = *state;

	widen(s);
	assert_non_null(squeeze_waited(s->t->vms[0]));
}

static void
in_a_dry_run_nothing_is_done_or_said(void **state)
{
	struct scene *s = *state;

	s->t->engine.dry_run = true;
	let_it_wait(s);
	check_left_alone(s);
}

static void
an_observed_one_is_left_alone(void **state)
{
	struct scene *s = *state;

	s->t->vms[0]->observe_only = true;
	let_it_wait(s);
	check_left_alone(s);
}

static void
a_paused_one_is_left_alone(void **state)
{
	struct scene *s = *state;

	s->t->vms[0]->facts.running = false;
	let_it_wait(s);
	check_left_alone(s);
}

static void
one_in_peace_is_left_alone_and_looked_at_afterwards(void **state)
{
	struct scene *s = *state;
	struct vm *vm = s->t->vms[0];

	vm->peace_until_us = UINT64_MAX;
	let_it_wait(s);
	check_left_alone(s);
	vm->peace_until_us = 0;
	audit(s, 1000, 900);
	assert_int_equal(vm->causes, cause_bit(CAUSE_WAITING));
}

/* Its vCPUs may be anywhere: what they wait is not the plan's fault. */
static void
one_whose_masks_are_not_what_is_wanted_is_left_alone(void **state)
{
	struct scene *s = *state;
	struct vm *vm = s->t->vms[0];

	for (size_t i = 0; i < vm->n_tasks; i++)
		vm->tasks[i].applied = false;
	let_it_wait(s);
	check_left_alone(s);
}

/* Paused with wide masks: they are wide when it goes on. */
static void
one_that_is_paused_while_widened_stays_wide(void **state)
{
	struct scene *s = *state;

	widen(s);
	s->t->vms[0]->facts.running = false;
	audit(s, 0, 0);
	plan(s);
	assert_non_null(squeeze_waited(s->t->vms[0]));
	assert_int_equal(cpuset_count(&s->t->vms[0]->domain), 8);
}

static void
one_that_is_to_be_pinned_while_widened_floats_on_until_it_has_rested(void **state)
{
	struct scene *s = *state;
	struct err e = ERR_NONE;
	struct cpuset cpus;

	widen(s);
	vmtable_configure(s->t, "[vm 100]\nmode = pin\n");
	plan(s);
	assert_int_equal(cpuset_count(&s->t->vms[0]->domain), 8);
	s->t->now_us += DWELL_US;
	assert_int_equal(planning_run(&s->t->engine, true, &e), 0);
	cpus = vm_vcpu_cpus(s->t->vms[0]);
	assert_int_equal(cpuset_count(&cpus), VMTABLE_VCPUS);
}

/* What it waited on other CPUs is no reason to warn. */
static void
one_that_becomes_dedicated_while_widened_is_not_complained_of(void **state)
{
	struct scene *s = *state;
	struct cpuset cpus;

	widen(s);
	vmtable_configure(s->t, "[vm 100]\nmode = dedicated\n");
	plan(s);
	cpus = vm_vcpu_cpus(s->t->vms[0]);
	assert_int_equal(cpuset_count(&cpus), VMTABLE_VCPUS);
	check_forgotten(s);
}

static void
one_that_is_only_observed_from_now_on_is_forgotten(void **state)
{
	struct scene *s = *state;

	widen(s);
	vmtable_configure(s->t, "[vm 100]\nmode = observe\n");
	plan(s);
	check_forgotten(s);
}

static void
one_that_is_off_from_now_on_is_forgotten(void **state)
{
	struct scene *s = *state;

	widen(s);
	vmtable_configure(s->t, "[vm 100]\nmode = off\n");
	plan(s);
	check_forgotten(s);
}

/* The host as before, without these CPUs. */
static void
lose_cpus(struct scene *s, unsigned int first, unsigned int end)
{
	static const struct layout layout = {
		.packages = 1, .nodes = 2, .l3s = 1, .cores = 4, .threads = 1};
	struct hostmodel *h = &s->t->engine.host;
	struct topo_facts f = hosts_facts(&layout);
	struct err e = ERR_NONE;
	struct lat_view view;
	unsigned int n = 0;

	for (unsigned int i = 0; i < f.n_cpus; i++) {
		if (f.cpus[i].cpu < first || f.cpus[i].cpu >= end)
			f.cpus[n++] = f.cpus[i];
	}
	f.n_cpus = n;
	hostmodel_fini(h);
	if (topo_build(&f, &h->topo, &e) < 0)
		fail_msg("%s", e.text);
	topo_facts_fini(&f);
	h->latency_ns = lat_class_matrix(h->topo, lat_classes_default());
	view = hostmodel_latency(h);
	h->ranking = ranking_from_topo(h->topo, &view);
}

static void
one_cpu_that_goes_does_not_narrow_it_to_where_it_waited(void **state)
{
	struct scene *s = *state;

	widen(s);
	lose_cpus(s, 5, 6);
	plan(s);
	assert_non_null(squeeze_waited(s->t->vms[0]));
	assert_int_equal(cpuset_count(&s->t->vms[0]->domain), 7);
}

static void
when_all_that_idled_has_gone_it_is_forgotten(void **state)
{
	struct scene *s = *state;

	widen(s);
	lose_cpus(s, 4, 8);
	plan(s);
	assert_int_equal(cpuset_count(&s->t->vms[0]->domain), 4);
	check_forgotten(s);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(one_that_runs_and_is_ours_is_widened),
		T(in_a_dry_run_nothing_is_done_or_said),
		T(an_observed_one_is_left_alone),
		T(a_paused_one_is_left_alone),
		T(one_in_peace_is_left_alone_and_looked_at_afterwards),
		T(one_whose_masks_are_not_what_is_wanted_is_left_alone),
		T(one_that_is_paused_while_widened_stays_wide),
		T(one_that_is_to_be_pinned_while_widened_floats_on_until_it_has_rested),
		T(one_that_becomes_dedicated_while_widened_is_not_complained_of),
		T(one_that_is_only_observed_from_now_on_is_forgotten),
		T(one_that_is_off_from_now_on_is_forgotten),
		T(one_cpu_that_goes_does_not_narrow_it_to_where_it_waited),
		T(when_all_that_idled_has_gone_it_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
