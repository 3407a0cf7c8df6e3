// SPDX-License-Identifier: MIT
/* Visits to real CPUs, undisturbed and disturbed on purpose. */
#include "config.h"

#include "probe/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "probe/crew.h"
#include "probe/grip.h"

struct fixture {
	struct meter *meter;
	struct cpuset allowed;
	unsigned int a;
	unsigned int b;
	atomic_bool ending;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	assert_int_equal(grip_allowed(0, &f->allowed), 0);
	f->a = cpuset_next(&f->allowed, 0);
	f->b = cpuset_next(&f->allowed, f->a + 1);
	assert_int_equal(meter_new(&f->meter, NULL), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	meter_free(f->meter);
	assert_int_equal(grip_bind(0, &f->allowed), 0);
	free(f);
	return 0;
}

static void
need_two_cpus(const struct fixture *f)
{
	if (f->b < CPUSET_CAP)
		return;
	print_message("skipped: one CPU only\n");
	skip();
}

/* The threads of this process, this one left out. */
static size_t
list_others(pid_t *tids, size_t max)
{
	DIR *stream = opendir("/proc/self/task");
	const struct dirent *d;
	size_t n = 0;

	assert_non_null(stream);
	while ((d = readdir(stream)) != NULL) {
		pid_t tid = (pid_t)strtol(d->d_name, NULL, 10);

		if (tid > 0 && tid != gettid() && n < max)
			tids[n++] = tid;
	}
	closedir(stream);
	return n;
}

/* A good visit; the machine may be busy with other tests. */
static struct meter_visit
visit_until_ok(struct fixture *f)
{
	struct meter_visit v = {.outcome = METER_DISTURBED};

	for (unsigned int i = 0; i < 1000 && v.outcome != METER_OK; i++)
		meter_visit(f->meter, f->a, f->b, &v);
	assert_int_equal(v.outcome, METER_OK);
	return v;
}

static void
a_visit_measures_what_hardware_can_do(void **state)
{
	struct fixture *f = *state;
	struct meter_visit v;

	need_two_cpus(f);
	v = visit_until_ok(f);
	assert_true(v.ns > 1 && v.ns < 20000);
	assert_true(v.bursts > v.dropped);
}

static void
a_visit_takes_less_than_a_millisecond_of_each_cpu(void **state)
{
	struct fixture *f = *state;
	uint64_t least = UINT64_MAX;

	need_two_cpus(f);
	for (unsigned int i = 0; i < 50; i++) {
		struct meter_visit v = visit_until_ok(f);
		uint64_t most = v.cpu_us[0] > v.cpu_us[1] ? v.cpu_us[0] : v.cpu_us[1];

		assert_true(v.cpu_us[0] > 0 && v.cpu_us[1] > 0);
		least = most < least ? most : least;
	}
	print_message("at least %u us of each CPU\n", (unsigned int)least);
	assert_true(least < 1000);
}

static void
a_cpu_that_is_not_there_has_gone(void **state)
{
	struct fixture *f = *state;
	struct meter_visit v;

	meter_visit(f->meter, f->a, CPUSET_CAP - 1, &v);
	assert_int_equal(v.outcome, METER_GONE);
	assert_int_equal(v.gone_cpu, CPUSET_CAP - 1);
	meter_visit(f->meter, CPUSET_CAP - 2, f->a, &v);
	assert_int_equal(v.outcome, METER_GONE);
	assert_int_equal(v.gone_cpu, CPUSET_CAP - 2);
	assert_true(v.ns == 0);
}

/* As the kernel does when a CPU goes away: other masks for its threads. */
static void *
widen_masks(void *arg)
{
	struct fixture *f = arg;
	struct cpuset only_a = cpuset_of(f->a);
	pid_t main_tid = getpid();
	pid_t tids[8];

	while (!atomic_load(&f->ending)) {
		size_t n = list_others(tids, ARRAY_LEN(tids));

		for (size_t i = 0; i < n; i++) {
			if (tids[i] != main_tid)
				(void)!grip_bind(tids[i], &only_a);
		}
		sched_yield();
	}
	return NULL;
}

static void
a_cpu_that_goes_away_meanwhile_is_told(void **state)
{
	struct fixture *f = *state;
	struct meter_visit v = {.outcome = METER_OK};
	pthread_t meddler;

	need_two_cpus(f);
	assert_int_equal(pthread_create(&meddler, NULL, widen_masks, f), 0);
	for (unsigned int i = 0; i < 500 && v.outcome != METER_GONE; i++)
		meter_visit(f->meter, f->a, f->b, &v);
	atomic_store(&f->ending, true);
	assert_int_equal(pthread_join(meddler, NULL), 0);
	assert_int_equal(v.outcome, METER_GONE);
	assert_int_equal(v.gone_cpu, f->b);
	(void)visit_until_ok(f);
}

static void
threads_are_ordinary_ones_after_each_visit(void **state)
{
	struct fixture *f = *state;
	struct meter_visit v;
	pid_t tids[8];
	size_t n;

	need_two_cpus(f);
	for (unsigned int turn = 0; turn < 20; turn++) {
		meter_visit(f->meter, f->a, turn == 7 ? 2047 : f->b, &v);
		n = list_others(tids, ARRAY_LEN(tids));
		assert_int_equal(n, 2);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(sched_getscheduler(tids[i]), SCHED_OTHER);
	}
}

struct hog {
	unsigned int cpu;
	atomic_bool there;
	atomic_bool ending;
};

/* Less than the kernel lets real-time threads run at once; see sched(7). */
#define HOG_MS 800

/* Holds a CPU with a priority above the meter's; no longer than HOG_MS. */
static void *
hold_cpu(void *arg)
{
	struct hog *h = arg;
	struct sched_param p = {.sched_priority = 2};
	struct cpuset cpu = cpuset_of(h->cpu);
	struct timespec from;
	struct timespec now;
	bool held =
		grip_bind(0, &cpu) == 0 && sched_setscheduler(0, SCHED_FIFO, &p) == 0;

	clock_gettime(CLOCK_MONOTONIC, &from);
	atomic_store(&h->there, true);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (held && !atomic_load(&h->ending) &&
		 (now.tv_sec - from.tv_sec) * 1000 +
				 (now.tv_nsec - from.tv_nsec) / 1000000 <
			 HOG_MS);
	return held ? h : NULL;
}

/* Returns false when no CPU can be held here. */
static bool
visit_a_held_cpu(struct fixture *f, struct meter_visit *v)
{
	struct hog hog = {.cpu = f->b};
	pthread_t thread;
	void *held;

	assert_int_equal(pthread_create(&thread, NULL, hold_cpu, &hog), 0);
	while (!atomic_load(&hog.there))
		sched_yield();
	meter_visit(f->meter, f->a, f->b, v);
	atomic_store(&hog.ending, true);
	assert_int_equal(pthread_join(thread, &held), 0);
	return held != NULL;
}

/* Was the second of the meter's threads let go elsewhere? */
static bool
is_called_back(const struct fixture *f)
{
	struct cpuset cpus;
	pid_t tids[8];

	assert_int_equal(list_others(tids, ARRAY_LEN(tids)), 2);
	assert_int_equal(grip_allowed(tids[1], &cpus), 0);
	return !cpuset_has(&cpus, f->b);
}

/* Where others take the CPUs too, the one who holds this one may be kept off it, or the
 * rest of the visit takes its time: no machine does that always. */
static void
a_cpu_that_is_taken_by_others_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	struct cpuset cpu = cpuset_of(f->a);
	uint64_t least_us = UINT64_MAX;
	struct meter_visit v;

