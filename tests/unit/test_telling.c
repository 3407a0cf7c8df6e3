// SPDX-License-Identifier: MIT
/*
 * Method Monitor: who follows decisions gets each of them, as fast as it reads them,
 * and what is kept for those who do not read is bounded.
 */
#include "config.h"

#include "daemon/telling.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/idl.h"
#include "ctl/shapes.h"
#include "ctl_world.h"
#include "daemon/asker.h"
#include "daemon/engine.h"
#include "daemon/feed.h"
#include "daemon/report.h"

#define FOLLOW "{\"method\":\"io.qmpin.Monitor\",\"more\":true,\"parameters\":{%s}}"
#define LAST "{\"method\":\"io.qmpin.Monitor\",\"parameters\":{%s}}"

struct desk {
	struct ctl_world world; /* its own server is not used */
	struct engine engine;	/* that is all that telling_on_call looks at */
	struct vm *vm;		/* 103 */
	struct vm *other;	/* 104 */
};

static const struct ctl_method methods[] = {{"Monitor", false, telling_on_call}};

static int
set_up(void **state)
{
	struct desk *d = xcalloc(1, sizeof(*d));
	struct ctl_server_options options = {.methods = methods,
		.n_methods = ARRAY_LEN(methods),
		.version = "9.8.7",
		.limits = &ctl_world_patient};
	struct err e = ERR_NONE;

	*state = d;
	ctl_world_up(&d->world, &ctl_world_patient);
	ctl_server_free(d->world.server);
	d->engine.base = d->world.base;
	d->engine.clock = clock_system();
	d->engine.telling = telling_new(d->world.base, clock_system());
	options.run_dirfd = d->world.dirfd;
	options.run_dir = d->world.dir;
	assert_int_equal(ctl_server_new(d->world.base, &options, &d->engine,
				 &d->world.server, &e),
		0);
	d->vm = vm_new("103", 103, "/nonexistent/vm.qmp", "/nonexistent/vm.pid");
	d->other = vm_new("104", 104, "/nonexistent/vm.qmp", "/nonexistent/vm.pid");
	str_copy(d->vm->why, sizeof(d->vm->why), "L3 group 2: free cores");
	return 0;
}

static int
tear_down(void **state)
{
	struct desk *d = *state;

	telling_free(d->engine.telling);
	ctl_world_down(&d->world);
	vm_free(d->vm);
	vm_free(d->other);
	free(d);
	return 0;
}

static struct cpuset
set_of(const char *text)
{
	struct cpuset set;

	assert_int_equal(cpuset_parse(text, &set), 0);
	return set;
}

/* vCPUs of @vm move, so many of them. */
static void
decide(struct desk *d, const struct vm *vm, unsigned int n)
{
	struct move *moves = xcalloc(n, sizeof(*moves));

	for (unsigned int i = 0; i < n; i++)
		moves[i] = (struct move){
			{.tid = 1000 + (pid_t)i, .class = THREAD_VCPU, .index = (int)i},
			set_of("0-63"), set_of("8-11")};
	telling_moves(d->engine.telling, vm, moves, n, CAUSE_RESUME, NULL);
	free(moves);
}

static int
ask(struct desk *d, const char *request, const char *params)
{
	auto_free char *text = NULL;
	int fd = ctl_world_dial(&d->world, CTL_SOCKET_RO);

	text = xasprintf("%.*s%s%s", (int)(strstr(request, "%s") - request), request,
		params, strstr(request, "%s") + 2);
	ctl_world_ask(&d->world, fd, text);
	ctl_world_settle(&d->world);
	return fd;
}

/* The decision in the next reply; new reference. */
static json_t *
read_decision(struct desk *d, int fd)
{
	auto_json json_t *reply = ctl_world_read(&d->world, fd);
	json_t *params = json_object_get(reply, "parameters");
	char bad[64];

	if (json_object_get(reply, "error") != NULL)
		fail_msg("%s", json_string_value(json_object_get(reply, "error")));
	if (!idl_check(ctl_interface_text(), IDL_METHOD_OUT, "Monitor", params, bad,
		    sizeof(bad)))
		fail_msg("not as the interface says: %s", bad);
	return json_incref(json_object_get(params, "decision"));
}

