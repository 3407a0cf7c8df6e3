// SPDX-License-Identifier: MIT
/*
 * The program qmpin where it cannot do what was asked: its help, its one line of error
 * and its exit codes.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli_run.h"
#include "ctl_world.h"

static void
help_is_complete_and_fits(void **state)
{
	static const char *const words[] = {"status", "ps", "version", "help", "probe ",
		"latency ", "heatmap ", "release  ID...|--all", "monitor ", "--run-dir",
		"--output-format", "json-pretty", "-j", "--no-heading", "-h, --help",
		"-V, --version", "QMPIN_RUN_DIR", "NO_COLOR", "/run/qmpin"};
	static const struct cli_how cases[] = {
		{.args = {"help"}},
		{.args = {"--help"}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_result r;

		cli_run(*state, &cases[i], &r);
		assert_int_equal(r.status, CMD_OK);
		cli_expect_lines_within(strbuf_text(&r.out), 79);
		for (size_t k = 0; k < ARRAY_LEN(words); k++) {
			if (strstr(strbuf_text(&r.out), words[k]) == NULL)
				fail_msg("help does not mention %s", words[k]);
		}
		cli_result_fini(&r);
	}
}

/* One line on stderr, nothing on stdout. */
static void
expect_error(
	struct ctl_world *w, const struct cli_how *how, int status, const char *text)
{
	struct cli_result r;

	cli_run(w, how, &r);
	if (r.status != status || strstr(strbuf_text(&r.err), text) == NULL)
		fail_msg("qmpin %s: %d, %s", how->args[0], r.status,
			strbuf_text(&r.err));
	assert_string_equal(strbuf_text(&r.out), "");
	assert_int_equal(strncmp(strbuf_text(&r.err), "qmpin: ", 7), 0);
	assert_ptr_equal(strchr(r.err.s, '\n'), r.err.s + r.err.len - 1);
	cli_result_fini(&r);
}

static void
failures_exit_as_documented_with_one_line(void **state)
{
	static const struct {
		struct cli_how how;
		int status;
		const char *text;
	} cases[] = {
		{{.args = {NULL}}, CMD_USAGE, "no command given (qmpin help"},
		{{.args = {"pss"}}, CMD_USAGE, "no command 'pss' (qmpin help"},
		{{.args = {"--foo", "ps"}}, CMD_USAGE, "unknown option '--foo' (see"},
		{{.args = {"ps", "1", "2"}}, CMD_USAGE, "too many arguments"},
		{{.args = {"status", "1"}}, CMD_USAGE, "status takes no arguments"},
		{{.args = {"probe", "--budget", "x"}}, CMD_USAGE,
			"(see qmpin probe --help)"},
		{{.args = {"--run-dir"}}, CMD_USAGE, "(see qmpin --help)"},
		{{.args = {"ps", "\xff"}}, CMD_USAGE, "not UTF-8"},
		{{.args = {"monitor", "\xff"}}, CMD_USAGE, "not UTF-8"},
		{{.args = {"monitor", "--run-dir", "/nonexistent"}}, CMD_NO_DAEMON,
			"is qmpind running?"},
		{{.args = {"ps", "-n", "3"}}, CMD_USAGE, "ps has no option '--lines'"},
		{{.args = {"ps", "--all"}}, CMD_USAGE, "ps has no option '--all'"},
		{{.args = {"release"}}, CMD_USAGE,
			"release which VMs? qmpin release ID..., or qmpin release --all"},
		{{.args = {"release", "1", "--all"}}, CMD_USAGE, "either VMs or --all"},
		{{.args = {"release", "\xff"}}, CMD_USAGE, "not UTF-8"},
		{{.args = {"release", "100"}}, CMD_FAILED,
			"not released: VM 100: \\x1b[1mbusy"},
		{{.args = {"release", "--all", "-j", "--run-dir", "/nonexistent"}},
			CMD_NO_DAEMON, "no qmpind runs: it can be told in text only"},
		{{.args = {"ps", "999"}}, CMD_FAILED, "no VM 999 (qmpin ps lists"},
		{{.args = {"ps", ""}}, CMD_FAILED, "no VM "},
		{{.args = {"ps", "--run-dir", "/nonexistent"}}, CMD_NO_DAEMON,
			"no daemon at /nonexistent/io.qmpin: is qmpind running? "
			"(systemctl status qmpind)"},
	};

	((struct ctl_world *)*state)->n_held_fast = 1;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_error(*state, &cases[i].how, cases[i].status, cases[i].text);
}

