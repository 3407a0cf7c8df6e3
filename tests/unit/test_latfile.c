// SPDX-License-Identifier: MIT
/* Latencies in files of others: every form that is promised, what is refused and where,
 * and the matrices of real machines. */
#include "config.h"

#include "probe/latfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "mutate.h"
#include "probe/cache.h"

static struct matrix *
parse(const char *text, const struct cpuset *online)
{
	struct matrix *m = NULL;
	struct err e = ERR_NONE;

	if (latfile_parse(text, strlen(text), online, "f", &m, &e) < 0)
		fail_msg("%s:%u: %s\n%s", e.source, e.line, e.text, text);
	return m;
}

static void
expect_refused(const char *text, const char *message)
{
	struct matrix *untouched = (struct matrix *)&untouched;
	struct matrix *m = untouched;
	const struct cpuset online = cpuset_below(3);
	struct err e = ERR_NONE;
	char got[600];
	int r = latfile_parse(text, strlen(text), &online, "f", &m, &e);

	err_format(&e, got, sizeof(got));
	if (r != -EINVAL || strcmp(got, message) != 0)
		fail_msg("%d \"%s\", wanted \"%s\" for\n%s", r, got, message, text);
	assert_ptr_equal(m, untouched);
}

/* CPUs 1, 4 and 7; 1-4: 5 ns, 1-7: 6.5 ns, 4-7: 7.25 ns. */
static void
expect_three(const char *text)
{
	struct cpuset online = CPUSET_NONE;
	struct matrix *m;

	cpuset_add(&online, 1);
	cpuset_add(&online, 4);
	cpuset_add(&online, 7);
	m = parse(text, &online);
	if (m->n != 3 || m->cpus[0] != 1 || m->cpus[1] != 4 || m->cpus[2] != 7 ||
		m->cells[0].ns != 5.0f || m->cells[1].ns != 6.5f ||
		m->cells[2].ns != 7.25f)
		fail_msg("%u CPUs, %g %g %g of\n%s", m->n, (double)m->cells[0].ns,
			(double)m->cells[1].ns, (double)m->cells[2].ns, text);
	assert_int_equal(m->cells[2].visits, 1);
	assert_int_equal(m->cells[2].confidence_pct, 100);
	matrix_free(m);
}

static void
csv_is_read_in_every_form(void **state)
{
	static const char *const texts[] = {
		",,\n5,,\n6.5,7.25,\n",			     /* as our data */
		"\n5\n6.5,7.25\n",			     /* bare triangle */
		"0\n5,0\n6.5,7.25,0\n",			     /* and its diagonal */
		"0,5,6.5\n5,0,7.25\n6.5,7.25,0\n",	     /* full */
		"0,5,9\n6,0,7.25\n6.5,8,0\n",		     /* the lower of two */
		"0,5,6.5\n0,0,7.25\n0,0,0",		     /* the upper half only */
		"nan,-,NaN\n5,nan,nan\n6.5,7.25,nan\n",	     /* words for nothing */
		"5,,\n5,,\n6.5,7.25,99\n",		     /* odd diagonal */
		",,\r\n5,,\r\n6.5,7.25,\r\n",		     /* Windows */
		"\xef\xbb\xbf,,\r\n5,,\r\n6.5,7.25,\r\n",    /* and its mark */
		"# by us\n,,\n5,,\n# more\n6.5,7.25,\n\n\n", /* comments, blanks */
		"0;5;6.5\n5;0;7.25\n6.5;7.25;0\n",	     /* semicolons */
		"0\t5\t6.5\n5\t0\t7.25\n6.5\t7.25\t0\n",     /* tabs */
		" 0, 5, 6.5\n 5 , 0,7.25\n6.5,7.25 ,0 \n",   /* blanks */
		"0,5,6.5,\n5,0,7.25,\n6.5,7.25,0,\n",	     /* a comma too many */
		"0.0e+00,5.0e+00,6.5\n.5e1,0,725e-2\n65e-1,7.250000000000000000000,0",
		"cpu,1,4,7\n1,0,5,6.5\n4,5,0,7.25\n7,6.5,7.25,0\n",
		",1,4,7\n1,,,\n4,5,,\n7,6.5,7.25,\n",
		",1,4,7\n1\n4,5\n7,6.5,7.25\n",
		"\"\",\"1\",\"4\",\"7\"\n\"1\",,5,6.5\n\"4\",,,\" 7.25 \"\n\"7\",,,\n",
		"cpu,1,4,7,\n1,0,5,6.5,\n4,5,0,7.25,\n7,6.5,7.25,0,\n",
		"cpu,7,1,4\n7,0,6.5,7.25\n1,6.5,0,5\n4,7.25,5,0\n", /* not sorted */
		"cpu,1,4,7\n7,6.5,7.25,0\n1,0,5,6.5\n4,5,0,7.25\n",
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(texts); i++)
		expect_three(texts[i]);
}

