// SPDX-License-Identifier: MIT
/* Lines of scenarios: what is read of them, and what is said about wrong ones. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/scenario.h"

static struct replay_event
read_well(const char *text)
{
	struct scenario s = scenario_new("file");
	struct replay_event ev;
	struct err e = ERR_NONE;

	if (scenario_read(&s, text, strlen(text), &ev, &e) != 1)
		fail_msg("%s: %s", text, e.text);
	assert_int_equal(s.n_unknown, 0);
	return ev;
}

static void
assert_set(const struct cpuset *set, const char *list)
{
	char text[CPUSET_TEXT_MAX];

	assert_string_equal(cpuset_format(set, text, sizeof(text)), list);
}

/* ---- what is right ---- */

static void
plain_start_is_read(void **state)
{
	struct replay_event ev =
		read_well("{\"ev\":\"start\",\"vm\":100,\"vcpus\":4,\"maxvcpus\":8,"
			  "\"tpc\":1,\"vnuma\":null,\"numa\":0,\"mem_gib\":8,"
			  "\"affinity\":null}");

	(void)state;
	assert_int_equal(ev.kind, REPLAY_START);
	assert_string_equal(ev.id, "100");
	assert_true(isnan(ev.t_s));
	assert_int_equal(ev.start.n_vcpus, 4);
	assert_int_equal(ev.start.max_vcpus, 8);
	assert_int_equal(ev.start.threads_per_core, 1);
	assert_int_equal(ev.start.n_guest_nodes, 0);
	assert_null(ev.start.guest_vcpus);
	assert_null(ev.start.host_nodes);
	assert_false(ev.start.numa);
	assert_true(ev.start.memory_gib > 7.99 && ev.start.memory_gib < 8.01);
	assert_false(ev.start.has_affinity);
	assert_false(ev.start.has_mode || ev.start.has_smt || ev.start.has_emulator);
	replay_event_fini(&ev);
}

static void
all_keys_of_a_start_are_read(void **state)
{
	struct replay_event ev = read_well(
		"{\"ev\":\"start\",\"t\":12.5,\"vm\":\"web-1\",\"vcpus\":8,\"tpc\":2,"
		"\"vnuma\":[[0,1,2,3],[4,5,6,7]],\"hostnodes\":[[0,1],null],\"numa\":1,"
		"\"mem_gib\":32.5,\"affinity\":\"0-31\",\"mode\":\"dedicated\","
		"\"smt\":\"avoid\",\"emulator\":\"isolate\",\"memnodes\":{\"0\":1.5,"
		"\"12\":2},\"pci_nodes\":[3,1],\"weight\":2.5,\"cpulimit\":4}");
	const struct replay_start *s = &ev.start;

	(void)state;
	assert_string_equal(ev.id, "web-1");
	assert_true(ev.t_s > 12.4 && ev.t_s < 12.6);
	assert_int_equal(s->max_vcpus, 8);
	assert_int_equal(s->threads_per_core, 2);
	assert_true(s->numa);
	assert_int_equal(s->n_guest_nodes, 2);
	assert_set(&s->guest_vcpus[0], "0-3");
	assert_set(&s->guest_vcpus[1], "4-7");
	assert_set(&s->host_nodes[0], "0-1");
	assert_true(cpuset_empty(&s->host_nodes[1]));
	assert_true(s->has_affinity);
	assert_set(&s->affinity, "0-31");
	assert_true(s->has_mode && s->mode == PLACE_DEDICATED);
	assert_true(s->has_smt && s->smt == PLACE_SMT_AVOID);
	assert_true(s->has_emulator && s->emulator == PLACE_EMULATOR_ISOLATE);
	assert_int_equal(s->n_resident, 2);
	for (unsigned int i = 0; i < 2; i++) {
		const struct replay_amount *a = &s->resident[i];

		assert_true((a->id == 0 && a->value > 1.4 && a->value < 1.6) ||
			    (a->id == 12 && a->value > 1.9 && a->value < 2.1));
	}
	assert_set(&s->pci_nodes, "1,3");
	assert_true(s->weight > 2.4 && s->weight < 2.6);
	assert_true(s->cpulimit > 3.9 && s->cpulimit < 4.1);
	replay_event_fini(&ev);
}

static void
host_nodes_alone_make_one_guest_node(void **state)
{
	struct replay_event ev = read_well(
		"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"hostnodes\":[[1]]}");

	(void)state;
	assert_int_equal(ev.start.n_guest_nodes, 1);
	assert_true(cpuset_empty(&ev.start.guest_vcpus[0]));
	assert_set(&ev.start.host_nodes[0], "1");
	replay_event_fini(&ev);
}

