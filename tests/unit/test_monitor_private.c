// SPDX-License-Identifier: MIT
/*
 * A private monitor that does not come about at once: a fake QEMU ends the visit that
 * makes it, greets late or not at all, or was left half made by a daemon before.
 */
#include "config.h"

#include "qmp/monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <signal.h>
#include <unistd.h>

#include "base/str.h"
#include "qmp/reception.h"
#include "qmp_qemu.h"
#include "qmp_server.h"
#include "qmp_watch.h"

#define SOON_MS 20000u
/* How long a greeting is waited for here. */
#define SESSION_MS 300u
#define LATE_MS 2000u
/* QEMU dials again after this; the real one after 5 s. */
#define REDIAL_MS 100u

/* What is wrong with the fake QEMU. */
struct fault {
	unsigned int cut;  /* so many visits end at object-add, which is not done */
	unsigned int kept; /* so many end at object-del, likewise */
	unsigned int mute; /* so many private connections never greet */
	bool greets_late;
	bool half_made; /* it has a chardev from before, which has not dialled in */
	bool made;	/* it has both from before */
};

static struct fault fault;

struct fixture {
	struct watch w;
	pid_t server;
};

/* -- the fake QEMU; it runs in the folder of both sockets */

struct machine {
	int listener;
	int visitor; /* -1: nobody */
	int line;    /* of the chardev; -1: not connected */
	bool has_chardev;
	bool has_object;
	uint64_t dial_us; /* when it dials next; 0: it need not */
};

static uint64_t
now_us(void)
{
	return clock_now_us(clock_system());
}

/* Greets and answers there, in a process of its own, which must not keep a visit open.
 */
