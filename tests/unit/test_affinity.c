// SPDX-License-Identifier: MIT
/*
 * Masks of real threads, set and read back. The races (a thread that ends, an id that
 * is taken again) are made to happen at the moment that matters: inside the look at the
 * start time, which affinity_apply takes before and after the set.
 */
#include "config.h"

#include "act/affinity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "procs.h"
#include "vm/task.h"

#define N_THREADS 3

/* What happens inside the nth look at the start time. */
enum deed { NOTHING, END_THREAD, TAKE_ID, TAKE_PID, FAIL };

/* thread_ref first: the callback gets its address. */
struct fixture {
	struct thread_ref ref; /* of the child's second thread */
	struct procs_child child;
	struct cpuset all; /* what this test may use: the child's masks */
	struct cpuset one;
	struct cpuset other;
	unsigned int looks;
	enum deed before_set;
	enum deed after_set;
	pid_t stranger;
	struct cpuset stranger_had; /* in the look after the set */
	bool same_tick;		    /* start times do not differ */
};

static int
read_start(const struct thread_ref *t, uint64_t *out)
{
	struct task_stat s;
	int r = task_stat_read(t->procfd, t->pid, t->tid, &s);

	if (r == 0)
		*out = s.start_ticks;
	return r;
}

static int
do_deed(struct fixture *f, enum deed deed)
{
	if (deed == FAIL)
		return -EMFILE;
	if (deed == END_THREAD || deed == TAKE_ID)
		procs_end_thread(&f->child, 1);
	if (deed == TAKE_ID)
		f->stranger = procs_spawn_as(f->ref.tid);
	if (deed == TAKE_PID) {
		procs_reap(&f->child);
		f->stranger = procs_spawn_as(f->ref.pid);
	}
	return 0;
}

static int
look(const struct thread_ref *t, uint64_t *out)
{
	struct fixture *f = (void *)(uintptr_t)t;
	int r;

	if (f->looks++ == 0) {
		/* seen as it was; then the deed, then the set */
		r = read_start(t, out);
		(void)do_deed(f, f->before_set);
		return r;
	}
	if (f->stranger > 0)
		assert_int_equal(affinity_read(f->stranger, &f->stranger_had), 0);
	r = do_deed(f, f->after_set);
	if (r == 0 && f->same_tick)
		*out = t->start_ticks;
	else if (r == 0)
		r = read_start(t, out);
	return r;
}

static int
set_up(void **state)
{
	static const char *const names[N_THREADS] = {"main", "CPU 0/KVM", "worker"};
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->child = procs_spawn(names, N_THREADS);
	f->ref = (struct thread_ref){
		.procfd = procs_open_proc(),
		.pidfd = (int)syscall(SYS_pidfd_open, f->child.pid, 0),
		.pid = f->child.pid,
		.tid = f->child.tids[1],
		.start_ticks_now = look,
	};
	if (f->ref.pidfd < 0 || read_start(&f->ref, &f->ref.start_ticks) < 0 ||
		affinity_read(f->ref.tid, &f->all) < 0)
		return -1;
	f->one = cpuset_of(cpuset_next(&f->all, 0));
	f->other = cpuset_of(
		cpuset_next(&f->all, cpuset_next(&f->all, 0) + 1) % CPUSET_CAP);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	procs_reap(&f->child);
	if (f->stranger > 0)
		procs_kill_pid(f->stranger);
	close(f->ref.procfd);
	close(f->ref.pidfd);
	free(f);
	return 0;
}

static void
need_two_cpus(const struct fixture *f)
{
	if (cpuset_count(&f->all) >= 2)
		return;
	print_message("skipped: one CPU\n");
	skip();
}

/* glibc's own reader, to be independent of ours */
static void
assert_mask(pid_t tid, const struct cpuset *want)
{
	char found[128];
	char text[128];
	struct cpuset now = CPUSET_NONE;
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(tid, sizeof(set), &set), 0);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &set))
			cpuset_add(&now, cpu);
	}
	assert_string_equal(cpuset_format(&now, found, sizeof(found)),
		cpuset_format(want, text, sizeof(text)));
}

