// SPDX-License-Identifier: MIT
/* qmpin monitor: a line a decision, on pipes and terminals, until somebody ends it. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <signal.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli_run.h"
#include "ctl_world.h"

#define LINE(time) \
	"2023-11-14 " time " vm 100: vCPUs 0-1 0-63 -> 8-11 (resume; L3 group 2)\n"

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

/* Run to the end of the stream, which is an error of the daemon's. */
static void
expect(struct ctl_world *w, const struct cli_how *how, const char *out)
{
	struct cli_result r;

	cli_run(w, how, &r);
	assert_string_equal(strbuf_text(&r.out), out);
	assert_string_equal(
		strbuf_text(&r.err), how->columns > 0 ? "" : "qmpin: no more\n");
	assert_int_equal(r.status, CMD_FAILED);
	cli_result_fini(&r);
}

static void
each_decision_is_a_line_with_local_time(void **state)
{
	struct ctl_world *w = *state;

	w->n_decisions = 3;
	expect(w, &(struct cli_how){.args = {"monitor"}, .env = "TZ=UTC"},
		LINE("22:13:20") LINE(
			"22:14:20") "2023-11-14 22:15:20 "
				    "vCPUs 0-1 0-63 -> 8-11 (resume; L3 group 2)\n");
	assert_string_equal(w->wish, "{\"last\":10}");
	w->n_decisions = 1;
	expect(w,
		&(struct cli_how){
			.args = {"monitor", "101", "-n", "3"}, .env = "TZ=UTC+1"},
		LINE("21:13:20"));
	assert_string_equal(w->wish, "{\"id\":\"101\",\"last\":3}");
}

static void
json_is_the_reply_on_a_line(void **state)
{
	static const char want[] =
		"{\"decision\":{\"time\":1700000000000000,\"id\":\"100\","
		"\"cause\":\"resume\","
		"\"text\":\"vCPUs 0-1 0-63 -> 8-11 (resume; L3 group 2)\","
		"\"moves\":[{\"id\":\"100\",\"thread_class\":\"vcpu\",\"index\":0,"
		"\"tid\":4711,\"from\":\"0-63\",\"to\":\"8-11\",\"cause\":\"resume\","
		"\"reason\":\"L3 group 2\"}]}}\n";
	struct ctl_world *w = *state;

	w->n_decisions = 1;
	expect(w, &(struct cli_how){.args = {"monitor", "-j"}}, want);
}

static void
colours_are_for_terminals_and_gaps_stand_out(void **state)
{
	struct ctl_world *w = *state;
	struct cli_how how = {.args = {"monitor"}, .columns = 80, .env = "TZ=UTC"};

	w->n_decisions = 3;
	expect(w, &how,
		"\x1b[2m2023-11-14 22:13:20\x1b[0m \x1b[1mvm 100:\x1b[0m "
		"vCPUs 0-1 0-63 -> 8-11 (resume; L3 group 2)\r\n"
		"\x1b[2m2023-11-14 22:14:20\x1b[0m \x1b[1mvm 100:\x1b[0m "
		"vCPUs 0-1 0-63 -> 8-11 (resume; L3 group 2)\r\n"
		"\x1b[2m2023-11-14 22:15:20\x1b[0m "
		"\x1b[33mvCPUs 0-1 0-63 -> 8-11 (resume; L3 group 2)\x1b[0m\r\n"
		"qmpin: no more\r\n");
}

static void
text_from_outside_stays_on_its_line(void **state)
{
	struct ctl_world *w = *state;

	w->n_decisions = 1;
	w->hostile = true;
	expect(w, &(struct cli_how){.args = {"monitor"}, .env = "TZ=UTC"},
		"2023-11-14 22:13:20 vm 100: evil\\x1b]0;owned\\x07\\x0avm 1: fine\n");
}

static bool
is_following(const struct ctl_world *w)
{
	return w->n_held > 0;
}

static void
ctrl_c_is_a_good_end(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	w->endless = true;
	w->n_decisions = 1;
	cli_run(w,
		&(struct cli_how){.args = {"monitor", "999"},
			.is_time = is_following,
			.signal = SIGINT},
		&r);
	assert_int_equal(r.status, CMD_OK);
	assert_string_equal(
		strbuf_text(&r.err), "qmpin: no VM 999 yet: waiting for it\n");
	ctl_world_settle(w);
	assert_true(ctl_call_gone(w->held[0]));
	ctl_reply(w->held[0], json_object(), false);
	cli_result_fini(&r);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_decision_is_a_line_with_local_time),
		CASE(json_is_the_reply_on_a_line),
		CASE(colours_are_for_terminals_and_gaps_stand_out),
		CASE(text_from_outside_stays_on_its_line),
		CASE(ctrl_c_is_a_good_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
