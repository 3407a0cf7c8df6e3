// SPDX-License-Identifier: MIT
/* Who is told what, with QEMU and the clients played by the test. */
#include "config.h"

#include "qmp/mux.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "qmp/caller.h"
#include "spans.h"

#define GREETING \
	"{\"QMP\": {\"version\": {\"qemu\": 7}, \"capabilities\": [\"oob\"]}}\r\n"
#define SEEN_GREETING \
	"{\"QMP\": {\"version\": {\"qemu\": 7}, \"capabilities\": []}}\r\n"
#define CAPABLE "{\"return\": {}, \"id\": \"qmpin-proxy:0\"}\r\n"
#define NEGOTIATE "{\"execute\":\"qmp_capabilities\"}"
#define NEGOTIATED SEEN_GREETING "{\"return\": {}}\r\n"
#define STOP "{\"timestamp\": {\"seconds\": 1}, \"event\": \"STOP\"}\r\n"

struct world {
	struct mux *mux;
	uint64_t now_us;
	struct strbuf told;
	struct mux_told last;
	bool absent; /* clients are gone when it is their turn */
};

static int
setup(void **state)
{
	static const struct mux_options options = {
		.session_us = 5000000, .slow_us = 1000000};
	struct world *w = xcalloc(1, sizeof(*w));

	w->mux = mux_new(&options, 0);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	mux_abandon(w->mux);
	while (mux_next_discard(w->mux) >= 0)
		continue;
	mux_free(w->mux);
	strbuf_fini(&w->told);
	free(w);
	return 0;
}

static void
settle(struct world *w)
{
	static const char *const words[] = {
		[MUX_UP] = "up ",
		[MUX_TURN] = "turn ",
		[MUX_CHANGED] = "changed ",
		[MUX_LEFT] = "left ",
		[MUX_DROPPED] = "dropped ",
		[MUX_ENDED] = "ended ",
	};
	struct mux_told told;
	enum mux_tell tell;

	while ((tell = mux_settle(w->mux, w->now_us, &told)) != MUX_NOTHING) {
		strbuf_adds(&w->told, words[tell]);
		w->last = told;
		if (tell == MUX_TURN && !w->absent)
			mux_dispatch(w->mux, told.client);
		else if (tell == MUX_TURN || tell == MUX_LEFT || tell == MUX_DROPPED)
			mux_leave(w->mux, told.client);
	}
}

static void
qemu_says(struct world *w, const char *text)
{
	mux_upstream_feed(w->mux, span(text));
	settle(w);
}

static void
qemu_hears(struct world *w, const char *text)
{
	int fd;
	struct frame_span out = mux_upstream_output(w->mux, &fd);

	if (out.len != strlen(text) || memcmp(out.bytes, text, out.len) != 0)
		fail_msg("QEMU hears %.*s, not %s", (int)out.len, out.bytes, text);
	mux_upstream_sent(w->mux, out.len);
	settle(w);
}

static void
says_with(struct world *w, struct caller *c, const char *text, int fd)
{
	mux_client_feed(w->mux, c, span(text), &fd, fd >= 0);
	settle(w);
}

static void
says(struct world *w, struct caller *c, const char *text)
{
	says_with(w, c, text, -1);
}

static void
hears(struct world *w, struct caller *c, const char *text)
{
	struct frame_span out = mux_client_output(c);

	if (out.len != strlen(text) || memcmp(out.bytes, text, out.len) != 0)
		fail_msg("a client hears %.*s, not %s", (int)out.len, out.bytes, text);
	mux_client_sent(c, out.len);
	settle(w);
}

static void
bring_up(struct world *w)
{
	qemu_says(w, GREETING);
	qemu_hears(w, "{\"execute\":\"qmp_capabilities\",\"id\":\"qmpin-proxy:0\"}");
	qemu_says(w, CAPABLE);
	assert_string_equal(w->told.s, "up ");
	strbuf_fini(&w->told);
}

static struct caller *
join(struct world *w)
{
	struct caller *c = mux_join(w->mux, false, NULL);

	says(w, c, NEGOTIATE);
	hears(w, c, NEGOTIATED);
	return c;
}

static void
told_is(struct world *w, const char *words)
{
	assert_string_equal(strbuf_text(&w->told), words);
	strbuf_fini(&w->told);
}

