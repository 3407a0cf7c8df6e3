// SPDX-License-Identifier: MIT
/*
 * qmpin latency: from the daemon and from files, as a table, as JSON and as files; what
 * it says when it cannot.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "cli/cmd.h"
#include "cli/lathost.h"
#include "cli/latsource.h"
#include "cli_run.h"
#include "ctl/idl.h"
#include "ctl/shapes.h"
#include "ctl_world.h"

static char *
data_file(const char *name)
{
	const char *srcdir = getenv("srcdir");

	return xasprintf(
		"%s/tests/data/latency/%s", srcdir != NULL ? srcdir : ".", name);
}

/* ---- the daemon's ---- */

static void
latencies_of_the_daemon_are_a_table(void **state)
{
	cli_expect_text(*state, &(struct cli_how){.args = {"latency"}, .env = "TZ=UTC"},
		"source      measured\n"
		"measured    2023-11-14 22:13:20\n"
		"trusted     yes\n"
		"CPUs        0-15\n"
		"\n"
		"TIER NAME DOMAINS CPUS PAIRS   MIN MEDIAN   MAX CONFIDENCE\n"
		"   1 -          4    4    24  25.0   25.0  25.0      100 %\n"
		"   2 -          2    8    32  25.0   25.0  25.0      100 %\n"
		"   3 host       1   16    64 200.0  200.0 200.0      100 %\n");
}

static void
json_of_the_daemon_is_its_reply(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;
	char bad[64];

	cli_run(w, &(struct cli_how){.args = {"latency", "-j"}}, &r);
	assert_int_equal(r.status, CMD_OK);
	auto_json json_t *reply = json_loads(strbuf_text(&r.out), 0, NULL);
	assert_true(idl_check(ctl_interface_text(), IDL_METHOD_OUT, "GetLatency", reply,
		bad, sizeof(bad)));
	assert_int_equal(json_array_size(json_object_get(reply, "rows")), 16);
	cli_result_fini(&r);
}

static void
numbers_have_no_digits_that_nobody_measured(void **state)
{
	auto_free char *csv = data_file("two-packages.csv");
	struct cli_result r;

	cli_run(*state, &(struct cli_how){.args = {"latency", "--latency", csv, "-j"}},
		&r);
	assert_non_null(strstr(strbuf_text(&r.out), "\"ns\":[0.0,6.4,21.3,21.5,"));
	cli_result_fini(&r);
}

static void
csv_has_a_line_for_each_cpu(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;
	unsigned int lines = 0;

	cli_run(w, &(struct cli_how){.args = {"latency", "--output-format", "csv"}},
		&r);
	assert_int_equal(r.status, CMD_OK);
	for (const char *p = strbuf_text(&r.out); *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 16 + 1); /* and the header */
	cli_result_fini(&r);
}

static void
control_characters_reach_nobody(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	w->hostile = true;
	cli_run(w, &(struct cli_how){.args = {"latency"}}, &r);
	assert_null(strchr(strbuf_text(&r.out), '\x1b'));
	assert_non_null(strstr(strbuf_text(&r.out), "\\x1b[31mmeasured"));
	cli_result_fini(&r);
}

static void
thousand_cpus_come_through(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	w->n_packages = 128;
	cli_run(w, &(struct cli_how){.args = {"latency", "--no-heading"}}, &r);
	assert_string_equal(strbuf_text(&r.err), "");
	assert_int_equal(r.status, CMD_OK);
	assert_non_null(strstr(strbuf_text(&r.out), "CPUs        0-1023\n"));
	cli_result_fini(&r);
}

/* ---- files ---- */

static void
topology_alone_is_the_class_model_without_a_daemon(void **state)
{
	auto_free char *xml = data_file("two-packages.xml");

	cli_expect_text(*state,
		&(struct cli_how){.args = {"latency", "--topology", xml,
					  "--run-dir=/nonexistent"}},
		"source      class model: values are assumed, by what CPUs share\n"
		"trusted     no, the tiers are those of the host's own tree\n"
		"CPUs        0-31\n"
		"\n"
		"TIER NAME DOMAINS CPUS PAIRS   MIN MEDIAN   MAX CONFIDENCE\n"
		"   1 core      16    2    16   9.0    9.0   9.0          -\n"
		"   2 l3         4    8    96  25.0   25.0  25.0          -\n"
		"   3 node       2   16   128  95.0   95.0  95.0          -\n"
		"   4 host       1   32   256 200.0  200.0 200.0          -\n");
}

