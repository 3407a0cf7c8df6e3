// SPDX-License-Identifier: MIT
/* qmpin topology and qmpin metrics: text, JSON, files, and how they fail. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "cli/cmd.h"
#include "cli_run.h"
#include "ctl/idl.h"
#include "ctl/shapes.h"
#include "ctl_world.h"

static int
set_up(void **state)
{
	*state = ctl_world_new(NULL);
	return 0;
}

static int
tear_down(void **state)
{
	ctl_world_free(*state);
	return 0;
}

/* Three VMs of three vCPUs, one of which may run anywhere. */
static void
topology_draws_the_daemons_host_and_vms(void **state)
{
	cli_expect_text(*state, &(struct cli_how){.args = {"topology"}},
		"16 CPUs, 16 cores, 2 L3 groups, 4 nodes, 2 packages\n"
		"offline  16\n"
		"reserved 0\n"
		"isolated 15\n"
		"\n"
		"package 0\n"
		"node 0    0-3   0.6/3      100(1)+ 101(1)+ 102(1)+\n"
		"          memory 1.0 GiB, 0.5 GiB free\n"
		"          R111\n"
		"node 1    4-7   0.8/4      100(1)+ 101(1)+ 102(1)+\n"
		"          memory 1.0 GiB, 0.5 GiB free\n"
		"          1111\n"
		"package 1\n"
		"node 2    8-11  6.8/4      100(3)+ 101(3)+ 102(3)+\n"
		"          memory 1.0 GiB, 0.5 GiB free\n"
		"          2222\n"
		"node 3    12-15 0.8/4      100(1)+ 101(1)+ 102(1)+\n"
		"          memory 1.0 GiB, 0.5 GiB free\n"
		"          111I\n"
		"\n"
		"a character is a CPU:\n"
		"1-9 vCPUs for each CPU, rounded up, . none\n"
		"r R reserved, i I isolated; capitals: vCPUs may run there\n"
		"+ also on other nodes\n");
}

static void
a_host_without_vms_is_drawn(void **state)
{
	struct ctl_world *w = *state;

	w->n_vms = 0;
	w->n_packages = 1;
	cli_expect_text(w, &(struct cli_how){.args = {"topology"}},
		"8 CPUs, 8 cores, 1 L3 group, 2 nodes, 1 package\n"
		"offline  8\n"
		"reserved 0\n"
		"isolated 7\n"
		"\n"
		"node 0    0-3 0.0/3\n"
		"          memory 1.0 GiB, 0.5 GiB free\n"
		"          r...\n"
		"node 1    4-7 0.0/4\n"
		"          memory 1.0 GiB, 0.5 GiB free\n"
		"          ...i\n"
		"\n"
		"a character is a CPU:\n"
		"1-9 vCPUs for each CPU, rounded up, . none\n"
		"r reserved, i isolated\n");
}

static void
json_is_the_reply(void **state)
{
	static const struct {
		const char *command;
		const char *method;
	} cases[] = {{"topology", "GetTopology"}, {"metrics", "GetMetrics"}};
	struct ctl_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_result r;
		char bad[64];

		w->n_calls = 0;
		cli_run(w, &(struct cli_how){.args = {cases[i].command, "-j"}}, &r);
		assert_int_equal(r.status, CMD_OK);
		assert_int_equal(w->n_calls, 1);
		auto_json json_t *reply = json_loads(strbuf_text(&r.out), 0, NULL);
		if (!idl_check(ctl_interface_text(), IDL_METHOD_OUT, cases[i].method,
			    reply, bad, sizeof(bad)))
			fail_msg("%s: %s", bad, strbuf_text(&r.out));
		cli_result_fini(&r);
	}
}