static void
leftovers_before_the_greeting_are_skipped(void **state)
{
	struct world *w = *state;

	qemu_says(w, "{\"return\": {}, \"id\": \"qmpin-proxy:0\"}\r\n");
	qemu_says(w, STOP "{\"id\": \"1:2\", \"error\": {}}\r\n");
	assert_false(mux_is_open(w->mux));
	bring_up(w);
	assert_true(mux_is_open(w->mux));
}

static void
ids_of_every_type_come_back(void **state)
{
	static const char *const ids[] = {"1", "-1.50e3", "\"1:2\"", "\"\\u00e9\\\"}\"",
		"null", "true", "[1, {\"id\": []}]", "{\"a\": {\"id\": \"x\"}}"};
	struct world *w = *state;
	struct caller *c;

	bring_up(w);
	c = join(w);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		auto_free char *command =
			xasprintf("{\"id\":%s,\"execute\":\"x\"}", ids[i]);
		auto_free char *sent = xasprintf(
			"{\"id\":\"qmpin-proxy:%zu\",\"execute\":\"x\"}", i + 1);
		auto_free char *reply = xasprintf(
			"{\"id\": \"qmpin-proxy:%zu\", \"error\": {}}\r\n", i + 1);
		auto_free char *heard =
			xasprintf("{\"id\": %s, \"error\": {}}\r\n", ids[i]);

		says(w, c, command);
		qemu_hears(w, sent);
		qemu_says(w, reply);
		hears(w, c, heard);
	}
}

static void
one_at_a_time_and_in_turn(void **state)
{
	struct world *w = *state;
	struct caller *a;
	struct caller *b;

	bring_up(w);
	a = join(w);
	b = join(w);
	says(w, a, "{\"execute\":\"a1\"}{\"execute\":\"a2\"}");
	says(w, b, "{\"execute\":\"b1\"}");
	qemu_hears(w, "{\"execute\":\"a1\",\"id\":\"qmpin-proxy:1\"}");
	qemu_hears(w, "");
	qemu_says(w, "{\"return\": 1, \"id\": \"qmpin-proxy:1\"}\r\n");
	qemu_hears(w, "{\"execute\":\"b1\",\"id\":\"qmpin-proxy:2\"}");
	qemu_says(w, STOP "{\"return\": 2, \"id\": \"qmpin-proxy:2\"}\r\n" STOP);
	qemu_hears(w, "{\"execute\":\"a2\",\"id\":\"qmpin-proxy:3\"}");
	hears(w, a, "{\"return\": 1}\r\n" STOP STOP);
	hears(w, b, STOP "{\"return\": 2}\r\n" STOP);
	assert_true(mux_is_busy(w->mux));
	told_is(w, "turn changed turn changed turn ");
}

static void
a_refusal_waits_for_the_reply_before_it(void **state)
{
	struct world *w = *state;
	struct caller *a;

	bring_up(w);
	a = join(w);
	says(w, a, "{\"execute\":\"query-x\"}{\"x\":1}");
	qemu_hears(w, "{\"execute\":\"query-x\",\"id\":\"qmpin-proxy:1\"}");
	qemu_says(w, "{\"return\": {\"a\"");
	hears(w, a, "");
	qemu_says(w, ": 1}, \"id\": \"qmpin-proxy:1\"}");
	hears(w, a,
		"{\"return\": {\"a\": 1}}\r\n{\"error\": {\"class\": \"GenericError\", "
		"\"desc\": \"QMP input member 'x' is unexpected\"}}\r\n");
	told_is(w, "turn ");
}

static void
foreign_replies_are_shown_to_nobody(void **state)
{
	struct world *w = *state;
	struct caller *a;

	bring_up(w);
	a = join(w);
	qemu_says(w, "{\"return\": 0, \"id\": \"qmpin-proxy:1\"}\r\n");
	says(w, a, "{\"execute\":\"x\",\"id\":7}");
	qemu_hears(w, "{\"execute\":\"x\",\"id\":\"qmpin-proxy:1\"}");
	qemu_says(w, "{\"return\": 1, \"id\": \"qmpin-proxy:2\"}\r\n");
	qemu_says(w, "{\"return\": 2}\r\n{\"return\": 3, \"id\": 7}\r\n");
	hears(w, a, "");
	qemu_says(w, "{\"return\": 4, \"id\": \"qmpin-proxy:1\"}\r\n");
	hears(w, a, "{\"return\": 4, \"id\": 7}\r\n");
}

