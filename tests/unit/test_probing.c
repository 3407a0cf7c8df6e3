// SPDX-License-Identifier: MIT
/*
 * Measuring in the background, with the real child process but another program in it: a
 * script that says what the test wrote into a file, and keeps what it is told.
 */
#include "config.h"

#include "daemon/probing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/proberun.h"
#include "hosts.h"
#include "logcatch.h"
#include "probe/cachefile.h"
#include "probe/child.h"
#include "procs.h"

#define LIMIT_MS 20000u
#define FINGERPRINT "0123456789abcdef"

struct lab {
	char *dir;
	char *state_dir;
	struct event_base *base;
	struct engine *engine;
	struct probing *probing;
	struct logcatch log;
	bool foreign;
	/* a client of probing_ask */
	bool wanted;
	unsigned int n_progress;
	unsigned int n_ends;
	char end[256];
};

/* ---- the program ---- */

static void
write_file(const struct lab *l, const char *name, const char *bytes, size_t len)
{
	auto_free char *path = xasprintf("%s/%s", l->dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* New text, "" when there is no such file. */
static char *
read_file(const struct lab *l, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", l->dir, name);
	FILE *f = fopen(path, "r");
	struct strbuf text = {0};
	char chunk[4096];
	size_t n;

	while (f != NULL && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		strbuf_add(&text, chunk, n);
	if (f != NULL)
		(void)fclose(f);
	return strbuf_take(&text);
}

/* Says what is in the file "say"; then ends or, with a file "stay", listens on. */
static void
write_program(const struct lab *l)
{
	auto_free char *path = xasprintf("%s/program", l->dir);
	auto_free char *text = xasprintf("#!/bin/sh\n"
					 "cd '%s' || exit 1\n"
					 "echo \"$*\" >>started\n"
					 "cat say\n"
					 "[ -e stay ] || exit 3\n"
					 "exec cat 3>&1 >heard\n",
		l->dir);

	write_file(l, "program", text, strlen(text));
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(setenv(CHILD_PROGRAM_ENV, path, 1), 0);
}

static unsigned int
n_started(const struct lab *l)
{
	auto_free char *text = read_file(l, "started");
	unsigned int n = 0;

	for (const char *p = text; *p != '\0'; p++)
		n += *p == '\n';
	return n;
}

/* ---- what it measures ---- */

/* The class model's values times @factor (0: all alike); with @swapped, CPUs of each
 * two L3 groups of a node are near each other crosswise. */
static struct matrix *
make_matrix(const struct topo *t, const struct cpuset *cpus, float factor, bool swapped,
	unsigned int visits)
{
	struct matrix *m = matrix_new(cpus);

	for (unsigned int i = 0; i < m->n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			unsigned int a = (unsigned int)t->pu_of_cpu[m->cpus[i]];
			unsigned int b = (unsigned int)t->pu_of_cpu[m->cpus[j]];
			float ns = lat_class_ns(t, lat_classes_default(), a, b);

			if (swapped && t->pus[a].node == t->pus[b].node &&
				t->pus[a].core != t->pus[b].core)
				ns = (t->pus[a].core & 1) == (t->pus[b].core & 1) ? 25
										  : 95;
			*matrix_at(m, i, j) = (struct matrix_cell){
				factor > 0 ? ns * factor : 50, (uint8_t)visits, 95};
		}
	}
	return m;
}

static char *
make_text(const struct lab *l, struct matrix *m, const char *fingerprint, size_t *len)
{
	struct cache c = {.host = "a host", .measured_s = 1, .matrix = m};
	char *text;

	str_copy(c.fingerprint, sizeof(c.fingerprint), fingerprint);
	cache_set_places(&c, l->engine->host.topo);
	text = cache_format(&c, len);
	cache_fini(&c);
	return text;
}

/* What the next program says: some words, a result (NULL: none), some words. */
static void
let_say(const struct lab *l, const char *before, struct matrix *m, const char *after)
{
	auto_free char *heard = xasprintf("%s/heard", l->dir);
	struct strbuf say = {0};

	(void)unlink(heard); /* by one before it */
	strbuf_adds(&say, before);
	if (m != NULL) {
		size_t len;
		auto_free char *text = make_text(l, m, FINGERPRINT, &len);

		strbuf_addf(&say, "result %zu\n", len);
		strbuf_add(&say, text, len);
	}
	strbuf_adds(&say, after);
	write_file(l, "say", strbuf_text(&say), say.len);
	strbuf_fini(&say);
}

static struct matrix *
good(const struct lab *l)
{
	const struct topo *t = l->engine->host.topo;

	return make_matrix(t, &t->online, 1, false, 8);
}

/* ---- the lab ---- */

static struct hostmodel
make_host(const struct cpuset *offline)
{
	struct host made = host_make(&host_9354, offline, &CPUSET_NONE);
	struct hostmodel h = {.topo = made.topo,
		.latency_ns = made.ns,
		.ranking = made.ranking,
		.id = {.text = "a host"}};

	str_copy(h.id.fingerprint, sizeof(h.id.fingerprint), FINGERPRINT);
	return h;
}

static void
on_change(void *owner)
{
	(void)owner;
}

static void
on_tick(evutil_socket_t fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	(void)owner;
}

static int
set_up(void **state)
{
	struct lab *l = xcalloc(1, sizeof(*l));
	struct engine_options o = {.clock = clock_system(),
		.procfd = -1,
		.run_dirfd = -1,
		.on_change = on_change};
	struct settings config;
	struct hostmodel host = make_host(&CPUSET_NONE);

	*state = l;
	l->dir = procs_make_dir();
	l->state_dir = xasprintf("%s/state", l->dir);
	o.base = l->base = event_base_new();
	settings_init(&config);
	log_open(LOG_TO_STDERR, LOG_INFO);
	logcatch_init(&l->log);
	l->engine = engine_new(&o, &config, &host);
	event_del(l->engine->audit);
	event_del(l->engine->adoption);
	write_program(l);
	write_file(l, "stay", "", 0);
	let_say(l, "", NULL, "");
	return 0;
}

static int
tear_down(void **state)
{
	struct lab *l = *state;

	probing_free(l->probing);
	engine_free(l->engine);
	event_base_free(l->base);
	logcatch_fini(&l->log);
	procs_remove_dir(l->dir);
	free(l->state_dir);
	free(l);
	return 0;
}

static void
start(struct lab *l)
{
	struct probing_options o = {
		.engine = l->engine, .state_dir = l->state_dir, .foreign = l->foreign};

	l->engine->probing = l->probing = probing_new(&o);
	probing_start(l->probing);
}

static void
stop(struct lab *l)
{
	probing_free(l->probing);
	l->engine->probing = l->probing = NULL;
}

/* As another daemon would find it. */
static void
start_again(struct lab *l)
{
	struct hostmodel host = make_host(&CPUSET_NONE);

	stop(l);
	hostmodel_fini(&l->engine->host);
	l->engine->host = host;
	logcatch_forget(&l->log);
	start(l);
}

/* Run the loop until @holds; fails the test after some seconds. */
static void
until(struct lab *l, bool (*holds)(struct lab *l, const char *arg), const char *arg)
{
	const struct timeval tick_every = {.tv_usec = 5000};
	struct event *tick = event_new(l->base, -1, EV_PERSIST, on_tick, NULL);
	uint64_t end = clock_now_us(clock_system()) / 1000 + LIMIT_MS;

	event_add(tick, &tick_every);
	while (!holds(l, arg)) {
		if (clock_now_us(clock_system()) / 1000 > end)
			fail_msg("not within %u ms: %s", LIMIT_MS, arg);
		event_base_loop(l->base, EVLOOP_ONCE);
	}
	event_free(tick);
}

static bool
is_said(struct lab *l, const char *text)
{
	return logcatch_count(&l->log, text) > 0;
}

static bool
is_state(struct lab *l, const char *state)
{
	return str_equal(probing_state(l->probing), state);
}

static bool
is_saved(struct lab *l, const char *arg)
{
	auto_free char *path = xasprintf("%s/latency-" FINGERPRINT, l->state_dir);

	(void)arg;
	return access(path, F_OK) == 0;
}

/* The program has been told this. */
static bool
is_heard(struct lab *l, const char *text)
{
	auto_free char *heard = read_file(l, "heard");

	return strstr(heard, text) != NULL;
}

static bool
has_started(struct lab *l, const char *arg)
{
	return n_started(l) >= (unsigned int)atoi(arg);
}

static bool
has_ended(struct lab *l, const char *arg)
{
	(void)arg;
	return l->n_ends > 0;
}

static void
check_said_once(const struct lab *l, const char *text)
{
	if (logcatch_count(&l->log, text) != 1)
		fail_msg("said %u times: %s", logcatch_count(&l->log, text), text);
}

/* ---- from the first start on ---- */

static void
a_measurement_that_is_trusted_counts_and_is_kept(void **state)
{
	struct lab *l = *state;

	let_say(l, "progress 4 8 1 2016 x\n", good(l), "done\n");
	assert_true(!l->engine->host.ranking->trusted);
	start(l);
	assert_string_equal(probing_state(l->probing), "measuring");
	until(l, is_state, "measured");
	until(l, is_saved, "the file is there");
	check_said_once(l, "latency: measured 2016 of 2016 pairs in ");
	check_said_once(l, "; placement goes by it");
	assert_true(l->engine->host.ranking->trusted);
	assert_int_equal(n_started(l), 1);
}

static void
what_is_kept_counts_before_anything_is_measured(void **state)
{
	struct lab *l = *state;

	let_say(l, "", good(l), "done\n");
	start(l);
	until(l, is_saved, "the file is there");
	let_say(l, "", NULL, "");
	start_again(l);
	assert_string_equal(probing_state(l->probing), "measured");
	check_said_once(l, "2016 of 2016 pairs are known from earlier: ");
	/* what is known is for the program to build upon, without a burst */
	until(l, is_heard, "go\n");
	assert_true(is_heard(l, "known "));
	assert_true(is_heard(l, FINGERPRINT));
}

static void
nothing_is_measured_faster_than_wanted(void **state)
{
	struct lab *l = *state;
	auto_free char *args = NULL;

	l->engine->config.probe_burst_s = 7;
	l->engine->config.probe_cpus_pct = 25;
	start(l);
	until(l, is_heard, "go\n");
	args = read_file(l, "started");
	assert_non_null(strstr(args, "--cold=7"));
	assert_non_null(strstr(args, "--cpus-pct=25"));
	assert_false(is_heard(l, "known "));
}

static void
nothing_is_measured_when_it_is_not_wanted(void **state)
{
	struct lab *l = *state;

	let_say(l, "", good(l), "done\n");
	l->engine->config.probe = SETTINGS_PROBE_NO;
	start(l);
	assert_string_equal(probing_state(l->probing), "model");
	l->engine->config.probe = SETTINGS_PROBE_YES;
	stop(l);
	l->foreign = true;
	start(l);
	assert_string_equal(probing_state(l->probing), "model");
	assert_int_equal(n_started(l), 0);
}

/* ---- what is kept but of no use ---- */

static void
overwrite(struct lab *l, const char *text, size_t len)
{
	write_file(l, "state/latency-" FINGERPRINT, text, len);
}

static void
a_file_of_no_use_is_told_once_and_measured_afresh(void **state)
{
	struct lab *l = *state;
	auto_free char *text = NULL;
	auto_free char *foreign = NULL;
	size_t len;
	size_t foreign_len;

	let_say(l, "", good(l), "done\n");
	start(l);
	until(l, is_saved, "the file is there");
	text = read_file(l, "state/latency-" FINGERPRINT);
	len = strlen(text);
	foreign = make_text(l, good(l), "00000000000000aa", &foreign_len);
	for (unsigned int i = 0; i < 3; i++) {
		if (i == 0)
			overwrite(l, text, len / 2);
		else if (i == 1)
			overwrite(l, foreign, foreign_len);
		else
			overwrite(l, "", 0);
		start_again(l);
		check_said_once(l, "measured afresh");
		assert_string_equal(probing_state(l->probing), "measuring");
		until(l, is_state, "measured");
		check_said_once(l, "latency: measured 2016 of 2016 pairs in ");
	}
}

static void
a_place_that_cannot_be_written_costs_one_warning(void **state)
{
	struct lab *l = *state;

	write_file(l, "state", "", 0);
	let_say(l, "", good(l), "");
	start(l);
	until(l, is_state, "measured");
	stop(l); /* tries again */
	check_said_once(l, "what was measured is kept in memory only");
}

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
		{"measures nonsense", "result 5\nhello", true, "its result"},
	};
	struct lab *l = *state;
	auto_free char *stay = xasprintf("%s/stay", l->dir);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *warning = NULL;

		(void)unlink(stay);
		if (cases[i].stay)
			write_file(l, "stay", "", 0);
		write_file(l, "say", cases[i].say, strlen(cases[i].say));
		start_again(l);
		until(l, is_state, "model");
		if (logcatch_count(&l->log, cases[i].line) != 1 ||
			logcatch_count(&l->log, "tried again after 1 min") != 1)
			fail_msg("%s", cases[i].what);
		warning = probing_warning(l->probing);
		assert_non_null(strstr(warning, "tried again after 1 min"));
		assert_int_equal(n_started(l), i + 1);
	}
}

