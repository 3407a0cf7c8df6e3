// SPDX-License-Identifier: MIT
/*
 * What the daemon answers: how monitors are shared, what is wrong with that, and the
 * release of VMs, whose monitors' ends this test tells itself.
 */
#include "config.h"

#include "daemon/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/release.h"
#include "desk.h"

/* ---- monitors that are never started: the test is their QEMU ---- */

static int
on_peer(void *owner, int fd, const struct ucred *peer)
{
	(void)owner;
	(void)fd;
	(void)peer;
	return -EPERM;
}

static const struct monitor_handlers handlers = {.on_peer = on_peer};

static struct vm *
add_vm(struct desk *d, int vmid)
{
	struct monitor_options options = {
		.path = "/nonexistent/vm.qmp", .commons = &d->stage->engine->commons};
	char id[16];
	struct vm *vm;

	(void)snprintf(id, sizeof(id), "%d", vmid);
	vm = vm_new(id, vmid, options.path, "/nonexistent/vm.pid");
	vm->monitor = monitor_new(d->stage->engine->base, &options, &handlers, vm);
	engine_add(d->stage->engine, vm);
	return vm;
}

/* ---- the desk ---- */

static struct desk *
desk_of(void **state)
{
	stage_start(desk_stage(state));
	desk_open(*state, CTL_SOCKET);
	return *state;
}

/* Fails unless the list has these texts, joined by '|'. */
static void
check_list(const json_t *params, const char *key, const char *want)
{
	const json_t *list = json_object_get(params, key);
	struct strbuf have = {0};

	for (size_t i = 0; i < json_array_size(list); i++)
		strbuf_addf(&have, "%s%s", i > 0 ? "|" : "",
			json_string_value(json_array_get(list, i)));
	assert_string_equal(strbuf_text(&have), want);
	strbuf_fini(&have);
}

/* ---- how monitors are shared ---- */

static void
check_warnings(struct desk *d, const char *want)
{
	json_t *status;

	ctl_world_ask(&d->world, d->client, CTL_WORLD_STATUS);
	status = desk_read(d, "GetStatus");
	check_list(status, "warnings", want);
	json_decref(status);
}

static void
check_note(struct desk *d, const char *id, const char *want)
{
	auto_free char *params = xasprintf("{\"id\":\"%s\"}", id);
	json_t *reply = desk_expect(d, "ListVMs", params);
	json_t *vm;

	vm = json_array_get(json_object_get(reply, "vms"), 0);
	assert_string_equal(json_string_value(json_object_get(vm, "share")), "none");
	if (!str_equal(json_string_value(json_object_get(vm, "note")), want))
		fail_msg("note: %s", json_string_value(json_object_get(vm, "note")));
	json_decref(reply);
}

static void
a_missing_guard_is_a_warning_where_something_would_be_held(void **state)
{
	struct desk *d = desk_of(state);

	d->stage->engine->commons.guard = NULL;
	check_warnings(d, "");
	add_vm(d, 100);
	check_warnings(
		d, "no guard runs: monitors are only visited briefly until one does");
	stage_reload(d->stage, "[qmpin]\nshare = brief\n");
	check_warnings(d, "");
	stage_reload(d->stage, "[qmpin]\nshare = brief\n[vm 100]\nshare = proxy\n");
	check_warnings(
		d, "no guard runs: monitors are only visited briefly until one does");
}

static void
ways_that_were_not_asked_for_are_one_warning_with_the_first_reason(void **state)
{
	struct desk *d = desk_of(state);
	struct vm *vms[3];

	for (int i = 0; i < 3; i++)
		vms[i] = add_vm(d, 100 + i);
	check_warnings(d, "");
	str_copy(vms[1]->share_why, sizeof(vms[1]->share_why), "no permission");
	check_warnings(d, "vm 101: share = none: no permission");
	check_note(d, "101", "share = none: no permission");
	check_note(d, "100", NULL);
	stage_reload(d->stage, "[vm 101]\nshare = private\n");
	str_copy(vms[2]->share_why, sizeof(vms[2]->share_why), "too old");
	check_warnings(d,
		"2 VMs share their monitor in another way than asked for; vm 101: "
		"share = none, not private: no permission");
	str_copy(vms[1]->note, sizeof(vms[1]->note), "worse things");
	check_note(d, "101", "worse things");
	vm_set_state(vms[1], VM_GONE);
	check_warnings(d, "vm 102: share = none: too old");
	d->stage->engine->commons.n_polled = 2;
	check_warnings(d,
		"vm 102: share = none: too old|2 monitors are polled for waiting "
		"clients: no permission to watch (CAP_SYS_PTRACE)");
	d->stage->engine->commons.n_polled = 0;
}

/* ---- release ---- */

