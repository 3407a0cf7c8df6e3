// SPDX-License-Identifier: MIT
/* Who is behind a socket: real processes that listen, and everything that can be wrong.
 */
#include "config.h"

#include "vm/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "mutate.h"
#include "procs.h"
#include "vm/task.h"

#define STRANGER 12345u

/* A child that listens on 103.qmp as QEMU does, a connection to it, and a pidfile. */
struct fixture {
	int procfd;
	char *dir;
	char *socket_path;
	char *pid_path;
	pid_t pid;
	int fd;
	struct ucred peer;
};

static void
write_file(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void
listen_and_sleep(const char *path, int ready)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	str_copy(sa.sun_path, sizeof(sa.sun_path), path);
	if (bind(fd, (const void *)&sa, sizeof(sa)) < 0 || listen(fd, 1) < 0)
		_exit(1);
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static int
connect_to(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	str_copy(sa.sun_path, sizeof(sa.sun_path), path);
	assert_int_equal(connect(fd, (const void *)&sa, sizeof(sa)), 0);
	return fd;
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	socklen_t len = sizeof(f->peer);
	char text[32];
	int ready[2];
	char byte;

	f->procfd = procs_open_proc();
	f->dir = procs_make_dir();
	f->socket_path = xasprintf("%s/103.qmp", f->dir);
	f->pid_path = xasprintf("%s/103.pid", f->dir);
	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	f->pid = fork();
	if (f->pid == 0)
		listen_and_sleep(f->socket_path, ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		return -1;
	close(ready[0]);
	f->fd = connect_to(f->socket_path);
	(void)getsockopt(f->fd, SOL_SOCKET, SO_PEERCRED, &f->peer, &len);
	(void)snprintf(text, sizeof(text), "%d\n", (int)f->pid);
	write_file(f->pid_path, text, strlen(text));
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->pid > 0)
		procs_kill_pid(f->pid);
	close(f->fd);
	close(f->procfd);
	procs_remove_dir(f->dir);
	free(f->socket_path);
	free(f->pid_path);
	free(f);
	return 0;
}

/* Prove, and see that a failure leaves neither output nor a descriptor behind. */
static int
prove(const struct fixture *f, int need_pidfile, struct err *e)
{
	size_t fds = procs_count_fds();
	struct vm_identity before;
	struct vm_identity id;
	int r;

	memset(&before, 0xa5, sizeof(before));
	id = before;
	r = identity_prove(
		f->procfd, f->socket_path, f->pid_path, need_pidfile, &f->peer, &id, e);
	if (r < 0)
		assert_memory_equal(&id, &before, sizeof(id));
	else
		identity_fini(&id);
	assert_int_equal(procs_count_fds(), fds);
	assert_int_equal(err_is_set(e), r < 0);
	return r;
}

static void
expect(const struct fixture *f, int want, const char *source, const char *part)
{
	struct err e = ERR_NONE;
	int r = prove(f, 1, &e);

	if (r != want || strstr(e.source, source) == NULL ||
		strstr(e.text, part) == NULL)
		fail_msg("%d, not %d: \"%s\": \"%s\", not \"%s\": \"%s\"", r, want,
			e.source, e.text, source, part);
}

static void
a_listening_process_is_proven(void **state)
{
	const struct fixture *f = *state;
	struct vm_identity id = {0};
	struct pollfd ended;
	struct task_stat s;

	assert_int_equal(f->peer.pid, f->pid);
	assert_int_equal(identity_prove(f->procfd, f->socket_path, f->pid_path, 1,
				 &f->peer, &id, NULL),
		0);
	assert_int_equal(id.pid, f->pid);
	assert_int_equal(task_stat_read(f->procfd, f->pid, f->pid, &s), 0);
	assert_int_equal(id.start_ticks, s.start_ticks);
	ended = (struct pollfd){.fd = id.pidfd, .events = POLLIN};
	assert_int_equal(poll(&ended, 1, 0), 0);
	kill(f->pid, SIGKILL);
	assert_int_equal(poll(&ended, 1, 10000), 1);
	identity_fini(&id);
	assert_int_equal(id.pid, 0);
	identity_fini(&id);
}

static void
an_empty_identity_can_be_freed(void **state)
{
	struct vm_identity id = {0};

	(void)state;
	identity_fini(&id);
	assert_int_equal(id.pidfd, -1);
	assert_true(fcntl(0, F_GETFD) >= 0);
}

static void
a_missing_pidfile_counts_only_where_it_is_needed(void **state)
{
	const struct fixture *f = *state;
	struct err e = ERR_NONE;

	unlink(f->pid_path);
	expect(f, -ENOENT, "103.pid", "cannot open the pidfile");
	assert_int_equal(prove(f, 0, &e), 0);
}

static void
a_pidfile_that_is_there_counts_always(void **state)
{
	const struct fixture *f = *state;
	struct err e = ERR_NONE;

	write_file(f->pid_path, "1\n", 2);
	assert_int_equal(prove(f, 0, &e), -ESTALE);
	err_clear(&e);
	write_file(f->pid_path, "x\n", 2);
	assert_int_equal(prove(f, 0, &e), -EINVAL);
}

static void
garbage_in_the_pidfile_is_named(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
		{"", 0},
		{"\n", 1},
		{"0\n", 2},
		{"-1\n", 3},
		{"+1\n", 3},
		{" 1\n", 3},
		{"1 \n", 3},
		{"1\n\n", 3},
		{"1\r\n", 3},
		{"0x10\n", 5},
		{"4711 qemu\n", 10},
		{"1\0", 2},
		{"1\0\n", 3},
		{"2147483648\n", 11},
		{"99999999999999999999\n", 21},
		{"0000000000000000000000000000000000001\n", 38},
		/* a number that ends where the reading ends */
		{"00000000000000000000000000000001\njunk", 37},
		{"\x1b[2J\xff", 5},
	};
	const struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		write_file(f->pid_path, cases[i].text, cases[i].len);
		print_message("case %zu\n", i);
		expect(f, -EINVAL, "103.pid", "");
	}
}

