// SPDX-License-Identifier: MIT
/* Replies of real and of impossible QEMUs, decoded. */
#include "config.h"

#include "qmp/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "qmp_transcripts.h"

typedef int decoder(struct qmp_facts *facts, const json_t *ret, struct err *e);

static int
decode(decoder *fn, struct qmp_facts *facts, const char *text, struct err *e)
{
	json_t *ret = json_loads(text, JSON_DECODE_ANY, NULL);
	int r;

	if (ret == NULL)
		fail_msg("the test's own JSON is wrong: %s", text);
	r = fn(facts, ret, e);
	json_decref(ret);
	return r;
}

/* The reply in a transcript file. */
static void
decode_file(decoder *fn, struct qmp_facts *facts, const char *name)
{
	auto_free char *path = xasprintf("tests/data/qmp/qemu-7.2/%s", name);
	auto_free char *text = data_text(path);
	json_t *reply = json_loads(text, 0, NULL);
	struct err e = ERR_NONE;

	assert_non_null(reply);
	if (fn(facts, json_object_get(reply, "return"), &e) < 0)
		fail_msg("%s: %s", name, e.text);
	json_decref(reply);
}

static void
vcpus_of_qemu_7_2_are_read(void **state)
{
	struct qmp_facts f = {0};

	(void)state;
	decode_file(qmp_facts_cpus, &f, "query-cpus-fast.json");
	assert_int_equal(f.n_vcpus, 2);
	assert_int_equal(f.vcpus[0].index, 0);
	assert_int_equal(f.vcpus[0].tid, 13795);
	assert_int_equal(f.vcpus[1].index, 1);
	assert_int_equal(f.vcpus[1].tid, 13796);
	assert_int_equal(f.vcpus[1].node, 0);
	assert_int_equal(f.vcpus[1].socket, 0);
	assert_int_equal(f.vcpus[1].core, 1);
	assert_int_equal(f.vcpus[1].thread, 0);
	decode_file(qmp_facts_cpus, &f, "query-cpus-fast.hotplugged.json");
	assert_int_equal(f.n_vcpus, 5);
	assert_int_equal(f.vcpus[4].tid, 12882);
	assert_int_equal(f.vcpus[4].node, -1);
	qmp_facts_fini(&f);
}

static void
the_other_replies_of_qemu_7_2_are_read(void **state)
{
	struct qmp_facts f = {0};

	(void)state;
	decode_file(qmp_facts_hotpluggable, &f, "query-hotpluggable-cpus.json");
	assert_int_equal(f.vcpus_max, 8);
	decode_file(qmp_facts_iothreads, &f, "query-iothreads.2.json");
	assert_int_equal(f.n_iothreads, 2);
	assert_string_equal(f.iothreads[0].id, "iothread-new");
	assert_int_equal(f.iothreads[0].tid, 14029);
	assert_string_equal(f.iothreads[1].id, "iothread-virtioscsi0");
	assert_int_equal(f.iothreads[1].tid, 13791);
	decode_file(qmp_facts_name, &f, "query-name.json");
	assert_string_equal(f.name, "vm905");
	decode_file(qmp_facts_status, &f, "query-status.prelaunch.json");
	assert_false(f.running);
	assert_string_equal(f.status, "prelaunch");
	qmp_facts_fini(&f);
}

static void
vcpus_come_out_in_ascending_order_with_gaps(void **state)
{
	struct qmp_facts f = {0};

	(void)state;
	assert_int_equal(decode(qmp_facts_cpus, &f,
				 "[{\"cpu-index\": 7, \"thread-id\": 9},"
				 " {\"cpu-index\": 0, \"thread-id\": 8, \"props\": {}},"
				 " {\"cpu-index\": 4095, \"thread-id\": 4194304},"
				 " {\"cpu-index\": 2, \"thread-id\": 1}]",
				 NULL),
		0);
	assert_int_equal(f.n_vcpus, 4);
	assert_int_equal(f.vcpus[0].index, 0);
	assert_int_equal(f.vcpus[0].core, -1);
	assert_int_equal(f.vcpus[1].index, 2);
	assert_int_equal(f.vcpus[2].index, 7);
	assert_int_equal(f.vcpus[2].tid, 9);
	assert_int_equal(f.vcpus[3].index, 4095);
	assert_int_equal(f.vcpus[3].tid, 4194304);
	qmp_facts_fini(&f);
}

