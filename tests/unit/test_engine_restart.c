// SPDX-License-Identifier: MIT
/* What a daemon finds: another one's placements and records, or nothing of ours. */
#include "config.h"

#include "daemon/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "stage.h"

static void
a_restart_takes_over_what_is_right_without_one_set(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	stage_stop(s);
	assert_true(stage_has_record(s, 100));
	logcatch_forget(&s->log);
	/* no waiting for a turn either: it is ours */
	s->config.adopt = SETTINGS_ADOPT_GRADUAL;
	s->config.rebalance_moves_per_min = 0;
	vm = stage_start_with(s, "100");
	stage_audit(s);
	assert_int_equal(s->engine->stats.sets, 0);
	assert_true(vm->placed);
	assert_true(vm->touched);
	assert_false(vm->preexisting);
	assert_string_equal(strbuf_text(&s->log.text),
		"qmpind: vm 100: its monitor is shared: yield\n"
		"qmpind: 1 VM adopted as found\n");
}

static void
pinned_vcpus_stay_where_they_are_over_a_restart(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->config.mode = PLACE_PIN;
	s->config.reserved_cpus = CPUSET_NONE;
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	assert_true(s->engine->stats.sets >= 2);
	stage_stop(s);
	vm = stage_start_with(s, "100");
	stage_audit(s);
	assert_int_equal(s->engine->stats.sets, 0);
	assert_false(vm->foreign);
}

static void
drift_while_no_daemon_ran_is_repaired_by_the_next_one(void **state)
{
	struct stage *s = stage_of(state);

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	stage_stop(s);
	standin_set_mask(s->vms[0].claims[1], &s->second);
	stage_start_with(s, "100");
	stage_check_mask(s->vms[0].claims[1], &s->first);
	assert_int_equal(s->engine->stats.sets, 1);
}

/* All threads of a VM with two vCPUs and no helper. */
static void
set_all(const struct standin *vm, const struct cpuset *cpus)
{
	standin_set_mask(vm->pid, cpus);
	standin_set_mask(vm->claims[0], cpus);
	standin_set_mask(vm->claims[1], cpus);
}

static void
the_recorded_limit_holds_over_a_restart_when_masks_were_widened_by_hand(void **state)
{
	struct stage *s = stage_of(state);

	s->config.reserved_cpus = CPUSET_NONE;
	s->vms[0] = standin_new(s->vm_dir, 100);
	(void)standin_plug(&s->vms[0], 0);
	(void)standin_plug(&s->vms[0], 1);
	set_all(&s->vms[0], &s->second);
	standin_listen(&s->vms[0]);
	stage_start_with(s, "100");
	assert_int_equal(s->engine->stats.sets, 0);
	assert_true(stage_has_record(s, 100));
	stage_stop(s);
	set_all(&s->vms[0], &s->all);
	stage_start_with(s, "100");
	stage_check_mask(s->vms[0].pid, &s->second);
	stage_check_mask(s->vms[0].claims[0], &s->second);
	stage_check_mask(s->vms[0].claims[1], &s->second);
}

static void
a_record_of_an_earlier_process_does_not_limit_its_successor(void **state)
{
	struct stage *s = stage_of(state);

	s->vms[0] = standin_new(s->vm_dir, 100);
	(void)standin_plug(&s->vms[0], 0);
	(void)standin_plug(&s->vms[0], 1);
	set_all(&s->vms[0], &s->first);
	standin_listen(&s->vms[0]);
	stage_start_with(s, "100");
	stage_stop(s);
	assert_true(stage_has_record(s, 100));
	assert_int_equal(unlink(s->vms[0].socket_path), 0);
	standin_fini(&s->vms[0]);

	s->config.reserved_cpus = s->first;
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	stage_check_mask(s->vms[0].claims[0], &s->second);
	stage_check_mask(s->vms[0].pid, &s->second);
}

static void
vcpus_that_somebody_pinned_one_by_one_are_left_alone(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	standin_set_mask(s->vms[0].claims[0], &s->second);
	standin_set_mask(s->vms[0].claims[1], &s->first);
	vm = stage_start_with(s, "100");
	stage_audit(s);
	assert_int_equal(s->engine->stats.sets, 0);
	assert_true(vm->foreign);
	assert_false(stage_has_record(s, 100));
	assert_non_null(strstr(vm->note, "left alone"));
}

static void
what_was_only_observed_is_no_placement_for_the_next_daemon(void **state)
{
	struct stage *s = stage_of(state);

	s->config.mode = PLACE_OBSERVE;
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	stage_stop(s);
	s->config.mode = PLACE_AUTO;
	stage_start_with(s, "100");
	stage_check_mask(s->vms[0].claims[0], &s->first);
	assert_int_equal(s->engine->stats.sets, 4);
}

/* As its tag would have it. */
static void
opt(struct stage *s, struct vm *vm, bool off)
{
	vm->wishes.optin = (struct optin){.by = off ? OPTIN_BY_TAG : OPTIN_BY_NOBODY,
		.has_mode = off,
		.mode = PLACE_OFF};
	engine_kick(s->engine, vm, CAUSE_CONFIG);
	stage_settle(s);
}

/* Else it would stay on all CPUs, as one that was placed there. */
static void
a_vm_that_was_off_is_placed_anew_when_it_is_on_again(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	struct cpuset place;

	s->apart = true;
	s->config.reserved_cpus = CPUSET_NONE;
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	place = vm->domain;
	assert_true(vm->placed);
	assert_false(cpuset_equal(&place, &s->all));
	opt(s, vm, true);
	assert_false(vm->placed);
	stage_check_mask(s->vms[0].claims[0], &s->all);
	opt(s, vm, false);
	assert_true(vm->placed);
	stage_check_mask(s->vms[0].claims[0], &place);
	opt(s, vm, true);
	stage_check_mask(s->vms[0].claims[0], &s->all);
	stage_stop(s);
	vm = stage_start_with(s, "100"); /* which knows of no tag */
	assert_true(vm->placed);
	stage_check_mask(s->vms[0].claims[0], &place);
}

#define ON_STAGE(test) \
	cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(a_restart_takes_over_what_is_right_without_one_set),
		ON_STAGE(pinned_vcpus_stay_where_they_are_over_a_restart),
		ON_STAGE(drift_while_no_daemon_ran_is_repaired_by_the_next_one),
		ON_STAGE(
			the_recorded_limit_holds_over_a_restart_when_masks_were_widened_by_hand),
		ON_STAGE(a_record_of_an_earlier_process_does_not_limit_its_successor),
		ON_STAGE(vcpus_that_somebody_pinned_one_by_one_are_left_alone),
		ON_STAGE(what_was_only_observed_is_no_placement_for_the_next_daemon),
		ON_STAGE(a_vm_that_was_off_is_placed_anew_when_it_is_on_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
