// SPDX-License-Identifier: MIT
/* The session's state machine: what it says, when, and what it makes of the answers. */
#include "config.h"

#include "qmp/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"
#include "qmp_transcripts.h"

#define GREETING                                                                       \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": " \
	"7}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define STOP_EVENT                                                \
	"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, " \
	"\"event\": \"STOP\"}\r\n"
#define UP GREETING "{\"return\": {}, \"id\": \"qmpin:1\"}\r\n"

#define QUERIES(a, b, c, d, e, f, g)                                          \
	"{\"execute\":\"query-status\",\"id\":\"qmpin:" #a "\"}\n"            \
	"{\"execute\":\"query-cpus-fast\",\"id\":\"qmpin:" #b "\"}\n"         \
	"{\"execute\":\"query-hotpluggable-cpus\",\"id\":\"qmpin:" #c "\"}\n" \
	"{\"execute\":\"query-iothreads\",\"id\":\"qmpin:" #d "\"}\n"         \
	"{\"execute\":\"query-name\",\"id\":\"qmpin:" #e "\"}\n"              \
	"{\"execute\":\"query-memdev\",\"id\":\"qmpin:" #f "\"}\n"            \
	"{\"execute\":\"query-memory-devices\",\"id\":\"qmpin:" #g "\"}\n"

/* What the queries of an observation return, in their order. */
static const char *const returns[] = {
	"{\"status\": \"running\", \"singlestep\": false, \"running\": true}",
	("[{\"thread-id\": 11, \"cpu-index\": 0, \"target\": \"x86_64\"},"
	 " {\"thread-id\": 12, \"cpu-index\": 1, \"target\": \"x86_64\"}]"),
	"[{\"vcpus-count\": 2}, {\"vcpus-count\": 2}]",
	"[{\"id\": \"io0\", \"thread-id\": 13}]",
	"{\"name\": \"vm905\"}",
	"[{\"id\": \"pc.ram\", \"size\": 4096, \"host-nodes\": [], \"policy\": \"default\"}]",
	"[]",
};

/* A session and all it has told, a word each. */
struct fixture {
	struct session s;
	uint64_t now_us;
	struct strbuf told;
	struct err why; /* the last one */
	struct qmp_facts facts;
	struct qmp_vcpu first_vcpu;
};

static void
note_answer(struct fixture *f, const struct session_told *told)
{
	char *text;

	assert_true((told->ret == NULL) != (told->desc == NULL));
	if (told->desc != NULL) {
		strbuf_addf(&f->told, "refused:%s ", told->desc);
		return;
	}
	text = json_dumps(told->ret, JSON_ENCODE_ANY);
	strbuf_addf(&f->told, "answer:%s ", text);
	free(text);
}

static void
note(struct fixture *f, enum session_tell tell, const struct session_told *told)
{
	static const char *const words[] = {
		[SESSION_UP] = "up",
		[SESSION_EVENT] = "event:",
		[SESSION_FACTS] = "facts",
		[SESSION_NO_FACTS] = "no-facts",
		[SESSION_STALLED] = "stalled",
		[SESSION_BROKEN] = "broken",
		[SESSION_CLOSED] = "closed",
	};

	if (tell == SESSION_NOTHING || tell == SESSION_GREETED)
		return;
	if (tell == SESSION_ANSWER) {
		note_answer(f, told);
		return;
	}
	strbuf_addf(&f->told, "%s%s ", words[tell],
		tell == SESSION_EVENT ? told->event.name : "");
	if (tell == SESSION_FACTS) {
		f->facts = *told->facts;
		f->first_vcpu = told->facts->vcpus[0];
	} else if (tell != SESSION_UP && tell != SESSION_EVENT) {
		assert_true(err_is_set(&told->why));
		f->why = told->why;
	}
}

static void
feed_bytes(struct fixture *f, const char *bytes, size_t len)
{
	auto_free char *copy = xmemdupz(bytes, len);
	struct frame_span in = {copy, len};
	struct session_told told;
	enum session_tell tell;

	do {
		tell = session_feed(&f->s, &in, &told);
		note(f, tell, &told);
	} while (tell != SESSION_NOTHING);
}

static void
feed(struct fixture *f, const char *text)
{
	feed_bytes(f, text, strlen(text));
}

