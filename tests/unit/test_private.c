// SPDX-License-Identifier: MIT
/* The steps to a private monitor: against what real QEMUs said (private-steps.txt has
 * their answers), against a model of one that refuses, and against nonsense. */
#include "config.h"

#include "qmp/private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "mutate.h"
#include "qmp_transcripts.h"

#define PATH "/run/qmpin/monitor.sock"
#define DIALS "disconnected:unix:" PATH
#define CONNECTED "unix:" PATH
#define SHARED "{\"label\": \"qmp\", \"filename\": \"unix:/run/103.qmp,server=on\"}"
#define NO_MONITORS "[{\"name\": \"type\", \"type\": \"string\"}]"
#define MONITORS "[{\"name\": \"compat_monitor0\", \"type\": \"child<monitor-qmp>\"}"

static const char *const outcomes[] = {
	[PRIVATE_BUSY] = "busy",
	[PRIVATE_ADDED] = "added",
	[PRIVATE_THERE] = "there",
	[PRIVATE_REMOVED] = "removed",
	[PRIVATE_UNSUPPORTED] = "unsupported",
	[PRIVATE_TAKEN] = "taken",
	[PRIVATE_FAILED] = "failed",
};

/* A QEMU as far as it matters: what is called "qmpin" there. NULL: nothing. */
struct model {
	const char *filename; /* of the chardev */
	const char *type;     /* of the object */
	bool old;	      /* has no monitor-qmp */
	int refuse;	      /* the command that it refuses; -1: none */
	struct strbuf asked;  /* "C" chardev-add, "O" object-add, "o", "c": away */
};

static json_t *
chardevs_of(const struct model *m)
{
	auto_free char *text =
		m->filename == NULL
			? xstrdup("[" SHARED "]")
			: xasprintf("[" SHARED ", {\"label\": \"qmpin\", "
				    "\"frontend-open\": true, \"filename\": \"%s\"}]",
				  m->filename);

	return json_loads(text, 0, NULL);
}

/* It is connected at the next look, since somebody listens. */
static json_t *
look_at_chardevs(struct model *m)
{
	json_t *ret = chardevs_of(m);

	if (str_equal(m->filename, DIALS))
		m->filename = CONNECTED;
	return ret;
}

static json_t *
objects_of(const struct model *m)
{
	auto_free char *text =
		m->type == NULL ? xasprintf("%s", m->old ? NO_MONITORS : MONITORS "]")
				: xasprintf(MONITORS ", {\"name\": \"qmpin\", "
						     "\"type\": \"child<%s>\"}]",
					  m->type);

	return json_loads(text, 0, NULL);
}

/* Why QEMU refuses, NULL if it does what it is told. */
static const char *
obey(struct model *m, enum message_command c)
{
	const bool has_monitor = m->type != NULL && strcmp(m->type, "monitor-qmp") == 0;

	if ((int)c == m->refuse)
		return "no\033[2J";
	switch (c) {
	case MESSAGE_CHARDEV_ADD:
		strbuf_adds(&m->asked, "C");
		if (m->filename != NULL)
			return "exists";
		m->filename = "disconnected:unix:" PATH;
		return NULL;
	case MESSAGE_OBJECT_ADD:
		strbuf_adds(&m->asked, "O");
		if (m->type != NULL || m->filename == NULL)
			return "duplicate";
		m->type = "monitor-qmp";
		return NULL;
	case MESSAGE_OBJECT_DEL:
		strbuf_adds(&m->asked, "o");
		if (m->type == NULL)
			return "not found";
		m->type = NULL;
		return NULL;
	default:
		assert_int_equal(c, MESSAGE_CHARDEV_REMOVE);
		strbuf_adds(&m->asked, "c");
		if (m->filename == NULL || has_monitor)
			return "busy";
		m->filename = NULL;
		return NULL;
	}
}

