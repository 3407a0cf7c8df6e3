// SPDX-License-Identifier: MIT
/*
 * The program qmpin against a server in the test's process: what it prints, into a pipe
 * and on terminals of several widths, and how it exits.
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
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/cmd.h"
#include "ctl/address.h"
#include "ctl/idl.h"
#include "ctl/shapes.h"
#include "ctl_world.h"

#define ARGS_MAX 8
#define EXEC_FAILED 101

/* How qmpin is run. */
struct how {
	const char *args[ARGS_MAX];
	unsigned short columns; /* of a terminal; 0: a pipe */
	const char *env;	/* one "NAME=VALUE" more */
	bool nobody;		/* as a user without rights */
};

struct result {
	int status;
	struct strbuf out;
	struct strbuf err; /* stays empty on a terminal: it goes to out */
};

static int
set_up(void **state)
{
	struct ctl_world *w = xcalloc(1, sizeof(*w));

	ctl_world_up(w, NULL);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct ctl_world *w = *state;

	ctl_world_down(w);
	free(w);
	return 0;
}

static void
exec_qmpin(const struct ctl_world *w, const struct how *how)
{
	const char *argv[ARGS_MAX + 2] = {"qmpin"};

	for (size_t i = 0; i < ARGS_MAX && how->args[i] != NULL; i++)
		argv[i + 1] = how->args[i];
	(void)setenv("QMPIN_RUN_DIR", w->dir, 1);
	(void)setenv("LC_ALL", "C.UTF-8", 1);
	(void)setenv("TERM", "xterm", 1);
	(void)unsetenv("NO_COLOR");
	(void)unsetenv("COLUMNS");
	if (how->env != NULL)
		(void)putenv((char *)(uintptr_t)how->env);
	if (how->nobody && (setresgid(65534, 65534, 65534) < 0 ||
				   setresuid(65534, 65534, 65534) < 0))
		_exit(100);
	(void)execv("src/qmpin", (char *const *)(uintptr_t)argv);
	_exit(EXEC_FAILED);
}

