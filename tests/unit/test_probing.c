// SPDX-License-Identifier: MIT
/* When latencies are measured, what is kept, and what counts. */
#include "config.h"

#include "daemon/probing.h"

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
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "probe/child.h"
#include "probelab.h"

/* ---- from the first start on ---- */

static void
a_measurement_that_is_trusted_counts_and_is_kept(void **state)
{
	struct probelab *l = *state;

	probelab_let_say(l, "progress 4 8 1 2016 x\n", probelab_good(l), "done\n");
	assert_true(!l->engine->host.ranking->trusted);
	probelab_start(l);
	assert_string_equal(probing_state(l->probing), "measuring");
	probelab_until(l, probelab_is_state, "measured");
	probelab_until(l, probelab_is_saved, "the file is there");
	probelab_check_said_once(l, "latency: measured 2016 of 2016 pairs in ");
	probelab_check_said_once(l, "; placement goes by it");
	assert_true(l->engine->host.ranking->trusted);
	assert_int_equal(probelab_n_started(l), 1);
}

static void
what_is_kept_counts_before_anything_is_measured(void **state)
{
	struct probelab *l = *state;

	probelab_let_say(l, "", probelab_good(l), "done\n");
	probelab_start(l);
	probelab_until(l, probelab_is_saved, "the file is there");
	probelab_let_say(l, "", NULL, "");
	probelab_start_again(l);
	assert_string_equal(probing_state(l->probing), "measured");
	probelab_check_said_once(l, "2016 of 2016 pairs are known from earlier: ");
	/* what is known is for the program to build upon, without a burst */
	probelab_until(l, probelab_is_heard, "go\n");
	assert_true(probelab_is_heard(l, "known "));
	assert_true(probelab_is_heard(l, PROBELAB_FINGERPRINT));
}

static void
nothing_is_measured_faster_than_wanted(void **state)
{
	struct probelab *l = *state;
	auto_free char *args = NULL;

	l->engine->config.probe_burst_s = 7;
	l->engine->config.probe_cpus_pct = 25;
	probelab_start(l);
	probelab_until(l, probelab_is_heard, "go\n");
	args = probelab_read_file(l, "started");
	assert_non_null(strstr(args, "--cold=7"));
	assert_non_null(strstr(args, "--cpus-pct=25"));
	assert_false(probelab_is_heard(l, "known "));
}

static void
nothing_is_measured_when_it_is_not_wanted(void **state)
{
	struct probelab *l = *state;

	probelab_let_say(l, "", probelab_good(l), "done\n");
	l->engine->config.probe = SETTINGS_PROBE_NO;
	probelab_start(l);
	assert_string_equal(probing_state(l->probing), "model");
	l->engine->config.probe = SETTINGS_PROBE_YES;
	probelab_stop(l);
	l->foreign = true;
	probelab_start(l);
	assert_string_equal(probing_state(l->probing), "model");
	assert_int_equal(probelab_n_started(l), 0);
}

/* ---- what is kept but of no use ---- */

static void
overwrite(struct probelab *l, const char *text, size_t len)
{
	probelab_write_file(l, "state/latency-" PROBELAB_FINGERPRINT, text, len);
}

static void
a_file_of_no_use_is_told_once_and_measured_afresh(void **state)
{
	struct probelab *l = *state;
	auto_free char *text = NULL;
	auto_free char *foreign = NULL;
	size_t len;
	size_t foreign_len;

	probelab_let_say(l, "", probelab_good(l), "done\n");
	probelab_start(l);
	probelab_until(l, probelab_is_saved, "the file is there");
	text = probelab_read_file(l, "state/latency-" PROBELAB_FINGERPRINT);
	len = strlen(text);
	foreign = probelab_make_text(
		l, probelab_good(l), "00000000000000aa", &foreign_len);
	for (unsigned int i = 0; i < 3; i++) {
		if (i == 0)
			overwrite(l, text, len / 2);
		else if (i == 1)
			overwrite(l, foreign, foreign_len);
		else
			overwrite(l, "", 0);
		probelab_start_again(l);
		probelab_check_said_once(l, "measured afresh");
		assert_string_equal(probing_state(l->probing), "measuring");
		probelab_until(l, probelab_is_state, "measured");
		probelab_check_said_once(l, "latency: measured 2016 of 2016 pairs in ");
	}
}

