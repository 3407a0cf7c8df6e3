// SPDX-License-Identifier: MIT
/*
 * From a VM's appearance to the masks of its threads: the real engine, monitor and
 * system calls on a process that stands in for QEMU.
 */
#include "config.h"

#include "daemon/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stage.h"
#include "vm/task.h"

/* The threads of a stand-in VM that are set: vCPUs, main thread, monitor's thread. */
#define SETS_OF(n_vcpus) ((n_vcpus) + 2u)

static void
a_vm_that_starts_is_placed_by_one_pass(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	stage_start(s);
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_until_seen(s, "100");
	assert_int_equal(s->engine->stats.passes, 1);
	assert_int_equal(s->engine->stats.sets, SETS_OF(2));
	assert_true(vm->placed);
	assert_int_equal(vm->state, VM_WATCHING);
	stage_check_mask(s->vms[0].pid, &s->first);
	stage_check_mask(s->vms[0].claims[0], &s->first);
	stage_check_mask(s->vms[0].claims[1], &s->first);
	assert_int_equal(logcatch_count(&s->log, "vm 100: vCPUs 0-1 "), 1);
	assert_int_equal(logcatch_count(&s->log, "(appeared; "), 2);
}

static void
right_masks_are_never_set_again(void **state)
{
	struct stage *s = stage_of(state);

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	assert_int_equal(s->engine->stats.sets, SETS_OF(2));
	logcatch_forget(&s->log);
	for (unsigned int i = 0; i < 5; i++) {
		stage_audit_later(s);
		engine_kick_all(s->engine, CAUSE_RESUME);
		stage_settle(s);
	}
	stage_reload(s, "[qmpin]\n");
	assert_int_equal(s->engine->stats.passes, 7);
	assert_int_equal(s->engine->stats.sets, SETS_OF(2));
	assert_string_equal(strbuf_text(&s->log.text), "");
}

static void
drift_of_one_thread_is_repaired_counted_and_told(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	tid = s->vms[0].claims[1];
	standin_set_mask(tid, &s->second);
	stage_audit(s);
	stage_check_mask(tid, &s->first);
	assert_int_equal(s->engine->stats.sets, SETS_OF(2) + 1);
	assert_int_equal(s->engine->stats.repairs, 1);
	assert_int_equal(vm->repairs, 1);
	assert_int_equal(vm->last_cause, CAUSE_DRIFT);
	assert_int_equal(logcatch_count(&s->log, "vm 100: vCPU 1 "), 1);
	assert_int_equal(logcatch_count(&s->log, " (drift: only one vCPU set to "), 1);
	assert_int_equal(vm->drift.repairs[DRIFT_THREAD], 1);
}

/* The owner of the engine knows better. */
static bool
on_audit(void *owner)
{
	(void)owner;
	return false;
}

static void
masks_of_an_unsettled_host_are_not_taken_for_drift(void **state)
{
	struct stage *s = stage_of(state);
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	tid = s->vms[0].claims[1];
	standin_set_mask(tid, &s->second);
	s->engine->on_audit = on_audit;
	stage_audit(s);
	stage_check_mask(tid, &s->second);
	engine_kick_all(s->engine, CAUSE_HOST);
	stage_settle(s);
	stage_check_mask(tid, &s->first);
	assert_int_equal(s->engine->stats.repairs, 0);
	assert_int_equal(logcatch_count(&s->log, " (host CPUs"), 1);
	standin_set_mask(tid, &s->second);
	s->engine->on_audit = NULL;
	stage_audit(s);
	stage_check_mask(tid, &s->first);
	assert_int_equal(s->engine->stats.repairs, 1);
}