static void
missing_permission_has_its_exit_code(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(w->dir, 0755), 0);
	/* The build may be where others cannot run it from. */
	cli_run(w, &(struct cli_how){.args = {"version"}, .nobody = true}, &r);
	cli_result_fini(&r);
	if (r.status == CLI_EXEC_FAILED)
		skip();
	expect_error(w, &(struct cli_how){.args = {"ps"}, .nobody = true},
		CMD_NO_PERMISSION, "no permission for");
	assert_int_equal(fchmodat(w->dirfd, CTL_SOCKET_RO, 0666, 0), 0);
	expect_error(w, &(struct cli_how){.args = {"release", "--all"}, .nobody = true},
		CMD_NO_PERMISSION, "Release is not permitted here: run it as root");
	assert_int_equal(fchmodat(w->dirfd, CTL_SOCKET, 0666, 0), 0);
	expect_error(w, &(struct cli_how){.args = {"release", "--all"}, .nobody = true},
		CMD_NO_PERMISSION, "Release is not permitted here: run it as root");
	assert_int_equal(fchmodat(w->dirfd, CTL_SOCKET, 0600, 0), 0);
	cli_expect_words(w,
		&(struct cli_how){.args = {"ps", "--no-heading", "--columns=vm,name"},
			.nobody = true},
		"100 web-0\n101 web-1\n102 web-2\n");
}

static void
what_is_partly_done_has_its_exit_code(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	w->n_held_fast = 2;
	cli_run(w, &(struct cli_how){.args = {"release", "--all"}}, &r);
	assert_int_equal(r.status, CMD_PARTLY);
	assert_string_equal(strbuf_text(&r.out), "released 102\n");
	assert_string_equal(strbuf_text(&r.err),
		"qmpin: not released: VM 100: \\x1b[1mbusy\n"
		"qmpin: not released: VM 101: \\x1b[1mbusy\n");
	cli_result_fini(&r);
}

static void
daemon_that_turns_away_is_not_reachable(void **state)
{
	static const struct ctl_limits none = {.clients = 0,
		.idle_ms = 1000,
		.half_ms = 1000,
		.stall_ms = 1000,
		.client_bytes = 1000,
		.total_bytes = 1000};
	struct ctl_world *w = *state;
	struct err e = ERR_NONE;

	ctl_server_free(w->server);
	assert_int_equal(ctl_world_serve(w, NULL, &none, &e), 0);
	expect_error(w, &(struct cli_how){.args = {"ps"}}, CMD_NO_DAEMON,
		"closed the connection");
}

static void
output_that_cannot_be_written_is_a_failure(void **state)
{
	static const char *const commands[] = {"ps", "status", "help", "version"};
	struct ctl_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		int err[2];
		struct cli_result r = {.status = -1};
		pid_t pid;

		assert_int_equal(pipe2(err, O_CLOEXEC), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			(void)dup2(
				open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
			(void)dup2(err[1], STDERR_FILENO);
			cli_exec(w, &(struct cli_how){.args = {commands[i]}});
		}
		(void)close(err[1]);
		cli_serve(w, err[0], -1, &r);
		(void)close(err[0]);
		assert_int_equal(waitpid(pid, &r.status, 0), pid);
		assert_int_equal(WEXITSTATUS(r.status), CMD_FAILED);
		assert_string_equal(strbuf_text(&r.out),
			"qmpin: cannot write: No space left on device\n");
		cli_result_fini(&r);
	}
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, ctl_world_setup, ctl_world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(help_is_complete_and_fits),
		CASE(failures_exit_as_documented_with_one_line),
		CASE(missing_permission_has_its_exit_code),
		CASE(what_is_partly_done_has_its_exit_code),
		CASE(daemon_that_turns_away_is_not_reachable),
		CASE(output_that_cannot_be_written_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
