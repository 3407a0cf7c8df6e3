// SPDX-License-Identifier: MIT
/*
 * The JSON of VMs, threads and the status has exactly the members that the interface
 * declares, in any state, with the declared types. The names are read from the .varlink
 * file by a reader of the test's own.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/idl.h"
#include "ctl/shapes.h"

static char *
read_interface(void)
{
	const char *srcdir = getenv("srcdir");
	auto_free char *path =
		xasprintf("%s/src/ctl/io.qmpin.varlink", srcdir != NULL ? srcdir : ".");
	struct strbuf b = {0};
	char chunk[1024];
	size_t n;
	FILE *f = fopen(path, "r");

	if (f == NULL)
		fail_msg("cannot read %s", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		strbuf_add(&b, chunk, n);
	(void)fclose(f);
	return strbuf_take(&b);
}

/* "tid class index ..." of the parenthesis that follows @head. */
static char *
declared_names(const char *text, const char *head)
{
	const char *p = strstr(text, head);
	struct strbuf b = {0};
	unsigned int depth = 0;

	assert_non_null(p);
	for (p = strchr(p + strlen(head) - 1, '('); depth > 0 || *p == '('; p++) {
		size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");

		assert_true(*p != '\0');
		if (depth == 1 && n > 0 && p[n] == ':') {
			strbuf_add(&b, p, n);
			strbuf_adds(&b, " ");
		}
		p += n > 0 ? n - 1 : 0;
		if (*p == '(')
			depth++;
		if (*p == ')')
			depth--;
	}
	return strbuf_take(&b);
}

static char *
names_of(json_t *obj)
{
	struct strbuf b = {0};
	const char *key;
	json_t *value;

	json_object_foreach (obj, key, value)
		strbuf_addf(&b, "%s ", key);
	return strbuf_take(&b);
}

static void
expect_names(json_t *obj, const char *head)
{
	auto_free char *text = read_interface();
	auto_free char *want = declared_names(text, head);
	auto_free char *have = names_of(obj);

	assert_true(strlen(want) > 10);
	assert_string_equal(have, want);
}

static void
expect_shape(json_t *obj, enum idl_part part, const char *name)
{
	char bad[64];

	if (!idl_check(ctl_interface_text(), part, name, obj, bad, sizeof(bad)))
		fail_msg("%s: member %s is not as declared", name, bad);
}

static const struct ctl_thread threads[] = {
	{5001, "vcpu", 0, "CPU 0/KVM", "0-3", "0-3", 2},
	{5002, "worker", -1, "bad \xff\x01name", NULL, "0-7", -1},
};

static const struct ctl_drift drifts[] = {{"thread", 2}, {"all", 3}};

static const struct ctl_vm full = {
	.id = "103",
	.vmid = 103,
	.name = "web",
	.pid = 77,
	.state = "watching",
	.mode = "float",
	.mode_origin = "default",
	.share = "private",
	.vcpus = 2,
	.vcpus_max = 4,
	.cpus = "0-3",
	.nodes = "0",
	.limit = "0-7",
	.memory_local_pct = 100,
	.wait_pct = 0,
	.repairs = 5,
	.drifts = drifts,
	.n_drifts = ARRAY_LEN(drifts),
	.last_move_us = 1700000000000001,
	.last_cause = "resume",
	.note = "a note",
	.threads = threads,
	.n_threads = 2,
};

/* Every nullable member is null. */
static const struct ctl_vm bare = {
	.id = "plain",
	.vmid = -1,
	.state = "found",
	.mode = "off",
	.mode_origin = "config",
	.share = "none",
	.limit = "",
	.memory_local_pct = -1,
	.wait_pct = -1,
};

static void
vm_has_the_declared_members_whatever_is_known(void **state)
{
	const struct ctl_vm *const cases[] = {&full, &bare};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *obj = ctl_vm_json(cases[i]);

		expect_names(obj, "\ntype VM (");
		expect_shape(obj, IDL_TYPE, "VM");
		json_decref(obj);
	}
}

static void
threads_have_the_declared_members(void **state)
{
	json_t *obj = ctl_vm_json(&full);
	json_t *list = json_object_get(obj, "threads");

	(void)state;
	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < 2; i++) {
		expect_names(json_array_get(list, i), "\ntype Thread (");
		expect_shape(json_array_get(list, i), IDL_TYPE, "Thread");
	}
	json_decref(obj);
}