static void
a_mask_is_set_on_one_thread_and_read_back(void **state)
{
	struct fixture *f = *state;
	struct cpuset had = CPUSET_NONE;

	need_two_cpus(f);
	assert_int_equal(affinity_apply(&f->ref, &f->one, &had), 0);
	assert_mask(f->ref.tid, &f->one);
	assert_true(cpuset_equal(&had, &f->all));
	assert_mask(f->child.tids[0], &f->all);
	assert_mask(f->child.tids[2], &f->all);
	assert_int_equal(affinity_apply(&f->ref, &f->other, &had), 0);
	assert_mask(f->ref.tid, &f->other);
	assert_true(cpuset_equal(&had, &f->one));
	assert_int_equal(affinity_apply(&f->ref, &f->all, NULL), 0);
	assert_mask(f->ref.tid, &f->all);
	assert_int_equal(f->looks, 6);
}

static void
a_cpu_that_is_not_there_is_not_missed(void **state)
{
	struct fixture *f = *state;
	struct cpuset want = f->one;

	cpuset_add(&want, CPUSET_CAP - 1);
	assert_int_equal(affinity_apply(&f->ref, &want, NULL), 0);
	assert_mask(f->ref.tid, &f->one);
}

static void
only_what_is_offline_may_be_missing(void **state)
{
	struct fixture *f = *state;
	struct cpuset want = f->all;

	assert_true(affinity_is_kept(&f->all, &f->all));
	cpuset_add(&want, CPUSET_CAP - 1);
	assert_true(affinity_is_kept(&want, &f->all));
	assert_false(affinity_is_kept(&f->all, &want));
	need_two_cpus(f);
	assert_false(affinity_is_kept(&f->all, &f->one));
	assert_false(affinity_is_kept(&f->one, &f->all));
}

static void
a_mask_without_any_cpu_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cpuset before;
	struct cpuset had;
	struct cpuset want = cpuset_of(CPUSET_CAP - 1);

	memset(&before, 0xa5, sizeof(before));
	had = before;
	assert_int_equal(affinity_apply(&f->ref, &want, &had), -EINVAL);
	want = CPUSET_NONE;
	assert_int_equal(affinity_apply(&f->ref, &want, &had), -EINVAL);
	assert_true(cpuset_equal(&had, &before));
	assert_mask(f->ref.tid, &f->all);
}

static void
a_thread_of_another_process_is_never_set(void **state)
{
	static const char *const names[] = {"main", "worker"};
	struct procs_child c = procs_spawn(names, ARRAY_LEN(names));
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		f->ref.tid = c.tids[i];
		assert_int_equal(affinity_apply(&f->ref, &f->one, NULL), -ESRCH);
		assert_mask(c.tids[i], &f->all);
	}
	f->ref.tid = getpid();
	assert_int_equal(affinity_apply(&f->ref, &f->one, NULL), -ESRCH);
	assert_mask(0, &f->all);
	procs_reap(&c);
}

static int
say_yes(const struct thread_ref *t, uint64_t *out)
{
	*out = t->start_ticks;
	return 0;
}

static void
id_zero_is_not_ourselves(void **state)
{
	struct fixture *f = *state;
	struct cpuset set;

	f->ref.start_ticks_now = say_yes;
	f->ref.tid = 0;
	assert_int_equal(affinity_apply(&f->ref, &f->one, NULL), -ESRCH);
	f->ref.tid = -1;
	assert_int_equal(affinity_apply(&f->ref, &f->one, NULL), -ESRCH);
	assert_int_equal(affinity_read(0, &set), -ESRCH);
	assert_int_equal(affinity_read(-1, &set), -ESRCH);
	assert_mask(0, &f->all);
}

static void
a_thread_with_another_start_time_is_another_thread(void **state)
{
	struct fixture *f = *state;

	f->ref.start_ticks++;
	assert_int_equal(affinity_apply(&f->ref, &f->one, NULL), -ESRCH);
	assert_mask(f->ref.tid, &f->all);
}

