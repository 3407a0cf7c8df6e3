// SPDX-License-Identifier: MIT
/*
 * SetMode: what counts when, and for how long; Reload and GetConfig, by which a mode
 * becomes permanent.
 */
#include "config.h"

#include "daemon/vmmode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "desk.h"

/* As the service does, less the host. */
static int
on_reload(void *owner, bool afresh, struct err *e)
{
	struct desk *d = owner;
	struct engine *engine = d->stage->engine;
	struct settings c;

	d->afresh = afresh;
	if (d->files == NULL)
		return err_set(e, -EINVAL, "f.conf", 3, "no such word");
	settings_init(&c);
	c.adopt = SETTINGS_ADOPT_NOW;
	c.reserved_cpus = d->stage->config.reserved_cpus;
	assert_int_equal(settings_parse(&c, d->files, strlen(d->files), "f.conf",
				 SETTINGS_ORIGIN_CONFIG, e),
		0);
	settings_fini(&engine->config);
	engine->config = c;
	engine_kick_all(engine, CAUSE_RELOAD);
	return 0;
}

static struct vm *
serve(struct desk *d)
{
	struct stage *s = d->stage;
	struct vm *vm = stage_start_with(s, "100");

	s->engine->on_reload = on_reload;
	s->engine->owner = d; /* a stage asks nothing of it */
	desk_open(d, CTL_SOCKET);
	return vm;
}

/* A desk with VM 100 of two vCPUs. */
static struct desk *
open_desk(void **state)
{
	struct stage *s = desk_stage(state);

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	serve(*state);
	return *state;
}

static struct vm *
restart(struct desk *d)
{
	desk_close(d);
	stage_stop(d->stage);
	return serve(d);
}

static void
set_mode(struct desk *d, const char *mode)
{
	auto_free char *params =
		mode != NULL ? xasprintf("{\"id\":\"100\",\"mode\":\"%s\"}", mode)
			     : xstrdup("{\"id\":\"100\"}");

	json_decref(desk_expect(d, "SetMode", params));
}

/* The error ends with this name and has that in one of its parameters. */
static void
check_refused(struct desk *d, const char *method, const char *params, const char *name,
	const char *word)
{
	auto_json json_t *reply = desk_ask(d, method, params);
	const char *error = json_string_value(json_object_get(reply, "error"));
	auto_free char *text = json_dumps(json_object_get(reply, "parameters"), 0);

	if (error == NULL || !str_equal(strrchr(error, '.') + 1, name) ||
		strstr(text, word) == NULL)
		fail_msg("%s %s: %s %s", method, params, error, text);
}

static void
check_mode(struct desk *d, const char *mode, const char *origin)
{
	auto_json json_t *reply = desk_expect(d, "GetVM", "{\"id\":\"100\"}");
	const json_t *vm = json_object_get(reply, "vm");

	assert_string_equal(json_string_value(json_object_get(vm, "mode")), mode);
	assert_string_equal(
		json_string_value(json_object_get(vm, "mode_origin")), origin);
	assert_true(json_array_size(json_object_get(vm, "threads")) > 2);
}

static void
a_mode_counts_at_once_and_outlives_the_daemon(void **state)
{
	struct desk *d = open_desk(state);
	struct stage *s = d->stage;
	pid_t vcpu = s->vms[0].claims[0];

	stage_check_mask(vcpu, &s->first);
	set_mode(d, "off");
	check_mode(d, "off", "runtime");
	stage_check_mask(vcpu, &s->first); /* nothing is given back */
	standin_set_mask(vcpu, &s->second);
	stage_audit(s);
	restart(d);
	check_mode(d, "off", "runtime");
	stage_reload(s, "[vm 100]\nmode = float\n");
	check_mode(d, "off", "runtime");
	stage_check_mask(vcpu, &s->second);
	set_mode(d, "float");
	check_mode(d, "float", "runtime");
	stage_check_mask(vcpu, &s->first);
}

static void
without_a_mode_it_is_as_configured_again(void **state)
{
	struct desk *d = open_desk(state);
	struct stage *s = d->stage;

	set_mode(d, NULL); /* as it is already */
	check_mode(d, "auto", "default");
	set_mode(d, "observe");
	standin_set_mask(s->vms[0].claims[0], &s->second);
	stage_audit(s);
	stage_check_mask(s->vms[0].claims[0], &s->second);
	json_decref(desk_expect(d, "SetMode", "{\"id\":\"100\",\"mode\":null}"));
	check_mode(d, "auto", "default");
	stage_check_mask(s->vms[0].claims[0], &s->first);
	restart(d);
	check_mode(d, "auto", "default");
}