static void
serve_line(const struct machine *q)
{
	bool is_mute = fault.mute > 0;

	fault.mute -= is_mute;
	if (is_mute || fork() != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (q->visitor >= 0)
		close(q->visitor);
	(void)poll(NULL, 0, fault.greets_late ? (int)LATE_MS : 0);
	server_serve(q->line);
	_exit(0);
}

static void
dial(struct machine *q)
{
	const struct sockaddr_un address = {
		.sun_family = AF_UNIX, .sun_path = "monitor.sock"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		q->dial_us = now_us() + REDIAL_MS * 1000;
		return;
	}
	q->dial_us = 0;
	q->line = fd;
	if (q->has_object)
		serve_line(q);
}

static void
leave(struct machine *q)
{
	close(q->visitor);
	q->visitor = -1;
}

static const char *
describe_chardevs(const struct machine *q, char *out, size_t size)
{
	char folder[128];

	if (!q->has_chardev || getcwd(folder, sizeof(folder)) == NULL)
		return "[]";
	snprintf(out, size,
		"[{\"label\": \"qmpin\", \"filename\": \"%sunix:%s/monitor.sock\"}]",
		q->line < 0 ? "disconnected:" : "", folder);
	return out;
}

static const char *
describe_objects(const struct machine *q)
{
	return q->has_object ? "[{\"name\": \"own\", \"type\": "
			       "\"child<monitor-qmp>\"}, {\"name\": \"qmpin\", "
			       "\"type\": \"child<monitor-qmp>\"}]"
			     : "[{\"name\": \"own\", \"type\": "
			       "\"child<monitor-qmp>\"}]";
}

static bool
is_cut(unsigned int *times)
{
	return *times > 0 && (*times)-- > 0;
}

/* The answer, NULL: the visit is over. */
static const char *
obey(struct machine *q, const char *command, char *room, size_t size)
{
	if (strcmp(command, "query-chardev") == 0)
		return describe_chardevs(q, room, size);
	if (strcmp(command, "qom-list") == 0)
		return describe_objects(q);
	if (strcmp(command, "query-name") == 0)
		return "{}";
	if (strcmp(command, "chardev-add") == 0) {
		q->has_chardev = true;
		dial(q);
	} else if (strcmp(command, "object-add") == 0) {
		if (is_cut(&fault.cut))
			return NULL;
		q->has_object = true;
		serve_line(q);
	} else if (strcmp(command, "object-del") == 0) {
		if (is_cut(&fault.kept))
			return NULL;
		q->has_object = false;
	} else if (strcmp(command, "chardev-remove") == 0) {
		q->has_chardev = false;
	} else {
		return server_answer(command);
	}
	return "{}";
}

static void
hear_visitor(struct machine *q)
{
	const char *answer;
	char command[32];
	char room[256];
	char text[512];
	char id[32];

	if (server_hear(q->visitor, command, id) < 0) {
		leave(q);
		return;
	}
	answer = obey(q, command, room, sizeof(room));
	snprintf(text, sizeof(text), "{\"return\": %s, \"id\": \"%s\"}\r\n",
		answer != NULL ? answer : "", id);
	if (answer == NULL || server_say(q->visitor, text) < 0)
		leave(q);
}

static void
lose_line(struct machine *q)
{
	close(q->line);
	q->line = -1;
	q->dial_us = now_us() + REDIAL_MS * 1000;
}

static void
play(int listener)
{
	struct machine q = {.listener = listener, .visitor = -1, .line = -1};

	signal(SIGCHLD, SIG_IGN);
	if (fault.half_made) {
		q.has_chardev = true;
		q.dial_us = now_us() + LATE_MS * 1000;
	}
	if (fault.made) {
		q.has_chardev = q.has_object = true;
		q.dial_us = now_us();
	}
	for (;;) {
		struct pollfd polled[] = {
			{q.visitor < 0 ? listener : q.visitor, POLLIN, 0},
			{q.line, 0, 0}, /* its end only */
		};

		(void)poll(polled, 2, 10);
		if (q.dial_us != 0 && now_us() >= q.dial_us)
			dial(&q);
		if (q.line >= 0 && (polled[1].revents & POLLHUP) != 0)
			lose_line(&q);
		if (polled[0].revents == 0)
			continue;
		if (q.visitor >= 0) {
			hear_visitor(&q);
			continue;
		}
		q.visitor = server_accept(listener);
		(void)server_say(q.visitor, SERVER_GREETING);
	}
}

/* -- who makes the monitor */

static bool
on_dial_in(void *owner, int fd, const struct ucred *peer)
{
	struct fixture *f = owner;

	return peer->pid == f->server && f->w.monitor != NULL &&
	       monitor_dial_in(f->w.monitor, fd);
}

static void
on_stranger(void *owner, const struct ucred *peer)
{
	(void)owner;
	(void)peer;
}

static int
setup(void **state)
{
	static const struct reception_handlers handlers = {on_dial_in, on_stranger};
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	watch_init(&f->w);
	f->w.options.session_ms = SESSION_MS;
	assert_int_equal(reception_new(f->w.base, f->w.folder, &handlers, f,
				 &f->w.commons.reception, NULL),
		0);
	fault = (struct fault){0};
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	server_stop(f->server);
	reception_free(f->w.commons.reception);
	watch_fini(&f->w);
	free(f);
	return 0;
}

/* With @fault it becomes private nevertheless. */
static void
becomes_private(struct fixture *f, struct fault with)
{
	unsigned int took_ms;

	fault = with;
	f->server = server_start(f->w.path, play);
	watch_start(&f->w);
	took_ms = watch_until_share(&f->w, SHARE_PRIVATE, SOON_MS);
	print_message("private after %u ms\n", took_ms);
	assert_false(err_is_set(&f->w.share_why));
	watch_forget(&f->w);
	monitor_observe(f->w.monitor);
	watch_until(&f->w, "facts ", SOON_MS);
}

static void
it_is_made_over_one_visit(void **state)
{
	struct fixture *f = *state;

	becomes_private(f, (struct fault){0});
	assert_int_equal(f->w.shares, 1);
}

/* As the guard does, when we have had no time to read. */
static void
a_visit_that_is_cut_short_is_made_up_for_by_the_next(void **state)
{
	struct fixture *f = *state;

	f->w.options.session_ms = 20000; /* not by what happens after it */
	becomes_private(f, (struct fault){.cut = 1});
	assert_int_equal(f->w.shares, 1);
}

static void
cut_short_again_and_again_it_comes_about_in_the_end(void **state)
{
	becomes_private(*state, (struct fault){.cut = 6});
}

static void
who_greets_late_is_listened_to(void **state)
{
	struct fixture *f = *state;

	fault = (struct fault){.greets_late = true};
	f->w.options.backoff_min_ms = 6000; /* not by trying again */
	f->w.options.backoff_max_ms = 6000;
	becomes_private(f, fault);
	assert_int_equal(f->w.shares, 2); /* and otherwise meanwhile */
}

static void
who_has_not_greeted_is_called_again(void **state)
{
	struct fixture *f = *state;

	becomes_private(f, (struct fault){.mute = 1});
	assert_int_equal(f->w.shares, 2);
}

/* Meanwhile it is shared in another way, which says why. */
static void
who_never_greets_is_shared_in_another_way(void **state)
{
	struct fixture *f = *state;

	fault.mute = 1000;
	f->w.options.share = SHARE_PRIVATE;
	f->server = server_start(f->w.path, play);
	watch_start(&f->w);
	watch_until_share(&f->w, SHARE_YIELD, SOON_MS);
	assert_string_equal(
		f->w.share_why.text, "QEMU does not greet on its private monitor");
	watch_for(&f->w, 2000); /* it is tried again */
	assert_int_equal(monitor_share(f->w.monitor), SHARE_YIELD);
	assert_int_equal(f->w.shares, 1);
}

static void
what_a_daemon_left_half_made_is_finished(void **state)
{
	becomes_private(*state, (struct fault){.half_made = true});
}

/* Another client, who has the shared monitor and stays. */
static int
come_to_stay(const struct fixture *f)
{
	int fd = qemu_connect(f->w.path);

	assert_true(fd >= 0);
	assert_true(qemu_expect(fd, "\"QMP\"", SOON_MS) >= 0);
	return fd;
}

/* Nothing is missed, no visit was begun since there were @peers, and @free places are
 * in the queue. */
static void
is_not_concerned(struct fixture *f, unsigned int peers, unsigned int free_places)
{
	watch_for(&f->w, 3 * SESSION_MS);
	assert_null(strstr(strbuf_text(&f->w.told), "stalled"));
	assert_int_equal(monitor_phase(f->w.monitor), MONITOR_WATCHING);
	assert_int_equal(monitor_share(f->w.monitor), SHARE_PRIVATE);
	assert_int_equal(f->w.peers, peers);
	while (free_places-- > 0)
		assert_true(qemu_connect(f->w.path) >= 0);
}

static void
with_the_shared_one_taken_that_of_a_daemon_before_is_used(void **state)
{
	struct fixture *f = *state;
	int other;

	fault.made = true;
	f->server = server_start(f->w.path, play);
	other = come_to_stay(f);
	watch_start(&f->w);
	watch_until_share(&f->w, SHARE_PRIVATE, SOON_MS);
	watch_until(&f->w, "facts ", SOON_MS);
	is_not_concerned(f, 1, 1); /* the visit that was given up is in the other one */
	close(other);
}

/* It stays: no visit is needed to say so. */
static void
another_wish_needs_no_visit(void **state)
{
	struct fixture *f = *state;
	unsigned int peers;
	int other;

	becomes_private(f, (struct fault){0});
	peers = f->w.peers;
	other = come_to_stay(f);
	watch_forget(&f->w);
	monitor_set_share(f->w.monitor, SHARE_YIELD);
	is_not_concerned(f, peers, 2);
	assert_string_equal(f->w.share_why.text,
		"its private monitor stays until it is released or its QEMU ends");
	close(other);
}

static void
a_release_that_is_cut_short_is_finished(void **state)
{
	struct fixture *f = *state;

	becomes_private(f, (struct fault){.kept = 2});
	watch_forget(&f->w);
	monitor_release(f->w.monitor);
	watch_until(&f->w, "released ", SOON_MS);
	assert_null(strstr(strbuf_text(&f->w.told), "not-released"));
	watch_until_share(&f->w, SHARE_BRIEF, SOON_MS);
}

static void
a_release_that_never_succeeds_is_told(void **state)
{
	struct fixture *f = *state;

	becomes_private(f, (struct fault){.kept = 1000});
	monitor_release(f->w.monitor);
	watch_until(&f->w, "not-released ", SOON_MS);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(it_is_made_over_one_visit),
		test(a_visit_that_is_cut_short_is_made_up_for_by_the_next),
		test(cut_short_again_and_again_it_comes_about_in_the_end),
		test(who_greets_late_is_listened_to),
		test(who_has_not_greeted_is_called_again),
		test(who_never_greets_is_shared_in_another_way),
		test(what_a_daemon_left_half_made_is_finished),
		test(with_the_shared_one_taken_that_of_a_daemon_before_is_used),
		test(another_wish_needs_no_visit),
		test(a_release_that_is_cut_short_is_finished),
		test(a_release_that_never_succeeds_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
