// SPDX-License-Identifier: MIT
/* Lines of placements: what VMs have after an event, as other programs read it. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/placement.h"
#include "cli/scenario.h"
#include "hosts.h"

/* Two nodes with two L3 groups of two cores. */
static const struct host_spec small = {
	.name = "small", .sockets = 1, .nodes = 2, .l3 = 2, .cores = 2, .smt = 1};

static int
make_host(void *owner, const struct cpuset *offline, struct topo **topo,
	struct ranking **ranking, float **ns, struct err *e)
{
	struct host h = host_make(&small, offline, &CPUSET_NONE);

	(void)owner;
	(void)e;
	*topo = h.topo;
	*ranking = h.ranking;
	*ns = h.ns;
	return 0;
}

static struct replay *
new_replay(void)
{
	struct replay_settings s = replay_settings_default();
	struct replay *r = NULL;

	assert_int_equal(replay_new(&s, make_host, NULL, &r, NULL), 0);
	return r;
}

static void
step(struct replay *r, const char *line)
{
	struct scenario s = scenario_new("test");
	struct replay_event ev;
	struct err e = ERR_NONE;

	assert_int_equal(scenario_read(&s, line, strlen(line), &ev, &e), 1);
	if (replay_step(r, &ev, &e) < 0)
		fail_msg("%s: %s", line, e.text);
	replay_event_fini(&ev);
}

static json_t *
written(const struct replay *r)
{
	struct strbuf b = {0};
	json_t *value;

	placement_write(r, &b);
	assert_int_equal(b.s[b.len - 1], '\n');
	assert_ptr_equal(strchr(b.s, '\n'), b.s + b.len - 1);
	value = json_loads(b.s, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(value);
	strbuf_fini(&b);
	return value;
}

static const json_t *
vm_of(const json_t *line, const char *id)
{
	const json_t *vm = json_object_get(json_object_get(line, "vms"), id);

	assert_non_null(vm);
	return vm;
}

static void
assert_list(const json_t *list, const char *want)
{
	struct cpuset set = CPUSET_NONE;
	char text[64];

	assert_true(json_is_array(list));
	for (size_t i = 0; i < json_array_size(list); i++)
		cpuset_add(&set,
			(unsigned int)json_integer_value(json_array_get(list, i)));
	assert_int_equal(cpuset_count(&set), json_array_size(list));
	assert_string_equal(cpuset_format(&set, text, sizeof(text)), want);
}

static void
no_vms_are_an_empty_object(void **state)
{
	struct replay *r = new_replay();
	struct strbuf b = {0};

	(void)state;
	placement_write(r, &b);
	assert_string_equal(strbuf_text(&b), "{\"vms\":{}}\n");
	strbuf_fini(&b);
	replay_free(r);
}

static void
each_vm_has_a_list_for_each_vcpu(void **state)
{
	struct replay *r = new_replay();

	(void)state;
	step(r, "{\"ev\":\"start\",\"vm\":100,\"vcpus\":2,\"maxvcpus\":4}");
	step(r, "{\"ev\":\"start\",\"vm\":\"b\",\"vcpus\":1,\"mode\":\"pin\","
		"\"affinity\":\"7\"}");
	step(r, "{\"ev\":\"hotplug\",\"vm\":100,\"vcpus\":3}");
	auto_json json_t *line = written(r);
	const json_t *vm = vm_of(line, "100");
	assert_int_equal(json_object_size(line), 1);
	assert_int_equal(json_object_size(json_object_get(line, "vms")), 2);
	assert_int_equal(json_object_size(vm), 4);
	assert_int_equal(json_array_size(json_object_get(vm, "vcpus")), 3);
	assert_true(json_is_array(json_object_get(vm, "emu")));
	assert_true(json_is_null(json_object_get(vm, "mem")));
	assert_true(json_string_length(json_object_get(vm, "why")) > 0);
	vm = vm_of(line, "b");
	assert_list(json_array_get(json_object_get(vm, "vcpus"), 0), "7");
	replay_free(r);
}

static void
bound_memory_is_a_list_for_each_guest_node(void **state)
{
	struct replay *r = new_replay();

	(void)state;
	step(r, "{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"numa\":1,"
		"\"vnuma\":[[0],[1]],\"hostnodes\":[[1],null]}");
	auto_json json_t *line = written(r);
	const json_t *mem = json_object_get(vm_of(line, "1"), "mem");
	assert_int_equal(json_array_size(mem), 2);
	assert_list(json_array_get(mem, 0), "1");
	assert_true(json_is_null(json_array_get(mem, 1)));
	replay_free(r);
}

static void
vm_that_cannot_be_placed_has_all_it_may_use(void **state)
{
	struct replay *r = new_replay();

	(void)state;
	step(r, "{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"affinity\":\"4-5\","
		"\"numa\":1,\"vnuma\":[[0,1]],\"hostnodes\":[[0]]}");
	auto_json json_t *line = written(r);
	const json_t *vm = vm_of(line, "1");
	assert_list(json_array_get(json_object_get(vm, "vcpus"), 1), "4-5");
	assert_list(json_object_get(vm, "emu"), "4-5");
	replay_free(r);
}

static void
stopped_vms_are_gone(void **state)
{
	struct replay *r = new_replay();
	struct strbuf b = {0};

	(void)state;
	step(r, "{\"ev\":\"start\",\"vm\":1,\"vcpus\":2}");
	step(r, "{\"ev\":\"stop\",\"vm\":1}");
	placement_write(r, &b);
	assert_string_equal(strbuf_text(&b), "{\"vms\":{}}\n");
	strbuf_fini(&b);
	replay_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_vms_are_an_empty_object),
		cmocka_unit_test(each_vm_has_a_list_for_each_vcpu),
		cmocka_unit_test(bound_memory_is_a_list_for_each_guest_node),
		cmocka_unit_test(vm_that_cannot_be_placed_has_all_it_may_use),
		cmocka_unit_test(stopped_vms_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