static void
a_program_that_is_not_there_is_no_disaster(void **state)
{
	struct lab *l = *state;

	assert_int_equal(setenv(CHILD_PROGRAM_ENV, "/nonexistent/probe", 1), 0);
	start(l);
	assert_string_equal(probing_state(l->probing), "model");
	check_said_once(l, "tried again after 1 min");
}

static void
note_end(void *owner, const struct err *why)
{
	struct lab *l = owner;

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
	struct lab *l = *state;
	struct proberun_options o = {.base = l->base,
		.child = {.cpus_pct = 12},
		.avoid = &l->engine->host.topo->online,
		.silence_ms = 300};
	struct proberun *run;
	struct err e = ERR_NONE;

	write_file(l, "say", "note hello\n", strlen("note hello\n"));
	assert_int_equal(proberun_new(&o, &handlers, l, &run, &e), 0);
	until(l, has_ended, "it is ended");
	assert_string_equal(l->end, "it says nothing any more");
	assert_int_equal(l->n_ends, 1);
	proberun_free(run);
}

/* ---- what is measured again ---- */

static void
what_is_measured_afresh_counts_when_it_is_as_good_or_done(void **state)
{
	struct lab *l = *state;
	const struct topo *t = l->engine->host.topo;
	float first;

	let_say(l, "", good(l), "done\n");
	start(l);
	until(l, is_saved, "the file is there");
	first = l->engine->host.matrix->cells[0].ns;
	/* all the same: nothing to trust */
	let_say(l, "", make_matrix(t, &t->online, 0, false, 8), "note next\n");
	probing_again(l->probing);
	until(l, is_said, "latency: next");
	assert_false(is_heard(l, "known "));
	assert_string_equal(probing_state(l->probing), "measured");
	assert_true(l->engine->host.matrix->cells[0].ns < 1.1f * first);
	/* twice as slow, but clear */
	let_say(l, "", make_matrix(t, &t->online, 2, false, 8), "note clear\n");
	probing_again(l->probing);
	until(l, is_said, "latency: clear");
	assert_true(l->engine->host.matrix->cells[0].ns > 1.5f * first);
	assert_int_equal(n_started(l), 3);
	let_say(l, "", make_matrix(t, &t->online, 0, false, 8), "done\n");
	probing_again(l->probing);
	until(l, is_state, "untrusted");
	check_said_once(l, "; placement goes by what CPUs share");
}