static void
file_and_topology_tell_what_measuring_confirms(void **state)
{
	auto_free char *xml = data_file("two-packages.xml");
	auto_free char *csv = data_file("two-packages.csv");
	struct cli_result r;

	cli_run(*state,
		&(struct cli_how){
			.args = {"latency", "--topology", xml, "--latency", csv}},
		&r);
	assert_string_equal(strbuf_text(&r.err), "");
	assert_int_equal(r.status, CMD_OK);
	assert_non_null(strstr(strbuf_text(&r.out), "two-packages.csv\n"));
	assert_non_null(strstr(strbuf_text(&r.out), "trusted     yes\n"));
	assert_non_null(strstr(strbuf_text(&r.out), " l3         4    8    96 "));
	assert_non_null(strstr(strbuf_text(&r.out), "LEVEL"));
	assert_non_null(strstr(strbuf_text(&r.out), "confirmed"));
	cli_result_fini(&r);
}

static void
cpus_that_the_topology_has_not_are_counted(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *xml = data_file("two-packages.xml");
	auto_free char *csv = xasprintf("%s/more.csv", w->dir);
	FILE *f = fopen(csv, "w");
	struct cli_result r;

	assert_non_null(f);
	assert_true(fprintf(f, "cpu,0,1,99\n0\n1,8\n99,50,50\n") > 0);
	assert_int_equal(fclose(f), 0);
	cli_run(w,
		&(struct cli_how){
			.args = {"latency", "--topology", xml, "--latency", csv}},
		&r);
	assert_int_equal(r.status, CMD_OK);
	assert_non_null(strstr(strbuf_text(&r.err),
		"more.csv: 1 of its 3 CPUs are left out: this topology has them not\n"));
	assert_non_null(strstr(strbuf_text(&r.out), "CPUs        0-31\n"));
	assert_int_equal(unlink(csv), 0);
	cli_result_fini(&r);
}

/* Two clusters of four CPUs that no firmware knows. */
static void
distrusted_values_leave_the_tiers_to_the_tree(void **state)
{
	struct cpuset cpus = cpuset_below(8);
	struct matrix *m = matrix_new(&cpus);
	struct latsource s;

	(void)state;
	for (unsigned int i = 0; i < m->n; i++) {
		for (unsigned int j = 0; j < i; j++)
			*matrix_at(m, i, j) = (struct matrix_cell){
				i / 4 == j / 4 ? 20.0f : 100.0f, 4, 100};
	}
	latsource_rank(lathost_bare(&cpus), m, "measured", &s);
	assert_true(s.latency.trusted);
	assert_int_equal(s.latency.n_tiers, 2);
	assert_string_equal(s.latency.source, "measured");
	latsource_distrust(&s, "a reason");
	assert_false(s.latency.trusted);
	assert_int_equal(s.latency.n_tiers, 1);
	assert_string_equal(s.latency.source, "measured, not trusted: a reason");
	assert_true(matrix_at(s.latency.matrix, 3, 2)->ns > 19);
	latsource_close(&s);
	assert_null(s.topo);
	matrix_free(m);
}

static void
file_alone_makes_tiers_that_have_no_name(void **state)
{
	auto_free char *csv = data_file("two-packages.csv");
	struct cli_result r;

	cli_run(*state, &(struct cli_how){.args = {"latency", "--latency", csv}}, &r);
	assert_string_equal(strbuf_text(&r.err), "");
	assert_int_equal(r.status, CMD_OK);
	assert_non_null(strstr(strbuf_text(&r.out), " -         16    2    16 "));
	assert_non_null(strstr(strbuf_text(&r.out), " -          4    8    96 "));
	assert_null(strstr(strbuf_text(&r.out), "LEVEL"));
	cli_result_fini(&r);
}

