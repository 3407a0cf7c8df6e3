// SPDX-License-Identifier: MIT
/* The monitor on a real QEMU: TCG, no guest but the firmware. */
#include "config.h"

#include "qmp/monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "qmp_qemu.h"
#include "qmp_watch.h"

#define QEMU "qemu-system-x86_64"
/* QEMU starts in 0.1 to 0.3 s; a loaded machine takes its time. */
#define SOON_MS 30000u
#define RUNS 50

struct fixture {
	struct watch w;
	struct qemu qemu;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	watch_init(&f->w);
	assert_true(qemu_start(&f->qemu, QEMU, f->w.path));
	watch_start(&f->w);
	watch_until(&f->w, "facts ", SOON_MS);
	watch_forget(&f->w);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	qemu_stop(&f->qemu);
	watch_fini(&f->w);
	free(f);
	return 0;
}

/* Twice: the first facts may be those that somebody had asked for before. */
static void
observe(struct fixture *f)
{
	for (unsigned int i = 0; i < 2; i++) {
		watch_forget(&f->w);
		monitor_observe(f->w.monitor);
		watch_until(&f->w, "facts ", SOON_MS);
	}
}

static bool
is_thread_of(pid_t tid, pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)pid, (int)tid);
	return stat(path, &st) == 0;
}

static void
the_facts_are_those_of_the_command_line(void **state)
{
	struct fixture *f = *state;

	observe(f);
	assert_int_equal(f->w.peer.pid, f->qemu.pid);
	assert_int_equal(f->w.n_vcpus, 2);
	assert_int_equal(f->w.vcpus_max, 4);
	assert_int_equal(f->w.n_iothreads, 1);
	assert_string_equal(f->w.name, "vm103");
	assert_string_equal(f->w.status, "prelaunch");
	assert_false(f->w.running);
	for (unsigned int i = 0; i < 2; i++)
		assert_true(is_thread_of(f->w.tids[i], f->qemu.pid));
}

static void
a_plugged_vcpu_is_seen(void **state)
{
	struct fixture *f = *state;

	qemu_command(&f->qemu,
		"{\"execute\": \"device_add\", \"arguments\": {\"driver\": "
		"\"qemu64-x86_64-cpu\", \"id\": \"cpu3\", \"socket-id\": 0, "
		"\"core-id\": 2, \"thread-id\": 0}}\n");
	observe(f);
	assert_int_equal(f->w.n_vcpus, 3);
	assert_int_equal(f->w.vcpus_max, 4);
	assert_true(is_thread_of(f->w.tids[2], f->qemu.pid));
}

static void
stop_and_cont_are_told(void **state)
{
	struct fixture *f = *state;

	qemu_command(&f->qemu, "{\"execute\": \"cont\"}\n");
	watch_until(&f->w, "event:RESUME ", SOON_MS);
	observe(f);
	assert_true(f->w.running);
	qemu_command(&f->qemu, "{\"execute\": \"stop\"}\n");
	watch_until(&f->w, "event:STOP ", SOON_MS);
	observe(f);
	assert_false(f->w.running);
	assert_string_equal(f->w.status, "paused");
}

static void
a_stopped_qemu_stalls_and_comes_back(void **state)
{
	struct fixture *f = *state;
	int status;

	monitor_free(f->w.monitor);
	f->w.options.session_ms = 200;
	f->w.options.query_ms = 200;
	watch_forget(&f->w);
	watch_start(&f->w);
	/* on a slow machine it may have stalled before; nothing is asked after it */
	watch_until(&f->w, "facts ", SOON_MS);
	watch_forget(&f->w);
	kill(f->qemu.pid, SIGSTOP);
	/* none of its threads answers any more */
	assert_int_equal(waitpid(f->qemu.pid, &status, WUNTRACED), f->qemu.pid);
	assert_true(WIFSTOPPED(status));
	monitor_observe(f->w.monitor);
	assert_true(watch_until(&f->w, "stalled ", SOON_MS) >= 150);
	if (strstr(f->w.why.text, "(query-status awaited)") == NULL)
		fail_msg("stalled: %s", f->w.why.text);
	watch_for(&f->w, 300);
	monitor_observe(f->w.monitor);
	watch_for(&f->w, 300);
	assert_string_equal(strstr(f->w.told.s, "stalled"), "stalled ");
	kill(f->qemu.pid, SIGCONT);
	watch_until(&f->w, "watching ", SOON_MS);
	watch_until(&f->w, "facts ", SOON_MS);
	assert_int_equal(f->w.n_vcpus, 2);
}

static void
a_killed_qemu_is_noticed_at_once(void **state)
{
	struct fixture *f = *state;
	unsigned int ms;

	kill(f->qemu.pid, SIGKILL);
	ms = watch_until(&f->w, "idle ", SOON_MS);
	print_message("noticed after %u ms\n", ms);
	assert_true(ms < 10000);
}

static void
a_quitting_qemu_says_so_before_it_leaves(void **state)
{
	struct fixture *f = *state;

	qemu_command(&f->qemu, "{\"execute\": \"quit\"}\n");
	watch_until(&f->w, "event:SHUTDOWN idle ", SOON_MS);
}

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
report(const char *what, uint64_t us[RUNS])
{
	qsort(us, RUNS, sizeof(us[0]), by_size);
	print_message("%s: median %.2f ms, 95 %% %.2f ms, max %.2f ms\n", what,
		(double)us[RUNS / 2] / 1000, (double)us[RUNS * 95 / 100] / 1000,
		(double)us[RUNS - 1] / 1000);
}

/* Without the tick of watch_until(): only the monitor's own events. */
static uint64_t
time_facts(struct fixture *f, uint64_t start_us)
{
	while (strstr(strbuf_text(&f->w.told), "facts ") == NULL)
		event_base_loop(f->w.base, EVLOOP_ONCE);
	return clock_now_us(clock_system()) - start_us;
}

static void
facts_come_within_milliseconds(void **state)
{
	struct fixture *f = *state;
	uint64_t held_us[RUNS];
	uint64_t fresh_us[RUNS];
	uint64_t start_us;

	for (unsigned int i = 0; i < RUNS; i++) {
		watch_forget(&f->w);
		start_us = clock_now_us(clock_system());
		monitor_observe(f->w.monitor);
		held_us[i] = time_facts(f, start_us);
	}
	for (unsigned int i = 0; i < RUNS; i++) {
		monitor_free(f->w.monitor);
		watch_for(&f->w, 10); /* QEMU sees the end and listens again */
		watch_forget(&f->w);
		start_us = clock_now_us(clock_system());
		watch_start(&f->w);
		monitor_observe(f->w.monitor);
		fresh_us[i] = time_facts(f, start_us);
	}
	report("observe to facts", held_us);
	report("connect to facts", fresh_us);
	assert_true(held_us[RUNS / 2] < 5000000);
	assert_true(fresh_us[RUNS / 2] < 5000000);
}

#define test_with_qemu(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_qemu(the_facts_are_those_of_the_command_line),
		test_with_qemu(a_plugged_vcpu_is_seen),
		test_with_qemu(stop_and_cont_are_told),
		test_with_qemu(a_stopped_qemu_stalls_and_comes_back),
		test_with_qemu(a_killed_qemu_is_noticed_at_once),
		test_with_qemu(a_quitting_qemu_says_so_before_it_leaves),
		test_with_qemu(facts_come_within_milliseconds),
	};

	if (!qemu_is_installed(QEMU)) {
		printf("skipped: %s is not installed\n", QEMU);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