static void
json_is_read_in_every_form(void **state)
{
	static const char *const texts[] = {
		"{\"unit\":\"ns\",\"cpus\":[1,4,7],\"matrix\":[[0,5,6.5],[5,0,7.25],"
		"[6.5,7.25,0]]}",
		"{\"matrix\":[[],[5],[6.5,7.25]]}",
		"{\"matrix\":[[null],[5,null],[6.5,7.25,null]]}",
		"\n {\"cpus\":[7,1,4],\"matrix\":[[0,9,7.25],[6.5,0,5],[8,5,0]],"
		"\"who\":{\"a\":[{\"b\":[1]}]}}",
		"\xef\xbb\xbf{\"matrix\":[[0,5,6.5],[null,0,7.25],[null,null,0]]}",
		"{\"trusted\":true,\"rows\":[{\"cpu\":1,\"ns\":[0,5,6.5]},"
		"{\"cpu\":4,\"ns\":[5,0,7.25]},{\"cpu\":7,\"ns\":[6.5,7.25,0]}]}",
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(texts); i++)
		expect_three(texts[i]);
}

static void
rows_without_labels_are_online_cpus_or_else_counted(void **state)
{
	struct matrix *m = parse("\n5\n6,7\n", NULL);

	(void)state;
	assert_int_equal(m->n, 3);
	assert_int_equal(m->cpus[2], 2);
	matrix_free(m);
	m = parse("cpu,9\n9,\n", NULL);
	assert_int_equal(m->n, 1);
	assert_int_equal(m->cpus[0], 9);
	matrix_free(m);
	m = parse("0", NULL);
	assert_int_equal(m->n, 1);
	matrix_free(m);
}

static void
what_was_not_measured_has_no_result(void **state)
{
	struct matrix *m = parse("cpu,0,1,2\n0,,,\n1,,,\n2,0,3,\n", NULL);

	(void)state;
	assert_true(m->cells[0].ns == 0);
	assert_int_equal(m->cells[0].visits, 0);
	assert_true(m->cells[1].ns == 0);
	assert_true(m->cells[2].ns == 3);
	matrix_free(m);
}

