// SPDX-License-Identifier: MIT
/*
 * A real QEMU from its socket to a pinned vCPU: found, proven, its threads sorted with
 * QMP's word, set, recorded, given back. Skipped where there is no QEMU.
 */
#include "config.h"

#include "vm/threads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "act/affinity.h"
#include "act/record.h"
#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "procs.h"
#include "vm/discovery.h"
#include "vm/identity.h"
#include "vm/task.h"

#define QEMU "qemu-system-x86_64"
#define DEADLINE_S 60
#define CLAIMS_MAX 8

/* One VM for the whole program; the tests are its life in order. */
struct world {
	char *dir;
	char *socket_path;
	char *pid_path;
	int procfd;
	pid_t qemu;
	struct event_base *base;
	struct discovery *discovery;
	bool found;
	bool lost;
	FILE *qmp;
	struct vm_identity id;
	struct thread_claim claims[CLAIMS_MAX];
	size_t n_claims;
	struct vm_thread *threads;
	size_t n_threads;
};

static void
run_qemu(const struct world *w)
{
	auto_free char *qmp = xasprintf("unix:%s,server=on,wait=off", w->socket_path);
	const char *const argv[] = {QEMU, "-name", "test,debug-threads=on", "-S",
		"-machine", "q35,accel=tcg", "-m", "64", "-smp", "2,maxcpus=4",
		"-nodefaults", "-display", "none", "-object", "iothread,id=io0",
		"-pidfile", w->pid_path, "-qmp", qmp, NULL};
	char *args[ARRAY_LEN(argv)];

	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		args[i] = argv[i] != NULL ? xstrdup(argv[i]) : NULL;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp(QEMU, args);
	_exit(77);
}

static void
on_found(void *owner, const struct discovered *found)
{
	struct world *w = owner;

	assert_string_equal(found->id, "103");
	assert_true(found->fresh);
	w->found = true;
	event_base_loopbreak(w->base);
}

static void
on_lost(void *owner, const char *id)
{
	struct world *w = owner;

	assert_string_equal(id, "103");
	w->lost = true;
	event_base_loopbreak(w->base);
}

static void
on_trouble(void *owner, const struct err *why)
{
	(void)owner;
	fail_msg("%s: %s", why->source, why->text);
}

static int
set_up(void **state)
{
	static const struct discovery_handlers handlers = {
		on_found, on_lost, on_trouble};
	struct world *w = xcalloc(1, sizeof(*w));

	w->dir = procs_make_dir();
	w->socket_path = xasprintf("%s/103.qmp", w->dir);
	w->pid_path = xasprintf("%s/103.pid", w->dir);
	w->procfd = procs_open_proc();
	w->base = event_base_new();
	w->discovery = discovery_new(w->base, w->dir, &handlers, w);
	discovery_start(w->discovery);
	w->qemu = fork();
	if (w->qemu == 0)
		run_qemu(w);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	if (w->qemu > 0)
		procs_kill_pid(w->qemu);
	if (w->qmp != NULL)
		fclose(w->qmp);
	discovery_free(w->discovery);
	event_base_free(w->base);
	identity_fini(&w->id);
	close(w->procfd);
	procs_remove_dir(w->dir);
	free(w->socket_path);
	free(w->pid_path);
	free(w->threads);
	free(w);
	return 0;
}

static void
on_deadline(int fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	(void)owner;
	fail_msg("nothing happened for %d s", DEADLINE_S);
}

static void
wait_for(const struct world *w, const bool *done)
{
	struct event *deadline = evtimer_new(w->base, on_deadline, NULL);
	struct timeval in = {.tv_sec = DEADLINE_S};

	evtimer_add(deadline, &in);
	while (!*done)
		event_base_loop(w->base, EVLOOP_ONCE);
	event_free(deadline);
}