static void
only_new_cpus_make_the_program_start_again(void **state)
{
	struct lab *l = *state;
	struct cpuset some = cpuset_below(4);
	struct hostmodel host;
	struct topo *t;

	let_say(l, "", good(l), "done\n");
	start(l);
	until(l, is_saved, "the file is there");
	let_say(l, "", NULL, "");
	host = make_host(&some);
	probing_equip(l->probing, &host);
	engine_replace_host(l->engine, &host);
	probing_host_changed(l->probing);
	t = l->engine->host.topo;
	assert_int_equal(l->engine->host.matrix->n, 60);
	assert_int_equal(l->engine->host.matrix->n, t->n_pus);
	host = make_host(&CPUSET_NONE);
	probing_equip(l->probing, &host);
	engine_replace_host(l->engine, &host);
	probing_host_changed(l->probing);
	assert_int_equal(l->engine->host.matrix->n, 64);
	assert_int_equal(hostmodel_pairs(&l->engine->host), 2016);
	assert_int_equal(n_started(l), 1);
}

static void
cpus_that_come_are_measured_with_what_is_known(void **state)
{
	struct lab *l = *state;
	struct cpuset some = cpuset_of(0);
	struct hostmodel host = make_host(&some);

	engine_replace_host(l->engine, &host);
	let_say(l, "", good(l), "done\n");
	start(l);
	until(l, is_saved, "the file is there");
	assert_int_equal(l->engine->host.matrix->n, 63);
	let_say(l, "", NULL, "");
	host = make_host(&CPUSET_NONE);
	probing_equip(l->probing, &host);
	engine_replace_host(l->engine, &host);
	probing_host_changed(l->probing);
	until(l, has_started, "2");
	until(l, is_heard, "known ");
	assert_int_equal(hostmodel_pairs(&l->engine->host), 63 * 62 / 2);
}