static void
a_thread_that_ended_is_told_apart(void **state)
{
	struct fixture *f = *state;
	struct cpuset set;

	procs_end_thread(&f->child, 1);
	assert_int_equal(affinity_apply(&f->ref, &f->one, NULL), -ESRCH);
	assert_int_equal(affinity_read(f->ref.tid, &set), -ESRCH);
}

static void
a_process_that_ended_is_not_touched(void **state)
{
	struct fixture *f = *state;

	/* a zombie, whose main thread could still be set */
	procs_kill(&f->child);
	f->ref.tid = f->child.pid;
	assert_int_equal(affinity_apply(&f->ref, &f->one, NULL), -ESRCH);
	assert_int_equal(f->looks, 0);
	assert_mask(f->child.pid, &f->all);
}

static void
a_thread_that_ends_before_the_set_is_no_error_of_ours(void **state)
{
	struct fixture *f = *state;

	f->before_set = END_THREAD;
	assert_int_equal(affinity_apply(&f->ref, &f->one, NULL), -ESRCH);
	assert_int_equal(f->looks, 1);
}

static void
a_thread_that_ends_after_the_set_is_no_error_of_ours(void **state)
{
	struct fixture *f = *state;

	f->after_set = END_THREAD;
	assert_int_equal(affinity_apply(&f->ref, &f->one, NULL), -ESRCH);
	assert_int_equal(f->looks, 2);
}

static void
need_stranger(const struct fixture *f)
{
	if (f->stranger > 0)
		return;
	print_message("skipped: cannot choose a process id here\n");
	skip();
}

static void
a_stranger_that_got_the_id_before_the_set_gets_its_mask_back(void **state)
{
	struct fixture *f = *state;
	struct cpuset had = CPUSET_NONE;
	int r;

	need_two_cpus(f);
	f->before_set = TAKE_ID;
	r = affinity_apply(&f->ref, &f->one, &had);
	need_stranger(f);
	assert_int_equal(f->stranger, f->ref.tid);
	assert_int_equal(r, -ESTALE);
	assert_true(cpuset_equal(&f->stranger_had, &f->one)); /* it had been set */
	assert_true(cpuset_equal(&had, &f->all));
	assert_mask(f->stranger, &f->all);
}

/* Our own mask, which children are made with. */
static void
set_own(const struct cpuset *cpus)
{
	assert_int_equal(
		syscall(SYS_sched_setaffinity, 0, sizeof(cpus->words), cpus->words), 0);
}

static void
what_was_seen_of_a_stranger_is_what_it_gets_back(void **state)
{
	struct fixture *f = *state;
	int r;

	need_two_cpus(f);
	set_own(&f->other);
	f->before_set = TAKE_ID;
	r = affinity_apply(&f->ref, &f->one, NULL);
	set_own(&f->all);
	need_stranger(f);
	assert_int_equal(r, -ESTALE);
	assert_true(cpuset_equal(&f->stranger_had, &f->one)); /* it had been set */
	assert_mask(f->stranger, &f->other);
}

/* Also within the tick in which the process was made, when start times tell nothing. */
static void
a_process_that_got_the_pid_before_the_set_gets_its_mask_back(void **state)
{
	struct fixture *f = *state;
	int r;

	need_two_cpus(f);
	f->ref.tid = f->ref.pid;
	f->same_tick = true;
	assert_int_equal(read_start(&f->ref, &f->ref.start_ticks), 0);
	set_own(&f->other);
	f->before_set = TAKE_PID;
	r = affinity_apply(&f->ref, &f->one, NULL);
	set_own(&f->all);
	need_stranger(f);
	assert_int_equal(f->stranger, f->ref.pid);
	assert_int_equal(r, -ESTALE);
	assert_true(cpuset_equal(&f->stranger_had, &f->one));
	assert_mask(f->stranger, &f->other);
}

static void
a_stranger_that_got_the_id_after_the_set_is_left_alone(void **state)
{
	struct fixture *f = *state;
	int r;

	need_two_cpus(f);
	/* the stranger inherits our own mask: neither what was set nor what was before
	 */
	set_own(&f->other);
	f->after_set = TAKE_ID;
	r = affinity_apply(&f->ref, &f->one, NULL);
	set_own(&f->all);
	need_stranger(f);
	assert_int_equal(r, -ESTALE);
	assert_mask(f->stranger, &f->other);
}

