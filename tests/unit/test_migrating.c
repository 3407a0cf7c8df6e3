// SPDX-License-Identifier: MIT
/* Which VM's memory is moved, when it is not, and what is said of it; with scripts in
 * place of the program that does it. */
#include "config.h"

#include "daemon/migrating.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/memory.h"
#include "daemon/migraterun.h"
#include "trees.h"
#include "vmtable.h"

#define MIB (UINT64_C(1) << 20)
#define TURNS_MAX 500u

struct fixture {
	struct vmtable *table;
	char *dir;
	struct vm *vm; /* on node 1, its memory on node 0 */
};

/* What the program says; it notes that it was started, and with what. */
static void
let_say(struct fixture *f, const char *script)
{
	auto_free char *text =
		xasprintf("#!/bin/sh\necho \"$*\" >>%s/started\n%s\n", f->dir, script);
	auto_free char *path = xasprintf("%s/program", f->dir);

	trees_write(f->dir, "program", text);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(setenv(MIGRATERUN_PROGRAM_ENV, path, 1), 0);
}

static void
put_memory(struct vm *vm, uint64_t mib0, uint64_t mib1)
{
	uint64_t bytes[] = {mib0 * MIB, mib1 * MIB};

	residence_take(&vm->memory.residence, bytes, 2, (mib0 + mib1) * MIB);
}

static void
pass_s(struct fixture *f, unsigned int s)
{
	f->table->now_us += s * UINT64_C(1000000);
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct cpuset first = cpuset_below(4);
	struct cpuset second = cpuset_below(8);
	void *table;

	(void)vmtable_setup(&table);
	f->table = table;
	f->dir = trees_new();
	second = cpuset_minus(&second, &first);
	vmtable_configure(f->table, "[vm 100]\nmemory = migrate\n");
	f->table->engine.migrating = migrating_new(&f->table->engine);
	f->vm = f->table->vms[0];
	f->vm->proven = true;
	f->vm->identity.pid = 4711;
	f->vm->identity.start_ticks = 77;
	f->vm->found_us = f->vm->changed_us = f->table->now_us;
	vmtable_place(f->vm, &second);
	put_memory(f->vm, 300, 20);
	let_say(f, "echo done 300 0");
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	void *table = f->table;

	struct event_base *base = f->table->engine.base;

	migrating_free(f->table->engine.migrating);
	/* those that were ended go when their process has gone */
	while (event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) > 0)
		(void)event_base_loop(base, EVLOOP_ONCE);
	f->vm->proven = false;
	(void)vmtable_teardown(&table);
	trees_remove(f->dir);
	(void)unsetenv(MIGRATERUN_PROGRAM_ENV);
	free(f);
	return 0;
}

static unsigned int
n_started(const struct fixture *f)
{
	auto_free char *path = xasprintf("%s/started", f->dir);
	FILE *file = fopen(path, "r");
	unsigned int n = 0;
	int c;

	while (file != NULL && (c = fgetc(file)) != EOF)
		n += c == '\n';
	if (file != NULL)
		(void)fclose(file);
	return n;
}

static void
turn(struct fixture *f)
{
	migrating_turn(&f->table->engine);
	(void)event_base_loop(f->table->engine.base, EVLOOP_NONBLOCK);
}

static void
until_said(struct fixture *f, const char *text)
{
	for (unsigned int i = 0; i < TURNS_MAX; i++) {
		turn(f);
		if (logcatch_count(&f->table->log, text) > 0)
			return;
		(void)usleep(10000);
	}
	fail_msg("not said: %s", text);
}

/* Nothing was begun in some turns. */
static void
expect_nothing(struct fixture *f, const char *what)
{
	for (unsigned int i = 0; i < 3; i++)
		turn(f);
	if (logcatch_count(&f->table->log, "moving ") > 0)
		fail_msg("%s", what);
}

static void
memory_comes_after_its_vcpus_once(void **state)
{
	struct fixture *f = *state;

	turn(f);
	assert_int_equal(logcatch_count(&f->table->log, "moving"), 0); /* not settled */
	pass_s(f, 11);
	until_said(f, "vm 100: 300 MiB of its memory moved");
	assert_int_equal(logcatch_count(&f->table->log,
				 "moving 300 MiB of its memory to node 1 (256"),
		1);
	assert_int_equal(f->vm->memory.next_us, 0); /* looked at again soon */
	pass_s(f, 60);
	turn(f); /* it still says that it is far: not again and again */
	assert_int_equal(n_started(f), 1);
	pass_s(f, 3600);
	logcatch_forget(&f->table->log);
	until_said(f, "vm 100: 300 MiB of its memory moved");
	assert_int_equal(n_started(f), 2);
}

