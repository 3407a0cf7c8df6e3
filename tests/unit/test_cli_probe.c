// SPDX-License-Identifier: MIT
/*
 * qmpin probe: by the daemon and by itself, until done or cancelled. Measuring programs
 * that fail, hang or talk nonsense are shell scripts; the one that measures is real.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "cli/cmd.h"
#include "cli_run.h"
#include "ctl_world.h"
#include "host/load.h"
#include "probe/cache.h"

#define NO_DAEMON "--run-dir=/nonexistent"

/* What probe says when it finds no daemon. */
#define WITHOUT "qmpin: qmpind does not run: measuring without it\n"

/* ---- by the daemon ---- */

static void
daemon_measures_and_its_tiers_are_shown(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	w->n_steps = 100;
	cli_run(w,
		&(struct cli_how){.args = {"probe", "--cpus", "0-3", "--budget", "2.5",
					  "--exhaustive"}},
		&r);
	/* no terminal: no bar */
	assert_string_equal(strbuf_text(&r.err), "");
	assert_non_null(strstr(strbuf_text(&r.out), "source      measured\n"));
	assert_non_null(strstr(strbuf_text(&r.out), "host       1   16    64 200.0"));
	assert_int_equal(r.status, CMD_OK);
	assert_string_equal(
		w->wish, "{\"budget_s\":2.5,\"cpus\":\"0-3\",\"exhaustive\":true}");
	cli_result_fini(&r);
}

static void
wishes_are_not_invented(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	cli_run(w, &(struct cli_how){.args = {"probe", "-j"}}, &r);
	assert_int_equal(r.status, CMD_OK);
	assert_string_equal(w->wish, "{}");
	assert_int_equal(strncmp(strbuf_text(&r.out), "{\"trusted\":true", 15), 0);
	cli_result_fini(&r);
}

static void
result_is_written_to_a_file_too(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *out = xasprintf("%s/x.csv", w->dir);
	struct cli_result r;
	struct stat st;

	cli_run(w, &(struct cli_how){.args = {"probe", "-o", out}}, &r);
	assert_int_equal(r.status, CMD_OK);
	assert_non_null(strstr(strbuf_text(&r.out), "TIER"));
	assert_int_equal(stat(out, &st), 0);
	assert_true(st.st_size > 16 * 16);
	assert_int_equal(unlink(out), 0);
	cli_result_fini(&r);
}

/* The bar, and that it is gone at the end. */
static void
terminal_sees_a_bar_that_is_erased(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;
	const char *last;

	w->n_steps = 3;
	w->hostile = true;
	cli_run(w,
		&(struct cli_how){
			.args = {"probe"}, .columns = 70, .env = "NO_COLOR=1"},
		&r);
	assert_int_equal(r.status, CMD_OK);
	assert_non_null(strstr(strbuf_text(&r.out), "\r[######............]   33 %  "));
	assert_non_null(strstr(strbuf_text(&r.out), "33 %  1 of 30 pairs, ?[31mevil"));
	assert_null(strchr(strbuf_text(&r.out), '\x1b'));
	last = strrchr(strbuf_text(&r.out), '#');
	assert_non_null(last);
	assert_non_null(strstr(last, "  \rsource "));
	cli_result_fini(&r);
	cli_run(w,
		&(struct cli_how){.args = {"probe"}, .columns = 70, .env = "TERM=dumb"},
		&r);
	assert_null(strchr(strbuf_text(&r.out), '#'));
	cli_result_fini(&r);
}

static bool
is_probing(const struct ctl_world *w)
{
	return w->n_held > 0;
}

static void
cancelled_probe_hangs_up_and_shows_what_is_known(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct ctl_world *w = *state;

	w->n_steps = 1;
	w->endless = true;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct cli_result r;

		w->n_held = 0;
		cli_run(w,
			&(struct cli_how){.args = {"probe"},
				.is_time = is_probing,
				.signal = signals[i]},
			&r);
		assert_int_equal(r.status, CMD_FAILED);
		assert_string_equal(strbuf_text(&r.err),
			"qmpin: cancelled: there may be less than was asked for\n");
		assert_non_null(strstr(strbuf_text(&r.out), "TIER"));
		ctl_world_settle(w);
		assert_true(ctl_call_gone(w->held[0]));
		ctl_reply(w->held[0], json_object(), false);
		cli_result_fini(&r);
	}
}

