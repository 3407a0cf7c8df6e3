// SPDX-License-Identifier: MIT
/*
 * Processes beside a QEMU, in real groups of the unified hierarchy: which of them are
 * the VM's, what becomes of their masks, and that nobody else's is ever touched.
 */
#include "config.h"

#include "daemon/kin.h"

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

#include "act/record.h"
#include "base/attr.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "procs.h"
#include "scopes.h"
#include "host/cgroup.h"
#include "stage.h"
#include "trees.h"
#include "vm/kinship.h"
#include "vm/task.h"

static const char *const swtpm[] = {"swtpm", "swtpm"};

/* A VM with a scope, and a process that may be its helper. */
struct scene {
	struct stage *s;
	struct scopes scopes;
	int vmid; /* nobody else's on this machine */
	char id[16];
	char scope[KINSHIP_SCOPE_MAX];
	struct procs_child helper;
	char *proc; /* instead of /proc; NULL: none */
};

static int
set_up(void **state)
{
	struct scene *c = xcalloc(1, sizeof(*c));
	void *stage;

	(void)stage_setup(&stage);
	c->s = stage;
	c->s->cgroupfd = cgroup_open("", NULL);
	scopes_init(&c->scopes);
	c->vmid = 100000000 + (int)getpid();
	(void)snprintf(c->id, sizeof(c->id), "%d", c->vmid);
	kinship_scope(c->id, c->scope);
	*state = c;
	return 0;
}

static int
tear_down(void **state)
{
	struct scene *c = *state;
	void *stage = c->s;

	procs_reap(&c->helper);
	(void)stage_teardown(&stage);
	scopes_fini(&c->scopes);
	if (c->proc != NULL)
		trees_remove(c->proc);
	free(c);
	return 0;
}

/* The scene with the scope made, QEMU and helper running; skips where it cannot be. */
static struct scene *
scene_of(void **state)
{
	struct scene *c = *state;
	void *stage = c->s;

	(void)stage_of(&stage);
	if (c->scopes.top == NULL) {
		print_message("needs a unified cgroup hierarchy that may be written\n");
		skip();
	}
	scopes_make(&c->scopes, c->scope);
	c->s->vms[0] = standin_vm(c->s->vm_dir, c->vmid, 1);
	c->helper = procs_spawn(swtpm, ARRAY_LEN(swtpm));
	return c;
}

static void
move_both(struct scene *c)
{
	scopes_move(&c->scopes, c->scope, c->s->vms[0].pid);
	scopes_move(&c->scopes, c->scope, c->helper.pid);
}

/* Both are in the scope, and the daemon has placed the VM. */
static struct vm *
start(struct scene *c)
{
	move_both(c);
	return stage_start_with(c->s, c->id);
}

static void
check_helper(const struct scene *c, const struct cpuset *cpus)
{
	for (size_t i = 0; i < c->helper.n_tids; i++)
		stage_check_mask(c->helper.tids[i], cpus);
}

static size_t
count(const struct vm *vm, enum thread_class class)
{
	size_t n = 0;

	for (size_t i = 0; i < vm->n_tasks; i++)
		n += vm->tasks[i].thread.class == class;
	return n;
}

static size_t
count_recorded(const struct vm *vm, pid_t pid)
{
	size_t n = 0;

	for (size_t i = 0; i < vm->record.n_threads; i++)
		n += vm->record.threads[i].pid == pid;
	return n;
}

/* Its helper is nobody's any more, but what it had can still be given back. */
static void
check_let_go(struct scene *c, const struct vm *vm)
{
	assert_int_equal(count(vm, THREAD_HELPER), 0);
	standin_set_mask(c->helper.pid, &c->s->second);
	stage_audit_later(c->s);
	stage_check_mask(c->helper.pid, &c->s->second);
	assert_int_equal(count_recorded(vm, c->helper.pid), 2);
}

static void
a_helper_in_the_scope_follows_the_emulator(void **state)
{
	struct scene *c = scene_of(state);
	const struct vm *vm = start(c);

	assert_int_equal(c->s->engine->stats.passes, 1);
	check_helper(c, &c->s->first);
	assert_int_equal(count(vm, THREAD_HELPER), 2);
	assert_int_equal(count_recorded(vm, c->helper.pid), 2);
	for (unsigned int i = 0; i < 3; i++)
		stage_audit_later(c->s);
	assert_int_equal(c->s->engine->stats.passes, 1);
}

