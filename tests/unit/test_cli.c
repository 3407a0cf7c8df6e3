// SPDX-License-Identifier: MIT
/*
 * The program qmpin against a server in the test's process: what it prints, into a pipe
 * and on terminals of several widths.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "base/json.h"
#include "cli/cmd.h"
#include "ctl/idl.h"
#include "ctl/shapes.h"
#include "cli_run.h"
#include "ctl_world.h"

/* ---- what is printed ---- */

#define DETAIL_101                                       \
	"VM         101, name web-1\n"                   \
	"state      watching, pid 1001\n"                \
	"share      private\n"                           \
	"mode       float (default)\n"                   \
	"vCPUs      3 of 8\n"                            \
	"CPUs       8-11,40-43\n"                        \
	"domain     L3 group 1 of node 0\n"              \
	"nodes      0\n"                                 \
	"may use    0-63\n"                              \
	"memory     98.5 % local\n"                      \
	"waiting    12.4 %\n"                            \
	"repairs    1 (thread 4, all 2)\n"               \
	"last move  2023-11-14 22:13:20, cause resume\n" \
	"note       -\n"                                 \
	"\n"

static void
ps_lists_the_vms_in_order(void **state)
{
	cli_expect_text(*state, &(struct cli_how){.args = {"ps"}, .env = "TZ=UTC"},
		"VM  NAME  VCPUS MODE  STATE    DOMAIN               CPUS       MEM "
		"SHARE   WAIT REPAIRS LAST                       NOTE\n"
		"100 web-0   3/8 float watching L3 group 1 of node 0 8-11,40-43 98% "
		"private    -       0 2023-11-14 22:13:20 resume "
		"affinity: allows two CPUs of eight\n"
		"101 web-1   3/8 float watching L3 group 1 of node 0 8-11,40-43 98% "
		"private  12%       1 2023-11-14 22:13:20 resume -\n"
		"102 web-2   3/8 float watching L3 group 1 of node 0 8-11,40-43 98% "
		"private    -       2 2023-11-14 22:13:20 resume -\n");
}

static void
heading_may_be_left_out(void **state)
{
	cli_expect_words(*state,
		&(struct cli_how){
			.args = {"--no-heading", "ps", "--columns", "vm,share,note"}},
		"100 private affinity: allows two CPUs of eight\n"
		"101 private -\n"
		"102 private -\n");
}

static void
columns_are_those_that_are_asked_for(void **state)
{
	cli_expect_text(*state,
		&(struct cli_how){.args = {"ps", "--columns", "wait,vm,limit"}},
		"WAIT VM  LIMIT\n"
		"   - 100 0-63\n"
		" 12% 101 0-63\n"
		"   - 102 0-63\n");
	cli_expect_text(*state,
		&(struct cli_how){
			.args = {"ps", "101", "--columns=tid,class"}, .env = "TZ=UTC"},
		DETAIL_101 " TID CLASS\n5000 emulator\n5001 vcpu\n5002 vcpu\n"
			   "5003 vcpu\n");
}

static void
ps_of_one_vm_shows_its_threads_and_marks_what_differs(void **state)
{
	cli_expect_text(*state,
		&(struct cli_how){.args = {"ps", "101"}, .env = "TZ=UTC"},
		DETAIL_101 "CLASS    INDEX THREADS WANT       HAVE       NOTE\n"
			   "emulator     -       1 8-11,40-43 8-11,40-43 -\n"
			   "vcpu       0,2       2 8-11,40-43 8-11,40-43 -\n"
			   "vcpu         1       1 8-11,40-43 0-63       differs\n");
	cli_expect_text(*state,
		&(struct cli_how){.args = {"ps", "-v", "101"}, .env = "TZ=UTC"},
		DETAIL_101
		"CLASS    INDEX  TID COMM      WANT       HAVE       LAST NOTE\n"
		"emulator     - 5000 kvm       8-11,40-43 8-11,40-43    0 -\n"
		"vcpu         0 5001 CPU 0/KVM 8-11,40-43 8-11,40-43    1 -\n"
		"vcpu         1 5002 CPU 0/KVM 8-11,40-43 0-63          2 differs\n"
		"vcpu         2 5003 CPU 0/KVM 8-11,40-43 8-11,40-43    3 -\n");
}

static void
status_is_a_few_lines(void **state)
{
	cli_expect_text(*state, &(struct cli_how){.args = {"status"}},
		"qmpind     9.8.7, pid 4242, up 2 h 13 min\n"
		"VMs        3 managed, 4 seen\n"
		"threads    77\n"
		"latencies  model (not measured)\n"
		"last pass  1.8 ms, 5123 passes\n"
		"repairs    3\n"
		"others     1.2 CPUs in use\n"
		"dry run    no\n");
}

