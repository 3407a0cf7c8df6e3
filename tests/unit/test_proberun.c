// SPDX-License-Identifier: MIT
/* A measurement that goes wrong, and one that somebody waits for. */
#include "config.h"

#include "daemon/proberun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "probe/child.h"
#include "probelab.h"

/* ---- a program that fails ---- */

static void
a_program_that_fails_costs_one_line_and_is_tried_again_later(void **state)
{
	static const struct {
		const char *what;
		const char *say;
		bool stay;
		const char *line;
	} cases[] = {
		{"ends", "", false, "it ended with status 3 before it was done"},
		{"says nonsense", "hello\n", true, "qmpin-probe: "},
		{"says what we say", "go\n", true, "it speaks out of turn"},
		{"fails", "failed no memory\n", true, "qmpin-probe: no memory"},
		{"fails with a curse", "failed \033[31m\xff\n", true,
			"qmpin-probe: \\x1b[31m\\xff"},
		{"curses", "\033[31m\xff\n", true, "'\\x1b[31m\\xff'"},
		{"measures nonsense", "result 5\nhello", true, "its result"},
	};
	struct probelab *l = *state;
	auto_free char *stay = xasprintf("%s/stay", l->dir);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *warning = NULL;

		(void)unlink(stay);
		if (cases[i].stay)
			probelab_write_file(l, "stay", "", 0);
		probelab_write_file(l, "say", cases[i].say, strlen(cases[i].say));
		probelab_start_again(l);
		probelab_until(l, probelab_is_state, "model");
		if (logcatch_count(&l->log, cases[i].line) != 1 ||
			logcatch_count(&l->log, "tried again after 1 min") != 1)
			fail_msg("%s", cases[i].what);
		warning = probing_warning(l->probing);
		assert_non_null(strstr(warning, "tried again after 1 min"));
		assert_int_equal(probelab_n_started(l), i + 1);
	}
}

static void
a_program_that_is_not_there_is_no_disaster(void **state)
{
	struct probelab *l = *state;

	assert_int_equal(setenv(CHILD_PROGRAM_ENV, "/nonexistent/probe", 1), 0);
	probelab_start(l);
	probelab_until(l, probelab_is_state, "model");
	probelab_check_said_once(
		l, "/nonexistent/probe: cannot start the probe: No such file");
	probelab_check_said_once(l, "tried again after 1 min");
}

static void
note_end(void *owner, const struct err *why)
{
	struct probelab *l = owner;

	str_copy(l->end, sizeof(l->end), why != NULL ? why->text : "done");
	l->n_ends++;
}

static void
ignore_progress(void *owner, const struct wire_message *m)
{
	(void)owner;
	(void)m;
}

static void
ignore_note(void *owner, const char *text)
{
	(void)owner;
	(void)text;
}

static void
ignore_result(void *owner, const char *text, size_t len)
{
	(void)owner;
	(void)text;
	(void)len;
}

static void
a_program_that_falls_silent_is_ended(void **state)
{
	static const struct proberun_handlers handlers = {
		ignore_progress, ignore_note, ignore_result, note_end};
	struct probelab *l = *state;
	struct proberun_options o = {.base = l->base,
		.child = {.cpus_pct = 12},
		.avoid = &l->engine->host.topo->online,
		.silence_ms = 300};
	struct proberun *run;
	struct err e = ERR_NONE;

	probelab_write_file(l, "say", "note hello\n", strlen("note hello\n"));
	assert_int_equal(proberun_new(&o, &handlers, l, &run, &e), 0);
	probelab_until(l, probelab_has_ended, "it is ended");
	assert_string_equal(l->end, "it says nothing any more");
	assert_int_equal(l->n_ends, 1);
	proberun_free(run);
}

