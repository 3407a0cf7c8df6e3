// SPDX-License-Identifier: MIT
/* Children in the event loop, also where the loop has no room for them. */
#include "config.h"

#include "daemon/childio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "procs.h"

/* For what must happen; a loaded machine takes its time. */
#define LIMIT_US UINT64_C(60000000)
#define FOR_EVER_MS 600000u
/* Longer than a busy machine takes from us between two turns. */
#define SILENCE_MS 300u

struct scene {
	struct event_base *base;
	struct childio io;
	size_t fds;
	bool fragile; /* the next callback frees it */
	bool mortal;  /* its end does */
	bool freed;
	struct strbuf said;
	bool over; /* its output has ended */
	unsigned int n_silent;
	unsigned int n_exited;
};

/* Of this descriptor no event is added; -1: of none. */
static int refused_fd = -1;

int __real_event_add(struct event *ev, const struct timeval *tv);
int __wrap_event_add(struct event *ev, const struct timeval *tv);

int
__wrap_event_add(struct event *ev, const struct timeval *tv)
{
	if (refused_fd >= 0 && event_get_fd(ev) == refused_fd)
		return -1;
	return __real_event_add(ev, tv);
}

static void
free_now(struct scene *s)
{
	childio_stop(&s->io);
	childio_fini(&s->io);
	s->freed = true;
}

static void
on_readable(void *owner)
{
	struct scene *s = owner;
	char chunk[64];
	ssize_t n = childio_read(&s->io, chunk, sizeof(chunk));

	if (n > 0) {
		strbuf_add(&s->said, chunk, (size_t)n);
		childio_heard(&s->io);
	} else if (n < 0) {
		s->over = true;
		childio_finish(&s->io, FOR_EVER_MS);
	}
	if (s->fragile)
		free_now(s);
}

static void
on_silence(void *owner)
{
	struct scene *s = owner;

	s->n_silent++;
	if (s->fragile)
		free_now(s);
}

static void
on_exited(void *owner)
{
	struct scene *s = owner;

	s->n_exited++;
	if (s->fragile || s->mortal)
		free_now(s);
}

static int
set_up(void **state)
{
	struct scene *s = xcalloc(1, sizeof(*s));

	(void)signal(SIGPIPE, SIG_IGN);
	s->fds = procs_count_fds();
	s->base = event_base_new();
	*state = s;
	return s->base == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	struct scene *s = *state;

	refused_fd = -1;
	if (!s->freed)
		free_now(s);
	event_base_free(s->base);
	strbuf_fini(&s->said);
	assert_int_equal(procs_count_fds(), s->fds);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
	free(s);
	return 0;
}

static void
launch(const char *script, struct child *out)
{
	const char *const words[] = {"sh", "-c", script, NULL};

	assert_int_equal(child_launch_program("/bin/sh", words, out, NULL), 0);
}

static bool
listen_to(struct scene *s, const struct child *child)
{
	static const struct childio_handlers handlers = {
		on_readable, on_silence, on_exited};

	return childio_init(&s->io, s->base, child, &handlers, s);
}

static void
start(struct scene *s, const char *script)
{
	struct child child;

	launch(script, &child);
	assert_true(listen_to(s, &child));
}

static bool
has_answered(const struct scene *s)
{
	return strchr(strbuf_text(&s->said), '\n') != NULL;
}

static bool
has_closed(const struct scene *s)
{
	return s->over;
}

static bool
is_silent(const struct scene *s)
{
	return s->n_silent > 0;
}

static bool
has_exited(const struct scene *s)
{
	return s->n_exited > 0;
}

static bool
is_freed(const struct scene *s)
{
	return s->freed;
}

static void
turn(struct scene *s)
{
	(void)event_base_loop(s->base, EVLOOP_NONBLOCK);
	(void)usleep(500);
}

static void
until(struct scene *s, bool (*is_so)(const struct scene *s))
{
	uint64_t end_us = clock_now_us(clock_system()) + LIMIT_US;

	while (!is_so(s)) {
		if (clock_now_us(clock_system()) > end_us)
			fail_msg("it does not come");
		turn(s);
	}
}

static void
words_go_both_ways_to_the_end(void **state)
{
	struct scene *s = *state;

	start(s, "read a; echo \"heard $a\"; read b; exit 0");
	childio_expect(&s->io, FOR_EVER_MS);
	childio_tell(&s->io, "this\n", 5);
	assert_int_equal(childio_backlog(&s->io), 5);
	until(s, has_answered);
	assert_string_equal(strbuf_text(&s->said), "heard this\n");
	assert_int_equal(childio_backlog(&s->io), 0);
	childio_tell(&s->io, "\n", 1);
	until(s, has_exited);
	assert_true(s->over);
	assert_int_equal(s->n_silent, 0);
}