static void
reply(struct fixture *f, uint64_t id, const char *ret)
{
	auto_free char *text = xasprintf(
		"{\"return\": %s, \"id\": \"qmpin:%ju\"}\r\n", ret, (uintmax_t)id);

	feed(f, text);
}

static void
reply_error(struct fixture *f, uint64_t id)
{
	auto_free char *text =
		xasprintf("{\"id\": \"qmpin:%ju\", \"error\": {\"class\": "
			  "\"GenericError\", \"desc\": \"not here\"}}\r\n",
			(uintmax_t)id);

	feed(f, text);
}

static void
check(struct fixture *f)
{
	struct session_told told;
	enum session_tell tell = session_check(&f->s, f->now_us, &told);

	note(f, tell, &told);
}

static void
hang_up(struct fixture *f, int err)
{
	struct session_told told;
	enum session_tell tell = session_close(&f->s, err, &told);

	note(f, tell, &told);
}

static void
expect_output(struct fixture *f, const char *expected)
{
	struct frame_span out = session_output(&f->s, f->now_us);

	assert_int_equal(out.len, strlen(expected));
	assert_memory_equal(out.bytes, expected, out.len);
	session_sent(&f->s, out.len);
}

#define expect_told(f, expected) assert_string_equal(strbuf_text(&(f)->told), expected)

static const struct session_terms terms = {.session_us = 5000000, .query_us = 3000000};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->now_us = 1000000;
	session_init(&f->s, f->now_us, &terms);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	session_fini(&f->s);
	strbuf_fini(&f->told);
	free(f);
	return 0;
}

static void
start_again(struct fixture *f)
{
	session_fini(&f->s);
	strbuf_fini(&f->told);
	session_init(&f->s, f->now_us, &terms);
}

/* Greeted, capabilities agreed, an observation's queries sent. */
static void
start_observation(struct fixture *f)
{
	start_again(f);
	session_observe(&f->s);
	feed(f, UP);
	session_sent(&f->s, session_output(&f->s, f->now_us).len);
	strbuf_fini(&f->told);
}

#define CAPABILITIES "{\"execute\":\"qmp_capabilities\",\"id\":\"qmpin:1\"}\n"

static void
nothing_is_said_before_the_greeting_and_then_everything(void **state)
{
	struct fixture *f = *state;

	session_observe(&f->s);
	expect_output(f, "");
	assert_false(session_is_busy(&f->s));
	feed(f, GREETING);
	expect_output(f, CAPABILITIES QUERIES(2, 3, 4, 5, 6, 7, 8));
	expect_told(f, "");
	assert_true(session_is_busy(&f->s));
	feed(f, "{\"return\": {}, \"id\": \"qmpin:1\"}\r\n");
	expect_told(f, "up ");
	assert_true(session_is_busy(&f->s));
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
		reply(f, i + 2, returns[i]);
	expect_told(f, "up facts ");
	expect_output(f, "");
	assert_false(session_is_busy(&f->s));
	assert_true(session_deadline_us(&f->s) == SESSION_NEVER);
}

/* They can only be the last client's. */
static void
replies_before_the_greeting_are_nobodys(void **state)
{
	struct fixture *f = *state;

	session_observe(&f->s);
	reply(f, 1, "{}");
	reply(f, 2, returns[0]);
	expect_told(f, "");
	feed(f, GREETING);
	expect_output(f, CAPABILITIES QUERIES(2, 3, 4, 5, 6, 7, 8));
	reply(f, 1, "{}");
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
		reply(f, i + 2, returns[i]);
	expect_told(f, "up facts ");
}

static void
ids_go_on_from_where_they_are_told_to(void **state)
{
	struct session_terms later = terms;
	struct fixture *f = *state;

	session_fini(&f->s);
	later.last_id = 41;
	session_init(&f->s, f->now_us, &later);
	feed(f, UP);
	expect_output(f, "{\"execute\":\"qmp_capabilities\",\"id\":\"qmpin:42\"}\n");
	expect_told(f, "");
	reply(f, 42, "{}");
	expect_told(f, "up ");
}