/* The file is there from bind() on, the listener a moment later. */
static int
connect_to(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	str_copy(sa.sun_path, sizeof(sa.sun_path), path);
	while (connect(fd, (const void *)&sa, sizeof(sa)) < 0) {
		if (errno != ECONNREFUSED)
			fail_msg("connect: %s", strerror(errno));
		sched_yield();
	}
	return fd;
}

static bool
has_qemu(struct world *w)
{
	auto_free char *probe = xasprintf("command -v %s >/dev/null", QEMU);

	if (system(probe) == 0) /* NOLINT: a constant command */
		return true;
	print_message("skipped: no %s\n", QEMU);
	waitpid(w->qemu, NULL, 0);
	w->qemu = 0;
	return false;
}

/* The answer to one command; events in between are skipped. New reference. */
static json_t *
ask(struct world *w, const char *command)
{
	/* past stdio, which cannot read and write a socket in turn */
	assert_int_equal(
		write(fileno(w->qmp), command, strlen(command)), strlen(command));
	for (;;) {
		json_t *reply = json_loadf(w->qmp, JSON_DISABLE_EOF_CHECK, NULL);
		json_t *value = json_object_get(reply, "return");

		assert_non_null(reply);
		if (json_object_get(reply, "event") == NULL) {
			if (value == NULL)
				fail_msg("%s: %s", command, json_dumps(reply, 0));
			json_incref(value);
			json_decref(reply);
			return value;
		}
		json_decref(reply);
	}
}

static void
claim(struct world *w, const char *command, enum thread_class class)
{
	json_t *items = ask(w, command);
	json_t *item;
	size_t i;

	json_array_foreach (items, i, item) {
		json_t *index = json_object_get(item, "cpu-index");
		json_t *tid = json_object_get(item, "thread-id");

		assert_true(w->n_claims < CLAIMS_MAX);
		w->claims[w->n_claims++] = (struct thread_claim){
			.tid = (pid_t)json_integer_value(tid),
			.class = class,
			.index =
				index != NULL ? (int)json_integer_value(index) : (int)i,
		};
	}
	json_decref(items);
}

static void
observe(struct world *w)
{
	auto_free struct task_stat *stats = NULL;
	auto_free pid_t *tids = NULL;
	struct err e = ERR_NONE;
	ssize_t n;

	w->n_claims = 0;
	claim(w, "{\"execute\":\"query-cpus-fast\"}", THREAD_VCPU);
	claim(w, "{\"execute\":\"query-iothreads\"}", THREAD_IOTHREAD);
	n = task_list_read(w->procfd, w->id.pid, &tids);
	assert_true(n > 0);
	stats = xcalloc((size_t)n, sizeof(*stats));
	free(w->threads);
	w->threads = xcalloc((size_t)n, sizeof(*w->threads));
	w->n_threads = 0;
	for (ssize_t i = 0; i < n; i++) {
		/* a pool worker may end between list and look */
		if (task_stat_read(
			    w->procfd, w->id.pid, tids[i], &stats[w->n_threads]) == 0)
			w->n_threads++;
	}
	if (threads_classify(w->id.pid, stats, w->n_threads, w->claims, w->n_claims,
		    w->threads, &e) < 0)
		fail_msg("%s", e.text);
}

static const struct vm_thread *
thread_of(const struct world *w, enum thread_class class, int index)
{
	const struct vm_thread *found = NULL;

	for (size_t i = 0; i < w->n_threads; i++) {
		if (w->threads[i].class == class && w->threads[i].index == index) {
			assert_null(found);
			found = &w->threads[i];
		}
	}
	assert_non_null(found);
	return found;
}

static size_t
count(const struct world *w, enum thread_class class)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_threads; i++)
		n += w->threads[i].class == class;
	return n;
}

static int
read_start(const struct thread_ref *t, uint64_t *out)
{
	struct task_stat s;
	int r = task_stat_read(t->procfd, t->pid, t->tid, &s);

	if (r == 0)
		*out = s.start_ticks;
	return r;
}