static void
a_worker_is_left_alone_for_two_seconds_and_set_then(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t worker;

	s->vms[0] = standin_new(s->vm_dir, 100);
	(void)standin_plug(&s->vms[0], 0);
	worker = standin_thread(&s->vms[0], "worker");
	standin_listen(&s->vms[0]);
	vm = stage_start_with(s, "100");
	stage_check_mask(worker, &s->all);
	stage_pass_ms(s, 1999);
	stage_audit(s);
	stage_check_mask(worker, &s->all);
	stage_pass_ms(s, 1);
	stage_audit(s);
	stage_check_mask(worker, &s->first);
	assert_int_equal(vm->repairs, 0);
	standin_set_mask(worker, &s->second);
	stage_audit(s);
	assert_int_equal(vm->repairs, 1);
	assert_int_equal(logcatch_count(&s->log, "vm 100: worker "), 1);
	assert_int_equal(logcatch_count(&s->log, " (drift: "), 1);
}

static void
a_worker_that_comes_later_is_set_without_asking_qmp(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t worker;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	worker = standin_thread(&s->vms[0], "worker");
	standin_set_mask(worker, &s->all);
	stage_audit(s);
	assert_int_equal(s->engine->stats.passes, 1);
	assert_int_equal(vm_task_find(vm, worker)->thread.class, THREAD_WORKER);
	stage_audit_later(s);
	stage_check_mask(worker, &s->first);
	standin_end_thread(&s->vms[0], worker);
	stage_audit(s);
	assert_null(vm_task_find(vm, worker));
	assert_int_equal(s->engine->stats.passes, 2);
}

static void
a_plugged_vcpu_is_pinned_and_no_other_one_is_moved(void **state)
{
	struct stage *s = stage_of(state);
	struct cpuset had;
	struct vm *vm;
	pid_t tid;

	s->config.mode = PLACE_PIN;
	s->config.reserved_cpus = CPUSET_NONE;
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	had = standin_mask(s->vms[0].claims[0]);
	assert_int_equal(cpuset_count(&had), 1);
	logcatch_forget(&s->log);
	tid = standin_plug(&s->vms[0], 1);
	standin_set_mask(tid, &s->all);
	standin_event(&s->vms[0], "ACPI_DEVICE_OST");
	stage_until_said(s, "vm 100: vCPU 1 ");
	assert_int_equal(logcatch_count(&s->log, "(hotplug; "), 2); /* emulator */
	assert_int_equal(logcatch_count(&s->log, "vCPU 0"), 0);
	assert_int_equal(vm->facts.n_vcpus, 2);
	stage_check_mask(s->vms[0].claims[0], &had);
	had = cpuset_minus(&s->all, &had);
	stage_check_mask(tid, &had);
}

static void
a_vcpu_that_no_event_told_of_is_found_by_the_audit(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	tid = standin_plug(&s->vms[0], 3);
	standin_set_mask(tid, &s->all);
	stage_audit(s);
	stage_check_mask(tid, &s->first);
	assert_int_equal(vm_task_find(vm, tid)->thread.index, 3);
	assert_int_equal(vm->last_cause, CAUSE_THREADS);
}

static uint64_t
start_ticks(const struct stage *s, pid_t tid)
{
	struct task_stat stat;

	assert_int_equal(task_stat_read(s->procfd, s->vms[0].pid, tid, &stat), 0);
	return stat.start_ticks;
}

/* What the kernel's clock tells apart from @tid begins after this. */
static void
pass_a_tick(struct stage *s, pid_t tid)
{
	uint64_t began = start_ticks(s, tid);
	uint64_t now = began;

	while (now == began) {
		pid_t other = standin_thread(&s->vms[0], "tick");

		now = start_ticks(s, other);
		standin_end_thread(&s->vms[0], other);
	}
}

/* Its thread is there, QMP has answered before. Older threads of any name are not asked
 * about. */
static void
a_vcpu_plugged_at_first_sight_is_asked_for(void **state)
{
	struct stage *s = stage_of(state);
	struct standin *vm = &s->vms[0];

	*vm = standin_new(s->vm_dir, 100);
	pass_a_tick(s, standin_thread(vm, "kvm"));
	standin_plug(vm, 0);
	standin_listen(vm);
	stage_start_with(s, "100");
	assert_int_equal(standin_dialogues(vm), 1);
	stage_stop(s);
	standin_thread(vm, "kvm");
	stage_start_with(s, "100");
	assert_int_equal(standin_dialogues(vm), 3);
}

