// SPDX-License-Identifier: MIT
/* The monitor against processes that play QEMU, most of them badly. */
#include "config.h"

#include "qmp/monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qmp/dial.h"
#include "qmp/guard.h"
#include "qmp_server.h"
#include "qmp_watch.h"

/* Generous: the machine may be busy. What must be quick is asserted apart. */
#define SOON_MS 60000u

struct fixture {
	struct watch w;
	pid_t server;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	watch_init(&f->w);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	watch_fini(&f->w);
	server_stop(f->server);
	free(f);
	return 0;
}

static void
start(struct fixture *f, server_part *part)
{
	f->server = server_start(f->w.path, part);
	watch_start(&f->w);
}

/* Parts */

static void
healthy(int listener)
{
	for (;;) {
		int fd = server_accept(listener);

		server_serve(fd);
		close(fd);
	}
}

static void
silent(int listener)
{
	for (;;)
		(void)server_accept(listener);
}

static void
speaks_http(int listener)
{
	for (;;) {
		int fd = server_accept(listener);

		(void)server_say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
	}
}

static void
breaks_off_at_once(int listener)
{
	for (;;)
		close(server_accept(listener));
}

/* Say @text over and over, 100 MB of it or until the client has had enough. */
static void
flood(int fd, const char *text)
{
	for (size_t said = 0; said < 100u * 1000 * 1000; said += strlen(text)) {
		if (server_say(fd, text) < 0)
			return;
	}
	pause();
}

static const char *
filled(char c)
{
	static char text[65536];

	memset(text, c, sizeof(text) - 1);
	return text;
}

static void
floods_a_string(int listener)
{
	int fd = server_accept(listener);

	(void)server_say(fd, "{\"QMP\": \"");
	flood(fd, filled('x'));
	pause();
}

static void
floods_values(int listener)
{
	int fd = server_accept(listener);

	(void)server_say(fd, "{\"QMP\": [");
	for (;;)
		flood(fd, "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},");
}

static void
floods_blanks(int listener)
{
	int fd = server_accept(listener);

	(void)server_say(fd, SERVER_GREETING);
	flood(fd, filled('\n'));
	pause();
}

static void
floods_events(int listener)
{
	static char text[65536];
	int fd = server_accept(listener);

	while (strlen(text) < sizeof(text) - 100)
		strcat(text,
			"{\"event\": \"RTC_CHANGE\", \"data\": {\"offset\": 1}}\r\n");
	(void)server_say(fd, SERVER_GREETING);
	server_agree(fd);
	for (size_t said = 0; said < 24u * 1000 * 1000; said += strlen(text))
		(void)server_say(fd, text);
	(void)server_say(fd, "{\"event\": \"STOP\"}\r\n");
	pause();
}

/* Dies while it answers the first client; a healthy VM for the next. */
static void
dies_in_mid_reply(int listener)
{
	int fd = server_accept(listener);
	char command[32];
	char id[32];

	(void)server_say(fd, SERVER_GREETING);
	server_agree(fd);
	(void)server_hear(fd, command, id);
	(void)server_say(fd, "{\"return\": {\"status\": \"running\", \"runn");
	close(fd);
	healthy(listener);
}

static void
answers_no_query(int listener)
{
	for (;;) {
		int fd = server_accept(listener);

		(void)server_say(fd, SERVER_GREETING);
		server_agree(fd);
	}
}

static void
refuse_queries(int listener, unsigned int late_ms)
{
	int fd = server_accept(listener);
	char command[32];
	char text[256];
	char id[32];

	(void)server_say(fd, SERVER_GREETING);
	server_agree(fd);
	(void)poll(NULL, 0, (int)late_ms);
	while (server_hear(fd, command, id) == 0) {
		snprintf(text, sizeof(text),
			"{\"id\": \"%s\", \"error\": {\"class\": \"GenericError\", "
			"\"desc\": \"not\\u001b now\"}}\r\n",
			id);
		(void)server_say(fd, text);
	}
}