/* TCG without multi-threading runs all vCPUs in one thread. */
static void
vcpus_may_share_a_thread(void **state)
{
	struct qmp_facts f = {0};

	(void)state;
	assert_int_equal(decode(qmp_facts_cpus, &f,
				 "[{\"cpu-index\": 0, \"thread-id\": 9},"
				 " {\"cpu-index\": 1, \"thread-id\": 9}]",
				 NULL),
		0);
	assert_int_equal(f.n_vcpus, 2);
	qmp_facts_fini(&f);
}

static void
empty_lists_and_no_name_are_facts_too(void **state)
{
	struct qmp_facts f = {.name = "old", .vcpus_max = 9};

	(void)state;
	assert_int_equal(decode(qmp_facts_cpus, &f, "[]", NULL), 0);
	assert_int_equal(f.n_vcpus, 0);
	assert_int_equal(decode(qmp_facts_iothreads, &f, "[]", NULL), 0);
	assert_int_equal(f.n_iothreads, 0);
	assert_int_equal(decode(qmp_facts_hotpluggable, &f, "[]", NULL), 0);
	assert_int_equal(f.vcpus_max, 0);
	assert_int_equal(decode(qmp_facts_name, &f, "{}", NULL), 0);
	assert_string_equal(f.name, "");
	qmp_facts_fini(&f);
}

static void
strings_are_escaped_and_cut(void **state)
{
	struct qmp_facts f = {0};
	char text[600];

	(void)state;
	assert_int_equal(
		decode(qmp_facts_status, &f,
			"{\"running\": true, \"status\": \"a\\n\\u001b[0m\"}", NULL),
		0);
	assert_string_equal(f.status, "a\\x0a\\x1b[0m");
	snprintf(text, sizeof(text), "{\"running\": true, \"status\": \"%0500d\"}", 0);
	assert_int_equal(decode(qmp_facts_status, &f, text, NULL), 0);
	assert_int_equal(strlen(f.status), sizeof(f.status) - 1);
	qmp_facts_fini(&f);
}

static void
names_are_as_they_are_and_cut_between_characters(void **state)
{
	struct qmp_facts f = {0};
	char text[200];

	(void)state;
	assert_int_equal(
		decode(qmp_facts_name, &f, "{\"name\": \"B\xc3\xbc\\u001b\"}", NULL),
		0);
	assert_string_equal(f.name, "B\xc3\xbc\x1b");
	/* 62 bytes, and three more that do not fit */
	snprintf(text, sizeof(text), "{\"name\": \"%062d\xe6\x97\xa5\"}", 0);
	assert_int_equal(decode(qmp_facts_name, &f, text, NULL), 0);
	assert_int_equal(strlen(f.name), 62);
	snprintf(text, sizeof(text), "{\"name\": \"%061d\xe6\x97\xa5\"}", 0);
	assert_int_equal(decode(qmp_facts_name, &f, text, NULL), 0);
	assert_string_equal(f.name + 61, "\xe6\x97\xa5");
	qmp_facts_fini(&f);
}

#define CPU(index, tid) "{\"cpu-index\": " index ", \"thread-id\": " tid "}"