static void
bad_tables_are_refused_with_their_line(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"", "f: there is no table of latencies in it"},
		{"\r\n \n# x\n", "f: there is no table of latencies in it"},
		{"hello",
			"f:1: no table of latencies: neither these nor numbers of CPUs"},
		{"hello, world\n1,2", "f:1: \"world\" is not the number of a CPU"},
		{",,\n5,,\n",
			"f: 2 rows that do not say their CPU, but 3 CPUs are online"},
		{",,\n5,,\n6,x,\n", "f:3: \"x\" is not a latency in nanoseconds"},
		{",,\n5,,\n6,-7,\n", "f:3: \"-7\" is not a latency in nanoseconds"},
		{",,\n5,,\n6,1e9,\n", "f:3: \"1e9\" is not a latency in nanoseconds"},
		{",,\n5,,\n6,1e,\n", "f:3: \"1e\" is not a latency in nanoseconds"},
		{",,\n5,,\n6,0x7,\n", "f:3: \"0x7\" is not a latency in nanoseconds"},
		{",,\n5,,\n6,inf,\n", "f:3: \"inf\" is not a latency in nanoseconds"},
		{",,\n5,,\n6,7,,1\n", "f:3: more cells than the 3 CPUs"},
		{",,\n5,,\n6\n",
			"f:3: 1 cells, neither the lower triangle of 3 CPUs nor all"},
		{"# c\n,,\n\n5,,\n", "f:3: an empty line in the table"},
		{"0;5,5\n5,5;0\n", "f:2: \"5;0\" is not a latency in nanoseconds"},
		{"0;5,5\n5;0\n7;8\n", "f:1: 1 columns, but 2 rows"},
		{"cpu,0,1\n0,,\n1,5,\n2,5,6\n", "f:1: 2 columns, but 3 rows"},
		{"cpu,0,0\n0,,\n1,5,\n", "f:1: CPU 0 is there twice"},
		{"cpu,0,2048\n0,,\n2048,5,\n",
			"f:1: \"2048\" is not the number of a CPU"},
		{"cpu,0,\n0,,\n1,5,\n", "f:1: 1 columns, but 2 rows"},
		{"cpu,CPU0,CPU1\n0,,\n1,5,\n",
			"f:1: \"CPU0\" is not the number of a CPU"},
		{"cpu,0,1\n0,,\n2,5,\n",
			"f:3: \"2\" is not a CPU of the header that had no row yet"},
		{"cpu,0,1\n0,,\n0,5,\n",
			"f:3: \"0\" is not a CPU of the header that had no row yet"},
		{"cpu,0,1\n0,,\n,5,\n", "f:3: \"\" is not the number of a CPU"},
		{"# qmpin latency 1\n0,1\n",
			"f:2: not a line that begins with \"# checksum \""},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++)
		expect_refused(cases[i].text, cases[i].message);
}

static void
bad_json_is_refused_with_its_row(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"{}", "f: \"matrix\" is not an array of rows"},
		{"{\"matrix\":[]}", "f: \"matrix\" is not an array of rows"},
		{"{\"matrix\":3}", "f: \"matrix\" is not an array of rows"},
		{"{\"unit\":\"us\",\"matrix\":[[0]]}", "f: \"unit\" is not \"ns\""},
		{"{\"unit\":1,\"matrix\":[[0]]}", "f: \"unit\" is not \"ns\""},
		{"{\"cpus\":1,\"matrix\":[[0]]}", "f: \"cpus\" is not an array"},
		{"{\"cpus\":[1],\"matrix\":[[],[1]]}", "f: 1 CPUs, but 2 rows"},
		{"{\"cpus\":[1,1],\"matrix\":[[],[1]]}", "f: CPU 1 is there twice"},
		{"{\"cpus\":[1,2048],\"matrix\":[[],[1]]}",
			"f: row 1: not the number of a CPU"},
		{"{\"cpus\":[-1],\"matrix\":[[]]}",
			"f: row 0: not the number of a CPU"},
		{"{\"cpus\":[1.5],\"matrix\":[[]]}",
			"f: row 0: not the number of a CPU"},
		{"{\"matrix\":[[],[1]]}",
			"f: 2 rows that do not say their CPU, but 3 CPUs are online"},
		{"{\"matrix\":[[],[1],3]}", "f: row 2: not an array"},
		{"{\"matrix\":[[],[1],[3]]}",
			"f: row 2: 1 values, neither the lower triangle of 3 CPUs nor all"},
		{"{\"matrix\":[[],[1],[3,\"4\"]]}",
			"f: row 2, column 1: not a latency in nanoseconds"},
		{"{\"matrix\":[[],[1],[3,-4]]}",
			"f: row 2, column 1: not a latency in nanoseconds"},
		{"{\"matrix\":[[],[1],[3,1e300]]}",
			"f: row 2, column 1: not a latency in nanoseconds"},
		{"{\"rows\":[3]}", "f: row 0: not the number of a CPU"},
		{"{\"rows\":[{\"cpu\":0}]}", "f: row 0: not an array"},
		{"{\"matrix\":[[[[[]]]]]}", "f: JSON nested deeper than 5 levels"},
		{"{\"matrix\":[[0]]} x",
			"f: not JSON: end of file expected near 'x' at byte 18"},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++)
		expect_refused(cases[i].text, cases[i].message);
}