static void
refuses_queries(int listener)
{
	refuse_queries(listener, 0);
}

static void
breaks_off_then_refuses_queries(int listener)
{
	close(server_accept(listener));
	for (;;)
		refuse_queries(listener, 0);
}

static void
refuses_queries_late(int listener)
{
	refuse_queries(listener, 300);
}

static void
answers_the_second_observation_late(int listener)
{
	for (;;) {
		int fd = server_accept(listener);

		(void)server_serve_late(fd, 2, 300);
		close(fd);
	}
}

static void
tells_events(int listener)
{
	int fd = server_accept(listener);

	(void)server_say(fd, SERVER_GREETING "{\"event\": \"STOP\"}\r\n");
	server_agree(fd);
	(void)server_say(fd, "{\"event\": \"RESUME\"}\r\n{\"event\": \"X\"}\r\n");
	pause();
}

/* Listens, and serves only after SIGUSR1. */
static void
on_signal(int signo)
{
	(void)signo;
}

static void
serves_when_signalled(int listener)
{
	const struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &action, NULL);
	pause();
	healthy(listener);
}

/* Tests */

static void
a_session_gives_facts(void **state)
{
	struct fixture *f = *state;

	start(f, healthy);
	monitor_observe(f->w.monitor);
	watch_until(&f->w, "facts ", SOON_MS);
	assert_string_equal(f->w.told.s, "connecting watching facts ");
	assert_int_equal(f->w.peer.pid, f->server);
	assert_int_equal(f->w.n_vcpus, 1);
	assert_int_equal(f->w.vcpus_max, 4);
	assert_int_equal(monitor_phase(f->w.monitor), MONITOR_WATCHING);
}

static void
requests_made_early_are_one_request(void **state)
{
	struct fixture *f = *state;

	start(f, healthy);
	for (unsigned int i = 0; i < 10; i++)
		monitor_observe(f->w.monitor);
	watch_until(&f->w, "facts ", SOON_MS);
	watch_for(&f->w, 50);
	assert_string_equal(f->w.told.s, "connecting watching facts ");
	assert_string_equal(f->w.name, "asked 1");
	for (unsigned int i = 0; i < 10; i++)
		monitor_observe(f->w.monitor);
	watch_until(&f->w, "facts facts ", SOON_MS);
	assert_string_equal(f->w.name, "asked 2");
}

static void
an_owner_may_ask_again_when_it_has_the_facts(void **state)
{
	struct fixture *f = *state;

	start(f, healthy);
	monitor_observe(f->w.monitor);
	f->w.observe_at = "facts";
	watch_until(&f->w, "facts facts facts facts ", SOON_MS);
}

static void
events_are_passed_on_in_order(void **state)
{
	struct fixture *f = *state;

	start(f, tells_events);
	watch_until(&f->w, "event:X", SOON_MS);
	assert_string_equal(
		f->w.told.s, "connecting event:STOP watching event:RESUME event:X ");
}

static void
a_socket_that_comes_late_is_found(void **state)
{
	struct fixture *f = *state;

	watch_start(&f->w);
	watch_until(&f->w, "idle ", SOON_MS);
	assert_string_equal(f->w.why.source, f->w.path);
	assert_string_equal(f->w.why.text, "cannot connect: No such file or directory");
	watch_for(&f->w, 100);
	assert_string_equal(f->w.told.s, "idle ");
	f->server = server_start(f->w.path, healthy);
	watch_until(&f->w, "watching ", SOON_MS);
	assert_int_equal(f->w.peers, 1);
}

static void
a_stale_socket_is_told_once(void **state)
{
	struct fixture *f = *state;

	server_stop(server_start(f->w.path, silent));
	watch_start(&f->w);
	watch_until(&f->w, "idle ", SOON_MS);
	assert_string_equal(f->w.why.text, "nobody listens on this socket");
	watch_for(&f->w, 200);
	assert_string_equal(f->w.told.s, "idle ");
	f->server = server_start(f->w.path, healthy);
	watch_until(&f->w, "watching ", SOON_MS);
}

