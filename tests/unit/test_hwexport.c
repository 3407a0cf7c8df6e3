// SPDX-License-Identifier: MIT
/* Latencies out to hwloc XML and back: what lstopo, our own loader and the importer
 * find in it. */
#include "config.h"

#include "host/hwexport.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/str.h"
#include "host/hwimport.h"
#include "host/load.h"
#include "mutate.h"
#include "trees.h"

#define LSTOPO "lstopo-no-graphics"

/* CPU @a and @b: 10 a + b + 0.25 ns; nothing for CPUs 0 and 1. */
static struct matrix *
measured(const struct cpuset *cpus)
{
	struct matrix *m = matrix_new(cpus);

	for (unsigned int i = 1; i < m->n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			struct matrix_cell *cell = matrix_at(m, i, j);

			if (m->cpus[i] > 1)
				cell->ns = (float)(10 * m->cpus[i] + m->cpus[j]) + .25f;
			cell->visits = 9;
		}
	}
	return m;
}

/* Of CPUs 0 to 3 and of 9, which the tree does not have. */
static char *
exported(const char *path)
{
	struct cpuset cpus = cpuset_below(4);
	struct err e = ERR_NONE;
	struct matrix *m;
	char *xml = NULL;

	cpuset_add(&cpus, 9);
	m = measured(&cpus);
	if (hwexport_xml(path, m, &xml, &e) < 0)
		fail_msg("%s: %s", e.source, e.text);
	matrix_free(m);
	return xml;
}

static struct matrix *
imported(const char *xml)
{
	struct matrix *m = NULL;
	struct err e = ERR_NONE;

	if (hwimport_xml(xml, "f", &m, &e) < 0)
		fail_msg("%s: %s", e.source, e.text);
	return m;
}

static void
assert_measured(const struct matrix *m, unsigned int n)
{
	const struct cpuset cpus = cpuset_below(n);
	struct matrix *want = measured(&cpus);

	assert_int_equal(m->n, n);
	for (size_t i = 0; i < matrix_pairs(n); i++) {
		if (m->cells[i].ns != want->cells[i].ns)
			fail_msg("pair %zu: %.9g", i, (double)m->cells[i].ns);
		assert_int_equal(m->cells[i].visits, m->cells[i].ns > 0);
	}
	matrix_free(want);
}

static void
what_is_exported_can_be_imported(void **state)
{
	auto_free char *xml = exported(*state);
	struct matrix *m = imported(xml);

	assert_measured(m, 4);
	matrix_free(m);
}

static void
our_own_loader_reads_the_topology(void **state)
{
	const char *dir = *state;
	auto_free char *xml = exported(dir);
	auto_free char *path = xasprintf("%s/host.xml", dir);
	struct topo *t = NULL;

	trees_write(dir, "host.xml", xml);
	assert_int_equal(host_load(path, &t, NULL), 0);
	assert_int_equal(t->n_pus, 4);
	assert_int_equal(t->n_cores, 2);
	assert_int_equal(t->n_l3, 1);
	assert_int_equal(t->l3[0].size_kib, 8192);
	assert_int_equal(t->n_nodes, 2);
	assert_int_equal(topo_distance(t, 0, 1), 21);
	topo_free(t);
}

static void
an_xml_file_is_exported_with_the_new_matrix_only(void **state)
{
	const char *dir = *state;
	auto_free char *path = xasprintf("%s/host.xml", dir);
	auto_free char *again = NULL;
	const char *at;
	struct matrix *m;
	char *xml;

	xml = exported(dir);
	trees_write(dir, "host.xml", xml);
	free(xml);
	again = exported(path);
	at = strstr(again, HWEXPORT_NAME);
	assert_non_null(at);
	assert_null(strstr(at + 1, HWEXPORT_NAME));
	m = imported(again);
	assert_measured(m, 4);
	matrix_free(m);
}

static bool
has_lstopo(void)
{
	return system("command -v " LSTOPO " >/dev/null") == 0;
}