static void
answer(struct private *p, struct model *m)
{
	enum message_command c = private_next(p);
	auto_json json_t *ret = NULL;
	const char *desc = NULL;

	if ((int)c == m->refuse)
		desc = "no\033[2J";
	else if (c == MESSAGE_QUERY_CHARDEV)
		ret = look_at_chardevs(m);
	else if (c == MESSAGE_QOM_LIST_OBJECTS)
		ret = objects_of(m);
	else
		desc = obey(m, c);
	if (desc == NULL && ret == NULL)
		ret = json_object();
	(void)private_answer(p, ret, desc);
}

static enum private_outcome
run(struct private *p, enum private_goal goal, struct model *m)
{
	unsigned int n = 0;

	private_init(p, goal, PATH);
	while (p->outcome == PRIVATE_BUSY) {
		assert_true(n++ < PRIVATE_ANSWERS_MAX);
		answer(p, m);
	}
	assert_true(err_is_set(private_why(p)) == (p->outcome >= PRIVATE_UNSUPPORTED));
	return p->outcome;
}

/* Lines of a situation: the command it had, and the answer. */
static char *
next_line(char **at, const char *situation, const char *arrow)
{
	auto_free char *start = xasprintf("\n%s %s ", situation, arrow);
	char *line = strstr(*at, start);

	if (line == NULL)
		return NULL;
	line += strlen(start);
	*at = strchr(line, '\n');
	return xmemdupz(line, (size_t)(*at - line));
}

static bool
is_same_command(const char *recorded, enum message_command c)
{
	auto_json json_t *was = json_loads(recorded, 0, NULL);
	auto_json json_t *is = NULL;
	struct strbuf text = {0};

	message_command_format(c, 1, PATH, &text);
	is = json_loads(text.s, 0, NULL);
	strbuf_fini(&text);
	assert_non_null(is);
	(void)json_object_del(is, "id");
	return json_equal(was, is) == 1;
}

static void
replay(char *text, const char *situation, enum private_goal goal,
	enum private_outcome expected)
{
	struct message m;
	struct private p;
	unsigned int n = 0;

	private_init(&p, goal, PATH);
	for (char *at = text;; n++) {
		auto_free char *command = next_line(&at, situation, "->");
		auto_free char *reply = next_line(&at, situation, "<-");

		if (command == NULL)
			break;
		if (p.outcome != PRIVATE_BUSY)
			fail_msg("%s: ended before %s", situation, command);
		if (!is_same_command(command, private_next(&p)))
			fail_msg("%s: %s instead of %s", situation,
				message_command_name(private_next(&p)), command);
		assert_int_equal(message_parse(reply, strlen(reply), &m, NULL), 0);
		(void)private_answer(&p, m.ret, m.desc);
		message_fini(&m);
	}
	if (n == 0 || p.outcome != expected)
		fail_msg("%s: %s after %u answers (%s)", situation, outcomes[p.outcome],
			n, private_why(&p)->text);
}

static void
real_answers_are_understood(void **state)
{
	static const struct {
		const char *situation;
		enum private_goal goal;
		enum private_outcome outcome;
	} cases[] = {
		{"add-to-nothing", PRIVATE_ADD, PRIVATE_ADDED},
		{"add-to-dialling", PRIVATE_ADD, PRIVATE_THERE},
		{"add-to-connected", PRIVATE_ADD, PRIVATE_THERE},
		{"add-to-half", PRIVATE_ADD, PRIVATE_FAILED},
		{"add-to-half-connected", PRIVATE_ADD, PRIVATE_ADDED},
		{"add-to-elsewhere", PRIVATE_ADD, PRIVATE_TAKEN},
		{"add-to-half-elsewhere", PRIVATE_ADD, PRIVATE_TAKEN},
		{"add-to-other-chardev", PRIVATE_ADD, PRIVATE_TAKEN},
		{"add-to-other-object", PRIVATE_ADD, PRIVATE_TAKEN},
		{"add-to-other-monitor", PRIVATE_ADD, PRIVATE_TAKEN},
		{"remove-nothing", PRIVATE_REMOVE, PRIVATE_REMOVED},
		{"remove-dialling", PRIVATE_REMOVE, PRIVATE_REMOVED},
		{"remove-connected", PRIVATE_REMOVE, PRIVATE_REMOVED},
		{"remove-half", PRIVATE_REMOVE, PRIVATE_REMOVED},
		{"remove-other-chardev", PRIVATE_REMOVE, PRIVATE_REMOVED},
		{"remove-from-itself", PRIVATE_REMOVE, PRIVATE_FAILED},
		{"add-to-7.2", PRIVATE_ADD, PRIVATE_UNSUPPORTED},
		{"remove-from-7.2", PRIVATE_REMOVE, PRIVATE_REMOVED},
	};
	auto_free char *text = data_text("tests/data/qmp/private-steps.txt");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		replay(text, cases[i].situation, cases[i].goal, cases[i].outcome);
}