static void
what_cannot_be_proven_after_the_set_is_reverted(void **state)
{
	struct fixture *f = *state;
	struct cpuset had = CPUSET_NONE;

	need_two_cpus(f);
	f->after_set = FAIL;
	assert_int_equal(affinity_apply(&f->ref, &f->one, &had), -ESTALE);
	assert_true(cpuset_equal(&had, &f->all));
	assert_mask(f->ref.tid, &f->all);
}

static void
without_permission_nothing_is_changed(void **state)
{
	struct fixture *f = *state;
	pid_t pid;
	int status = 0;

	if (geteuid() != 0) {
		print_message("skipped: not root\n");
		skip();
	}
	pid = fork();
	if (pid == 0) {
		if (setresgid(65534, 65534, 65534) < 0 ||
			setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		_exit(affinity_apply(&f->ref, &f->one, NULL) == -EPERM ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_mask(f->ref.tid, &f->all);
}

static int
write_text(const char *dir, const char *name, const char *text)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/* A cgroup that allows one CPU, or NULL where none can be made. */
static char *
make_cgroup(unsigned int cpu)
{
	static const char *const roots[] = {"/sys/fs/cgroup/cpuset", "/sys/fs/cgroup"};
	auto_free char *one = xasprintf("%u", cpu);

	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		char *dir = xasprintf("%s/qmpin-test-%d", roots[i], (int)getpid());

		if (mkdir(dir, 0755) == 0) {
			(void)write_text(dir, "cpuset.mems", "0");
			if (write_text(dir, "cpuset.cpus", one) == 0)
				return dir;
			(void)rmdir(dir);
		}
		free(dir);
	}
	return NULL;
}

static void
a_mask_that_a_cpuset_narrows_is_told(void **state)
{
	struct fixture *f = *state;
	auto_free char *dir = make_cgroup(cpuset_next(&f->all, 0));
	auto_free char *pid = xasprintf("%d", (int)f->child.pid);
	int wide;
	int outside;

	need_two_cpus(f);
	if (dir == NULL || write_text(dir, "cgroup.procs", pid) < 0) {
		if (dir != NULL)
			(void)rmdir(dir);
		print_message("skipped: no cpuset cgroup can be made here\n");
		skip();
	}
	wide = affinity_apply(&f->ref, &f->all, NULL);
	outside = affinity_apply(&f->ref, &f->other, NULL);
	assert_mask(f->ref.tid, &f->one);
	procs_reap(&f->child);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(wide, -EAGAIN);
	assert_int_equal(outside, -EINVAL);
}

#define WITH_CHILD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CHILD(a_mask_is_set_on_one_thread_and_read_back),
		WITH_CHILD(a_cpu_that_is_not_there_is_not_missed),
		WITH_CHILD(only_what_is_offline_may_be_missing),
		WITH_CHILD(a_mask_without_any_cpu_is_refused),
		WITH_CHILD(a_thread_of_another_process_is_never_set),
		WITH_CHILD(id_zero_is_not_ourselves),
		WITH_CHILD(a_thread_with_another_start_time_is_another_thread),
		WITH_CHILD(a_thread_that_ended_is_told_apart),
		WITH_CHILD(a_process_that_ended_is_not_touched),
		WITH_CHILD(a_thread_that_ends_before_the_set_is_no_error_of_ours),
		WITH_CHILD(a_thread_that_ends_after_the_set_is_no_error_of_ours),
		WITH_CHILD(
			a_stranger_that_got_the_id_before_the_set_gets_its_mask_back),
		WITH_CHILD(what_was_seen_of_a_stranger_is_what_it_gets_back),
		WITH_CHILD(
			a_process_that_got_the_pid_before_the_set_gets_its_mask_back),
		WITH_CHILD(a_stranger_that_got_the_id_after_the_set_is_left_alone),
		WITH_CHILD(what_cannot_be_proven_after_the_set_is_reverted),
		WITH_CHILD(without_permission_nothing_is_changed),
		WITH_CHILD(a_mask_that_a_cpuset_narrows_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