static void
other_events_are_read(void **state)
{
	struct replay_event ev;

	(void)state;
	ev = read_well("{\"ev\":\"hotplug\",\"vm\":100,\"vcpus\":6}");
	assert_int_equal(ev.kind, REPLAY_HOTPLUG);
	assert_string_equal(ev.id, "100");
	assert_int_equal(ev.n_vcpus, 6);
	ev = read_well("{\"ev\":\"stop\",\"vm\":100}");
	assert_int_equal(ev.kind, REPLAY_STOP);
	ev = read_well("{\"ev\":\"cpu_offline\",\"cpu\":9}");
	assert_int_equal(ev.kind, REPLAY_CPU_OFFLINE);
	assert_int_equal(ev.cpu, 9);
	ev = read_well(" {\"ev\":\"cpu_online\",\"cpu\":0,\"t\":0} \r");
	assert_int_equal(ev.kind, REPLAY_CPU_ONLINE);
	assert_true(ev.t_s < 0.1);
	ev = read_well("{\"ev\":\"host\",\"node_free_gib\":{\"0\":12.5},"
		       "\"background\":{\"3\":0.5}}");
	assert_int_equal(ev.kind, REPLAY_HOST);
	assert_int_equal(ev.n_free, 1);
	assert_int_equal(ev.free[0].id, 0);
	assert_true(ev.free[0].value > 12.4 && ev.free[0].value < 12.6);
	assert_int_equal(ev.n_background, 1);
	assert_int_equal(ev.background[0].id, 3);
	replay_event_fini(&ev);
}

/* What cannot be on this host is not the parser's business. */
static void
what_only_the_host_can_judge_passes(void **state)
{
	static const char *const lines[] = {
		"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"affinity\":\"\"}",
		"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"affinity\":\"2047\"}",
		"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"vnuma\":[[0,1],[1]]}",
		"{\"ev\":\"start\",\"vm\":1,\"vcpus\":4096,\"mem_gib\":4194304}",
		"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"pci_nodes\":[]}",
		"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"vnuma\":[]}",
		"{\"ev\":\"host\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct replay_event ev = read_well(lines[i]);

		replay_event_fini(&ev);
	}
}

static void
blank_lines_are_no_events_but_count(void **state)
{
	struct scenario s = scenario_new("file");
	struct replay_event ev;

	(void)state;
	assert_int_equal(scenario_read(&s, "", 0, &ev, NULL), 0);
	assert_int_equal(scenario_read(&s, " \t\r", 3, &ev, NULL), 0);
	assert_int_equal(s.line, 2);
}

/* ---- what is wrong ---- */

