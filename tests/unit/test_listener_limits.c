// SPDX-License-Identifier: MIT
/* Processes that end, change or forbid to be looked at, and those with thousands of
 * descriptors, while their listening socket is looked for. */
#include "config.h"

#include "qmp/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "holder.h"
#include "listener_world.h"
#include "procs.h"

#define NOBODY 65534
#define CANNOT 98 /* the kernel does not let a child do what it should */

static void
listen_in_another_folder(int control, const char *dir)
{
	auto_free char *other = listener_world_in(dir, "other");

	if (mkdir(other, 0700) < 0)
		_exit(1);
	listener_world_plain(control, other);
}

/* ---- processes that end or change ---- */

static void
a_dead_process_has_no_sockets(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(listener_world_plain, f->dir);
	holder_kill(&f->h);
	listener_world_refused(f, -ESRCH, "ended");
	err_clear(&f->e);
	assert_int_equal(waitpid(f->h.process.pid, NULL, 0), f->h.process.pid);
	listener_world_refused(f, -ESRCH, "ended");
}

/* Its successor with the same id has inherited a socket that would match. */
static void
a_process_with_the_id_of_a_dead_one_is_not_looked_into(void **state)
{
	struct listener_world *f = *state;
	int own;
	pid_t pid;

	f->h = holder_start(listen_in_another_folder, f->dir);
	holder_kill(&f->h);
	assert_int_equal(waitpid(f->h.process.pid, NULL, 0), f->h.process.pid);
	own = holder_listen(f->path);
	pid = procs_spawn_as(f->h.process.pid);
	close(own);
	if (pid < 0)
		skip();
	listener_world_refused(f, -ESRCH, "ended");
	procs_kill_pid(pid);
}

/* One number stands for the one socket and for the other, in turn and without end. */
static void
shuffle(int control, const char *dir)
{
	int right = holder_listen(listener_world_in(dir, LISTENER_WORLD_NAME));
	int wrong = holder_listen(listener_world_in(dir, "other"));

	holder_pause(control, holder_inode(right));
	while (dup2(right, wrong + 1) > 0 && dup2(wrong, wrong + 1) > 0)
		continue;
}

static void
a_number_that_is_reused_meanwhile_does_no_harm(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(shuffle, f->dir);
	assert_int_equal(write(f->h.control, "", 1), 1); /* and not to its next pause */
	for (unsigned int i = 0; i < 500; i++) {
		listener_world_found(f);
		close(f->fd);
	}
	f->fd = -1;
}

/* ---- permission ---- */

static int
expect_refusal(struct listener_world *f, const char *text)
{
	if (listener_world_duplicate(f) != -EPERM || strstr(f->e.text, text) == NULL)
		warnx("\"%s\" is not in \"%s\"", text, f->e.text);
	else if (f->fd == -1)
		return 0;
	return 1;
}

static int
become_nobody(void)
{
	if (getuid() == NOBODY)
		return -1; /* already, and so is the process that is looked into */
	return setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0
		       ? -1
		       : 0;
}

static int
try_as_nobody(void *owner)
{
	struct listener_world *f = owner;

	if (chmod(f->dir, 0755) < 0 || become_nobody() < 0)
		return CANNOT;
	return expect_refusal(f, "descriptors of process ") != 0 ||
	       strstr(f->e.text, "CAP_SYS_PTRACE") == NULL;
}

/* As in a service with ProtectProc=. */
static int
try_with_hidden_processes(void *owner)
{
	struct listener_world *f = owner;
	auto_free char *proc = listener_world_in(f->dir, "proc");

	if (chmod(f->dir, 0755) < 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mkdir(proc, 0755) < 0 ||
		mount("proc", proc, "proc", 0, "hidepid=invisible") < 0)
		return CANNOT;
	f->h.process.procfd = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->h.process.procfd < 0 || become_nobody() < 0)
		return CANNOT;
	return expect_refusal(f, "is hidden in /proc");
}

