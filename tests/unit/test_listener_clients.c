// SPDX-License-Identifier: MIT
/* Who waits at the listening socket of another process, who is served, and what happens
 * to both when that has died. */
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "holder.h"
#include "procs.h"

#define NAME "100.qmp"
#define CLIENTS 4

struct fixture {
	char *dir;
	char *path;
	size_t fds;
	struct holder h;
	int fd; /* the duplicate */
	int client[CLIENTS];
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->fds = procs_count_fds();
	f->dir = procs_make_dir();
	f->path = xasprintf("%s/%s", f->dir, NAME);
	f->fd = -1;
	for (size_t i = 0; i < CLIENTS; i++)
		f->client[i] = -1;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	holder_stop(&f->h);
	if (f->fd >= 0)
		close(f->fd);
	for (size_t i = 0; i < CLIENTS; i++) {
		if (f->client[i] >= 0)
			close(f->client[i]);
	}
	assert_int_equal(procs_count_fds(), f->fds);
	procs_remove_dir(f->dir);
	free(f->path);
	free(f);
	return 0;
}

static void
start(struct fixture *f, holder_part *part)
{
	struct err e = ERR_NONE;

	f->h = holder_start(part, f->dir);
	if (listener_duplicate(&f->h.process, f->path, &f->fd, &e) < 0)
		fail_msg("%s: %s", e.source, e.text);
}

static void
join(struct fixture *f, size_t i)
{
	f->client[i] = holder_connect(f->path);
	if (f->client[i] < 0)
		fail_msg("client %zu: %d", i, f->client[i]);
}

static void
leave(struct fixture *f, size_t i)
{
	close(f->client[i]);
	f->client[i] = -1;
}

static uint64_t
served(struct fixture *f)
{
	uint64_t inode = 1;

	assert_int_equal(listener_served(&f->h.process, f->fd, &inode), 0);
	return inode;
}

/* At each step it accepts a client and says which, at the next it hangs up. */
static void
serve_in_turn(int control, const char *dir)
{
	auto_free char *path = xasprintf("%s/%s", dir, NAME);
	int listener = holder_listen(path);

	for (;;) {
		int client;

		holder_pause(control, 0);
		client = accept(listener, NULL, NULL);
		holder_pause(control, holder_inode(client));
		close(client);
	}
}

/* ---- waiting ---- */

static void
a_waiter_is_seen_until_it_is_accepted(void **state)
{
	struct fixture *f = *state;

	start(f, serve_in_turn);
	assert_false(listener_has_waiter(f->fd));
	join(f, 0);
	join(f, 1);
	assert_true(listener_has_waiter(f->fd));
	holder_step(&f->h);
	assert_true(listener_has_waiter(f->fd));
	holder_step(&f->h);
	holder_step(&f->h);
	assert_false(listener_has_waiter(f->fd));
}

/* It is in the queue until it is accepted; QEMU wants to know that too. */
static void
one_that_has_left_still_waits(void **state)
{
	struct fixture *f = *state;

	start(f, serve_in_turn);
	join(f, 0);
	leave(f, 0);
	assert_true(listener_has_waiter(f->fd));
}

static void
nobody_waits_at_what_is_no_listener(void **state)
{
	int ends[2];

	(void)state;
	assert_false(listener_has_waiter(-1));
	assert_false(listener_has_waiter(1 << 20));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	close(ends[1]);
	assert_false(listener_has_waiter(ends[0]));
	close(ends[0]);
}

/* ---- served ---- */

static void
the_one_that_is_served_has_a_number(void **state)
{
	struct fixture *f = *state;
	uint64_t first;

	start(f, serve_in_turn);
	assert_int_equal(served(f), 0);
	join(f, 0);
	assert_int_equal(served(f), 0);
	holder_step(&f->h);
	first = f->h.said;
	assert_int_equal(served(f), first);
	join(f, 1);
	assert_int_equal(served(f), first);
	leave(f, 0);
	assert_int_equal(served(f), 0); /* though QEMU has not seen it yet */
	holder_step(&f->h);
	assert_int_equal(served(f), 0);
	holder_step(&f->h);
	assert_int_not_equal(f->h.said, first);
	assert_int_equal(served(f), f->h.said);
}