static void
a_command_has_one_answer(void **state)
{
	struct fixture *f = *state;

	feed(f, UP);
	expect_output(f, CAPABILITIES);
	session_command(&f->s, MESSAGE_QUERY_CHARDEV, NULL, f->now_us);
	expect_output(f, "{\"execute\":\"query-chardev\",\"id\":\"qmpin:2\"}\n");
	assert_int_equal(session_deadline_us(&f->s), f->now_us + terms.query_us);
	reply(f, 2, "[1]");
	expect_told(f, "up answer:[1] ");
	reply(f, 2, "[2]");
	expect_told(f, "up answer:[1] ");
	assert_true(session_deadline_us(&f->s) == SESSION_NEVER);
	session_command(&f->s, MESSAGE_CHARDEV_REMOVE, NULL, f->now_us);
	reply_error(f, 3);
	expect_told(f, "up answer:[1] refused:not here ");
}

static void
a_command_and_an_observation_go_side_by_side(void **state)
{
	struct fixture *f = *state;

	start_observation(f);
	session_command(&f->s, MESSAGE_QUERY_CHARDEV, NULL, f->now_us);
	reply(f, 9, "1");
	expect_told(f, "answer:1 ");
	assert_false(session_deadline_us(&f->s) == SESSION_NEVER);
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
		reply(f, i + 2, returns[i]);
	expect_told(f, "answer:1 facts ");
	assert_true(session_deadline_us(&f->s) == SESSION_NEVER);
}

static void
a_command_without_an_answer_stalls(void **state)
{
	struct fixture *f = *state;

	feed(f, UP);
	session_command(&f->s, MESSAGE_OBJECT_ADD, NULL, f->now_us);
	f->now_us += terms.query_us;
	check(f);
	expect_told(f, "up stalled ");
	assert_non_null(strstr(f->why.text, "the answer to a command"));
}

static void
an_observation_joins_the_replies_to_facts(void **state)
{
	struct fixture *f = *state;

	start_observation(f);
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++) {
		expect_told(f, "");
		reply(f, i + 2, returns[i]);
	}
	expect_told(f, "facts ");
	assert_true(f->facts.running);
	assert_string_equal(f->facts.status, "running");
	assert_int_equal(f->facts.n_vcpus, 2);
	assert_int_equal(f->first_vcpu.tid, 11);
	assert_int_equal(f->facts.vcpus_max, 4);
	assert_int_equal(f->facts.n_iothreads, 1);
	assert_string_equal(f->facts.name, "vm905");
	assert_false(session_is_busy(&f->s));
	assert_true(session_deadline_us(&f->s) == SESSION_NEVER);
}

/* All 5040 orders, by factorial digits. */
static void
replies_may_come_in_any_order(void **state)
{
	struct fixture *f = *state;

	for (unsigned int order = 0; order < 5040; order++) {
		unsigned int left[] = {0, 1, 2, 3, 4, 5, 6};
		unsigned int rest = order;

		start_observation(f);
		for (unsigned int n = 7; n > 0; n--) {
			unsigned int pick = rest % n;
			unsigned int query = left[pick];

			rest /= n;
			left[pick] = left[n - 1];
			reply(f, query + 2, returns[query]);
		}
		if (strcmp(strbuf_text(&f->told), "facts ") != 0)
			fail_msg("order %u told: %s", order, strbuf_text(&f->told));
	}
}

/* An "a" of a real session, its ids made ours: what QEMU 7.2 and 11.1 really answer. */
static void
feed_answer(
	struct fixture *f, const struct transcript *t, const char *mark, uint64_t id)
{
	for (size_t i = 0; i < t->n; i++) {
		json_t *json = json_loads(t->objects[i], 0, NULL);
		char *text;

		if (strstr(t->objects[i], mark) == NULL) {
			json_decref(json);
			continue;
		}
		json_object_set_new(
			json, "id", json_sprintf("qmpin:%ju", (uintmax_t)id));
		text = json_dumps(json, 0);
		feed(f, text);
		free(text);
		json_decref(json);
		return;
	}
	fail_msg("no message with %s", mark);
}