static void
what_must_not_be_moved_is_not(void **state)
{
	struct fixture *f = *state;
	struct vm *vm = f->vm;

	pass_s(f, 11);
	vmtable_configure(f->table, "");
	expect_nothing(f, "follow");
	vmtable_configure(f->table, "[qmpin]\nmemory = ignore\n");
	expect_nothing(f, "ignore");
	vmtable_configure(f->table, "[vm 100]\nmemory = migrate\n");
	f->table->engine.dry_run = true;
	expect_nothing(f, "dry run");
	f->table->engine.dry_run = false;
	vm->observe_only = true;
	expect_nothing(f, "observed");
	vm->observe_only = false;
	vm->peace_until_us = 1;
	expect_nothing(f, "somebody else moves it");
	vm->peace_until_us = 0;
	vm->placed = false;
	expect_nothing(f, "not placed");
	vm->placed = true;
	put_memory(vm, 30, 300);
	expect_nothing(f, "not worth it");
	residence_fini(&vm->memory.residence);
	expect_nothing(f, "unknown");
	put_memory(vm, 300, 20);
	vm->facts.memory.list = xcalloc(1, sizeof(struct memdev));
	vm->facts.memory.n = 1;
	vm->facts.memory.list[0].bound = true;
	expect_nothing(f, "bound by QEMU");
}

static void
a_full_node_is_told_once_and_left_alone(void **state)
{
	struct fixture *f = *state;

	f->table->engine.host.topo->nodes[1].free_kib = 300 * 1024; /* 64 are spared */
	pass_s(f, 11);
	turn(f);
	turn(f);
	assert_int_equal(logcatch_count(&f->table->log, "no room on node 1"), 1);
	assert_int_equal(n_started(f), 0);
}

static void
failures_are_told_in_the_program_s_words(void **state)
{
	static const struct {
		const char *script;
		const char *said;
	} cases[] = {
		{"echo failed pages do not move", "(0 MiB were): pages do not move"},
		{"echo progress 5 70 80 300; echo failed no", "(5 MiB were): no"},
		{"echo nonsense; sleep 9", "it speaks nonsense"},
		{"echo progress x; sleep 9", "it speaks nonsense"},
		{"head -c 5000 /dev/zero; sleep 9", "it speaks nonsense"},
		{"printf 'failed \\033[31m\\n'", "\\x1b[31m"},
		{"exit 3", "it ended before it was done"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		logcatch_forget(&f->table->log);
		let_say(f, cases[i].script);
		pass_s(f, 3700);
		until_said(f, cases[i].said);
	}
}

static void
a_program_that_is_not_there_is_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(setenv(MIGRATERUN_PROGRAM_ENV, "/nonexistent/x", 1), 0);
	pass_s(f, 11);
	until_said(f, "/nonexistent/x: No such file");
}

static void
progress_is_told_every_tenth_and_not_more_often_than_every_10_s(void **state)
{
	struct fixture *f = *state;

	/* one line for each file that comes to be there */
	let_say(f, "d=$(dirname \"$0\"); for i in 1 2 3; do "
		   "while ! [ -e $d/$i ]; do sleep 0.01; done; "
		   "echo progress $((i * 40)) 0 0 320; done; echo done 120 0");
	pass_s(f, 11);
	until_said(f, "moving 300 MiB");
	trees_write(f->dir, "1", "");
	for (unsigned int i = 0; i < 20; i++) {
		turn(f);
		(void)usleep(10000);
	}
	assert_int_equal(
		logcatch_count(&f->table->log, "of 300 MiB"), 0); /* too early */
	pass_s(f, 11);
	trees_write(f->dir, "2", "");
	until_said(f, "80 of 300 MiB of its memory are moved");
	trees_write(f->dir, "3", "");
	until_said(f, "120 MiB of its memory moved");
	assert_int_equal(logcatch_count(&f->table->log, "of 300 MiB"), 1);
}

static void
a_vm_that_moves_on_is_not_followed_any_more(void **state)
{
	struct fixture *f = *state;
	struct cpuset first = cpuset_below(4);

	let_say(f, "exec sleep 20");
	pass_s(f, 11);
	until_said(f, "moving 300 MiB");
	vmtable_place(f->vm, &first);
	f->vm->changed_us = f->table->now_us;
	until_said(f, "no longer moved: the VM has moved");
	logcatch_forget(&f->table->log);
	expect_nothing(f, "it is home now");
}

static void
one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct vm *other = f->table->vms[1];

	vmtable_configure(f->table, "[qmpin]\nmemory = migrate\n");
	other->proven = true;
	other->identity.pid = 12;
	vmtable_place(other, &f->vm->domain);
	put_memory(other, 200, 0);
	let_say(f, "d=$(dirname \"$0\"); while ! [ -e $d/go ]; do sleep 0.01; done; "
		   "echo done 1 0");
	pass_s(f, 11);
	until_said(f, "vm 100: moving");
	for (unsigned int i = 0; i < 20; i++)
		turn(f);
	assert_int_equal(logcatch_count(&f->table->log, "vm 101: moving"), 0);
	trees_write(f->dir, "go", "");
	until_said(f, "vm 101: moving 200 MiB");
	assert_int_equal(logcatch_count(&f->table->log, "vm 100: 1 MiB"), 1);
	until_said(f, "vm 101: 1 MiB");
	other->proven = false;
}

#define test_with_vms(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_vms(memory_comes_after_its_vcpus_once),
		test_with_vms(what_must_not_be_moved_is_not),
		test_with_vms(a_full_node_is_told_once_and_left_alone),
		test_with_vms(failures_are_told_in_the_program_s_words),
		test_with_vms(a_program_that_is_not_there_is_told),
		test_with_vms(
			progress_is_told_every_tenth_and_not_more_often_than_every_10_s),
		test_with_vms(a_vm_that_moves_on_is_not_followed_any_more),
		test_with_vms(one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