static void
the_first_attempt_waits(void **state)
{
	struct fixture *f = *state;

	f->w.options.first_delay_ms = 150;
	start(f, healthy);
	assert_true(watch_until(&f->w, "watching ", SOON_MS) >=
		    140); /* libevent: coarse time */
}

static void
a_refused_peer_is_not_listened_to(void **state)
{
	struct fixture *f = *state;

	f->w.refuse_peer = true;
	start(f, healthy);
	watch_until(&f->w, "refused ", SOON_MS);
	watch_until_peers(&f->w, 3, SOON_MS);
	assert_string_equal(f->w.told.s, "refused ");
	f->w.refuse_peer = false;
	watch_until(&f->w, "watching ", SOON_MS);
}

/* Fill the queue until connect() says so. */
static unsigned int
fill_queue(const char *path, int *fds, unsigned int max)
{
	struct ucred peer;
	unsigned int n = 0;

	for (; n < max; n++) {
		fds[n] = dial_socket();
		assert_true(fds[n] >= 0);
		if (dial_connect(fds[n], path, &peer, NULL) == 0)
			continue;
		close(fds[n]);
		return n;
	}
	return n;
}

static void
a_full_queue_means_somebody_else_is_served(void **state)
{
	struct fixture *f = *state;
	unsigned int n;
	int fds[64];

	f->server = server_start(f->w.path, serves_when_signalled);
	n = fill_queue(f->w.path, fds, 64);
	assert_in_range(n, 1, 63);
	watch_start(&f->w);
	watch_until(&f->w, "connecting ", SOON_MS);
	assert_string_equal(f->w.why.text, "other clients are being served");
	watch_for(&f->w, 400);
	assert_string_equal(f->w.told.s, "connecting ");
	assert_int_equal(f->w.peers, 0);
	for (unsigned int i = 0; i < n; i++)
		close(fds[i]);
	kill(f->server, SIGUSR1);
	watch_until(&f->w, "watching ", SOON_MS);
}

static void
silence_is_told_at_the_deadline_and_once(void **state)
{
	struct fixture *f = *state;

	f->w.options.session_ms = 100;
	start(f, silent);
	assert_true(watch_until(&f->w, "stalled ", SOON_MS) >= 99);
	watch_for(&f->w, 300); /* it stays in line: leaving would help nobody */
	assert_string_equal(f->w.told.s, "connecting stalled ");
	assert_int_equal(f->w.peers, 1);
}

static void
an_unanswered_query_is_told_at_the_deadline(void **state)
{
	struct fixture *f = *state;

	f->w.options.session_ms = 100;
	start(f, answers_no_query);
	assert_true(watch_until(&f->w, "stalled ", SOON_MS) >= 99);
	assert_string_equal(f->w.told.s, "connecting watching stalled ");
	assert_non_null(strstr(f->w.why.text, "query-status awaited"));
}

/* Also an observation that was asked for while one was under way. */
static void
what_was_asked_is_answered_before_who_waits_is_let_in(void **state)
{
	struct fixture *f = *state;
	struct ucred peer;
	int fd;

	f->w.observe_at = "watching";
	start(f, answers_the_second_observation_late);
	watch_until(&f->w, "facts ", SOON_MS);
	f->w.observe_at = NULL;
	fd = dial_socket();
	assert_int_equal(dial_connect(fd, f->w.path, &peer, NULL), 0);
	watch_until(&f->w, "yielded ", SOON_MS);
	assert_string_equal(f->w.told.s, "connecting watching facts facts yielded ");
	close(fd);
}

