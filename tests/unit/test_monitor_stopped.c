// SPDX-License-Identifier: MIT
/*
 * Stopped at any moment, a monitor keeps nobody waiting and leaves no question behind.
 * A tracer stops its process before each of its system calls in turn, from the first
 * connection to the second facts: between two of them nothing changes that others see.
 * Most of a place is waiting, so several are looked at side by side.
 */
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
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "qmp_qemu.h"
#include "qmp_server.h"
#include "qmp_watch.h"

#define SOON_MS 30000u
/* What a session may be in the way at most: a second, and what a loaded machine adds.
 * One that is not ended at all stays for 10 s or for ever. */
#define SERVED_MS 7000u
/* Of a QEMU that is slow, and yet quicker than whoever gives up on it. */
#define LATE_MS 60u
#define CALLS_MAX 2000u
/* Side by side; each has a process that looks, one that is stopped and one that
 * answers. */
#define LOOKERS 8u

/* Around what is looked at. */
#define BEGINS SIGUSR1
#define IS_DONE SIGUSR2
#define SYSTEM_CALL (SIGTRAP | 0x80)

/* A process that looks has its own socket in the folder. */
struct fixture {
	char folder[64];
	char path[128];
	pid_t server;
	pid_t daemon;
};

/* What one of them has seen. */
struct seen {
	unsigned int places;
	unsigned int in_the_way;
	int most_ms;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	str_copy(f->folder, sizeof(f->folder), "/tmp/qmpin-test-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	*state = f;
	return 0;
}

static void
end_both(struct fixture *f)
{
	server_stop(f->daemon);
	server_stop(f->server);
	f->daemon = f->server = 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < LOOKERS; i++) {
		snprintf(f->path, sizeof(f->path), "%s/%u.qmp", f->folder, 100 + i);
		(void)unlink(f->path);
	}
	(void)rmdir(f->folder);
	free(f);
	return 0;
}

/* -- who answers */

/* An answer that nobody takes ends it: the real one would give it to the next client,
 * who here is not served. */
static void
answer_all(int listener, unsigned int ms)
{
	for (;;) {
		int fd = server_accept(listener);

		if (server_serve_late(fd, 1, ms) < 0)
			_exit(1);
		close(fd);
	}
}

static void
answer_at_once(int listener)
{
	answer_all(listener, 0);
}

static void
answer_late(int listener)
{
	answer_all(listener, LATE_MS);
}

/* -- who is stopped */

static void
hold(struct watch *w)
{
	(void)raise(BEGINS);
	watch_start(w);
	watch_until(w, "facts ", SOON_MS);
	watch_until_share(w, SHARE_YIELD, SOON_MS);
	watch_forget(w);
	monitor_observe(w->monitor);
	watch_until(w, "facts ", SOON_MS);
	(void)raise(IS_DONE);
	_exit(0);
}

static void
play(const struct fixture *f)
{
	struct watch w;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	watch_init(&w);
	(void)rmdir(w.folder);
	str_copy(w.path, sizeof(w.path), f->path);
	w.options.share = SHARE_YIELD;
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	hold(&w);
}

/* Let it go on; returns the signal at which it stops. */
static int
go_on(const struct fixture *f, int with)
{
	int status;

	assert_int_equal(
		ptrace(PTRACE_SYSCALL, f->daemon, NULL, (void *)(intptr_t)with), 0);
	assert_int_equal(waitpid(f->daemon, &status, 0), f->daemon);
	if (!WIFSTOPPED(status))
		fail_msg("it has ended: %#x", (unsigned int)status);
	return WSTOPSIG(status);
}

