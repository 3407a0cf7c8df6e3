// SPDX-License-Identifier: MIT
/*
 * A private monitor on real QEMUs: QMPIN_QEMU_11_1 names a program that starts a QEMU
 * of 11.1 or later; the installed one, if it is older, must be left as it is.
 */
#include "config.h"

#include "qmp/private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "qmp/dial.h"
#include "qmp/frame.h"
#include "qmp/reception.h"

#define INSTALLED "qemu-system-x86_64"
#define SOON_MS 30000u
#define CYCLES 100u

/* A session on a monitor, spoken blockingly. */
struct talk {
	int fd;
	uint64_t id;
	struct strbuf heard; /* what has not been looked at yet */
};

struct fixture {
	char dir[64];
	char shared[128];
	pid_t qemu;
	struct event_base *base;
	struct reception *reception;
	struct talk private; /* fd -1: QEMU has not dialled in */
	unsigned int dialled;
	struct private steps;
};

static uint64_t
now_us(void)
{
	return clock_now_us(clock_system());
}

static void
nap(void)
{
	const struct timespec ms = {.tv_nsec = 2000000};

	nanosleep(&ms, NULL);
}

static void
talk_on(struct talk *t, int fd)
{
	const struct timeval patience = {.tv_sec = SOON_MS / 1000};

	*t = (struct talk){.fd = fd};
	(void)fcntl(fd, F_SETFL, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static void
hang_up(struct talk *t)
{
	if (t->fd >= 0)
		close(t->fd);
	strbuf_fini(&t->heard);
	*t = (struct talk){.fd = -1};
}

/* The next message; the caller frees it. */
static void
hear(struct talk *t, struct message *m)
{
	char *end = NULL;
	char bytes[4096];
	ssize_t n;

	while (t->heard.len == 0 || (end = strchr(t->heard.s, '\n')) == NULL) {
		n = recv(t->fd, bytes, sizeof(bytes), 0);
		if (n <= 0)
			fail_msg(
				"no more from QEMU behind: %s", strbuf_text(&t->heard));
		strbuf_add(&t->heard, bytes, (size_t)n);
	}
	assert_int_equal(
		message_parse(t->heard.s, (size_t)(end - t->heard.s), m, NULL), 0);
	strbuf_drop(&t->heard, (size_t)(end - t->heard.s) + 1);
}

static void
hear_greeting(struct talk *t)
{
	struct message m;

	hear(t, &m);
	assert_int_equal(m.kind, MESSAGE_GREETING);
	message_fini(&m);
}

static void
hear_event(struct talk *t, enum qmp_event_kind kind)
{
	struct message m;

	hear(t, &m);
	assert_int_equal(m.kind, MESSAGE_EVENT);
	assert_int_equal(m.event.kind, kind);
	message_fini(&m);
}

static void
say(const struct talk *t, const char *text)
{
	assert_int_equal(send(t->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The reply to @command; events are skipped. */
static void
ask(struct talk *t, enum message_command command, const char *path, struct message *m)
{
	struct strbuf text = {0};

	message_command_format(command, ++t->id, path, &text);
	say(t, text.s);
	strbuf_fini(&text);
	for (hear(t, m); m->kind == MESSAGE_EVENT; hear(t, m))
		message_fini(m);
	assert_true(m->id == t->id);
}

static void
negotiate(struct talk *t)
{
	struct message m;

	hear_greeting(t);
	ask(t, MESSAGE_CAPABILITIES, NULL, &m);
	assert_int_equal(m.kind, MESSAGE_RETURN);
	message_fini(&m);
}

static void
visit(const struct fixture *f, struct talk *t)
{
	uint64_t end_us = now_us() + SOON_MS * 1000ull;
	struct ucred peer;
	int fd = dial_socket();
	int r;

	while ((r = dial_connect(fd, f->shared, &peer, NULL)) < 0 && now_us() < end_us)
		nap();
	assert_int_equal(r, 0);
	talk_on(t, fd);
	negotiate(t);
}

/* All steps of @goal over @t. */
static enum private_outcome
pursue(struct fixture *f, struct talk *t, enum private_goal goal)
{
	struct private *p = &f->steps;
	struct message m;
	char path[128];

	snprintf(path, sizeof(path), "%s/monitor.sock", f->dir);
	private_init(p, goal, path);
	while (p->outcome == PRIVATE_BUSY) {
		ask(t, private_next(p), path, &m);
		(void)private_answer(p, m.ret, m.desc);
		message_fini(&m);
	}
	if (err_is_set(private_why(p)))
		print_message("%s\n", private_why(p)->text);
	return p->outcome;
}

/* The same over a brief session of its own. */
static enum private_outcome
do_briefly(struct fixture *f, enum private_goal goal)
{
	struct talk t;

	visit(f, &t);
	(void)pursue(f, &t, goal);
	hang_up(&t);
	return f->steps.outcome;
}

static bool
on_dial_in(void *owner, int fd, const struct ucred *peer)
{
	struct fixture *f = owner;

	if (peer->pid != f->qemu)
		return false;
	hang_up(&f->private);
	talk_on(&f->private, fd);
	f->dialled++;
	return true;
}

static void
on_stranger(void *owner, const struct ucred *peer)
{
	(void)owner;
	fail_msg("a stranger: %d", (int)peer->pid);
}

static void
open_reception(struct fixture *f)
{
	static const struct reception_handlers handlers = {on_dial_in, on_stranger};

	assert_int_equal(
		reception_new(f->base, f->dir, &handlers, f, &f->reception, NULL), 0);
}

/* Until QEMU has dialled in @n times; the milliseconds it took. */
static unsigned int
await_dial_in(struct fixture *f, unsigned int n)
{
	uint64_t start_us = now_us();

	while (f->dialled < n) {
		assert_true(now_us() < start_us + SOON_MS * 1000ull);
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		nap();
	}
	return (unsigned int)((now_us() - start_us) / 1000);
}

static unsigned int
count(const struct fixture *f, const char *what)
{
	auto_free char *path = xasprintf("/proc/%d/%s", (int)f->qemu, what);
	DIR *dir = opendir(path);
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* Threads that connect end by themselves, a moment later. */
static void
expect_count(const struct fixture *f, const char *what, unsigned int expected)
{
	uint64_t end_us = now_us() + SOON_MS * 1000ull;

	while (count(f, what) != expected && now_us() < end_us)
		nap();
	assert_int_equal(count(f, what), expected);
}

static unsigned long
rss_kib(const struct fixture *f)
{
	auto_free char *path = xasprintf("/proc/%d/status", (int)f->qemu);
	FILE *status = fopen(path, "re");
	unsigned long kib = 0;
	char line[128];

	assert_non_null(status);
	while (fgets(line, sizeof(line), status) != NULL) {
		if (str_has_prefix(line, "VmRSS:"))
			kib = strtoul(line + 6, NULL, 10);
	}
	fclose(status);
	return kib;
}

static void
run_qemu(const char *program, const char *qmp)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execlp(program, program, "-accel", "tcg", "-display", "none", "-nodefaults",
		"-machine", "q35", "-m", "32", "-S", "-qmp", qmp, (char *)NULL);
	_exit(127);
}

static int
setup(void **state, const char *program)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	auto_free char *qmp = NULL;

	f->private.fd = -1;
	str_copy(f->dir, sizeof(f->dir), "/tmp/qmpin-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->shared, sizeof(f->shared), "%s/103.qmp", f->dir);
	qmp = xasprintf("unix:%s,server=on,wait=off", f->shared);
	f->qemu = fork();
	assert_true(f->qemu >= 0);
	if (f->qemu == 0)
		run_qemu(program, qmp);
	f->base = event_base_new();
	assert_non_null(f->base);
	*state = f;
	return 0;
}

static int
setup_new(void **state)
{
	return setup(state, getenv("QMPIN_QEMU_11_1"));
}

static int
setup_installed(void **state)
{
	return setup(state, INSTALLED);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	kill(f->qemu, SIGKILL);
	assert_int_equal(waitpid(f->qemu, NULL, 0), f->qemu);
	hang_up(&f->private);
	reception_free(f->reception);
	event_base_free(f->base);
	(void)unlink(f->shared);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void
it_is_made_once_and_tells_events(void **state)
{
	struct fixture *f = *state;
	struct talk rival;

	open_reception(f);
	assert_int_equal(do_briefly(f, PRIVATE_ADD), PRIVATE_ADDED);
	await_dial_in(f, 1);
	negotiate(&f->private);
	assert_int_equal(do_briefly(f, PRIVATE_ADD), PRIVATE_THERE);
	visit(f, &rival);
	say(&rival, "{\"execute\": \"cont\"}\n");
	hear_event(&f->private, QMP_EVENT_RESUME);
	say(&rival, "{\"execute\": \"stop\"}\n");
	hear_event(&f->private, QMP_EVENT_STOP);
	hang_up(&rival);
	assert_int_equal(f->dialled, 1);
}

static void
a_monitor_cannot_remove_itself(void **state)
{
	struct fixture *f = *state;

	open_reception(f);
	assert_int_equal(do_briefly(f, PRIVATE_ADD), PRIVATE_ADDED);
	await_dial_in(f, 1);
	negotiate(&f->private);
	assert_int_equal(pursue(f, &f->private, PRIVATE_REMOVE), PRIVATE_FAILED);
	assert_int_equal(pursue(f, &f->private, PRIVATE_ADD), PRIVATE_THERE);
}

/* As another run directory has left it. */
static void
one_that_dials_elsewhere_stays_until_it_is_removed(void **state)
{
	struct fixture *f = *state;
	auto_free char *elsewhere = xasprintf("%s/older/monitor.sock", f->dir);
	struct message m[2];
	struct talk t;

	open_reception(f);
	visit(f, &t);
	ask(&t, MESSAGE_CHARDEV_ADD, elsewhere, &m[0]);
	message_fini(&m[0]);
	ask(&t, MESSAGE_OBJECT_ADD, elsewhere, &m[0]);
	message_fini(&m[0]);
	ask(&t, MESSAGE_QOM_LIST_OBJECTS, NULL, &m[0]);
	assert_int_equal(pursue(f, &t, PRIVATE_ADD), PRIVATE_TAKEN);
	assert_non_null(strstr(private_why(&f->steps)->text, elsewhere));
	ask(&t, MESSAGE_QOM_LIST_OBJECTS, NULL, &m[1]);
	assert_true(json_equal(m[0].ret, m[1].ret) == 1);
	message_fini(&m[0]);
	message_fini(&m[1]);
	assert_int_equal(pursue(f, &t, PRIVATE_REMOVE), PRIVATE_REMOVED);
	assert_int_equal(pursue(f, &t, PRIVATE_ADD), PRIVATE_ADDED);
	hang_up(&t);
	await_dial_in(f, 1);
	negotiate(&f->private);
}

/* Half of it is made, as by somebody who died: the rest is added. */
static void
what_is_half_made_is_finished(void **state)
{
	struct fixture *f = *state;
	struct talk t;
	struct message m;

	open_reception(f);
	visit(f, &t);
	ask(&t, MESSAGE_CHARDEV_ADD, reception_path(f->reception), &m);
	message_fini(&m);
	hang_up(&t);
	await_dial_in(f, 1);
	assert_int_equal(do_briefly(f, PRIVATE_ADD), PRIVATE_ADDED);
	negotiate(&f->private);
}

/* The one who listened goes, and comes back. */
static void
qemu_dials_again_by_itself(void **state)
{
	struct fixture *f = *state;
	unsigned int ms;

	open_reception(f);
	assert_int_equal(do_briefly(f, PRIVATE_ADD), PRIVATE_ADDED);
	assert_int_equal(do_briefly(f, PRIVATE_ADD), PRIVATE_THERE);
	ms = await_dial_in(f, 1);
	negotiate(&f->private);
	assert_int_equal(do_briefly(f, PRIVATE_ADD), PRIVATE_THERE);
	reception_free(f->reception);
	hang_up(&f->private);
	open_reception(f);
	print_message(
		"dials after %u ms, and again after %u ms\n", ms, await_dial_in(f, 2));
	negotiate(&f->private);
	assert_int_equal(do_briefly(f, PRIVATE_ADD), PRIVATE_THERE);
}

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
cycle(struct fixture *f, unsigned int i, uint64_t *add_us)
{
	struct talk t;
	uint64_t start_us;

	visit(f, &t);
	start_us = now_us();
	assert_int_equal(pursue(f, &t, PRIVATE_ADD), PRIVATE_ADDED);
	*add_us = now_us() - start_us;
	hang_up(&t);
	await_dial_in(f, i);
	negotiate(&f->private);
	assert_int_equal(do_briefly(f, PRIVATE_REMOVE), PRIVATE_REMOVED);
}

static void
nothing_is_left_of_a_hundred(void **state)
{
	struct fixture *f = *state;
	uint64_t add_us[CYCLES];
	unsigned long before_kib;
	unsigned int tasks;
	unsigned int fds;

	open_reception(f);
	cycle(f, 1, &add_us[0]); /* starts threads that stay, once: its I/O thread */
	assert_int_equal(do_briefly(f, PRIVATE_REMOVE), PRIVATE_REMOVED);
	nap();
	tasks = count(f, "task");
	fds = count(f, "fd");
	before_kib = rss_kib(f);
	for (unsigned int i = 1; i < CYCLES; i++)
		cycle(f, i + 1, &add_us[i]);
	expect_count(f, "task", tasks);
	expect_count(f, "fd", fds);
	qsort(add_us, CYCLES, sizeof(add_us[0]), by_size);
	print_message("adding: median %.2f ms, max %.2f ms; %u cycles: %ld KiB more\n",
		(double)add_us[CYCLES / 2] / 1000, (double)add_us[CYCLES - 1] / 1000,
		CYCLES, (long)rss_kib(f) - (long)before_kib);
	assert_true(rss_kib(f) < before_kib + 32 * 1024);
}

static void
before_and_after_it_qemu_is_the_same(void **state)
{
	struct fixture *f = *state;
	struct message m[2];
	struct talk t;
	unsigned int tasks;
	unsigned int fds;

	open_reception(f);
	visit(f, &t);
	tasks = count(f, "task");
	fds = count(f, "fd");
	ask(&t, MESSAGE_QOM_LIST_OBJECTS, NULL, &m[0]);
	assert_int_equal(pursue(f, &t, PRIVATE_ADD), PRIVATE_ADDED);
	assert_int_equal(pursue(f, &t, PRIVATE_REMOVE), PRIVATE_REMOVED);
	assert_int_equal(pursue(f, &t, PRIVATE_REMOVE), PRIVATE_REMOVED);
	ask(&t, MESSAGE_QOM_LIST_OBJECTS, NULL, &m[1]);
	assert_true(json_equal(m[0].ret, m[1].ret) == 1);
	expect_count(f, "task", tasks);
	expect_count(f, "fd", fds);
	message_fini(&m[0]);
	message_fini(&m[1]);
	hang_up(&t);
}

static void
an_old_qemu_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct message m[2];
	struct talk t;
	unsigned int fds;

	visit(f, &t);
	fds = count(f, "fd");
	ask(&t, MESSAGE_QUERY_CHARDEV, NULL, &m[0]);
	if (pursue(f, &t, PRIVATE_ADD) != PRIVATE_UNSUPPORTED) {
		assert_int_equal(f->steps.outcome, PRIVATE_ADDED);
		print_message("the installed QEMU is not old\n");
	} else {
		assert_int_equal(pursue(f, &t, PRIVATE_REMOVE), PRIVATE_REMOVED);
		ask(&t, MESSAGE_QUERY_CHARDEV, NULL, &m[1]);
		assert_true(json_equal(m[0].ret, m[1].ret) == 1);
		message_fini(&m[1]);
		assert_int_equal(count(f, "fd"), fds);
	}
	message_fini(&m[0]);
	hang_up(&t);
}

#define test_new(name) cmocka_unit_test_setup_teardown(name, setup_new, teardown)

int
main(void)
{
	const struct CMUnitTest installed[] = {
		cmocka_unit_test_setup_teardown(
			an_old_qemu_is_left_alone, setup_installed, teardown),
	};
	const struct CMUnitTest new[] = {
		test_new(it_is_made_once_and_tells_events),
		test_new(a_monitor_cannot_remove_itself),
		test_new(one_that_dials_elsewhere_stays_until_it_is_removed),
		test_new(what_is_half_made_is_finished),
		test_new(qemu_dials_again_by_itself),
		test_new(before_and_after_it_qemu_is_the_same),
		test_new(nothing_is_left_of_a_hundred),
	};
	const bool has_new = getenv("QMPIN_QEMU_11_1") != NULL;
	const bool has_installed = system(INSTALLED " --version >/dev/null 2>&1") == 0;
	int failed = 0;

	if (!has_new)
		printf("skipped: QMPIN_QEMU_11_1 names no QEMU\n");
	if (!has_installed)
		printf("skipped: %s is not installed\n", INSTALLED);
	if (has_new)
		failed += cmocka_run_group_tests(new, NULL, NULL);
	if (has_installed)
		failed += cmocka_run_group_tests(installed, NULL, NULL);
	return has_new || has_installed ? failed : 77;
}