static bool
is_another(struct stage *s, const void *arg)
{
	const struct vm *vm = engine_find(s->engine, arg);

	return vm != NULL && vm->surveyed && vm->identity.pid == s->vms[0].pid;
}

static void
it_ends_with_its_qemu(void **state)
{
	struct desk *d = open_desk(state);
	struct stage *s = d->stage;

	set_mode(d, "off");
	assert_int_equal(unlink(s->vms[0].socket_path), 0);
	standin_fini(&s->vms[0]);
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_until(s, is_another, "100", "the next QEMU was looked at");
	stage_settle(s);
	check_mode(d, "auto", "default");
	stage_check_mask(s->vms[0].claims[0], &s->first);
}

static void
a_vm_that_was_never_touched_gets_no_limit_by_a_mode(void **state)
{
	struct desk *d = *state;
	struct stage *s = desk_stage(state);
	struct vm *vm;

	s->config.reserved_cpus = CPUSET_NONE;
	s->config.mode = PLACE_OFF;
	open_desk(state);
	set_mode(d, "observe");
	assert_true(stage_has_record(s, 100));
	vm = restart(d);
	assert_false(vm->touched);
	check_mode(d, "observe", "runtime");
	/* somebody limits it now: that is what it had before us */
	standin_set_mask(s->vms[0].pid, &s->second);
	standin_set_mask(s->vms[0].claims[0], &s->second);
	standin_set_mask(s->vms[0].claims[1], &s->second);
	set_mode(d, "float");
	stage_check_mask(s->vms[0].claims[0], &s->second);
	assert_true(cpuset_equal(&vm->record.limit, &s->second));
	check_mode(d, "float", "runtime");
}

static void
vcpus_that_somebody_pinned_stay_so_when_only_observed(void **state)
{
	struct desk *d = *state;
	struct stage *s = desk_stage(state);
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	standin_set_mask(s->vms[0].claims[0], &s->second);
	standin_set_mask(s->vms[0].claims[1], &s->first);
	vm = serve(d);
	assert_true(vm->foreign);
	set_mode(d, "observe");
	vm = restart(d);
	assert_true(vm->foreign);
	set_mode(d, NULL);
	stage_check_mask(s->vms[0].claims[0], &s->second);
	assert_true(vm->foreign);
	set_mode(d, "float"); /* by name: as with apply, within what each had */
	assert_false(vm->foreign);
	stage_check_mask(s->vms[0].pid, &s->first);
}

static void
a_restored_vm_is_placed_again_by_a_mode_that_places(void **state)
{
	struct desk *d = open_desk(state);
	struct stage *s = d->stage;

	json_decref(desk_expect(d, "Restore", "{\"ids\":[\"100\"]}"));
	stage_check_mask(s->vms[0].claims[0], &s->all);
	set_mode(d, "off");
	set_mode(d, NULL);
	stage_check_mask(s->vms[0].claims[0], &s->all);
	set_mode(d, "float");
	stage_check_mask(s->vms[0].claims[0], &s->first);
}

static void
what_cannot_be_is_refused(void **state)
{
	struct desk *d = open_desk(state);

	engine_add(d->stage->engine, vm_new("101", 101, "/x.qmp", "/x.pid"));
	check_refused(
		d, "SetMode", "{\"id\":\"7\",\"mode\":\"off\"}", "VMNotFound", "\"7\"");
	check_refused(d, "SetMode", "{\"id\":\"101\",\"mode\":\"off\"}", "NotManaged",
		"nothing is known");
	check_refused(d, "SetMode", "{\"id\":\"../7\",\"mode\":\"off\"}",
		"InvalidParameter", "id");
	check_refused(d, "SetMode", "{\"id\":\"100\",\"mode\":\"fast\"}",
		"InvalidParameter", "mode");
	check_refused(d, "GetVM", "{\"id\":\"7\"}", "VMNotFound", "\"7\"");
	check_mode(d, "auto", "default");
	d->stage->engine->dry_run = true;
	check_refused(
		d, "SetMode", "{\"id\":\"100\",\"mode\":\"off\"}", "Failed", "dry run");
	d->stage->engine->dry_run = false;
}