static void
what_is_too_large_or_no_text_is_refused(void **state)
{
	struct matrix *m = NULL;
	struct strbuf b = {0};
	struct err e = ERR_NONE;

	(void)state;
	assert_int_equal(
		latfile_parse("5", (size_t)CACHE_BYTES_MAX + 1, NULL, "f", &m, &e),
		-EINVAL);
	assert_int_equal(latfile_parse("0\0", 2, NULL, "f", &m, NULL), -EINVAL);
	for (unsigned int i = 0; i <= CPUSET_CAP; i++)
		strbuf_adds(&b, "0\n");
	expect_refused(strbuf_text(&b), "f: 2049 CPUs, at most 2048 are known");
	strbuf_adds(&b, "0\n");
	expect_refused(
		strbuf_text(&b), "f:2050: no table of latencies: more than 2049 lines");
	strbuf_drop(&b, b.len);
	strbuf_adds(&b, "cpu");
	for (unsigned int i = 0; i <= CPUSET_CAP; i++)
		strbuf_adds(&b, ",7");
	expect_refused(strbuf_text(&b), "f:1: more than 2048 CPUs");
	strbuf_drop(&b, b.len);
	strbuf_adds(&b, "{\"matrix\":[");
	for (unsigned int i = 0; i <= CPUSET_CAP; i++)
		strbuf_adds(&b, i > 0 ? ",0" : "0");
	strbuf_adds(&b, "]}");
	expect_refused(strbuf_text(&b), "f: 2049 rows, at most 2048 are known");
	strbuf_fini(&b);
}

static struct matrix *
random_matrix(unsigned int n, uint64_t *seed)
{
	struct cpuset cpus = CPUSET_NONE;
	struct matrix *m;

	for (unsigned int cpu = 3; cpu < 3 + 2 * n; cpu += 2)
		cpuset_add(&cpus, cpu);
	m = matrix_new(&cpus);
	for (size_t i = 0; i < matrix_pairs(n); i++) {
		if (mutate_random(seed) % 4 > 0)
			m->cells[i].ns = (float)(mutate_random(seed) % 30000) / 100;
	}
	return m;
}

static void
assert_same(const struct matrix *a, const struct matrix *b)
{
	assert_int_equal(a->n, b->n);
	assert_memory_equal(a->cpus, b->cpus, a->n * sizeof(*a->cpus));
	for (size_t i = 0; i < matrix_pairs(a->n); i++)
		assert_true(a->cells[i].ns == b->cells[i].ns);
}

static double
ms_since(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)(now.tv_sec - from->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - from->tv_nsec) / 1e6;
}

static void
what_is_written_can_be_read(void **state)
{
	static const unsigned int sizes[] = {1, 2, 3, 16, 384};
	uint64_t seed = 7;

	(void)state;
	for (unsigned int i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
		struct matrix *m = random_matrix(sizes[i / 2], &seed);
		bool json = i % 2;
		struct timespec from;
		struct matrix *back;
		char *text;
		double ms;

		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
		text = json ? latfile_json(m) : latfile_csv(m);
		ms = ms_since(&from);
		back = parse(text, NULL);
		print_message("%u CPUs, %s: %zu bytes, write %.1f ms, read %.1f ms\n",
			m->n, json ? "JSON" : "CSV", strlen(text), ms,
			ms_since(&from) - ms);
		assert_same(m, back);
		matrix_free(back);
		matrix_free(m);
		free(text);
	}
}

static void
what_is_written_looks_as_promised(void **state)
{
	struct matrix *m = parse("cpu,1,4,7\n1\n4,5\n7,,7.254\n", NULL);
	auto_free char *csv = latfile_csv(m);
	auto_free char *json = latfile_json(m);

	(void)state;
	assert_string_equal(csv, "cpu,1,4,7\n1,0,5,\n4,5,0,7.25\n7,,7.25,0\n");
	assert_string_equal(json, "{\"unit\":\"ns\",\"cpus\":[1,4,7],\"matrix\":[\n"
				  "[0,5,null],\n[5,0,7.25],\n[null,7.25,0]]}\n");
	matrix_free(m);
}

static void
our_own_cache_is_read(void **state)
{
	uint64_t seed = 3;
	struct cache c = {
		.fingerprint = "0123456789abcdef", .matrix = random_matrix(9, &seed)};
	struct matrix *back;
	char *text;
	size_t len;

	(void)state;
	c.matrix->cells[4] = (struct matrix_cell){12, 5, 40};
	text = cache_format(&c, &len);
	back = parse(text, NULL);
	assert_same(c.matrix, back);
	assert_int_equal(back->cells[4].visits, 5);
	assert_int_equal(back->cells[4].confidence_pct, 40);
	matrix_free(back);
	free(text);
	cache_fini(&c);
}

