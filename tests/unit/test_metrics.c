// SPDX-License-Identifier: MIT
/*
 * The text for Prometheus: that it is what its format and its rules of naming ask for,
 * whatever the values and names are, and that values are those that came in.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/metrics.h"
#include "ctl/utf8.h"

static const struct metrics_count states[] = {{"found", 1}, {"watching", 2}};
static const struct metrics_count modes[] = {{"auto", 3}, {"pin", 0}};
static const struct metrics_count shares[] = {{"private", 3}};
static const struct metrics_count drifts[] = {{"thread", 4}, {"all", 0}};
static const struct metrics_turns turns[] = {{0.001, 90}, {0.01, 8}, {-1, 2}};
static const char *const latencies[] = {"model", "measured"};
static const struct metrics_vm vms[] = {
	{"100", "web", "auto", true, 4, 0.124, 0.985, 2},
	{"101", NULL, "pin", false, 2, -1, -1, 0},
	{"a\"b\\c\nd", "\xc3\xbc \xff\x1b[31m\xe2\x80\xae", "auto", true, 1, 0, 1, 7},
};

static struct metrics
all_of(void)
{
	return (struct metrics){
		.version = "9.8.7",
		.started_s = 1700000000.25,
		.config_ok = true,
		.guard = true,
		.warnings = 2,
		.states = {states, ARRAY_LEN(states)},
		.modes = {modes, ARRAY_LEN(modes)},
		.shares = {shares, ARRAY_LEN(shares)},
		.managed = 2,
		.threads = 33,
		.troubled = 1,
		.left_alone = 1,
		.widened = 1,
		.passes = 5123,
		.passes_s = 9.25,
		.last_pass_s = 0.0018,
		.masks_set = 60,
		.masks_failed = 3,
		.masks_reverted = 1,
		.repairs = 9,
		.drifts = {drifts, ARRAY_LEN(drifts)},
		.rebalanced = 5,
		.yields = 12,
		.yields_s = 0.006,
		.turns = turns,
		.n_turns = ARRAY_LEN(turns),
		.turns_s = 1.5,
		.background_cpus = 1.25,
		.latency = "measured",
		.latencies = latencies,
		.n_latencies = ARRAY_LEN(latencies),
		.latency_trust = 0.75,
		.pairs = 20,
		.pairs_total = 28,
		.measured_s = 1700000001,
		.vms = vms,
		.n_vms = ARRAY_LEN(vms),
	};
}

/* ---- a small reader of the format ---- */

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz_"

/* The metric whose samples are being read. */
struct family {
	char name[80];
	char type[16];
	struct strbuf seen;    /* " name1 name2 " of those before */
	struct strbuf samples; /* "\nsample\n..." without values, of this one */
};

static void
bad_line(const char *line, const char *why)
{
	fail_msg("%s: %.*s", why, (int)strcspn(line, "\n"), line);
}

static bool
ends_in(const char *text, const char *end)
{
	size_t n = strlen(text);
	size_t m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* prometheus.io, naming: what promtool looks for. */
static void
check_name(const struct family *f)
{
	static const char *const words[] = {"gauge", "counter", "summary", "histogram",
		"_milli", "_ms", "_us", "_pct", "percent", "_kib", "_info_", "__"};
	bool counts = strcmp(f->type, "counter") == 0;

	assert_int_equal(strspn(f->name, NAME_CHARS), strlen(f->name));
	assert_true(str_has_prefix(f->name, "qmpin_"));
	if (ends_in(f->name, "_total") != counts)
		fail_msg("%s is a %s", f->name, f->type);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strstr(f->name, words[i]) != NULL)
			fail_msg("%s has %s in it", f->name, words[i]);
	}
	if (ends_in(f->name, "_count") || ends_in(f->name, "_sum") ||
		ends_in(f->name, "_bucket"))
		fail_msg("%s has an ending of a summary", f->name);
}

/* "# HELP name text", then "# TYPE name type". Returns what follows. */
static const char *
take_head(struct family *f, const char *text)
{
	auto_free char *again = NULL;
	char name[80];
	int at = 0;

	if (sscanf(text, "# HELP %79s %n", f->name, &at) != 1 || at == 0)
		bad_line(text, "no HELP");
	if (text[at] == '\n' || text[strcspn(text, "\n") - 1] != '.')
		bad_line(text, "no sentence");
	text += strcspn(text, "\n") + 1;
	at = 0;
	if (sscanf(text, "# TYPE %79s %15s%n", name, f->type, &at) != 2 ||
		strcmp(name, f->name) != 0 || text[at] != '\n')
		bad_line(text, "no TYPE");
	check_name(f);
	again = xasprintf(" %s ", name);
	if (strstr(strbuf_text(&f->seen), again) != NULL)
		bad_line(text, "told twice");
	strbuf_addf(&f->seen, "%s", again);
	strbuf_drop(&f->samples, f->samples.len);
	return text + at + 1;
}