/* A terminal: the master's descriptor, the other end in @slave. */
static int
open_terminal(unsigned short columns, int *slave)
{
	struct winsize size = {.ws_row = 24, .ws_col = columns};
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(grantpt(fd), 0);
	assert_int_equal(unlockpt(fd), 0);
	*slave = open(ptsname(fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(*slave >= 0);
	assert_int_equal(ioctl(*slave, TIOCSWINSZ, &size), 0);
	return fd;
}

/* false: the writer has closed (a terminal says EIO). */
static bool
drain(int fd, struct strbuf *b)
{
	char chunk[4096];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n > 0)
		strbuf_add(b, chunk, (size_t)n);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static void
serve_until_closed(struct ctl_world *w, int out, int err, struct result *r)
{
	bool out_open = true;
	bool err_open = err >= 0;

	(void)fcntl(out, F_SETFL, O_NONBLOCK);
	(void)fcntl(err, F_SETFL, O_NONBLOCK);
	while (out_open || err_open) {
		if (out_open)
			out_open = drain(out, &r->out);
		if (err_open)
			err_open = drain(err, &r->err);
		ctl_world_step(w);
	}
}

static void
run(struct ctl_world *w, const struct how *how, struct result *r)
{
	int out[2] = {-1, -1};
	int err[2] = {-1, -1};
	pid_t pid;

	*r = (struct result){.status = -1};
	if (how->columns > 0) {
		out[0] = open_terminal(how->columns, &out[1]);
	} else {
		assert_int_equal(pipe2(out, O_CLOEXEC), 0);
		assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(err[1] >= 0 ? err[1] : out[1], STDERR_FILENO);
		exec_qmpin(w, how);
	}
	(void)close(out[1]);
	if (err[1] >= 0)
		(void)close(err[1]);
	serve_until_closed(w, out[0], err[0], r);
	(void)close(out[0]);
	if (err[0] >= 0)
		(void)close(err[0]);
	assert_int_equal(waitpid(pid, &r->status, 0), pid);
	assert_true(WIFEXITED(r->status));
	r->status = WEXITSTATUS(r->status);
}

static void
result_fini(struct result *r)
{
	strbuf_fini(&r->out);
	strbuf_fini(&r->err);
}

static void
expect_text(struct ctl_world *w, const struct how *how, const char *want)
{
	struct result r;

	run(w, how, &r);
	assert_string_equal(strbuf_text(&r.err), "");
	assert_string_equal(strbuf_text(&r.out), want);
	assert_int_equal(r.status, CMD_OK);
	result_fini(&r);
}

/* As expect_text, but a blank stands for any number of them. */
static void
expect_words(struct ctl_world *w, const struct how *how, const char *want)
{
	struct strbuf squeezed = {0};
	struct result r;

	run(w, how, &r);
	for (const char *p = strbuf_text(&r.out); *p != '\0'; p++) {
		if (p[0] != ' ' || p[1] != ' ')
			strbuf_add(&squeezed, p, 1);
	}
	assert_string_equal(strbuf_text(&squeezed), want);
	assert_int_equal(r.status, CMD_OK);
	strbuf_fini(&squeezed);
	result_fini(&r);
}

/* ---- what is printed ---- */

static void
ps_lists_the_vms_in_order(void **state)
{
	expect_text(*state, &(struct how){.args = {"ps"}},
		"VM  NAME  VCPUS MODE  CPUS       NODES STATE    SHARE   REPAIRS LAST   NOTE\n"
		"100 web-0   3/8 float 8-11,40-43 0     watching private       0 resume "
		"affinity: allows two CPUs of eight\n"
		"101 web-1   3/8 float 8-11,40-43 0     watching private       1 resume -\n"
		"102 web-2   3/8 float 8-11,40-43 0     watching private       2 resume -\n");
}

static void
heading_may_be_left_out(void **state)
{
	expect_words(*state, &(struct how){.args = {"--no-heading", "ps"}},
		"100 web-0 3/8 float 8-11,40-43 0 watching private 0 resume "
		"affinity: allows two CPUs of eight\n"
		"101 web-1 3/8 float 8-11,40-43 0 watching private 1 resume -\n"
		"102 web-2 3/8 float 8-11,40-43 0 watching private 2 resume -\n");
}

static void
ps_of_one_vm_shows_its_threads_and_marks_what_differs(void **state)
{
	expect_text(*state, &(struct how){.args = {"ps", "101"}, .env = "TZ=UTC"},
		"VM         101, name web-1\n"
		"state      watching, pid 1001\n"
		"share      private\n"
		"mode       float (default)\n"
		"vCPUs      3/8\n"
		"CPUs       8-11,40-43\n"
		"nodes      0\n"
		"may use    0-63\n"
		"memory     98.5 % local\n"
		"waiting    -\n"
		"repairs    1\n"
		"last move  2023-11-14 22:13:20, cause resume\n"
		"note       -\n"
		"\n"
		"CLASS    INDEX  TID COMM      WANT       HAVE       LAST NOTE\n"
		"emulator     - 5000 kvm       8-11,40-43 8-11,40-43    0 -\n"
		"vcpu         0 5001 CPU 0/KVM 8-11,40-43 8-11,40-43    1 -\n"
		"vcpu         1 5002 CPU 0/KVM 8-11,40-43 0-63          2 differs\n"
		"vcpu         2 5003 CPU 0/KVM 8-11,40-43 8-11,40-43    3 -\n");
}

static void
status_is_a_few_lines(void **state)
{
	expect_text(*state, &(struct how){.args = {"status"}},
		"qmpind     9.8.7, pid 4242, up 2 h 13 min\n"
		"VMs        3 managed, 4 seen\n"
		"threads    77\n"
		"latencies  model (not measured)\n"
		"last pass  1.8 ms, 5123 passes\n"
		"repairs    3\n"
		"dry run    no\n");
}

static void
version_is_told_without_a_daemon(void **state)
{
	struct ctl_world *w = *state;

	expect_text(
		w, &(struct how){.args = {"version"}}, "qmpin " PACKAGE_VERSION "\n");
	expect_text(w, &(struct how){.args = {"-V", "--run-dir", "/nonexistent"}},
		"qmpin " PACKAGE_VERSION "\n");
	expect_text(w, &(struct how){.args = {"version", "-j"}},
		"{\"version\":\"" PACKAGE_VERSION "\"}\n");
}

static json_t *
run_json(struct ctl_world *w, const struct how *how)
{
	struct result r;
	json_t *value;

	run(w, how, &r);
	assert_int_equal(r.status, CMD_OK);
	value = json_loads(strbuf_text(&r.out), 0, NULL);
	assert_non_null(value);
	result_fini(&r);
	return value;
}

static void
json_is_the_reply_with_sorted_vms(void **state)
{
	static const struct how cases[] = {
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
		run_json(*state, &(struct how){.args = {"status", "-j"}});
	char bad[64];

	assert_true(idl_check(ctl_interface_text(), IDL_METHOD_OUT, "GetStatus", reply,
		bad, sizeof(bad)));
}

static void
no_vms_is_said_beside_the_output(void **state)
{
	struct ctl_world *w = *state;
	struct result r;

	w->n_vms = 0;
	run(w, &(struct how){.args = {"ps"}}, &r);
	assert_string_equal(strbuf_text(&r.out), "");
	assert_string_equal(strbuf_text(&r.err), "qmpin: no VMs\n");
	assert_int_equal(r.status, CMD_OK);
	result_fini(&r);
	expect_text(w, &(struct how){.args = {"ps", "-j"}}, "{\"vms\":[]}\n");
}

static void
thousand_vms_come_through(void **state)
{
	struct ctl_world *w = *state;

	w->n_vms = 1000;
	auto_json json_t *reply = run_json(w, &(struct how){.args = {"ps", "-j"}});
	assert_int_equal(json_array_size(json_object_get(reply, "vms")), 1000);
}

/* ---- terminals ---- */

/* Each line of @text, which fits in @columns. */
static void
expect_lines_within(const char *text, size_t columns)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\r\n");

		if (len > columns)
			fail_msg("%zu columns: %.*s", columns, (int)len, text);
		text += len;
		text += strspn(text, "\r\n");
	}
}

static void
table_fits_the_terminal(void **state)
{
	static const unsigned short widths[] = {50, 60, 80, 132, 200};
	struct ctl_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		struct result r;

		run(w,
			&(struct how){.args = {"ps"},
				.columns = widths[i],
				.env = "NO_COLOR=1"},
			&r);
		assert_int_equal(r.status, CMD_OK);
		expect_lines_within(strbuf_text(&r.out), widths[i]);
		assert_non_null(strstr(strbuf_text(&r.out), "CPUS"));
		/* A list that was cut says so. */
		assert_non_null(strstr(strbuf_text(&r.out), "8-11,"));
		assert_true(strstr(strbuf_text(&r.out), "8-11,40-43") != NULL ||
			    strstr(strbuf_text(&r.out), ".. ") != NULL);
		assert_int_equal(strstr(strbuf_text(&r.out), "of eight") != NULL,
			widths[i] > 120);
		result_fini(&r);
		run(w,
			&(struct how){.args = {"ps", "100"},
				.columns = widths[i],
				.env = "NO_COLOR=1"},
			&r);
		expect_lines_within(strbuf_text(&r.out), widths[i]);
		result_fini(&r);
	}
}