static void
a_vcpu_that_ends_is_forgotten(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	tid = s->vms[0].claims[1];
	standin_claim(&s->vms[0], 1, 0);
	standin_end_thread(&s->vms[0], tid);
	stage_audit(s);
	assert_null(vm_task_find(vm, tid));
	assert_int_equal(vm->facts.n_vcpus, 1);
	assert_int_equal(s->engine->stats.sets, SETS_OF(2));
	assert_true(vm->placed);
	assert_string_equal(vm->note, "");
}

/* After failures a VM rests for some audits; the third failure is followed by four. */
static void
audit_until_well(struct stage *s)
{
	for (unsigned int i = 0; i < 8; i++) {
		if (logcatch_count(&s->log, "all well again") > 0)
			return;
		stage_audit_later(s);
	}
}

static void
a_monitor_that_names_a_strangers_thread_moves_nothing_until_it_tells_the_truth(
	void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t tid;

	s->vms[1] = standin_new(s->vm_dir, 999); /* the stranger; nobody listens */
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	tid = s->vms[0].claims[0];
	standin_claim(&s->vms[0], 0, s->vms[1].pid);
	stage_start(s);
	stage_until_said(s, "has no such thread");
	vm = engine_find(s->engine, "100");
	assert_int_equal(s->engine->stats.sets, 0);
	assert_false(vm->surveyed);
	assert_non_null(strstr(vm->note, "has no such thread"));
	assert_false(stage_has_record(s, 100));
	stage_audit(s);
	assert_int_equal(logcatch_count(&s->log, "has no such thread"), 1);
	stage_check_mask(s->vms[1].pid, &s->all);
	stage_check_mask(s->vms[0].pid, &s->all);
	standin_claim(&s->vms[0], 0, tid);
	audit_until_well(s);
	stage_check_mask(tid, &s->first);
	stage_check_mask(s->vms[1].pid, &s->all);
	assert_string_equal(vm->note, "");
	assert_int_equal(logcatch_count(&s->log, "vm 100: all well again"), 1);
}

static bool
has_ended(struct stage *s, const void *arg)
{
	const struct vm *vm = engine_find(s->engine, arg);

	return vm == NULL || vm->state == VM_GONE;
}

static bool
is_unknown(struct stage *s, const void *arg)
{
	return engine_find(s->engine, arg) == NULL;
}

static void
a_process_that_ends_is_forgotten_with_its_record(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	assert_true(stage_has_record(s, 100));
	standin_kill(&s->vms[0]);
	stage_until(s, has_ended, "100", "VM 100 has ended");
	assert_int_equal(vm->state, VM_GONE);
	assert_false(vm->proven);
	assert_int_equal(vm->n_tasks, 0);
	assert_false(stage_has_record(s, 100));
	assert_int_equal(logcatch_count(&s->log, "vm 100: ended\n"), 1);
	assert_int_equal(unlink(s->vms[0].socket_path), 0);
	stage_until(s, is_unknown, "100", "VM 100 is forgotten");
	assert_int_equal(s->engine->n_vms, 0);
}

static void
a_vm_whose_monitor_others_use_keeps_its_place_and_is_repaired(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	tid = s->vms[0].claims[1];
	vm_set_state(vm, VM_YIELDED);
	standin_set_mask(tid, &s->second);
	stage_audit(s);
	stage_check_mask(tid, &s->first);
	assert_true(vm->placed);
	assert_int_equal(vm->repairs, 1);
	assert_string_equal(vm_state_name(vm->state), "yielded");
}

