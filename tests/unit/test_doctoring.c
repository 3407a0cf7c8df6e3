// SPDX-License-Identifier: MIT
/* Doctor as a client sees it: what the engine, its files and its VMs make of it. */
#include "config.h"

#include "daemon/doctoring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "desk.h"
#include "trees.h"

static bool
says(const json_t *params, const char *level, const char *name, const char *text)
{
	const json_t *list = json_object_get(params, "checks");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);

		if (strcmp(json_string_value(json_object_get(c, "level")), level) ==
				0 &&
			strcmp(json_string_value(json_object_get(c, "name")), name) ==
				0 &&
			strstr(json_string_value(json_object_get(c, "text")), text) !=
				NULL)
			return true;
	}
	return false;
}

static void
expect(struct desk *d, const char *level, const char *name, const char *text)
{
	auto_json json_t *params = desk_expect(d, "Doctor", "{}");

	if (!says(params, level, name, text)) {
		auto_free char *all = json_dumps(params, JSON_INDENT(1));

		fail_msg("no %s of %s says %s: %s", level, name, text, all);
	}
}

static void
the_answer_tells_of_the_vms(void **state)
{
	struct desk *d = desk_of_two(state, "");

	expect(d, "ok", "daemon", "has placed 1 of 2 VMs");
	expect(d, "ok", "vms", "none is held back");
	expect(d, "ok", "sockets", "for the owner");
	expect(d, "ok", "run_dir", "");
	expect(d, "ok", "kernel", "Linux");
}

static void
vms_that_are_held_back_are_named(void **state)
{
	struct desk *d = desk_of_two(state, "");
	struct vm *vm = d->stage->engine->vms[0];

	vm->foreign = true;
	expect(d, "note", "vms", "VM 100: left alone, since somebody had pinned");
	vm->peace_until_us = UINT64_MAX;
	expect(d, "warning", "vms", "VM 100: left alone for a while");
	vm->record.restored = true;
	expect(d, "note", "vms", "VM 100: restored by hand");
	vm->record.restored = vm->foreign = false;
	vm->peace_until_us = 0;
	expect(d, "ok", "vms", "none is held back");
}

static void
a_vm_that_its_cgroup_bounds_is_named(void **state)
{
	struct desk *d = desk_of_two(state, "");
	struct vm *vm = d->stage->engine->vms[0];

	vm->confine.bounded = true;
	vm->confine.cpus = d->stage->first;
	expect(d, "note", "cpusets", "VM 100: kept to some");
	vm->confine.bounded = false;
}

static void
who_may_run_on_cpus_of_others_is_named(void **state)
{
	struct desk *d = desk_of_two(state, "");
	struct engine *e = d->stage->engine;
	struct vm_task task = {.thread.tid = 1, .have = d->stage->all};

	e->vms[0]->own = true;
	e->vms[0]->domain = d->stage->first;
	(void)vm_task_add(e->vms[1], &task);
	expect(d, "note", "dedicated", "but VM 101 may run there, too");
	e->vms[1]->tasks[0].have = d->stage->second;
	expect(d, "note", "dedicated", "services of the host may");
}

static void
records_of_vms_that_are_gone_are_named(void **state)
{
	struct desk *d = desk_of_two(state, "");

	trees_write(d->stage->run_dir, "999.json", "{}");
	expect(d, "note", "records", "VM 999: gone");
}

static void
a_qemu_that_was_upgraded_is_named(void **state)
{
	struct desk *d = desk_of_two(state, "");
	struct engine *e = d->stage->engine;
	auto_free char *name = xasprintf("%d/exe", (int)e->vms[0]->identity.pid);
	auto_free char *path = trees_path(d->stage->folder, name);
	auto_close int procfd =
		open(d->stage->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int before = e->procfd;

	assert_int_equal(symlink("/usr/bin/qemu-system-x86_64 (deleted)", path), 0);
	e->procfd = procfd;
	expect(d, "note", "qemu", "VM 100: still runs the QEMU");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/usr/bin/qemu-system-x86_64", path), 0);
	{
		auto_json json_t *params = desk_expect(d, "Doctor", "{}");

		assert_false(says(params, "note", "qemu", "still runs"));
	}
	e->procfd = before;
}

static void
files_that_changed_after_they_were_read_are_named(void **state)
{
	struct desk *d = desk_of_two(state, "");
	struct doctoring *how = &d->stage->engine->doctoring;
	auto_free char *file = trees_path(d->stage->folder, "etc/qmpin/conf.d/a.conf");
	auto_free char *tree = trees_path(d->stage->folder, "etc/qmpin");

	how->root = d->stage->folder;
	how->config_us = 1;
	trees_write(d->stage->folder, "etc/qmpin/conf.d/.hidden.conf", "");
	expect(d, "warning", "configuration", "conf.d has changed");
	trees_write(d->stage->folder, "etc/qmpin/conf.d/a.conf", "[qmpin]\n");
	expect(d, "warning", "configuration", "conf.d/a.conf has changed");
	trees_write(d->stage->folder, "etc/qmpin/qmpin.conf", "[qmpin]\n");
	expect(d, "warning", "configuration", "qmpin.conf has changed");
	how->config_us = UINT64_MAX;
	expect(d, "ok", "configuration", "in force");
	how->config_us = 1;
	how->config = "/nonexistent/qmpin.conf";
	expect(d, "ok", "configuration", "in force");
	how->config = file;
	expect(d, "warning", "configuration", "a.conf has changed");
	how->config = tree;
	expect(d, "warning", "configuration", "/qmpin.conf has changed");
	*how = (struct doctoring){0};
}

static void
directories_that_are_missing_or_open_are_told(void **state)
{
	struct desk *d = desk_of_two(state, "");
	struct doctoring *how = &d->stage->engine->doctoring;

	how->state_dir = "/nonexistent/\033state";
	how->vm_dir = "/nonexistent/vms";
	expect(d, "warning", "state_dir", "/nonexistent/\\x1bstate is not there");
	expect(d, "note", "vm_dir", "/nonexistent/vms is not there");
	*how = (struct doctoring){0};
	assert_int_equal(fchmod(d->stage->run_dirfd, 0777), 0);
	expect(d, "problem", "run_dir", "others may write");
	assert_int_equal(fchmod(d->stage->run_dirfd, 0755), 0);
	assert_int_equal(unlinkat(d->stage->run_dirfd, CTL_SOCKET, 0), 0);
	expect(d, "problem", "sockets", "cannot be found");
}

static void
asking_changes_nothing(void **state)
{
	struct desk *d = desk_of_two(state, "");
	struct engine *e = d->stage->engine;
	struct engine_stats stats = e->stats;

	for (unsigned int i = 0; i < 3; i++)
		json_decref(desk_expect(d, "Doctor", "{}"));
	stage_settle(d->stage);
	assert_memory_equal(&stats, &e->stats, sizeof(stats));
	assert_false(e->vms[0]->fresh);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_answer_tells_of_the_vms),
		CASE(vms_that_are_held_back_are_named),
		CASE(a_vm_that_its_cgroup_bounds_is_named),
		CASE(who_may_run_on_cpus_of_others_is_named),
		CASE(records_of_vms_that_are_gone_are_named),
		CASE(a_qemu_that_was_upgraded_is_named),
		CASE(files_that_changed_after_they_were_read_are_named),
		CASE(directories_that_are_missing_or_open_are_told),
		CASE(asking_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