/* What QEMU calls a chardev, and whether it is ours. PRIVATE_ADD changes none. */
static void
only_our_own_chardev_is_removed(void **state)
{
	static const struct {
		const char *filename;
		enum private_outcome outcome; /* of ADD, a monitor being there */
		bool ours;
	} cases[] = {
		{"unix:" PATH, PRIVATE_THERE, true},
		{"disconnected:unix:" PATH, PRIVATE_THERE, true},
		{"unix:/run/old/monitor.sock", PRIVATE_TAKEN, true},
		{"disconnected:unix:/run/old/monitor.sock", PRIVATE_TAKEN, true},
		{"unix:/monitor.sock", PRIVATE_TAKEN, true},
		{"unix:" PATH ",server=on", PRIVATE_TAKEN, false},
		{"disconnected:unix:" PATH ",server=on", PRIVATE_TAKEN, false},
		{"unix:" PATH ",abstract=on", PRIVATE_TAKEN, false},
		{"unix:" PATH "2", PRIVATE_TAKEN, false},
		{"unix:/run/qmeventd.sock", PRIVATE_TAKEN, false},
		{"unix:monitor.sock", PRIVATE_TAKEN, false},
		{"unix:", PRIVATE_TAKEN, false},
		{"disconnected:", PRIVATE_TAKEN, false},
		{"disconnected:tcp:" PATH, PRIVATE_TAKEN, false},
		{"disconnected:disconnected:unix:" PATH, PRIVATE_TAKEN, false},
		{"tcp:127.0.0.1:4444", PRIVATE_TAKEN, false},
		{"file:" PATH, PRIVATE_TAKEN, false},
		{"pty:/dev/pts/0", PRIVATE_TAKEN, false},
		{PATH, PRIVATE_TAKEN, false},
		{"null", PRIVATE_TAKEN, false},
		{"", PRIVATE_TAKEN, false},
	};
	struct private p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct model m = {cases[i].filename, "monitor-qmp", .refuse = -1};
		const char *asked = cases[i].ours ? "oc" : "";

		if (run(&p, PRIVATE_ADD, &m) != cases[i].outcome)
			fail_msg("%s: %s", cases[i].filename, outcomes[p.outcome]);
		assert_int_equal(m.asked.len, 0);
		assert_int_equal(run(&p, PRIVATE_REMOVE, &m), PRIVATE_REMOVED);
		assert_string_equal(strbuf_text(&m.asked), asked);
		strbuf_fini(&m.asked);
	}
}

/* Somebody's object stays, also where a chardev of ours goes. */
static void
an_object_of_somebody_stays(void **state)
{
	struct model m = {"unix:" PATH, "iothread", .refuse = -1};
	struct private p;

	(void)state;
	assert_int_equal(run(&p, PRIVATE_ADD, &m), PRIVATE_TAKEN);
	assert_string_equal(private_why(&p)->text,
		"its object \"qmpin\" is not ours: child<iothread>");
	assert_int_equal(m.asked.len, 0);
	assert_int_equal(run(&p, PRIVATE_REMOVE, &m), PRIVATE_REMOVED);
	assert_string_equal(m.asked.s, "c");
	strbuf_fini(&m.asked);
}

