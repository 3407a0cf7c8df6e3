// SPDX-License-Identifier: MIT
/*
 * The sockets of the control server: who may use them, and what of others is in their
 * place.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/address.h"
#include "ctl_world.h"

static unsigned int
mode_of(const struct ctl_world *w, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(w->dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777u;
}

static void
sockets_are_open_to_those_they_are_for(void **state)
{
	struct ctl_world *w = *state;
	mode_t old;
	struct err e = ERR_NONE;

	assert_int_equal(mode_of(w, CTL_SOCKET), 0600);
	assert_int_equal(mode_of(w, CTL_SOCKET_RO), 0660);
	ctl_server_free(w->server);
	old = umask(0);
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), 0);
	(void)umask(old);
	assert_int_equal(mode_of(w, CTL_SOCKET), 0600);
	assert_int_equal(mode_of(w, CTL_SOCKET_RO), 0660);
}

static void
sockets_go_with_the_server(void **state)
{
	struct ctl_world *w = *state;

	ctl_server_free(w->server);
	w->server = NULL;
	assert_int_equal(faccessat(w->dirfd, CTL_SOCKET, F_OK, 0), -1);
	assert_int_equal(faccessat(w->dirfd, CTL_SOCKET_RO, F_OK, 0), -1);
}

static void
group_is_given_or_its_absence_said(void **state)
{
	struct ctl_world *w = *state;
	const struct group *g;
	struct err e = ERR_NONE;
	struct stat st;

	ctl_server_free(w->server);
	assert_int_equal(ctl_world_serve(w, "no-such-group", NULL, &e), 0);
	assert_non_null(strstr(e.text, "no group no-such-group"));
	assert_int_equal(mode_of(w, CTL_SOCKET_RO), 0660);
	g = getgrgid(1);
	if (g == NULL)
		return;
	ctl_server_free(w->server);
	err_clear(&e);
	assert_int_equal(ctl_world_serve(w, g->gr_name, NULL, &e), 0);
	assert_int_equal(fstatat(w->dirfd, CTL_SOCKET_RO, &st, 0), 0);
	assert_true(st.st_gid == 1 ? !err_is_set(&e) : err_is_set(&e));
}

/* Serve for @group without the right to give files away. */
static void
serve_without_chown(struct ctl_world *w, const char *group, struct err *e)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct had[2] = {{0}};
	struct __user_cap_data_struct caps[2];

	assert_int_equal(syscall(SYS_capget, &header, had), 0);
	memcpy(caps, had, sizeof(caps));
	caps[0].effective &= ~(1u << CAP_CHOWN);
	assert_int_equal(syscall(SYS_capset, &header, caps), 0);
	assert_int_equal(ctl_world_serve(w, group, NULL, e), 0);
	assert_int_equal(syscall(SYS_capset, &header, had), 0);
}

static void
without_the_group_it_is_said_whose_the_socket_is(void **state)
{
	struct ctl_world *w = *state;
	const struct group *g = getgrgid(getegid());
	struct err e = ERR_NONE;
	auto_free char *stays = NULL;
	auto_free char *other = NULL;
	struct stat st;

	if (g == NULL)
		skip();
	stays = xasprintf("stays with group %s", g->gr_name);
	ctl_server_free(w->server);
	assert_int_equal(ctl_world_serve(w, "no-such-group", NULL, &e), 0);
	assert_non_null(strstr(e.text, stays));
	do
		g = getgrent();
	while (g != NULL && (g->gr_gid == getegid() || group_member(g->gr_gid) != 0));
	endgrent();
	if (g == NULL)
		return;
	other = xasprintf("to group %s: it %s", g->gr_name, stays);
	ctl_server_free(w->server);
	err_clear(&e);
	serve_without_chown(w, g->gr_name, &e);
	assert_non_null(strstr(e.text, other));
	assert_int_equal(fstatat(w->dirfd, CTL_SOCKET_RO, &st, 0), 0);
	assert_int_equal(st.st_gid, getegid());
}

/* A socket file as a server that was killed leaves it, or one that listens. */
static int
make_socket(const struct ctl_world *w, const char *name, bool listening)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(address_fill(w->dirfd, w->dir, name, &address), 0);
	assert_int_equal(
		bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	if (listening)
		assert_int_equal(listen(fd, 0), 0);
	return fd;
}

static void
stale_sockets_are_replaced(void **state)
{
	struct ctl_world *w = *state;
	struct err e = ERR_NONE;

	ctl_server_free(w->server);
	(void)close(make_socket(w, CTL_SOCKET, true));
	(void)close(make_socket(w, CTL_SOCKET_RO, false));
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), 0);
	assert_false(err_is_set(&e));
	ctl_world_expect_served(w);
}

/* A child that listens and ends; its own child keeps the socket until @hold closes. */
static void
listen_and_end(const struct ctl_world *w, int hold[2])
{
	char byte;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)make_socket(w, CTL_SOCKET, true);
		if (fork() > 0)
			_exit(0);
		(void)close(hold[1]);
		_exit((int)read(hold[0], &byte, 1));
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
what_a_killed_server_has_forked_does_not_serve(void **state)
{
	struct ctl_world *w = *state;
	struct err e = ERR_NONE;
	int hold[2];

	ctl_server_free(w->server);
	w->server = NULL;
	assert_int_equal(pipe(hold), 0);
	listen_and_end(w, hold);
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), 0);
	assert_false(err_is_set(&e));
	ctl_world_expect_served(w);
	(void)close(hold[0]);
	(void)close(hold[1]);
}