static void
lstopo_shows_the_matrix(void **state)
{
	const char *dir = *state;
	auto_free char *xml = exported(dir);
	auto_free char *command = NULL;
	char text[8192] = "";
	FILE *f;

	if (!has_lstopo())
		skip();
	trees_write(dir, "host.xml", xml);
	command = xasprintf(LSTOPO " -i %s/host.xml --distances", dir);
	f = popen(command, "r");
	assert_non_null(f);
	(void)!fread(text, 1, sizeof(text) - 1, f);
	assert_int_equal(pclose(f), 0);
	print_message("%s\n", text);
	assert_non_null(strstr(text, HWEXPORT_NAME));
	assert_non_null(strstr(text, "between 4 PUs"));
	assert_non_null(strstr(text, "32250")); /* CPUs 3 and 2 */
	assert_non_null(strstr(text, "NUMALatency"));
}

static void
this_machine_is_exported(void **state)
{
	struct matrix *m;
	char *xml;

	(void)state;
	if (access("/sys/devices/system/cpu/cpu1/topology", R_OK) < 0)
		skip();
	setenv("HWLOC_XMLFILE", "/nonexistent", 1);
	xml = exported(NULL);
	assert_string_equal(getenv("HWLOC_XMLFILE"), "/nonexistent");
	unsetenv("HWLOC_XMLFILE");
	m = imported(xml);
	assert_true(m->n >= 2);
	matrix_free(m);
	free(xml);
}

static void
what_cannot_be_exported_is_refused(void **state)
{
	const char *dir = *state;
	const struct cpuset one = cpuset_of(2);
	struct matrix *m = measured(&one);
	auto_free char *file = xasprintf("%s/x.xml", dir);
	struct err e = ERR_NONE;
	char *xml = file;

	assert_int_equal(hwexport_xml(dir, m, &xml, &e), -ENOENT);
	assert_string_equal(e.text, "fewer than two of its CPUs have been measured");
	assert_int_equal(hwexport_xml("/nonexistent", m, &xml, NULL), -ENOENT);
	assert_int_equal(hwexport_xml("/", m, &xml, NULL), -EINVAL);
	trees_write(dir, "x.xml", "hello");
	assert_int_equal(hwexport_xml(file, m, &xml, NULL), -EINVAL);
	assert_ptr_equal(xml, file);
	matrix_free(m);
}

/* The XML with @from replaced by @to everywhere behind our matrix's name; free() it. */
static char *
changed(const char *xml, const char *from, const char *to)
{
	struct strbuf b = {0};
	const char *p = strstr(xml, "<distances2");
	const char *at;

	assert_non_null(p);
	strbuf_add(&b, xml, (size_t)(p - xml));
	for (; (at = strstr(p, from)) != NULL; p = at + strlen(from)) {
		strbuf_add(&b, p, (size_t)(at - p));
		strbuf_adds(&b, to);
	}
	strbuf_adds(&b, p);
	return strbuf_take(&b);
}

static void
matrices_of_others_are_nanoseconds(void **state)
{
	auto_free char *xml = exported(*state);
	auto_free char *named = changed(xml, HWEXPORT_NAME, "Theirs");
	struct matrix *m = imported(named);

	assert_true(matrix_at(m, 2, 0)->ns == 20250);
	assert_true(matrix_at(m, 3, 2)->ns == 32250);
	matrix_free(m);
}