static void
nobody_waits_for_a_program_to_die(void **state)
{
	static const struct proberun_handlers handlers = {
		ignore_progress, ignore_note, ignore_result, note_end};
	const struct err why = {.text = "enough"};
	const struct err again = {.text = "more than enough"};
	struct probelab *l = *state;
	struct proberun_options o = {.base = l->base,
		.child = {.cpus_pct = 12},
		.avoid = &l->engine->host.topo->online};
	struct proberun *run;
	struct err e = ERR_NONE;

	assert_int_equal(proberun_new(&o, &handlers, l, &run, &e), 0);
	probelab_until(l, probelab_is_heard, "go\n");
	proberun_end(run, &why);
	proberun_end(run, &again);
	proberun_avoid(run, &CPUSET_NONE);
	assert_int_equal(l->n_ends, 0);
	probelab_until(l, probelab_has_ended, "it is ended");
	assert_int_equal(l->n_ends, 1);
	assert_string_equal(l->end, "enough");
	proberun_free(run);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

/* ---- somebody asks ---- */

static void
client_progress(void *owner, const struct probing_progress *p)
{
	struct probelab *l = owner;

	assert_int_equal(p->pairs, 1);
	assert_int_equal(p->pairs_total, 2016);
	assert_string_equal(p->text, "x");
	l->visits = p->visits;
	l->visits_total = p->visits_total;
	l->n_progress++;
}

static void
client_end(void *owner, const struct err *why, const struct probing_progress *last)
{
	struct probelab *l = owner;

	str_copy(l->end, sizeof(l->end), why != NULL ? why->text : last->text);
	l->n_ends++;
}

static bool
client_wanted(void *owner)
{
	return ((const struct probelab *)owner)->wanted;
}

static const struct probing_client client = {
	client_progress, client_end, client_wanted};

static void
who_asks_is_told_until_the_end(void **state)
{
	struct probelab *l = *state;
	struct probing_wish wish = {.cpus = cpuset_below(8), .budget_s = 5};
	auto_free char *args = NULL;
	struct err e = ERR_NONE;

	probelab_start(l);
	probelab_until(l, probelab_is_heard, "go\n");
	l->wanted = true;
	probelab_let_say(l, "progress 4 8 1 2016 x\n", probelab_good(l), "done\n");
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), 0);
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), 0);
	wish.exhaustive = true;
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), -EBUSY);
	probelab_until(l, probelab_has_ended, "it is told");
	assert_int_equal(l->n_progress, 1);
	assert_int_equal(l->visits, 4);
	assert_int_equal(l->visits_total, 8);
	assert_int_equal(l->n_ends, 1);
	assert_non_null(strstr(l->end, "measured 2016 of 2016 pairs"));
	args = probelab_read_file(l, "started");
	assert_non_null(strstr(args, "--budget=5"));
	assert_non_null(strstr(args, "--cpus 0-7"));
	probelab_until(
		l, probelab_has_started, "3"); /* and it goes on in the background */
}

static void
a_short_look_does_not_take_the_place_of_what_was_measured(void **state)
{
	struct probelab *l = *state;
	const struct topo *t = l->engine->host.topo;
	struct probing_wish wish = {.cpus = CPUSET_NONE, .budget_s = 1};
	struct matrix *seen = probelab_make_matrix(t, &t->online, 2, false, 0);
	struct err e = ERR_NONE;

	matrix_at(seen, 0, 1)->visits = 4;
	l->engine->config.probe = SETTINGS_PROBE_NO;
	l->wanted = true;
	probelab_start(l);
	for (unsigned int i = 0; i < 2; i++) {
		probelab_let_say(l, "", i == 0 ? probelab_good(l) : seen, "done\n");
		l->n_ends = 0;
		assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), 0);
		probelab_until(l, probelab_has_ended, "it is told");
		assert_string_equal(probing_state(l->probing), "measured");
		assert_int_equal(hostmodel_pairs(&l->engine->host), 2016);
	}
	assert_int_equal(l->engine->host.matrix->cells[0].visits, 4);
	assert_int_equal(l->engine->host.matrix->cells[1].visits, 8);
}

/* All CPUs are equally near: nothing to trust. */
static struct matrix *
noisy(const struct probelab *l)
{
	const struct topo *t = l->engine->host.topo;

	return probelab_make_matrix(t, &t->online, 0, false, 1);
}