static void
a_mode_that_cannot_be_noted_does_not_count(void **state)
{
	struct desk *d = open_desk(state);
	int run_dirfd = d->stage->engine->run_dirfd;

	d->stage->engine->run_dirfd = d->stage->procfd; /* nobody writes there */
	check_refused(d, "SetMode", "{\"id\":\"100\",\"mode\":\"off\"}", "Failed", "");
	d->stage->engine->run_dirfd = run_dirfd;
	check_mode(d, "auto", "default");
}

#define PERMANENT(id, mode) \
	"{\"id\":\"" id "\",\"mode\":\"" mode "\",\"permanent\":true}"

static void
a_permanent_mode_is_the_configuration_s(void **state)
{
	struct desk *d = open_desk(state);

	set_mode(d, "off");
	d->files = "[vm 100]\nmode = pin\n[vm 7]\nmode = core\n";
	json_decref(desk_expect(d, "SetMode", PERMANENT("100", "pin")));
	check_mode(d, "pin", "vm_section");
	json_decref(
		desk_expect(d, "SetMode", PERMANENT("7", "core"))); /* is not started */
	set_mode(d, "observe");
	d->files = "";
	json_decref(desk_expect(d, "SetMode", "{\"id\":\"100\",\"permanent\":true}"));
	check_mode(d, "auto", "default");
}

static void
a_permanent_mode_that_the_files_do_not_give_is_refused(void **state)
{
	struct desk *d = open_desk(state);

	set_mode(d, "off");
	check_refused(d, "SetMode", PERMANENT("100", "pin"), "Failed",
		"f.conf:3: no such word");
	d->files = "[vm 100]\nmode = core\n";
	check_refused(d, "SetMode", PERMANENT("100", "pin"), "Failed",
		"f.conf:2: VM 100 has mode core");
	d->files = "[qmpin]\nmode = pin\n";
	check_refused(d, "SetMode", PERMANENT("100", "pin"), "Failed", "f.conf:2");
	check_mode(d, "off", "runtime");
}

static void
a_reload_by_call_tells_what_is_wrong(void **state)
{
	struct desk *d = open_desk(state);

	check_refused(d, "Reload", "{}", "Failed", "f.conf:3: no such word");
	d->files = "[vm 100]\nmode = off\n";
	json_decref(desk_expect(d, "Reload", "{}"));
	check_mode(d, "off", "vm_section");
	assert_true(d->afresh);
	json_decref(desk_expect(d, "SetMode", PERMANENT("100", "off")));
	assert_false(d->afresh);
}

/* The setting of that key as "value origin". */
static void
check_setting(const json_t *settings, const char *key, const char *want)
{
	for (size_t i = 0; i < json_array_size(settings); i++) {
		const json_t *s = json_array_get(settings, i);
		auto_free char *have = NULL;

		if (!str_equal(json_string_value(json_object_get(s, "key")), key))
			continue;
		have = xasprintf("%s %s",
			json_string_value(json_object_get(s, "value")),
			json_string_value(json_object_get(s, "origin")));
		assert_string_equal(have, want);
		return;
	}
	fail_msg("there is no %s", key);
}

static void
the_configuration_is_told_key_by_key(void **state)
{
	struct desk *d = open_desk(state);
	auto_json json_t *before = desk_expect(d, "GetConfig", "{}");
	auto_json json_t *after = NULL;

	check_setting(json_object_get(before, "settings"), "guard_ms", "20 default");
	d->files = "[qmpin]\nguard_ms = 30\n[vm 7]\nsmt = avoid\n";
	json_decref(desk_expect(d, "Reload", "{}"));
	after = desk_expect(d, "GetConfig", "{}");
	check_setting(json_object_get(after, "settings"), "guard_ms", "30 f.conf:2");
	check_setting(json_object_get(after, "settings"), "vm 7.smt", "avoid f.conf:4");
	check_setting(
		json_object_get(after, "settings"), "weights.memory", "1 default");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_mode_counts_at_once_and_outlives_the_daemon),
		TEST(without_a_mode_it_is_as_configured_again),
		TEST(it_ends_with_its_qemu),
		TEST(a_vm_that_was_never_touched_gets_no_limit_by_a_mode),
		TEST(vcpus_that_somebody_pinned_stay_so_when_only_observed),
		TEST(a_restored_vm_is_placed_again_by_a_mode_that_places),
		TEST(what_cannot_be_is_refused),
		TEST(a_mode_that_cannot_be_noted_does_not_count),
		TEST(a_permanent_mode_is_the_configuration_s),
		TEST(a_permanent_mode_that_the_files_do_not_give_is_refused),
		TEST(a_reload_by_call_tells_what_is_wrong),
		TEST(the_configuration_is_told_key_by_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