static void
the_reply_to_one_that_left_is_swallowed(void **state)
{
	struct world *w = *state;
	struct caller *a;
	struct caller *b;

	bring_up(w);
	a = join(w);
	b = join(w);
	says(w, a, "{\"execute\":\"cont\"}");
	says(w, b, "{\"execute\":\"query-b\"}");
	qemu_hears(w, "{\"execute\":\"cont\",\"id\":\"qmpin-proxy:1\"}");
	mux_leave(w->mux, a);
	settle(w);
	qemu_hears(w, "");
	qemu_says(w, "{\"return\": {}, \"id\": \"qmpin-proxy:1\"}\r\n");
	qemu_hears(w, "{\"execute\":\"query-b\",\"id\":\"qmpin-proxy:2\"}");
	qemu_says(w, "{\"return\": 5, \"id\": \"qmpin-proxy:2\"}\r\n");
	hears(w, b, "{\"return\": 5}\r\n");
	told_is(w, "turn changed turn ");
}

static void
what_one_that_left_had_not_sent_is_never_sent(void **state)
{
	struct world *w = *state;
	struct caller *a;

	bring_up(w);
	a = join(w);
	says(w, a, "{\"execute\":\"cont\"}");
	mux_leave(w->mux, a);
	qemu_hears(w, "");
	assert_false(mux_is_busy(w->mux));
	a = join(w);
	w->absent = true;
	says(w, a, "{\"execute\":\"cont\"}");
	qemu_hears(w, "");
	told_is(w, "turn turn ");
}

static void
a_long_reply_pauses_qemu_until_it_is_taken(void **state)
{
	struct world *w = *state;
	struct caller *a;
	char xs[4096];
	size_t all = 0;
	size_t most = 0;

	bring_up(w);
	a = join(w);
	memset(xs, 'x', sizeof(xs));
	says(w, a, "{\"execute\":\"query-x\",\"id\":9}");
	qemu_hears(w, "{\"execute\":\"query-x\",\"id\":\"qmpin-proxy:1\"}");
	qemu_says(w, "{\"return\": \"");
	for (size_t sent = 0; sent < 10u << 20;) {
		struct frame_span out = mux_client_output(a);

		most = out.len > most ? out.len : most;
		if (mux_upstream_wants(w->mux)) {
			mux_upstream_feed(w->mux, (struct frame_span){xs, sizeof(xs)});
			sent += sizeof(xs);
		} else {
			all += out.len;
			w->now_us += 900000;
			mux_client_sent(a, out.len);
		}
		settle(w);
	}
	qemu_says(w, "\", \"id\": \"qmpin-proxy:1\"}\r\n");
	all += mux_client_output(a).len;
	assert_int_equal(
		all, (10u << 20) + strlen("{\"return\": \"\", \"id\": 9}\r\n"));
	assert_in_range(most, CALLER_OUT_MAX, CALLER_OUT_MAX + sizeof(xs));
	told_is(w, "turn ");
}

static void
who_does_not_take_a_reply_is_dropped(void **state)
{
	struct world *w = *state;
	auto_free char *xs = xcalloc(CALLER_OUT_MAX + 1, 1);
	struct caller *a;
	struct caller *b;

	bring_up(w);
	a = join(w);
	b = join(w);
	memset(xs, 'x', CALLER_OUT_MAX);
	says(w, a, "{\"execute\":\"query-a\"}");
	says(w, b, "{\"execute\":\"query-b\"}");
	qemu_hears(w, "{\"execute\":\"query-a\",\"id\":\"qmpin-proxy:1\"}");
	qemu_says(w, "{\"return\": \"");
	qemu_says(w, xs);
	assert_false(mux_upstream_wants(w->mux));
	assert_int_equal(mux_deadline_us(w->mux), 1000000);
	mux_client_sent(a, 1000); /* a little now and then does not help */
	w->now_us = 1000000;
	settle(w);
	told_is(w, "turn dropped ");
	assert_int_equal(w->last.err, -ETIMEDOUT);
	assert_true(mux_upstream_wants(w->mux));
	qemu_says(w, xs);
	qemu_says(w, "\", \"id\": \"qmpin-proxy:1\"}\r\n");
	qemu_hears(w, "{\"execute\":\"query-b\",\"id\":\"qmpin-proxy:2\"}");
	hears(w, b, "");
}