/* ---- what is not trusted, and what contradicts the firmware ---- */

static void
a_virtual_machine_is_measured_but_not_trusted(void **state)
{
	struct lab *l = *state;

	l->engine->host.id.virtual = true;
	let_say(l, "", good(l), "done\n");
	start(l);
	until(l, is_state, "untrusted");
	assert_false(l->engine->host.ranking->trusted);
	assert_int_equal(hostmodel_pairs(&l->engine->host), 2016);
	check_said_once(l, "not trusted (the host is itself a virtual machine)");
	probing_again(l->probing);
	until(l, has_started, "2");
	until(l, is_state, "untrusted");
	check_said_once(l, "not trusted");
}

static void
firmware_that_is_wrong_is_told_and_does_not_count(void **state)
{
	struct lab *l = *state;
	const struct topo *t = l->engine->host.topo;

	let_say(l, "", make_matrix(t, &t->online, 1, true, 8), "done\n");
	start(l);
	until(l, is_state, "measured");
	check_said_once(l, "latency: the firmware's groups are not what was measured: "
			   "l3 is denied");
	assert_int_equal(ranking_tier_named(l->engine->host.ranking, "l3"), -1);
}

/* ---- somebody asks ---- */

static void
client_progress(
	void *owner, unsigned int pairs, unsigned int pairs_total, const char *text)
{
	struct lab *l = owner;

	assert_int_equal(pairs, 1);
	assert_int_equal(pairs_total, 2016);
	assert_string_equal(text, "x");
	l->n_progress++;
}

