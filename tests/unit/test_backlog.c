// SPDX-License-Identifier: MIT
/* The queues of listening sockets, as sock_diag tells them. */
#include "config.h"

#include "qmp/backlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "holder.h"
#include "procs.h"

#define NO_INODE 4294967290u
#define CANNOT 98 /* the kernel does not let this test do it */

struct fixture {
	char *dir;
	char *path;
	size_t fds;
	struct backlog *b;
	int port_of; /* the descriptor in b */
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->fds = procs_count_fds();
	f->dir = procs_make_dir();
	f->path = xasprintf("%s/100.qmp", f->dir);
	f->port_of = dup(0); /* the lowest number that is free */
	close(f->port_of);
	assert_int_equal(backlog_open(&f->b, NULL), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	backlog_close(f->b);
	backlog_close(NULL);
	assert_int_equal(procs_count_fds(), f->fds);
	procs_remove_dir(f->dir);
	free(f->path);
	free(f);
	return 0;
}

static uint32_t
find(struct fixture *f)
{
	struct err e = ERR_NONE;
	uint32_t inode = 0;

	if (backlog_find(f->b, f->path, &inode, &e) < 0)
		fail_msg("%s: %s", e.source, e.text);
	return inode;
}

static void
assert_not_found(struct fixture *f, const char *path)
{
	struct err e = ERR_NONE;
	uint32_t inode = 7;

	if (backlog_find(f->b, path, &inode, &e) != -ENOENT)
		fail_msg("%s was found or failed: %s", path, e.text);
	assert_string_equal(e.source, path);
	assert_int_equal(inode, 7);
}

static void
the_queue_is_counted(void **state)
{
	struct fixture *f = *state;
	int listener = holder_listen(f->path);
	uint32_t inode = find(f);
	int client[2];

	assert_int_equal(inode, holder_inode(listener));
	assert_int_equal(backlog_waiters(f->b, inode), 0);
	for (int i = 0; i < 2; i++) {
		client[i] = holder_connect(f->path);
		assert_true(client[i] >= 0);
		assert_int_equal(backlog_waiters(f->b, inode), i + 1);
	}
	for (int i = 0; i < 2; i++) {
		close(accept(listener, NULL, NULL));
		assert_int_equal(backlog_waiters(f->b, inode), 1 - i);
		close(client[i]);
	}
	close(listener);
	assert_int_equal(backlog_waiters(f->b, inode), -ENOENT);
	assert_not_found(f, f->path);
}

static void
of_two_sockets_of_one_name_the_files_counts(void **state)
{
	struct fixture *f = *state;
	int old = holder_listen(f->path);
	uint32_t old_inode = find(f);
	int stray = holder_connect(f->path);
	int listener;
	int client;

	assert_int_equal(unlink(f->path), 0);
	listener = holder_listen(f->path);
	assert_int_equal(find(f), holder_inode(listener));
	client = holder_connect(f->path);
	assert_int_equal(backlog_waiters(f->b, find(f)), 1);
	assert_int_equal(backlog_waiters(f->b, old_inode), 1);
	close(accept(old, NULL, NULL));
	assert_int_equal(backlog_waiters(f->b, find(f)), 1);
	assert_int_equal(backlog_waiters(f->b, old_inode), 0);
	close(stray);
	close(client);
	close(listener);
	close(old);
}

static void
a_link_leads_to_the_same_socket(void **state)
{
	struct fixture *f = *state;
	auto_free char *link = xasprintf("%s/link", f->dir);
	int listener = holder_listen(f->path);
	uint32_t inode = 0;

	assert_int_equal(symlink(f->path, link), 0);
	assert_int_equal(backlog_find(f->b, link, &inode, NULL), 0);
	assert_int_equal(inode, holder_inode(listener));
	close(listener);
}

static void
what_does_not_listen_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_free char *nothing = xasprintf("%s/nothing", f->dir);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_not_found(f, f->path);
	assert_not_found(f, f->dir);
	assert_not_found(f, nothing);
	assert_int_equal(backlog_waiters(f->b, (uint32_t)holder_inode(fd)), -ENOENT);
	assert_int_equal(backlog_waiters(f->b, NO_INODE), -ENOENT);
	assert_true(backlog_waiters(f->b, 0) < 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(find(f), holder_inode(fd));
	close(fd);
}

static int
try_elsewhere(void *owner)
{
	const struct fixture *f = owner;
	struct backlog *b;
	uint32_t inode = 0;

	if (unshare(CLONE_NEWNET) < 0)
		return CANNOT;
	if (backlog_open(&b, NULL) < 0)
		return 1;
	return backlog_find(b, f->path, &inode, NULL) == -ENOENT ? 0 : 2;
}

static void
another_network_namespace_has_other_sockets(void **state)
{
	struct fixture *f = *state;
	int listener = holder_listen(f->path);
	int r = holder_try(try_elsewhere, f);

	close(listener);
	if (r == CANNOT)
		skip();
	assert_int_equal(r, 0);
}

/* ---- messages of others ---- */

struct foreign {
	struct nlmsghdr head;
	struct unix_diag_msg socket;
	struct nlattr attr;
	struct unix_diag_rqlen queue;
};

/* Another netlink socket, which speaks to ours; -1 without the privilege to do that. */
static int
open_foreign(struct fixture *f)
{
	struct sockaddr_nl a;
	socklen_t len = sizeof(a);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);