static void
warnings_are_lines_of_status(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	w->hostile = true;
	cli_run(w, &(struct cli_how){.args = {"status"}}, &r);
	assert_non_null(strstr(strbuf_text(&r.out),
		"warning    first \\x1b[31mwarning\nwarning    second\n"));
	assert_int_equal(r.status, CMD_OK);
	cli_result_fini(&r);
}

static void
a_monitor_that_others_use_is_seen_in_ps(void **state)
{
	struct ctl_world *w = *state;

	w->n_vms = 1;
	w->state = "yielded";
	cli_expect_words(w,
		&(struct cli_how){.args = {"ps", "--no-heading", "--columns=vm,state"}},
		"100 yielded\n");
}

static void
release_tells_what_was_released(void **state)
{
	struct ctl_world *w = *state;

	cli_expect_text(w, &(struct cli_how){.args = {"release", "--all"}},
		"released 100\nreleased 101\nreleased 102\n");
	cli_expect_text(w, &(struct cli_how){.args = {"release", "102", "100"}},
		"released 102\nreleased 100\n");
	cli_expect_text(w, &(struct cli_how){.args = {"-j", "release", "101"}},
		"{\"released\":[\"101\"],\"failed\":[]}\n");
}

static void
version_is_told_without_a_daemon(void **state)
{
	struct ctl_world *w = *state;

	cli_expect_text(w, &(struct cli_how){.args = {"version"}},
		"qmpin " PACKAGE_VERSION "\n");
	cli_expect_text(w,
		&(struct cli_how){.args = {"-V", "--run-dir", "/nonexistent"}},
		"qmpin " PACKAGE_VERSION "\n");
	cli_expect_text(w, &(struct cli_how){.args = {"version", "-j"}},
		"{\"version\":\"" PACKAGE_VERSION "\"}\n");
}

static json_t *
run_json(struct ctl_world *w, const struct cli_how *how)
{
	struct cli_result r;
	json_t *value;

	cli_run(w, how, &r);
	assert_int_equal(r.status, CMD_OK);
	value = json_loads(strbuf_text(&r.out), 0, NULL);
	assert_non_null(value);
	cli_result_fini(&r);
	return value;
}

static void
json_is_the_reply_with_sorted_vms(void **state)
{
	static const struct cli_how cases[] = {
		{.args = {"ps", "-j"}},
		{.args = {"ps", "--output-format", "json-pretty"}},
		{.args = {"-j", "ps", "102"}},
	};
	struct ctl_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *reply = run_json(w, &cases[i]);
		json_t *vms = json_object_get(reply, "vms");
		char bad[64];

		assert_int_equal(json_array_size(vms), i < 2 ? 3 : 1);
		assert_true(idl_check(ctl_interface_text(), IDL_METHOD_OUT, "ListVMs",
			reply, bad, sizeof(bad)));
		assert_string_equal(json_string_value(json_object_get(
					    json_array_get(vms, 0), "id")),
			i < 2 ? "100" : "102");
		assert_int_equal(json_is_array(json_object_get(
					 json_array_get(vms, 0), "threads")),
			i == 2);
	}
}

static void
json_of_status_is_the_reply(void **state)
{
	auto_json json_t *reply =
		run_json(*state, &(struct cli_how){.args = {"status", "-j"}});
	char bad[64];

	assert_true(idl_check(ctl_interface_text(), IDL_METHOD_OUT, "GetStatus", reply,
		bad, sizeof(bad)));
}

static void
no_vms_is_said_beside_the_output(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	w->n_vms = 0;
	cli_run(w, &(struct cli_how){.args = {"ps"}}, &r);
	assert_string_equal(strbuf_text(&r.out), "");
	assert_string_equal(strbuf_text(&r.err), "qmpin: no VMs\n");
	assert_int_equal(r.status, CMD_OK);
	cli_result_fini(&r);
	cli_run(w, &(struct cli_how){.args = {"release", "--all"}}, &r);
	assert_string_equal(strbuf_text(&r.err), "qmpin: no VMs\n");
	assert_int_equal(r.status, CMD_OK);
	cli_result_fini(&r);
	cli_expect_text(w, &(struct cli_how){.args = {"ps", "-j"}}, "{\"vms\":[]}\n");
}

static void
thousand_vms_come_through(void **state)
{
	struct ctl_world *w = *state;

	w->n_vms = 1000;
	auto_json json_t *reply = run_json(w, &(struct cli_how){.args = {"ps", "-j"}});
	assert_int_equal(json_array_size(json_object_get(reply, "vms")), 1000);
}

/* ---- terminals ---- */