static void
metrics_are_the_text_as_it_is(void **state)
{
	struct ctl_world *w = *state;

	cli_expect_text(w, &(struct cli_how){.args = {"metrics"}}, "a 1\nb 2\n");
	cli_expect_text(
		w, &(struct cli_how){.args = {"metrics", "-o", "-"}}, "a 1\nb 2\n");
	w->hostile = true; /* in a pipe it is the reader's */
	cli_expect_text(w, &(struct cli_how){.args = {"metrics"}},
		"evil\x1b]0;owned\x07 \xc3\xbc \\n\n");
}

static void
a_terminal_gets_no_control_characters(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	w->hostile = true;
	cli_run(w,
		&(struct cli_how){
			.args = {"metrics"}, .columns = 80, .env = "LC_ALL=C.UTF-8"},
		&r);
	assert_string_equal(strbuf_text(&r.out), "evil?]0;owned? \xc3\xbc \\n\r\n");
	cli_result_fini(&r);
	cli_run(w, &(struct cli_how){.args = {"topology"}, .columns = 60}, &r);
	assert_int_equal(r.status, CMD_OK);
	for (const char *c = strbuf_text(&r.out); *c != '\0'; c++)
		assert_true(*c == '\r' || *c == '\n' || *c == '\x1b' ||
			    (*c >= ' ' && *c <= '~'));
	cli_result_fini(&r);
}

static void
a_file_is_replaced_as_a_whole(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *path = xasprintf("%s/q.prom", w->dir);
	const struct cli_how how = {.args = {"metrics", "-o", path}};
	char text[64] = "";
	struct stat st;
	FILE *f;

	for (unsigned int i = 0; i < 2; i++)
		cli_expect_text(w, &how, "");
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fread(text, 1, sizeof(text) - 1, f), 8);
	(void)fclose(f);
	assert_string_equal(text, "a 1\nb 2\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0444, 0444);
	assert_int_equal(unlink(path), 0); /* and nothing else is in the directory */
}

static void
what_goes_wrong_is_one_line(void **state)
{
	static const struct {
		struct cli_how how;
		int status;
		const char *err; /* the beginning */
	} cases[] = {
		{{.args = {"topology", "7"}}, CMD_USAGE,
			"qmpin: qmpin topology takes no arguments\n"},
		{{.args = {"topology", "--latency", "x"}}, CMD_USAGE,
			"qmpin: qmpin topology has no option"},
		{{.args = {"topology"}}, CMD_FAILED,
			"qmpin: the daemon's topology is damaged: cores\n"},
		{{.args = {"topology", "--topology", "/nonexistent"}}, CMD_FAILED,
			"qmpin: /nonexistent: "},
		{{.args = {"topology", "--run-dir", "/nonexistent"}}, CMD_NO_DAEMON,
			"qmpin: "},
		{{.args = {"metrics", "--run-dir", "/nonexistent"}}, CMD_NO_DAEMON,
			"qmpin: "},
		{{.args = {"metrics", "-j", "-o", "x"}}, CMD_USAGE,
			"qmpin: a file gets text: -o does not go with JSON\n"},
		{{.args = {"metrics", "-o", "/nonexistent/x.prom"}}, CMD_FAILED,
			"qmpin: cannot write /nonexistent/x.prom: "},
	};
	struct ctl_world *w = *state;

	w->n_packages = 0;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_result r;

		cli_run(w, &cases[i].how, &r);
		if (r.status != cases[i].status ||
			!str_has_prefix(strbuf_text(&r.err), cases[i].err))
			fail_msg("case %zu: %d, %s", i, r.status, strbuf_text(&r.err));
		assert_string_equal(strbuf_text(&r.out), "");
		assert_ptr_equal(strchr(strbuf_text(&r.err), '\n'),
			strbuf_text(&r.err) + r.err.len - 1);
		cli_result_fini(&r);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(topology_draws_the_daemons_host_and_vms),
		CASE(a_host_without_vms_is_drawn),
		CASE(json_is_the_reply),
		CASE(metrics_are_the_text_as_it_is),
		CASE(a_terminal_gets_no_control_characters),
		CASE(a_file_is_replaced_as_a_whole),
		CASE(what_goes_wrong_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