/* ---- of one CPU ---- */

static void
neighbours_are_listed_from_near_to_far(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *csv = xasprintf("%s/four.csv", w->dir);
	FILE *f = fopen(csv, "w");

	assert_non_null(f);
	assert_true(
		fprintf(f, "cpu,0,1,4,5\n0\n1,90\n4,20.26,80.11\n5,80.1,20,\n") > 0);
	assert_int_equal(fclose(f), 0);
	cli_expect_text(w,
		&(struct cli_how){.args = {"latency", "0", "--latency", csv}},
		"CPU   NS TIER\n"
		"  4 20.3    1\n"
		"  5 80.1    2\n"
		"  1 90.0    2\n");
	/* a pair that was not measured is last */
	cli_expect_words(w,
		&(struct cli_how){
			.args = {"latency", "5", "--latency", csv, "--no-heading"}},
		"1 20.0 1\n"
		"0 80.1 2\n"
		"4 - 2\n");
	assert_int_equal(unlink(csv), 0);
}

static void
neighbours_in_json_are_all_others_in_order(void **state)
{
	auto_free char *csv = data_file("two-packages.csv");
	struct cli_result r;
	double before = 0;
	json_t *next;
	size_t i;

	cli_run(*state,
		&(struct cli_how){.args = {"latency", "9", "--latency", csv, "-j"}},
		&r);
	assert_int_equal(r.status, CMD_OK);
	assert_string_equal(strbuf_text(&r.err), "");
	auto_json json_t *reply = json_loads(strbuf_text(&r.out), 0, NULL);
	json_t *list = json_object_get(reply, "neighbours");

	assert_int_equal(json_integer_value(json_object_get(reply, "cpu")), 9);
	assert_int_equal(json_array_size(list), 31);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(list, 0), "cpu")), 8);
	assert_non_null(strstr(strbuf_text(&r.out), "{\"cpu\":8,\"ns\":6.3}"));
	json_array_foreach (list, i, next) {
		double ns = json_real_value(json_object_get(next, "ns"));

		assert_true(ns >= before);
		assert_int_not_equal(
			json_integer_value(json_object_get(next, "cpu")), 9);
		before = ns;
	}
	cli_result_fini(&r);
}

static void
neighbours_are_told_by_the_daemon(void **state)
{
	struct cli_result r;

	cli_run(*state, &(struct cli_how){.args = {"latency", "15"}}, &r);
	assert_int_equal(r.status, CMD_OK);
	assert_ptr_equal(strstr(r.out.s, "CPU    NS TIER\n  8  25.0    2\n"), r.out.s);
	cli_result_fini(&r);
}

/* ---- -o ---- */

static char *
out_file(const struct ctl_world *w, const char *name)
{
	return xasprintf("%s/%s", w->dir, name);
}

static void
file_that_was_written_can_be_read_again(void **state)
{
	static const char *const names[] = {"a.csv", "a.json", "A.CSV"};
	struct ctl_world *w = *state;
	auto_free char *csv = data_file("two-packages.csv");

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		auto_free char *out = out_file(w, names[i]);
		struct cli_result first;
		struct cli_result again;
		struct stat st;

		cli_run(w,
			&(struct cli_how){
				.args = {"latency", "--latency", csv, "-o", out}},
			&first);
		assert_string_equal(strbuf_text(&first.err), "");
		assert_string_equal(strbuf_text(&first.out), "");
		assert_int_equal(first.status, CMD_OK);
		assert_int_equal(stat(out, &st), 0);
		assert_int_equal(st.st_mode & 0444, 0444);
		cli_result_fini(&first);
		cli_run(w,
			&(struct cli_how){.args = {"latency", "--latency", csv, "-j"}},
			&first);
		cli_run(w,
			&(struct cli_how){.args = {"latency", "--latency", out, "-j"}},
			&again);
		assert_int_equal(again.status, CMD_OK);
		assert_string_equal(strstr(first.out.s, "\"fingerprint\""),
			strstr(again.out.s, "\"fingerprint\""));
		cli_result_fini(&first);
		cli_result_fini(&again);
		assert_int_equal(unlink(out), 0);
	}
}