/* Behind the quote that ends a value: escapes, UTF-8 and nothing else. */
static const char *
take_quoted(const char *at, const char *line)
{
	if (*at++ != '"')
		bad_line(line, "no quote");
	while (*at != '"') {
		uint32_t c;
		size_t len = utf8_decode(at, &c);

		if (len == 0 || !utf8_is_plain(c))
			bad_line(line, "no plain text");
		if (c == '\\' && strchr("\\\"n", at[1]) == NULL)
			bad_line(line, "bad escape");
		at += c == '\\' ? 2 : len;
	}
	return at + 1;
}

static const char *
take_labels(const char *at, const char *line)
{
	if (*at != '{')
		return at;
	do {
		at++;
		at += strspn(at, NAME_CHARS);
		if (*at++ != '=')
			bad_line(line, "bad label");
		at = take_quoted(at, line);
	} while (*at == ',');
	if (*at++ != '}')
		bad_line(line, "labels do not end");
	return at;
}

static bool
belongs_to(const struct family *f, const char *name)
{
	const char *end = name + strlen(f->name);

	if (strncmp(name, f->name, strlen(f->name)) != 0)
		return false;
	if (strcmp(f->type, "summary") == 0)
		return strcmp(end, "_sum") == 0 || strcmp(end, "_count") == 0;
	if (strcmp(f->type, "histogram") == 0)
		return strcmp(end, "_sum") == 0 || strcmp(end, "_count") == 0 ||
		       strcmp(end, "_bucket") == 0;
	return *end == '\0';
}

static const char *
take_sample(struct family *f, const char *line)
{
	const char *at = line + strspn(line, NAME_CHARS);
	auto_free char *name = xmemdupz(line, (size_t)(at - line));
	auto_free char *sample = NULL;
	char *end;

	if (!belongs_to(f, name))
		bad_line(line, "of another metric");
	at = take_labels(at, line);
	sample = xasprintf("\n%.*s\n", (int)(at - line), line);
	if (strstr(strbuf_text(&f->samples), sample) != NULL)
		bad_line(line, "told twice");
	strbuf_adds(&f->samples, sample);
	if (*at != ' ')
		bad_line(line, "no value");
	if (!(strtod(at, &end) >= 0) || end == at + 1 || *end != '\n')
		bad_line(line, "bad value");
	return end + 1;
}

/* Fails unless all of it is well formed. Returns how many samples there are. */
static unsigned int
check_format(const char *text)
{
	struct family f = {.name = ""};
	unsigned int n = 0;

	while (*text != '\0') {
		if (*text == '#')
			text = take_head(&f, text);
		else
			n++, text = take_sample(&f, text);
	}
	strbuf_fini(&f.seen);
	strbuf_fini(&f.samples);
	return n;
}

/* ---- */

static void
every_line_is_as_the_format_has_it(void **state)
{
	const struct metrics m = all_of();
	auto_free char *text = metrics_text(&m);

	(void)state;
	assert_true(check_format(text) > 50);
}

static const char *const lines[] = {
	"qmpin_build_info{version=\"9.8.7\"} 1",
	"qmpin_start_time_seconds 1700000000.25",
	"qmpin_dry_run 0",
	"qmpin_config_ok 1",
	"qmpin_guard_up 1",
	"qmpin_warnings 2",
	"qmpin_vms 3",
	"qmpin_vms_managed 2",
	"qmpin_vms_by_state{state=\"found\"} 1",
	"qmpin_vms_by_state{state=\"watching\"} 2",
	"qmpin_vms_by_mode{mode=\"auto\"} 3",
	"qmpin_vms_by_mode{mode=\"pin\"} 0",
	"qmpin_vms_by_share{share=\"private\"} 3",
	"qmpin_vms_troubled 1",
	"qmpin_vms_left_alone 1",
	"qmpin_vms_widened 1",
	"qmpin_threads 33",
	"qmpin_pass_duration_seconds_sum 9.25",
	"qmpin_pass_duration_seconds_count 5123",
	"qmpin_last_pass_duration_seconds 0.0018",
	"qmpin_masks_set_total 60",
	"qmpin_masks_failed_total 3",
	"qmpin_masks_reverted_total 1",
	"qmpin_repairs_total 9",
	"qmpin_drifts_total{kind=\"thread\"} 4",
	"qmpin_drifts_total{kind=\"all\"} 0",
	"qmpin_rebalanced_total 5",
	"qmpin_monitor_yield_seconds_sum 0.006",
	"qmpin_monitor_yield_seconds_count 12",
	"qmpin_turn_seconds_bucket{le=\"0.001\"} 90",
	"qmpin_turn_seconds_bucket{le=\"0.01\"} 98",
	"qmpin_turn_seconds_bucket{le=\"+Inf\"} 100",
	"qmpin_turn_seconds_sum 1.5",
	"qmpin_turn_seconds_count 100",
	"qmpin_background_cpus 1.25",
	"qmpin_latency_state{state=\"model\"} 0",
	"qmpin_latency_state{state=\"measured\"} 1",
	"qmpin_latency_trust_ratio 0.75",
	"qmpin_latency_pairs 28",
	"qmpin_latency_pairs_measured 20",
	"qmpin_latency_measured_timestamp_seconds 1700000001",
	"qmpin_vm_info{vm=\"100\",name=\"web\",mode=\"auto\"} 1",
	"qmpin_vm_info{vm=\"101\",name=\"\",mode=\"pin\"} 1",
	"qmpin_vm_managed{vm=\"101\"} 0",
	"qmpin_vm_vcpus{vm=\"100\"} 4",
	"qmpin_vm_wait_ratio{vm=\"100\"} 0.124",
	"qmpin_vm_memory_local_ratio{vm=\"100\"} 0.985",
	"qmpin_vm_repairs_total{vm=\"100\"} 2",
};