static void
expect_facts_of(struct fixture *f, const char *file, bool running, unsigned int max,
	const char *name)
{
	struct transcript t = {0};

	transcript_load(&t, file);
	start_again(f);
	session_observe(&f->s);
	feed(f, t.objects[0]);
	expect_output(f, CAPABILITIES QUERIES(2, 3, 4, 5, 6, 7, 8));
	reply(f, 1, "{}");
	feed_answer(f, &t, "\"running\": ", 2);
	feed_answer(f, &t, "\"cpu-index\"", 3);
	feed_answer(f, &t, "\"vcpus-count\"", 4);
	feed_answer(f, &t, "\"poll-max-ns\"", 5);
	if (name[0] != '\0')
		feed_answer(f, &t, "\"name\": \"vm", 6);
	else
		reply(f, 6, "{}");
	reply(f, 7, "[]");
	reply(f, 8, "[]");
	expect_told(f, "up facts ");
	assert_true(f->facts.running == running);
	assert_int_equal(f->facts.n_vcpus, 2);
	assert_int_equal(f->facts.vcpus_max, max);
	assert_int_equal(f->facts.n_iothreads, 1);
	assert_string_equal(f->facts.name, name);
	transcript_fini(&t);
}

static void
real_sessions_of_both_qemus_give_facts(void **state)
{
	struct fixture *f = *state;

	expect_facts_of(f, "qemu-7.2/full-session.txt", false, 8, "vm905");
	assert_int_equal(f->first_vcpu.tid, 13795);
	assert_int_equal(f->facts.version.major, 7);
	assert_int_equal(f->facts.version.minor, 2);
	expect_facts_of(f, "qemu-11.1-private-monitor.txt", true, 8, "");
	assert_int_equal(f->first_vcpu.tid, 19779);
	assert_int_equal(f->facts.version.major, 11);
	assert_int_equal(f->facts.version.minor, 1);
}

/* What follows the queries: all messages ever recorded, then our answers with events in
 * between. */
static void
make_wire(struct strbuf *wire)
{
	struct transcript t = {0};

	transcripts_load(&t);
	for (size_t i = 0; i < t.n; i++) {
		if (strstr(t.objects[i], "\"QMP\": {") == NULL)
			strbuf_addf(wire, "%s\r\n", t.objects[i]);
	}
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
		strbuf_addf(wire,
			"{\"return\": %s, \"id\": \"qmpin:%u\"}\r\n" STOP_EVENT,
			returns[i], i + 2);
	transcript_fini(&t);
}

static void
the_cuts_of_the_stream_change_nothing(void **state)
{
	unsigned int seed = (unsigned int)time(NULL);
	struct fixture *f = *state;
	struct strbuf wire = {0};
	auto_free char *whole = NULL;

	make_wire(&wire);
	start_observation(f);
	feed_bytes(f, wire.s, wire.len);
	whole = strbuf_take(&f->told);
	assert_non_null(strstr(whole, "event:ACPI_DEVICE_OST "));
	assert_non_null(strstr(whole, "event:STOP facts event:STOP "));
	for (unsigned int run = 0; run < 50; run++) {
		unsigned int random = seed + run;
		unsigned int most = run == 0 ? 1 : 2000;
		size_t n;

		start_observation(f);
		for (size_t at = 0; at < wire.len; at += n) {
			n = next_random(&random, most) + 1;
			n = n < wire.len - at ? n : wire.len - at;
			feed_bytes(f, wire.s + at, n);
		}
		if (strcmp(strbuf_text(&f->told), whole) != 0)
			fail_msg("told otherwise with seed %u", seed + run);
	}
	strbuf_fini(&wire);
}

static void
events_come_at_any_time(void **state)
{
	struct fixture *f = *state;

	session_observe(&f->s);
	feed(f, STOP_EVENT GREETING STOP_EVENT);
	feed(f, "{\"return\": {}, \"id\": \"qmpin:1\"}" STOP_EVENT);
	expect_told(f, "event:STOP event:STOP up event:STOP ");
	session_sent(&f->s, session_output(&f->s, 0).len);
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++) {
		feed(f, STOP_EVENT);
		reply(f, i + 2, returns[i]);
	}
	expect_told(f, "event:STOP event:STOP up event:STOP event:STOP event:STOP "
		       "event:STOP event:STOP event:STOP event:STOP event:STOP "
		       "facts ");
}

