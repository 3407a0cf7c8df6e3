// SPDX-License-Identifier: MIT
/* The listening socket of a real QEMU with two monitors: TCG, no guest but the
 * firmware.
 */
#include "config.h"

#include "qmp/listener.h"

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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "holder.h"
#include "procs.h"
#include "qmp_qemu.h"

#define QEMU "qemu-system-x86_64"
/* QEMU starts in 0.1 to 0.3 s; a loaded machine takes its time. */
#define SOON_MS 30000
#define QUIET_MS 50
#define RUNS 50

struct fixture {
	char *dir; /* of the sockets, and where QEMU runs */
	char *path;
	char *other_path;
	size_t fds;
	struct listener_process process;
	int fd; /* the duplicate */
	int client;
	int waiter;
};

/* Ends with the test, also with one that fails. */
static void
run_qemu(const char *dir, const char *name, const char *other, const char *root)
{
	auto_free char *mine = xasprintf("unix:%s,server=on,wait=off", name);
	auto_free char *theirs = xasprintf("unix:%s,server=on,wait=off", other);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(dir) < 0)
		_exit(126);
	execlp(QEMU, QEMU, "-accel", "tcg", "-display", "none", "-nodefaults",
		"-machine", "q35", "-m", "32", "-S", "-qmp", mine, "-qmp", theirs,
		root != NULL ? "-chroot" : NULL, root, (char *)NULL);
	_exit(127);
}

static void
wait_until(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, SOON_MS), 1);
}

static bool
is_quiet(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, QUIET_MS) == 0;
}

static int
connect_soon(const char *path)
{
	int fd;

	for (unsigned int i = 0; i < SOON_MS; i++) {
		fd = holder_connect(path);
		if (fd >= 0)
			return fd;
		usleep(1000);
	}
	fail_msg("%s: %s", path, strerror(-fd));
	return -1;
}

/* Until QEMU has greeted. */
static void
be_served(int fd)
{
	char c = 0;

	while (c != '\n') {
		wait_until(fd);
		assert_int_equal(read(fd, &c, 1), 1);
	}
}

/* The first client is served when this returns. */
static void
start_qemu(struct fixture *f, const char *name, const char *other, const char *root)
{
	f->process.pid = fork();
	assert_true(f->process.pid >= 0);
	if (f->process.pid == 0)
		run_qemu(f->dir, name, other, root);
	f->process.procfd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->process.pidfd = (int)syscall(SYS_pidfd_open, f->process.pid, 0);
	assert_true(f->process.procfd >= 0 && f->process.pidfd >= 0);
	f->client = connect_soon(f->path);
	be_served(f->client);
}

static void
stop_qemu(struct fixture *f)
{
	if (f->process.pid <= 0)
		return;
	kill(f->process.pid, SIGKILL);
	waitpid(f->process.pid, NULL, 0);
	f->process.pid = 0;
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->fds = procs_count_fds();
	f->dir = procs_make_dir();
	f->path = xasprintf("%s/100.qmp", f->dir);
	f->other_path = xasprintf("%s/other", f->dir);
	f->process.procfd = f->process.pidfd = -1;
	f->fd = f->client = f->waiter = -1;
	*state = f;
	return 0;
}

static void
leave(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	stop_qemu(f);
	leave(&f->fd);
	leave(&f->client);
	leave(&f->waiter);
	leave(&f->process.procfd);
	leave(&f->process.pidfd);
	assert_int_equal(procs_count_fds(), f->fds);
	procs_remove_dir(f->dir);
	free(f->other_path);
	free(f->path);
	free(f);
	return 0;
}

static void
find(struct fixture *f)
{
	struct err e = ERR_NONE;
	int r = listener_duplicate(&f->process, f->path, &f->fd, &e);

	if (r == -EPERM)
		skip();
	if (r < 0)
		fail_msg("%s: %s", e.source, e.text);
}

static uint64_t
served(struct fixture *f)
{
	uint64_t inode = 1;

	assert_int_equal(listener_served(&f->process, f->fd, &inode), 0);
	return inode;
}

/* QEMU sees the end of a client when its main loop comes to it. */
static void
wait_until_idle(struct fixture *f)
{
	for (unsigned int i = 0; served(f) != 0; i++) {
		assert_true(i < SOON_MS);
		usleep(1000);
	}
}

static void
a_waiter_is_seen_and_served_once_we_leave(void **state)
{
	struct fixture *f = *state;

	start_qemu(f, f->path, f->other_path, NULL);
	find(f);
	assert_true(is_quiet(f->fd));
	assert_false(listener_has_waiter(f->fd));
	f->waiter = connect_soon(f->path);
	wait_until(f->fd);
	assert_true(listener_has_waiter(f->fd));
	assert_true(is_quiet(f->waiter));
	leave(&f->client);
	be_served(f->waiter);
	assert_false(listener_has_waiter(f->fd));
	assert_true(is_quiet(f->fd));
}

static void
the_client_that_is_served_has_a_number(void **state)
{
	struct fixture *f = *state;
	uint64_t first;

	start_qemu(f, f->path, f->other_path, NULL);
	find(f);
	first = served(f);
	assert_int_not_equal(first, 0);
	f->waiter = connect_soon(f->other_path);
	be_served(f->waiter); /* at the other monitor */
	assert_int_equal(served(f), first);
	leave(&f->waiter);
	f->waiter = connect_soon(f->path);
	assert_int_equal(served(f), first);
	leave(&f->client);
	be_served(f->waiter);
	assert_int_not_equal(served(f), first);
	assert_int_not_equal(served(f), 0);
	leave(&f->waiter);
	wait_until_idle(f);
}