/* ---- by itself ---- */

/* An executable script in the world's directory. */
static char *
write_script(const struct ctl_world *w, const char *body)
{
	char *path = xasprintf("%s/probe.sh", w->dir);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fprintf(f, "#!/bin/sh\n%s\n", body) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0700), 0);
	return path;
}

/* A result about this host in "DIR/result", as qmpin-probe says it. */
static char *
write_result(const struct ctl_world *w)
{
	char *path = xasprintf("%s/result", w->dir);
	struct cache c = {.fingerprint = "0123456789abcdef", .host = "a host"};
	struct topo *t = NULL;
	FILE *f = fopen(path, "w");
	auto_free char *text = NULL;
	size_t len;

	assert_non_null(f);
	assert_int_equal(host_load(NULL, &t, NULL), 0);
	c.matrix = matrix_new(&t->online);
	c.measured_s = 1700000000;
	for (size_t i = 0; i < matrix_pairs(c.matrix->n); i++)
		c.matrix->cells[i] = (struct matrix_cell){50.5f, 4, 90};
	cache_set_places(&c, t);
	text = cache_format(&c, &len);
	assert_true(fprintf(f, "result %zu\n", len) > 0);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	cache_fini(&c);
	topo_free(t);
	return path;
}

/* Run with a script in place of qmpin-probe. */
static void
run_script(
	struct ctl_world *w, const char *body, struct cli_how how, struct cli_result *r)
{
	auto_free char *script = write_script(w, body);
	auto_free char *env = xasprintf("QMPIN_PROBE=%s", script);

	how.env = env;
	cli_run(w, &how, r);
	assert_int_equal(unlink(script), 0);
}

static void
result_of_the_child_is_shown(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *result = write_result(w);
	auto_free char *body = xasprintf(
		"read go\ntest \"$go\" = go || exit 1\n"
		"echo progress 1 2 1 1 first pass\necho note cold \\\\033[31mhost\n"
		"cat %s\necho done\n",
		result);
	struct cli_result r;

	run_script(w, body, (struct cli_how){.args = {"probe", NO_DAEMON}}, &r);
	assert_int_equal(strncmp(strbuf_text(&r.err), WITHOUT, strlen(WITHOUT)), 0);
	assert_non_null(strstr(strbuf_text(&r.err), "qmpin: cold \\x1b[31mhost\n"));
	assert_int_equal(r.status, CMD_OK);
	assert_non_null(strstr(strbuf_text(&r.out), "source      measured"));
	assert_non_null(strstr(strbuf_text(&r.out), " 50.5"));
	assert_int_equal(w->n_calls, 0);
	assert_int_equal(unlink(result), 0);
	cli_result_fini(&r);
}

static void
options_reach_the_child(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	run_script(w, "echo failed \"$*\"",
		(struct cli_how){.args = {"probe", "--local", "--cpus", "0,1",
					 "--budget", "7", "--exhaustive"}},
		&r);
	assert_non_null(strstr(strbuf_text(&r.err), "--cold=7.000 --budget=7.000"));
	assert_non_null(strstr(strbuf_text(&r.err), "--exhaustive --cpus 0,1\n"));
	cli_result_fini(&r);
	run_script(w, "echo failed \"$*\"",
		(struct cli_how){.args = {"probe", "--local"}}, &r);
	assert_non_null(strstr(strbuf_text(&r.err), "--budget=30.000"));
	cli_result_fini(&r);
}

