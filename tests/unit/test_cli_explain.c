// SPDX-License-Identifier: MIT
/* qmpin explain: an answer that people can read, the reply as JSON, and its failures.
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
#include "cli_run.h"
#include "ctl/idl.h"
#include "ctl/shapes.h"
#include "ctl_world.h"

static void
the_answer_is_one_that_people_can_read(void **state)
{
	cli_expect_text(*state,
		&(struct cli_how){.args = {"explain", "100"}, .env = "TZ=UTC"},
		"VM 100 (web-0) runs on CPUs 8-11,40-43 of node 0:\n"
		"L3 group 2.\n"
		"Its mode is float (default).\n"
		"\n"
		"What that costs, in expected nanoseconds for each vCPU:\n"
		"      31.2  memory: 40 % remote\n"
		"      31.2  in all\n"
		"\n"
		"Second best: CPUs 0-31 of nodes 0-1:\n"
		"costs 12 ns more.\n"
		"\n"
		"What narrowed its choice:\n"
		"  - memory: 40 % remote\n"
		"\n"
		"It would be better off if:\n"
		"  - memory: 40 % remote\n"
		"\n"
		"What was decided, the latest last:\n"
		"  2023-11-14 22:13:20  appeared: from CPUs 0-63 to 0-7: one\n"
		"  2023-11-14 22:14:20  rebalance: memory: 40 % remote\n");
}

static void
what_there_is_not_is_not_told(void **state)
{
	cli_expect_text(*state, &(struct cli_how){.args = {"explain", "102"}},
		"VM 102 (web-2) runs on CPUs 8-11,40-43 of node 0:\n"
		"L3 group 2.\n"
		"Its mode is float (default).\n"
		"\n"
		"What that costs, in expected nanoseconds for each vCPU:\n"
		"      31.2  memory: 40 % remote\n"
		"      31.2  in all\n"
		"\n"
		"Nothing came second.\n"
		"\n"
		"Nothing is known that would be much better for it.\n");
}

static void
json_is_the_reply(void **state)
{
	struct cli_result r;
	char bad[64];

	cli_run(*state, &(struct cli_how){.args = {"explain", "-j", "100"}}, &r);
	assert_int_equal(r.status, CMD_OK);
	auto_json json_t *reply = json_loads(strbuf_text(&r.out), 0, NULL);
	if (!idl_check(ctl_interface_text(), IDL_METHOD_OUT, "Explain", reply, bad,
		    sizeof(bad)))
		fail_msg("%s: %s", bad, strbuf_text(&r.out));
	cli_result_fini(&r);
}

static void
what_goes_wrong_is_one_line(void **state)
{
	static const struct {
		struct cli_how how;
		int status;
		const char *err;
	} cases[] = {
		{{.args = {"explain"}}, CMD_USAGE,
			"qmpin: explain which VM? qmpin explain ID\n"},
		{{.args = {"explain", "1", "2"}}, CMD_USAGE, NULL},
		{{.args = {"explain", "\xff"}}, CMD_USAGE,
			"qmpin: the VM's id is not UTF-8 text\n"},
		{{.args = {"explain", "101"}}, CMD_FAILED,
			"qmpin: VM 101 is not managed: mode off\n"},
		{{.args = {"explain", "999"}}, CMD_FAILED,
			"qmpin: no VM 999 (qmpin ps lists them)\n"},
		{{.args = {"explain", "100", "--run-dir", "/nonexistent"}},
			CMD_NO_DAEMON, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_result r;

		cli_run(*state, &cases[i].how, &r);
		if (r.status != cases[i].status ||
			(cases[i].err != NULL &&
				strcmp(strbuf_text(&r.err), cases[i].err) != 0))
			fail_msg("case %zu: %d, %s", i, r.status, strbuf_text(&r.err));
		assert_string_equal(strbuf_text(&r.out), "");
		assert_ptr_equal(strchr(strbuf_text(&r.err), '\n'),
			strbuf_text(&r.err) + r.err.len - 1);
		cli_result_fini(&r);
	}
}

static void
control_characters_of_the_daemon_reach_nobody(void **state)
{
	static const char *const ids[] = {"100", "101", "102"};
	struct ctl_world *w = *state;

	w->hostile = true;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct cli_result r;

		cli_run(w, &(struct cli_how){.args = {"explain", ids[i]}}, &r);
		strbuf_add(&r.out, strbuf_text(&r.err), r.err.len);
		for (size_t k = 0; k < r.out.len; k++) {
			unsigned char c = (unsigned char)r.out.s[k];

			if (c != '\n' && (c < 0x20 || c > 0x7e))
				fail_msg("%s: byte %02x in %s", ids[i], c, r.out.s);
		}
		assert_non_null(strstr(r.out.s, "\\x1b[31mevil\\x07"));
		cli_result_fini(&r);
	}
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, ctl_world_setup, ctl_world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_answer_is_one_that_people_can_read),
		CASE(what_there_is_not_is_not_told),
		CASE(json_is_the_reply),
		CASE(what_goes_wrong_is_one_line),
		CASE(control_characters_of_the_daemon_reach_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