static void
ask_release(struct desk *d, const char *ids)
{
	auto_free char *request =
		xasprintf("{\"method\":\"io.qmpin.Release\",\"parameters\":{%s%s}}",
			ids != NULL ? "\"ids\":" : "", ids != NULL ? ids : "");

	ctl_world_ask(&d->world, d->client, request);
	ctl_world_settle(&d->world);
}

static void
check_released(struct desk *d, const char *released, const char *failed)
{
	json_t *reply = desk_read(d, "Release");

	check_list(reply, "released", released);
	check_list(reply, "failed", failed);
	json_decref(reply);
}

static void
release_answers_when_the_last_vm_has_ended(void **state)
{
	struct desk *d = desk_of(state);
	const struct err why = {.source = "/x/101.qmp", .text = "busy"};
	struct vm *a = add_vm(d, 100);
	struct vm *b = add_vm(d, 101);
	const struct vm *c = add_vm(d, 102);

	ask_release(d, NULL);
	release_ended(d->stage->engine, c, 0, NULL);
	release_ended(d->stage->engine, b, -EBUSY, &why);
	release_ended(d->stage->engine, b, 0, NULL); /* its end was told already */
	assert_non_null(d->stage->engine->releases.first);
	release_ended(d->stage->engine, a, 0, NULL);
	assert_null(d->stage->engine->releases.first);
	check_released(d, "102|100", "101: /x/101.qmp: busy");
}

static void
only_the_named_vms_are_released_and_each_once(void **state)
{
	struct desk *d = desk_of(state);
	const struct vm *a = add_vm(d, 100);
	const struct vm *b = add_vm(d, 101);

	ask_release(d, "[\"101\",\"101\"]");
	release_ended(d->stage->engine, a, 0, NULL);
	assert_non_null(d->stage->engine->releases.first);
	release_ended(d->stage->engine, b, -EPERM, NULL);
	check_released(d, "", "101: Operation not permitted");
	ask_release(d, "[]");
	check_released(d, "", "");
}

static void
an_unknown_id_releases_nothing(void **state)
{
	struct desk *d = desk_of(state);
	json_t *reply;

	add_vm(d, 100);
	ask_release(d, "[\"100\",\"999\"]");
	reply = ctl_world_read(&d->world, d->client);
	assert_string_equal(json_string_value(json_object_get(reply, "error")),
		"io.qmpin.VMNotFound");
	assert_null(d->stage->engine->releases.first);
	json_decref(reply);
}

static void
a_dry_run_releases_nothing(void **state)
{
	struct desk *d = desk_of(state);
	json_t *reply;

	add_vm(d, 100);
	d->stage->engine->dry_run = true;
	ask_release(d, NULL);
	reply = ctl_world_read(&d->world, d->client);
	assert_string_equal(
		json_string_value(json_object_get(reply, "error")), "io.qmpin.Failed");
	json_decref(reply);
}

static void
release_is_refused_on_the_read_only_socket(void **state)
{
	struct desk *d = desk_of(state);
	json_t *reply;

	add_vm(d, 100);
	(void)close(d->client);
	d->client = ctl_world_dial(&d->world, CTL_SOCKET_RO);
	ask_release(d, NULL);
	reply = ctl_world_read(&d->world, d->client);
	assert_string_equal(json_string_value(json_object_get(reply, "error")),
		"io.qmpin.NotPermitted");
	json_decref(reply);
}

static void
vms_that_are_gone_or_go_are_released(void **state)
{
	struct desk *d = desk_of(state);

	vm_set_state(add_vm(d, 100), VM_GONE);
	ask_release(d, NULL);
	check_released(d, "100", "");
	ask_release(d, "[\"100\"]");
	check_released(d, "100", "");
	add_vm(d, 101);
	ask_release(d, "[\"101\"]");
	engine_remove(d->stage->engine, engine_find(d->stage->engine, "101"));
	check_released(d, "101", "");
}

static void
a_vm_that_lives_on_behind_another_socket_is_not_released(void **state)
{
	struct desk *d = desk_of(state);
	int never[2];
	struct vm *vm = add_vm(d, 100);

	assert_int_equal(pipe(never), 0);
	vm->proven = true;
	vm->identity.pidfd = never[0]; /* a process that does not end */
	ask_release(d, NULL);
	engine_remove(d->stage->engine, vm);
	check_released(d, "", "100: its socket was replaced meanwhile, try again");
	(void)close(never[1]);
}

static void
who_asks_for_the_same_vm_meanwhile_is_answered_too(void **state)
{
	struct desk *d = desk_of(state);
	int first = d->client;
	struct vm *a = add_vm(d, 100);
	struct vm *b = add_vm(d, 101);

	ask_release(d, NULL);
	d->client = ctl_world_dial(&d->world, CTL_SOCKET);
	ask_release(d, "[\"101\"]");
	release_ended(d->stage->engine, b, 0, NULL);
	check_released(d, "101", "");
	(void)close(d->client);
	d->client = first;
	release_ended(d->stage->engine, a, 0, NULL);
	check_released(d, "101|100", "");
}

