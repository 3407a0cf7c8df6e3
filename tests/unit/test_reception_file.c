// SPDX-License-Identifier: MIT
/* The file that QEMUs dial: its name, its mode, whose it is. */
#include "config.h"

#include "qmp/reception.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "diallers.h"

static void
only_its_owner_may_connect(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	int worst;
	pid_t pid;

	assert_int_equal(lstat(f->path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	if (getuid() != 0) {
		print_message("not root: other users are not tried\n");
		return;
	}
	pid = start_dialler(f, 1, 65534, &worst);
	assert_int_equal(worst, -EACCES);
	end(pid);
	run_until(f, NULL, 0, 50);
	assert_int_equal(f->dialled, 0);
}

/* Whatever the mask of the process, and at no moment otherwise. */
static void
the_file_is_never_wider(void **state)
{
	static const mode_t masks[] = {0, 022, 077, 0177};
	struct fixture *f = *state;
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		mode_t old = umask(masks[i]);

		reception_free(f->reception);
		assert_int_equal(lstat(f->path, &st), -1);
		open_reception(f);
		umask(old);
		assert_int_equal(lstat(f->path, &st), 0);
		assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	}
}

/* QEMU reports, and ours are known by, the name that the listener was bound to. */
static void
the_socket_is_bound_to_its_own_name(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un peer = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(peer);
	int fd = connect_to(f->path);

	assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	assert_string_equal(peer.sun_path, f->path);
	assert_string_equal(reception_path(f->reception), f->path);
	close(fd);
}

static void
a_stale_file_is_replaced(void **state)
{
	struct fixture *f = *state;
	pid_t pid = fork();

	reception_free(f->reception);
	f->reception = NULL;
	if (pid == 0) {
		struct reception *other;

		/* dies without taking its file away */
		_exit(reception_new(f->base, f->dir, &handlers, f, &other, NULL) < 0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(connect_to(f->path), -ECONNREFUSED);
	open_reception(f);
	f->take = true;
	pid = start_dialler(f, 1, 0, NULL);
	run_until(f, &f->dialled, 1, SOON_MS);
	assert_int_equal(f->dialler.pid, pid);
	end(pid);
}

static void
only_its_own_file_is_removed(void **state)
{
	struct fixture *f = *state;
	struct reception *older = f->reception;
	struct stat st;
	int fd;

	open_reception(f);
	reception_free(older);
	assert_int_equal(lstat(f->path, &st), 0);
	fd = connect_to(f->path);
	assert_true(fd >= 0);
	close(fd);
}

static void
what_is_no_socket_stays(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_NONE;
	struct reception *r = NULL;

	reception_free(f->reception);
	f->reception = NULL;
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(reception_new(f->base, f->dir, &handlers, f, &r, &e), -EEXIST);
	assert_null(r);
	assert_string_equal(e.source, f->path);
	assert_int_equal(rmdir(f->path), 0);
	assert_int_equal(symlink("/etc/passwd", f->path), 0);
	assert_int_equal(
		reception_new(f->base, f->dir, &handlers, f, &r, NULL), -EEXIST);
	assert_int_equal(unlink(f->path), 0);
}

static void
a_place_that_qemu_cannot_dial_is_refused(void **state)
{
	struct fixture *f = *state;
	char dir[200] = "/tmp/";
	struct reception *r = NULL;
	struct err e = ERR_NONE;

	memset(dir + 5, 'x', sizeof(dir) - 6);
	dir[sizeof(((struct sockaddr_un *)0)->sun_path) - strlen("/monitor.sock")] =
		'\0';
	assert_int_equal(
		reception_new(f->base, dir, &handlers, f, &r, &e), -ENAMETOOLONG);
	assert_non_null(strstr(e.text, "too long"));
	dir[strlen(dir) - 1] = '\0'; /* just fits, but is not there */
	assert_int_equal(reception_new(f->base, dir, &handlers, f, &r, NULL), -ENOENT);
	assert_int_equal(
		reception_new(f->base, "run", &handlers, f, &r, NULL), -EINVAL);
	assert_int_equal(reception_new(f->base, "", &handlers, f, &r, NULL), -EINVAL);
	assert_int_equal(
		reception_new(f->base, "/tmp/\xff", &handlers, f, &r, NULL), -EILSEQ);
	assert_null(r);
}

static void
the_path_is_spelt_one_way(void **state)
{
	struct fixture *f = *state;

	reception_free(f->reception);
	str_copy(f->dir + strlen(f->dir), 4, "//");
	open_reception(f);
	assert_string_equal(reception_path(f->reception), f->path);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(only_its_owner_may_connect),
		test(the_file_is_never_wider),
		test(the_socket_is_bound_to_its_own_name),
		test(a_stale_file_is_replaced),
		test(only_its_own_file_is_removed),
		test(what_is_no_socket_stays),
		test(a_place_that_qemu_cannot_dial_is_refused),
		test(the_path_is_spelt_one_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