static void
xml_without_latencies_is_refused(void **state)
{
	auto_free char *xml = exported(*state);
	/* a bandwidth, and values that are no latencies */
	auto_free char *named = changed(xml, HWEXPORT_NAME, "Theirs");
	auto_free char *width = changed(named, "kind=\"6\"", "kind=\"10\"");
	auto_free char *long_ones = NULL;
	auto_free char *huge = NULL;
	const struct cpuset two = cpuset_below(2);
	struct matrix *slow = matrix_new(&two);
	struct matrix *m = NULL;
	struct err e = ERR_NONE;

	assert_int_equal(hwimport_xml(width, "f", &m, &e), -ENOENT);
	assert_string_equal(e.text, "no latencies between CPUs in it");
	err_clear(&e);
	slow->cells[0].ns = 100.1f; /* too much when it is taken as nanoseconds */
	assert_int_equal(hwexport_xml(*state, slow, &long_ones, NULL), 0);
	matrix_free(slow);
	huge = changed(long_ones, HWEXPORT_NAME, "Theirs");
	assert_int_equal(hwimport_xml(huge, "f", &m, &e), -EINVAL);
	assert_non_null(strstr(e.text, "no latencies in nanoseconds"));
	assert_int_equal(hwimport_xml("", "f", &m, NULL), -EINVAL);
	assert_int_equal(hwimport_xml("<topology></topology>", "f", &m, NULL), -EINVAL);
	assert_null(m);
}

static void
damaged_xml_harms_nobody(void **state)
{
	auto_free char *xml = exported(*state);
	size_t at = (size_t)(strstr(xml, "<distances2") - xml);
	size_t size = strlen(xml) + 8;
	uint64_t seed = (uint64_t)time(NULL) | 1;
	unsigned int refused = 0;

	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned int i = 0; i < 300; i++) {
		auto_free char *text = xcalloc(size + 1, 1);
		struct matrix *m = NULL;
		size_t len;

		memcpy(text, xml, strlen(xml));
		len = mutate_text(text + at, strlen(xml) - at, size - at, &seed);
		text[at + len] = '\0';
		if (hwimport_xml(text, "f", &m, NULL) < 0) {
			assert_null(m);
			refused++;
			continue;
		}
		assert_true(m->n >= 2 && m->n <= 4);
		matrix_free(m);
	}
	print_message("%u of 300 refused\n", refused);
}

static double
s_since(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - from->tv_sec) +
	       (double)(now.tv_nsec - from->tv_nsec) / 1e9;
}

static void
a_large_host_is_exported_in_time(void **state)
{
	const char *dir = *state;
	auto_free char *path = xasprintf("%s/large.xml", dir);
	auto_free char *command =
		xasprintf(LSTOPO " -i 'pack:2 l3:8 core:16 pu:2' --of xml %s", path);
	const struct cpuset cpus = cpuset_below(512);
	struct timespec from;
	struct err e = ERR_NONE;
	struct topo *t = NULL;
	struct matrix *m;
	char *xml = NULL;
	double s;

	if (!has_lstopo() || system(command) != 0)
		skip();
	m = measured(&cpus);
	clock_gettime(CLOCK_MONOTONIC, &from);
	if (hwexport_xml(path, m, &xml, &e) < 0)
		fail_msg("%s: %s", e.source, e.text);
	s = s_since(&from);
	matrix_free(m);
	m = imported(xml);
	print_message("512 CPUs, %zu kB: export %.2f s, import %.2f s\n",
		strlen(xml) / 1000, s, s_since(&from) - s);
	assert_measured(m, 512);
	matrix_free(m);
	trees_write(dir, "large.xml", xml);
	assert_int_equal(host_load(path, &t, NULL), 0);
	assert_int_equal(t->n_pus, 512);
	topo_free(t);
	free(xml);
}

#define WITH_TREE(test) \
	cmocka_unit_test_setup_teardown(test, trees_setup_host, trees_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(what_is_exported_can_be_imported),
		WITH_TREE(our_own_loader_reads_the_topology),
		WITH_TREE(an_xml_file_is_exported_with_the_new_matrix_only),
		WITH_TREE(lstopo_shows_the_matrix),
		cmocka_unit_test(this_machine_is_exported),
		WITH_TREE(what_cannot_be_exported_is_refused),
		WITH_TREE(matrices_of_others_are_nanoseconds),
		WITH_TREE(xml_without_latencies_is_refused),
		WITH_TREE(damaged_xml_harms_nobody),
		WITH_TREE(a_large_host_is_exported_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