/* And whoever waits then is let in as ever. */
static void
a_late_refusal_ends_the_stall(void **state)
{
	struct fixture *f = *state;
	struct ucred peer;
	int fd;

	f->w.options.session_ms = 100;
	start(f, refuses_queries_late);
	watch_until(&f->w, "stalled watching no-facts ", SOON_MS);
	watch_until_share(&f->w, SHARE_YIELD, SOON_MS);
	fd = dial_socket();
	assert_int_equal(dial_connect(fd, f->w.path, &peer, NULL), 0);
	watch_until(&f->w, "no-facts yielded ", SOON_MS);
	close(fd);
}

static void
other_protocols_are_refused(void **state)
{
	struct fixture *f = *state;

	start(f, speaks_http);
	watch_until(&f->w, "refused ", SOON_MS);
	assert_string_equal(f->w.why.text, "byte 0x48 where a message should begin");
	watch_for(&f->w, 100);
	assert_string_equal(f->w.told.s, "connecting refused ");
}

static void
a_server_that_breaks_off_is_left_alone_more_and_more(void **state)
{
	struct fixture *f = *state;

	f->w.options.backoff_max_ms = 1000;
	start(f, breaks_off_at_once);
	/* after 10, 20, 40 and 80 ms */
	assert_true(watch_until_peers(&f->w, 5, SOON_MS) >=
		    140); /* libevent: coarse time */
}

/* Which would end a session where there is no time to read for 200 ms. */
static void
go_without_guard(struct fixture *f)
{
	guard_free(f->w.commons.guard);
	f->w.commons.guard = NULL;
}

static void
expect_bounded_refusal(struct fixture *f, server_part *part)
{
	unsigned long before = memory_kib("VmRSS");

	go_without_guard(f);
	start(f, part);
	watch_until(&f->w, "refused ", SOON_MS);
	print_message("memory grew by %lu KiB: %s\n", memory_kib("VmHWM") - before,
		f->w.why.text);
#ifndef QMPIN_SANITIZED
	assert_true(memory_kib("VmHWM") - before < 16 * 1024);
#endif
}

static void
a_flood_inside_a_string_is_cut_off(void **state)
{
	expect_bounded_refusal(*state, floods_a_string);
}

static void
a_flood_of_values_is_cut_off(void **state)
{
	expect_bounded_refusal(*state, floods_values);
}

static void
a_flood_of_blanks_is_cut_off(void **state)
{
	expect_bounded_refusal(*state, floods_blanks);
}

static void
a_flood_of_events_is_drained(void **state)
{
	unsigned long before = memory_kib("VmRSS");
	struct fixture *f = *state;
	unsigned int ms;

	f->w.quiet_events = true;
	go_without_guard(f);
	/* nothing is answered meanwhile, however long that is */
	f->w.options.session_ms = f->w.options.query_ms = 300000;
	start(f, floods_events);
	ms = watch_until(&f->w, "event:STOP", 200000);
	print_message("%lu events in %u ms, memory grew by %lu KiB\n", f->w.events, ms,
		memory_kib("VmHWM") - before);
	assert_true(f->w.events > 250000);
#ifndef QMPIN_SANITIZED
	assert_true(memory_kib("VmHWM") - before < 8 * 1024);
#endif
}

static void
death_in_mid_reply_is_told_and_the_request_survives(void **state)
{
	struct fixture *f = *state;

	start(f, dies_in_mid_reply);
	monitor_observe(f->w.monitor);
	watch_until(&f->w, "idle ", SOON_MS);
	assert_string_equal(f->w.told.s, "connecting watching idle ");
	assert_non_null(strstr(f->w.why.text, "query-status awaited"));
	watch_until(&f->w, "connecting watching facts ", SOON_MS);
	assert_string_equal(f->w.name, "asked 1");
}

static void
a_killed_peer_is_noticed_at_once(void **state)
{
	struct fixture *f = *state;

	start(f, healthy);
	watch_until(&f->w, "watching facts ", SOON_MS);
	kill(f->server, SIGKILL);
	assert_true(watch_until(&f->w, "idle ", SOON_MS) < 10000);
	if (strstr(f->w.why.text, "closed by the peer") == NULL &&
		strstr(f->w.why.text, "its process has ended") == NULL)
		fail_msg("%s", f->w.why.text);
	watch_until(&f->w, "idle idle ", SOON_MS);
	assert_string_equal(f->w.why.text, "nobody listens on this socket");
}

