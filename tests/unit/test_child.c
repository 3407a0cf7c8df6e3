// SPDX-License-Identifier: MIT
/* Starting and stopping the probe; scripts stand in for it. */
#include "config.h"

#include "probe/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "procs.h"

#define LEAKED_FD 57

static const struct child_options plain = {.cold_s = 3, .cpus_pct = 12};

struct fixture {
	char *dir;
	char *program;
	size_t fds;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->dir = procs_make_dir();
	f->program = xasprintf("%s/probe", f->dir);
	assert_int_equal(setenv(CHILD_PROGRAM_ENV, f->program, 1), 0);
	f->fds = procs_count_fds();
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(procs_count_fds(), f->fds);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
	(void)unsetenv(CHILD_PROGRAM_ENV);
	procs_remove_dir(f->dir);
	free(f->program);
	free(f);
	return 0;
}

static void
write_program(const struct fixture *f, const char *lines)
{
	FILE *file = fopen(f->program, "we");

	assert_non_null(file);
	assert_true(fprintf(file, "#!/bin/sh\n%s\n", lines) > 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(f->program, 0755), 0);
}

/* What it prints until it ends. */
static char *
read_all(const struct child *c)
{
	struct strbuf out = {0};
	struct pollfd p = {.fd = c->out, .events = POLLIN};
	char part[256];
	ssize_t n = 1;

	while (n != 0) {
		assert_int_equal(poll(&p, 1, 20000), 1);
		n = read(c->out, part, sizeof(part));
		assert_true(n >= 0);
		strbuf_add(&out, part, (size_t)n);
	}
	return strbuf_take(&out);
}

static void
options_reach_the_program(void **state)
{
	const struct child_options o = {.cpus = "0-3,8",
		.cold_s = 0.25,
		.budget_s = 10,
		.cpus_pct = 100,
		.exhaustive = true};
	struct fixture *f = *state;
	auto_free char *text = NULL;
	struct child c;

	write_program(f, "for word in \"$@\"; do echo \"$word\"; done");
	assert_int_equal(child_start(&o, &c, NULL), 0);
	text = read_all(&c);
	child_stop(&c);
	assert_string_equal(text, "--cold=0.250\n--budget=10.000\n--cpus-pct=100\n"
				  "--exhaustive\n--cpus\n0-3,8\n");
}

static void
a_budget_however_small_is_one(void **state)
{
	const struct child_options o = {.budget_s = 1e-9, .cpus_pct = 1};
	struct fixture *f = *state;
	auto_free char *text = NULL;
	struct child c;

	write_program(f, "for word in \"$@\"; do echo \"$word\"; done");
	assert_int_equal(child_start(&o, &c, NULL), 0);
	text = read_all(&c);
	child_stop(&c);
	assert_non_null(strstr(text, "--budget=0.001\n"));
}

static void
both_pipes_lead_to_the_program(void **state)
{
	struct fixture *f = *state;
	auto_free char *text = NULL;
	struct child c;

	write_program(f, "read line; echo \"heard $line\"");
	assert_int_equal(child_start(&plain, &c, NULL), 0);
	assert_int_equal(write(c.in, "go\n", 3), 3);
	text = read_all(&c);
	child_stop(&c);
	assert_string_equal(text, "heard go\n");
}

static void
a_program_that_cannot_run_is_an_error_with_its_name(void **state)
{
	struct fixture *f = *state;
	struct child c = {.pid = 77};
	struct err e = ERR_NONE;

	assert_int_equal(child_start(&plain, &c, &e), -ENOENT);
	assert_string_equal(e.source, f->program);
	write_program(f, "");
	assert_int_equal(chmod(f->program, 0600), 0);
	assert_int_equal(child_start(&plain, &c, NULL), -EACCES);
	assert_int_equal(c.pid, 77);
}