static void
pipe_is_never_cut(void **state)
{
	struct result r;

	run(*state, &(struct how){.args = {"ps"}, .env = "COLUMNS=40"}, &r);
	assert_non_null(
		strstr(strbuf_text(&r.out), "affinity: allows two CPUs of eight\n"));
	assert_non_null(strstr(strbuf_text(&r.out), "REPAIRS"));
	result_fini(&r);
}

static void
colours_are_for_terminals_that_want_them(void **state)
{
	static const struct {
		struct how how;
		bool want;
	} cases[] = {
		{{.args = {"ps", "100"}, .columns = 80}, true},
		{{.args = {"ps", "100"}, .columns = 80, .env = "NO_COLOR=1"}, false},
		{{.args = {"ps", "100"}, .columns = 80, .env = "NO_COLOR="}, true},
		{{.args = {"ps", "100"}, .columns = 80, .env = "TERM=dumb"}, false},
		{{.args = {"ps", "100"}}, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct result r;

		run(*state, &cases[i].how, &r);
		if ((strstr(strbuf_text(&r.out), "\x1b[") != NULL) != cases[i].want)
			fail_msg("case %zu: %s", i, strbuf_text(&r.out));
		assert_non_null(strstr(strbuf_text(&r.out), "differs"));
		result_fini(&r);
	}
}

static void
control_characters_of_the_daemon_reach_nobody(void **state)
{
	static const struct how cases[] = {
		{.args = {"ps"}},
		{.args = {"ps"}, .columns = 80, .env = "NO_COLOR=1"},
		{.args = {"ps", "100"}},
		{.args = {"status"}},
		{.args = {"ps", "-j"}},
		{.args = {"ps", "--output-format=json-pretty"}},
		{.args = {"status", "-j"}},
		{.args = {"ps", "\x1b[31m\x07"}},
	};
	struct ctl_world *w = *state;

	w->hostile = true;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct result r;

		run(w, &cases[i], &r);
		strbuf_add(&r.out, strbuf_text(&r.err), r.err.len);
		assert_true(r.out.len > 0);
		for (size_t k = 0; k < r.out.len; k++) {
			unsigned char c = (unsigned char)r.out.s[k];

			if (c != '\n' && c != '\r' && (c < 0x20 || c > 0x7e))
				fail_msg("case %zu: byte %02x in %s", i, c, r.out.s);
		}
		result_fini(&r);
	}
}