static void
client_end(void *owner, const struct err *why, unsigned int pairs,
	unsigned int pairs_total, const char *text)
{
	struct lab *l = owner;

	(void)pairs;
	(void)pairs_total;
	str_copy(l->end, sizeof(l->end), why != NULL ? why->text : text);
	l->n_ends++;
}

static bool
client_wanted(void *owner)
{
	return ((const struct lab *)owner)->wanted;
}

static const struct probing_client client = {
	client_progress, client_end, client_wanted};

static void
who_asks_is_told_until_the_end(void **state)
{
	struct lab *l = *state;
	struct probing_wish wish = {.cpus = cpuset_below(8), .budget_s = 5};
	auto_free char *args = NULL;
	struct err e = ERR_NONE;

	start(l);
	until(l, is_heard, "go\n");
	l->wanted = true;
	let_say(l, "progress 4 8 1 2016 x\n", good(l), "done\n");
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), 0);
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), 0);
	wish.exhaustive = true;
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), -EBUSY);
	until(l, has_ended, "it is told");
	assert_int_equal(l->n_progress, 1);
	assert_int_equal(l->n_ends, 1);
	assert_non_null(strstr(l->end, "measured 2016 of 2016 pairs"));
	args = read_file(l, "started");
	assert_non_null(strstr(args, "--budget=5"));
	assert_non_null(strstr(args, "--cpus 0-7"));
	until(l, has_started, "3"); /* and it goes on in the background */
}

static void
what_nobody_waits_for_is_ended(void **state)
{
	struct lab *l = *state;
	struct probing_wish wish = {.cpus = CPUSET_NONE};
	struct err e = ERR_NONE;

	l->engine->config.probe = SETTINGS_PROBE_NO;
	start(l);
	l->wanted = true;
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), 0);
	assert_string_equal(probing_state(l->probing), "measuring");
	until(l, is_heard, "go\n");
	l->wanted = false;
	until(l, has_ended, "it is ended");
	assert_string_equal(probing_state(l->probing), "model");
	assert_int_equal(n_started(l), 1);
}

static void
who_waits_at_the_end_is_told(void **state)
{
	struct lab *l = *state;
	struct probing_wish wish = {.cpus = CPUSET_NONE};
	struct err e = ERR_NONE;

	start(l);
	l->wanted = true;
	assert_int_equal(probing_ask(l->probing, &wish, &client, l, &e), 0);
	stop(l);
	assert_int_equal(l->n_ends, 1);
	assert_string_equal(l->end, "qmpind ends");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_measurement_that_is_trusted_counts_and_is_kept),
		T(what_is_kept_counts_before_anything_is_measured),
		T(nothing_is_measured_faster_than_wanted),
		T(nothing_is_measured_when_it_is_not_wanted),
		T(a_file_of_no_use_is_told_once_and_measured_afresh),
		T(a_place_that_cannot_be_written_costs_one_warning),
		T(a_program_that_fails_costs_one_line_and_is_tried_again_later),
		T(a_program_that_is_not_there_is_no_disaster),
		T(a_program_that_falls_silent_is_ended),
		T(what_is_measured_afresh_counts_when_it_is_as_good_or_done),
		T(only_new_cpus_make_the_program_start_again),
		T(cpus_that_come_are_measured_with_what_is_known),
		T(a_virtual_machine_is_measured_but_not_trusted),
		T(firmware_that_is_wrong_is_told_and_does_not_count),
		T(who_asks_is_told_until_the_end),
		T(what_nobody_waits_for_is_ended),
		T(who_waits_at_the_end_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