/* The daemon had no descriptor left when it read who it is, say; the program had. */
static void
who_this_machine_is_is_looked_at_again_when_the_program_says_another(void **state)
{
	const char *wrong = "00000000000000aa";
	struct hostmodel h;
	struct hostid now;

	(void)state;
	assert_int_equal(hostmodel_load(NULL, &h, NULL), 0);
	assert_int_equal(hostid_read(NULL, &now, NULL), 0);
	str_copy(h.id.fingerprint, sizeof(h.id.fingerprint), wrong);
	hostmodel_identify(&h, wrong);
	assert_string_equal(h.id.fingerprint, wrong);
	h.own = false;
	hostmodel_identify(&h, now.fingerprint);
	assert_string_equal(h.id.fingerprint, wrong);
	h.own = true;
	hostmodel_identify(&h, now.fingerprint);
	assert_string_equal(h.id.fingerprint, now.fingerprint);
	hostmodel_fini(&h);
}

static void
a_place_that_cannot_be_written_costs_one_warning(void **state)
{
	struct probelab *l = *state;

	probelab_write_file(l, "state", "", 0);
	probelab_let_say(l, "", probelab_good(l), "");
	probelab_start(l);
	probelab_until(l, probelab_is_state, "measured");
	probelab_stop(l); /* tries again */
	probelab_check_said_once(l, "what was measured is kept in memory only");
}

/* ---- what is measured again ---- */

static void
what_is_measured_afresh_counts_when_it_is_as_good_or_done(void **state)
{
	struct probelab *l = *state;
	const struct topo *t = l->engine->host.topo;
	float first;

	probelab_let_say(l, "", probelab_good(l), "done\n");
	probelab_start(l);
	probelab_until(l, probelab_is_saved, "the file is there");
	first = l->engine->host.matrix->cells[0].ns;
	/* all the same: nothing to trust */
	probelab_let_say(
		l, "", probelab_make_matrix(t, &t->online, 0, false, 8), "note next\n");
	probing_again(l->probing);
	probelab_until(l, probelab_is_said, "latency: next");
	assert_false(probelab_is_heard(l, "known "));
	assert_string_equal(probing_state(l->probing), "measured");
	assert_true(l->engine->host.matrix->cells[0].ns < 1.1f * first);
	/* twice as slow, but clear */
	probelab_let_say(l, "", probelab_make_matrix(t, &t->online, 2, false, 8),
		"note clear\n");
	probing_again(l->probing);
	probelab_until(l, probelab_is_said, "latency: clear");
	assert_true(l->engine->host.matrix->cells[0].ns > 1.5f * first);
	assert_int_equal(probelab_n_started(l), 3);
	probelab_let_say(
		l, "", probelab_make_matrix(t, &t->online, 0, false, 8), "done\n");
	probing_again(l->probing);
	probelab_until(l, probelab_is_state, "untrusted");
	probelab_check_said_once(l, "; placement goes by what CPUs share");
}

static void
configure(struct probelab *l, unsigned int cpus_pct, unsigned int guard_ms)
{
	struct settings c;

	settings_init(&c);
	c.probe_cpus_pct = cpus_pct;
	c.guard_ms = guard_ms;
	engine_configure(l->engine, &c);
}

static void
other_settings_have_nothing_measured_afresh(void **state)
{
	struct probelab *l = *state;
	unsigned int pct = l->engine->config.probe_cpus_pct;
	auto_free char *args = NULL;

	l->engine->host.id.virtual = true; /* so that the state tells what runs */
	probelab_let_say(l, "", probelab_good(l), "done\n");
	probelab_start(l);
	probelab_until(l, probelab_is_state, "untrusted");
	probelab_let_say(l, "", NULL, "");
	configure(l, pct, 500);
	assert_string_equal(probing_state(l->probing), "untrusted");
	configure(l, pct + 8, 500);
	assert_string_equal(probing_state(l->probing), "measuring");
	probelab_until(l, probelab_is_heard, "go\n");
	assert_true(probelab_is_heard(l, "known "));
	/* also while something is measured */
	probelab_let_say(l, "", NULL, "");
	configure(l, pct + 8, 600);
	assert_string_equal(probing_state(l->probing), "measuring");
	configure(l, pct + 9, 600);
	assert_string_equal(probing_state(l->probing), "untrusted"); /* it ends */
	probelab_until(l, probelab_has_started, "3");
	probelab_until(l, probelab_is_heard, "go\n");
	assert_true(probelab_is_heard(l, "known "));
	args = probelab_read_file(l, "started");
	assert_non_null(strstr(args, "--cpus-pct=21"));
	assert_int_equal(probelab_n_started(l), 3);
}