/* Clients of another monitor, connections of its own, and bound sockets of its name. */
static void
have_other_sockets(int control, const char *dir)
{
	auto_free char *other = xasprintf("%s/other", dir);
	auto_free char *path = xasprintf("%s/%s", dir, NAME);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int unconnected = socket(AF_UNIX, SOCK_STREAM, 0);
	int listener = holder_listen(other);
	int ends[2];

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (bind(unconnected, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
		unlink(path) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		_exit(1);
	(void)holder_listen(path);
	if (holder_connect(other) < 0 || accept(listener, NULL, NULL) < 0 ||
		holder_connect(path) < 0)
		_exit(1);
	holder_pause(control, 0);
}

static void
only_clients_of_this_listener_count(void **state)
{
	struct fixture *f = *state;

	start(f, have_other_sockets);
	assert_int_equal(served(f), 0);
}

static void
failures_of_served_leave_the_output_alone(void **state)
{
	struct fixture *f = *state;
	uint64_t inode = 7;

	start(f, serve_in_turn);
	assert_int_equal(listener_served(&f->h.process, -1, &inode), -EINVAL);
	assert_int_equal(listener_served(&f->h.process, f->h.control, &inode), -EINVAL);
	holder_kill(&f->h);
	assert_int_equal(listener_served(&f->h.process, f->fd, &inode), -ESRCH);
	assert_int_equal(inode, 7);
}

/* ---- the process has died ---- */

static ssize_t
read_end(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;

	assert_int_equal(poll(&p, 1, 10000), 1);
	return read(fd, &c, 1) < 0 ? -errno : 0;
}

static void
those_who_wait_at_a_dead_process_are_hung_up_on(void **state)
{
	struct fixture *f = *state;

	start(f, serve_in_turn);
	join(f, 0);
	join(f, 1);
	assert_int_equal(send(f->client[1], "{}", 2, 0), 2);
	holder_kill(&f->h);
	assert_true(listener_has_waiter(f->fd));
	listener_dismiss(f->fd);
	assert_false(listener_has_waiter(f->fd));
	assert_int_equal(read_end(f->client[0]), 0);
	assert_int_equal(read_end(f->client[1]), -ECONNRESET); /* as QEMU's end does */
	assert_int_equal(holder_connect(f->path), -ECONNREFUSED);
}

/* In another process, which never gives it back. */
static void
other_holders_of_a_duplicate_make_no_difference(void **state)
{
	struct fixture *f = *state;
	int gate[2];
	pid_t pid;

	start(f, serve_in_turn);
	join(f, 0);
	assert_int_equal(pipe(gate), 0);
	pid = fork();
	if (pid == 0) {
		char c;

		close(gate[1]);
		close(f->client[0]);
		(void)!read(gate[0], &c, 1);
		_exit(0);
	}
	holder_stop(&f->h);
	join(f, 1); /* this is what must not be left behind */
	listener_dismiss(f->fd);
	assert_int_equal(holder_connect(f->path), -ECONNREFUSED);
	close(f->fd);
	f->fd = -1;
	assert_int_equal(read_end(f->client[0]), 0);
	assert_int_equal(read_end(f->client[1]), 0);
	assert_int_equal(holder_connect(f->path), -ECONNREFUSED);
	close(gate[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(gate[0]);
}

/* The queue takes two, so a third waits inside connect(). */
static pid_t
connect_and_wait(const char *path, int told)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (write(told, "c", 1) != 1)
		_exit(99);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		_exit(0);
	_exit(errno == ECONNREFUSED ? 1 : 2);
}

static bool
is_asleep(pid_t pid)
{
	auto_free char *path = xasprintf("/proc/%d/stat", (int)pid);
	char text[128] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *end;

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	end = strrchr(text, ')');
	return end != NULL && end[2] == 'S';
}

static void
those_who_wait_for_a_place_in_the_queue_are_refused(void **state)
{
	struct fixture *f = *state;
	int told[2];
	int status;
	pid_t pid;
	char c;

	start(f, serve_in_turn);
	join(f, 0);
	join(f, 1);
	assert_int_equal(holder_connect(f->path), -EAGAIN);
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	pid = connect_and_wait(f->path, told[1]);
	assert_int_equal(read(told[0], &c, 1), 1);
	while (!is_asleep(pid))
		usleep(100);
	holder_stop(&f->h);
	listener_dismiss(f->fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	close(told[0]);
	close(told[1]);
}

static void
dismissing_twice_or_nobody_is_fine(void **state)
{
	struct fixture *f = *state;
	int ends[2];

	start(f, serve_in_turn);
	holder_kill(&f->h);
	listener_dismiss(f->fd);
	listener_dismiss(f->fd);
	listener_dismiss(-1);
	assert_int_equal(holder_connect(f->path), -ECONNREFUSED);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	listener_dismiss(ends[0]); /* no listener: left alone */
	assert_int_equal(write(ends[0], "x", 1), 1);
	close(ends[0]);
	close(ends[1]);
}

/* A duplicate that is merely closed; so it is without us. */
static void
the_last_duplicate_keeps_the_socket_open(void **state)
{
	struct fixture *f = *state;

	start(f, serve_in_turn);
	holder_stop(&f->h);
	join(f, 0);
	close(f->fd);
	f->fd = -1;
	assert_int_equal(read_end(f->client[0]), -ECONNRESET); /* never accepted */
	assert_int_equal(holder_connect(f->path), -ECONNREFUSED);
}

#define test_of_clients(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_of_clients(a_waiter_is_seen_until_it_is_accepted),
		test_of_clients(one_that_has_left_still_waits),
		cmocka_unit_test(nobody_waits_at_what_is_no_listener),
		test_of_clients(the_one_that_is_served_has_a_number),
		test_of_clients(only_clients_of_this_listener_count),
		test_of_clients(failures_of_served_leave_the_output_alone),
		test_of_clients(those_who_wait_at_a_dead_process_are_hung_up_on),
		test_of_clients(other_holders_of_a_duplicate_make_no_difference),
		test_of_clients(those_who_wait_for_a_place_in_the_queue_are_refused),
		test_of_clients(dismissing_twice_or_nobody_is_fine),
		test_of_clients(the_last_duplicate_keeps_the_socket_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
