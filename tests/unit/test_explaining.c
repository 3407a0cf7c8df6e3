// SPDX-License-Identifier: MIT
/*
 * Explain: what is answered about VMs that have a place and about those that have none,
 * and that answering changes nothing.
 */
#include "config.h"

#include "daemon/explaining.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "desk.h"
#include "place/objective.h"

static json_t *
ask(struct desk *d, const char *id)
{
	auto_free char *params = xasprintf("{\"id\":\"%s\"}", id);

	return desk_ask(d, "Explain", params);
}

static void
check_refused(struct desk *d, const char *id, const char *error, const char *why)
{
	auto_json json_t *reply = ask(d, id);
	const json_t *params = json_object_get(reply, "parameters");
	const char *name = json_string_value(json_object_get(reply, "error"));

	if (!str_equal(name, error))
		fail_msg("%s: %s", id, name);
	assert_string_equal(json_string_value(json_object_get(params, "id")), id);
	if (why != NULL &&
		strstr(json_string_value(json_object_get(params, "why")), why) == NULL)
		fail_msg("%s: %s", id,
			json_string_value(json_object_get(params, "why")));
}

static void
the_answer_is_as_declared_and_adds_up(void **state)
{
	struct desk *d = desk_of_two(state, "");
	auto_json json_t *params = desk_expect(d, "Explain", "{\"id\":\"100\"}");
	const json_t *chosen = json_object_get(params, "chosen");
	const json_t *terms = json_object_get(chosen, "terms");
	const json_t *history = json_object_get(params, "history");
	double total = json_number_value(json_object_get(chosen, "total_ns"));

	assert_int_equal(json_array_size(terms), N_TERMS);
	for (size_t i = 0; i < N_TERMS; i++) {
		const json_t *term = json_array_get(terms, i);

		assert_string_equal(json_string_value(json_object_get(term, "name")),
			term_name((enum term)i));
		total -= json_number_value(json_object_get(term, "ns"));
	}
	assert_float_equal(total, 0, 0.01);
	assert_true(json_array_size(history) >= 1);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(history, 0), "cause")),
		"appeared");
}

static void
who_has_no_place_is_named_with_the_reason(void **state)
{
	struct desk *d = desk_of_two(state, "[vm 100]\nmode = off\n");

	check_refused(d, "100", "io.qmpin.NotManaged", "mode off");
	check_refused(d, "101", "io.qmpin.NotManaged", "nothing is known");
	str_copy(d->stage->engine->vms[1]->note, 256, "no answer");
	check_refused(d, "101", "io.qmpin.NotManaged", "no answer");
	check_refused(d, "102", "io.qmpin.VMNotFound", NULL);
}

static void
asking_changes_nothing(void **state)
{
	struct desk *d = desk_of_two(state, "");
	struct engine *e = d->stage->engine;
	const struct vm *vm = e->vms[0];
	struct engine_stats stats = e->stats;
	struct cpuset domain = vm->domain;
	uint64_t changed_us = vm->changed_us;

	for (unsigned int i = 0; i < 3; i++)
		json_decref(ask(d, "100"));
	stage_settle(d->stage);
	assert_memory_equal(&stats, &e->stats, sizeof(stats));
	assert_true(cpuset_equal(&domain, &vm->domain));
	assert_int_equal(changed_us, vm->changed_us);
	assert_false(vm->fresh);
}

/* The runner-up's verdict for VM 100. */
static void
check_second(struct desk *d, const char *text)
{
	auto_json json_t *params = desk_expect(d, "Explain", "{\"id\":\"100\"}");
	const char *verdict = json_string_value(
		json_object_get(json_object_get(params, "runner_up"), "verdict"));

	if (verdict == NULL || strstr(verdict, text) == NULL)
		fail_msg("not \"%s\": %s", text, verdict);
}

/* VM 101 that is left alone has come to VM 100's CPU, and the other one is idle. */
static void
it_is_said_what_keeps_it_from_what_costs_less(void **state)
{
	struct stage *s = desk_stage(state);
	struct desk *d = *state;
	struct vm *vm;
	struct cpuset cpus;

	s->apart = true;
	s->config.reserved_cpus = CPUSET_NONE;
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	cpus = vm_vcpu_cpus(vm);
	assert_int_equal(cpuset_count(&cpus), 1);
	stage_reload(s, "[vm 101]\nmode = off\n");
	s->vms[1] = standin_vm(s->vm_dir, 101, 1);
	standin_set_mask(s->vms[1].claims[0], &cpus);
	stage_until_seen(s, "101");
	desk_open(d, CTL_SOCKET_RO);
	check_second(d, "rests after its last change");
	stage_pass_ms(s, 3600000);
	check_second(d, "moves nobody just so that VMs wait less");
	vm->facts.running = false;
	check_second(d, "it is paused");
	vm->facts.running = true;
	s->engine->dry_run = true;
	check_second(d, "rebalance is off");
	s->engine->dry_run = false;
	stage_reload(s, "[qmpin]\nrebalance = no\n[vm 101]\nmode = off\n");
	check_second(d, "rebalance is off");
	stage_check_mask(s->vms[0].claims[0], &cpus);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_answer_is_as_declared_and_adds_up),
		CASE(who_has_no_place_is_named_with_the_reason),
		CASE(asking_changes_nothing),
		CASE(it_is_said_what_keeps_it_from_what_costs_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
