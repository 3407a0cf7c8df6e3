// SPDX-License-Identifier: MIT
/* Memory as QMP tells it: decoded, and assigned to the guest's nodes. */
#include "config.h"

#include "qmp/memdevs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define RAM(id, nodes, policy)                                    \
	"{\"id\":\"" id "\",\"size\":4096,\"host-nodes\":[" nodes \
	"],\"policy\":\"" policy "\"}"
#define DIMM(memdev, node)                                           \
	"{\"type\":\"dimm\",\"data\":{\"memdev\":\"/objects/" memdev \
	"\",\"node\":" node ",\"hotplugged\":true}}"

typedef int reader(struct memdevs *m, const json_t *ret, struct err *e);

static int
decode(reader *fn, struct memdevs *m, const char *text, struct err *e)
{
	json_t *ret = json_loads(text, JSON_DECODE_ANY, NULL);
	int r;

	if (ret == NULL)
		fail_msg("the test's own JSON is wrong: %s", text);
	r = fn(m, ret, e);
	json_decref(ret);
	return r;
}

static struct memdevs
memory(const char *devs, const char *dimms)
{
	struct memdevs m = {.known = false};

	assert_int_equal(decode(memdevs_read, &m, devs, NULL), 0);
	assert_int_equal(decode(memdevs_read_dimms, &m, dimms, NULL), 0);
	return m;
}

static void
expect_node(const struct memdevs *m, unsigned int node, unsigned int n_nodes,
	uint64_t host_nodes, unsigned int strays)
{
	struct memdevs_of_node at = memdevs_by_node(m, node, n_nodes);

	assert_int_equal(at.bound, host_nodes != 0);
	assert_true(at.host_nodes.bits[0] == host_nodes);
	assert_true(at.host_nodes.bits[1] == 0);
	assert_int_equal(at.stray_dimms, strays);
}

static void
names_tell_the_guest_node(void **state)
{
	struct memdevs m = memory("[" RAM("ram-node1", "3,2", "interleave") "," RAM(
					  "ram-node0", "1", "bind") "]",
		"[]");

	(void)state;
	assert_true(m.known);
	assert_true(memdevs_size(&m) == 8192);
	expect_node(&m, 0, 2, 1u << 1, 0);
	expect_node(&m, 1, 2, 1u << 2 | 1u << 3, 0);
	memdevs_fini(&m);
	assert_false(m.known);
}

static void
only_bind_and_interleave_bind(void **state)
{
	struct memdevs m = memory("[" RAM("ram-node0", "1", "preferred") "," RAM(
					  "ram-node1", "", "bind") "]",
		"[]");

	(void)state;
	expect_node(&m, 0, 2, 0, 0);
	expect_node(&m, 1, 2, 0, 0);
	memdevs_fini(&m);
}

static void
a_guest_of_one_node_has_it_all_whatever_the_names(void **state)
{
	struct memdevs m = memory("[" RAM("mem", "2", "bind") "]", "[]");

	(void)state;
	expect_node(&m, 0, 1, 1u << 2, 0);
	expect_node(&m, 0, 0, 1u << 2, 0);
	memdevs_fini(&m);
}

static void
other_names_tell_what_they_have_in_common(void **state)
{
	struct memdevs alike =
		memory("[" RAM("a", "2", "bind") "," RAM("b", "2", "bind") "]", "[]");
	struct memdevs apart =
		memory("[" RAM("a", "2", "bind") "," RAM("b", "1", "bind") "]", "[]");

	(void)state;
	expect_node(&alike, 0, 2, 1u << 2, 0);
	expect_node(&alike, 1, 2, 1u << 2, 0);
	expect_node(&apart, 0, 2, 0, 0);
	expect_node(&apart, 1, 2, 0, 0);
	memdevs_fini(&alike);
	memdevs_fini(&apart);
}

static void
a_dimm_without_host_nodes_beside_bound_memory_is_a_stray(void **state)
{
	struct memdevs m =
		memory("[" RAM("mem-dimm0", "", "default") "," RAM(
			       "ram-node0", "1", "bind") "," RAM("ram-node1", "",
			       "default") "," RAM("mem-dimm1", "", "default") "]",
			"[" DIMM("mem-dimm0", "0") "," DIMM("mem-dimm1", "1") "]");

	(void)state;
	expect_node(&m, 0, 2, 1u << 1, 1);
	expect_node(&m, 1, 2, 0, 0); /* as the rest of it */
	memdevs_fini(&m);
}