static void
refused_queries_leave_the_session_up(void **state)
{
	struct fixture *f = *state;

	start(f, refuses_queries);
	monitor_observe(f->w.monitor);
	watch_until(&f->w, "no-facts ", SOON_MS);
	assert_string_equal(f->w.why.text, "query-status was refused: not\\x1b now");
	assert_string_equal(f->w.why.source, f->w.path);
	monitor_observe(f->w.monitor);
	watch_until(&f->w, "no-facts no-facts ", SOON_MS);
	assert_string_equal(f->w.told.s, "connecting watching no-facts no-facts ");
}

/* Nothing else would bring the next visit. */
static void
facts_can_be_asked_for_after_failures_of_any_kind(void **state)
{
	struct fixture *f = *state;

	f->w.options.share = SHARE_BRIEF;
	start(f, breaks_off_then_refuses_queries);
	for (int i = 0; i < 3; i++) {
		watch_until(&f->w, "no-facts ", SOON_MS);
		watch_forget(&f->w);
		monitor_observe(f->w.monitor);
	}
}

static void
a_path_longer_than_a_sockets_name_works(void **state)
{
	struct fixture *f = *state;
	char part[101];

	memset(part, 'd', 100);
	part[100] = '\0';
	snprintf(f->w.path, sizeof(f->w.path), "%s/%s", f->w.folder, part);
	assert_int_equal(mkdir(f->w.path, 0700), 0);
	snprintf(f->w.path, sizeof(f->w.path), "%s/%s/103.qmp", f->w.folder, part);
	assert_true(strlen(f->w.path) > sizeof(((struct sockaddr_un *)0)->sun_path));
	start(f, healthy);
	watch_until(&f->w, "watching ", SOON_MS);
	assert_int_equal(f->w.peer.pid, f->server);
	(void)unlink(f->w.path);
	f->w.path[strlen(f->w.path) - strlen("/103.qmp")] = '\0';
	(void)rmdir(f->w.path);
}

static void
a_name_longer_than_a_sockets_name_is_an_error(void **state)
{
	struct ucred peer = {.pid = 7};
	struct err e = ERR_NONE;
	char path[300];
	int fd = dial_socket();

	(void)state;
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(dial_connect(fd, path, &peer, &e), -ENAMETOOLONG);
	memcpy(path, "/tmp/", 5);
	assert_int_equal(dial_connect(fd, path, &peer, NULL), -ENAMETOOLONG);
	memcpy(path, "/tmp/none/", 10);
	assert_int_equal(dial_connect(fd, path, &peer, NULL), -ENOENT);
	close(fd);
	assert_int_equal(peer.pid, 7);
	assert_true(err_is_set(&e));
}

static void
one_hanging_vm_delays_no_other(void **state)
{
	struct fixture *f = *state;
	struct watch other;
	pid_t server;

	watch_init(&other);
	guard_free(other.commons.guard);
	event_base_free(other.base);
	other.base = f->w.base;
	other.commons.guard = f->w.commons.guard;
	start(f, silent);
	watch_until(&f->w, "connecting ", SOON_MS);
	server = server_start(other.path, healthy);
	watch_start(&other);
	monitor_observe(other.monitor);
	assert_true(watch_until(&other, "facts ", SOON_MS) < 10000);
	assert_int_equal(monitor_phase(f->w.monitor), MONITOR_CONNECTING);
	monitor_free(other.monitor);
	other.monitor = NULL;
	other.base = event_base_new();
	other.commons.guard = NULL;
	watch_fini(&other);
	server_stop(server);
}