static const struct {
	const char *text;
	int r;
	const char *why;
} wrong[] = {
	{"{", -EBADMSG, "not JSON"},
	{"[]", -EBADMSG, "not an object"},
	{"{} {}", -EBADMSG, "not JSON"},
	{"\x01", -EBADMSG, "not JSON"},
	{"{\"ev\":\"stop\",\"vm\":1,\"vm\":2}", -EBADMSG, "not JSON: duplicate"},
	{"{\"ev\":\"stop\",\"vm\":NaN}", -EBADMSG, "not JSON"},
	{"{\"ev\":\"stop\",\"vm\":1e999}", -EBADMSG, "not JSON"},
	{"{\"ev\":\"stop\",\"vm\":99999999999999999999}", -EBADMSG, "not JSON"},
	{"{\"ev\":[[[[[1]]]]]}", -E2BIG, "deeper than"},
	{"{}", -EINVAL, "\"ev\" is missing"},
	{"{\"ev\":7}", -EINVAL, "\"ev\" 7 is not host, start"},
	{"{\"ev\":\"pause\",\"vm\":1}", -EINVAL, "\"ev\" \"pause\" is not host"},
	{"{\"ev\":\"stop\"}", -EINVAL, "\"vm\" is missing"},
	{"{\"ev\":\"stop\",\"vm\":null}", -EINVAL, "\"vm\" is missing"},
	{"{\"ev\":\"stop\",\"vm\":-1}", -EINVAL, "\"vm\" -1 is not the id"},
	{"{\"ev\":\"stop\",\"vm\":\"a b\"}", -EINVAL, "\"vm\" \"a b\" is not"},
	{"{\"ev\":\"stop\",\"vm\":\"\"}", -EINVAL, "\"vm\" \"\" is not the id"},
	{"{\"ev\":\"stop\",\"vm\":{}}", -EINVAL, "\"vm\" {} is not the id"},
	{"{\"ev\":\"start\",\"vm\":100}", -EINVAL, "vm 100: \"vcpus\" is missing"},
	{"{\"ev\":\"start\",\"vm\":100,\"vcpus\":0}", -ERANGE,
		"vm 100: \"vcpus\" 0 is not a number from 1 to 4096"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":4097}", -ERANGE, "\"vcpus\" 4097"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":-3}", -ERANGE, "\"vcpus\" -3"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2.5}", -EINVAL, "\"vcpus\" 2.5"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":\"4\"}", -EINVAL,
		"\"vcpus\" \"4\" is not a number"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":8,\"maxvcpus\":4}", -ERANGE,
		"vm 1: \"maxvcpus\" 4 is less than \"vcpus\" 8"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"tpc\":0}", -ERANGE, "\"tpc\" 0"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"numa\":2}", -EINVAL,
		"\"numa\" 2 is not 0 or 1"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"mem_gib\":-1}", -ERANGE,
		"\"mem_gib\" -1 is not a number from 0"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"mem_gib\":1e300}", -ERANGE,
		"\"mem_gib\" 1"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"mem_gib\":\"8G\"}", -EINVAL,
		"\"mem_gib\" \"8G\" is not a number"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"affinity\":\"0-\"}", -EINVAL,
		"\"affinity\" \"0-\" is not a list of CPUs such as \"0-3,8\""},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"affinity\":[0]}", -EINVAL,
		"\"affinity\" [0] is not a list"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"affinity\":\"4000\"}", -ERANGE,
		"\"affinity\" \"4000\" is not within"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"vnuma\":3}", -EINVAL,
		"\"vnuma\" 3 is not a list"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"vnuma\":[3]}", -EINVAL,
		"\"vnuma\" 3 is not a list"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"vnuma\":[[2048]]}", -ERANGE,
		"\"vnuma\" 2048 is not a number from 0 to 2047"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"vnuma\":[[0],[1]],"
	 "\"hostnodes\":[[0]]}",
		-ERANGE, "\"hostnodes\" has 1 guest node, \"vnuma\" has 2"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"mode\":\"fast\"}", -EINVAL,
		"\"mode\" \"fast\" is not off, observe, auto"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"memnodes\":{\"x\":1}}", -EINVAL,
		"\"memnodes\" has \"x\", which is not a number from 0"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"memnodes\":{\"9999\":1}}", -ERANGE,
		"\"memnodes\" has \"9999\""},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"memnodes\":[1]}", -EINVAL,
		"\"memnodes\" [1] is not an object"},
	{"{\"ev\":\"hotplug\",\"vm\":1}", -EINVAL, "\"vcpus\" is missing"},
	{"{\"ev\":\"cpu_offline\"}", -EINVAL, "\"cpu\" is missing"},
	{"{\"ev\":\"cpu_offline\",\"cpu\":-1}", -ERANGE, "\"cpu\" -1 is not"},
	{"{\"ev\":\"cpu_offline\",\"cpu\":5000}", -ERANGE, "\"cpu\" 5000"},
	{"{\"ev\":\"host\",\"background\":{\"3\":1.5}}", -ERANGE,
		"\"background\" 1.5 is not a number from 0 to 1"},
	{"{\"ev\":\"host\",\"node_free_gib\":{\"3\":true}}", -EINVAL,
		"\"node_free_gib\" true is not a number"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":1e3}", -EINVAL,
		"\"vcpus\" 1000.0 is not a number from 1 to 4096, in digits only"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":true}", -EINVAL,
		"\"vcpus\" true is not a number from 1 to 4096"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"vnuma\":[null,[0,1]]}", -EINVAL,
		"\"vnuma\" null is not a list of numbers"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"vnuma\":[[0,1,0]]}", -ERANGE,
		"vm 1: \"vnuma\" has 0 twice"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"hostnodes\":[[3,3]]}", -ERANGE,
		"vm 1: \"hostnodes\" has 3 twice"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"pci_nodes\":[1,1]}", -ERANGE,
		"vm 1: \"pci_nodes\" has 1 twice"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"memnodes\":{\"0\":1,\"00\":2}}",
		-ERANGE, "vm 1: \"memnodes\" has 0 twice"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"affinity\":\"1\\n\"}", -EINVAL,
		"\"affinity\" \"1\\\\n\" is not a list of CPUs"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"affinity\":\" 5\"}", -EINVAL,
		"\"affinity\" \" 5\" is not a list of CPUs"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"affinity\":\"5-3\"}", -EINVAL,
		"\"affinity\" \"5-3\" is not a list of CPUs"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"affinity\":\"0,,1\"}", -EINVAL,
		"\"affinity\" \"0,,1\" is not a list of CPUs"},
	{"{\"ev\":\"start\",\"vm\":1,\"vcpus\":2,\"maxvcpus\":4,\"weight\":4.5}",
		-ERANGE, "vm 1: \"weight\" 4.5 is more than the 4 vCPUs it can have"},
	{"{\"ev\":\"host\",\"t\":\"now\"}", -EINVAL, "\"t\" \"now\" is not"},
	{"{\"ev\":\"host\",\"t\":1e13}", -ERANGE, "\"t\" 1"},
};