/* CPUs that could not be measured are tried again in an hour, but for this. */
static void
other_settings_do_not_wait_for_the_next_try(void **state)
{
	struct probelab *l = *state;
	unsigned int pct = l->engine->config.probe_cpus_pct;

	probelab_let_say(l, "", NULL, "done\n");
	probelab_start(l);
	probelab_until(l, probelab_is_state, "model");
	assert_int_equal(probelab_n_started(l), 1);
	configure(l, pct, 500);
	assert_int_equal(probelab_n_started(l), 1);
	probelab_let_say(l, "", NULL, "");
	configure(l, pct + 8, 500);
	assert_string_equal(probing_state(l->probing), "measuring");
	probelab_until(l, probelab_has_started, "2");
}

static void
only_new_cpus_make_the_program_start_again(void **state)
{
	struct probelab *l = *state;
	struct cpuset some = cpuset_below(4);
	struct hostmodel host;
	struct topo *t;

	probelab_let_say(l, "", probelab_good(l), "done\n");
	probelab_start(l);
	probelab_until(l, probelab_is_saved, "the file is there");
	probelab_let_say(l, "", NULL, "");
	host = probelab_make_host(&some);
	probing_equip(l->probing, &host);
	engine_replace_host(l->engine, &host);
	probing_host_changed(l->probing);
	t = l->engine->host.topo;
	assert_int_equal(l->engine->host.matrix->n, 60);
	assert_int_equal(l->engine->host.matrix->n, t->n_pus);
	host = probelab_make_host(&CPUSET_NONE);
	probing_equip(l->probing, &host);
	engine_replace_host(l->engine, &host);
	probing_host_changed(l->probing);
	assert_int_equal(l->engine->host.matrix->n, 64);
	assert_int_equal(hostmodel_pairs(&l->engine->host), 2016);
	assert_int_equal(probelab_n_started(l), 1);
}

static void
cpus_that_come_are_measured_with_what_is_known(void **state)
{
	struct probelab *l = *state;
	struct cpuset some = cpuset_of(0);
	struct hostmodel host = probelab_make_host(&some);

	engine_replace_host(l->engine, &host);
	probelab_let_say(l, "", probelab_good(l), "done\n");
	probelab_start(l);
	probelab_until(l, probelab_is_saved, "the file is there");
	assert_int_equal(l->engine->host.matrix->n, 63);
	probelab_let_say(l, "", NULL, "");
	host = probelab_make_host(&CPUSET_NONE);
	probing_equip(l->probing, &host);
	engine_replace_host(l->engine, &host);
	probing_host_changed(l->probing);
	probelab_until(l, probelab_has_started, "2");
	probelab_until(l, probelab_is_heard, "known ");
	assert_int_equal(hostmodel_pairs(&l->engine->host), 63 * 62 / 2);
}

/* Core and caches of CPU 0 have another name while it is away. */
static void
a_cpu_that_was_away_meanwhile_is_where_it_was(void **state)
{
	struct probelab *l = *state;
	struct cpuset first = cpuset_of(0);
	struct hostmodel host;

	probelab_let_say(l, "", probelab_good(l), "done\n");
	probelab_start(l);
	probelab_until(l, probelab_is_saved, "the file is there");
	host = probelab_make_host(&first);
	probing_equip(l->probing, &host);
	engine_replace_host(l->engine, &host);
	probelab_let_say(l, "", probelab_good(l), "note next\n");
	probing_again(l->probing);
	probelab_until(l, probelab_is_said, "latency: next");
	probelab_start_again(l);
	probelab_check_said_once(l, "2016 of 2016 pairs are known from earlier: ");
}

/* Read while a CPU was on its way to be online, a host may look like another one. */
static void
a_host_that_was_read_half_way_costs_no_measurement(void **state)
{
	struct probelab *l = *state;
	struct hostmodel host;

	probelab_let_say(l, "", probelab_good(l), "done\n");
	probelab_start(l);
	probelab_until(l, probelab_is_saved, "the file is there");
	probelab_let_say(l, "", NULL, "");
	host = probelab_make_host(&CPUSET_NONE);
	host.topo->pus[1].core = host.topo->pus[2].core;
	probing_equip(l->probing, &host);
	assert_int_equal(hostmodel_pairs(&host), 2016);
	engine_replace_host(l->engine, &host);
	probing_host_changed(l->probing);
	assert_int_equal(probelab_n_started(l), 1);
}