	need_two_cpus(f);
	assert_int_equal(grip_bind(0, &cpu), 0);
	for (unsigned int i = 0; i < 20 && least_us > HOG_MS * 500; i++) {
		if (!visit_a_held_cpu(f, &v)) {
			print_message("skipped: no real-time priority here\n");
			skip();
		}
		if (!is_called_back(f))
			continue;
		assert_int_equal(v.outcome, METER_DISTURBED);
		assert_true(v.ns == 0);
		least_us = v.wall_us < least_us ? v.wall_us : least_us;
	}
	print_message("given up after %u us\n", (unsigned int)least_us);
	assert_true(least_us <= HOG_MS * 500);
	(void)visit_until_ok(f);
}

/* A process that may not ask for real-time priority. Ends with 0 when it could measure
 * all the same and says so. */
static void
measure_without_permission(struct fixture *f)
{
	const struct rlimit none = {0, 0};
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct caps[2] = {{0}};
	struct meter *m = NULL;
	struct meter_visit v = {.outcome = METER_DISTURBED};

	if (setrlimit(RLIMIT_RTPRIO, &none) < 0 ||
		syscall(SYS_capset, &header, caps) < 0)
		_exit(77);
	if (meter_new(&m, NULL) < 0)
		_exit(2);
	for (unsigned int i = 0; i < 1000 && v.outcome != METER_OK; i++)
		meter_visit(m, f->a, f->b, &v);
	_exit(v.outcome == METER_OK && meter_lacks_realtime(m) ? 0 : 1);
}

static void
without_permission_for_realtime_it_measures_and_says_so(void **state)
{
	struct fixture *f = *state;
	int status = 0;
	pid_t pid;

	need_two_cpus(f);
	pid = fork();
	if (pid == 0)
		measure_without_permission(f);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
a_crew_has_one_report_for_each_visit(void **state)
{
	struct fixture *f = *state;
	struct crew_report report;
	struct crew *c;
	unsigned int reports = 0;

	need_two_cpus(f);
	assert_int_equal(crew_new(2, &c, NULL), 0);
	assert_int_equal(crew_at_work(c), 0);
	assert_true(crew_start(c, f->a, f->b));
	assert_true(crew_start(c, f->b, f->a));
	assert_false(crew_start(c, f->a, f->b));
	assert_true(crew_is_full(c));
	assert_int_equal(cpuset_count((struct cpuset[]){crew_cpus(c)}), 2);
	while (reports < 2) {
		if (crew_take(c, &report)) {
			reports++;
			assert_true(report.visit.bursts > 0);
			assert_int_equal(report.cpu_a + report.cpu_b, f->a + f->b);
		}
		sched_yield();
	}
	assert_false(crew_take(c, &report));
	assert_int_equal(crew_at_work(c), 0);
	crew_free(c);
}

static void
a_crew_can_be_ended_at_work(void **state)
{
	struct fixture *f = *state;
	struct crew *c;

	need_two_cpus(f);
	assert_int_equal(crew_new(CREW_PAIRS_MAX, &c, NULL), 0);
	assert_true(crew_start(c, f->a, f->b));
	crew_free(c);
	crew_free(NULL);
	meter_free(NULL);
}

#define WITH_METER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_METER(a_visit_measures_what_hardware_can_do),
		WITH_METER(a_visit_takes_less_than_a_millisecond_of_each_cpu),
		WITH_METER(a_cpu_that_is_not_there_has_gone),
		WITH_METER(a_cpu_that_goes_away_meanwhile_is_told),
		WITH_METER(threads_are_ordinary_ones_after_each_visit),
		WITH_METER(a_cpu_that_is_taken_by_others_holds_up_nobody),
		WITH_METER(without_permission_for_realtime_it_measures_and_says_so),
		WITH_METER(a_crew_has_one_report_for_each_visit),
		WITH_METER(a_crew_can_be_ended_at_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