#define OLD "disconnected:unix:/run/old/monitor.sock"
#define MON "monitor-qmp"

static void
why_it_is_taken_tells_where_it_dials_and_what_helps(void **state)
{
	static const char *const filenames[] = {OLD, "unix:/run/old/monitor.sock"};
	struct private p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(filenames); i++) {
		struct model m = {filenames[i], NULL, .refuse = -1};

		assert_int_equal(run(&p, PRIVATE_ADD, &m), PRIVATE_TAKEN);
		assert_string_equal(private_why(&p)->text,
			"its chardev \"qmpin\" dials /run/old/monitor.sock "
			"(`qmpin release` removes it)");
	}
}

static void
a_refused_step_takes_back_only_its_own(void **state)
{
	static const struct {
		enum private_goal goal;
		const char *filename;
		const char *type;
		enum message_command refuse;
		enum private_outcome outcome;
		const char *asked; /* besides the refused one */
		bool has_chardev;  /* in the end */
		bool has_object;
	} cases[] = {
#define R(command) MESSAGE_##command, PRIVATE_FAILED
		{PRIVATE_ADD, NULL, NULL, R(QUERY_CHARDEV), "", false, false},
		{PRIVATE_ADD, NULL, NULL, R(QOM_LIST_OBJECTS), "", false, false},
		{PRIVATE_ADD, NULL, NULL, R(CHARDEV_ADD), "", false, false},
		{PRIVATE_ADD, NULL, NULL, R(OBJECT_ADD), "Cc", false, false},
		{PRIVATE_ADD, CONNECTED, NULL, R(OBJECT_ADD), "", true, false},
		{PRIVATE_ADD, DIALS, MON, R(QOM_LIST_OBJECTS), "", true, true},
		{PRIVATE_REMOVE, DIALS, MON, R(QUERY_CHARDEV), "", true, true},
		{PRIVATE_REMOVE, DIALS, MON, R(QOM_LIST_OBJECTS), "", true, true},
		{PRIVATE_REMOVE, DIALS, MON, R(OBJECT_DEL), "c", true, true},
		{PRIVATE_REMOVE, DIALS, MON, R(CHARDEV_REMOVE), "o", true, false},
		{PRIVATE_REMOVE, DIALS, NULL, R(CHARDEV_REMOVE), "", true, false},
		{PRIVATE_REMOVE, OLD, MON, R(OBJECT_DEL), "c", true, true},
#undef R
	};
	struct private p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct model m = {cases[i].filename, cases[i].type,
			.refuse = (int)cases[i].refuse};
		auto_free char *why = xasprintf("%s is refused: no\\x1b[2J",
			message_command_name(cases[i].refuse));

		if (run(&p, cases[i].goal, &m) != cases[i].outcome ||
			strcmp(strbuf_text(&m.asked), cases[i].asked) != 0)
			fail_msg("case %zu: %s after \"%s\"", i, outcomes[p.outcome],
				strbuf_text(&m.asked));
		assert_string_equal(private_why(&p)->text, why);
		if ((m.filename != NULL) != cases[i].has_chardev ||
			(m.type != NULL) != cases[i].has_object)
			fail_msg("case %zu: left %s, %s", i, m.filename, m.type);
		strbuf_fini(&m.asked);
	}
}