static const struct bad {
	decoder *fn;
	const char *text;
	int r;
	const char *named; /* in the reason */
} bad_replies[] = {
	{qmp_facts_cpus, "{}", -EINVAL, "reply"},
	{qmp_facts_cpus, "null", -EINVAL, "reply"},
	{qmp_facts_cpus, "[1]", -EINVAL, "item 0"},
	{qmp_facts_cpus, "[" CPU("0", "1") ", null]", -EINVAL, "item 1"},
	{qmp_facts_cpus, "[{\"cpu-index\": 0}]", -EINVAL, "thread-id: missing"},
	{qmp_facts_cpus, "[{\"thread-id\": 5}]", -EINVAL, "cpu-index: missing"},
	{qmp_facts_cpus, "[" CPU("0", "null") "]", -EINVAL, "thread-id"},
	{qmp_facts_cpus, "[" CPU("0", "0") "]", -ERANGE, "thread-id: out of range"},
	{qmp_facts_cpus, "[" CPU("0", "-1") "]", -ERANGE, "thread-id"},
	{qmp_facts_cpus, "[" CPU("0", "4194305") "]", -ERANGE, "thread-id"},
	{qmp_facts_cpus, "[" CPU("0", "9223372036854775807") "]", -ERANGE, "thread-id"},
	{qmp_facts_cpus, "[" CPU("0", "\"5\"") "]", -EINVAL, "thread-id: of a wrong"},
	{qmp_facts_cpus, "[" CPU("0", "5.0") "]", -EINVAL, "thread-id"},
	{qmp_facts_cpus, "[" CPU("0", "true") "]", -EINVAL, "thread-id"},
	{qmp_facts_cpus, "[" CPU("0", "[5]") "]", -EINVAL, "thread-id"},
	{qmp_facts_cpus, "[" CPU("-1", "5") "]", -ERANGE, "cpu-index"},
	{qmp_facts_cpus, "[" CPU("4096", "5") "]", -ERANGE, "cpu-index"},
	{qmp_facts_cpus, "[" CPU("0.5", "5") "]", -EINVAL, "cpu-index"},
	{qmp_facts_cpus, "[" CPU("3", "5") ", " CPU("3", "6") "]", -EINVAL, "vCPU 3"},
	{qmp_facts_cpus, "[{\"cpu-index\": 0, \"thread-id\": 1, \"props\": 5}]",
		-EINVAL, "props"},
	{qmp_facts_cpus,
		"[{\"cpu-index\": 0, \"thread-id\": 1, \"props\": {\"core-id\": -1}}]",
		-ERANGE, "core-id"},
	{qmp_facts_cpus,
		"[{\"cpu-index\": 0, \"thread-id\": 1, \"props\": {\"node-id\": []}}]",
		-EINVAL, "node-id"},
	{qmp_facts_status, "{}", -EINVAL, "running"},
	{qmp_facts_status, "[]", -EINVAL, "running"},
	{qmp_facts_status, "{\"running\": 1, \"status\": \"x\"}", -EINVAL, "running"},
	{qmp_facts_status, "{\"running\": true}", -EINVAL, "status"},
	{qmp_facts_hotpluggable, "{}", -EINVAL, "reply"},
	{qmp_facts_hotpluggable, "[{}]", -EINVAL, "vcpus-count"},
	{qmp_facts_hotpluggable, "[{\"vcpus-count\": -1}]", -ERANGE, "vcpus-count"},
	{qmp_facts_hotpluggable, "[{\"vcpus-count\": 4097}]", -ERANGE, "vcpus-count"},
	{qmp_facts_hotpluggable, "[{\"vcpus-count\": 4096}, {\"vcpus-count\": 1}]",
		-E2BIG, "vCPUs"},
	{qmp_facts_iothreads, "5", -EINVAL, "reply"},
	{qmp_facts_iothreads, "[{\"thread-id\": 5}]", -EINVAL, "id: missing"},
	{qmp_facts_iothreads, "[{\"id\": \"a\"}]", -EINVAL, "thread-id"},
	{qmp_facts_iothreads, "[{\"id\": 5, \"thread-id\": 5}]", -EINVAL, "id"},
	{qmp_facts_name, "[]", -EINVAL, "reply"},
	{qmp_facts_name, "{\"name\": 5}", -EINVAL, "name"},
};