static void
children_that_fail_are_told_in_one_line(void **state)
{
	static const struct {
		const char *body;
		const char *text;
	} cases[] = {
		{"exit 1", "qmpin-probe ended before it was done"},
		{"read go; kill -9 $$", "qmpin-probe ended before it was done"},
		{"echo failed only one CPU is allowed",
			"cannot measure: only one CPU is allowed"},
		{"echo done", "nothing could be measured"},
		{"echo hello world", "qmpin: "},
		{"echo go", "qmpin: "},
		{"echo result 99999999999", "qmpin: "},
		{"printf 'result 5\\nhello'; echo done", "the result of qmpin-probe: "},
		{"printf 'failed a\\033[1mb\\n'", "cannot measure: a"},
	};
	struct ctl_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_result r;

		run_script(w, cases[i].body,
			(struct cli_how){.args = {"probe", "--local"}}, &r);
		if (r.status != CMD_FAILED ||
			strstr(strbuf_text(&r.err), cases[i].text) == NULL)
			fail_msg("case %zu: %d, %s", i, r.status, strbuf_text(&r.err));
		assert_ptr_equal(strchr(r.err.s, '\n'), r.err.s + r.err.len - 1);
		assert_null(strchr(r.err.s, '\x1b'));
		assert_string_equal(strbuf_text(&r.out), "");
		cli_result_fini(&r);
	}
}

