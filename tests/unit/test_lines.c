// SPDX-License-Identifier: MIT
/* Lines of pipes: short, long, cut in pieces, without an end. */
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
#include <unistd.h>

#include "base/str.h"
#include "cli/lines.h"

#define CAP 8

/* All lines of @text, "|" behind each; then what lines_next said in the end. */
static int
read_all(const char *text, struct strbuf *out)
{
	const char *line;
	struct lines l;
	int fds[2];
	size_t len;
	int r;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fds[1]);
	l = lines_new(fds[0], -1, CAP);
	while ((r = lines_next(&l, &line, &len)) > 0) {
		strbuf_add(out, line, len);
		strbuf_adds(out, "|");
	}
	lines_fini(&l);
	(void)close(fds[0]);
	return r;
}

static void
lines_come_one_by_one(void **state)
{
	static const struct {
		const char *text;
		const char *want;
		int r;
	} cases[] = {
		{"", "", 0},
		{"\n", "|", 0},
		{"a", "a|", 0},
		{"a\n", "a|", 0},
		{"a\n\nb", "a||b|", 0},
		{"12345678\n12345678\n1\n2\n3\n", "12345678|12345678|1|2|3|", 0},
		{"12345678", "12345678|", 0},
		{"1\n123456789\n", "1|", -E2BIG},
		{"123456789", "", -E2BIG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = {0};
		int r = read_all(cases[i].text, &out);

		if (r != cases[i].r || strcmp(strbuf_text(&out), cases[i].want) != 0)
			fail_msg("%zu: %d %s", i, r, strbuf_text(&out));
		strbuf_fini(&out);
	}
}

static void
waiting_can_be_ended(void **state)
{
	int fds[2];
	int stop[2];
	const char *line;
	struct lines l;
	size_t len;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], "a\nb\nc", 5), 5);
	l = lines_new(fds[0], stop[0], CAP);
	assert_int_equal(lines_next(&l, &line, &len), 1);
	assert_int_equal(lines_next(&l, &line, &len), 1);
	assert_int_equal(write(stop[1], "x", 1), 1);
	assert_int_equal(lines_next(&l, &line, &len), -EINTR);
	lines_fini(&l);
	for (int i = 0; i < 2; i++) {
		(void)close(fds[i]);
		(void)close(stop[i]);
	}
}

/* Also where there is no need to wait. */
static void
lines_that_are_there_can_be_left(void **state)
{
	int fds[2];
	const char *line;
	struct lines l;
	size_t len;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], "a\nb\n", 4), 4);
	l = lines_new(fds[0], -1, CAP);
	assert_int_equal(lines_next(&l, &line, &len), 1);
	assert_int_equal(write(fds[1], "x", 1), 1);
	l.stop_fd = fds[0]; /* readable */
	assert_int_equal(lines_next(&l, &line, &len), -EINTR);
	lines_fini(&l);
	for (int i = 0; i < 2; i++)
		(void)close(fds[i]);
}

static void
directories_are_errors(void **state)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct lines l = lines_new(fd, -1, CAP);
	const char *line;
	size_t len;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(lines_next(&l, &line, &len), -EISDIR);
	lines_fini(&l);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_one_by_one),
		cmocka_unit_test(waiting_can_be_ended),
		cmocka_unit_test(lines_that_are_there_can_be_left),
		cmocka_unit_test(directories_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