/* QEMU gives a client the replies to what the client before it asked. */
static void
replies_to_others_are_skipped(void **state)
{
	static const char others[] =
		"{\"return\": {}}\r\n"
		"{\"return\": {}, \"id\": \"13743:2\"}\r\n"
		"{\"return\": {}, \"id\": 2}\r\n"
		"{\"return\": {}, \"id\": \"qmpin:999\"}\r\n"
		"{\"error\": {\"class\": \"A\", \"desc\": \"b\"}}\r\n"
		"{\"error\": {\"class\": \"A\", \"desc\": \"b\"}, \"id\": \"1:3\"}\r\n";
	struct fixture *f = *state;

	session_observe(&f->s);
	feed(f, others);
	feed(f, GREETING);
	feed(f, others);
	expect_told(f, "");
	reply(f, 1, "{}");
	session_sent(&f->s, session_output(&f->s, 0).len);
	feed(f, others);
	reply(f, 1, "{}");
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++) {
		reply(f, i + 2, returns[i]);
		reply(f, i + 2, "\"said twice\"");
	}
	feed(f, others);
	expect_told(f, "up facts ");
}

static void
answers_of_a_past_observation_are_not_taken_for_the_next(void **state)
{
	struct fixture *f = *state;

	start_observation(f);
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
		reply(f, i + 2, returns[i]);
	session_observe(&f->s);
	expect_output(f, QUERIES(9, 10, 11, 12, 13, 14, 15));
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
		reply(f, i + 2, returns[i]);
	expect_told(f, "facts ");
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
		reply(f, i + 9, returns[i]);
	expect_told(f, "facts facts ");
}

static void
what_a_machine_cannot_say_is_left_out(void **state)
{
	struct fixture *f = *state;

	start_observation(f);
	reply(f, 2, returns[0]);
	reply(f, 3, returns[1]);
	reply_error(f, 4);
	reply_error(f, 5);
	reply_error(f, 6);
	reply_error(f, 7);
	reply_error(f, 8);
	expect_told(f, "facts ");
	assert_false(f->facts.memory.known);
	assert_int_equal(f->facts.vcpus_max, 2);
	assert_int_equal(f->facts.n_iothreads, 0);
	assert_string_equal(f->facts.name, "");
}

/* Nothing of an earlier observation shines through. */
static void
facts_begin_anew_each_time(void **state)
{
	struct fixture *f = *state;

	start_observation(f);
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
		reply(f, i + 2, returns[i]);
	assert_int_equal(f->facts.n_iothreads, 1);
	session_observe(&f->s);
	session_sent(&f->s, session_output(&f->s, 0).len);
	reply(f, 9, returns[0]);
	reply(f, 10, returns[1]);
	for (unsigned int id = 11; id <= 15; id++)
		reply_error(f, id);
	expect_told(f, "facts facts ");
	assert_int_equal(f->facts.n_iothreads, 0);
	assert_int_equal(f->facts.vcpus_max, 2);
	assert_string_equal(f->facts.name, "");
}

static void
a_refused_query_fails_the_observation_and_not_the_session(void **state)
{
	struct fixture *f = *state;

	for (unsigned int refused = 2; refused <= 3; refused++) {
		start_observation(f);
		for (unsigned int i = 0; i < ARRAY_LEN(returns); i++) {
			if (i + 2 == refused)
				reply_error(f, refused);
			else
				reply(f, i + 2, returns[i]);
		}
		expect_told(f, "no-facts ");
		assert_non_null(strstr(f->why.text, "was refused: not here"));
		session_observe(&f->s);
		expect_output(f, QUERIES(9, 10, 11, 12, 13, 14, 15));
	}
}

static void
an_answer_without_sense_fails_the_observation(void **state)
{
	static const char *const wrong[] = {"{\"running\": 5}", "[{\"thread-id\": -1}]",
		"7", "[{\"id\": 5}]", "[]"};
	struct fixture *f = *state;

	for (unsigned int bad = 0; bad < ARRAY_LEN(wrong); bad++) {
		start_observation(f);
		for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
			reply(f, i + 2, i == bad ? wrong[i] : returns[i]);
		if (strcmp(strbuf_text(&f->told), "no-facts ") != 0)
			fail_msg("%s gave %s", wrong[bad], strbuf_text(&f->told));
		assert_non_null(strstr(f->why.text, "query-"));
	}
}

/* Threads are placed whatever is known of memory. */
static void
nonsense_about_memory_fails_nothing(void **state)
{
	static const char *const wrong[] = {"7", "[7]", "[{\"size\": -1}]", "{}"};
	struct fixture *f = *state;

	for (unsigned int k = 0; k < ARRAY_LEN(wrong); k++) {
		start_observation(f);
		for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
			reply(f, i + 2, i < 5 ? returns[i] : wrong[k]);
		expect_told(f, "facts ");
		assert_int_equal(f->facts.n_vcpus, 2);
		assert_false(f->facts.memory.known);
	}
}