static void
who_does_not_read_events_is_dropped(void **state)
{
	struct world *w = *state;
	struct caller *b;
	unsigned int n = 0;

	bring_up(w);
	(void)join(w);
	b = join(w);
	for (; w->told.len == 0; n++) {
		qemu_says(w, STOP);
		hears(w, b, STOP);
	}
	told_is(w, "dropped ");
	assert_string_equal(w->last.why.text, "does not read its events");
	assert_in_range(n * strlen(STOP), CALLER_UNREAD_MAX,
		CALLER_UNREAD_MAX + 2 * strlen(STOP));
}

static void
too_long_a_command_is_the_last(void **state)
{
	struct world *w = *state;
	struct caller *a;
	char xs[4097] = "";

	bring_up(w);
	a = join(w);
	memset(xs, 'x', sizeof(xs) - 1);
	says(w, a, "{\"execute\":\"");
	for (size_t n = 0; mux_client_wants(w->mux, a); n += sizeof(xs) - 1) {
		assert_true(n <= REQUEST_BYTES_MAX);
		says(w, a, xs);
	}
	hears(w, a,
		"{\"error\": {\"class\": \"GenericError\", \"desc\": "
		"\"JSON token size limit exceeded\"}}\r\n");
	told_is(w, "dropped ");
	assert_int_equal(w->last.err, -E2BIG);
}

static void
a_descriptor_waits_and_is_waited_for(void **state)
{
	struct world *w = *state;
	struct caller *a;
	int fd;

	bring_up(w);
	a = join(w);
	says_with(w, a, " ", 50);
	says_with(w, a, "\n", 51); /* as in QEMU, the later one counts */
	assert_int_equal(mux_next_discard(w->mux), 50);
	says(w, a, "{\"execute\":\"getfd\"}");
	(void)mux_upstream_output(w->mux, &fd);
	assert_int_equal(fd, 51);
	qemu_hears(w, "{\"execute\":\"getfd\",\"id\":\"qmpin-proxy:1\"}");
	assert_int_equal(mux_next_discard(w->mux), 51);
	qemu_says(w, "{\"return\": {}, \"id\": \"qmpin-proxy:1\"}\r\n");
	says(w, a, "{\"execute\":\"getfd\"}");
	qemu_hears(w, "");
	assert_int_equal(mux_deadline_us(w->mux), CALLER_FD_WAIT_US);
	says_with(w, a, " ", 52);
	(void)mux_upstream_output(w->mux, &fd);
	assert_int_equal(fd, 52);
	qemu_hears(w, "{\"execute\":\"getfd\",\"id\":\"qmpin-proxy:2\"}");
}

static void
without_a_descriptor_qemu_is_not_asked(void **state)
{
	struct world *w = *state;
	struct caller *a;

	bring_up(w);
	a = join(w);
	says(w, a, "{\"execute\":\"getfd\",\"id\":3}");
	w->now_us = CALLER_FD_WAIT_US;
	settle(w);
	qemu_hears(w, "");
	hears(w, a,
		"{\"id\": 3, \"error\": {\"class\": \"GenericError\", \"desc\": "
		"\"No file descriptor supplied via SCM_RIGHTS\"}}\r\n");
}

static void
when_qemu_leaves_what_is_whole_is_delivered(void **state)
{
	struct world *w = *state;
	struct caller *a;

	bring_up(w);
	a = join(w);
	says(w, a, "{\"execute\":\"quit\"}");
	qemu_hears(w, "{\"execute\":\"quit\",\"id\":\"qmpin-proxy:1\"}");
	qemu_says(w, STOP "{\"return\": {\"half");
	mux_upstream_end(w->mux, 0);
	settle(w);
	told_is(w, "turn ");
	hears(w, a, STOP);
	told_is(w, "ended ");
	assert_int_equal(w->last.err, -ECONNRESET);
}