	/* it has its address only after a question */
	assert_int_equal(backlog_waiters(f->b, NO_INODE), -ENOENT);
	assert_int_equal(getsockname(f->port_of, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(a.nl_family, AF_NETLINK);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	assert_int_equal(errno, EPERM);
	close(fd);
	return -1;
}

static void
messages_of_others_are_passed_over(void **state)
{
	struct fixture *f = *state;
	int listener = holder_listen(f->path);
	uint32_t inode = find(f);
	int fd = open_foreign(f);
	struct foreign m = {
		.head = {.nlmsg_len = sizeof(m), .nlmsg_type = SOCK_DIAG_BY_FAMILY},
		.socket = {.udiag_state = 10, .udiag_ino = inode},
		.attr = {sizeof(m.attr) + sizeof(m.queue), UNIX_DIAG_RQLEN},
		.queue = {.udiag_rqueue = 77},
	};

	if (fd < 0) {
		close(listener);
		skip();
	}
	for (uint32_t seq = 0; seq < 8; seq++) { /* ours is among them */
		m.head.nlmsg_seq = seq;
		assert_int_equal(send(fd, &m, sizeof(m), 0), sizeof(m));
	}
	m.head.nlmsg_len = 3;
	assert_int_equal(send(fd, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(send(fd, &m, 1, 0), 1);
	assert_int_equal(backlog_waiters(f->b, inode), 0);
	close(fd);
	close(listener);
}

static void
a_flood_costs_an_answer_and_no_more(void **state)
{
	struct fixture *f = *state;
	int listener = holder_listen(f->path);
	uint32_t inode = find(f);
	int fd = open_foreign(f);
	struct foreign m = {.head.nlmsg_len = sizeof(m)};
	unsigned int sent = 0;

	if (fd < 0) {
		close(listener);
		skip();
	}
	while (send(fd, &m, sizeof(m), 0) > 0)
		sent++;
	assert_true(sent > 10);
	assert_int_equal(backlog_waiters(f->b, inode), -EAGAIN);
	assert_int_equal(backlog_waiters(f->b, inode), 0);
	close(fd);
	close(listener);
}

/* ---- many sockets ---- */

#define PAIRS 1000
#define LISTENERS 300

static uint64_t
now_us(void)
{
	return clock_now_us(clock_system());
}

static void
measure(struct fixture *f, const char *what)
{
	uint32_t inode = find(f);
	uint64_t find_us = UINT64_MAX;
	uint64_t start_us;

	for (unsigned int i = 0; i < 20; i++) {
		start_us = now_us();
		assert_int_equal(find(f), inode);
		if (now_us() - start_us < find_us)
			find_us = now_us() - start_us;
	}
	start_us = now_us();
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(backlog_waiters(f->b, inode), 0);
	print_message("%s: find %u us, waiters %.1f us\n", what, (unsigned int)find_us,
		(double)(now_us() - start_us) / 1000);
	assert_true(find_us < 100000);
}

/* The list takes many replies then. */
static void
among_thousands_it_is_found(void **state)
{
	struct fixture *f = *state;
	const struct rlimit enough = {4096, 4096};
	int fds[2 * PAIRS + LISTENERS];
	int listener = holder_listen(f->path);
	size_t n = 0;

	measure(f, "few sockets");
	if (setrlimit(RLIMIT_NOFILE, &enough) < 0) {
		close(listener);
		skip();
	}
	for (unsigned int i = 0; i < LISTENERS; i++) {
		auto_free char *path = xasprintf("%s/%u", f->dir, i);

		fds[n++] = holder_listen(path);
	}
	for (unsigned int i = 0; i < PAIRS; i++, n += 2)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds + n), 0);
	assert_int_equal(find(f), holder_inode(listener));
	measure(f, "2300 sockets, 301 of them listen");
	while (n > 0)
		close(fds[--n]);
	close(listener);
}

#define test_of_queues(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_of_queues(the_queue_is_counted),
		test_of_queues(of_two_sockets_of_one_name_the_files_counts),
		test_of_queues(a_link_leads_to_the_same_socket),
		test_of_queues(what_does_not_listen_is_not_found),
		test_of_queues(another_network_namespace_has_other_sockets),
		test_of_queues(messages_of_others_are_passed_over),
		test_of_queues(a_flood_costs_an_answer_and_no_more),
		test_of_queues(among_thousands_it_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