static void
change_host(struct probelab *l, const struct cpuset *offline)
{
	struct hostmodel host = probelab_make_host(offline);

	probing_equip(l->probing, &host);
	engine_replace_host(l->engine, &host);
	probing_host_changed(l->probing);
}

static void
a_cpu_that_goes_and_comes_back_does_not_end_the_measuring(void **state)
{
	struct probelab *l = *state;
	struct cpuset one = cpuset_of(5);

	/* all has some value, and the program goes on */
	probelab_let_say(l, "", probelab_good(l), "");
	probelab_start(l);
	probelab_until(l, probelab_is_state, "measured");
	change_host(l, &one);
	assert_int_equal(probelab_n_started(l), 1);
	/* the program has given it up: another one has to go on */
	change_host(l, &CPUSET_NONE);
	probelab_until(l, probelab_has_started, "2");
	probelab_until(l, probelab_is_heard, "known ");
	assert_string_equal(probing_state(l->probing), "measured");
}

static void
what_is_asked_for_afresh_is_not_forgotten_when_cpus_come(void **state)
{
	struct probelab *l = *state;
	struct cpuset one = cpuset_of(5);

	probelab_let_say(l, "", probelab_good(l), "done\n");
	probelab_start(l);
	probelab_until(l, probelab_is_saved, "the file is there");
	probelab_let_say(l, "", NULL, "");
	change_host(l, &one);
	probing_again(l->probing);
	probelab_until(l, probelab_has_started, "2");
	change_host(l, &CPUSET_NONE);
	probelab_until(l, probelab_has_started, "3");
	probelab_until(l, probelab_is_heard, "go\n");
	assert_false(probelab_is_heard(l, "known "));
}

/* ---- what is not trusted, and what contradicts the firmware ---- */

static void
a_virtual_machine_is_measured_but_not_trusted(void **state)
{
	struct probelab *l = *state;

	l->engine->host.id.virtual = true;
	probelab_let_say(l, "", probelab_good(l), "done\n");
	probelab_start(l);
	probelab_until(l, probelab_is_state, "untrusted");
	assert_false(l->engine->host.ranking->trusted);
	assert_int_equal(hostmodel_pairs(&l->engine->host), 2016);
	probelab_check_said_once(
		l, "not trusted (the host is itself a virtual machine)");
	probing_again(l->probing);
	probelab_until(l, probelab_has_started, "2");
	probelab_until(l, probelab_is_state, "untrusted");
	probelab_check_said_once(l, "not trusted");
}

static void
firmware_that_is_wrong_is_told_and_does_not_count(void **state)
{
	struct probelab *l = *state;
	const struct topo *t = l->engine->host.topo;

	probelab_let_say(
		l, "", probelab_make_matrix(t, &t->online, 1, true, 8), "done\n");
	probelab_start(l);
	probelab_until(l, probelab_is_state, "measured");
	probelab_check_said_once(l,
		"latency: the firmware's groups are not what was measured: "
		"l3 is denied");
	assert_int_equal(ranking_tier_named(l->engine->host.ranking, "l3"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, probelab_set_up, probelab_tear_down)
		T(a_measurement_that_is_trusted_counts_and_is_kept),
		T(what_is_kept_counts_before_anything_is_measured),
		T(nothing_is_measured_faster_than_wanted),
		T(nothing_is_measured_when_it_is_not_wanted),
		T(a_file_of_no_use_is_told_once_and_measured_afresh),
		T(who_this_machine_is_is_looked_at_again_when_the_program_says_another),
		T(a_place_that_cannot_be_written_costs_one_warning),
		T(what_is_measured_afresh_counts_when_it_is_as_good_or_done),
		T(other_settings_have_nothing_measured_afresh),
		T(other_settings_do_not_wait_for_the_next_try),
		T(only_new_cpus_make_the_program_start_again),
		T(cpus_that_come_are_measured_with_what_is_known),
		T(a_cpu_that_was_away_meanwhile_is_where_it_was),
		T(a_host_that_was_read_half_way_costs_no_measurement),
		T(a_cpu_that_goes_and_comes_back_does_not_end_the_measuring),
		T(what_is_asked_for_afresh_is_not_forgotten_when_cpus_come),
		T(a_virtual_machine_is_measured_but_not_trusted),
		T(firmware_that_is_wrong_is_told_and_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