static void
what_is_no_regular_file_is_no_pidfile(void **state)
{
	const struct fixture *f = *state;

	unlink(f->pid_path);
	assert_int_equal(mkfifo(f->pid_path, 0600), 0);
	expect(f, -EINVAL, "103.pid", "not a regular file");
	unlink(f->pid_path);
	assert_int_equal(mkdir(f->pid_path, 0700), 0);
	expect(f, -EINVAL, "103.pid", "not a regular file");
	rmdir(f->pid_path);
	assert_int_equal(symlink("/proc/self/stat", f->pid_path), 0);
	expect(f, -ELOOP, "103.pid", "cannot open");
	unlink(f->pid_path);
	assert_int_equal(symlink("/dev/zero", f->pid_path), 0);
	expect(f, -ELOOP, "103.pid", "cannot open");
}

static void
a_pidfile_of_another_process_is_stale(void **state)
{
	const struct fixture *f = *state;
	auto_free char *text = xasprintf("%d\n", (int)getpid());
	auto_free char *part = xasprintf("names process %d, but process %d is behind",
		(int)getpid(), (int)f->pid);

	write_file(f->pid_path, text, strlen(text));
	expect(f, -ESTALE, "103.pid", part);
}

static void
a_process_that_ended_is_not_proven(void **state)
{
	struct fixture *f = *state;
	siginfo_t info;

	/* a zombie: its pidfd can be had and its start time be read */
	kill(f->pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)f->pid, &info, WEXITED | WNOWAIT), 0);
	expect(f, -ESRCH, "103.qmp", "has ended");
	assert_int_equal(waitpid(f->pid, NULL, 0), f->pid);
	f->pid = 0;
	expect(f, -ESRCH, "103.qmp", "cannot watch process");
}

static void
a_reused_pid_is_seen_by_the_dead_connection(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_NONE;
	pid_t pid = f->pid;

	assert_int_equal(identity_check_peer(f->fd, f->socket_path, &e), 0);
	procs_kill_pid(pid);
	f->pid = procs_spawn_as(pid);
	if (f->pid < 0) {
		print_message("skipped: cannot choose a process id here\n");
		skip();
	}
	assert_int_equal(f->pid, pid);
	/* pidfile, peer and process agree by now, but the listener is another one */
	assert_int_equal(prove(f, 1, &e), 0);
	assert_int_equal(identity_check_peer(f->fd, f->socket_path, &e), -ECONNRESET);
	assert_non_null(strstr(e.text, "has closed the connection"));
}

