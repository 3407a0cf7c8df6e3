// SPDX-License-Identifier: MIT
/*
 * A daemon that starts while the cluster's file system does not answer: what VMs said
 * before counts, and who is not known is left alone for a while.
 */
#include "config.h"

#include "daemon/recall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "act/record.h"
#include "base/xalloc.h"
#include "daemon/applying.h"
#include "daemon/engine.h"
#include "daemon/hearing.h"
#include "daemon/pvewatch.h"
#include "daemon/vmmode.h"
#include "stage.h"
#include "trees.h"

#define CONF "etc/pve/qemu-server/100.conf"
/* As recall.c has it. */
#define PATIENCE_MS 120000u

static void
on_vm(void *owner, const char *id, const char *text, size_t len)
{
	struct stage *s = owner;

	hearing_take(s->engine, id, text, len);
}

static void
on_cluster(void *owner, const char *name, const char *text, size_t len)
{
	(void)owner;
	(void)name;
	(void)text;
	(void)len;
}

static void
on_settled(void *owner)
{
	struct stage *s = owner;

	hearing_settle(s->engine);
}

static void
on_trouble(void *owner, const char *why)
{
	(void)owner;
	(void)why;
}

/* Start a daemon that reads below the stage's folder. Returns VM 100, looked at. */
static struct vm *
start(struct stage *s)
{
	static const struct pvewatch_callbacks callbacks = {
		on_vm, on_cluster, on_settled, on_trouble, NULL};
	static const struct pvewatch_pace quick = {
		.poll_ms = 1, .deadline_ms = 30000, .retry_ms = 20, .retry_max_ms = 50};
	const char *build = getenv("QMPIN_BUILD");
	auto_free char *program =
		xasprintf("%s/src/qmpin-pve", build != NULL ? build : ".");

	(void)signal(SIGPIPE, SIG_IGN);
	stage_start(s);
	assert_int_equal(pvewatch_new(s->base, s->folder, program, &callbacks, s,
				 &s->engine->wishing.watch, NULL),
		0);
	pvewatch_set_pace(s->engine->wishing.watch, &quick);
	pvewatch_add(s->engine->wishing.watch, "100");
	return stage_until_seen(s, "100");
}

static void
stop(struct stage *s)
{
	struct pvewatch *watch = s->engine->wishing.watch;

	stage_stop(s);
	pvewatch_free(watch);
}

/* The place of the file system, with nothing mounted on it. */
static void
unmount(struct stage *s)
{
	auto_free char *place = trees_path(s->folder, "etc/pve/x");

	(void)place;
	trees_cut(s->folder, "etc/pve/qemu-server");
}

static void
expect_mode(const struct stage *s, const struct vm *vm, enum place_mode mode,
	enum settings_origin origin)
{
	enum settings_origin from;

	assert_int_equal(vmmode_of(s->engine, vm, &from), mode);
	assert_int_equal(from, origin);
}

static bool
is_placed(struct stage *s, const void *arg)
{
	(void)arg;
	return engine_find(s->engine, "100")->placed;
}

static void
one_that_is_off_is_off_after_a_restart_too(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	trees_write(s->folder, CONF, "tags: qmpin-off\n");
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	(void)start(s);
	stop(s);
	unmount(s);
	for (int i = 0; i < 2; i++) { /* again, as it is a word of long ago by then */
		vm = start(s);
		expect_mode(s, vm, PLACE_OFF, SETTINGS_ORIGIN_TAG);
		assert_true(vm->wishes.recalled && !vm->wishes.unheard);
		assert_string_equal(vm->note, "off by its tag");
		stage_check_mask(s->vms[0].claims[0], &s->all);
		assert_int_equal(s->engine->stats.sets, 0);
		assert_false(vm->touched);
		if (i == 0)
			stop(s);
	}
	/* it answers, and says something else */
	trees_write(s->folder, CONF, "tags: other\n");
	stage_until(s, is_placed, NULL, "it may be placed");
	stage_settle(s);
	stage_check_mask(s->vms[0].claims[0], &s->first);
	stop(s);
	unmount(s);
	vm = start(s); /* which is kept as well */
	assert_true(vm->placed && vm->wishes.recalled);
	expect_mode(s, vm, PLACE_AUTO, SETTINGS_ORIGIN_DEFAULT);
	assert_int_equal(s->engine->stats.sets, 0);
	stop(s);
}

static void
a_word_that_cannot_be_written_is_written_later(void **state)
{
	struct stage *s = stage_of(state);
	struct record r;

	trees_write(s->folder, CONF, "tags: qmpin-off\n");
	assert_int_equal(mkdirat(s->run_dirfd, ".100.tmp", 0700), 0);
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	(void)start(s);
	assert_false(stage_has_record(s, 100));
	assert_true(logcatch_count(&s->log, "vm 100: .100.tmp: ") == 1);
	assert_int_equal(unlinkat(s->run_dirfd, ".100.tmp", AT_REMOVEDIR), 0);
	stage_audit(s);
	stage_audit(s); /* it rests for one */
	assert_int_equal(record_load(s->run_dirfd, "100", &r, NULL), 0);
	assert_true(r.wish.known && r.wish.mode == PLACE_OFF && r.untouched);
	record_fini(&r);
	stop(s);
}