/* From every state that a failure can leave, the next attempt gets there. */
static void
what_failed_can_be_tried_again(void **state)
{
	static const char *const filenames[] = {NULL, DIALS};
	struct private p;

	(void)state;
	for (int refuse = MESSAGE_QUERY_CHARDEV; refuse < MESSAGE_COMMANDS; refuse++) {
		for (unsigned int i = 0; i < 2 * ARRAY_LEN(filenames); i++) {
			struct model m = {filenames[i / 2],
				i % 2 == 1 && i > 1 ? MON : NULL, .refuse = refuse};

			(void)run(&p, PRIVATE_ADD, &m);
			(void)run(&p, PRIVATE_REMOVE, &m);
			(void)run(&p, PRIVATE_ADD, &m);
			m.refuse = -1;
			(void)run(&p, PRIVATE_ADD, &m);
			(void)run(&p, PRIVATE_ADD, &m); /* connected by now */
			assert_in_range(p.outcome, PRIVATE_ADDED, PRIVATE_THERE);
			assert_string_equal(m.filename, CONNECTED);
			assert_string_equal(m.type, MON);
			(void)run(&p, PRIVATE_REMOVE, &m);
			assert_int_equal(p.outcome, PRIVATE_REMOVED);
			assert_null(m.filename);
			assert_null(m.type);
			strbuf_fini(&m.asked);
		}
	}
}

/* It vanished between the look and the deed. */
static void
a_monitor_that_is_gone_already_is_no_failure(void **state)
{
	auto_json json_t *ok = json_object();
	struct model m = {DIALS, MON, .refuse = -1};
	struct private p;

	(void)state;
	private_init(&p, PRIVATE_REMOVE, PATH);
	answer(&p, &m);
	answer(&p, &m);
	assert_int_equal(private_next(&p), MESSAGE_OBJECT_DEL);
	assert_int_equal(private_answer(&p, NULL, "object 'qmpin' not found"), 0);
	assert_int_equal(private_next(&p), MESSAGE_CHARDEV_REMOVE);
	assert_int_equal(private_answer(&p, ok, NULL), PRIVATE_REMOVED);
	assert_false(err_is_set(private_why(&p)));
}

/* Something made an object "qmpin" after the look: nothing of it is touched. */
static void
an_object_that_appears_meanwhile_stays(void **state)
{
	struct model m = {CONNECTED, NULL, .refuse = -1};
	struct private p;

	(void)state;
	private_init(&p, PRIVATE_ADD, PATH);
	answer(&p, &m);
	answer(&p, &m);
	m.type = MON;
	answer(&p, &m);
	assert_int_equal(p.outcome, PRIVATE_FAILED);
	assert_string_equal(m.asked.s, "O");
	assert_string_equal(m.type, MON);
	assert_string_equal(m.filename, CONNECTED);
	strbuf_fini(&m.asked);
}

static const char *const garbage[] = {
	"null",
	"true",
	"0",
	"\"qmpin\"",
	"{}",
	"{\"label\": \"qmpin\", \"name\": \"qmpin\"}",
	"[null]",
	"[1]",
	"[[]]",
	"[{}]",
	"[{\"label\": 1, \"name\": 1}]",
	"[{\"label\": null, \"name\": null}]",
	"[{\"label\": \"a\", \"name\": \"a\"}, {}]",
	"[{\"label\": \"qmpin\", \"name\": \"qmpin\"}]",
	"[{\"label\": \"qmpin\", \"filename\": 1, \"name\": \"qmpin\", \"type\": {}}]",
};

static void
a_list_that_is_none_changes_nothing(void **state)
{
	struct private p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		auto_json json_t *ret = json_loads(garbage[i], JSON_DECODE_ANY, NULL);

		for (unsigned int goal = PRIVATE_ADD; goal <= PRIVATE_REMOVE; goal++) {
			struct model m = {DIALS, MON, .refuse = -1};

			private_init(&p, (enum private_goal)goal, PATH);
			if (private_answer(&p, ret, NULL) != PRIVATE_FAILED)
				fail_msg("chardevs %s, goal %u", garbage[i], goal);
			assert_string_equal(private_why(&p)->text,
				"what query-chardev returns is not as QMP has it");
			private_init(&p, (enum private_goal)goal, PATH);
			answer(&p, &m);
			if (private_answer(&p, ret, NULL) != PRIVATE_FAILED)
				fail_msg("objects %s, goal %u", garbage[i], goal);
		}
	}
}