static void
a_failure_says_why_and_leaves_the_facts_alone(void **state)
{
	struct qmp_vcpu vcpu = {.index = 1, .tid = 2};
	struct qmp_iothread iothread = {.id = "x", .tid = 3};
	const struct qmp_facts before = {
		.running = true,
		.status = "running",
		.name = "old",
		.n_vcpus = 1,
		.vcpus = &vcpu,
		.vcpus_max = 8,
		.n_iothreads = 1,
		.iothreads = &iothread,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_replies); i++) {
		const struct bad *b = &bad_replies[i];
		struct qmp_facts f = before;
		struct err e = ERR_NONE;
		int r = decode(b->fn, &f, b->text, &e);

		if (r != b->r)
			fail_msg("%s gave %d", b->text, r);
		if (strstr(e.text, b->named) == NULL)
			fail_msg("%s was refused as: %s", b->text, e.text);
		assert_memory_equal(&f, &before, sizeof(f));
	}
}

static int
decode_many_vcpus(struct qmp_facts *f, unsigned int n, struct err *e)
{
	json_t *ret = json_array();
	int r;

	for (unsigned int i = 0; i < n; i++) {
		/* descending and, above the cap, wrapping: order must not matter */
		unsigned int index = (n - 1 - i) % QMP_VCPUS_MAX;

		json_array_append_new(
			ret, json_pack("{s:i, s:i}", "cpu-index", (int)index,
				     "thread-id", (int)index + 1));
	}
	r = qmp_facts_cpus(f, ret, e);
	json_decref(ret);
	return r;
}

static void
counts_are_capped(void **state)
{
	struct qmp_facts f = {0};
	struct err e = ERR_NONE;
	json_t *ret = json_array();

	(void)state;
	assert_int_equal(decode_many_vcpus(&f, QMP_VCPUS_MAX, &e), 0);
	assert_int_equal(f.n_vcpus, QMP_VCPUS_MAX);
	assert_int_equal(f.vcpus[QMP_VCPUS_MAX - 1].index, QMP_VCPUS_MAX - 1);
	assert_int_equal(decode_many_vcpus(&f, 5000, &e), -E2BIG);
	assert_non_null(strstr(e.text, "too many"));
	assert_int_equal(f.n_vcpus, QMP_VCPUS_MAX);
	for (unsigned int i = 0; i <= QMP_IOTHREADS_MAX; i++)
		json_array_append_new(
			ret, json_pack("{s:s, s:i}", "id", "a", "thread-id", 5));
	assert_int_equal(qmp_facts_iothreads(&f, ret, NULL), -E2BIG);
	json_decref(ret);
	qmp_facts_fini(&f);
}

static void
fini_leaves_zeroes(void **state)
{
	const struct qmp_facts zero = {0};
	struct qmp_facts f;

	(void)state;
	memset(&f, 0, sizeof(f));
	decode_file(qmp_facts_cpus, &f, "query-cpus-fast.json");
	decode_file(qmp_facts_iothreads, &f, "query-iothreads.json");
	decode_file(qmp_facts_name, &f, "query-name.json");
	qmp_facts_fini(&f);
	assert_memory_equal(&f, &zero, sizeof(f));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vcpus_of_qemu_7_2_are_read),
		cmocka_unit_test(the_other_replies_of_qemu_7_2_are_read),
		cmocka_unit_test(vcpus_come_out_in_ascending_order_with_gaps),
		cmocka_unit_test(vcpus_may_share_a_thread),
		cmocka_unit_test(empty_lists_and_no_name_are_facts_too),
		cmocka_unit_test(strings_are_escaped_and_cut),
		cmocka_unit_test(names_are_as_they_are_and_cut_between_characters),
		cmocka_unit_test(a_failure_says_why_and_leaves_the_facts_alone),
		cmocka_unit_test(counts_are_capped),
		cmocka_unit_test(fini_leaves_zeroes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