static void
nothing_else_is_inherited(void **state)
{
	struct fixture *f = *state;
	auto_free char *text = NULL;
	struct child c;
	sigset_t term;
	sigset_t before;

	write_program(f, "[ -e /proc/$$/fd/57 ] && echo leaked\n"
			 "exec grep -E 'Sig(Blk|Ign)' /proc/self/status");
	assert_int_equal(dup2(STDERR_FILENO, LEAKED_FD), LEAKED_FD);
	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &term, &before);
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(child_start(&plain, &c, NULL), 0);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)close(LEAKED_FD);
	text = read_all(&c);
	child_stop(&c);
	assert_true(str_has_prefix(text, "SigBlk:\t0000000000000000\nSigIgn:\t"));
	/* of the C library's own signals nobody else may change anything */
	assert_int_equal(strtoull(strrchr(text, '\t') + 1, NULL, 16) & 0x7fffffff, 0);
}

/* Ctrl-C is sent to all of the terminal's foreground group. */
static void
it_is_in_a_group_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct child c;

	write_program(f, "read line");
	assert_int_equal(child_start(&plain, &c, NULL), 0);
	assert_int_equal(getpgid(c.pid), c.pid);
	child_stop(&c);
}

static void
stopping_ends_it_whatever_it_does(void **state)
{
	struct fixture *f = *state;
	struct child c;
	struct pollfd p = {.events = POLLIN};
	char byte;
	pid_t pid;

	write_program(
		f, "trap '' TERM HUP INT PIPE; echo x; while :; do sleep 1; done");
	assert_int_equal(child_start(&plain, &c, NULL), 0);
	p.fd = c.out;
	assert_int_equal(poll(&p, 1, 20000), 1);
	assert_int_equal(read(c.out, &byte, 1), 1);
	pid = c.pid;
	child_stop(&c);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(c.pid, 0);
	child_stop(&c);
}

static void
one_that_has_ended_is_told_and_reaped(void **state)
{
	struct fixture *f = *state;
	struct pollfd p = {.events = POLLIN};
	struct child c;

	write_program(f, "exit 3");
	assert_int_equal(child_start(&plain, &c, NULL), 0);
	p.fd = c.pidfd;
	assert_int_equal(poll(&p, 1, 20000), 1);
	child_stop(&c);
}

/* A parent that starts one, tells its id and dies without a word. */
static void
be_killed_as_parent(int to)
{
	struct child c;

	if (child_start(&plain, &c, NULL) < 0 ||
		write(to, &c.pid, sizeof(c.pid)) != (ssize_t)sizeof(c.pid))
		_exit(1);
	(void)raise(SIGKILL);
}

static void
it_dies_with_its_parent(void **state)
{
	struct fixture *f = *state;
	int fds[2];
	pid_t parent;
	pid_t pid = 0;
	int status;

	write_program(f, "exec sleep 1000");
	/* so that it becomes ours when its parent has died */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	parent = fork();
	if (parent == 0)
		be_killed_as_parent(fds[1]);
	assert_int_equal(read(fds[0], &pid, sizeof(pid)), (ssize_t)sizeof(pid));
	assert_int_equal(waitpid(parent, &status, 0), parent);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void
without_standard_streams_it_still_gets_its_own(void **state)
{
	struct fixture *f = *state;
	int status = -1;
	pid_t pid;

	write_program(f, "read line; echo \"$line\"");
	pid = fork();
	if (pid == 0) {
		struct child c;
		char text[8] = "";
		struct pollfd p = {.events = POLLIN};

		(void)alarm(20);
		(void)close_range(0, 2, 0);
		if (child_start(&plain, &c, NULL) < 0 || write(c.in, "go\n", 3) != 3)
			_exit(1);
		p.fd = c.out;
		_exit(poll(&p, 1, -1) == 1 && read(c.out, text, 7) == 3 &&
					strcmp(text, "go\n") == 0
				? 0
				: 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(options_reach_the_program),
		WITH_DIR(a_budget_however_small_is_one),
		WITH_DIR(both_pipes_lead_to_the_program),
		WITH_DIR(a_program_that_cannot_run_is_an_error_with_its_name),
		WITH_DIR(nothing_else_is_inherited),
		WITH_DIR(it_is_in_a_group_of_its_own),
		WITH_DIR(stopping_ends_it_whatever_it_does),
		WITH_DIR(one_that_has_ended_is_told_and_reaped),
		WITH_DIR(it_dies_with_its_parent),
		WITH_DIR(without_standard_streams_it_still_gets_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
