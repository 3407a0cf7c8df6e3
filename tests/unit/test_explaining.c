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

#define CASE(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_answer_is_as_declared_and_adds_up),
		CASE(who_has_no_place_is_named_with_the_reason),
		CASE(asking_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