static void
a_monitor_may_be_freed_in_any_callback(void **state)
{
	static const struct {
		const char *word;
		server_part *part;
	} cases[] = {
		{"peer", healthy},
		{"connecting", healthy},
		{"watching", healthy},
		{"facts", healthy},
		{"event:STOP", tells_events},
		{"event:RESUME", tells_events},
		{"no-facts", refuses_queries},
		{"stalled", silent},
		{"refused", speaks_http},
		{"idle", breaks_off_at_once},
	};
	struct fixture *f = *state;
	unsigned int fds = open_fds();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f->w.options.session_ms = cases[i].part == silent ? 100 : 20000;
		start(f, cases[i].part);
		monitor_observe(f->w.monitor);
		f->w.free_at = cases[i].word;
		watch_until(&f->w, cases[i].word, SOON_MS);
		assert_null(f->w.monitor);
		watch_for(&f->w, 20);
		/* nothing was told after it */
		if (!str_has_prefix(
			    f->w.told.s + f->w.told.len - strlen(cases[i].word) - 1,
			    cases[i].word))
			fail_msg("after %s: %s", cases[i].word, f->w.told.s);
		watch_forget(&f->w);
		server_stop(f->server);
		f->server = 0;
		assert_int_equal(open_fds(), fds);
	}
}

static void
a_monitor_may_be_freed_in_any_phase(void **state)
{
	static const unsigned int after_ms[] = {0, 1, 5, 30};
	static server_part *const parts[] = {
		healthy, silent, speaks_http, breaks_off_at_once};
	struct fixture *f = *state;
	unsigned int fds = open_fds();

	monitor_free(NULL);
	for (size_t i = 0; i < 16; i++) {
		start(f, parts[i / 4]);
		monitor_observe(f->w.monitor);
		watch_for(&f->w, after_ms[i % 4]);
		monitor_free(f->w.monitor);
		f->w.monitor = NULL;
		watch_for(&f->w, 1);
		watch_forget(&f->w);
		server_stop(f->server);
		f->server = 0;
		assert_int_equal(open_fds(), fds);
	}
}

#define test_with_watch(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_watch(a_session_gives_facts),
		test_with_watch(requests_made_early_are_one_request),
		test_with_watch(an_owner_may_ask_again_when_it_has_the_facts),
		test_with_watch(events_are_passed_on_in_order),
		test_with_watch(a_socket_that_comes_late_is_found),
		test_with_watch(a_stale_socket_is_told_once),
		test_with_watch(the_first_attempt_waits),
		test_with_watch(a_refused_peer_is_not_listened_to),
		test_with_watch(a_full_queue_means_somebody_else_is_served),
		test_with_watch(silence_is_told_at_the_deadline_and_once),
		test_with_watch(an_unanswered_query_is_told_at_the_deadline),
		test_with_watch(what_was_asked_is_answered_before_who_waits_is_let_in),
		test_with_watch(a_late_refusal_ends_the_stall),
		test_with_watch(other_protocols_are_refused),
		test_with_watch(a_server_that_breaks_off_is_left_alone_more_and_more),
		test_with_watch(a_flood_inside_a_string_is_cut_off),
		test_with_watch(a_flood_of_values_is_cut_off),
		test_with_watch(a_flood_of_blanks_is_cut_off),
		test_with_watch(a_flood_of_events_is_drained),
		test_with_watch(death_in_mid_reply_is_told_and_the_request_survives),
		test_with_watch(a_killed_peer_is_noticed_at_once),
		test_with_watch(refused_queries_leave_the_session_up),
		test_with_watch(facts_can_be_asked_for_after_failures_of_any_kind),
		test_with_watch(a_path_longer_than_a_sockets_name_works),
		test_with_watch(a_name_longer_than_a_sockets_name_is_an_error),
		test_with_watch(one_hanging_vm_delays_no_other),
		test_with_watch(a_monitor_may_be_freed_in_any_callback),
		test_with_watch(a_monitor_may_be_freed_in_any_phase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