static void
a_helper_that_comes_later_is_listed_by_one_audit_and_set_when_it_stays(void **state)
{
	struct scene *c = scene_of(state);
	struct vm *vm;

	scopes_move(&c->scopes, c->scope, c->s->vms[0].pid);
	vm = stage_start_with(c->s, c->id);
	assert_int_equal(count(vm, THREAD_HELPER), 0);
	scopes_move(&c->scopes, c->scope, c->helper.pid);
	stage_audit(c->s);
	assert_int_equal(count(vm, THREAD_HELPER), 2);
	check_helper(c, &c->s->all);
	stage_audit_later(c->s);
	check_helper(c, &c->s->first);
	assert_int_equal(vm->repairs, 0);
	procs_end_thread(&c->helper, 1);
	stage_audit_later(c->s);
	assert_int_equal(count(vm, THREAD_HELPER), 1);
	assert_int_equal(count_recorded(vm, c->helper.pid), 1);
	procs_kill(&c->helper);
	stage_audit_later(c->s);
	assert_int_equal(count(vm, THREAD_HELPER), 0);
	assert_int_equal(count_recorded(vm, c->helper.pid), 0);
	assert_string_equal(vm->note, "");
}

static void
drift_of_a_helper_is_repaired(void **state)
{
	struct scene *c = scene_of(state);
	const struct vm *vm = start(c);

	standin_set_mask(c->helper.tids[1], &c->s->second);
	stage_audit(c->s);
	check_helper(c, &c->s->first);
	assert_int_equal(vm->repairs, 1);
}

/* Wherever it is but in the scope itself. */
static void
processes_elsewhere_are_never_touched(void **state)
{
	struct scene *c = scene_of(state);
	auto_free char *below = xasprintf("%s/below", c->scope);
	auto_free char *beside = xasprintf("/qemu.slice/%d0.scope", c->vmid);
	auto_free char *other = xasprintf("/qemu.slice/%d.service", c->vmid);
	const char *const places[] = {below, beside, other, "/qemu.slice", "/"};

	for (size_t i = 0; i < 3; i++)
		scopes_make(&c->scopes, places[i]);
	scopes_move(&c->scopes, c->scope, c->s->vms[0].pid);
	stage_start_with(c->s, c->id);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		scopes_move(&c->scopes, places[i], c->helper.pid);
		stage_audit_later(c->s);
		stage_audit_later(c->s);
		check_helper(c, &c->s->all);
	}
}

static void
a_scope_without_the_vms_qemu_is_not_its_own(void **state)
{
	struct scene *c = scene_of(state);
	auto_free char *below = xasprintf("%s/below", c->scope);
	const struct vm *vm;

	scopes_move(&c->scopes, c->scope, c->helper.pid);
	vm = stage_start_with(c->s, c->id);
	stage_audit_later(c->s);
	stage_audit_later(c->s);
	check_helper(c, &c->s->all);
	scopes_make(&c->scopes, below);
	scopes_move(&c->scopes, below, c->s->vms[0].pid);
	stage_audit_later(c->s);
	stage_audit_later(c->s);
	check_helper(c, &c->s->all);
	assert_int_equal(count(vm, THREAD_HELPER), 0);
}

static void
a_scope_with_another_qemu_is_nobodys(void **state)
{
	struct scene *c = scene_of(state);
	const struct vm *vm;

	c->s->vms[1] =
		standin_new(c->s->vm_dir, 999); /* nobody's: it does not listen */
	(void)standin_thread(&c->s->vms[1], "worker"); /* it has its name by then */
	scopes_move(&c->scopes, c->scope, c->s->vms[1].pid);
	vm = start(c);
	stage_audit_later(c->s);
	stage_audit_later(c->s);
	check_helper(c, &c->s->all);
	stage_check_mask(c->s->vms[1].pid, &c->s->all);
	assert_int_equal(count(vm, THREAD_HELPER), 0);
	assert_false(kin_is_own(&vm->kin, c->id, c->scope));
	scopes_move(&c->scopes, "/", c->s->vms[1].pid);
	stage_audit(c->s);
	assert_int_equal(count(vm, THREAD_HELPER), 2);
	assert_true(kin_is_own(&vm->kin, c->id, c->scope));
	stage_audit_later(c->s);
	check_helper(c, &c->s->first);
	stage_check_mask(c->s->vms[1].pid, &c->s->all);
	scopes_move(&c->scopes, c->scope, c->s->vms[1].pid);
	stage_audit_later(c->s);
	check_let_go(c, vm);
}

static void
another_vm_in_the_scope_counts_whatever_its_name(void **state)
{
	struct scene *c = scene_of(state);
	const struct vm *vm = start(c);
	struct vm *other = vm_new("other", -1, "/none", "/none");

	/* a VM whose QEMU has another name, as the engine would know it */
	other->identity.pid = c->helper.pid;
	engine_add(c->s->engine, other);
	scopes_move(&c->scopes, "/", c->helper.pid);
	stage_audit(c->s);
	scopes_move(&c->scopes, c->scope, c->helper.pid);
	stage_audit(c->s);
	assert_int_equal(count(vm, THREAD_HELPER), 0);
	other->identity.pid = 0;
	stage_audit(c->s);
	assert_int_equal(count(vm, THREAD_HELPER), 2);
}

