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

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/idl.h"
#include "ctl/shapes.h"
#include "ctl_world.h"
#include "daemon/control.h"
#include "place/objective.h"
#include "stage.h"

struct desk {
	struct stage *stage;
	struct ctl_world world; /* the clients' side only */
	int client;
};

static int
set_up(void **state)
{
	struct desk *d = xcalloc(1, sizeof(*d));
	void *stage;

	assert_int_equal(stage_setup(&stage), 0);
	d->stage = stage;
	d->client = -1;
	*state = d;
	return 0;
}

static int
tear_down(void **state)
{
	struct desk *d = *state;
	void *stage = d->stage;

	if (d->stage->base != NULL)
		ctl_server_free(d->world.server);
	if (d->client >= 0)
		(void)close(d->client);
	(void)stage_teardown(&stage);
	free(d);
	return 0;
}

/* A client at a desk with VM 100 and these settings; VM 101 has not been proven yet. */
static struct desk *
open_desk(void **state, const char *settings)
{
	struct desk *d = *state;
	void *stage = d->stage;
	struct err e = ERR_NONE;
	struct stage *s = stage_of(&stage);

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	stage_reload(s, settings);
	engine_add(s->engine, vm_new("101", 101, "/x.qmp", "/x.pid"));
	d->world.base = s->base;
	d->world.dirfd = s->run_dirfd;
	str_copy(d->world.dir, sizeof(d->world.dir), s->run_dir);
	assert_int_equal(control_new(s->engine, s->run_dir, &d->world.server, &e), 0);
	d->client = ctl_world_dial(&d->world, CTL_SOCKET_RO);
	return d;
}

static json_t *
ask(struct desk *d, const char *id)
{
	auto_free char *request = xasprintf("{\"method\":\"io.qmpin.Explain\","
					    "\"parameters\":{\"id\":\"%s\"}}",
		id);

	ctl_world_ask(&d->world, d->client, request);
	return ctl_world_read(&d->world, d->client);
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
	struct desk *d = open_desk(state, "");
	auto_json json_t *reply = ask(d, "100");
	json_t *params = json_object_get(reply, "parameters");
	const json_t *chosen = json_object_get(params, "chosen");
	const json_t *terms = json_object_get(chosen, "terms");
	const json_t *history = json_object_get(params, "history");
	double total = json_number_value(json_object_get(chosen, "total_ns"));
	char bad[64];

	if (json_object_get(reply, "error") != NULL)
		fail_msg("%s", json_string_value(json_object_get(reply, "error")));
	if (!idl_check(ctl_interface_text(), IDL_METHOD_OUT, "Explain", params, bad,
		    sizeof(bad)))
		fail_msg("%s", bad);
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
	struct desk *d = open_desk(state, "[vm 100]\nmode = off\n");

	check_refused(d, "100", "io.qmpin.NotManaged", "mode off");
	check_refused(d, "101", "io.qmpin.NotManaged", "nothing is known");
	str_copy(d->stage->engine->vms[1]->note, 256, "no answer");
	check_refused(d, "101", "io.qmpin.NotManaged", "no answer");
	check_refused(d, "102", "io.qmpin.VMNotFound", NULL);
}

static void
asking_changes_nothing(void **state)
{
	struct desk *d = open_desk(state, "");
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
