// SPDX-License-Identifier: MIT
/* Sharing a real QEMU's monitor with other clients, way by way. */
#include "config.h"

#include "qmp/monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qmp/guard.h"
#include "qmp_qemu.h"
#include "qmp_watch.h"

#define QEMU "qemu-system-x86_64"
#define SOON_MS 30000u
/* Of a proxy: "up to 64 clients; more wait". */
#define CLIENTS_MAX 64
/* The guard gives a session that is in the way a second. */
#define LONGER_THAN_GUARD_MS 3000u

struct fixture {
	struct watch w;
	struct qemu qemu;
	char fifo[80]; /* what is written to it is not read yet */
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	watch_init(&f->w);
	assert_true(qemu_start(&f->qemu, QEMU, f->w.path));
	snprintf(f->fifo, sizeof(f->fifo), "%s/fifo", f->w.folder);
	assert_int_equal(mkfifo(f->fifo, 0600), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	qemu_stop(&f->qemu);
	(void)unlink(f->fifo);
	watch_fini(&f->w);
	free(f);
	return 0;
}

/* Started, seen, and shared as expected. */
static void
begin(struct fixture *f, enum share wish, enum share expected)
{
	f->w.options.share = wish;
	watch_start(&f->w);
	watch_until(&f->w, "facts ", SOON_MS);
	watch_until_share(&f->w, expected, SOON_MS);
	watch_forget(&f->w);
}

/* A client that wants to be greeted, while the monitor's loop runs. */
static int
visit(struct fixture *f, unsigned int limit_ms)
{
	int fd = qemu_connect(f->w.path);

	assert_true(fd >= 0);
	watch_until_heard(&f->w, fd, "\"QMP\"", limit_ms);
	return fd;
}

static void
whoever_waits_is_served_at_once_and_we_come_back(void **state)
{
	struct fixture *f = *state;
	int fd;

	begin(f, SHARE_AUTO, SHARE_YIELD);
	assert_false(err_is_set(&f->w.share_why));
	fd = visit(f, 1000);
	assert_string_equal(f->w.told.s, "yielded ");
	close(fd);
	watch_until(&f->w, "yielded watching facts ", SOON_MS);
	assert_int_equal(f->w.shares, 1);
}

static void
what_others_did_is_in_the_facts_that_follow(void **state)
{
	struct fixture *f = *state;
	int fd;

	begin(f, SHARE_YIELD, SHARE_YIELD);
	assert_int_equal(f->w.n_vcpus, 2);
	fd = visit(f, 1000);
	assert_int_equal(
		dprintf(fd, "{\"execute\": \"qmp_capabilities\"} {\"execute\": "
			    "\"device_add\", \"arguments\": {\"driver\": "
			    "\"qemu64-x86_64-cpu\", \"id\": \"cpu3\", \"socket-id\": "
			    "0, \"core-id\": 3, \"thread-id\": 0}, \"id\": 7}") > 0,
		1);
	watch_until_heard(&f->w, fd, "\"id\": 7", SOON_MS);
	close(fd);
	watch_until(&f->w, "watching facts ", SOON_MS);
	assert_int_equal(f->w.n_vcpus, 3);
}

/* A client that stays keeps us away, and finds the queue free for others. */
static void
who_stays_is_not_disturbed(void **state)
{
	struct fixture *f = *state;
	int fd;
	int second;

	begin(f, SHARE_YIELD, SHARE_YIELD);
	fd = visit(f, 1000);
	watch_for(&f->w, 2500);
	assert_string_equal(f->w.told.s, "yielded ");
	second = qemu_connect(f->w.path);
	assert_true(second >= 0);
	close(fd);
	watch_until_heard(&f->w, second, "\"QMP\"", 100);
	close(second);
	watch_until(&f->w, "watching facts ", SOON_MS);
}

/* Others, one right behind the other, for ever. */
static void
one_after_the_other_cannot_keep_us_out(void **state)
{
	struct fixture *f = *state;
	pid_t rival;

	begin(f, SHARE_YIELD, SHARE_YIELD);
	rival = fork();
	while (rival == 0) {
		int fd = qemu_connect(f->w.path);

		if (fd >= 0 && qemu_expect(fd, "\"QMP\"", 15000) < 0)
			_exit(1); /* not greeted */
		close(fd);
		if (waitpid(getppid(), NULL, WNOHANG) < 0 && getppid() == 1)
			_exit(0);
	}
	watch_until(&f->w, "yielded ", SOON_MS);
	for (int i = 0; i < 3; i++) {
		watch_forget(&f->w);
		monitor_observe(f->w.monitor); /* else every few seconds */
		watch_until(&f->w, "facts yielded ", 3000);
	}
	watch_forget(&f->w);
	watch_until(&f->w, "facts yielded ", 20000);
	f->w.observe_at = "facts"; /* which cannot be asked for at once */
	watch_forget(&f->w);
	watch_until(&f->w, "facts yielded ", 20000);
	for (int i = 0; i < 3; i++) {
		watch_forget(&f->w);
		watch_until(&f->w, "facts yielded ", 3000);
	}
	assert_int_equal(waitpid(rival, NULL, WNOHANG), 0); /* always greeted */
	kill(rival, SIGKILL);
	waitpid(rival, NULL, 0);
}

static void
brief_holds_nothing_and_has_facts_on_demand(void **state)
{
	struct fixture *f = *state;
	int fd;

	begin(f, SHARE_BRIEF, SHARE_BRIEF);
	fd = qemu_connect(f->w.path);
	assert_true(qemu_expect(fd, "\"QMP\"", 2000) >= 0); /* our loop stands */
	close(fd);
	monitor_observe(f->w.monitor);
	watch_until(&f->w, "facts ", SOON_MS);
	watch_for(&f->w, 50);
	assert_string_equal(f->w.told.s, "facts ");
}

/* They came before the facts that were about to be told, so these may not have it. */
static void
brief_comes_again_when_facts_are_asked_for_during_a_visit(void **state)
{
	struct fixture *f = *state;

	begin(f, SHARE_BRIEF, SHARE_BRIEF);
	f->w.observe_at = "facts";
	monitor_observe(f->w.monitor);
	watch_until(&f->w, "facts ", SOON_MS);
	f->w.observe_at = NULL;
	watch_until(&f->w, "facts facts ", SOON_MS);
	watch_for(&f->w, 50);
	assert_string_equal(f->w.told.s, "facts facts ");
}

static void
without_a_guard_nothing_is_held(void **state)
{
	struct fixture *f = *state;
	int first;
	int fd;

	begin(f, SHARE_AUTO, SHARE_YIELD);
	first = guard_pid(f->w.commons.guard);
	kill(first, SIGKILL);
	do
		watch_for(&f->w, 10); /* the next one comes at once */
	while (guard_pid(f->w.commons.guard) == first ||
		!guard_is_alive(f->w.commons.guard));
	kill(guard_pid(f->w.commons.guard), SIGKILL); /* the one after it does not */
	watch_until_share(&f->w, SHARE_BRIEF, SOON_MS);
	assert_string_equal(f->w.share_why.text, "no guard runs");
	watch_until_share(&f->w, SHARE_YIELD, SOON_MS);
	fd = visit(f, 1000);
	close(fd);
}

static void
where_qemu_may_not_be_looked_into_nothing_is_held(void **state)
{
	struct fixture *f = *state;

	close(f->w.commons.procfd);
	f->w.commons.procfd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	begin(f, SHARE_AUTO, SHARE_BRIEF);
	assert_true(err_is_set(&f->w.share_why));
}

static void
a_released_vm_is_visited_only(void **state)
{
	struct fixture *f = *state;

	begin(f, SHARE_AUTO, SHARE_YIELD);
	monitor_release(f->w.monitor);
	watch_until(&f->w, "released ", SOON_MS);
	watch_until_share(&f->w, SHARE_BRIEF, SOON_MS);
	assert_string_equal(f->w.share_why.text, "it was released");
	watch_forget(&f->w);
	monitor_observe(f->w.monitor);
	watch_until(&f->w, "facts ", SOON_MS);
}

static void
another_wish_is_followed_at_once(void **state)
{
	static const enum share wishes[] = {SHARE_BRIEF, SHARE_YIELD, SHARE_BRIEF};
	struct fixture *f = *state;

	begin(f, SHARE_YIELD, SHARE_YIELD);
	for (size_t i = 0; i < 3; i++) {
		monitor_set_share(f->w.monitor, wishes[i]);
		watch_until_share(&f->w, wishes[i], SOON_MS);
	}
}

static void
a_private_monitor_that_cannot_be_is_explained(void **state)
{
	struct fixture *f = *state;

	begin(f, SHARE_PRIVATE, SHARE_YIELD);
	assert_true(err_is_set(&f->w.share_why));
}

/* Nobody can connect to a dead VM, although we had a copy of its socket. */
static void
a_dead_vm_refuses(void **state)
{
	struct fixture *f = *state;
	int fd;

	begin(f, SHARE_YIELD, SHARE_YIELD);
	kill(f->qemu.pid, SIGKILL);
	watch_until(&f->w, "idle ", SOON_MS);
	do
		fd = qemu_connect(f->w.path); /* the guard may need a moment */
	while (fd >= 0 && close(fd) == 0);
	assert_int_equal(monitor_share(f->w.monitor), SHARE_NONE);
}

static void
an_owner_need_not_listen(void **state)
{
	struct fixture *f = *state;
	int fd;

	f->w.deaf = true;
	watch_start(&f->w);
	watch_until_peers(&f->w, 1, SOON_MS);
	fd = visit(f, SOON_MS);
	close(fd);
	watch_until_peers(&f->w, 2, SOON_MS);
	monitor_release(f->w.monitor);
	for (unsigned int ms = 0; ms < SOON_MS; ms += 10) {
		if (monitor_share(f->w.monitor) == SHARE_BRIEF)
			break;
		watch_for(&f->w, 10);
	}
	assert_int_equal(monitor_share(f->w.monitor), SHARE_BRIEF);
	assert_string_equal(strbuf_text(&f->w.told), "");
}

/* We are stopped while we hold: the guard lets the client in. */
static void
a_stopped_holder_keeps_nobody_waiting(void **state)
{
	struct fixture *f = *state;
	int took;
	int fd;

	begin(f, SHARE_YIELD, SHARE_YIELD);
	fd = qemu_connect(f->w.path);
	took = qemu_expect(fd, "\"QMP\"", SOON_MS); /* our loop stands meanwhile */
	assert_in_range(took, 15, SOON_MS);
	print_message("greeted after %d ms\n", took);
	close(fd);
	watch_until(&f->w, "facts ", SOON_MS);
	assert_int_equal(monitor_share(f->w.monitor), SHARE_YIELD);
}

static bool
is_silent(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

/* A client of the proxy; its command lasts until the fifo is read. */
static int
begin_long_command(struct fixture *f)
{
	int fd = visit(f, SOON_MS);

	assert_true(dprintf(fd,
			    "{\"execute\": \"qmp_capabilities\"} {\"execute\": "
			    "\"pmemsave\", \"arguments\": {\"val\": 0, \"size\": 16, "
			    "\"filename\": \"%s\"}, \"id\": \"long\"}",
			    f->fifo) > 0);
	for (unsigned int ms = 0; ms < SOON_MS && !monitor_is_busy(f->w.monitor);
		ms += 10)
		watch_for(&f->w, 10);
	assert_true(monitor_is_busy(f->w.monitor));
	return fd;
}

/* The proxy is to end, and another client waits meanwhile. */
static void
is_not_cut_short(struct fixture *f, void (*end_proxy)(struct monitor *m))
{
	int client;
	int waiter;
	int reader;

	begin(f, SHARE_PROXY, SHARE_PROXY);
	client = begin_long_command(f);
	end_proxy(f->w.monitor);
	for (int i = 0; i < 10; i++) /* a few turns, though we may stand still in one */
		watch_for(&f->w, 10);
	waiter = qemu_connect(f->w.path);
	assert_true(waiter >= 0);
	watch_for(&f->w, LONGER_THAN_GUARD_MS);
	assert_true(is_silent(waiter));
	reader = open(f->fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	watch_until_heard(&f->w, client, "{\"return\": {}, \"id\": \"long\"}", SOON_MS);
	watch_until_heard(&f->w, waiter, "\"QMP\"", SOON_MS);
	close(reader);
	close(waiter);
	close(client);
}

static void
want_yield(struct monitor *m)
{
	monitor_set_share(m, SHARE_YIELD);
}

static void
a_command_outlasts_another_wish(void **state)
{
	struct fixture *f = *state;

	is_not_cut_short(f, want_yield);
	watch_until_share(&f->w, SHARE_YIELD, SOON_MS);
}

static void
a_command_outlasts_a_release(void **state)
{
	struct fixture *f = *state;

	is_not_cut_short(f, monitor_release);
	watch_until(&f->w, "released ", SOON_MS);
}

/* Returns one more, who waits. */
static int
fill_proxy(struct fixture *f, int clients[CLIENTS_MAX])
{
	int waiter;

	begin(f, SHARE_PROXY, SHARE_PROXY);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		clients[i] = visit(f, SOON_MS);
	waiter = qemu_connect(f->w.path);
	assert_true(waiter >= 0);
	return waiter;
}

static void
who_finds_a_proxy_full_waits_until_one_has_left(void **state)
{
	struct fixture *f = *state;
	int clients[CLIENTS_MAX];
	int waiter = fill_proxy(f, clients);

	watch_for(&f->w, LONGER_THAN_GUARD_MS);
	assert_true(is_silent(waiter));
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		assert_true(dprintf(clients[i], "{\"execute\": \"qmp_capabilities\", "
						"\"id\": 1}") > 0);
		watch_until_heard(&f->w, clients[i], "\"id\": 1", SOON_MS);
	}
	close(clients[0]);
	watch_until_heard(&f->w, waiter, "\"QMP\"", SOON_MS);
	assert_string_equal(strbuf_text(&f->w.told), "");
	for (size_t i = 1; i < CLIENTS_MAX; i++)
		close(clients[i]);
	close(waiter);
}

/* It is full, and we are stopped: QEMU itself serves who waits. */
static void
a_stopped_proxy_that_is_full_keeps_nobody_waiting(void **state)
{
	struct fixture *f = *state;
	int clients[CLIENTS_MAX];
	int waiter = fill_proxy(f, clients);

	watch_for(&f->w, 500); /* told that we live */
	assert_true(qemu_expect(waiter, "\"QMP\"", SOON_MS) >= 0);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		close(clients[i]);
	close(waiter);
}

#define test_with_qemu(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_qemu(whoever_waits_is_served_at_once_and_we_come_back),
		test_with_qemu(what_others_did_is_in_the_facts_that_follow),
		test_with_qemu(who_stays_is_not_disturbed),
		test_with_qemu(one_after_the_other_cannot_keep_us_out),
		test_with_qemu(brief_holds_nothing_and_has_facts_on_demand),
		test_with_qemu(
			brief_comes_again_when_facts_are_asked_for_during_a_visit),
		test_with_qemu(without_a_guard_nothing_is_held),
		test_with_qemu(where_qemu_may_not_be_looked_into_nothing_is_held),
		test_with_qemu(a_released_vm_is_visited_only),
		test_with_qemu(another_wish_is_followed_at_once),
		test_with_qemu(a_private_monitor_that_cannot_be_is_explained),
		test_with_qemu(a_dead_vm_refuses),
		test_with_qemu(an_owner_need_not_listen),
		test_with_qemu(a_stopped_holder_keeps_nobody_waiting),
		test_with_qemu(a_command_outlasts_another_wish),
		test_with_qemu(a_command_outlasts_a_release),
		test_with_qemu(who_finds_a_proxy_full_waits_until_one_has_left),
		test_with_qemu(a_stopped_proxy_that_is_full_keeps_nobody_waiting),
	};

	if (system("command -v " QEMU " >/dev/null") != 0) {
		print_message("no " QEMU " here\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