static void
what_was_said_is_judged_by_the_rules_of_today(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->config.description = SETTINGS_DESCRIPTION_FULL;
	s->config.mode = PLACE_OFF;
	trees_write(s->folder, CONF,
		"#qmpin%3A float smt=avoid emulator=follow\naffinity: 0-2047\n");
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	(void)start(s);
	stop(s);
	unmount(s);
	vm = start(s);
	expect_mode(s, vm, PLACE_FLOAT, SETTINGS_ORIGIN_DESCRIPTION);
	assert_int_equal(wishes_smt(s->engine, vm), PLACE_SMT_AVOID);
	assert_int_equal(wishes_emulator(s->engine, vm), PLACE_EMULATOR_FOLLOW);
	assert_int_equal(cpuset_count(wishes_affinity(vm)), 2048);
	assert_int_equal(s->engine->stats.sets, 0);
	stage_reload(s, "[qmpin]\ndescription = opt\nmode = observe\n");
	expect_mode(s, vm, PLACE_OBSERVE, SETTINGS_ORIGIN_CONFIG);
	assert_string_equal(
		wishes_refused(vm), "float refused: description may not set modes");
	stop(s);
}

static void
another_program_s_vm_is_only_observed_after_a_restart_too(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	trees_write(s->folder, CONF, "pinning: 1\n");
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	(void)start(s);
	stop(s);
	unmount(s);
	vm = start(s);
	assert_true(wishes_is_another_s(s->engine, vm));
	assert_int_equal(s->engine->stats.sets, 0);
	stop(s);
}

static void
a_new_process_has_not_said_what_the_one_before_did(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	trees_write(s->folder, CONF, "tags: qmpin-off\n");
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	(void)start(s);
	stop(s);
	assert_int_equal(unlink(s->vms[0].socket_path), 0);
	standin_fini(&s->vms[0]);
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	unmount(s);
	vm = start(s);
	assert_false(vm->wishes.recalled);
	assert_true(vm->wishes.unheard);
	expect_mode(s, vm, PLACE_AUTO, SETTINGS_ORIGIN_DEFAULT);
	stop(s);
}

static void
who_is_not_known_is_left_alone_for_a_while(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	unmount(s);
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = start(s);
	stage_audit(s);
	assert_string_equal(vm->note, RECALL_NOTE);
	stage_pass_ms(s, PATIENCE_MS - 5000);
	stage_adoption(s);
	assert_int_equal(s->engine->stats.sets, 0);
	assert_string_equal(vm->note, RECALL_NOTE);
	stage_pass_ms(s, 5000);
	stage_adoption(s);
	stage_check_mask(s->vms[0].claims[0], &s->first);
	assert_true(vm->placed);
	assert_string_equal(vm->note, "");
	stop(s);
	(void)start(s); /* it stays where it is */
	assert_int_equal(s->engine->stats.sets, 0);
	stop(s);
}

static void
who_is_not_known_comes_when_it_is(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	unmount(s);
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = start(s);
	assert_true(vm->wishes.unheard);
	/* it answers, and has no such VM */
	trees_write(s->folder, "etc/pve/qemu-server/101.conf", "cores: 1\n");
	stage_until(s, is_placed, NULL, "it is not waited for");
	stop(s);
}

/* As Apply does it. */
static void
apply(struct stage *s, struct vm *vm, bool named)
{
	applying_clear_way(s->engine, vm, named);
	engine_kick(s->engine, vm, CAUSE_REQUEST);
	stage_settle(s);
}

static void
who_is_asked_for_by_name_waits_no_longer(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	unmount(s);
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = start(s);
	apply(s, vm, false);
	assert_int_equal(s->engine->stats.sets, 0);
	assert_string_equal(vm->note, RECALL_NOTE);
	apply(s, vm, true);
	stage_check_mask(s->vms[0].claims[0], &s->first);
	assert_true(vm->placed && !vm->wishes.unheard);
	assert_string_equal(vm->note, "");
	stop(s);
}

static void
what_the_administrator_says_of_a_vm_needs_no_other_word(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	unmount(s);
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = start(s);
	assert_true(vm->wishes.unheard);
	stage_reload(s, "[vm 100]\nmode = float\n");
	assert_true(vm->placed);
	stop(s);
}

static void
where_there_is_no_place_for_it_nobody_waits(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = start(s);
	assert_true(vm->placed);
	stop(s);
}

/* As of before records had wishes. */
static void
one_that_an_older_daemon_placed_stays(void **state)
{
	struct stage *s = stage_of(state);
	struct record r;
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	stage_stop(s);
	assert_int_equal(record_load(s->run_dirfd, "100", &r, NULL), 0);
	assert_true(r.placed && !r.wish.known);
	record_fini(&r);
	unmount(s);
	vm = start(s);
	assert_true(vm->placed);
	assert_int_equal(s->engine->stats.sets, 0);
	stop(s);
}

#define ON_STAGE(test) \
	cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(one_that_is_off_is_off_after_a_restart_too),
		ON_STAGE(a_word_that_cannot_be_written_is_written_later),
		ON_STAGE(what_was_said_is_judged_by_the_rules_of_today),
		ON_STAGE(another_program_s_vm_is_only_observed_after_a_restart_too),
		ON_STAGE(a_new_process_has_not_said_what_the_one_before_did),
		ON_STAGE(who_is_not_known_is_left_alone_for_a_while),
		ON_STAGE(who_is_not_known_comes_when_it_is),
		ON_STAGE(who_is_asked_for_by_name_waits_no_longer),
		ON_STAGE(what_the_administrator_says_of_a_vm_needs_no_other_word),
		ON_STAGE(where_there_is_no_place_for_it_nobody_waits),
		ON_STAGE(one_that_an_older_daemon_placed_stays),
	};

	return cmocka_run_group_tests_name("recall", tests, NULL, NULL);
}