static void
damaged_files_never_crash(void **state)
{
	static const char *const texts[] = {
		"cpu,1,4,7\r\n1,0,5,6.5\r\n4,5,0,\"7.25\"\r\n7,6.5,7.25,0\r\n",
		"{\"unit\":\"ns\",\"cpus\":[1,4,7],\"matrix\":[[0],[5,0],[6,7e0,0]]}",
		"{\"rows\":[{\"cpu\":1,\"ns\":[]},{\"cpu\":4,\"ns\":[5.5]}]}",
	};
	uint64_t seed = (uint64_t)time(NULL) | 1;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned int i = 0; i < 30000; i++) {
		const char *from = texts[i % ARRAY_LEN(texts)];
		size_t len = strlen(from);
		char *text = xcalloc(len + 8, 1);
		struct matrix *m = NULL;

		memcpy(text, from, len);
		len = mutate_text(text, len, len + 8, &seed);
		text = xrealloc(text, len, 1); /* so that reading on is noticed */
		if (latfile_parse(text, len, NULL, "f", &m, NULL) == 0) {
			assert_true(m->n > 0 && m->n <= 8);
			matrix_free(m);
		}
		free(text);
	}
}

/* The file with its values by another reader: how many, and their sum. */
static unsigned int
sum_of(const char *csv, double *sum)
{
	unsigned int n = 0;

	*sum = 0;
	for (const char *p = csv; *p != '\0';) {
		size_t len = strcspn(p, ",\n");

		if (len > 0) {
			*sum += strtod(p, NULL);
			n++;
		}
		p += len + (p[len] != '\0');
	}
	return n;
}

static void
check_real(const char *path)
{
	auto_free char *command = xasprintf("xz -dc '%s'", path);
	FILE *f = popen(command, "r");
	struct strbuf b = {0};
	double want = 0;
	double got = 0;
	unsigned int n = 0;
	struct matrix *m;
	char chunk[4096];
	size_t len;

	assert_non_null(f);
	while ((len = fread(chunk, 1, sizeof(chunk), f)) > 0)
		strbuf_add(&b, chunk, len);
	assert_int_equal(pclose(f), 0);
	m = parse(strbuf_text(&b), NULL);
	for (size_t i = 0; i < matrix_pairs(m->n); i++) {
		n += m->cells[i].ns > 0;
		got += (double)m->cells[i].ns;
	}
	print_message("%s: %u CPUs\n", strrchr(path, '/') + 1, m->n);
	assert_int_equal(n, sum_of(strbuf_text(&b), &want));
	assert_int_equal(n, matrix_pairs(m->n));
	assert_true(got > want * 0.999999 && got < want * 1.000001);
	matrix_free(m);
	strbuf_fini(&b);
}

static void
real_matrices_are_read(void **state)
{
	const char *shared = getenv("QMPIN_SHARED");
	auto_free char *pattern = NULL;
	glob_t found;

	(void)state;
	if (shared == NULL)
		skip();
	pattern = xasprintf("%s/latency/*.csv.xz", shared);
	if (glob(pattern, 0, NULL, &found) != 0)
		skip();
	for (size_t i = 0; i < found.gl_pathc; i++)
		check_real(found.gl_pathv[i]);
	globfree(&found);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_is_read_in_every_form),
		cmocka_unit_test(json_is_read_in_every_form),
		cmocka_unit_test(rows_without_labels_are_online_cpus_or_else_counted),
		cmocka_unit_test(what_was_not_measured_has_no_result),
		cmocka_unit_test(bad_tables_are_refused_with_their_line),
		cmocka_unit_test(bad_json_is_refused_with_its_row),
		cmocka_unit_test(what_is_too_large_or_no_text_is_refused),
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(what_is_written_looks_as_promised),
		cmocka_unit_test(our_own_cache_is_read),
		cmocka_unit_test(damaged_files_never_crash),
		cmocka_unit_test(real_matrices_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