static void
a_thread_is_no_process(void **state)
{
	static const char *const names[] = {"main", "worker"};
	struct procs_child c = procs_spawn(names, ARRAY_LEN(names));
	struct fixture *f = *state;
	auto_free char *text = xasprintf("%d\n", (int)c.tids[1]);

	f->peer.pid = c.tids[1];
	write_file(f->pid_path, text, strlen(text));
	expect(f, -ESRCH, "103.qmp", "cannot watch process");
	procs_reap(&c);
}

static void
a_process_that_proc_does_not_show_is_not_proven(void **state)
{
	struct fixture *f = *state;

	close(f->procfd);
	f->procfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	expect(f, -ESRCH, "103.qmp", "cannot read the start time");
}

static void
a_peer_of_another_pid_namespace_is_not_proven(void **state)
{
	struct fixture *f = *state;

	f->peer.pid = 0;
	expect(f, -ESRCH, "103.qmp", "another pid namespace");
}

static void
what_is_no_socket_is_refused(void **state)
{
	const struct fixture *f = *state;
	auto_free char *moved = xasprintf("%s/moved", f->dir);

	assert_int_equal(rename(f->socket_path, moved), 0);
	expect(f, -ESTALE, "103.qmp", "is gone");
	write_file(f->socket_path, "", 0);
	expect(f, -ENOTSOCK, "103.qmp", "not a socket");
	unlink(f->socket_path);
	assert_int_equal(symlink(moved, f->socket_path), 0);
	expect(f, -ENOTSOCK, "103.qmp", "not a socket");
}

static void
the_socket_of_a_stranger_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_NONE;

	if (geteuid() == 0)
		assert_int_equal(lchown(f->socket_path, STRANGER, (gid_t)-1), 0);
	else
		f->peer.uid = STRANGER; /* the other way round */
	expect(f, -EPERM, "103.qmp", "belongs to uid");
	if (geteuid() != 0)
		return;
	/* the peer's own uid */
	f->peer.uid = STRANGER;
	assert_int_equal(prove(f, 1, &e), 0);
	/* root's, whoever the peer is */
	assert_int_equal(lchown(f->socket_path, 0, (gid_t)-1), 0);
	assert_int_equal(prove(f, 1, &e), 0);
}

static void
damaged_pidfiles_are_read_or_refused(void **state)
{
	static const char text[] = "4194304\n";
	uint64_t seed = 771;
	unsigned int accepted = 0;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned int i = 0; i < 50000; i++) {
		auto_free char *copy = NULL;
		char damaged[64];
		size_t len = sizeof(text) - 1;
		pid_t pid = -7;

		memcpy(damaged, text, len);
		len = mutate_text(damaged, len, sizeof(damaged), &seed);
		copy = xcalloc(len, 1);
		memcpy(copy, damaged, len);
		if (identity_parse_pidfile(copy, len, &pid) < 0) {
			assert_int_equal(pid, -7);
			continue;
		}
		accepted++;
		assert_true(pid > 0);
		assert_true(strspn(damaged, "0123456789") + 1 >= len);
	}
	assert_in_range(accepted, 1000, 49000);
}

#define WITH_PEER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PEER(a_listening_process_is_proven),
		cmocka_unit_test(an_empty_identity_can_be_freed),
		WITH_PEER(a_missing_pidfile_counts_only_where_it_is_needed),
		WITH_PEER(a_pidfile_that_is_there_counts_always),
		WITH_PEER(garbage_in_the_pidfile_is_named),
		WITH_PEER(what_is_no_regular_file_is_no_pidfile),
		WITH_PEER(a_pidfile_of_another_process_is_stale),
		WITH_PEER(a_process_that_ended_is_not_proven),
		WITH_PEER(a_reused_pid_is_seen_by_the_dead_connection),
		WITH_PEER(a_thread_is_no_process),
		WITH_PEER(a_process_that_proc_does_not_show_is_not_proven),
		WITH_PEER(a_peer_of_another_pid_namespace_is_not_proven),
		WITH_PEER(what_is_no_socket_is_refused),
		WITH_PEER(the_socket_of_a_stranger_is_refused),
		cmocka_unit_test(damaged_pidfiles_are_read_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