static void
a_helper_that_leaves_the_scope_is_let_go(void **state)
{
	struct scene *c = scene_of(state);
	const struct vm *vm = start(c);

	scopes_move(&c->scopes, "/", c->helper.pid);
	stage_audit_later(c->s);
	check_let_go(c, vm);
}

static void
a_process_that_gets_a_helpers_id_is_another_process(void **state)
{
	struct scene *c = scene_of(state);
	struct vm *vm = start(c);
	pid_t pid = c->helper.pid;
	uint64_t start_ticks = vm_task_find(vm, pid)->thread.start_ticks;

	procs_reap(&c->helper);
	procs_wait_tick();
	assert_int_equal(procs_spawn_as(pid), pid);
	standin_set_mask(pid, &c->s->all);
	stage_audit_later(c->s);
	assert_null(vm_task_find(vm, pid));
	stage_check_mask(pid, &c->s->all);
	scopes_move(&c->scopes, c->scope, pid);
	stage_audit(c->s);
	/* the clone has the test's name, not a QEMU's: it may be kin, by its own proof
	 */
	assert_non_null(vm_task_find(vm, pid));
	assert_true(vm_task_find(vm, pid)->thread.start_ticks >= start_ticks);
	assert_int_equal(count_recorded(vm, pid), 1);
	procs_kill_pid(pid);
}

static void
a_mask_set_while_the_process_changed_hands_is_not_set_on_the_new_one(void **state)
{
	struct scene *c = scene_of(state);
	struct vm *vm = start(c);
	pid_t pid = c->helper.pid;

	procs_reap(&c->helper);
	assert_int_equal(procs_spawn_as(pid), pid);
	standin_set_mask(pid, &c->s->all);
	/* a pass that still believes in the old one */
	vm->fresh = true;
	engine_kick(c->s->engine, vm, CAUSE_DRIFT);
	stage_settle(c->s);
	stage_check_mask(pid, &c->s->all);
	procs_kill_pid(pid);
}

static void
a_helper_keeps_inside_the_mask_it_had(void **state)
{
	struct scene *c = scene_of(state);
	const struct vm *vm;

	standin_set_mask(c->helper.tids[0], &c->s->second);
	vm = start(c);
	stage_check_mask(c->helper.tids[0], &c->s->second);
	stage_check_mask(c->helper.tids[1], &c->s->first);
	assert_string_equal(vm->note, "");
}

static void
a_mask_that_was_inherited_of_us_is_no_limit(void **state)
{
	struct scene *c = scene_of(state);
	struct vm *vm;
	const struct vm_task *t;

	scopes_move(&c->scopes, c->scope, c->s->vms[0].pid);
	vm = stage_start_with(c->s, c->id);
	/* as if QEMU had started it */
	standin_set_mask(c->helper.tids[0], &c->s->first);
	scopes_move(&c->scopes, c->scope, c->helper.pid);
	stage_audit(c->s);
	t = vm_task_find(vm, c->helper.pid);
	assert_true(cpuset_within(&c->s->all, vm_task_limit(vm, t)));
	stage_audit_later(c->s);
	check_helper(c, &c->s->first);
}

static void
a_restart_knows_the_helpers_and_their_masks_again(void **state)
{
	struct scene *c = scene_of(state);
	struct vm *vm = start(c);
	uint64_t sets;

	stage_stop(c->s);
	vm = stage_start_with(c->s, c->id);
	assert_int_equal(count(vm, THREAD_HELPER), 2);
	sets = c->s->engine->stats.sets;
	assert_int_equal(sets, 0);
	assert_true(cpuset_within(
		&c->s->all, vm_task_limit(vm, vm_task_find(vm, c->helper.pid))));
	stage_stop(c->s);
	procs_kill(&c->helper);
	vm = stage_start_with(c->s, c->id);
	assert_int_equal(count(vm, THREAD_HELPER), 0);
	assert_int_equal(count_recorded(vm, c->helper.pid), 0);
}

static void
a_group_of_too_many_processes_is_no_vms_scope(void **state)
{
	struct scene *c = scene_of(state);
	struct procs_child many[KINSHIP_PROCESSES_MAX];
	const struct vm *vm;

	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		many[i] = procs_spawn(swtpm, 1);
		scopes_move(&c->scopes, c->scope, many[i].pid);
	}
	vm = start(c);
	assert_int_equal(count(vm, THREAD_HELPER), 0);
	check_helper(c, &c->s->all);
	procs_reap(&many[0]);
	stage_audit(c->s);
	assert_int_equal(count(vm, THREAD_HELPER), ARRAY_LEN(many) - 1 + 2);
	for (size_t i = 1; i < ARRAY_LEN(many); i++)
		procs_reap(&many[i]);
}