static void
a_monitor_that_others_only_looked_at_costs_no_pass(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	for (unsigned int i = 0; i < 3; i++) {
		engine_kick(s->engine, vm, CAUSE_USED);
		stage_settle(s);
	}
	assert_int_equal(s->engine->stats.passes, 1);
	engine_kick(s->engine, vm, CAUSE_USED);
	engine_kick(s->engine, vm, CAUSE_RELOAD);
	stage_settle(s);
	assert_int_equal(s->engine->stats.passes, 2);
}

static void
what_others_did_with_the_monitor_is_found_and_told(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	tid = standin_plug(&s->vms[0], 2);
	standin_set_mask(tid, &s->all);
	engine_kick(s->engine, vm, CAUSE_USED);
	stage_settle(s);
	stage_check_mask(tid, &s->first);
	assert_int_equal(vm->last_cause, CAUSE_THREADS);
	assert_int_equal(s->engine->stats.passes, 2);
	standin_claim(&s->vms[0], 1, 0);
	engine_kick(s->engine, vm, CAUSE_USED);
	stage_settle(s);
	assert_int_equal(s->engine->stats.passes, 3);
}

static void
a_vm_whose_socket_was_removed_is_kept_while_its_process_lives(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	assert_int_equal(unlink(s->vms[0].socket_path), 0);
	while (!vm->socket_lost)
		event_base_loop(s->base, EVLOOP_ONCE);
	standin_set_mask(s->vms[0].claims[0], &s->second);
	stage_audit(s);
	stage_check_mask(s->vms[0].claims[0], &s->first);
	standin_kill(&s->vms[0]);
	stage_until(s, is_unknown, "100", "VM 100 is forgotten");
	assert_false(stage_has_record(s, 100));
}

static void
nothing_is_set_that_could_not_be_recorded(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	/* a folder where the record is written first: also root cannot remove it */
	assert_int_equal(mkdirat(s->run_dirfd, ".100.tmp", 0700), 0);
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	for (unsigned int i = 0; i < 3; i++)
		stage_audit_later(s);
	assert_int_equal(s->engine->stats.sets, 0);
	stage_check_mask(s->vms[0].claims[0], &s->all);
	stage_check_mask(s->vms[0].pid, &s->all);
	assert_false(vm->placed);
	assert_int_equal(logcatch_count(&s->log, "warning: vm 100: "), 1);
	assert_int_equal(logcatch_count(&s->log, "all well again"), 0);
	assert_int_equal(unlinkat(s->run_dirfd, ".100.tmp", AT_REMOVEDIR), 0);
	audit_until_well(s);
	assert_int_equal(s->engine->stats.sets, SETS_OF(2));
	assert_true(vm->placed);
	assert_true(stage_has_record(s, 100));
	assert_int_equal(logcatch_count(&s->log, "all well again"), 1);
}

static void
a_note_of_trouble_stays_while_other_vms_are_planned(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	assert_int_equal(mkdirat(s->run_dirfd, ".100.tmp", 0700), 0);
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	assert_string_not_equal(vm->note, "");
	s->vms[1] = standin_vm(s->vm_dir, 101, 1);
	stage_until_seen(s, "101");
	assert_string_not_equal(vm->note, "");
	assert_int_equal(unlinkat(s->run_dirfd, ".100.tmp", AT_REMOVEDIR), 0);
	stage_audit(s);
	assert_string_equal(vm->note, "");
}

/* Nothing is set or recorded; @reports: lines that tell what would be. */
static void
check_untouched(struct stage *s, unsigned int reports)
{
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	for (unsigned int i = 0; i < 3; i++) {
		stage_audit_later(s);
		engine_kick_all(s->engine, CAUSE_RESUME);
		stage_settle(s);
	}
	assert_int_equal(s->engine->stats.sets, 0);
	assert_int_equal(s->engine->stats.repairs, 0);
	assert_false(stage_has_record(s, 100));
	assert_int_equal(logcatch_count(&s->log, "vm 100: vCPUs 0-1 "), reports);
	stage_check_mask(s->vms[0].pid, &s->all);
	stage_check_mask(s->vms[0].claims[0], &s->all);
}

