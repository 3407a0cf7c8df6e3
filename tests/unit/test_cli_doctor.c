// SPDX-License-Identifier: MIT
/*
 * qmpin doctor on a terminal and in a pipe, where no daemon runs or one of before: what
 * can be looked at here is shown all the same.
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

#include "base/xalloc.h"
#include "cli/cmd.h"
#include "cli_run.h"
#include "ctl_world.h"
#include "trees.h"

struct scene {
	struct ctl_world *world;
	char *tree;
	char *env;
};

static int
set_up(void **state)
{
	struct scene *s = xcalloc(1, sizeof(*s));

	s->world = ctl_world_new(NULL);
	s->tree = trees_new();
	s->env = xasprintf("QMPIN_ROOT=%s", s->tree);
	trees_write(s->tree,
		"sys/devices/system/clocksource/clocksource0/current_clocksource",
		"hpet\n");
	trees_write(s->tree, "proc/5/comm", "numad\n");
	*state = s;
	return 0;
}

static int
tear_down(void **state)
{
	struct scene *s = *state;

	ctl_world_free(s->world);
	trees_remove(s->tree);
	free(s->env);
	free(s);
	return 0;
}

/* Where no daemon is, on a terminal of so many columns; 0: in a pipe. */
static struct cli_result
look(const struct scene *s, unsigned short columns)
{
	const struct cli_how how = {.args = {"--run-dir", "/nonexistent", "doctor"},
		.columns = columns,
		.env = s->env};
	struct cli_result r;

	cli_run(s->world, &how, &r);
	assert_int_equal(r.status, CMD_NO_DAEMON);
	return r;
}

static void
in_a_pipe_a_finding_is_a_line(void **state)
{
	struct cli_result r = look(*state, 0);

	assert_string_equal(strbuf_text(&r.out),
		"problem  daemon: qmpind does not run or does not answer\n"
		"         -> systemctl enable --now qmpind; why not: journalctl -u "
		"qmpind\n"
		"warning  cgroup: no unified cgroup hierarchy: quotas and cpusets of "
		"VMs, where their memory is and the load by others are not known\n"
		"         -> boot without systemd.unified_cgroup_hierarchy=0\n"
		"warning  clocksource: hpet: reading the clock is slow, so measuring "
		"latencies costs more and says less; VMs suffer from it, too\n"
		"         -> see why the kernel gave up its own one: journalctl -k -g "
		"clocksource\n"
		"warning  numad: numad runs: it moves threads and memory of VMs, too\n"
		"         -> systemctl disable --now numad\n"
		"\n"
		"1 problem, 3 warnings, 0 notes\n");
	cli_result_fini(&r);
}

/* Without colours, without what goes to stderr, with line ends as in a file. */
static char *
plain(const char *text)
{
	struct strbuf out = {0};

	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		bool own = strncmp(line, "qmpin: ", 7) == 0;

		for (size_t i = 0; i < len && !own; i++) {
			if (line[i] == '\033')
				i += strcspn(line + i, "m");
			else if (line[i] != '\r')
				strbuf_add(&out, line + i, 1);
		}
		if (!own)
			strbuf_adds(&out, "\n");
		line += len + (line[len] == '\n');
	}
	return strbuf_take(&out);
}

static void
on_a_terminal_lines_are_wrapped_between_words(void **state)
{
	static const unsigned short widths[] = {60, 80};

	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		struct cli_result r = look(*state, widths[i]);
		auto_free char *text = plain(strbuf_text(&r.out));

		cli_expect_lines_within(text, widths[i]);
		assert_non_null(strstr(text, "1 problem, 3 warnings, 0 notes"));
		assert_non_null(
			strstr(strbuf_text(&r.out), "\033[1;31mproblem\033[0m"));
		if (widths[i] == 60)
			assert_non_null(strstr(text,
				"warning  clocksource: hpet: reading the clock is slow, so\n"
				"         measuring latencies costs more and says less; VMs\n"
				"         suffer from it, too\n"
				"         -> see why the kernel gave up its own one:\n"
				"            journalctl -k -g clocksource\n"));
		cli_result_fini(&r);
	}
}

static void
an_older_daemon_is_no_reason_to_say_nothing(void **state)
{
	const struct scene *s = *state;
	const struct cli_how how = {.args = {"doctor"}, .env = s->env};
	struct cli_result r;

	cli_run(s->world, &how, &r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_non_null(strstr(strbuf_text(&r.err), "has no io.qmpin.Doctor yet"));
	assert_non_null(strstr(strbuf_text(&r.out), "warning  numad: "));
	cli_result_fini(&r);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(in_a_pipe_a_finding_is_a_line),
		CASE(on_a_terminal_lines_are_wrapped_between_words),
		CASE(an_older_daemon_is_no_reason_to_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