static void
live_server_is_left_alone(void **state)
{
	struct ctl_world *w = *state;
	struct ctl_server *first = w->server;
	struct err e = ERR_NONE;

	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "another qmpind"));
	assert_ptr_equal(w->server, first);
	ctl_world_expect_served(w);
}

static void
live_read_only_socket_keeps_the_first_one_clean(void **state)
{
	struct ctl_world *w = *state;
	struct err e = ERR_NONE;
	int fd;

	ctl_server_free(w->server);
	w->server = NULL;
	fd = make_socket(w, CTL_SOCKET_RO, true);
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), -EADDRINUSE);
	assert_int_equal(faccessat(w->dirfd, CTL_SOCKET, F_OK, 0), -1);
	assert_int_equal(unlinkat(w->dirfd, CTL_SOCKET_RO, 0), 0);
	(void)close(fd);
}

static void
full_queue_is_a_live_server(void **state)
{
	struct ctl_world *w = *state;
	struct err e = ERR_NONE;
	struct sockaddr_un address;
	int fds[3];

	ctl_server_free(w->server);
	w->server = NULL;
	fds[0] = make_socket(w, CTL_SOCKET, true);
	assert_int_equal(address_fill(w->dirfd, w->dir, CTL_SOCKET, &address), 0);
	for (size_t i = 1; i < ARRAY_LEN(fds); i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(
			fds[i], (const struct sockaddr *)&address, sizeof(address));
	}
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), -EADDRINUSE);
	assert_int_equal(unlinkat(w->dirfd, CTL_SOCKET, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
}

static void
file_in_the_way_is_left_alone(void **state)
{
	struct ctl_world *w = *state;
	struct err e = ERR_NONE;
	int fd;

	ctl_server_free(w->server);
	w->server = NULL;
	fd = openat(
		w->dirfd, CTL_SOCKET, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "remove it"));
	assert_int_equal(unlinkat(w->dirfd, CTL_SOCKET, 0), 0);
}

static void
socket_of_a_later_server_is_not_removed(void **state)
{
	struct ctl_world *w = *state;
	int fd;

	assert_int_equal(unlinkat(w->dirfd, CTL_SOCKET, 0), 0);
	fd = make_socket(w, CTL_SOCKET, true);
	ctl_server_free(w->server);
	w->server = NULL;
	assert_int_equal(faccessat(w->dirfd, CTL_SOCKET, F_OK, 0), 0);
	assert_int_equal(unlinkat(w->dirfd, CTL_SOCKET, 0), 0);
	(void)close(fd);
}

static void
start_beside_another_one_is_refused(void **state)
{
	struct ctl_world *w = *state;
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct err e = ERR_NONE;
	int fd = openat(w->dirfd, "io.qmpin.lock", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
	ctl_server_free(w->server);
	w->server = NULL;
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "starting"));
	(void)close(fd);
}

static void
path_of_any_length_is_served(void **state)
{
	struct ctl_world *w = *state;
	char parent[sizeof(w->dir)];
	struct err e = ERR_NONE;

	ctl_server_free(w->server);
	(void)unlinkat(w->dirfd, "io.qmpin.lock", 0);
	(void)close(w->dirfd);
	memcpy(parent, w->dir, sizeof(parent));
	memset(w->dir + strlen(w->dir), 'd', 120);
	w->dir[strlen(parent)] = '/';
	w->dir[strlen(parent) + 120] = '\0';
	assert_int_equal(mkdir(w->dir, 0700), 0);
	w->dirfd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), 0);
	ctl_world_expect_served(w);

	ctl_server_free(w->server);
	w->server = NULL;
	(void)unlinkat(w->dirfd, "io.qmpin.lock", 0);
	assert_int_equal(rmdir(w->dir), 0);
	memcpy(w->dir, parent, sizeof(parent));
}

static void
without_descriptors_the_server_waits_and_recovers(void **state)
{
	struct ctl_world *w = *state;
	struct rlimit old;
	struct rlimit tight;
	int fd = ctl_world_dial(w, CTL_SOCKET); /* the highest number in use */
	int second = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	json_t *reply;
	uint64_t begin_us;

	assert_int_equal(address_fill(w->dirfd, w->dir, CTL_SOCKET, &address), 0);
	assert_int_equal(
		connect(second, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = (struct rlimit){.rlim_cur = 3, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
	/* The queue is not empty, yet the loop sleeps. */
	begin_us = clock_now_us(clock_system());
	ctl_world_step(w);
	assert_true(clock_now_us(clock_system()) - begin_us >= 5000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	ctl_world_ask(w, second, CTL_WORLD_STATUS);
	reply = ctl_world_read(w, second);
	assert_non_null(reply);
	json_decref(reply);
	(void)close(second);
	(void)close(fd);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, ctl_world_setup, ctl_world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sockets_are_open_to_those_they_are_for),
		CASE(sockets_go_with_the_server),
		CASE(group_is_given_or_its_absence_said),
		CASE(without_the_group_it_is_said_whose_the_socket_is),
		CASE(stale_sockets_are_replaced),
		CASE(what_a_killed_server_has_forked_does_not_serve),
		CASE(live_server_is_left_alone),
		CASE(live_read_only_socket_keeps_the_first_one_clean),
		CASE(full_queue_is_a_live_server),
		CASE(file_in_the_way_is_left_alone),
		CASE(socket_of_a_later_server_is_not_removed),
		CASE(start_beside_another_one_is_refused),
		CASE(path_of_any_length_is_served),
		CASE(without_descriptors_the_server_waits_and_recovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