static void
a_bound_dimm_adds_its_nodes(void **state)
{
	struct memdevs m =
		memory("[" RAM("d", "2", "bind") "," RAM("ram-node0", "1", "bind") "]",
			"[" DIMM("d", "0") "]");

	(void)state;
	expect_node(&m, 0, 1, 1u << 1 | 1u << 2, 0);
	memdevs_fini(&m);
}

static void
a_copy_outlives_what_it_is_of(void **state)
{
	struct memdevs m =
		memory("[" RAM("ram-node0", "1", "bind") "]", "[" DIMM("d", "0") "]");
	struct memdevs copy = memdevs_copy(&m);

	(void)state;
	memdevs_fini(&m);
	expect_node(&copy, 0, 1, 1u << 1, 0);
	assert_string_equal(copy.dimms[0].memdev, "d");
	memdevs_fini(&copy);
}

static void
hostile_replies_are_refused_and_leave_what_was(void **state)
{
	static const struct {
		reader *fn;
		const char *text;
		int r;
	} cases[] = {
		{memdevs_read, "5", -EINVAL},
		{memdevs_read, "[5]", -EINVAL},
		{memdevs_read, "[{}]", -EINVAL},
		{memdevs_read, "[" RAM("a", "-1", "bind") "]", -ERANGE},
		{memdevs_read, "[" RAM("a", "128", "bind") "]", -ERANGE},
		{memdevs_read, "[" RAM("a", "9223372036854775807", "bind") "]",
			-ERANGE},
		{memdevs_read, "[" RAM("a", "\"1\"", "bind") "]", -EINVAL},
		{memdevs_read, "[{\"size\":1,\"policy\":3,\"host-nodes\":[]}]",
			-EINVAL},
		{memdevs_read,
			"[{\"size\":9007199254740993,\"policy\":\"bind\","
			"\"host-nodes\":[]}]",
			-ERANGE},
		{memdevs_read, "[{\"size\":1,\"policy\":\"bind\"}]", -EINVAL},
		{memdevs_read_dimms, "{}", -EINVAL},
		{memdevs_read_dimms, "[{}]", -EINVAL},
		{memdevs_read_dimms, "[{\"data\":{\"node\":-1}}]", -ERANGE},
		{memdevs_read_dimms, "[{\"data\":{\"node\":128}}]", -ERANGE},
		{memdevs_read_dimms, "[{\"data\":{\"memdev\":7}}]", -EINVAL},
	};
	struct memdevs m =
		memory("[" RAM("ram-node0", "1", "bind") "]", "[" DIMM("d", "0") "]");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int r = decode(cases[i].fn, &m, cases[i].text, NULL);

		if (r != cases[i].r)
			fail_msg("%s: %d, not %d", cases[i].text, r, cases[i].r);
	}
	assert_int_equal(m.n, 1);
	assert_int_equal(m.n_dimms, 1);
	assert_string_equal(m.list[0].id, "ram-node0");
	memdevs_fini(&m);
}

static void
more_items_than_a_qemu_can_have_are_refused(void **state)
{
	struct memdevs m = {.known = false};
	json_t *ret = json_array();

	(void)state;
	for (unsigned int i = 0; i <= MEMDEVS_MAX; i++)
		json_array_append_new(ret, json_pack("{s:{}}", "data"));
	assert_int_equal(memdevs_read(&m, ret, NULL), -E2BIG);
	assert_int_equal(memdevs_read_dimms(&m, ret, NULL), -E2BIG);
	json_array_remove(ret, 0);
	assert_int_equal(memdevs_read_dimms(&m, ret, NULL), 0);
	json_decref(ret);
	memdevs_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_tell_the_guest_node),
		cmocka_unit_test(only_bind_and_interleave_bind),
		cmocka_unit_test(a_guest_of_one_node_has_it_all_whatever_the_names),
		cmocka_unit_test(other_names_tell_what_they_have_in_common),
		cmocka_unit_test(
			a_dimm_without_host_nodes_beside_bound_memory_is_a_stray),
		cmocka_unit_test(a_bound_dimm_adds_its_nodes),
		cmocka_unit_test(a_copy_outlives_what_it_is_of),
		cmocka_unit_test(hostile_replies_are_refused_and_leave_what_was),
		cmocka_unit_test(more_items_than_a_qemu_can_have_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