/* As where a security module or a filter of system calls has other opinions. */
static int
try_without_duplicates(void *owner)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_getfd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {ARRAY_LEN(code), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return CANNOT;
	return expect_refusal(owner, "a duplicate of a socket");
}

static void
without_permission_it_says_what_is_missing(void **state)
{
	static const struct {
		const char *name;
		int (*check)(void *owner);
	} cases[] = {
		{"another user", try_as_nobody},
		{"hidden processes", try_with_hidden_processes},
		{"no pidfd_getfd", try_without_duplicates},
	};
	struct listener_world *f = *state;
	unsigned int cannot = 0;

	f->h = holder_start(listener_world_plain, f->dir);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int r = holder_try(cases[i].check, f);

		if (r != 0 && r != CANNOT)
			fail_msg("%s: %d", cases[i].name, r);
		cannot += r == CANNOT;
	}
	if (cannot == ARRAY_LEN(cases))
		skip();
}

/* ---- many descriptors ---- */

/* Returns false where so many are not allowed. */
static bool
open_many(unsigned int n)
{
	const struct rlimit enough = {n + 100, n + 100};

	if (setrlimit(RLIMIT_NOFILE, &enough) < 0)
		return false;
	for (unsigned int i = 0; i < n; i++) {
		if (eventfd(0, EFD_CLOEXEC) < 0)
			_exit(1);
	}
	return true;
}

static void
have_a_hundred(int control, const char *dir)
{
	if (open_many(90))
		listener_world_plain(control, dir);
}

static void
have_a_thousand(int control, const char *dir)
{
	if (open_many(990))
		listener_world_plain(control, dir);
}

static void
have_too_many(int control, const char *dir)
{
	if (open_many(4200))
		listener_world_plain(control, dir);
}

static uint64_t
now_us(void)
{
	return clock_now_us(clock_system());
}

/* Best of some: others use this machine too. */
static void
measure(struct listener_world *f, const char *what)
{
	uint64_t duplicate_us = UINT64_MAX;
	uint64_t served_us = UINT64_MAX;
	uint64_t inode;

	for (unsigned int i = 0; i < 20; i++) {
		uint64_t start_us = now_us();

		if (f->fd >= 0)
			close(f->fd);
		listener_world_found(f);
		if (now_us() - start_us < duplicate_us)
			duplicate_us = now_us() - start_us;
		start_us = now_us();
		assert_int_equal(listener_served(&f->h.process, f->fd, &inode), 0);
		if (now_us() - start_us < served_us)
			served_us = now_us() - start_us;
	}
	print_message("%s: duplicate %u us, served %u us\n", what,
		(unsigned int)duplicate_us, (unsigned int)served_us);
	assert_true(duplicate_us < 100000 && served_us < 100000);
}

static void
a_hundred_descriptors_take_no_time(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(have_a_hundred, f->dir);
	measure(f, "100 descriptors");
}

static void
a_thousand_descriptors_take_little(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(have_a_thousand, f->dir);
	if (f->h.said == 0)
		skip();
	measure(f, "1000 descriptors");
}

static void
thousands_of_descriptors_are_refused(void **state)
{
	struct listener_world *f = *state;

	f->h = holder_start(have_too_many, f->dir);
	if (f->h.said == 0)
		skip();
	listener_world_refused(f, -E2BIG, "more than 4096 descriptors");
}

#define test_of_sockets(name)            \
	cmocka_unit_test_setup_teardown( \
		name, listener_world_setup, listener_world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_of_sockets(a_dead_process_has_no_sockets),
		test_of_sockets(a_process_with_the_id_of_a_dead_one_is_not_looked_into),
		test_of_sockets(a_number_that_is_reused_meanwhile_does_no_harm),
		test_of_sockets(without_permission_it_says_what_is_missing),
		test_of_sockets(a_hundred_descriptors_take_no_time),
		test_of_sockets(a_thousand_descriptors_take_little),
		test_of_sockets(thousands_of_descriptors_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
