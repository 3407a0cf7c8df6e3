// SPDX-License-Identifier: MIT
/*
 * The blocking client against the real server in a process of its own, and against
 * servers that stall, trickle, lie or hang up.
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
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "ctl/address.h"
#include "ctl/client.h"
#include "ctl/remote.h"
#include "ctl/varlink.h"
#include "ctl_world.h"

/* For calls that must succeed, and for those that must time out. */
#define LONG_MS 20000
#define SHORT_MS 150

/* The test's own end of the server's process. */
struct bench {
	struct ctl_world world;
	pid_t child;
};

static pid_t
fork_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void
end_child(pid_t *child)
{
	if (*child <= 0)
		return;
	(void)kill(*child, SIGKILL);
	(void)waitpid(*child, NULL, 0);
	*child = 0;
}

static int
set_up(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));

	ctl_world_up(&b->world, NULL);
	b->child = fork_child();
	if (b->child == 0) {
		(void)event_reinit(b->world.base);
		(void)event_base_dispatch(b->world.base);
		_exit(0);
	}
	*state = b;
	return 0;
}

static int
tear_down(void **state)
{
	struct bench *b = *state;

	end_child(&b->child);
	ctl_world_down(&b->world);
	free(b);
	return 0;
}

/* A directory without a server. */
static int
set_up_empty(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));

	ctl_world_up(&b->world, NULL);
	ctl_server_free(b->world.server);
	b->world.server = NULL;
	*state = b;
	return 0;
}

static int
tear_down_empty(void **state)
{
	struct bench *b = *state;

	(void)unlinkat(b->world.dirfd, CTL_SOCKET, 0);
	(void)unlinkat(b->world.dirfd, CTL_SOCKET_RO, 0);
	return tear_down(state);
}

static bool
keep_last(void *arg, const json_t *reply)
{
	json_t **last = arg;

	json_decref(*last);
	*last = json_deep_copy(reply);
	return true;
}

static bool
count(void *arg, const json_t *reply)
{
	unsigned int *n = arg;

	(void)reply;
	(*n)++;
	return true;
}

static bool
count_to_two(void *arg, const json_t *reply)
{
	(void)count(arg, reply);
	return *(unsigned int *)arg < 2;
}

static struct ctl_client *
connected(const struct bench *b, unsigned int timeout_ms)
{
	struct ctl_client *c = NULL;
	struct err e = ERR_NONE;

	if (ctl_client_new(b->world.dir, timeout_ms, &c, &e) != 0)
		fail_msg("%s", e.text);
	return c;
}

static void
call_brings_its_reply(void **state)
{
	struct ctl_client *c = connected(*state, LONG_MS);
	struct err e = ERR_NONE;

	for (unsigned int i = 0; i < 3; i++) {
		json_t *reply = NULL;

		assert_int_equal(ctl_client_call(c, "GetStatus", NULL, false, keep_last,
					 &reply, &e),
			0);
		assert_string_equal(
			json_string_value(json_object_get(reply, "version")), "9.8.7");
		json_decref(reply);
	}
	ctl_client_free(c);
}

