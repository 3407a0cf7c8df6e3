// SPDX-License-Identifier: MIT
/* Kernel threads of vhost, in trees like /proc. */
#include "config.h"

#include "daemon/kthreads.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "trees.h"

#define CHILDREN "2/task/2/children"
#define KERNEL 0x00200000u /* PF_KTHREAD */

struct fixture {
	char *dir;
	int fd;
	struct kthreads k;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->dir = trees_new();
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	kthreads_fini(&f->k);
	(void)close(f->fd);
	trees_remove(f->dir);
	free(f);
	return 0;
}

static void
write_thread(const struct fixture *f, int pid, const char *comm, unsigned int flags)
{
	auto_free char *name = xasprintf("%d/task/%d/stat", pid, pid);
	auto_free char *text = xasprintf(
		"%d (%s) S 2 0 0 0 -1 %u 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0 "
		"18446744073709551615 0 0 0 0 0 0 0 2147483647 0 0 0 0 17 3 0 0 0 0 0\n",
		pid, comm, flags);

	trees_write(f->dir, name, text);
}

static void
check_of(const struct fixture *f, pid_t owner, size_t n, const pid_t *pids)
{
	pid_t out[4] = {0};

	assert_int_equal(kthreads_of(&f->k, owner, out, ARRAY_LEN(out)), n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(out[i], pids[i]);
}

static void
threads_are_found_by_the_process_in_their_name(void **state)
{
	struct fixture *f = *state;

	write_thread(f, 3, "rcu_gp", KERNEL);
	write_thread(f, 900, "vhost-4711", KERNEL);
	write_thread(f, 40, "vhost-4711", KERNEL);
	write_thread(f, 41, "vhost-4712", KERNEL);
	write_thread(f, 42, "vhost-4711", 0); /* no kernel thread at all */
	trees_write(f->dir, CHILDREN, "3 900 40 41 42 43 ");
	assert_int_equal(kthreads_look(f->fd, &f->k), 0);
	check_of(f, 4711, 2, (const pid_t[]){40, 900});
	check_of(f, 4712, 1, (const pid_t[]){41});
	check_of(f, 4713, 0, NULL);
}

static void
a_later_look_reads_only_what_is_new(void **state)
{
	struct fixture *f = *state;

	write_thread(f, 40, "vhost-4711", KERNEL);
	write_thread(f, 41, "kthreadd", KERNEL); /* not named yet */
	trees_write(f->dir, CHILDREN, "40 41 ");
	assert_int_equal(kthreads_look(f->fd, &f->k), 0);
	check_of(f, 4711, 1, (const pid_t[]){40});
	write_thread(f, 40, "never read again", KERNEL);
	write_thread(f, 41, "vhost-4711", KERNEL);
	write_thread(f, 42, "vhost-4711", KERNEL);
	trees_write(f->dir, CHILDREN, "40 41 42 ");
	assert_int_equal(kthreads_look(f->fd, &f->k), 0);
	check_of(f, 4711, 3, (const pid_t[]){40, 41, 42});
	trees_write(f->dir, CHILDREN, "41 ");
	assert_int_equal(kthreads_look(f->fd, &f->k), 0);
	check_of(f, 4711, 1, (const pid_t[]){41});
	trees_write(f->dir, CHILDREN, "40 41 "); /* the id is another thread's */
	assert_int_equal(kthreads_look(f->fd, &f->k), 0);
	check_of(f, 4711, 1, (const pid_t[]){41});
}

static void
a_look_that_fails_changes_nothing(void **state)
{
	static const char *const bad[] = {"40 x", "-1", "40,41", "99999999999"};
	struct fixture *f = *state;

	assert_int_equal(kthreads_look(f->fd, &f->k), -ENOENT);
	write_thread(f, 40, "vhost-4711", KERNEL);
	trees_write(f->dir, CHILDREN, "40 ");
	assert_int_equal(kthreads_look(f->fd, &f->k), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		trees_write(f->dir, CHILDREN, bad[i]);
		assert_int_equal(kthreads_look(f->fd, &f->k), -EINVAL);
		check_of(f, 4711, 1, (const pid_t[]){40});
	}
	trees_write(f->dir, CHILDREN, "");
	assert_int_equal(kthreads_look(f->fd, &f->k), 0);
	check_of(f, 4711, 0, NULL);
}

static void
no_more_are_written_than_there_is_room_for(void **state)
{
	struct fixture *f = *state;
	pid_t out[2] = {0, 7};

	for (int pid = 40; pid < 43; pid++)
		write_thread(f, pid, "vhost-4711", KERNEL);
	trees_write(f->dir, CHILDREN, "40 41 42");
	assert_int_equal(kthreads_look(f->fd, &f->k), 0);
	assert_int_equal(kthreads_of(&f->k, 4711, out, 1), 3);
	assert_int_equal(out[0], 40);
	assert_int_equal(out[1], 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			threads_are_found_by_the_process_in_their_name, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_later_look_reads_only_what_is_new, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_look_that_fails_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			no_more_are_written_than_there_is_room_for, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