static void
clients_of_the_other_monitor_are_not_seen(void **state)
{
	struct fixture *f = *state;

	start_qemu(f, f->path, f->other_path, NULL);
	find(f);
	f->waiter = connect_soon(f->other_path);
	be_served(f->waiter);
	assert_true(is_quiet(f->fd));
}

static void
a_relative_name_is_found(void **state)
{
	struct fixture *f = *state;

	start_qemu(f, "./100.qmp", "other", NULL);
	find(f);
}

/* As /var/run/qemu-server and /run/qemu-server are. */
static void
a_name_through_a_link_is_found(void **state)
{
	struct fixture *f = *state;
	auto_free char *link = xasprintf("%s/link", f->dir);
	auto_free char *name = xasprintf("%s/100.qmp", link);

	assert_int_equal(symlink(f->dir, link), 0);
	start_qemu(f, name, f->other_path, NULL);
	find(f);
}

/* It goes there when all sockets are bound, and perhaps has greeted us. Returns false
 * when it ended: it was not permitted to. */
static bool
wait_for_root(const struct fixture *f, const char *root)
{
	auto_free char *link = xasprintf("/proc/%d/root", (int)f->process.pid);
	struct pollfd p = {.fd = f->process.pidfd, .events = POLLIN};
	char now[256] = "";

	while (strcmp(now, root) != 0) {
		if (poll(&p, 1, 1) != 0)
			return false;
		memset(now, 0, sizeof(now));
		(void)!readlink(link, now, sizeof(now) - 1);
	}
	return true;
}

static void
a_qemu_in_a_chroot_is_found(void **state)
{
	struct fixture *f = *state;
	auto_free char *root = xasprintf("%s/empty", f->dir);

	if (getuid() != 0)
		skip();
	assert_int_equal(mkdir(root, 0700), 0);
	start_qemu(f, f->path, f->other_path, root);
	if (!wait_for_root(f, root))
		skip();
	find(f);
}

static void
whoever_waits_for_a_killed_qemu_is_told(void **state)
{
	struct fixture *f = *state;
	char c;

	start_qemu(f, f->path, f->other_path, NULL);
	find(f);
	f->waiter = connect_soon(f->path);
	stop_qemu(f);
	listener_dismiss(f->fd);
	wait_until(f->waiter);
	assert_true(read(f->waiter, &c, 1) <= 0);
	assert_int_equal(holder_connect(f->path), -ECONNREFUSED);
}

/* QEMU's own flags and its queue are as they were. */
static void
looking_changes_nothing(void **state)
{
	struct fixture *f = *state;
	int flags;

	start_qemu(f, f->path, f->other_path, NULL);
	find(f);
	flags = fcntl(f->fd, F_GETFL);
	for (unsigned int i = 0; i < RUNS; i++) {
		leave(&f->fd);
		find(f);
		assert_int_not_equal(served(f), 0);
		assert_false(listener_has_waiter(f->fd));
	}
	assert_int_equal(fcntl(f->fd, F_GETFL), flags);
	leave(&f->fd);
	leave(&f->client);
	f->client = connect_soon(f->path);
	be_served(f->client);
}

static uint64_t
now_us(void)
{
	return clock_now_us(clock_system());
}

static void
it_takes_no_time(void **state)
{
	struct fixture *f = *state;
	uint64_t duplicate_us = UINT64_MAX;
	uint64_t served_us = UINT64_MAX;
	uint64_t idle_us = UINT64_MAX;
	uint64_t start_us;

	start_qemu(f, f->path, f->other_path, NULL);
	for (unsigned int i = 0; i < RUNS; i++) {
		leave(&f->fd);
		start_us = now_us();
		find(f);
		if (now_us() - start_us < duplicate_us)
			duplicate_us = now_us() - start_us;
		start_us = now_us();
		assert_int_not_equal(served(f), 0);
		if (now_us() - start_us < served_us)
			served_us = now_us() - start_us;
	}
	leave(&f->client);
	wait_until_idle(f);
	for (unsigned int i = 0; i < RUNS; i++) {
		start_us = now_us();
		assert_int_equal(served(f), 0);
		if (now_us() - start_us < idle_us)
			idle_us = now_us() - start_us;
	}
	print_message("duplicate %u us, served %u us, nobody served %u us\n",
		(unsigned int)duplicate_us, (unsigned int)served_us,
		(unsigned int)idle_us);
	assert_true(duplicate_us < 50000 && served_us < 50000 && idle_us < 50000);
}

#define test_with_qemu(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_qemu(a_waiter_is_seen_and_served_once_we_leave),
		test_with_qemu(the_client_that_is_served_has_a_number),
		test_with_qemu(clients_of_the_other_monitor_are_not_seen),
		test_with_qemu(a_relative_name_is_found),
		test_with_qemu(a_name_through_a_link_is_found),
		test_with_qemu(a_qemu_in_a_chroot_is_found),
		test_with_qemu(whoever_waits_for_a_killed_qemu_is_told),
		test_with_qemu(looking_changes_nothing),
		test_with_qemu(it_takes_no_time),
	};

	if (!qemu_is_installed(QEMU)) {
		printf("skipped: %s is not installed\n", QEMU);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