/* ---- help and exit codes ---- */

static void
help_is_complete_and_fits(void **state)
{
	static const char *const words[] = {"status", "ps", "version", "help",
		"--run-dir", "--output-format", "json-pretty", "-j", "--no-heading",
		"-h, --help", "-V, --version", "QMPIN_RUN_DIR", "NO_COLOR",
		"/run/qmpin"};
	static const struct how cases[] = {
		{.args = {"help"}},
		{.args = {"--help"}},
		{.args = {"ps", "-h"}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct result r;

		run(*state, &cases[i], &r);
		assert_int_equal(r.status, CMD_OK);
		expect_lines_within(strbuf_text(&r.out), 79);
		for (size_t k = 0; k < ARRAY_LEN(words); k++) {
			if (strstr(strbuf_text(&r.out), words[k]) == NULL)
				fail_msg("help does not mention %s", words[k]);
		}
		result_fini(&r);
	}
}

/* One line on stderr, nothing on stdout. */
static void
expect_error(struct ctl_world *w, const struct how *how, int status, const char *text)
{
	struct result r;

	run(w, how, &r);
	if (r.status != status || strstr(strbuf_text(&r.err), text) == NULL)
		fail_msg("qmpin %s: %d, %s", how->args[0], r.status,
			strbuf_text(&r.err));
	assert_string_equal(strbuf_text(&r.out), "");
	assert_int_equal(strncmp(strbuf_text(&r.err), "qmpin: ", 7), 0);
	assert_ptr_equal(strchr(r.err.s, '\n'), r.err.s + r.err.len - 1);
	result_fini(&r);
}

static void
failures_exit_as_documented_with_one_line(void **state)
{
	static const struct {
		struct how how;
		int status;
		const char *text;
	} cases[] = {
		{{.args = {NULL}}, CMD_USAGE, "no command given (qmpin help"},
		{{.args = {"pss"}}, CMD_USAGE, "no command 'pss' (qmpin help"},
		{{.args = {"--foo", "ps"}}, CMD_USAGE, "unknown option '--foo' (see"},
		{{.args = {"ps", "1", "2"}}, CMD_USAGE, "too many arguments"},
		{{.args = {"status", "1"}}, CMD_USAGE, "too many arguments"},
		{{.args = {"ps", "\xff"}}, CMD_USAGE, "not UTF-8"},
		{{.args = {"ps", "999"}}, CMD_FAILED, "no VM 999 (qmpin ps lists"},
		{{.args = {"ps", ""}}, CMD_FAILED, "no VM "},
		{{.args = {"ps", "--run-dir", "/nonexistent"}}, CMD_NO_DAEMON,
			"no daemon at /nonexistent/io.qmpin: is qmpind running? "
			"(systemctl status qmpind)"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_error(*state, &cases[i].how, cases[i].status, cases[i].text);
}

static void
missing_permission_has_its_exit_code(void **state)
{
	struct ctl_world *w = *state;
	struct result r;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(w->dir, 0755), 0);
	/* The build may be where others cannot run it from. */
	run(w, &(struct how){.args = {"version"}, .nobody = true}, &r);
	result_fini(&r);
	if (r.status == EXEC_FAILED)
		skip();
	expect_error(w, &(struct how){.args = {"ps"}, .nobody = true},
		CMD_NO_PERMISSION, "no permission for");
	assert_int_equal(fchmodat(w->dirfd, CTL_SOCKET_RO, 0666, 0), 0);
	expect_words(w, &(struct how){.args = {"ps", "--no-heading"}, .nobody = true},
		"100 web-0 3/8 float 8-11,40-43 0 watching private 0 resume "
		"affinity: allows two CPUs of eight\n"
		"101 web-1 3/8 float 8-11,40-43 0 watching private 1 resume -\n"
		"102 web-2 3/8 float 8-11,40-43 0 watching private 2 resume -\n");
}

static void
daemon_that_turns_away_is_not_reachable(void **state)
{
	static const struct ctl_limits none = {.clients = 0,
		.idle_ms = 1000,
		.stall_ms = 1000,
		.client_bytes = 1000,
		.total_bytes = 1000};
	struct ctl_world *w = *state;
	struct err e = ERR_NONE;

	ctl_server_free(w->server);
	assert_int_equal(ctl_world_serve(w, NULL, &none, &e), 0);
	expect_error(w, &(struct how){.args = {"ps"}}, CMD_NO_DAEMON,
		"closed the connection");
}

static void
output_that_cannot_be_written_is_a_failure(void **state)
{
	static const char *const commands[] = {"ps", "status", "help", "version"};
	struct ctl_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		int err[2];
		struct result r = {.status = -1};
		pid_t pid;

		assert_int_equal(pipe2(err, O_CLOEXEC), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			(void)dup2(
				open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
			(void)dup2(err[1], STDERR_FILENO);
			exec_qmpin(w, &(struct how){.args = {commands[i]}});
		}
		(void)close(err[1]);
		serve_until_closed(w, err[0], -1, &r);
		(void)close(err[0]);
		assert_int_equal(waitpid(pid, &r.status, 0), pid);
		assert_int_equal(WEXITSTATUS(r.status), CMD_FAILED);
		assert_string_equal(strbuf_text(&r.out),
			"qmpin: cannot write: No space left on device\n");
		result_fini(&r);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ps_lists_the_vms_in_order),
		CASE(heading_may_be_left_out),
		CASE(ps_of_one_vm_shows_its_threads_and_marks_what_differs),
		CASE(status_is_a_few_lines),
		CASE(version_is_told_without_a_daemon),
		CASE(json_is_the_reply_with_sorted_vms),
		CASE(json_of_status_is_the_reply),
		CASE(no_vms_is_said_beside_the_output),
		CASE(thousand_vms_come_through),
		CASE(table_fits_the_terminal),
		CASE(pipe_is_never_cut),
		CASE(colours_are_for_terminals_that_want_them),
		CASE(control_characters_of_the_daemon_reach_nobody),
		CASE(help_is_complete_and_fits),
		CASE(failures_exit_as_documented_with_one_line),
		CASE(missing_permission_has_its_exit_code),
		CASE(daemon_that_turns_away_is_not_reachable),
		CASE(output_that_cannot_be_written_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