static void
five_thousand_vcpus_are_refused_and_named(void **state)
{
	struct fixture *f = *state;
	struct strbuf cpus = {0};

	for (unsigned int i = 0; i < 5000; i++)
		strbuf_addf(&cpus,
			"%s{\"thread-id\": %u, \"props\": {\"core-id\": %u, "
			"\"thread-id\": "
			"0, \"node-id\": 0, \"socket-id\": 0}, \"qom-path\": "
			"\"/machine/unattached/device[%u]\", \"cpu-index\": %u, "
			"\"target\": \"x86_64\"}",
			i > 0 ? ", " : "[", i + 1, i, i, i);
	strbuf_adds(&cpus, "]");
	start_observation(f);
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
		reply(f, i + 2, i == 1 ? cpus.s : returns[i]);
	expect_told(f, "no-facts ");
	assert_non_null(strstr(f->why.text, "query-cpus-fast: items: too many"));
	strbuf_fini(&cpus);
}

static void
requests_in_flight_are_one_more_observation(void **state)
{
	struct fixture *f = *state;

	session_observe(&f->s);
	session_observe(&f->s);
	feed(f, UP);
	session_observe(&f->s);
	session_sent(&f->s,
		strlen("{\"execute\":\"qmp_capabilities\",\"id\":\"qmpin:1\"}\n"));
	expect_output(f, QUERIES(2, 3, 4, 5, 6, 7, 8));
	for (unsigned int i = 0; i < 6; i++) {
		reply(f, i + 2, returns[i]);
		session_observe(&f->s);
		expect_output(f, "");
	}
	reply(f, 8, returns[6]);
	expect_output(f, QUERIES(9, 10, 11, 12, 13, 14, 15));
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
		reply(f, i + 9, returns[i]);
	expect_output(f, "");
	expect_told(f, "up facts facts ");
}

static void
output_that_was_sent_in_part_is_not_sent_again(void **state)
{
	struct fixture *f = *state;

	feed(f, GREETING);
	session_sent(&f->s, strlen("{\"execute\":\"qmp_"));
	expect_output(f, "capabilities\",\"id\":\"qmpin:1\"}\n");
}

static void
silence_is_told_at_the_deadline_and_ends_nothing(void **state)
{
	struct fixture *f = *state;

	f->now_us += 4999999;
	check(f);
	expect_told(f, "");
	f->now_us += 1;
	check(f);
	expect_told(f, "stalled ");
	assert_non_null(strstr(f->why.text, "greeting awaited"));
	check(f);
	expect_told(f, "stalled ");
	session_observe(&f->s);
	feed(f, UP); /* better late than never */
	expect_output(f, CAPABILITIES QUERIES(2, 3, 4, 5, 6, 7, 8));
	expect_told(f, "stalled up ");
	f->now_us += terms.query_us;
	check(f);
	expect_told(f, "stalled up stalled ");
	for (unsigned int i = 0; i < ARRAY_LEN(returns); i++)
		reply(f, i + 2, returns[i]);
	expect_told(f, "stalled up stalled facts ");
}

static void
the_deadline_covers_greeting_and_capabilities_together(void **state)
{
	struct fixture *f = *state;

	f->now_us += 4000000;
	feed(f, GREETING);
	assert_true(session_deadline_us(&f->s) == 6000000);
	feed(f, STOP_EVENT);
	f->now_us += 1000000;
	check(f);
	expect_told(f, "event:STOP stalled ");
	assert_non_null(strstr(f->why.text, "qmp_capabilities awaited"));
}

static void
trickling_bytes_and_events_do_not_move_the_deadline(void **state)
{
	struct fixture *f = *state;

	start_observation(f);
	reply(f, 2, returns[0]);
	for (unsigned int i = 0; i < 30; i++) {
		check(f);
		f->now_us += 100000;
		feed(f, i % 2 == 0 ? STOP_EVENT : "\r\n");
	}
	assert_null(strstr(f->told.s, "stalled"));
	check(f);
	assert_non_null(strstr(f->told.s, "stalled"));
	assert_non_null(strstr(f->why.text, "query-cpus-fast awaited"));
}