static void
status_has_the_declared_members(void **state)
{
	static const char *const latencies[] = {
		"model", "measuring", "measured", "untrusted"};
	static const char *const warnings[] = {"one", "two \xc3"};
	static const struct ctl_turns turns[] = {{1.0, 7}, {-1.0, 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(latencies); i++) {
		struct ctl_status s = {
			.version = "1",
			.latency = latencies[i],
			.last_pass_ms = i == 0 ? NAN : 1.5,
			.longest_turn_ms = i == 0 ? -1 : 2.5,
			.turns = i == 2 ? turns : NULL,
			.n_turns = i == 2 ? ARRAY_LEN(turns) : 0,
			.background_cpus = i == 0 ? NAN : (double)i - 1.5,
			.warnings = warnings,
			.n_warnings = i == 1 ? 2 : 0,
		};
		json_t *obj = ctl_status_json(&s);

		expect_names(obj, "\nmethod GetStatus() -> (");
		expect_shape(obj, IDL_METHOD_OUT, "GetStatus");
		assert_int_equal(json_array_size(json_object_get(obj, "warnings")),
			s.n_warnings);
		json_decref(obj);
	}
}

static void
probe_has_the_declared_members(void **state)
{
	static const char *const texts[] = {"first pass", NULL, "odd \xff"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct ctl_probe p = {.done = i == 1,
			.pairs = i,
			.pairs_total = 2096128,
			.visits = 7,
			.visits_total = i == 1 ? 0 : 70,
			.text = texts[i]};
		json_t *obj = ctl_probe_json(&p);

		expect_names(obj, "\nmethod Probe(cpus: ?string, budget_s: ?float, "
				  "exhaustive: ?bool) -> (");
		expect_shape(obj, IDL_METHOD_OUT, "Probe");
		json_decref(obj);
	}
}

static void
explain_has_the_declared_members(void **state)
{
	const struct ctl_term terms[] = {
		{"waiting", NAN, "odd \xff"}, {"moving", -1.5, "x"}};
	const struct ctl_candidate place = {"0-3", "0", INFINITY, terms, 2, "why"};
	const struct ctl_decision history[] = {
		{1700000000000001, "103", "resume", "from"},
		{0, NULL, "drift", "\xff"}};
	const char *const texts[] = {"one", "two \xc3"};
	const struct ctl_explain cases[] = {
		{&place, &place, texts, 2, texts, 1, history, 2},
		{.chosen = &place},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *obj = ctl_explain_json(&cases[i]);
		json_t *chosen = json_object_get(obj, "chosen");
		json_t *term = json_array_get(json_object_get(chosen, "terms"), 1);

		expect_names(obj, "\nmethod Explain(id: string) -> (");
		expect_shape(obj, IDL_METHOD_OUT, "Explain");
		expect_names(chosen, "\ntype Candidate (");
		expect_names(term, "\ntype Term (");
		assert_float_equal(
			json_real_value(json_object_get(term, "ns")), -1.5, 0);
		assert_int_equal(json_array_size(json_object_get(obj, "history")),
			cases[i].n_history);
		json_decref(obj);
	}
}

static void
what_is_unknown_is_null_and_not_a_number(void **state)
{
	static const char *const nullable[] = {"vmid", "name", "cpus", "nodes",
		"memory_local_pct", "wait_pct", "last_move", "last_cause", "note",
		"threads"};
	struct ctl_vm odd = bare;
	json_t *obj;

	(void)state;
	odd.wait_pct = NAN;
	odd.memory_local_pct = INFINITY;
	obj = ctl_vm_json(&odd);
	for (size_t i = 0; i < ARRAY_LEN(nullable); i++) {
		if (!json_is_null(json_object_get(obj, nullable[i])))
			fail_msg("%s is not null", nullable[i]);
	}
	json_decref(obj);
}

static void
values_arrive(void **state)
{
	json_t *obj = ctl_vm_json(&full);
	const json_t *thread = json_array_get(json_object_get(obj, "threads"), 1);

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(obj, "last_move")),
		1700000000000001);
	assert_int_equal(json_integer_value(json_object_get(obj, "vcpus_max")), 4);
	assert_true(json_is_real(json_object_get(obj, "memory_local_pct")));
	assert_true(json_is_null(json_object_get(thread, "want")));
	assert_true(json_is_null(json_object_get(thread, "last")));
	json_decref(obj);
}

static void
bytes_that_are_no_utf8_are_escaped_not_lost(void **state)
{
	json_t *obj = ctl_vm_json(&full);
	const json_t *thread = json_array_get(json_object_get(obj, "threads"), 1);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(thread, "comm")),
		"bad \\xff\\x01name");
	json_decref(obj);
}

static void
served_text_is_the_file(void **state)
{
	auto_free char *text = read_interface();

	(void)state;
	assert_string_equal(ctl_interface_text(), text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vm_has_the_declared_members_whatever_is_known),
		cmocka_unit_test(threads_have_the_declared_members),
		cmocka_unit_test(status_has_the_declared_members),
		cmocka_unit_test(probe_has_the_declared_members),
		cmocka_unit_test(explain_has_the_declared_members),
		cmocka_unit_test(what_is_unknown_is_null_and_not_a_number),
		cmocka_unit_test(values_arrive),
		cmocka_unit_test(bytes_that_are_no_utf8_are_escaped_not_lost),
		cmocka_unit_test(served_text_is_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
