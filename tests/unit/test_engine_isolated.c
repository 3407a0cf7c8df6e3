// SPDX-License-Identifier: MIT
/*
 * CPUs that the kernel has isolated: its processes start without them, which is
 * nobody's limit. The engine on real threads; the second of two CPUs is isolated, and
 * the masks that such a kernel gives are set by the test.
 */
#include "config.h"

#include "daemon/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "daemon/giveback.h"
#include "daemon/survey.h"
#include "stage.h"

static struct stage *
stage_of_one_isolated(void **state)
{
	struct stage *s = stage_of(state);

	s->config.reserved_cpus = CPUSET_NONE;
	s->isolcpus = s->second;
	return s;
}

/* A VM that was started with this mask; not looked at yet. */
static struct standin *
start_vm(struct stage *s, const struct cpuset *mask)
{
	struct standin *vm = &s->vms[0];

	*vm = standin_vm(s->vm_dir, 100, 1);
	standin_set_mask(vm->pid, mask);
	standin_set_mask(vm->claims[0], mask);
	return vm;
}

/* VMs may ask for the isolated CPU, and this one does. */
static void
ask_for_it(struct stage *s)
{
	s->config.mode = PLACE_PIN;
	s->config.isolated_cpus = s->second;
}

static bool
has_no_limit(const struct stage *s, const struct vm *vm)
{
	struct cpuset all = cpuset_below(CPUSET_CAP);
	struct cpuset reach = survey_reach(s->engine, &vm->record.limit);

	return cpuset_equal(&reach, &all);
}

static void
who_asks_is_pinned_there_though_its_inherited_mask_lacks_it(void **state)
{
	struct stage *s = stage_of_one_isolated(state);
	struct standin *qemu = start_vm(s, &s->first);
	struct vm *vm;

	ask_for_it(s);
	vm = stage_start_with(s, "100");
	assert_true(has_no_limit(s, vm));
	stage_check_mask(qemu->claims[0], &s->second);
	stage_check_mask(qemu->pid, &s->first);
}

static void
who_does_not_ask_stays_away_and_has_no_limit(void **state)
{
	struct stage *s = stage_of_one_isolated(state);
	struct standin *qemu = start_vm(s, &s->first);
	struct vm *vm;

	s->config.isolated_cpus = s->second;
	vm = stage_start_with(s, "100");
	assert_true(has_no_limit(s, vm));
	stage_check_mask(qemu->claims[0], &s->first);
	stage_check_mask(qemu->pid, &s->first);
	assert_true(cpuset_equal(&vm->domain, &s->first));
}

static void
one_that_may_use_all_is_kept_away_too(void **state)
{
	struct stage *s = stage_of_one_isolated(state);
	struct standin *qemu = start_vm(s, &s->all);

	(void)stage_start_with(s, "100");
	stage_check_mask(qemu->claims[0], &s->first);
	stage_check_mask(qemu->pid, &s->first);
}

/* nohz_full takes nothing from the masks of processes. */
static void
a_cpu_of_nohz_full_in_the_mask_does_not_make_it_a_limit(void **state)
{
	struct stage *s = stage_of_one_isolated(state);
	struct standin *qemu = start_vm(s, &s->first);
	struct vm *vm;

	ask_for_it(s);
	s->nohz_full = s->all;
	vm = stage_start_with(s, "100");
	assert_true(has_no_limit(s, vm));
	stage_check_mask(qemu->claims[0], &s->second);
}

static void
a_restart_moves_nothing(void **state)
{
	struct stage *s = stage_of_one_isolated(state);
	struct standin *qemu = start_vm(s, &s->first);
	struct vm *vm;

	ask_for_it(s);
	(void)stage_start_with(s, "100");
	stage_stop(s);
	vm = stage_start_with(s, "100");
	assert_true(has_no_limit(s, vm));
	assert_int_equal(s->engine->stats.sets, 0);
	stage_check_mask(qemu->claims[0], &s->second);
	stage_check_mask(qemu->pid, &s->first);
}

static void
ignore_step(void *arg, const struct giveback_step *step)
{
	(void)arg;
	assert_int_equal(step->r, 0);
}

/* On an isolated CPU a thread stays for ever when its mask has others as well. */
static void
what_is_given_back_has_no_isolated_cpu(void **state)
{
	struct stage *s = stage_of_one_isolated(state);
	struct standin *qemu = start_vm(s, &s->first);
	struct vm *vm;

	ask_for_it(s);
	vm = stage_start_with(s, "100");
	stage_check_mask(qemu->claims[0], &s->second);
	assert_int_equal(giveback_process(s->procfd, vm->identity.pidfd, &vm->record,
				 ignore_step, NULL),
		0);
	stage_check_mask(qemu->claims[0], &s->first);
	stage_check_mask(qemu->pid, &s->first);
}

static void
a_mask_of_the_isolated_cpu_alone_is_a_limit_that_is_named(void **state)
{
	struct stage *s = stage_of_one_isolated(state);
	struct standin *qemu = start_vm(s, &s->second);
	struct vm *vm = stage_start_with(s, "100");

	assert_true(cpuset_equal(&vm->record.limit, &s->second));
	assert_int_equal(s->engine->stats.sets, 0);
	stage_check_mask(qemu->claims[0], &s->second);
	assert_non_null(strstr(vm->note, "1 online, 0 reserved, 1 isolated"));
}

/* Without the isolated CPU, and without others as well: somebody's limit. */
static void
a_mask_that_lacks_another_cpu_too_is_a_limit(void **state)
{
	struct stage *s = stage_of_one_isolated(state);
	struct vm *vm;

	s->isolcpus = cpuset_of(CPUSET_CAP - 1); /* none of those there are */
	(void)start_vm(s, &s->first);
	ask_for_it(s);
	vm = stage_start_with(s, "100");
	assert_true(cpuset_equal(&vm->record.limit, &s->first));
	assert_false(has_no_limit(s, vm));
	stage_check_mask(s->vms[0].claims[0], &s->first);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_asks_is_pinned_there_though_its_inherited_mask_lacks_it),
		TEST(who_does_not_ask_stays_away_and_has_no_limit),
		TEST(one_that_may_use_all_is_kept_away_too),
		TEST(a_cpu_of_nohz_full_in_the_mask_does_not_make_it_a_limit),
		TEST(a_restart_moves_nothing),
		TEST(what_is_given_back_has_no_isolated_cpu),
		TEST(a_mask_of_the_isolated_cpu_alone_is_a_limit_that_is_named),
		TEST(a_mask_that_lacks_another_cpu_too_is_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
