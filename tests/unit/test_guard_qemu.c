// SPDX-License-Identifier: MIT
/* The guard and a real QEMU: how long its clients wait while the daemon is stopped. */
#include "config.h"

#include "qmp/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
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
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "guard_world.h"
#include "qmp_qemu.h"

#define QEMU "qemu-system-x86_64"
#define KEY 103u
#define RUNS 20
#define WAIT_MS 20u

struct fixture {
	struct world world; /* its listener is QEMU's */
	pid_t qemu;
	int pidfd;
	int session; /* the daemon's; here too, to see when it ends */
};

/* The listener is given to QEMU, so that there is a duplicate without asking for one.
 */
static void
run_qemu(int listener)
{
	auto_free char *chardev =
		xasprintf("socket,id=mon,server=on,wait=off,fd=%d", listener);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)fcntl(listener, F_SETFD, 0);
	execlp(QEMU, QEMU, "-accel", "tcg", "-display", "none", "-nodefaults",
		"-machine", "q35", "-m", "32", "-S", "-chardev", chardev, "-mon",
		"chardev=mon,mode=control", (char *)NULL);
	_exit(127);
}

/* The greeting of QEMU; false when there is none. */
static bool
is_greeted(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char bytes[1024];

	return poll(&p, 1, (int)WORLD_LIMIT_MS) == 1 &&
	       recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0 &&
	       memmem(bytes, 6, "{\"QMP\"", 6) != NULL;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int first;

	if (f == NULL)
		return -1;
	world_init(&f->world);
	f->qemu = fork();
	if (f->qemu == 0)
		run_qemu(f->world.listener);
	f->pidfd = (int)syscall(SYS_pidfd_open, f->qemu, 0);
	first = world_connect(&f->world);
	assert_true(is_greeted(first)); /* it runs */
	close(first);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	procs_kill_pid(f->qemu);
	close(f->pidfd);
	world_fini(&f->world);
	free(f);
	return 0;
}

static void
begin_to_hold(struct daemon *d, void *arg)
{
	static const struct guard_terms terms = {.wait_ms = WAIT_MS};
	const struct fixture *f = arg;

	if (guard_watch(d->guard, KEY, d->world->listener, f->pidfd) < 0 ||
		guard_hold(d->guard, KEY, f->session, &terms) < 0 ||
		world_try_connect(d->world, f->session) < 0 || !is_greeted(f->session))
		_exit(99);
}

/* A stopped daemon with a session. */
static void
hold_and_stop(struct fixture *f, struct daemon *d)
{
	f->session = world_socket();
	daemon_start(d, &f->world, begin_to_hold, f);
	daemon_stop(d);
}

static void
let_go(struct fixture *f, struct daemon *d)
{
	daemon_kill(d);
	close(f->session);
}

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* How long a client waits for its greeting, and for the end of the session in its way
 * when there is one. */
static uint64_t
time_greeting(struct fixture *f, uint64_t *ended_us)
{
	uint64_t start_us = now_us();
	uint64_t took_us;
	int fd = world_connect(&f->world);

	if (ended_us != NULL) {
		assert_true(world_is_ended(f->session, WORLD_LIMIT_MS));
		*ended_us = now_us() - start_us;
	}
	assert_true(is_greeted(fd));
	took_us = now_us() - start_us;
	close(fd);
	return took_us;
}

static void
report(const char *what, uint64_t us[RUNS])
{
	qsort(us, RUNS, sizeof(us[0]), by_size);
	print_message("%s after %.2f ms (median), %.2f ms (max)\n", what,
		(double)us[RUNS / 2] / 1000, (double)us[RUNS - 1] / 1000);
}

static void
clients_are_greeted_though_the_daemon_is_stopped(void **state)
{
	struct fixture *f = *state;
	uint64_t idle_us[RUNS];
	uint64_t ended_us[RUNS];
	uint64_t held_us[RUNS];
	struct daemon d;

	for (unsigned int i = 0; i < RUNS; i++) {
		idle_us[i] = time_greeting(f, NULL);
		hold_and_stop(f, &d);
		held_us[i] = time_greeting(f, &ended_us[i]);
		let_go(f, &d);
	}
	report("nobody holds: greeted", idle_us);
	report("a stopped daemon holds: given up", ended_us);
	report("a stopped daemon holds: greeted", held_us);
	/* less by a look when the guard had seen the daemon in the queue before that */
	assert_in_range(ended_us[0], WAIT_MS * 1000 * 3 / 4, WORLD_LIMIT_MS * 1000);
	assert_true(held_us[RUNS / 2] < WAIT_MS * 1000 + 5000000);
}

static void
a_killed_qemu_refuses_clients_though_the_daemon_is_stopped(void **state)
{
	struct fixture *f = *state;
	struct daemon d;
	uint64_t start_us;
	int r;

	hold_and_stop(f, &d);
	start_us = now_us();
	kill(f->qemu, SIGKILL);
	do {
		int fd = world_socket();

		r = world_try_connect(&f->world, fd);
		close(fd);
		assert_true(now_us() - start_us < WORLD_LIMIT_MS * 1000);
	} while (r == 0 || r == -EAGAIN);
	print_message("refused after %.1f ms\n", (double)(now_us() - start_us) / 1000);
	assert_int_equal(r, -ECONNREFUSED);
	let_go(f, &d);
}

#define test_with_qemu(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_qemu(clients_are_greeted_though_the_daemon_is_stopped),
		test_with_qemu(
			a_killed_qemu_refuses_clients_though_the_daemon_is_stopped),
	};

	if (!qemu_is_installed(QEMU)) {
		printf("skipped: %s is not installed\n", QEMU);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
