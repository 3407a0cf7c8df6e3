// SPDX-License-Identifier: MIT
/* The probe's side of its pipes: slow, gone and silent parents. */
#include "config.h"

#include "probe/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"

#define RESULT_BYTES (300u << 10)

struct fixture {
	int to[2];
	int from[2];
	struct talk talk;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(f->to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(f->from, O_CLOEXEC), 0);
	talk_init(&f->talk, f->to[0], f->from[1]);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	talk_fini(&f->talk);
	for (unsigned int i = 0; i < 2; i++) {
		(void)close(f->to[i]);
		(void)close(f->from[i]);
	}
	free(f);
	return 0;
}

static void
what_the_parent_says_is_heard(void **state)
{
	struct fixture *f = *state;
	struct wire_message m;

	assert_int_equal(write(f->to[1], "avoid 3\ngo", 10), 10);
	assert_int_equal(talk_read(&f->talk), 0);
	assert_int_equal(wire_next(&f->talk.wire, &m, NULL), 1);
	assert_int_equal(m.kind, WIRE_AVOID);
	assert_string_equal(m.text, "3");
	assert_int_equal(wire_next(&f->talk.wire, &m, NULL), 0);
	assert_int_equal(write(f->to[1], "\n", 1), 1);
	assert_int_equal(talk_read(&f->talk), 0);
	assert_int_equal(wire_next(&f->talk.wire, &m, NULL), 1);
	assert_int_equal(m.kind, WIRE_GO);
}

static void
the_end_of_file_is_told(void **state)
{
	struct fixture *f = *state;

	(void)close(f->to[1]);
	f->to[1] = -1;
	assert_int_equal(talk_read(&f->talk), -EPIPE);
}

static void
a_reader_that_takes_nothing_blocks_nobody(void **state)
{
	auto_free char *bytes = xcalloc(RESULT_BYTES, 1);
	const struct wire_message m = {
		.kind = WIRE_RESULT, .text = bytes, .len = RESULT_BYTES};
	struct fixture *f = *state;
	size_t got = 0;

	assert_true(talk_is_idle(&f->talk));
	talk_say(&f->talk, &m);
	assert_int_equal(talk_write(&f->talk), 0);
	assert_false(talk_is_idle(&f->talk));
	while (!talk_is_idle(&f->talk)) {
		char part[4096];
		ssize_t n = read(f->from[0], part, sizeof(part));

		assert_true(n > 0);
		got += (size_t)n;
		assert_int_equal(talk_write(&f->talk), 0);
	}
	assert_null(f->talk.queue.s);
	assert_true(got > 0);
}

static void
a_reader_that_has_gone_is_told(void **state)
{
	struct fixture *f = *state;

	(void)close(f->from[0]);
	f->from[0] = -1;
	talk_sayf(&f->talk, WIRE_NOTE, "%s", "x");
	assert_int_equal(talk_write(&f->talk), -EPIPE);
	assert_int_equal(talk_flush(&f->talk), -EPIPE);
}

static void
long_text_is_cut(void **state)
{
	struct fixture *f = *state;

	talk_sayf(&f->talk, WIRE_NOTE, "%0900d", 1);
	assert_int_equal(f->talk.queue.len, strlen("note \n") + 499);
}

/* Ends with 0 when its parent does, and with 3 when it must be called back. */
static void
sleep_until_told(struct fixture *f)
{
	(void)alarm(10);
	(void)close(f->to[1]);
	if (talk_end_with_parent(&f->talk) < 0)
		_exit(2);
	for (;;)
		(void)pause();
}

static void
the_process_ends_with_its_parent_whatever_it_does(void **state)
{
	struct fixture *f = *state;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		sleep_until_told(f);
	assert_int_equal(write(f->to[1], "never read\n", 11), 11);
	(void)close(f->to[1]);
	f->to[1] = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define WITH_PIPES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PIPES(what_the_parent_says_is_heard),
		WITH_PIPES(the_end_of_file_is_told),
		WITH_PIPES(a_reader_that_takes_nothing_blocks_nobody),
		WITH_PIPES(a_reader_that_has_gone_is_told),
		WITH_PIPES(long_text_is_cut),
		WITH_PIPES(the_process_ends_with_its_parent_whatever_it_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