static void
values_are_those_that_were_counted(void **state)
{
	const struct metrics m = all_of();
	auto_free char *text = metrics_text(&m);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		auto_free char *line = xasprintf("\n%s\n", lines[i]);

		if (strstr(text, line) == NULL)
			fail_msg("%s is not there", lines[i]);
	}
}

/* Name and type of each as in the table, in its order, which has no other. */
static void
every_metric_is_in_the_documentation(void **state)
{
	const struct metrics m = all_of();
	const char *srcdir = getenv("srcdir");
	auto_free char *path =
		xasprintf("%s/docs/metrics.md", srcdir != NULL ? srcdir : ".");
	auto_free char *text = metrics_text(&m);
	const char *at = text;
	char line[1000];
	FILE *f = fopen(path, "r");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		char name[80];
		char type[20];
		auto_free char *head = NULL;

		if (sscanf(line, "| `%79[a-z_]` | %19[a-z] |", name, type) != 2)
			continue;
		head = xasprintf("# TYPE %s %s\n", name, type);
		at = strstr(at, "# TYPE ");
		if (at == NULL || !str_has_prefix(at, head))
			fail_msg("documented: %s", head);
		at++;
	}
	(void)fclose(f);
	assert_null(strstr(at, "# TYPE "));
}

static void
what_is_unknown_has_no_sample(void **state)
{
	struct metrics m = all_of();

	(void)state;
	m.background_cpus = -1;
	m.measured_s = 0;
	auto_free char *text = metrics_text(&m);
	(void)check_format(text);
	assert_null(strstr(text, "background_cpus"));
	assert_null(strstr(text, "measured_timestamp"));
	assert_null(strstr(text, "qmpin_vm_wait_ratio{vm=\"101\"}"));
	assert_null(strstr(text, "qmpin_vm_memory_local_ratio{vm=\"101\"}"));
}

static void
names_cannot_break_out_of_their_quotes(void **state)
{
	const struct metrics m = all_of();
	auto_free char *text = metrics_text(&m);

	(void)state;
	assert_non_null(strstr(text,
		"\nqmpin_vm_info{vm=\"a\\\"b\\\\c\\\\x0ad\","
		"name=\"\xc3\xbc \\\\xff\\\\x1b[31m\\\\xe2\\\\x80\\\\xae\","
		"mode=\"auto\"} 1\n"));
}

static void
long_names_are_cut(void **state)
{
	char name[1000];
	const struct metrics_vm vm = {.id = "1", .name = name, .mode = "auto"};
	struct metrics m = all_of();

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	m.vms = &vm;
	m.n_vms = 1;
	auto_free char *text = metrics_text(&m);
	(void)check_format(text);
	assert_int_equal(
		strspn(strstr(text, "name=\"x") + strlen("name=\""), "x"), 200);
}

static void
another_vm_is_six_samples_at_most(void **state)
{
	struct metrics m = all_of();
	unsigned int with;

	(void)state;
	m.n_vms = 1;
	auto_free char *one = metrics_text(&m);
	with = check_format(one);
	m.n_vms = 0;
	auto_free char *none = metrics_text(&m);
	assert_int_equal(with - check_format(none), 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_is_as_the_format_has_it),
		cmocka_unit_test(values_are_those_that_were_counted),
		cmocka_unit_test(every_metric_is_in_the_documentation),
		cmocka_unit_test(what_is_unknown_has_no_sample),
		cmocka_unit_test(names_cannot_break_out_of_their_quotes),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(another_vm_is_six_samples_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