/* /proc with only this VM's QEMU in it, and with what a kernel of before 6.4 would show
 * of @pid, a process of ours: a thread of the kernel called @comm. */
static void
play_old_kernel(struct scene *c, pid_t pid, const char *comm)
{
	auto_free char *name = xasprintf("%d/task/%d/stat", (int)pid, (int)pid);
	auto_free char *qemu = xasprintf("/proc/%d", (int)c->s->vms[0].pid);
	auto_free char *link = NULL;
	auto_free char *children = xasprintf("%d ", (int)pid);
	struct task_stat stat;
	auto_free char *text = NULL;

	assert_int_equal(task_stat_read(c->s->procfd, pid, pid, &stat), 0);
	text = xasprintf("%d (%s) S 2 0 0 0 -1 2097152 0 0 0 0 0 0 0 0 20 0 1 0 %llu "
			 "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 3 0 0 0 0 0\n",
		(int)pid, comm, (unsigned long long)stat.start_ticks);
	c->proc = trees_new();
	link = xasprintf("%s/%d", c->proc, (int)c->s->vms[0].pid);
	trees_write(c->proc, name, text);
	trees_write(c->proc, "2/task/2/children", children);
	assert_int_equal(symlink(qemu, link), 0);
	close(c->s->procfd);
	c->s->procfd = open(c->proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(c->s->procfd >= 0);
	stage_start(c->s);
	c->s->engine->kin.has_vhosts = true;
}

static void
a_vhost_thread_of_the_kernel_is_found_without_a_scope(void **state)
{
	struct scene *c = scene_of(state);
	auto_free char *comm = xasprintf("vhost-%d", (int)c->s->vms[0].pid);
	pid_t pid = c->helper.pid;
	struct vm *vm;

	play_old_kernel(c, pid, comm);
	vm = stage_until_seen(c->s, c->id);
	stage_check_mask(pid, &c->s->first);
	assert_int_equal(vm_task_find(vm, pid)->thread.class, THREAD_VHOST);
	assert_string_equal(vm_task_find(vm, pid)->thread.comm, comm);
	assert_int_equal(count_recorded(vm, pid), 1);
	standin_set_mask(pid, &c->s->second);
	stage_audit(c->s);
	stage_check_mask(pid, &c->s->first);
	assert_int_equal(vm->repairs, 1);
	procs_kill(&c->helper);
	stage_audit(c->s);
	assert_null(vm_task_find(vm, pid));
}

static void
a_vhost_thread_of_another_process_is_not_touched(void **state)
{
	struct scene *c = scene_of(state);
	auto_free char *comm = xasprintf("vhost-%d", (int)c->s->vms[0].pid - 1);

	play_old_kernel(c, c->helper.pid, comm);
	stage_until_seen(c->s, c->id);
	stage_audit_later(c->s);
	check_helper(c, &c->s->all);
}

static void
nothing_is_left_open_when_the_vm_ends(void **state)
{
	struct scene *c = scene_of(state);
	size_t before;
	struct vm *vm;

	stage_start(c->s);
	before = procs_count_fds();
	move_both(c);
	vm = stage_until_seen(c->s, c->id);
	assert_int_equal(vm->kin.n, 1);
	engine_remove(c->s->engine, vm);
	assert_true(procs_count_fds() <= before);
	check_helper(c, &c->s->first);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(a_helper_in_the_scope_follows_the_emulator),
		ON_STAGE(
			a_helper_that_comes_later_is_listed_by_one_audit_and_set_when_it_stays),
		ON_STAGE(drift_of_a_helper_is_repaired),
		ON_STAGE(processes_elsewhere_are_never_touched),
		ON_STAGE(a_scope_without_the_vms_qemu_is_not_its_own),
		ON_STAGE(a_scope_with_another_qemu_is_nobodys),
		ON_STAGE(another_vm_in_the_scope_counts_whatever_its_name),
		ON_STAGE(a_helper_that_leaves_the_scope_is_let_go),
		ON_STAGE(a_process_that_gets_a_helpers_id_is_another_process),
		ON_STAGE(
			a_mask_set_while_the_process_changed_hands_is_not_set_on_the_new_one),
		ON_STAGE(a_helper_keeps_inside_the_mask_it_had),
		ON_STAGE(a_mask_that_was_inherited_of_us_is_no_limit),
		ON_STAGE(a_restart_knows_the_helpers_and_their_masks_again),
		ON_STAGE(a_group_of_too_many_processes_is_no_vms_scope),
		ON_STAGE(a_vhost_thread_of_the_kernel_is_found_without_a_scope),
		ON_STAGE(a_vhost_thread_of_another_process_is_not_touched),
		ON_STAGE(nothing_is_left_open_when_the_vm_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
