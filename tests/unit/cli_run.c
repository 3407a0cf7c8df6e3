// SPDX-License-Identifier: MIT
/* Runs the program qmpin, on pipes or on a terminal of a given width. */
#include "config.h"

#include "cli_run.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cmd.h"

void
cli_exec(const struct ctl_world *w, const struct cli_how *how)
{
	const char *argv[CLI_ARGS_MAX + 2] = {"qmpin"};

	for (size_t i = 0; i < CLI_ARGS_MAX && how->args[i] != NULL; i++)
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
	_exit(CLI_EXEC_FAILED);
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

/* @pid: to be sent how->signal in time; 0: nobody. */
static void
serve(struct ctl_world *w, const struct cli_how *how, pid_t pid, const int *fds,
	struct cli_result *r)
{
	int out = fds[0];
	int err = fds[1];
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
		if (pid > 0 && how->is_time != NULL && how->is_time(w)) {
			assert_int_equal(kill(how->group ? -pid : pid, how->signal), 0);
			pid = 0;
		}
	}
}

void
cli_serve(struct ctl_world *w, int out, int err, struct cli_result *r)
{
	serve(w, NULL, 0, (const int[]){out, err}, r);
}

void
cli_run(struct ctl_world *w, const struct cli_how *how, struct cli_result *r)
{
	int out[2] = {-1, -1};
	int err[2] = {-1, -1};
	pid_t pid;

	*r = (struct cli_result){.status = -1};
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
		if (how->group)
			(void)setpgid(0, 0);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(err[1] >= 0 ? err[1] : out[1], STDERR_FILENO);
		cli_exec(w, how);
	}
	(void)close(out[1]);
	if (err[1] >= 0)
		(void)close(err[1]);
	serve(w, how, pid, (const int[]){out[0], err[0]}, r);
	(void)close(out[0]);
	if (err[0] >= 0)
		(void)close(err[0]);
	assert_int_equal(waitpid(pid, &r->status, 0), pid);
	assert_true(WIFEXITED(r->status));
	r->status = WEXITSTATUS(r->status);
}

void
cli_result_fini(struct cli_result *r)
{
	strbuf_fini(&r->out);
	strbuf_fini(&r->err);
}

void
cli_expect_text(struct ctl_world *w, const struct cli_how *how, const char *want)
{
	struct cli_result r;

	cli_run(w, how, &r);
	assert_string_equal(strbuf_text(&r.err), "");
	assert_string_equal(strbuf_text(&r.out), want);
	assert_int_equal(r.status, CMD_OK);
	cli_result_fini(&r);
}

/* As expect_text, but a blank stands for any number of them, and lines begin with none:
 * without a heading columns are as wide as libsmartcols likes. */
void
cli_expect_words(struct ctl_world *w, const struct cli_how *how, const char *want)
{
	struct strbuf squeezed = {0};
	struct cli_result r;

	cli_run(w, how, &r);
	for (const char *p = strbuf_text(&r.out); *p != '\0'; p++) {
		bool first = squeezed.len == 0 || squeezed.s[squeezed.len - 1] == '\n';

		if (p[0] != ' ' || (p[1] != ' ' && !first))
			strbuf_add(&squeezed, p, 1);
	}
	assert_string_equal(strbuf_text(&squeezed), want);
	assert_int_equal(r.status, CMD_OK);
	strbuf_fini(&squeezed);
	cli_result_fini(&r);
}

/* Each line of @text, which fits in @columns. */
void
cli_expect_lines_within(const char *text, size_t columns)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\r\n");

		if (len > columns)
			fail_msg("%zu columns: %.*s", columns, (int)len, text);
		text += len;
		text += strspn(text, "\r\n");
	}
}

char *
cli_read_file(const char *path)
{
	struct strbuf b = {0};
	char chunk[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("no file %s", path);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		strbuf_add(&b, chunk, (size_t)n);
	(void)close(fd);
	return strbuf_take(&b);
}