static void
what_it_does_not_read_waits_and_goes_with_it(void **state)
{
	struct scene *s = *state;
	auto_free char *much = xcalloc(1, 1 << 20);

	start(s, "exec sleep 600");
	childio_tell(&s->io, much, 1 << 20);
	for (int i = 0; i < 20; i++)
		turn(s);
	assert_true(childio_backlog(&s->io) > 1 << 19);
	childio_end(&s->io);
	until(s, has_exited);
	assert_false(s->over); /* nothing else was told */
}

static void
one_that_reads_no_more_is_told_nothing(void **state)
{
	struct scene *s = *state;

	start(s, "exec 0<&-; echo closed; exec sleep 600");
	until(s, has_answered);
	childio_tell(&s->io, "x", 1);
	turn(s);
	assert_int_equal(childio_backlog(&s->io), 0);
	assert_true(s->io.child.in < 0); /* which ends it, if it waits for more */
	childio_tell(&s->io, "y", 1);
	assert_int_equal(childio_backlog(&s->io), 0);
	assert_int_equal(s->n_exited, 0);
}

/* Its words are there, and the time is over before anybody has looked. */
static void
silence_is_told_but_not_that_of_one_we_did_not_listen_to(void **state)
{
	struct scene *s = *state;
	struct pollfd p;
	struct child child;

	launch("echo one; exec sleep 600", &child);
	p = (struct pollfd){.fd = child.out, .events = POLLIN};
	assert_int_equal(poll(&p, 1, (int)FOR_EVER_MS), 1);
	assert_true(listen_to(s, &child));
	childio_expect(&s->io, SILENCE_MS);
	(void)usleep((SILENCE_MS + 5) * 1000);
	turn(s);
	assert_int_equal(s->n_silent, 0);
	until(s, has_answered);
	until(s, is_silent);
	childio_expect(&s->io, 0);
	s->n_silent = 0;
	for (int i = 0; i < 20; i++)
		turn(s);
	assert_int_equal(s->n_silent, 0); /* it may be */
}

static void
nothing_is_told_after_it_was_hushed(void **state)
{
	struct scene *s = *state;

	start(s, "echo one; exit 0");
	childio_expect(&s->io, 1);
	childio_hush(&s->io);
	(void)usleep(5000);
	for (int i = 0; i < 20; i++)
		turn(s);
	assert_int_equal(s->said.len, 0);
	assert_int_equal(s->n_silent, 0);
	childio_end(&s->io);
	until(s, has_exited);
	assert_int_equal(s->n_exited, 1);
}

static void
an_end_that_cannot_be_waited_for_is_looked_for(void **state)
{
	struct scene *s = *state;
	struct child child;

	launch("exec 1>&-; read x; exit 0", &child);
	refused_fd = child.pidfd;
	assert_true(listen_to(s, &child));
	until(s, has_closed);
	for (int i = 0; i < 300; i++) /* some looks */
		turn(s);
	assert_int_equal(s->n_exited, 0);
	childio_tell(&s->io, "\n", 1);
	until(s, has_exited);
	assert_int_equal(s->n_exited, 1);
}

static void
who_cannot_be_waited_for_can_be_ended(void **state)
{
	struct scene *s = *state;
	struct child child;

	launch("exec sleep 600", &child);
	refused_fd = child.pidfd;
	assert_true(listen_to(s, &child));
	childio_end(&s->io);
	until(s, has_exited);
	s->fragile = true;
	for (int i = 0; i < 300; i++)
		turn(s);
	assert_int_equal(s->n_exited, 1); /* once */
}

static void
who_cannot_be_listened_to_is_silent(void **state)
{
	struct scene *s = *state;
	struct child child;

	launch("echo one; exec sleep 600", &child);
	refused_fd = child.out;
	assert_false(listen_to(s, &child));
	childio_expect(&s->io, 1);
	until(s, is_silent);
	assert_int_equal(s->said.len, 0);
}

static void
it_can_be_freed_in_any_callback(void **state)
{
	static const char *const scripts[] = {
		"echo one; exec sleep 600", "exec sleep 600", "exec 1>&-; exit 0"};
	struct scene *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		s->freed = false;
		s->fragile = i < 2;
		s->mortal = i == 2;
		start(s, scripts[i]);
		if (i == 1)
			childio_expect(&s->io, 1);
		until(s, is_freed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(words_go_both_ways_to_the_end),
		T(what_it_does_not_read_waits_and_goes_with_it),
		T(one_that_reads_no_more_is_told_nothing),
		T(silence_is_told_but_not_that_of_one_we_did_not_listen_to),
		T(nothing_is_told_after_it_was_hushed),
		T(an_end_that_cannot_be_waited_for_is_looked_for),
		T(who_cannot_be_waited_for_can_be_ended),
		T(who_cannot_be_listened_to_is_silent),
		T(it_can_be_freed_in_any_callback),
	};

	return cmocka_run_group_tests_name("childio", tests, NULL, NULL);
}