static void
xml_tells_of_host_and_latencies(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *csv = data_file("two-packages.csv");
	auto_free char *xml = data_file("two-packages.xml");
	auto_free char *out = out_file(w, "both.xml");
	struct cli_result first;
	struct cli_result again;

	cli_run(w,
		&(struct cli_how){.args = {"latency", "--latency", csv, "--topology",
					  xml, "-o", out}},
		&first);
	assert_string_equal(strbuf_text(&first.err), "");
	assert_int_equal(first.status, CMD_OK);
	cli_result_fini(&first);
	cli_run(w,
		&(struct cli_how){
			.args = {"latency", "--latency", csv, "--topology", xml}},
		&first);
	cli_run(w, &(struct cli_how){.args = {"latency", "--latency", out}}, &again);
	assert_string_equal(strbuf_text(&again.err), "");
	assert_string_equal(strstr(first.out.s, "TIER"), strstr(again.out.s, "TIER"));
	cli_result_fini(&first);
	cli_result_fini(&again);
	assert_int_equal(unlink(out), 0);
}

static void
xml_needs_a_host(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *csv = data_file("two-packages.csv");
	auto_free char *out = out_file(w, "x.xml");
	struct cli_result r;

	cli_run(w, &(struct cli_how){.args = {"latency", "--latency", csv, "-o", out}},
		&r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_non_null(strstr(strbuf_text(&r.err), "--topology tells it\n"));
	assert_int_equal(access(out, F_OK), -1);
	cli_result_fini(&r);
}

static void
failed_write_leaves_the_old_file_and_nothing_else(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *out = out_file(w, "old.csv");
	struct cli_result r;
	FILE *f = fopen(out, "w");

	assert_non_null(f);
	assert_int_equal(fputs("old", f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
	w->n_packages = 0; /* damaged */
	cli_run(w, &(struct cli_how){.args = {"latency", "-o", out}}, &r);
	assert_int_equal(r.status, CMD_FAILED);
	auto_free char *text = cli_read_file(out);
	assert_string_equal(text, "old");
	assert_int_equal(unlink(out), 0);
	cli_result_fini(&r);
	/* ctl_world_teardown finds the directory empty */
}

static void
what_is_no_file_is_written_to(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *link = out_file(w, "full.csv");
	struct cli_result r;
	struct stat st;

	assert_int_equal(symlink("/dev/full", link), 0);
	cli_run(w, &(struct cli_how){.args = {"latency", "-o", link}}, &r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_non_null(
		strstr(strbuf_text(&r.err), "full.csv: No space left on device"));
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlink(link), 0);
	cli_result_fini(&r);
}

/* ---- errors ---- */

static void
failures_are_one_line_that_names_the_file(void **state)
{
	static const struct {
		struct cli_how how;
		int status;
		const char *text;
	} cases[] = {
		{{.args = {"latency", "1", "2"}}, CMD_USAGE, "latency"},
		{{.args = {"latency", "x"}}, CMD_USAGE,
			"'x' is no number of a CPU (0 to 2047)"},
		{{.args = {"latency", "2048"}}, CMD_USAGE, "no number of a CPU"},
		{{.args = {"latency", "1", "-o", "x.csv"}}, CMD_USAGE,
			"a single CPU is shown here"},
		{{.args = {"latency", "1", "--output-format", "csv"}}, CMD_USAGE,
			"a single CPU is shown here"},
		{{.args = {"latency", "16"}}, CMD_FAILED, "CPU 16 is not among them"},
		{{.args = {"latency", "--local"}}, CMD_USAGE,
			"latency has no option '--local'"},
		{{.args = {"latency", "--affinity"}}, CMD_USAGE, "'--affinity'"},
		{{.args = {"ps", "--output-format", "csv"}}, CMD_USAGE,
			"ps has no option '--output-format csv'"},
		{{.args = {"status", "-o", "x"}}, CMD_USAGE,
			"status has no option '--output'"},
		{{.args = {"latency", "-o", "x.svg"}}, CMD_USAGE,
			"cannot write x.svg: the name must end in .csv, .json or .xml"},
		{{.args = {"latency", "-o", "-"}}, CMD_USAGE,
			"cannot write -: the name must end in .csv, .json or .xml"},
		{{.args = {"latency", "-o", "/nonexistent/x.csv"}}, CMD_FAILED,
			"cannot write /nonexistent/x.csv: No such file"},
		{{.args = {"latency", "--latency", "/nonexistent.csv"}}, CMD_FAILED,
			"/nonexistent.csv: cannot be read: No such file"},
		{{.args = {"latency", "--latency", "/"}}, CMD_FAILED, "/: "},
		{{.args = {"latency", "--latency", "/dev/zero"}}, CMD_FAILED,
			"/dev/zero: "},
		{{.args = {"latency", "--topology", "/nonexistent"}}, CMD_FAILED,
			"/nonexistent: cannot be read"},
		{{.args = {"latency", "--latency", "/etc/passwd"}}, CMD_FAILED,
			"/etc/passwd:"},
		{{.args = {"latency", "--run-dir", "/nonexistent"}}, CMD_NO_DAEMON,
			"is qmpind running?"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_result r;

		cli_run(*state, &cases[i].how, &r);
		if (r.status != cases[i].status ||
			strstr(strbuf_text(&r.err), cases[i].text) == NULL)
			fail_msg("case %zu: %d, %s", i, r.status, strbuf_text(&r.err));
		assert_string_equal(strbuf_text(&r.out), "");
		assert_ptr_equal(strchr(r.err.s, '\n'), r.err.s + r.err.len - 1);
		cli_result_fini(&r);
	}
}

static void
damaged_reply_is_refused(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	w->n_packages = 0;
	cli_run(w, &(struct cli_how){.args = {"latency"}}, &r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_string_equal(strbuf_text(&r.out), "");
	assert_string_equal(strbuf_text(&r.err),
		"qmpin: no latencies from qmpind: no tiers, or too many\n");
	cli_result_fini(&r);
}

static void
latencies_of_another_host_are_refused(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *xml = data_file("two-packages.xml");
	auto_free char *json = out_file(w, "other.json");
	struct cli_result r;
	FILE *f = fopen(json, "w");

	assert_non_null(f);
	assert_true(fputs("{\"unit\":\"ns\",\"cpus\":[100,101],"
			  "\"matrix\":[[0,5],[5,0]]}",
			    f) >= 0);
	assert_int_equal(fclose(f), 0);
	cli_run(w,
		&(struct cli_how){
			.args = {"latency", "--latency", json, "--topology", xml}},
		&r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_non_null(strstr(strbuf_text(&r.err), "other CPUs than this topology"));
	assert_int_equal(unlink(json), 0);
	cli_result_fini(&r);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, ctl_world_setup, ctl_world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(latencies_of_the_daemon_are_a_table),
		CASE(json_of_the_daemon_is_its_reply),
		CASE(numbers_have_no_digits_that_nobody_measured),
		CASE(csv_has_a_line_for_each_cpu),
		CASE(control_characters_reach_nobody),
		CASE(thousand_cpus_come_through),
		CASE(topology_alone_is_the_class_model_without_a_daemon),
		CASE(file_and_topology_tell_what_measuring_confirms),
		CASE(cpus_that_the_topology_has_not_are_counted),
		CASE(distrusted_values_leave_the_tiers_to_the_tree),
		CASE(file_alone_makes_tiers_that_have_no_name),
		CASE(neighbours_are_listed_from_near_to_far),
		CASE(neighbours_in_json_are_all_others_in_order),
		CASE(neighbours_are_told_by_the_daemon),
		CASE(file_that_was_written_can_be_read_again),
		CASE(xml_tells_of_host_and_latencies),
		CASE(xml_needs_a_host),
		CASE(failed_write_leaves_the_old_file_and_nothing_else),
		CASE(what_is_no_file_is_written_to),
		CASE(failures_are_one_line_that_names_the_file),
		CASE(damaged_reply_is_refused),
		CASE(latencies_of_another_host_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