static void
missing_program_is_named(void **state)
{
	struct cli_result r;

	cli_run(*state,
		&(struct cli_how){.args = {"probe", "--local"},
			.env = "QMPIN_PROBE=/nonexistent/qmpin-probe"},
		&r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_non_null(strstr(strbuf_text(&r.err), "/nonexistent/qmpin-probe"));
	cli_result_fini(&r);
}

/* Its script has made a file to say that it waits. */
static bool
is_waiting(const struct ctl_world *w)
{
	return faccessat(w->dirfd, "waiting", F_OK, 0) == 0;
}

/* ... and the number of its process in it. */
static bool
is_alive(const struct ctl_world *w)
{
	auto_free char *path = xasprintf("%s/waiting", w->dir);
	FILE *f = fopen(path, "r");
	int pid = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(unlink(path), 0);
	assert_true(pid > 1);
	return kill(pid, 0) == 0;
}

static void
cancelled_child_is_gone_and_its_result_is_used(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *result = write_result(w);
	/* one that ends when it is told to, and one that does not care */
	static const char *const ends[] = {"read eof; exit 0", "exec sleep 1000"};

	for (unsigned int i = 0; i < 4; i++) {
		bool has_result = i % 2 == 0;
		auto_free char *body = xasprintf(
			"read go\n%s %s\necho $$ >%s/new\nmv %s/new %s/waiting\n%s\n",
			has_result ? "cat" : ": ", result, w->dir, w->dir, w->dir,
			ends[i / 2]);
		struct cli_result r;

		run_script(w, body,
			(struct cli_how){.args = {"probe", "--local"},
				.is_time = is_waiting,
				.signal = SIGINT},
			&r);
		assert_int_equal(r.status, CMD_FAILED);
		assert_string_equal(strbuf_text(&r.err),
			has_result
				? "qmpin: cancelled: there may be less than was asked "
				  "for\n"
				: "qmpin: cancelled before anything was measured\n");
		assert_int_equal(
			strstr(strbuf_text(&r.out), "TIER") != NULL, has_result);
		assert_false(is_alive(w));
		cli_result_fini(&r);
	}
	assert_int_equal(unlink(result), 0);
}

/* It is in the foreground of qmpin's terminal, but Ctrl-C is not for it. */
static void
ctrl_c_leaves_the_child_its_last_words(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *result = write_result(w);
	auto_free char *body = xasprintf(
		"read go\necho $$ >%s/new\nmv %s/new %s/waiting\nread eof\ncat %s\n",
		w->dir, w->dir, w->dir, result);
	struct cli_result r;

	run_script(w, body,
		(struct cli_how){.args = {"probe", "--local"},
			.columns = 80,
			.is_time = is_waiting,
			.signal = SIGINT,
			.group = true},
		&r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_non_null(strstr(strbuf_text(&r.out), "qmpin: cancelled: there may be"));
	assert_non_null(strstr(strbuf_text(&r.out), "TIER"));
	assert_false(is_alive(w));
	cli_result_fini(&r);
	assert_int_equal(unlink(result), 0);
}

static void
mistakes_are_found_before_anything_is_measured(void **state)
{
	static const struct {
		struct cli_how how;
		int status;
		const char *text;
	} cases[] = {
		{{.args = {"probe", "-o", "x.txt"}}, CMD_USAGE,
			"cannot write x.txt: the name must end in .csv, .json or .xml"},
		{{.args = {"probe", "-o", "/nonexistent/x.csv"}}, CMD_FAILED,
			"cannot write /nonexistent/x.csv: No such file"},
		{{.args = {"probe", "--cpus", "0-"}}, CMD_USAGE, "no list of CPUs"},
		{{.args = {"probe", "--cpus", "3"}}, CMD_USAGE, "two CPUs at least"},
		{{.args = {"probe", "--cpus", ""}}, CMD_USAGE, "two CPUs at least"},
		{{.args = {"probe", "--budget", "0"}}, CMD_USAGE, "no number of"},
		{{.args = {"probe", "--budget", "1e3"}}, CMD_USAGE, "no number of"},
		{{.args = {"probe", "--budget", "86401"}}, CMD_USAGE, "86400"},
		{{.args = {"probe", "--budget", "inf"}}, CMD_USAGE, "no number of"},
		{{.args = {"probe", "--latency", "x"}}, CMD_USAGE,
			"probe has no option '--latency'"},
		{{.args = {"probe", "--all"}}, CMD_USAGE, "no option '--all'"},
	};
	struct ctl_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_result r;

		cli_run(w, &cases[i].how, &r);
		if (r.status != cases[i].status ||
			strstr(strbuf_text(&r.err), cases[i].text) == NULL)
			fail_msg("case %zu: %d, %s", i, r.status, strbuf_text(&r.err));
		assert_string_equal(strbuf_text(&r.out), "");
		cli_result_fini(&r);
	}
	assert_int_equal(w->n_calls, 0);
}

static void
full_disk_names_the_file_and_the_table_is_there(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *link = xasprintf("%s/full.csv", w->dir);
	struct cli_result r;

	assert_int_equal(symlink("/dev/full", link), 0);
	cli_run(w, &(struct cli_how){.args = {"probe", "-o", link}}, &r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_non_null(
		strstr(strbuf_text(&r.err), "full.csv: No space left on device"));
	assert_non_null(strstr(strbuf_text(&r.out), "TIER"));
	assert_int_equal(unlink(link), 0);
	cli_result_fini(&r);
}

/* The real program on this machine. */
static void
this_machine_is_measured(void **state)
{
	struct cli_result r;
	cpu_set_t mine;
	char cwd[4096];

	assert_int_equal(sched_getaffinity(0, sizeof(mine), &mine), 0);
	if (CPU_COUNT(&mine) < 2)
		skip();
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	auto_free char *env = xasprintf("QMPIN_PROBE=%s/src/qmpin-probe", cwd);
	cli_run(*state,
		&(struct cli_how){.args = {"probe", "--local", "--budget", "5", "-j"},
			.env = env},
		&r);
	if (r.status != CMD_OK)
		fail_msg("%s", strbuf_text(&r.err));
	auto_json json_t *reply = json_loads(strbuf_text(&r.out), 0, NULL);
	assert_non_null(reply);
	assert_int_equal(strncmp(json_string_value(json_object_get(reply, "source")),
				 "measured", 8),
		0);
	cli_result_fini(&r);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, ctl_world_setup, ctl_world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(daemon_measures_and_its_tiers_are_shown),
		CASE(wishes_are_not_invented),
		CASE(result_is_written_to_a_file_too),
		CASE(terminal_sees_a_bar_that_is_erased),
		CASE(cancelled_probe_hangs_up_and_shows_what_is_known),
		CASE(result_of_the_child_is_shown),
		CASE(options_reach_the_child),
		CASE(children_that_fail_are_told_in_one_line),
		CASE(missing_program_is_named),
		CASE(cancelled_child_is_gone_and_its_result_is_used),
		CASE(ctrl_c_leaves_the_child_its_last_words),
		CASE(mistakes_are_found_before_anything_is_measured),
		CASE(full_disk_names_the_file_and_the_table_is_there),
		CASE(this_machine_is_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
