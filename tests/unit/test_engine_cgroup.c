// SPDX-License-Identifier: MIT
/*
 * What a VM's cgroup leaves it, changed while the VM runs: the engine on real threads,
 * and a hierarchy of files that the test writes. What a kernel does to masks when a
 * cpuset changes the test does itself.
 */
#include "config.h"

#include "daemon/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "daemon/seating.h"
#include "host/cgroup.h"
#include "stage.h"
#include "trees.h"

#define TOP "cgroups/sys/fs/cgroup"
/* A quota is not read at each audit. */
#define QUOTA_AUDITS 8u

/* Write a file of the group in which this process, and so the stand-ins, are. */
static void
write_own(const struct stage *s, const char *file, const char *text)
{
	char path[CGROUP_PATH_MAX];
	auto_free char *name = NULL;

	if (cgroup_of_process(s->procfd, getpid(), path) < 0)
		str_copy(path, sizeof(path), "/"); /* then no VM has a group */
	name = xasprintf("%s%s/%s", TOP, path[1] != '\0' ? path : "", file);
	trees_write(s->folder, name, text);
}

static void
write_cpuset(const struct stage *s, const struct cpuset *cpus)
{
	char text[CPUSET_TEXT_MAX];

	write_own(s, "cpuset.cpus.effective", cpuset_format(cpus, text, sizeof(text)));
}

/* A stage with a hierarchy; skips the test where processes are in no group. */
static struct stage *
stage_with_groups(void **state, const struct cpuset *cpus)
{
	struct stage *s = stage_of(state);
	auto_free char *root = xasprintf("%s/cgroups", s->folder);
	char path[CGROUP_PATH_MAX];
	struct err e = ERR_NONE;

	if (cgroup_of_process(s->procfd, getpid(), path) < 0)
		skip();
	trees_write(s->folder, TOP "/cgroup.controllers", "cpuset cpu\n");
	write_cpuset(s, cpus);
	s->cgroupfd = cgroup_open(root, &e);
	assert_true(s->cgroupfd >= 0);
	return s;
}

static struct stage *
stage_of_two(void **state)
{
	struct stage *s = stage_of(state);

	s->config.reserved_cpus = CPUSET_NONE;
	return stage_with_groups(state, &s->all);
}

/* As kernels before 6.2: every mask is the whole cpuset then. */
static void
change_cpuset(const struct stage *s, const struct vm *vm, const struct cpuset *cpus)
{
	write_cpuset(s, cpus);
	for (size_t i = 0; i < vm->n_tasks; i++)
		standin_set_mask(vm->tasks[i].thread.tid, cpus);
}