static void
probe(struct probelab *l, double budget_s, const char *progress, struct matrix *found)
{
	struct probing_wish wish = {.cpus = CPUSET_NONE, .budget_s = budget_s};
	struct err e = ERR_NONE;

	probelab_let_say(l, progress, found, "done\n");
	l->n_ends = 0;
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), 0);
	probelab_until(l, probelab_has_ended, "it is told");
}

static void
what_a_budget_has_cut_short_counts_when_it_deserves_it(void **state)
{
	static const struct {
		double budget_s;
		const char *progress;
		const char *state;
	} cases[] = {
		{1, "progress 90 4000 1 2016 x\n", "measured"},
		{1, "", "measured"},
		{1, "progress 90 90 1 2016 x\n", "untrusted"},
		{0, "progress 90 4000 1 2016 x\n", "untrusted"},
	};
	struct probelab *l = *state;

	l->engine->config.probe = SETTINGS_PROBE_NO;
	l->wanted = true;
	probelab_start(l);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("case %zu\n", i);
		probe(l, 0, "", probelab_good(l));
		assert_string_equal(probing_state(l->probing), "measured");
		logcatch_forget(&l->log);
		probe(l, cases[i].budget_s, cases[i].progress, noisy(l));
		assert_string_equal(probing_state(l->probing), cases[i].state);
		assert_int_equal(logcatch_count(&l->log, "deserves less trust"), i < 2);
		assert_int_equal(
			matrix_at(l->engine->host.matrix, 0, 1)->visits, i < 2 ? 8 : 1);
	}
}

static void
what_nobody_waits_for_is_ended(void **state)
{
	struct probelab *l = *state;
	struct probing_wish wish = {.cpus = CPUSET_NONE};
	struct err e = ERR_NONE;

	l->engine->config.probe = SETTINGS_PROBE_NO;
	probelab_start(l);
	l->wanted = true;
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), 0);
	assert_string_equal(probing_state(l->probing), "measuring");
	probelab_until(l, probelab_is_heard, "go\n");
	l->wanted = false;
	probelab_until(l, probelab_has_ended, "it is ended");
	assert_string_equal(probing_state(l->probing), "model");
	assert_int_equal(probelab_n_started(l), 1);
}

static void
who_asks_again_after_giving_up_gets_a_new_measurement(void **state)
{
	struct probelab *l = *state;
	struct probing_wish wish = {.cpus = CPUSET_NONE};
	struct err e = ERR_NONE;

	l->engine->config.probe = SETTINGS_PROBE_NO;
	probelab_start(l);
	l->wanted = true;
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), 0);
	probelab_until(l, probelab_is_heard, "go\n");
	l->wanted = false;
	probelab_until(l, probelab_has_ended, "the first one is ended");
	l->wanted = true;
	probelab_let_say(l, "", probelab_good(l), "done\n");
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), 0);
	l->n_ends = 0;
	probelab_until(l, probelab_has_ended, "the second one is ended");
	assert_non_null(strstr(l->end, "measured 2016 of 2016 pairs"));
	assert_int_equal(probelab_n_started(l), 2);
}

static void
who_waits_at_the_end_is_told(void **state)
{
	struct probelab *l = *state;
	struct probing_wish wish = {.cpus = CPUSET_NONE};
	struct err e = ERR_NONE;

	probelab_start(l);
	l->wanted = true;
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), 0);
	probelab_stop(l);
	assert_int_equal(l->n_ends, 1);
	assert_string_equal(l->end, "qmpind ends");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, probelab_set_up, probelab_tear_down)
		T(a_program_that_fails_costs_one_line_and_is_tried_again_later),
		T(a_program_that_is_not_there_is_no_disaster),
		T(a_program_that_falls_silent_is_ended),
		T(nobody_waits_for_a_program_to_die),
		T(who_asks_is_told_until_the_end),
		T(a_short_look_does_not_take_the_place_of_what_was_measured),
		T(what_a_budget_has_cut_short_counts_when_it_deserves_it),
		T(what_nobody_waits_for_is_ended),
		T(who_asks_again_after_giving_up_gets_a_new_measurement),
		T(who_waits_at_the_end_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