static const char *const pieces[] = {
	"[{\"label\": \"qmpin\", \"filename\": \"unix:" PATH "\"}]",
	"[{\"label\": \"qmpin\", \"filename\": \"unix:/x/monitor.sock\"}]",
	"[{\"label\": \"qmpin\", \"filename\": \"null\"}]",
	"[" SHARED "]",
	MONITORS "]",
	MONITORS ", {\"name\": \"qmpin\", \"type\": \"child<monitor-qmp>\"}]",
	MONITORS ", {\"name\": \"qmpin\", \"type\": \"string\"}]",
	"[]",
	"{}",
};

/* The next command, which for ADD removes nothing but what that has added. */
static void
expect_harmless(const struct private *p, enum message_command before)
{
	enum message_command c = private_next(p);

	assert_in_range(c, MESSAGE_QUERY_CHARDEV, MESSAGE_OBJECT_DEL);
	if (p->goal == PRIVATE_REMOVE)
		return;
	assert_int_not_equal(c, MESSAGE_OBJECT_DEL);
	if (c == MESSAGE_CHARDEV_REMOVE) {
		assert_true(before == MESSAGE_OBJECT_ADD ||
			    before == MESSAGE_QUERY_CHARDEV); /* not connected */
		assert_int_equal(p->chardev, PRIVATE_NOTHING);
	}
}

static void
any_peer_comes_to_an_end(void **state)
{
	uint64_t seed = 20260704;
	unsigned int seen[ARRAY_LEN(outcomes)] = {0};
	unsigned int longest = 0;
	json_t *answers[ARRAY_LEN(pieces) + ARRAY_LEN(garbage)];
	struct private p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		answers[i] = json_loads(pieces[i], 0, NULL);
	for (size_t i = 0; i < ARRAY_LEN(garbage); i++)
		answers[ARRAY_LEN(pieces) + i] =
			json_loads(garbage[i], JSON_DECODE_ANY, NULL);
	for (unsigned int round = 0; round < 100000; round++) {
		enum message_command before = MESSAGE_QUERY_CHARDEV;
		unsigned int n = 0;

		private_init(&p, (enum private_goal)(mutate_random(&seed) % 2), PATH);
		while (p.outcome == PRIVATE_BUSY && n++ < 2 * PRIVATE_ANSWERS_MAX) {
			/* mostly plausible: else nobody gets far */
			size_t most = mutate_random(&seed) % 8 == 0 ? ARRAY_LEN(answers)
								    : ARRAY_LEN(pieces);

			expect_harmless(&p, before);
			before = private_next(&p);
			if (mutate_random(&seed) % 4 == 0)
				(void)private_answer(&p, NULL, "no");
			else
				(void)private_answer(
					&p, answers[mutate_random(&seed) % most], NULL);
		}
		longest = n > longest ? n : longest;
		seen[p.outcome]++;
	}
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		json_decref(answers[i]);
	print_message("longest: %u answers\n", longest);
	assert_in_range(longest, 6, PRIVATE_ANSWERS_MAX);
	assert_int_equal(seen[PRIVATE_BUSY], 0);
	for (size_t i = 1; i < ARRAY_LEN(seen); i++)
		assert_true(seen[i] > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_answers_are_understood),
		cmocka_unit_test(only_our_own_chardev_is_removed),
		cmocka_unit_test(an_object_of_somebody_stays),
		cmocka_unit_test(why_it_is_taken_tells_where_it_dials_and_what_helps),
		cmocka_unit_test(a_refused_step_takes_back_only_its_own),
		cmocka_unit_test(what_failed_can_be_tried_again),
		cmocka_unit_test(a_monitor_that_is_gone_already_is_no_failure),
		cmocka_unit_test(an_object_that_appears_meanwhile_stays),
		cmocka_unit_test(a_list_that_is_none_changes_nothing),
		cmocka_unit_test(any_peer_comes_to_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