/* Start it, and stop it before its system call @n. False: it has made fewer. */
static bool
stop_before(struct fixture *f, unsigned int n)
{
	unsigned int stops = 0;
	int number;

	f->daemon = fork();
	assert_true(f->daemon >= 0);
	if (f->daemon == 0)
		play(f);
	assert_int_equal(waitpid(f->daemon, &number, 0), f->daemon);
	assert_true(WIFSTOPPED(number) && WSTOPSIG(number) == BEGINS);
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, f->daemon, NULL,
				 (void *)(intptr_t)PTRACE_O_TRACESYSGOOD),
		0);
	number = 0;
	/* a stop before each, and one after it */
	while (number != IS_DONE && stops < 2 * n + 1) {
		number = go_on(f, number == SYSTEM_CALL ? 0 : number);
		stops += number == SYSTEM_CALL;
	}
	return number != IS_DONE;
}

static long
system_call(const struct fixture *f)
{
	struct __ptrace_syscall_info info = {.op = 0};

	(void)ptrace(PTRACE_GET_SYSCALL_INFO, f->daemon, sizeof(info), &info);
	return (long)info.entry.nr;
}

/* Returns how long a client waits, or -1 when that is too long. */
static int
wait_served(const struct fixture *f, unsigned int n)
{
	int fd = qemu_connect(f->path);
	int took_ms;

	assert_true(fd >= 0);
	took_ms = qemu_expect(fd, "\"QMP\"", SERVED_MS);
	if (took_ms < 0)
		print_message("in the way before system call %u, which is %ld\n", n,
			system_call(f));
	close(fd);
	return took_ms;
}

/* Every LOOKERS-th place from @first on. */
static void
look(struct fixture *f, server_part *part, unsigned int first, struct seen *seen)
{
	for (unsigned int n = first; n < CALLS_MAX; n += LOOKERS) {
		int took_ms;

		f->server = server_start(f->path, part);
		if (!stop_before(f, n))
			break;
		took_ms = wait_served(f, n);
		seen->places++;
		seen->in_the_way += took_ms < 0;
		seen->most_ms = took_ms > seen->most_ms ? took_ms : seen->most_ms;
		end_both(f);
	}
	end_both(f);
}

/* A process that looks; what it has seen comes through the pipe. An assertion that
 * fails there must not go on with the tests of this process. */
static pid_t
start_looker(struct fixture *f, server_part *part, unsigned int first, int out)
{
	struct seen seen = {0};
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	snprintf(f->path, sizeof(f->path), "%s/%u.qmp", f->folder, 100 + first);
	look(f, part, first, &seen);
	_exit(write(out, &seen, sizeof(seen)) == sizeof(seen) ? 0 : 1);
}

static void
stop_everywhere(struct fixture *f, server_part *part)
{
	struct seen all = {0};
	struct seen seen;
	pid_t lookers[LOOKERS];
	unsigned int failed = 0;
	int results[2];
	int status;

	assert_int_equal(pipe2(results, O_CLOEXEC), 0);
	for (unsigned int i = 0; i < LOOKERS; i++)
		lookers[i] = start_looker(f, part, i, results[1]);
	close(results[1]);
	while (read(results[0], &seen, sizeof(seen)) == sizeof(seen)) {
		all.places += seen.places;
		all.in_the_way += seen.in_the_way;
		all.most_ms = seen.most_ms > all.most_ms ? seen.most_ms : all.most_ms;
	}
	close(results[0]);
	for (unsigned int i = 0; i < LOOKERS; i++) {
		assert_int_equal(waitpid(lookers[i], &status, 0), lookers[i]);
		failed += status != 0;
	}
	print_message(
		"%u places, a client waited %d ms at most\n", all.places, all.most_ms);
	assert_int_equal(failed, 0);
	assert_in_range(all.places, 30, CALLS_MAX - LOOKERS);
	assert_int_equal(all.in_the_way, 0);
}

static void
wherever_it_is_stopped_the_next_client_is_served(void **state)
{
	stop_everywhere(*state, answer_at_once);
}

static void
wherever_it_is_stopped_what_it_asked_is_answered_first(void **state)
{
	stop_everywhere(*state, answer_late);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(wherever_it_is_stopped_the_next_client_is_served),
		test(wherever_it_is_stopped_what_it_asked_is_answered_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