static void
an_idle_session_has_no_deadline(void **state)
{
	struct fixture *f = *state;

	feed(f, UP);
	f->now_us += 1ull << 40;
	check(f);
	expect_told(f, "up ");
}

static void
what_is_not_qmp_ends_the_session(void **state)
{
	static const char *const wrong[] = {
		"x",
		"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ",
		"{}\r\n",
		"{\"QMP\": []}\r\n",
		"{\"QMP\": {}",
		"[[[[",
		"{\"event\": \"\xff\"}\r\n",
		"{\"return\": 1, \"return\": 2}\r\n",
	};
	struct fixture *f = *state;

	for (unsigned int i = 0; i < ARRAY_LEN(wrong); i++) {
		start_again(f);
		feed(f, wrong[i]);
		feed(f, "]");
		if (strcmp(strbuf_text(&f->told), "broken ") != 0)
			fail_msg("%s gave: %s", wrong[i], strbuf_text(&f->told));
		feed(f, UP);
		check(f);
		hang_up(f, 0);
		expect_told(f, "broken ");
		expect_output(f, "");
	}
}

static void
a_second_greeting_ends_the_session(void **state)
{
	struct fixture *f = *state;

	feed(f, UP GREETING);
	expect_told(f, "up broken ");
	assert_string_equal(f->why.text, "greeted twice");
}

static void
refused_capabilities_end_the_session(void **state)
{
	struct fixture *f = *state;

	feed(f, GREETING);
	reply_error(f, 1);
	expect_told(f, "broken ");
	assert_string_equal(f->why.text, "qmp_capabilities was refused: not here");
}

static void
death_says_what_was_awaited(void **state)
{
	struct fixture *f = *state;

	hang_up(f, 0);
	expect_told(f, "closed ");
	assert_string_equal(f->why.text, "closed by the peer (greeting awaited)");
	start_observation(f);
	reply(f, 2, returns[0]);
	feed(f, "{\"return\": [{\"thread-id\": 11, \"cpu-ind");
	hang_up(f, -ECONNRESET);
	expect_told(f, "closed ");
	assert_string_equal(
		f->why.text, "Connection reset by peer (query-cpus-fast awaited)");
	start_again(f);
	feed(f, UP);
	hang_up(f, 0);
	assert_string_equal(f->why.text, "closed by the peer");
}

#define test_with_session(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_session(
			nothing_is_said_before_the_greeting_and_then_everything),
		test_with_session(replies_before_the_greeting_are_nobodys),
		test_with_session(ids_go_on_from_where_they_are_told_to),
		test_with_session(a_command_has_one_answer),
		test_with_session(a_command_and_an_observation_go_side_by_side),
		test_with_session(a_command_without_an_answer_stalls),
		test_with_session(an_observation_joins_the_replies_to_facts),
		test_with_session(replies_may_come_in_any_order),
		test_with_session(real_sessions_of_both_qemus_give_facts),
		test_with_session(the_cuts_of_the_stream_change_nothing),
		test_with_session(events_come_at_any_time),
		test_with_session(replies_to_others_are_skipped),
		test_with_session(
			answers_of_a_past_observation_are_not_taken_for_the_next),
		test_with_session(what_a_machine_cannot_say_is_left_out),
		test_with_session(facts_begin_anew_each_time),
		test_with_session(
			a_refused_query_fails_the_observation_and_not_the_session),
		test_with_session(an_answer_without_sense_fails_the_observation),
		test_with_session(nonsense_about_memory_fails_nothing),
		test_with_session(five_thousand_vcpus_are_refused_and_named),
		test_with_session(requests_in_flight_are_one_more_observation),
		test_with_session(output_that_was_sent_in_part_is_not_sent_again),
		test_with_session(silence_is_told_at_the_deadline_and_ends_nothing),
		test_with_session(
			the_deadline_covers_greeting_and_capabilities_together),
		test_with_session(trickling_bytes_and_events_do_not_move_the_deadline),
		test_with_session(an_idle_session_has_no_deadline),
		test_with_session(what_is_not_qmp_ends_the_session),
		test_with_session(a_second_greeting_ends_the_session),
		test_with_session(refused_capabilities_end_the_session),
		test_with_session(death_says_what_was_awaited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