static struct thread_ref
ref_of(const struct world *w, const struct vm_thread *t)
{
	return (struct thread_ref){
		.procfd = w->procfd,
		.pidfd = w->id.pidfd,
		.pid = w->id.pid,
		.tid = t->tid,
		.start_ticks = t->start_ticks,
		.start_ticks_now = read_start,
	};
}

static void
its_socket_is_found(void **state)
{
	struct world *w = *state;

	if (!has_qemu(w))
		skip();
	wait_for(w, &w->found);
}

static void
the_process_behind_the_socket_is_proven(void **state)
{
	struct world *w = *state;
	struct err e = ERR_NONE;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	json_t *greeting;
	int fd;

	if (!w->found)
		skip();
	fd = connect_to(w->socket_path);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len), 0);
	w->qmp = fdopen(fd, "r");
	/* greeted: by now the pidfile is written too */
	greeting = json_loadf(w->qmp, JSON_DISABLE_EOF_CHECK, NULL);
	assert_non_null(json_object_get(greeting, "QMP"));
	json_decref(greeting);
	if (identity_prove(
		    w->procfd, w->socket_path, w->pid_path, 1, &peer, &w->id, &e) < 0)
		fail_msg("%s: %s", e.source, e.text);
	assert_int_equal(identity_check_peer(fd, w->socket_path, &e), 0);
	assert_int_equal(w->id.pid, w->qemu);
	json_decref(ask(w, "{\"execute\":\"qmp_capabilities\"}"));
}

static void
every_thread_has_its_class(void **state)
{
	struct world *w = *state;

	if (!w->found)
		skip();
	observe(w);
	for (size_t i = 0; i < w->n_threads; i++)
		print_message("%s %d \"%s\"\n", thread_class_name(w->threads[i].class),
			w->threads[i].index, w->threads[i].comm);
	assert_int_equal(count(w, THREAD_VCPU), 2);
	assert_int_equal(count(w, THREAD_IOTHREAD), 1);
	assert_int_equal(count(w, THREAD_EMULATOR), 1);
	assert_int_equal(count(w, THREAD_VHOST), 0);
	assert_string_equal(thread_of(w, THREAD_VCPU, 1)->comm, "CPU 1/TCG");
	assert_int_equal(thread_of(w, THREAD_EMULATOR, -1)->tid, w->id.pid);
}

static void
one_lie_about_a_thread_and_nothing_is_sorted(void **state)
{
	struct world *w = *state;
	struct vm_thread out[1];
	struct task_stat main_thread;

	if (!w->found)
		skip();
	assert_int_equal(
		task_stat_read(w->procfd, w->id.pid, w->id.pid, &main_thread), 0);
	w->claims[0].tid = getpid();
	assert_int_equal(
		threads_classify(w->id.pid, &main_thread, 1, w->claims, 1, out, NULL),
		-ESTALE);
}

static void
a_plugged_vcpu_has_the_emulators_mask_until_it_is_pinned(void **state)
{
	struct world *w = *state;
	const struct vm_thread *vcpu;
	struct thread_ref ref;
	struct cpuset limit;
	struct cpuset pin;
	struct cpuset now;

	if (!w->found)
		skip();
	json_decref(ask(w,
		"{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"qemu64-x86_64-cpu\","
		"\"id\":\"cpu2\",\"socket-id\":0,\"core-id\":2,\"thread-id\":0}}"));
	observe(w);
	assert_int_equal(count(w, THREAD_VCPU), 3);
	vcpu = thread_of(w, THREAD_VCPU, 2);
	assert_int_equal(affinity_read(w->id.pid, &limit), 0);
	assert_int_equal(affinity_read(vcpu->tid, &now), 0);
	assert_true(cpuset_equal(&now, &limit));
	pin = cpuset_of(cpuset_next(&limit, 0));
	ref = ref_of(w, vcpu);
	assert_int_equal(affinity_apply(&ref, &pin, NULL), 0);
	for (size_t i = 0; i < w->n_threads; i++) {
		const struct cpuset *want =
			w->threads[i].tid == vcpu->tid ? &pin : &limit;

		if (affinity_read(w->threads[i].tid, &now) == 0 &&
			!cpuset_equal(&now, want))
			fail_msg("thread %d has another mask", (int)w->threads[i].tid);
	}
}

