// SPDX-License-Identifier: MIT
/* The guard of a living daemon: its copies, its death, its rebirth, its costs. */
#include "config.h"

#include "qmp/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "guard_world.h"

#define KEY 103u
#define QUIET_MS 300u
/* So much is told before the guard is waited for: one that gets no CPU while its pipe
 * fills would count as dead. */
#define TOLD_AT_ONCE 64u

static const struct guard_terms none;

struct fixture {
	struct world world;
	struct event_base *base;
	struct guard *guard;
	struct strbuf told;  /* "dead alive " */
	bool calls;	     /* a guard_* call is under way */
	bool free_when_dead; /* frees the guard in its callback */
};

static void
on_change(void *owner, bool alive)
{
	struct fixture *f = owner;

	assert_false(f->calls);
	assert_int_equal(guard_is_alive(f->guard), alive);
	strbuf_adds(&f->told, alive ? "alive " : "dead ");
	if (f->free_when_dead) {
		guard_free(f->guard);
		f->guard = NULL;
	}
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	world_init(&f->world);
	f->base = event_base_new();
	f->guard = guard_new(f->base, on_change, f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	guard_free(f->guard);
	event_base_free(f->base);
	world_fini(&f->world);
	strbuf_fini(&f->told);
	free(f);
	return 0;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Run the loop until @text has been told. Returns the milliseconds it took. */
static unsigned int
run_until(struct fixture *f, const char *text)
{
	const struct timeval tv = {.tv_usec = 1000};
	struct event *tick = event_new(f->base, -1, EV_PERSIST, on_tick, NULL);
	uint64_t start_us = now_us();

	event_add(tick, &tv);
	while (strcmp(strbuf_text(&f->told), text) != 0) {
		if (now_us() - start_us > WORLD_LIMIT_MS * 1000)
			fail_msg("told: %s", strbuf_text(&f->told));
		event_base_loop(f->base, EVLOOP_ONCE);
	}
	event_free(tick);
	return (unsigned int)((now_us() - start_us) / 1000);
}

/* Run the loop for @ms: to see that nothing happens. */
static void
run_for(struct fixture *f, unsigned int ms)
{
	const struct timeval tv = {
		.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	event_base_loopexit(f->base, &tv);
	event_base_loop(f->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

static int
hold(struct fixture *f, uint64_t key, int session, const struct guard_terms *terms)
{
	int r;

	f->calls = true;
	r = guard_hold(f->guard, key, session, terms);
	f->calls = false;
	return r;
}

static int
watch(struct fixture *f, uint64_t key)
{
	return guard_watch(f->guard, key, f->world.listener, f->world.pidfd);
}

/* A session that is held and served; returns QEMU's end. */
static int
hold_served(
	struct fixture *f, uint64_t key, const struct guard_terms *terms, int *session)
{
	*session = world_socket();
	assert_int_equal(hold(f, key, *session, terms), 0);
	assert_int_equal(world_try_connect(&f->world, *session), 0);
	return world_accept(&f->world);
}

/* -- copies */

static bool
is_its_own(const char *link)
{
	static const char *const prefixes[] = {"/dev/null", "anon_inode:[eventpoll]",
		"anon_inode:[pidfd]", "pidfd:", "socket:"};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (str_has_prefix(link, prefixes[i]))
			return true;
	}
	return false;
}

static void
a_guard_has_only_what_is_its_own(void **state)
{
	struct fixture *f = *state;
	auto_free char *folder = NULL;
	int other = open("/etc/passwd", O_RDONLY); /* close-on-exec would not help */
	DIR *stream;
	const struct dirent *d;

	guard_free(f->guard);
	f->guard = guard_new(f->base, on_change, f);
	folder = xasprintf("/proc/%d/fd", guard_pid(f->guard));
	wait_for_copies(guard_pid(f->guard), 0);
	stream = opendir(folder);
	assert_non_null(stream);
	while ((d = readdir(stream)) != NULL) {
		char link[128];
		ssize_t n =
			readlinkat(dirfd(stream), d->d_name, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = '\0';
		if (n > 0 && !is_its_own(link))
			fail_msg("%s is %s", d->d_name, link);
	}
	closedir(stream);
	close(other);
}

static void
a_guard_has_a_name(void **state)
{
	struct fixture *f = *state;
	auto_free char *path = xasprintf("/proc/%d/comm", guard_pid(f->guard));
	char name[32] = "";
	FILE *stream;

	wait_for_copies(guard_pid(f->guard), 0);
	stream = fopen(path, "re");
	assert_non_null(stream);
	assert_non_null(fgets(name, sizeof(name), stream));
	(void)fclose(stream);
	assert_string_equal(name, "qmpin-guard\n");
}

static void
copies_go_with_the_sessions(void **state)
{
	static const struct guard_terms terms = {.wait_ms = 5000, .lease_ms = 60000};
	struct fixture *f = *state;

	assert_int_equal(watch(f, KEY), 0);
	for (unsigned int i = 0; i < 1000; i++) {
		int session;
		int served = hold_served(f, KEY, &terms, &session);

		(void)shutdown(i % 2 == 0 ? session : served, SHUT_RDWR);
		close(session);
		close(served);
		if (i % TOLD_AT_ONCE == 0)
			wait_for_copies(guard_pid(f->guard), 2);
	}
	wait_for_copies(guard_pid(f->guard), 2);
	guard_forget(f->guard, KEY);
	wait_for_copies(guard_pid(f->guard), 0);
	assert_string_equal(strbuf_text(&f->told), "");
}

static void
a_session_that_found_no_place_goes_too(void **state)
{
	struct fixture *f = *state;
	int session = world_socket();

	assert_int_equal(hold(f, KEY, session, &none), 0);
	wait_for_copies(guard_pid(f->guard), 1);
	(void)shutdown(session, SHUT_RDWR);
	wait_for_copies(guard_pid(f->guard), 0);
	close(session);
}

static void
forgetting_ends_nothing(void **state)
{
	struct fixture *f = *state;
	int session;
	int served = hold_served(f, KEY, &none, &session);

	assert_int_equal(watch(f, KEY), 0);
	assert_int_equal(watch(f, KEY), 0);
	wait_for_copies(guard_pid(f->guard), 3);
	guard_forget(f->guard, KEY + 1);
	guard_forget(f->guard, KEY);
	wait_for_copies(guard_pid(f->guard), 0);
	assert_false(world_is_ended(served, 0));
	close(session);
	close(served);
}

/* Closing a copy does not take it out of an epoll set while the original is open; its
 * events would be taken for those of the next one of that number. */
static void
what_was_forgotten_is_not_mixed_up_with_the_next(void **state)
{
	struct fixture *f = *state;
	int sessions[3];
	int served[3];

	served[0] = hold_served(f, KEY, &none, &sessions[0]);
	guard_forget(f->guard, KEY);
	served[1] = hold_served(f, KEY, &none, &sessions[1]);
	wait_for_copies(guard_pid(f->guard), 1);
	(void)shutdown(sessions[0], SHUT_RDWR);
	served[2] = hold_served(f, KEY, &none, &sessions[2]);
	wait_for_copies(guard_pid(f->guard), 2);
	for (unsigned int i = 0; i < 3; i++) {
		close(sessions[i]);
		close(served[i]);
	}
}

static void
renewed_terms_count(void **state)
{
	static const struct guard_terms terms = {.lease_ms = 50};
	struct fixture *f = *state;
	int session;
	int served = hold_served(f, KEY, &none, &session);

	assert_int_equal(guard_renew(f->guard, KEY, &terms), 0);
	assert_true(world_is_ended(served, WORLD_LIMIT_MS));
	wait_for_copies(guard_pid(f->guard), 0);
	close(session);
	close(served);
}

/* -- death and rebirth */

static void
expect_reaped(pid_t pid)
{
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

/* The first time without the second of back-off; a machine that is busy now may take as
 * long. Returns which was killed. */
static int
kill_until_replaced_at_once(struct fixture *f)
{
	for (unsigned int i = 0; i < 10; i++) {
		int pid = guard_pid(f->guard);

		assert_true(pid > 0);
		kill(pid, SIGKILL);
		if (run_until(f, "dead alive ") < 900)
			return pid;
		guard_free(f->guard);
		strbuf_fini(&f->told);
		f->guard = guard_new(f->base, on_change, f);
	}
	fail_msg("it takes long each time");
	return 0;
}

static void
a_killed_guard_is_replaced(void **state)
{
	struct fixture *f = *state;
	int first = kill_until_replaced_at_once(f);
	int second;

	second = guard_pid(f->guard);
	assert_int_not_equal(first, second);
	expect_reaped(first);
	kill(second, SIGKILL);
	run_until(f, "dead alive dead ");
	assert_int_equal(guard_pid(f->guard), 0);
	assert_int_equal(watch(f, KEY), -ESRCH);
	assert_int_equal(hold(f, KEY, f->world.listener, &none), -ESRCH);
	assert_int_equal(guard_renew(f->guard, KEY, &none), -ESRCH);
	guard_forget(f->guard, KEY);
	assert_in_range(run_until(f, "dead alive dead alive "), 900, WORLD_LIMIT_MS);
	expect_reaped(second);
	assert_int_equal(watch(f, KEY), 0);
	wait_for_copies(guard_pid(f->guard), 2);
}

static void
a_guard_that_is_found_dead_is_told_by_the_loop(void **state)
{
	struct fixture *f = *state;
	siginfo_t info;
	pid_t pid = guard_pid(f->guard);

	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(hold(f, KEY, f->world.listener, &none), -ESRCH);
	assert_false(guard_is_alive(f->guard));
	assert_string_equal(strbuf_text(&f->told), "");
	run_until(f, "dead alive ");
}

static void
a_guard_that_somebody_else_reaped_is_replaced(void **state)
{
	struct fixture *f = *state;

	kill(guard_pid(f->guard), SIGKILL);
	assert_int_equal(waitpid(guard_pid(f->guard), NULL, 0), guard_pid(f->guard));
	run_until(f, "dead alive ");
}

static void
a_stopped_guard_is_replaced(void **state)
{
	struct fixture *f = *state;
	pid_t pid = guard_pid(f->guard);
	int session = world_socket();

	kill(pid, SIGSTOP);
	assert_int_equal(hold(f, KEY, session, &none), 0);
	assert_in_range(run_until(f, "dead alive "), 4900, WORLD_LIMIT_MS);
	expect_reaped(pid);
	close(session);
}

static void
a_guard_that_answers_is_left_alone(void **state)
{
	struct fixture *f = *state;
	pid_t pid = guard_pid(f->guard);

	kill(pid, SIGSTOP);
	assert_int_equal(watch(f, KEY), 0);
	run_for(f, 2600);
	kill(pid, SIGCONT);
	run_for(f, 3000);
	assert_int_equal(guard_pid(f->guard), pid);
	assert_string_equal(strbuf_text(&f->told), "");
}

static void
a_full_pipe_is_a_dead_guard(void **state)
{
	struct fixture *f = *state;
	uint64_t start_us = now_us();
	unsigned int n;

	kill(guard_pid(f->guard), SIGSTOP);
	for (n = 0; guard_renew(f->guard, KEY, &none) == 0; n++)
		start_us = now_us();
	print_message("full after %u messages, waited %.1f ms\n", n,
		(double)(now_us() - start_us) / 1000);
	assert_in_range(n, 100, 100000);
	assert_true(now_us() - start_us < 10000000);
	assert_string_equal(strbuf_text(&f->told), "");
	run_until(f, "dead alive ");
}

static void
a_guard_without_room_for_a_copy_gives_everything_up(void **state)
{
	const struct rlimit few = {3, 3};
	struct fixture *f = *state;
	int sessions[2];
	int served = hold_served(f, KEY, &none, &sessions[0]);
	int later;

	wait_for_copies(guard_pid(f->guard), 1);
	assert_int_equal(prlimit(guard_pid(f->guard), RLIMIT_NOFILE, &few, NULL), 0);
	assert_int_equal(watch(f, KEY), 0);
	run_until(f, "dead alive ");
	assert_true(world_is_ended(served, WORLD_LIMIT_MS));
	close(served);
	later = hold_served(f, KEY, &none, &sessions[1]);
	wait_for_copies(guard_pid(f->guard), 1);
	close(later);
	close(sessions[0]);
	close(sessions[1]);
}

static void
a_guard_may_be_freed_when_it_is_told_dead(void **state)
{
	struct fixture *f = *state;
	siginfo_t end;

	f->free_when_dead = true;
	kill(guard_pid(f->guard), SIGKILL);
	assert_int_equal(waitid(P_ALL, 0, &end, WEXITED | WNOWAIT), 0);
	run_until(f, "dead ");
	run_for(f, 10);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), 0); /* the machine is left */
}

static void
freeing_ends_the_guard_and_its_sessions(void **state)
{
	struct fixture *f = *state;
	pid_t pid = guard_pid(f->guard);
	int session;
	int served = hold_served(f, KEY, &none, &session);

	guard_free(f->guard);
	f->guard = NULL;
	expect_reaped(pid);
	assert_true(world_is_ended(served, 0));
	close(session);
	close(served);
}

static void
freeing_a_stopped_guard_takes_a_moment(void **state)
{
	struct fixture *f = *state;
	pid_t pid = guard_pid(f->guard);
	uint64_t start_us = now_us();

	kill(pid, SIGSTOP);
	guard_free(f->guard);
	f->guard = NULL;
	expect_reaped(pid);
	assert_in_range(now_us() - start_us, 0, WORLD_LIMIT_MS * 1000);
}

/* -- costs */

static void
report_costs(pid_t pid, const char *when)
{
	print_message("%s: Rss %lu KiB, Pss %lu KiB, private %lu KiB\n", when,
		field_of(pid, "smaps_rollup", "Rss:"),
		field_of(pid, "smaps_rollup", "Pss:"),
		field_of(pid, "smaps_rollup", "Private_Dirty:"));
}

/* It may still be at what it was told last, when it gets no CPU; one that looks at
 * something by the clock never comes to rest. */
static void
expect_no_wakeups(pid_t pid)
{
	const struct timespec while_idle = {.tv_sec = 2};
	unsigned long n = 1;

	for (unsigned int i = 0; i < 5 && n > 0; i++) {
		n = field_of(pid, "status", "voluntary_ctxt_switches:");
		nanosleep(&while_idle, NULL);
		n = field_of(pid, "status", "voluntary_ctxt_switches:") - n;
	}
	print_message("%lu wakeups in 2 s\n", n);
	assert_int_equal(n, 0);
}

static void
a_thousand_machines_cost_little(void **state)
{
	static const struct guard_terms terms = {.wait_ms = 20};
	struct fixture *f = *state;
	static int pairs[1000][2];
	uint64_t start_us;

	wait_for_copies(guard_pid(f->guard), 0);
	report_costs(guard_pid(f->guard), "nothing held");
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i]),
			0);
	start_us = now_us();
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		assert_int_equal(watch(f, i + 1), 0);
		assert_int_equal(hold(f, i + 1, pairs[i][0], &terms), 0);
		if (i % TOLD_AT_ONCE == 0)
			wait_for_copies(guard_pid(f->guard), 3 * ((unsigned int)i + 1));
	}
	print_message("told in %.1f ms\n", (double)(now_us() - start_us) / 1000);
	wait_for_copies(guard_pid(f->guard), 3 * ARRAY_LEN(pairs));
	print_message("taken after %.1f ms\n", (double)(now_us() - start_us) / 1000);
	report_costs(guard_pid(f->guard), "3000 copies");
	expect_no_wakeups(guard_pid(f->guard));
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
	wait_for_copies(guard_pid(f->guard), 2 * ARRAY_LEN(pairs));
	run_for(f, 1);
	assert_string_equal(strbuf_text(&f->told), "");
}

/* Guards inherit it. */
static bool
raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max >= 4096;
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_guard_has_only_what_is_its_own),
		test(a_guard_has_a_name),
		test(copies_go_with_the_sessions),
		test(a_session_that_found_no_place_goes_too),
		test(forgetting_ends_nothing),
		test(what_was_forgotten_is_not_mixed_up_with_the_next),
		test(renewed_terms_count),
		test(a_killed_guard_is_replaced),
		test(a_guard_that_is_found_dead_is_told_by_the_loop),
		test(a_guard_that_somebody_else_reaped_is_replaced),
		test(a_stopped_guard_is_replaced),
		test(a_guard_that_answers_is_left_alone),
		test(a_full_pipe_is_a_dead_guard),
		test(a_guard_without_room_for_a_copy_gives_everything_up),
		test(a_guard_may_be_freed_when_it_is_told_dead),
		test(freeing_ends_the_guard_and_its_sessions),
		test(freeing_a_stopped_guard_takes_a_moment),
		test(a_thousand_machines_cost_little),
	};

	if (!raise_fd_limit()) {
		printf("skipped: too few descriptors are allowed\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