static void
table_fits_the_terminal(void **state)
{
	static const unsigned short widths[] = {50, 60, 80, 132, 200};
	struct ctl_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		struct cli_result r;

		cli_run(w,
			&(struct cli_how){.args = {"ps"},
				.columns = widths[i],
				.env = "NO_COLOR=1"},
			&r);
		assert_int_equal(r.status, CMD_OK);
		cli_expect_lines_within(strbuf_text(&r.out), widths[i]);
		assert_non_null(strstr(strbuf_text(&r.out), "CPUS"));
		assert_int_equal(
			strstr(strbuf_text(&r.out), "SHARE") != NULL, widths[i] >= 80);
		assert_int_equal(
			strstr(strbuf_text(&r.out), "DOMAIN") != NULL, widths[i] >= 60);
		/* A list that was cut says so. */
		assert_non_null(strstr(strbuf_text(&r.out), "8-11,"));
		assert_true(strstr(strbuf_text(&r.out), "8-11,40-43") != NULL ||
			    strstr(strbuf_text(&r.out), ".. ") != NULL);
		assert_non_null(strstr(strbuf_text(&r.out), "CPUs of eight"));
		cli_result_fini(&r);
		cli_run(w,
			&(struct cli_how){.args = {"ps", "100"},
				.columns = widths[i],
				.env = "NO_COLOR=1"},
			&r);
		cli_expect_lines_within(strbuf_text(&r.out), widths[i]);
		cli_result_fini(&r);
	}
}

static void
pipe_is_never_cut(void **state)
{
	struct cli_result r;

	cli_run(*state, &(struct cli_how){.args = {"ps"}, .env = "COLUMNS=40"}, &r);
	assert_non_null(
		strstr(strbuf_text(&r.out), "affinity: allows two CPUs of eight\n"));
	assert_non_null(strstr(strbuf_text(&r.out), "REPAIRS"));
	cli_result_fini(&r);
}

static void
colours_are_for_terminals_that_want_them(void **state)
{
	static const struct {
		struct cli_how how;
		bool want;
	} cases[] = {
		{{.args = {"ps", "100"}, .columns = 80}, true},
		{{.args = {"ps", "100"}, .columns = 80, .env = "NO_COLOR=1"}, false},
		{{.args = {"ps", "100"}, .columns = 80, .env = "NO_COLOR="}, true},
		{{.args = {"ps", "100"}, .columns = 80, .env = "TERM=dumb"}, false},
		{{.args = {"ps", "100"}}, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_result r;

		cli_run(*state, &cases[i].how, &r);
		if ((strstr(strbuf_text(&r.out), "\x1b[") != NULL) != cases[i].want)
			fail_msg("case %zu: %s", i, strbuf_text(&r.out));
		assert_non_null(strstr(strbuf_text(&r.out), "differs"));
		cli_result_fini(&r);
	}
}

static void
control_characters_of_the_daemon_reach_nobody(void **state)
{
	static const struct cli_how cases[] = {
		{.args = {"ps"}},
		{.args = {"ps"}, .columns = 80, .env = "NO_COLOR=1"},
		{.args = {"ps", "100"}},
		{.args = {"status"}},
		{.args = {"ps", "-j"}},
		{.args = {"ps", "--output-format=json-pretty"}},
		{.args = {"status", "-j"}},
		{.args = {"ps", "\x1b[31m\x07"}},
		{.args = {"release", "100"}},
		{.args = {"release", "100", "-j"}},
	};
	struct ctl_world *w = *state;

	w->hostile = true;
	w->n_held_fast = 1;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_result r;

		cli_run(w, &cases[i], &r);
		strbuf_add(&r.out, strbuf_text(&r.err), r.err.len);
		assert_true(r.out.len > 0);
		for (size_t k = 0; k < r.out.len; k++) {
			unsigned char c = (unsigned char)r.out.s[k];

			if (c != '\n' && c != '\r' && (c < 0x20 || c > 0x7e))
				fail_msg("case %zu: byte %02x in %s", i, c, r.out.s);
		}
		cli_result_fini(&r);
	}
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, ctl_world_setup, ctl_world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ps_lists_the_vms_in_order),
		CASE(heading_may_be_left_out),
		CASE(columns_are_those_that_are_asked_for),
		CASE(ps_of_one_vm_shows_its_threads_and_marks_what_differs),
		CASE(status_is_a_few_lines),
		CASE(warnings_are_lines_of_status),
		CASE(a_monitor_that_others_use_is_seen_in_ps),
		CASE(release_tells_what_was_released),
		CASE(version_is_told_without_a_daemon),
		CASE(json_is_the_reply_with_sorted_vms),
		CASE(json_of_status_is_the_reply),
		CASE(no_vms_is_said_beside_the_output),
		CASE(thousand_vms_come_through),
		CASE(table_fits_the_terminal),
		CASE(pipe_is_never_cut),
		CASE(colours_are_for_terminals_that_want_them),
		CASE(control_characters_of_the_daemon_reach_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