static const char *
text_of(const json_t *decision, const char *key)
{
	const char *text = json_string_value(json_object_get(decision, key));

	return text != NULL ? text : "null";
}

/* The next decision is about this VM and has so many moves. */
static void
expect(struct desk *d, int fd, const char *id, size_t n_moves)
{
	auto_json json_t *decision = read_decision(d, fd);

	assert_string_equal(text_of(decision, "id"), id);
	assert_int_equal(json_array_size(json_object_get(decision, "moves")), n_moves);
}

static void
expect_error(struct desk *d, int fd, const char *name)
{
	auto_json json_t *reply = ctl_world_read(&d->world, fd);

	assert_string_equal(text_of(reply, "error"), name);
	(void)close(fd);
}

static void
expect_silence(struct desk *d, int fd)
{
	char byte;

	ctl_world_settle(&d->world);
	assert_true(recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
}

static void
a_decision_has_its_line_and_its_moves(void **state)
{
	struct desk *d = *state;
	int fd = ask(d, FOLLOW, "");
	auto_json json_t *decision = NULL;
	const json_t *move;

	expect_silence(d, fd);
	decide(d, d->vm, 2);
	decision = read_decision(d, fd);
	assert_string_equal(text_of(decision, "cause"), "resume");
	assert_string_equal(text_of(decision, "text"),
		"vCPUs 0-1 0-63 -> 8-11 (resume; L3 group 2: free cores)");
	assert_true(json_integer_value(json_object_get(decision, "time")) > 0);
	move = json_array_get(json_object_get(decision, "moves"), 1);
	assert_int_equal(json_integer_value(json_object_get(move, "tid")), 1001);
	assert_string_equal(text_of(move, "reason"), "L3 group 2: free cores");
	(void)close(fd);
}

static void
who_asks_for_one_vm_hears_of_no_other(void **state)
{
	struct desk *d = *state;
	int one = ask(d, FOLLOW, "\"id\":\"104\"");
	int all = ask(d, FOLLOW, "");

	decide(d, d->vm, 1);
	expect_silence(d, one);
	decide(d, d->other, 2);
	expect(d, one, "104", 2);
	expect(d, all, "103", 1);
	expect(d, all, "104", 2);
	(void)close(one);
	(void)close(all);
}

static void
the_last_ones_come_first_when_asked_for(void **state)
{
	struct desk *d = *state;
	int fd;

	for (unsigned int i = 1; i <= 5; i++)
		decide(d, i % 2 == 0 ? d->other : d->vm, i);
	fd = ask(d, FOLLOW, "\"last\":2");
	expect(d, fd, "104", 4);
	expect(d, fd, "103", 5);
	expect_silence(d, fd);
	decide(d, d->vm, 1);
	expect(d, fd, "103", 1);
	(void)close(fd);
	fd = ask(d, FOLLOW, "\"id\":\"103\",\"last\":1000000");
	expect(d, fd, "103", 1);
	expect(d, fd, "103", 3);
	expect(d, fd, "103", 5);
	(void)close(fd);
}

static void
without_more_the_last_one_is_told(void **state)
{
	struct desk *d = *state;
	int fd;

	expect_error(d, ask(d, LAST, ""), "io.qmpin.Failed");
	expect_error(d, ask(d, LAST, "\"id\":\"103\""), "io.qmpin.VMNotFound");
	decide(d, d->vm, 1);
	decide(d, d->vm, 2);
	decide(d, d->other, 3);
	fd = ask(d, LAST, "");
	expect(d, fd, "104", 3);
	(void)close(fd);
	fd = ask(d, LAST, "\"id\":\"103\"");
	expect(d, fd, "103", 2);
	(void)close(fd);
}

static void
what_cannot_be_is_refused(void **state)
{
	struct desk *d = *state;
	char id[VM_ID_MAX + 16] = "\"id\":\"";

	expect_error(d, ask(d, FOLLOW, "\"id\":\"\""), "io.qmpin.InvalidValue");
	expect_error(d, ask(d, FOLLOW, "\"last\":-1"), "io.qmpin.InvalidValue");
	memset(id + 6, 'x', VM_ID_MAX);
	id[6 + VM_ID_MAX] = '"';
	expect_error(d, ask(d, FOLLOW, id), "io.qmpin.InvalidValue");
	expect_error(
		d, ask(d, FOLLOW, "\"id\":7"), "org.varlink.service.InvalidParameter");
}

/* Of all that was decided, what was read and what is said to be missing. */
static void
who_does_not_read_is_told_of_the_gap(void **state)
{
	struct desk *d = *state;
	int fd = ask(d, FOLLOW, "");
	int quick = ask(d, FOLLOW, "");
	const unsigned int n = 3 * FEED_MAX;
	unsigned int seen = 0;
	unsigned long missed = 0;

	/* 7 KB each: the socket holds 30 of them */
	for (unsigned int i = 0; i < n; i++) {
		decide(d, d->vm, 40);
		expect(d, quick, "103", 40);
	}
	while (seen + missed < n) {
		auto_json json_t *decision = read_decision(d, fd);

		if (strcmp(text_of(decision, "cause"), "gap") != 0) {
			seen++;
			continue;
		}
		assert_int_equal(missed, 0);
		assert_string_equal(text_of(decision, "id"), "null");
		missed = strtoul(text_of(decision, "text"), NULL, 10);
		assert_in_range(missed, n / 2, n);
	}
	assert_int_equal(seen + missed, n);
	expect_silence(d, fd);
	decide(d, d->vm, 1);
	expect(d, fd, "103", 1);
	(void)close(fd);
	(void)close(quick);
}

static void
a_vm_of_too_many_threads_is_told_in_part(void **state)
{
	struct desk *d = *state;
	int fd = ask(d, FOLLOW, "");

	decide(d, d->vm, 1500);
	expect(d, fd, "103", 1024);
	(void)close(fd);
}

static void
readers_that_leave_disturb_nobody(void **state)
{
	struct desk *d = *state;

	for (unsigned int i = 0; i < 300; i++) {
		(void)close(ask(d, FOLLOW, ""));
		ctl_world_settle(&d->world);
	}
	decide(d, d->vm, 1);
	ctl_world_settle(&d->world);
	decide(d, d->vm, 1);
	ctl_world_settle(&d->world);
}

static void
the_end_of_the_daemon_is_told(void **state)
{
	struct desk *d = *state;
	int fd = ask(d, FOLLOW, "");

	telling_free(d->engine.telling);
	d->engine.telling = NULL;
	expect_error(d, fd, "io.qmpin.Failed");
}

static void
the_asker_has_its_ids_and_its_name(void **state)
{
	const struct desk *d = *state;
	int procfd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct ctl_peer self = {.pid = getpid(), .uid = 7};
	struct ctl_peer gone = {.pid = 0x7ffffffe, .uid = 65534};
	auto_free char *want = xasprintf("uid 7 pid %d (a\\x1b[1m \\\\)", getpid());
	char text[ASKER_MAX];
	char was[16];

	(void)d;
	assert_true(procfd >= 0);
	assert_int_equal(prctl(PR_GET_NAME, was), 0);
	assert_int_equal(prctl(PR_SET_NAME, "a\x1b[1m \\"), 0);
	assert_string_equal(asker_text(procfd, &self, text, sizeof(text)), want);
	assert_int_equal(prctl(PR_SET_NAME, was), 0);
	assert_string_equal(asker_text(procfd, &gone, text, sizeof(text)),
		"uid 65534 pid 2147483646");
	(void)close(procfd);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_decision_has_its_line_and_its_moves),
		CASE(who_asks_for_one_vm_hears_of_no_other),
		CASE(the_last_ones_come_first_when_asked_for),
		CASE(without_more_the_last_one_is_told),
		CASE(what_cannot_be_is_refused),
		CASE(who_does_not_read_is_told_of_the_gap),
		CASE(a_vm_of_too_many_threads_is_told_in_part),
		CASE(readers_that_leave_disturb_nobody),
		CASE(the_end_of_the_daemon_is_told),
		CASE(the_asker_has_its_ids_and_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
