// SPDX-License-Identifier: MIT
/* Listening sockets of other processes: found, not mistaken for others, refused. */
#include "config.h"

#include "qmp/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "holder.h"
#include "listener_world.h"
#include "procs.h"

/* Instead of an inode: the process was not permitted to do what it should. */
#define CANNOT 0

/* ---- what is found ---- */

static void
the_listening_socket_is_found(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(listener_world_plain, f->dir);
	listener_world_found(f);
}

/* The directory is known by two names. */
static void
listen_through_a_link(int control, const char *dir)
{
	auto_free char *link = listener_world_in(dir, "link");

	if (symlink(dir, link) < 0)
		_exit(1);
	listener_world_plain(control, link);
}

static void
a_name_through_a_linked_directory_is_the_same_file(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(listen_through_a_link, f->dir);
	listener_world_found(f);
	close(f->fd);
	free(f->path);
	f->path = xasprintf("%s/link/%s", f->dir, LISTENER_WORLD_NAME);
	listener_world_found(f);
}

/* What RestrictSUIDSGID= of a unit does, since it cannot look into the call's flags. */
static void
forbid_openat2(void)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {ARRAY_LEN(steps), steps};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(77);
}

static void
links_are_followed_where_openat2_is_forbidden(void **state)
{
	struct listener_world *f = *state;
	int status = -1;
	pid_t pid;

	f->h = holder_start(listen_through_a_link, f->dir);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		forbid_openat2();
		_exit(listener_world_duplicate(f) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* As long as a name can be: no NUL behind it. */
static void
listen_by_a_full_name(int control, const char *dir)
{
	char name[109] = "";

	if (chdir(dir) < 0)
		_exit(1);
	memset(name, '/', sizeof(name) - 1);
	name[0] = '.';
	memcpy(name + sizeof(name) - sizeof(LISTENER_WORLD_NAME), LISTENER_WORLD_NAME,
		sizeof(LISTENER_WORLD_NAME));
	holder_pause(control, holder_inode(holder_listen(name)));
}

static void
listen_relatively(int control, const char *dir)
{
	if (chdir(dir) < 0)
		_exit(1);
	holder_pause(control, holder_inode(holder_listen(LISTENER_WORLD_NAME)));
}

static void
a_relative_name_counts_from_where_the_process_is(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(listen_relatively, f->dir);
	listener_world_found(f);
}

static void
a_name_may_fill_its_field(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(listen_by_a_full_name, f->dir);
	listener_world_found(f);
}

/* With a link that would lead elsewhere from outside. */
static void
listen_below_a_root(int control, const char *dir)
{
	if (chroot(dir) < 0 || chdir("/") < 0 || mkdir("real", 0700) < 0 ||
		symlink("/real", "run") < 0)
		holder_pause(control, CANNOT);
	else
		holder_pause(control,
			holder_inode(holder_listen("/run/" LISTENER_WORLD_NAME)));
}

static void
names_of_a_chrooted_process_count_from_its_root(void **state)
{
	struct listener_world *f = *state;

	free(f->path);
	f->path = xasprintf("%s/real/%s", f->dir, LISTENER_WORLD_NAME);
	f->h = holder_start(listen_below_a_root, f->dir);
	if (f->h.said == CANNOT)
		skip();
	listener_world_found(f);
}

static void
listen_and_leave(int control, const char *dir)
{
	int fd = holder_listen(listener_world_in(dir, LISTENER_WORLD_NAME));
	auto_free char *empty = listener_world_in(dir, "empty");

	if (mkdir(empty, 0700) < 0 || chroot(empty) < 0 || chdir("/") < 0)
		holder_pause(control, CANNOT);
	else
		holder_pause(control, holder_inode(fd));
}

static void
a_name_bound_before_the_chroot_counts_as_ours(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(listen_and_leave, f->dir);
	if (f->h.said == CANNOT)
		skip();
	listener_world_found(f);
}

static void
listen_twice_by_one_socket(int control, const char *dir)
{
	int fd = holder_listen(listener_world_in(dir, LISTENER_WORLD_NAME));

	if (dup(fd) < 0)
		_exit(1);
	holder_pause(control, holder_inode(fd));
}

static void
two_numbers_of_one_socket_are_one(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(listen_twice_by_one_socket, f->dir);
	listener_world_found(f);
}

/* ---- what is not ---- */

static void
listen_by_other_means(int control, const char *dir)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_free char *path = listener_world_in(dir, LISTENER_WORLD_NAME);
	int seqpacket = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	int abstract = socket(AF_UNIX, SOCK_STREAM, 0);
	int unnamed = socket(AF_UNIX, SOCK_STREAM, 0);
	int ends[2];

	(void)snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "%s", path);
	if (bind(abstract, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
		listen(abstract, 1) < 0 || unnamed < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		_exit(1);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (bind(seqpacket, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
		listen(seqpacket, 1) < 0)
		_exit(1);
	holder_pause(control, holder_inode(seqpacket));
}

static void
other_kinds_of_sockets_are_passed_over(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(listen_by_other_means, f->dir);
	listener_world_refused(f, -ENOENT, "listens on no socket of this name");
}

static void
bind_only(int control, const char *dir)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(
		a.sun_path, sizeof(a.sun_path), "%s/%s", dir, LISTENER_WORLD_NAME);
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		_exit(1);
	holder_pause(control, holder_inode(fd));
	if (listen(fd, 1) < 0)
		_exit(1);
	holder_pause(control, holder_inode(fd));
}

static void
a_bound_socket_counts_once_it_listens(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(bind_only, f->dir);
	listener_world_refused(f, -ENOENT, "listens on no socket of this name");
	holder_step(&f->h);
	listener_world_found(f);
}

static void
listen_anew(int control, const char *dir)
{
	auto_free char *path = listener_world_in(dir, LISTENER_WORLD_NAME);

	(void)unlink(path);
	holder_pause(control, holder_inode(holder_listen(path)));
}

/* The name of the older socket leads to the newer one's file. */
static void
a_socket_of_another_process_is_not_mistaken(void **state)
{
	struct listener_world *f = *state;
	int client;

	f->other = holder_start(listener_world_plain, f->dir);
	f->h = holder_start(listen_anew, f->dir);
	listener_world_found(f);
	client = holder_connect(f->path);
	assert_true(client >= 0);
	assert_true(listener_has_waiter(f->fd));
	close(client);
}

static void
listen_in_another_folder(int control, const char *dir)
{
	auto_free char *other = listener_world_in(dir, "other");

	if (mkdir(other, 0700) < 0)
		_exit(1);
	listener_world_plain(control, other);
}

static void
a_socket_elsewhere_is_another(void **state)
{
	struct listener_world *f = *state;

	f->other = holder_start(listener_world_plain, f->dir);
	f->h = holder_start(listen_in_another_folder, f->dir);
	listener_world_refused(f, -ENOENT, "listens on no socket of this name");
}

static void
rebind(int control, const char *dir)
{
	listener_world_plain(control, dir);
	listen_anew(control, dir);
}

static void
two_sockets_of_one_name_are_refused(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(rebind, f->dir);
	listener_world_found(f);
	close(f->fd);
	f->fd = -1;
	holder_step(&f->h);
	listener_world_refused(f, -ENOTUNIQ, "several sockets");
}

/* The same path, but with a file system of its own on the folder. */
static void
listen_behind_a_mount(int control, const char *dir)
{
	if (unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", dir, "tmpfs", 0, NULL) < 0)
		holder_pause(control, CANNOT);
	else
		listener_world_plain(control, dir);
}

static void
the_same_path_in_another_mount_namespace_is_another_file(void **state)
{
	struct listener_world *f = *state;

	f->other = holder_start(listener_world_plain, f->dir);
	f->h = holder_start(listen_behind_a_mount, f->dir);
	if (f->h.said == CANNOT)
		skip();
	listener_world_refused(f, -ENOENT, "listens on no socket of this name");
}

static void
the_file_must_be_a_socket(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(listener_world_plain, f->dir);
	free(f->path);
	f->path = listener_world_in(f->dir, "nothing");
	listener_world_refused(f, -ENOENT, "No such file");
	err_clear(&f->e);
	free(f->path);
	f->path = xstrdup(f->dir);
	listener_world_refused(f, -ENOTSOCK, "not a socket");
}

#define test_of_sockets(name)            \
	cmocka_unit_test_setup_teardown( \
		name, listener_world_setup, listener_world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_of_sockets(the_listening_socket_is_found),
		test_of_sockets(a_name_through_a_linked_directory_is_the_same_file),
		test_of_sockets(a_relative_name_counts_from_where_the_process_is),
		test_of_sockets(links_are_followed_where_openat2_is_forbidden),
		test_of_sockets(a_name_may_fill_its_field),
		test_of_sockets(names_of_a_chrooted_process_count_from_its_root),
		test_of_sockets(a_name_bound_before_the_chroot_counts_as_ours),
		test_of_sockets(two_numbers_of_one_socket_are_one),
		test_of_sockets(other_kinds_of_sockets_are_passed_over),
		test_of_sockets(a_bound_socket_counts_once_it_listens),
		test_of_sockets(a_socket_of_another_process_is_not_mistaken),
		test_of_sockets(a_socket_elsewhere_is_another),
		test_of_sockets(two_sockets_of_one_name_are_refused),
		test_of_sockets(
			the_same_path_in_another_mount_namespace_is_another_file),
		test_of_sockets(the_file_must_be_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