static void
finishing_serves_what_was_said(void **state)
{
	struct world *w = *state;
	struct caller *a;

	bring_up(w);
	a = join(w);
	says(w, a, "{\"execute\":\"query-a\"}{\"execute\":\"query-b\"}");
	mux_finish(w->mux, w->now_us);
	assert_false(mux_is_open(w->mux));
	assert_false(mux_client_wants(w->mux, a));
	qemu_hears(w, "{\"execute\":\"query-a\",\"id\":\"qmpin-proxy:1\"}");
	qemu_says(w, "{\"return\": 1, \"id\": \"qmpin-proxy:1\"}\r\n");
	qemu_hears(w, "{\"execute\":\"query-b\",\"id\":\"qmpin-proxy:2\"}");
	qemu_says(w, "{\"return\": 2, \"id\": \"qmpin-proxy:2\"}\r\n");
	told_is(w, "turn turn ");
	hears(w, a, "{\"return\": 1}\r\n{\"return\": 2}\r\n");
	told_is(w, "");
	assert_true(mux_is_busy(w->mux));
	mux_client_eof(a);
	settle(w);
	told_is(w, "left ended ");
	assert_int_equal(w->last.err, 0);
}

static void
finishing_waits_a_second_for_clients_and_longer_for_qemu(void **state)
{
	struct world *w = *state;

	bring_up(w);
	says(w, join(w), "{\"execute\":\"query-a\"}");
	qemu_hears(w, "{\"execute\":\"query-a\",\"id\":\"qmpin-proxy:1\"}");
	mux_finish(w->mux, w->now_us);
	settle(w);
	told_is(w, "turn ");
	assert_int_equal(mux_deadline_us(w->mux), MUX_NEVER);
	w->now_us = MUX_LINGER_US / 2;
	settle(w);
	qemu_says(w, "{\"return\": 1, \"id\": \"qmpin-proxy:1\"}\r\n");
	settle(w);
	told_is(w, "");
	assert_int_equal(mux_deadline_us(w->mux), MUX_LINGER_US);
	w->now_us = MUX_LINGER_US;
	settle(w);
	told_is(w, "ended ");
}

static void
a_silent_qemu_is_given_up(void **state)
{
	struct world *w = *state;

	qemu_says(w, GREETING);
	assert_int_equal(mux_deadline_us(w->mux), 5000000);
	w->now_us = 5000000;
	settle(w);
	told_is(w, "ended ");
	assert_int_equal(w->last.err, -ETIMEDOUT);
}

static void
a_hostile_qemu_ends_the_session(void **state)
{
	static const char *const hostile[] = {"x", "{\"what\": 1}", GREETING,
		"{\"return\": [}", "{\"event\": \"a\nb\"}"};
	const struct mux_options options = {5000000, 1000000};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		bring_up(w);
		qemu_says(w, hostile[i]);
		told_is(w, "ended ");
		assert_int_equal(w->last.err, -EPROTO);
		mux_free(w->mux);
		w->mux = mux_new(&options, 0);
	}
}

#define mux_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		mux_test(leftovers_before_the_greeting_are_skipped),
		mux_test(ids_of_every_type_come_back),
		mux_test(one_at_a_time_and_in_turn),
		mux_test(a_refusal_waits_for_the_reply_before_it),
		mux_test(foreign_replies_are_shown_to_nobody),
		mux_test(the_reply_to_one_that_left_is_swallowed),
		mux_test(what_one_that_left_had_not_sent_is_never_sent),
		mux_test(a_long_reply_pauses_qemu_until_it_is_taken),
		mux_test(who_does_not_take_a_reply_is_dropped),
		mux_test(who_does_not_read_events_is_dropped),
		mux_test(too_long_a_command_is_the_last),
		mux_test(a_descriptor_waits_and_is_waited_for),
		mux_test(without_a_descriptor_qemu_is_not_asked),
		mux_test(when_qemu_leaves_what_is_whole_is_delivered),
		mux_test(finishing_serves_what_was_said),
		mux_test(finishing_waits_a_second_for_clients_and_longer_for_qemu),
		mux_test(a_silent_qemu_is_given_up),
		mux_test(a_hostile_qemu_ends_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