static void
wrong_lines_say_what_and_where(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct scenario s = scenario_new("file");
		struct replay_event ev = {.cpu = 77};
		struct err e = ERR_NONE;
		int r;

		s.line = 16;
		r = scenario_read(&s, wrong[i].text, strlen(wrong[i].text), &ev, &e);
		if (r != wrong[i].r || strstr(e.text, wrong[i].why) == NULL)
			fail_msg("%s: %d, %s", wrong[i].text, r, e.text);
		assert_string_equal(e.source, "file");
		assert_int_equal(e.line, 17);
		assert_int_equal(ev.cpu, 77); /* left alone */
	}
}

static void
long_values_are_cut_in_messages(void **state)
{
	auto_free char *name = xcalloc(2001, 1);
	struct scenario s = scenario_new("file");
	struct replay_event ev;
	struct err e = ERR_NONE;

	(void)state;
	memset(name, 'a', 2000);
	auto_free char *text = xasprintf("{\"ev\":\"stop\",\"vm\":\"%s\"}", name);
	assert_int_equal(scenario_read(&s, text, strlen(text), &ev, &e), -EINVAL);
	assert_non_null(strstr(e.text, "aaa... is not the id of a VM"));
}

static void
long_lines_and_many_guest_nodes_are_refused(void **state)
{
	auto_free char *text = xcalloc(SCENARIO_LINE_MAX + 1, 1);
	struct scenario s = scenario_new("file");
	struct strbuf b = {0};
	struct replay_event ev;

	(void)state;
	memset(text, '[', SCENARIO_LINE_MAX + 1);
	assert_int_equal(
		scenario_read(&s, text, SCENARIO_LINE_MAX + 1, &ev, NULL), -E2BIG);
	strbuf_adds(&b, "{\"ev\":\"start\",\"vm\":1,\"vcpus\":1,\"vnuma\":[[0]");
	for (unsigned int i = 0; i < SCENARIO_GUEST_NODES_MAX; i++)
		strbuf_adds(&b, ",[0]");
	strbuf_adds(&b, "]}");
	assert_int_equal(scenario_read(&s, b.s, b.len, &ev, NULL), -ERANGE);
	strbuf_fini(&b);
}

/* ---- what is not known ---- */

static void
unknown_keys_are_noted_once(void **state)
{
	static const char line[] =
		"{\"ev\":\"stop\",\"vm\":1,\"colour\":\"red\",\"note\":{}}";
	struct scenario s = scenario_new("file");
	struct replay_event ev;

	(void)state;
	assert_int_equal(scenario_read(&s, line, sizeof(line) - 1, &ev, NULL), 1);
	assert_int_equal(scenario_read(&s, line, sizeof(line) - 1, &ev, NULL), 1);
	assert_int_equal(s.n_unknown, 2);
	assert_string_equal(s.unknown[0].key, "colour");
	assert_string_equal(s.unknown[1].key, "note");
	assert_int_equal(s.unknown[1].line, 1);
}

static void
keys_of_other_events_are_unknown(void **state)
{
	static const char line[] = "{\"ev\":\"stop\",\"vm\":1,\"vcpus\":\"many\"}";
	struct scenario s = scenario_new("file");
	struct replay_event ev;

	(void)state;
	assert_int_equal(scenario_read(&s, line, sizeof(line) - 1, &ev, NULL), 1);
	assert_int_equal(s.n_unknown, 1);
	assert_string_equal(s.unknown[0].key, "vcpus");
}

static void
endless_new_keys_take_no_memory(void **state)
{
	struct scenario s = scenario_new("file");
	struct replay_event ev;

	(void)state;
	for (unsigned int i = 0; i < 3 * SCENARIO_UNKNOWN_MAX; i++) {
		auto_free char *line =
			xasprintf("{\"ev\":\"stop\",\"vm\":1,\"k%u\":0}", i);

		assert_int_equal(scenario_read(&s, line, strlen(line), &ev, NULL), 1);
	}
	assert_int_equal(s.n_unknown, SCENARIO_UNKNOWN_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_start_is_read),
		cmocka_unit_test(all_keys_of_a_start_are_read),
		cmocka_unit_test(host_nodes_alone_make_one_guest_node),
		cmocka_unit_test(other_events_are_read),
		cmocka_unit_test(what_only_the_host_can_judge_passes),
		cmocka_unit_test(blank_lines_are_no_events_but_count),
		cmocka_unit_test(wrong_lines_say_what_and_where),
		cmocka_unit_test(long_values_are_cut_in_messages),
		cmocka_unit_test(long_lines_and_many_guest_nodes_are_refused),
		cmocka_unit_test(unknown_keys_are_noted_once),
		cmocka_unit_test(keys_of_other_events_are_unknown),
		cmocka_unit_test(endless_new_keys_take_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