static void
stream_is_read_to_its_end(void **state)
{
	struct ctl_client *c = connected(*state, LONG_MS);
	struct err e = ERR_NONE;
	unsigned int n = 0;

	assert_int_equal(ctl_client_call(c, "ListVMs", NULL, true, count, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_int_equal(ctl_client_call(c, "ListVMs", NULL, true, NULL, NULL, &e), 0);
	ctl_client_free(c);
}

static void
stream_may_be_left(void **state)
{
	struct ctl_client *c = connected(*state, LONG_MS);
	struct err e = ERR_NONE;
	unsigned int n = 0;

	assert_int_equal(
		ctl_client_call(c, "ListVMs", NULL, true, count_to_two, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(ctl_client_call(c, "GetStatus", NULL, false, NULL, NULL, &e),
		-ENOTCONN);
	ctl_client_free(c);
}

static void
errors_of_the_daemon_leave_the_connection_usable(void **state)
{
	struct ctl_client *c = connected(*state, LONG_MS);
	struct err e = ERR_NONE;

	assert_int_equal(ctl_client_call(c, "ListVMs", json_pack("{s:s}", "id", "9"),
				 true, NULL, NULL, &e),
		-ENOENT);
	assert_string_equal(e.text, "no VM 9 (qmpin ps lists them)");
	err_clear(&e);
	assert_int_equal(
		ctl_client_call(c, "Doctor", NULL, false, NULL, NULL, &e), -EREMOTEIO);
	assert_non_null(strstr(e.text, "has no io.qmpin.Doctor yet"));
	err_clear(&e);
	assert_int_equal(
		ctl_client_call(c, "GetStatus", NULL, false, NULL, NULL, &e), 0);
	assert_false(err_is_set(&e));
	ctl_client_free(c);
}

static void
sentences_say_what_went_wrong(void **state)
{
	static const struct {
		const char *error;
		const char *params;
		int want;
		const char *text;
	} cases[] = {
		{"io.qmpin.VMNotFound", "{\"id\":\"7\\u001b[1m\"}", -ENOENT,
			"no VM 7\\x1b[1m (qmpin ps lists them)"},
		{"io.qmpin.NotManaged", "{\"id\":\"7\",\"why\":\"mode off\"}",
			-EREMOTEIO, "VM 7 is not managed: mode off"},
		{"io.qmpin.NotPermitted", "{\"what\":\"Reload\"}", -EACCES,
			"Reload is not permitted here: run it as root"},
		{"io.qmpin.Failed", "{}", -EREMOTEIO, "?"},
		{"io.qmpin.Failed", "{\"why\":5}", -EREMOTEIO, "?"},
		{"com.example.Odd", "{}", -EREMOTEIO, "Apply failed: com.example.Odd"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *params = json_loads(cases[i].params, 0, NULL);
		struct err e = ERR_NONE;
		int r = remote_error("Apply", cases[i].error, params, &e);

		if (r != cases[i].want || strcmp(e.text, cases[i].text) != 0)
			fail_msg("case %zu: %d, %s", i, r, e.text);
		json_decref(params);
	}
}

/* ---- connecting ---- */

static int
listen_here(const struct bench *b, const char *name, int backlog)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(address_fill(b->world.dirfd, b->world.dir, name, &address), 0);
	assert_int_equal(
		bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void
expect_no_connection(
	const char *dir, unsigned int timeout_ms, int want, const char *text)
{
	struct ctl_client *c = NULL;
	struct err e = ERR_NONE;

	assert_int_equal(ctl_client_new(dir, timeout_ms, &c, &e), want);
	assert_null(c);
	if (strstr(e.text, text) == NULL)
		fail_msg("'%s' does not say '%s'", e.text, text);
}

static void
absent_daemon_is_told_with_advice(void **state)
{
	static const char advice[] = "is qmpind running? (systemctl status qmpind)";
	struct bench *b = *state;
	char longer[400];

	expect_no_connection("/nonexistent/qmpin", LONG_MS, -ENOENT, advice);
	expect_no_connection(b->world.dir, LONG_MS, -ENOENT, advice);
	(void)close(listen_here(b, CTL_SOCKET, 1));
	expect_no_connection(b->world.dir, LONG_MS, -ECONNREFUSED, advice);
	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[200] = '/';
	longer[sizeof(longer) - 1] = '\0';
	expect_no_connection(longer, LONG_MS, -ENOENT, advice);
}

static void
full_queue_is_waited_for_no_longer_than_allowed(void **state)
{
	struct bench *b = *state;
	int fd = listen_here(b, CTL_SOCKET, 0);
	struct ctl_client *first = connected(b, SHORT_MS);

	expect_no_connection(b->world.dir, SHORT_MS, -ETIMEDOUT, "cannot connect");
	ctl_client_free(first);
	(void)close(fd);
}

/* As a user that may not use the first socket: in a child, 0 from @what is success. */
static void
as_nobody(const struct bench *b, int (*what)(const char *dir))
{
	pid_t child;
	int status = -1;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(b->world.dir, 0755), 0);
	child = fork_child();
	if (child == 0) {
		if (setresgid(65534, 65534, 65534) < 0 ||
			setresuid(65534, 65534, 65534) < 0)
			_exit(100);
		_exit(what(b->world.dir));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int
status_works_and_reload_does_not(const char *dir)
{
	struct ctl_client *c = NULL;
	struct err e = ERR_NONE;

	if (ctl_client_new(dir, LONG_MS, &c, &e) != 0)
		return 1;
	if (ctl_client_call(c, "GetStatus", NULL, false, NULL, NULL, &e) != 0)
		return 2;
	if (ctl_client_call(c, "Reload", NULL, false, NULL, NULL, &e) != -EACCES)
		return 3;
	ctl_client_free(c);
	return 0;
}

static int
permission_is_missing(const char *dir)
{
	struct ctl_client *c = NULL;
	struct err e = ERR_NONE;

	if (ctl_client_new(dir, LONG_MS, &c, &e) != -EACCES)
		return 1;
	return strstr(e.text, "no permission") != NULL ? 0 : 2;
}

static void
others_fall_back_to_the_read_only_socket(void **state)
{
	struct bench *b = *state;

	as_nobody(b, permission_is_missing);
	assert_int_equal(fchmodat(b->world.dirfd, CTL_SOCKET_RO, 0666, 0), 0);
	as_nobody(b, status_works_and_reload_does_not);
}

/* ---- servers that are none ---- */

struct script {
	const char *bytes; /* sent after the request has come */
	size_t len;
	unsigned int times;
	unsigned int gap_ms; /* before each time */
	bool stay;	     /* do not hang up */
};

static void
play(int listener, const struct script *s)
{
	int fd = accept(listener, NULL, NULL);
	char request[4096];

	(void)signal(SIGPIPE, SIG_IGN);
	(void)recv(fd, request, sizeof(request), 0);
	for (unsigned int i = 0; i < s->times; i++) {
		struct timespec gap = {.tv_nsec = (long)s->gap_ms * 1000000};

		(void)nanosleep(&gap, NULL);
		if (send(fd, s->bytes, s->len, 0) < 0)
			break;
	}
	if (s->stay)
		(void)pause();
	_exit(0);
}

static void
expect_failure(struct bench *b, const struct script *s, int want, const char *text)
{
	int listener = listen_here(b, CTL_SOCKET, 1);
	unsigned int timeout_ms = want == -ETIMEDOUT ? SHORT_MS : LONG_MS;
	struct ctl_client *c;
	struct err e = ERR_NONE;
	uint64_t begin_us;
	int r;

	b->child = fork_child();
	if (b->child == 0)
		play(listener, s);
	(void)close(listener);
	c = connected(b, timeout_ms);
	begin_us = clock_now_us(clock_system());
	r = ctl_client_call(c, "GetStatus", NULL, false, NULL, NULL, &e);
	if (r != want || strstr(e.text, text) == NULL)
		fail_msg("%d, %s", r, e.text);
	if (want == -ETIMEDOUT)
		assert_in_range(clock_now_us(clock_system()) - begin_us,
			SHORT_MS * 1000, SHORT_MS * 20000);
	assert_int_equal(ctl_client_call(c, "GetStatus", NULL, false, NULL, NULL, NULL),
		-ENOTCONN);
	ctl_client_free(c);
	end_child(&b->child);
	assert_int_equal(unlinkat(b->world.dirfd, CTL_SOCKET, 0), 0);
}

static void
silence_ends_at_the_deadline(void **state)
{
	expect_failure(*state, &(struct script){.stay = true}, -ETIMEDOUT,
		"did not answer GetStatus within 150 ms");
}

static void
trickle_ends_at_the_deadline(void **state)
{
	expect_failure(*state,
		&(struct script){
			.bytes = " ", .len = 1, .times = 1000000, .gap_ms = 10},
		-ETIMEDOUT, "did not answer");
}

static void
hang_up_is_told(void **state)
{
	expect_failure(*state, &(struct script){.times = 0}, -ECONNRESET, "closed");
	expect_failure(*state,
		&(struct script){.bytes = "{\"parameters\"", .len = 13, .times = 1},
		-ECONNRESET, "closed");
}

static void
what_is_no_reply_is_told(void **state)
{
	static const struct script cases[] = {
		{.bytes = "garbage", .len = 8, .times = 1},
		{.bytes = "", .len = 1, .times = 1},
		{.bytes = "[]", .len = 3, .times = 1},
		{.bytes = "{\"error\":1}", .len = 12, .times = 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_failure(*state, &cases[i], -EPROTO, "no varlink");
}

static void
reply_without_end_is_given_up(void **state)
{
	char *block = xcalloc(1 << 20, 1);

	memset(block, 'x', 1 << 20);
	expect_failure(*state,
		&(struct script){.bytes = block,
			.len = 1 << 20,
			.times = VARLINK_REPLY_MAX / (1 << 20) + 8},
		-EPROTO, "a reply without end");
	free(block);
}

static void
stream_that_was_not_asked_for_is_refused(void **state)
{
	static const char reply[] = "{\"parameters\":{},\"continues\":true}";

	expect_failure(*state,
		&(struct script){.bytes = reply, .len = sizeof(reply), .times = 1},
		-EPROTO, "unasked");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define EMPTY(name) cmocka_unit_test_setup_teardown(name, set_up_empty, tear_down_empty)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(call_brings_its_reply),
		CASE(stream_is_read_to_its_end),
		CASE(stream_may_be_left),
		CASE(errors_of_the_daemon_leave_the_connection_usable),
		CASE(others_fall_back_to_the_read_only_socket),
		cmocka_unit_test(sentences_say_what_went_wrong),
		EMPTY(absent_daemon_is_told_with_advice),
		EMPTY(full_queue_is_waited_for_no_longer_than_allowed),
		EMPTY(silence_ends_at_the_deadline),
		EMPTY(trickle_ends_at_the_deadline),
		EMPTY(hang_up_is_told),
		EMPTY(what_is_no_reply_is_told),
		EMPTY(reply_without_end_is_given_up),
		EMPTY(stream_that_was_not_asked_for_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
