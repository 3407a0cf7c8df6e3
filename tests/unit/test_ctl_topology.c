// SPDX-License-Identifier: MIT
/* What GetTopology tells: a host survives the journey, and damage is refused. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "ctl/idl.h"
#include "ctl/shapes.h"
#include "ctl/topology.h"
#include "hosts.h"

static void
expect_same(struct topo *t, const struct cpuset *reserved)
{
	auto_json json_t *reply = ctl_topology_json(t, reserved);
	struct err e = ERR_NONE;
	struct cpuset found;
	struct topo *copy;
	char bad[64];

	if (!idl_check(ctl_interface_text(), IDL_METHOD_OUT, "GetTopology", reply, bad,
		    sizeof(bad)))
		fail_msg("not as declared: %s", bad);
	if (ctl_topology_parse(reply, &copy, &found, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(topo_equal(t, copy));
	assert_true(cpuset_equal(&t->offline, &copy->offline));
	assert_true(cpuset_equal(reserved, &found));
	for (unsigned int i = 0; i < t->n_nodes; i++)
		assert_int_equal(t->nodes[i].free_kib, copy->nodes[i].free_kib);
	topo_free(copy);
}

static void
hosts_of_all_kinds_arrive_as_they_are(void **state)
{
	static const struct host_spec *const specs[] = {&host_9354, &host_9654_2s,
		&host_xeon_2s, &host_snc, &host_hybrid, &host_flat2, &host_1cpu};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		const struct cpuset isolated = cpuset_of(1);
		struct host h = host_make(specs[i], &CPUSET_NONE, &isolated);
		const struct cpuset reserved = cpuset_of(0);

		expect_same(h.topo, &reserved);
		host_fini(&h);
	}
}

static void
what_a_host_may_lack_is_lacking_there_too(void **state)
{
	struct topo_cpu_facts c[2] = {{.cpu = 3,
					      .core_key = -1,
					      .l2_key = -1,
					      .l3_key = -1,
					      .package_id = -1,
					      .node_id = 7},
		{.cpu = 900,
			.core_key = -1,
			.l2_key = 5,
			.l2_kib = 512,
			.l3_key = -1,
			.package_id = 36,
			.node_id = -1}};
	struct topo_node_facts nodes[] = {{7, 0, false, 0}, {9, 4096, true, 1024}};
	const struct topo_facts f = {.n_cpus = 2,
		.cpus = c,
		.n_nodes = 2,
		.nodes = nodes,
		.offline = cpuset_of(4)};
	struct topo *t;

	(void)state;
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	expect_same(t, &CPUSET_NONE);
	topo_free(t);
}

#define GOOD                                                           \
	"'online':'0-3','cores':[{'cpus':'0-1'},{'cpus':'2-3'}],"      \
	"'caches':[{'cpus':'0-3','level':3,'size_kib':null}],"         \
	"'nodes':[{'node':0,'cpus':'0-3','memory_kib':4,'free_kib':2," \
	"'distances':[10]}],"                                          \
	"'packages':[{'package':0,'cpus':'0-3'}],'reserved':'','isolated':'0'"

/* JSON with ' for ", in which @old has been replaced once. */
static json_t *
changed(const char *old, const char *new)
{
	char text[2000] = "{" GOOD "}";
	char *at = strstr(text, old);
	char rest[2000];

	if (at == NULL)
		fail_msg("%s is not in it", old);
	(void)snprintf(rest, sizeof(rest), "%s%s", new, at + strlen(old));
	(void)snprintf(at, sizeof(text) - (size_t)(at - text), "%s", rest);
	for (char *p = text; *p != '\0'; p++)
		*p = (char)(*p == '\'' ? '"' : *p);
	return json_loads(text, JSON_REJECT_DUPLICATES, NULL);
}

static void
damage_is_refused(void **state)
{
	static const struct {
		const char *old;
		const char *new;
	} cases[] = {
		{"'online':'0-3'", "'online':''"},
		{"'online':'0-3'", "'online':'0-9999'"},
		{"'online':'0-3'", "'online':4"},
		{"'online':'0-3'", "'online':'0-2'"},
		{"'cores'", "'kernels'"},
		{"{'cpus':'2-3'}", "{'cpus':'1-3'}"},
		{"{'cpus':'2-3'}", "{'cpus':'2-4'}"},
		{"{'cpus':'2-3'}", "7"},
		{"'level':3", "'level':null"},
		{"'size_kib':null", "'size_kib':-1"},
		{"'size_kib':null", "'size_kib':'x'"},
		{"'node':0", "'node':1024"},
		{"'node':0", "'node':null"},
		{"'memory_kib':4", "'memory_kib':-4"},
		{"'free_kib':2", "'free_kib':[]"},
		{"[10]", "[10,20]"},
		{"[10]", "[-1]"},
		{"[10]", "[1e9]"},
		{"[10]", "10"},
		{"'nodes':[{", "'nodes':[{'node':1,'cpus':'3','distances':[]},{"},
		{"'nodes':[{", "'nodes':[{'node':0,'cpus':'','distances':[1,1]},{"},
		{"'nodes':[", "'nodes':7,'x':["},
		{"'package':0", "'package':-1"},
		{"'packages':[{", "'packages':[{'package':1,'cpus':'0'},{"},
		{"'reserved':''", "'reserved':'3-1'"},
		{"'isolated':'0'", "'isolated':0"},
		{"'isolated':'0'", "'isolated':'0','offline':'x'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *reply = changed(cases[i].old, cases[i].new);
		struct topo *t = NULL;
		struct cpuset reserved = cpuset_of(77);
		struct err e = ERR_NONE;

		assert_non_null(reply);
		if (ctl_topology_parse(reply, &t, &reserved, &e) != -EPROTO)
			fail_msg("taken: %s", cases[i].new);
		assert_null(t);
		assert_true(cpuset_has(&reserved, 77));
		assert_non_null(strstr(e.text, "topology is damaged: "));
	}
}

static void
an_older_daemons_reply_is_understood(void **state)
{
	auto_json json_t *reply = changed("'reserved':''", "'reserved':'1'");
	struct cpuset reserved;
	struct topo *t;

	(void)state;
	assert_int_equal(ctl_topology_parse(reply, &t, &reserved, NULL), 0);
	assert_true(cpuset_empty(&t->offline));
	assert_int_equal(t->n_cores, 2);
	assert_int_equal(t->n_l3, 1);
	assert_int_equal(t->nodes[0].free_kib, 2);
	assert_true(cpuset_has(&reserved, 1));
	topo_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_of_all_kinds_arrive_as_they_are),
		cmocka_unit_test(what_a_host_may_lack_is_lacking_there_too),
		cmocka_unit_test(damage_is_refused),
		cmocka_unit_test(an_older_daemons_reply_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