static void
a_narrowed_cpuset_moves_its_vm_within_one_audit(void **state)
{
	struct stage *s = stage_of_two(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	stage_check_mask(s->vms[0].claims[0], &s->all);
	write_cpuset(s, &s->second); /* the masks are as they were: of both CPUs */
	stage_audit(s);
	stage_check_mask(s->vms[0].claims[0], &s->second);
	assert_true(cpuset_equal(&vm->domain, &s->second));
	assert_int_equal(s->engine->stats.repairs, 0);
	change_cpuset(s, vm, &s->all);
	stage_audit(s);
	stage_check_mask(s->vms[0].claims[0], &s->all); /* its domain is whole again */
	assert_int_equal(s->engine->stats.repairs, 0);
}

static void
masks_that_a_cpuset_has_widened_are_put_back_and_no_drift(void **state)
{
	struct stage *s = stage_of_two(state);
	struct cpuset one;
	struct vm *vm;

	s->config.mode = PLACE_PIN;
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	one = standin_mask(s->vms[0].claims[0]);
	assert_int_equal(cpuset_count(&one), 1);
	change_cpuset(s, vm, &one);
	stage_audit(s);
	logcatch_forget(&s->log);
	change_cpuset(s, vm, &s->all);
	stage_audit(s);
	stage_check_mask(s->vms[0].claims[0], &one);
	assert_int_equal(s->engine->stats.repairs, 0);
	assert_int_equal(logcatch_count(&s->log, "vm 100: vCPU 0 "), 1);
	assert_true(logcatch_count(&s->log, " (cgroup") > 0);
	assert_int_equal(logcatch_count(&s->log, "drift"), 0);
}

static void
a_cpuset_that_was_narrow_at_first_is_no_limit_for_ever(void **state)
{
	struct stage *s = stage_of_two(state);
	struct vm *vm;

	write_cpuset(s, &s->first);
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	standin_set_mask(s->vms[0].pid, &s->first);
	standin_set_mask(s->vms[0].claims[0], &s->first);
	vm = stage_start_with(s, "100");
	assert_true(cpuset_within(&s->all, &vm->record.limit));
	change_cpuset(s, vm, &s->second);
	stage_audit(s);
	assert_true(cpuset_equal(&vm->domain, &s->second));
	stage_check_mask(s->vms[0].claims[0], &s->second);
}

static void
a_mask_that_is_narrower_than_the_cpuset_is_a_limit(void **state)
{
	struct stage *s = stage_of_two(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	standin_set_mask(s->vms[0].pid, &s->second);
	standin_set_mask(s->vms[0].claims[0], &s->second);
	vm = stage_start_with(s, "100");
	assert_true(cpuset_equal(&vm->record.limit, &s->second));
	stage_check_mask(s->vms[0].claims[0], &s->second);
}

/* An isolated partition takes its CPUs from the cpusets of all others. */
static void
isolated_cpus_that_the_cpuset_has_taken_are_not_missed_in_the_mask(void **state)
{
	struct stage *s = stage_of_two(state);
	struct cpuset all = cpuset_below(CPUSET_CAP);
	struct vm *vm;

	s->isolcpus = s->second;
	write_cpuset(s, &s->first);
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	standin_set_mask(s->vms[0].pid, &s->first);
	standin_set_mask(s->vms[0].claims[0], &s->first);
	vm = stage_start_with(s, "100");
	assert_true(cpuset_equal(&vm->record.limit, &all));
	stage_check_mask(s->vms[0].claims[0], &s->first);
}

static void
a_cpuset_that_leaves_nothing_leaves_the_vm_alone_and_says_why(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	uint64_t sets;

	(void)stage_with_groups(state, &s->all); /* the second CPU is reserved */
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	sets = s->engine->stats.sets;
	change_cpuset(s, vm, &s->second);
	stage_audit(s);
	stage_audit(s);
	assert_int_equal(s->engine->stats.sets, sets);
	stage_check_mask(s->vms[0].claims[0], &s->second);
	assert_null(strstr(vm->note, "2047"));
	assert_non_null(strstr(vm->note, "cgroup's cpuset"));
	assert_non_null(strstr(vm->note, "1 online, 1 reserved"));
	change_cpuset(s, vm, &s->all);
	stage_audit(s);
	stage_check_mask(s->vms[0].claims[0], &s->first);
	assert_string_equal(vm->note, "");
}

static void
a_cpuset_of_many_vms_makes_one_pass(void **state)
{
	struct stage *s = stage_of_two(state);
	uint64_t passes;

	for (unsigned int i = 0; i < 3; i++)
		s->vms[i] = standin_vm(s->vm_dir, 100 + (int)i, 1);
	stage_start(s);
	(void)stage_until_seen(s, "100");
	(void)stage_until_seen(s, "101");
	(void)stage_until_seen(s, "102");
	stage_settle(s);
	passes = s->engine->stats.passes;
	write_cpuset(s, &s->second);
	stage_audit(s);
	assert_int_equal(s->engine->stats.passes, passes + 1);
	for (unsigned int i = 0; i < 3; i++)
		stage_check_mask(s->vms[i].claims[0], &s->second);
	stage_audit(s);
	assert_int_equal(s->engine->stats.passes, passes + 1);
}

static void
a_quota_is_the_planners_within_some_audits(void **state)
{
	struct stage *s = stage_of_two(state);
	struct seating seats;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	(void)stage_start_with(s, "100");
	seating_init(&seats, s->engine);
	assert_float_equal(seats.in.vms[0].cpulimit, 0, 0);
	seating_fini(&seats);
	write_own(s, "cpu.max", "50000 100000\n");
	for (unsigned int i = 0; i < QUOTA_AUDITS; i++)
		stage_audit(s);
	seating_init(&seats, s->engine);
	assert_float_equal(seats.in.vms[0].cpulimit, 0.5, 0);
	seating_fini(&seats);
}

static void
a_vm_whose_group_has_gone_is_looked_for_once(void **state)
{
	struct stage *s = stage_of_two(state);
	uint64_t passes;
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	assert_true(vm->confine.bounded);
	passes = s->engine->stats.passes;
	trees_cut(s->folder, TOP);
	for (unsigned int i = 0; i < 3; i++)
		stage_audit(s);
	assert_false(vm->confine.bounded);
	assert_int_equal(s->engine->stats.passes, passes + 1);
	assert_true(vm->placed);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_narrowed_cpuset_moves_its_vm_within_one_audit),
		TEST(masks_that_a_cpuset_has_widened_are_put_back_and_no_drift),
		TEST(a_cpuset_that_was_narrow_at_first_is_no_limit_for_ever),
		TEST(a_mask_that_is_narrower_than_the_cpuset_is_a_limit),
		TEST(isolated_cpus_that_the_cpuset_has_taken_are_not_missed_in_the_mask),
		TEST(a_cpuset_that_leaves_nothing_leaves_the_vm_alone_and_says_why),
		TEST(a_cpuset_of_many_vms_makes_one_pass),
		TEST(a_quota_is_the_planners_within_some_audits),
		TEST(a_vm_whose_group_has_gone_is_looked_for_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