/* What util-linux says: a reader that is not ours. */
static void
assert_taskset(pid_t tid, const struct cpuset *want)
{
	auto_free char *command = xasprintf("LC_ALL=C taskset -cp %d", (int)tid);
	FILE *out = popen(command, "r"); /* NOLINT: a constant command and a number */
	char line[256] = "";
	struct cpuset got;
	char *found;

	assert_non_null(out);
	found = fgets(line, sizeof(line), out);
	if (pclose(out) != 0 || found == NULL)
		return; /* no taskset here */
	found = strstr(line, ": ");
	assert_non_null(found);
	assert_int_equal(cpuset_parse(found + 2, &got), 0);
	assert_true(cpuset_equal(&got, want));
}

static void
the_record_gives_every_mask_back(void **state)
{
	struct world *w = *state;
	struct record r = {.id = "103", .pid = w->id.pid};
	auto_close int dirfd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct vm_thread *vcpu;
	struct record back;
	struct cpuset mask;
	struct cpuset pin;
	struct thread_ref ref;

	if (!w->found)
		skip();
	vcpu = thread_of(w, THREAD_VCPU, 0);
	ref = ref_of(w, vcpu);
	assert_int_equal(affinity_read(vcpu->tid, &mask), 0);
	assert_true(record_add(&r, vcpu->tid, vcpu->start_ticks, &mask));
	assert_int_equal(record_save(dirfd, &r, NULL), 0);
	pin = cpuset_of(cpuset_next(&mask, 0));
	assert_int_equal(affinity_apply(&ref, &pin, NULL), 0);
	assert_taskset(vcpu->tid, &pin);
	/* as a daemon that starts again */
	assert_int_equal(record_load(dirfd, "103", &back, NULL), 0);
	assert_non_null(record_find(&back, vcpu->tid, vcpu->start_ticks));
	assert_int_equal(
		affinity_apply(&ref,
			record_find(&back, vcpu->tid, vcpu->start_ticks)->cpus, NULL),
		0);
	assert_taskset(vcpu->tid, &mask);
	record_remove(dirfd, "103");
	record_fini(&back);
	record_fini(&r);
}

static void
when_it_ends_everything_says_so(void **state)
{
	struct world *w = *state;
	struct pollfd ended = {.events = POLLIN};
	const struct vm_thread *vcpu;
	struct thread_ref ref;
	struct cpuset one = cpuset_of(0);
	struct err e = ERR_NONE;

	if (!w->found)
		skip();
	vcpu = thread_of(w, THREAD_VCPU, 1);
	ref = ref_of(w, vcpu);
	ended.fd = w->id.pidfd;
	assert_int_equal(poll(&ended, 1, 0), 0);
	kill(w->qemu, SIGTERM); /* it takes its socket with it */
	assert_int_equal(poll(&ended, 1, DEADLINE_S * 1000), 1);
	wait_for(w, &w->lost);
	assert_int_equal(affinity_apply(&ref, &one, NULL), -ESRCH);
	assert_int_equal(
		identity_check_peer(fileno(w->qmp), w->socket_path, &e), -ECONNRESET);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_socket_is_found),
		cmocka_unit_test(the_process_behind_the_socket_is_proven),
		cmocka_unit_test(every_thread_has_its_class),
		cmocka_unit_test(one_lie_about_a_thread_and_nothing_is_sorted),
		cmocka_unit_test(
			a_plugged_vcpu_has_the_emulators_mask_until_it_is_pinned),
		cmocka_unit_test(the_record_gives_every_mask_back),
		cmocka_unit_test(when_it_ends_everything_says_so),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