static void
a_dry_run_tells_once_and_touches_nothing(void **state)
{
	struct stage *s = stage_of(state);

	s->dry_run = true;
	check_untouched(s, 1);
	assert_int_equal(logcatch_count(&s->log, "(dry run; appeared; "), 2);
}

static void
observe_tells_once_and_touches_nothing(void **state)
{
	struct stage *s = stage_of(state);

	s->config.mode = PLACE_OBSERVE;
	check_untouched(s, 1);
	assert_int_equal(logcatch_count(&s->log, "(observe; appeared; "), 2);
}

static void
a_vm_that_is_off_is_not_even_told(void **state)
{
	struct stage *s = stage_of(state);

	s->config.mode = PLACE_OFF;
	check_untouched(s, 0);
}

static void
a_vm_that_is_switched_off_keeps_its_masks_and_is_no_longer_repaired(void **state)
{
	struct stage *s = stage_of(state);
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	tid = s->vms[0].claims[0];
	stage_reload(s, "[vm 100]\nmode = off\n");
	stage_check_mask(tid, &s->first);
	standin_set_mask(tid, &s->all);
	stage_audit(s);
	stage_check_mask(tid, &s->all);
	stage_reload(s, "[qmpin]\n");
	stage_check_mask(tid, &s->first);
	assert_int_equal(s->engine->stats.sets, SETS_OF(2) + 1);
}

static void
how_monitors_are_shared_follows_a_reload(void **state)
{
	struct stage *s = stage_of(state);

	s->config.guard_ms = 33;
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	stage_start_with(s, "100");
	assert_int_equal(s->engine->commons.guard_ms, 33);
	stage_reload(s, "[qmpin]\nguard_ms = 7\n[vm 100]\nshare = brief\n");
	assert_int_equal(s->engine->commons.guard_ms, 7);
	assert_int_equal(settings_share(&s->engine->config, "100"), SHARE_BRIEF);
}

#define ON_STAGE(test) \
	cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(a_vm_that_starts_is_placed_by_one_pass),
		ON_STAGE(right_masks_are_never_set_again),
		ON_STAGE(drift_of_one_thread_is_repaired_counted_and_told),
		ON_STAGE(masks_of_an_unsettled_host_are_not_taken_for_drift),
		ON_STAGE(a_worker_is_left_alone_for_two_seconds_and_set_then),
		ON_STAGE(a_worker_that_comes_later_is_set_without_asking_qmp),
		ON_STAGE(a_plugged_vcpu_is_pinned_and_no_other_one_is_moved),
		ON_STAGE(a_vcpu_that_no_event_told_of_is_found_by_the_audit),
		ON_STAGE(a_vcpu_plugged_at_first_sight_is_asked_for),
		ON_STAGE(a_vcpu_that_ends_is_forgotten),
		ON_STAGE(
			a_monitor_that_names_a_strangers_thread_moves_nothing_until_it_tells_the_truth),
		ON_STAGE(a_process_that_ends_is_forgotten_with_its_record),
		ON_STAGE(a_vm_whose_monitor_others_use_keeps_its_place_and_is_repaired),
		ON_STAGE(a_monitor_that_others_only_looked_at_costs_no_pass),
		ON_STAGE(what_others_did_with_the_monitor_is_found_and_told),
		ON_STAGE(a_vm_whose_socket_was_removed_is_kept_while_its_process_lives),
		ON_STAGE(nothing_is_set_that_could_not_be_recorded),
		ON_STAGE(a_note_of_trouble_stays_while_other_vms_are_planned),
		ON_STAGE(a_dry_run_tells_once_and_touches_nothing),
		ON_STAGE(observe_tells_once_and_touches_nothing),
		ON_STAGE(a_vm_that_is_off_is_not_even_told),
		ON_STAGE(
			a_vm_that_is_switched_off_keeps_its_masks_and_is_no_longer_repaired),
		ON_STAGE(how_monitors_are_shared_follows_a_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