static void
what_takes_too_long_has_failed_for_the_one_who_asked(void **state)
{
	struct desk *d = desk_of(state);

	vm_set_state(add_vm(d, 100), VM_GONE);
	add_vm(d, 101);
	d->stage->engine->release_ms = 20;
	ask_release(d, NULL);
	check_released(
		d, "100", "101: no answer yet: its monitor is in use, or QEMU hangs");
	assert_null(d->stage->engine->releases.first);
}

static void
a_client_that_hangs_up_changes_nothing(void **state)
{
	struct desk *d = desk_of(state);
	const struct vm *a = add_vm(d, 100);

	ask_release(d, NULL);
	(void)close(d->client);
	ctl_world_settle(&d->world);
	assert_non_null(d->stage->engine->releases.first);
	release_ended(d->stage->engine, a, 0, NULL);
	assert_null(d->stage->engine->releases.first);
	d->client = ctl_world_dial(&d->world, CTL_SOCKET);
	check_warnings(d, "");
}

static void
a_daemon_that_ends_leaves_no_call_behind(void **state)
{
	struct desk *d = desk_of(state);

	add_vm(d, 100);
	ask_release(d, NULL);
	stage_stop(d->stage);
	check_released(d, "", "100: qmpind ends");
}

/* ---- lists in slices ---- */

/* Returns after the first slice, which is of one VM. */
static void
ask_list(struct desk *d)
{
	static const char request[] = "{\"method\":\"io.qmpin.ListVMs\",\"more\":true}";

	d->stage->clock.step_us = 1000000;
	assert_int_equal(send(d->client, request, sizeof(request), 0), sizeof(request));
	while (d->stage->engine->listings == NULL)
		event_base_loop(d->stage->base, EVLOOP_ONCE);
}

/* The id of the VM in the next reply, "": there is none. */
static void
check_listed(struct desk *d, const char *id, bool more)
{
	auto_json json_t *reply = ctl_world_read(&d->world, d->client);
	const json_t *vms =
		json_object_get(json_object_get(reply, "parameters"), "vms");
	const char *have =
		json_string_value(json_object_get(json_array_get(vms, 0), "id"));

	assert_string_equal(have != NULL ? have : "", id);
	assert_int_equal(json_is_true(json_object_get(reply, "continues")), more);
}

static void
a_list_in_slices_follows_vms_that_come_and_go(void **state)
{
	struct desk *d = desk_of(state);

	add_vm(d, 100);
	add_vm(d, 102);
	add_vm(d, 104);
	ask_list(d);
	add_vm(d, 101);
	engine_remove(d->stage->engine, engine_find(d->stage->engine, "102"));
	check_listed(d, "100", true);
	check_listed(d, "101", true);
	check_listed(d, "104", false);
	assert_null(d->stage->engine->listings);
}

static void
a_list_whose_rest_has_gone_ends_with_an_empty_reply(void **state)
{
	struct desk *d = desk_of(state);

	add_vm(d, 100);
	add_vm(d, 102);
	ask_list(d);
	engine_remove(d->stage->engine, engine_find(d->stage->engine, "102"));
	check_listed(d, "100", true);
	check_listed(d, "", false);
	assert_null(d->stage->engine->listings);
}

static void
a_list_ends_with_its_client_and_with_the_daemon(void **state)
{
	struct desk *d = desk_of(state);

	for (int i = 0; i < 5; i++)
		add_vm(d, 100 + i);
	ask_list(d);
	(void)close(d->client);
	ctl_world_settle(&d->world);
	assert_null(d->stage->engine->listings);
	d->client = ctl_world_dial(&d->world, CTL_SOCKET);
	ask_list(d);
	stage_stop(d->stage);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_missing_guard_is_a_warning_where_something_would_be_held),
		CASE(ways_that_were_not_asked_for_are_one_warning_with_the_first_reason),
		CASE(release_answers_when_the_last_vm_has_ended),
		CASE(only_the_named_vms_are_released_and_each_once),
		CASE(an_unknown_id_releases_nothing),
		CASE(a_dry_run_releases_nothing),
		CASE(release_is_refused_on_the_read_only_socket),
		CASE(vms_that_are_gone_or_go_are_released),
		CASE(a_vm_that_lives_on_behind_another_socket_is_not_released),
		CASE(who_asks_for_the_same_vm_meanwhile_is_answered_too),
		CASE(what_takes_too_long_has_failed_for_the_one_who_asked),
		CASE(a_client_that_hangs_up_changes_nothing),
		CASE(a_daemon_that_ends_leaves_no_call_behind),
		CASE(a_list_in_slices_follows_vms_that_come_and_go),
		CASE(a_list_whose_rest_has_gone_ends_with_an_empty_reply),
		CASE(a_list_ends_with_its_client_and_with_the_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
